//! Senders, carriers, routes, messages, the event log, and what the program keeps for itself.

use sea_orm_migration::prelude::*;

use crate::ddl::{create_table, run, run_on_postgres};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        run(manager, INDEXES).await?;
        // A counter row is rewritten with every batch: room in its page keeps that cheap.
        run_on_postgres(manager, "ALTER TABLE event_counter SET (fillfactor = 20)").await
    }
}

const TABLES: &[(&str, &str)] = &[
    (
        "sender",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         value TEXT NOT NULL CHECK (length(value) BETWEEN 1 AND 16),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 2),
         status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 2),
         reason TEXT,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT sender_value_unique UNIQUE (account_id, value)",
    ),
    (
        "carrier",
        "id UUID NOT NULL PRIMARY KEY,
         name TEXT NOT NULL CONSTRAINT carrier_name_unique UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
         kind SMALLINT NOT NULL CHECK (kind IN (0, 1)),
         settings TEXT NOT NULL,
         sealed_password BYTEA,
         enabled BOOLEAN NOT NULL,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "carrier_lease",
        "carrier_id UUID NOT NULL PRIMARY KEY REFERENCES carrier (id),
         node_id UUID NOT NULL,
         token BIGINT NOT NULL,
         expires_at_ms BIGINT NOT NULL,
         bound_links INTEGER NOT NULL,
         seen_at_ms BIGINT NOT NULL",
    ),
    (
        "route",
        "id UUID NOT NULL PRIMARY KEY,
         prefix TEXT NOT NULL CONSTRAINT route_prefix_unique UNIQUE CHECK (length(prefix) <= 15),
         carrier_id UUID NOT NULL REFERENCES carrier (id),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL",
    ),
    (
        "message_text",
        "account_id UUID NOT NULL,
         id UUID NOT NULL,
         body BYTEA NOT NULL,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id)",
    ),
    (
        "message",
        "account_id UUID NOT NULL,
         id UUID NOT NULL,
         class SMALLINT NOT NULL CHECK (class BETWEEN 0 AND 2),
         status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 106),
         version INTEGER NOT NULL,
         is_test BOOLEAN NOT NULL,
         recipient TEXT NOT NULL,
         sender TEXT NOT NULL,
         sender_kind SMALLINT NOT NULL CHECK (sender_kind BETWEEN 0 AND 2),
         text_id UUID NOT NULL,
         encoding SMALLINT NOT NULL CHECK (encoding IN (0, 1)),
         parts SMALLINT NOT NULL CHECK (parts BETWEEN 1 AND 255),
         client_reference TEXT CHECK (length(client_reference) BETWEEN 1 AND 100),
         country TEXT NOT NULL,
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         purse SMALLINT NOT NULL CHECK (purse BETWEEN 0 AND 2),
         unit_price_nanos BIGINT NOT NULL CHECK (unit_price_nanos >= 0),
         price_micros BIGINT NOT NULL CHECK (price_micros >= 0),
         charged_micros BIGINT CHECK (charged_micros BETWEEN 0 AND price_micros),
         charged_version INTEGER,
         carrier_id UUID NOT NULL,
         due_at_ms BIGINT NOT NULL,
         expires_at_ms BIGINT NOT NULL,
         attempt SMALLINT NOT NULL,
         claim_token BIGINT,
         submitted_at_ms BIGINT,
         carrier_message_id TEXT,
         sent_at_ms BIGINT,
         finished_at_ms BIGINT,
         parts_delivered SMALLINT NOT NULL CHECK (parts_delivered <= parts),
         error_code TEXT,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id)",
    ),
    (
        "submission",
        "account_id UUID NOT NULL,
         message_id UUID NOT NULL,
         attempt SMALLINT NOT NULL,
         part SMALLINT NOT NULL,
         carrier_id UUID NOT NULL,
         carrier_message_id TEXT,
         state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 5),
         error_code TEXT,
         submitted_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, message_id, attempt, part)",
    ),
    (
        "parked_receipt",
        "carrier_id UUID NOT NULL,
         carrier_message_id TEXT NOT NULL,
         sequence BIGINT NOT NULL,
         state SMALLINT NOT NULL CHECK (state BETWEEN 1 AND 8),
         error_kind SMALLINT,
         error_number BIGINT,
         received_at_ms BIGINT NOT NULL,
         PRIMARY KEY (carrier_id, carrier_message_id, sequence)",
    ),
    (
        "inbound_message",
        "id UUID NOT NULL PRIMARY KEY,
         account_id UUID,
         carrier_id UUID NOT NULL,
         sender TEXT NOT NULL,
         recipient TEXT NOT NULL,
         body BYTEA NOT NULL,
         concat_reference INTEGER,
         concat_total SMALLINT,
         concat_number SMALLINT,
         received_at_ms BIGINT NOT NULL",
    ),
    (
        "idempotency",
        "account_id UUID NOT NULL,
         operation TEXT NOT NULL,
         key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
         input_mac BYTEA NOT NULL,
         result TEXT NOT NULL,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, operation, key)",
    ),
    (
        "event",
        "account_id UUID NOT NULL,
         seq BIGINT NOT NULL CHECK (seq > 0),
         kind SMALLINT NOT NULL,
         subject_id UUID NOT NULL,
         status SMALLINT NOT NULL,
         version INTEGER NOT NULL,
         error_code TEXT,
         occurred_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, seq)",
    ),
    (
        "event_counter",
        "account_id UUID NOT NULL PRIMARY KEY,
         last_seq BIGINT NOT NULL CHECK (last_seq >= 0)",
    ),
    (
        "job_lease",
        "name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
         node_id UUID NOT NULL,
         expires_at_ms BIGINT NOT NULL",
    ),
    (
        "installation",
        "id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
         master_key_check BYTEA NOT NULL,
         created_at_ms BIGINT NOT NULL",
    ),
];

const INDEXES: &[&str] = &[
    // The operator finds a sender by its id alone, and pages through those of all accounts.
    "CREATE UNIQUE INDEX sender_id ON sender (id)",
    "CREATE INDEX sender_status ON sender (status, account_id, id)",
    // The queue: what a carrier may be handed, by lane, tenant and time.
    "CREATE INDEX message_queue ON message (carrier_id, class, account_id, due_at_ms, id) WHERE status = 10",
    // What becomes due by the clock: scheduled, left in the middle by a crash, waiting for a receipt.
    "CREATE INDEX message_due ON message (status, due_at_ms) WHERE status IN (0, 20, 30, 35)",
    "CREATE INDEX message_expiry ON message (expires_at_ms) WHERE status = 10",
    // Receipts are matched by the carrier's id.
    "CREATE INDEX message_carrier_message ON message (carrier_id, carrier_message_id) WHERE carrier_message_id IS NOT NULL",
    "CREATE INDEX submission_carrier_message ON submission (carrier_id, carrier_message_id) WHERE carrier_message_id IS NOT NULL",
    // Late receipts of uncertain submissions are matched by recipient and our own reference.
    "CREATE INDEX message_uncertain ON message (carrier_id, recipient) WHERE status = 90",
    // What nobody knows the fate of and what is still held for it.
    "CREATE INDEX message_unknown_held ON message (finished_at_ms) WHERE status = 90 AND charged_micros IS NULL",
    // The filters of `messages`.
    "CREATE INDEX message_by_status ON message (account_id, status, id)",
    "CREATE INDEX message_by_recipient ON message (account_id, recipient, id)",
    "CREATE INDEX message_by_class ON message (account_id, class, id)",
    "CREATE INDEX message_by_client_reference ON message (account_id, client_reference, id) WHERE client_reference IS NOT NULL",
    "CREATE INDEX parked_receipt_received ON parked_receipt (received_at_ms)",
    "CREATE INDEX inbound_message_account ON inbound_message (account_id, id)",
    "CREATE INDEX idempotency_created ON idempotency (created_at_ms)",
    "CREATE INDEX event_subject ON event (account_id, subject_id, seq)",
];
