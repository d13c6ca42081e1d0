//! Payment processors, what they posted, and payments. No column holds a webhook's body.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        run(manager, INDEXES).await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are. What processors tell is the installation's until it is folded.
const WALLS: &[(&str, RowsOf)] = &[
    ("processor_endpoint", RowsOf::Platform),
    ("webhook_event", RowsOf::Platform),
    ("payment", RowsOf::Account("account_id")),
    ("payment_object", RowsOf::Platform),
    ("payout", RowsOf::Platform),
];

const TABLES: &[(&str, &str)] = &[
    (
        "processor_endpoint",
        "id UUID NOT NULL PRIMARY KEY,
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 4),
         path_key TEXT NOT NULL CONSTRAINT processor_endpoint_path_unique UNIQUE CHECK (length(path_key) = 32),
         sealed_secret BYTEA NOT NULL,
         sealed_other_secret BYTEA,
         sealed_api_key BYTEA,
         base_url TEXT CHECK (length(base_url) <= 500),
         enabled BOOLEAN NOT NULL,
         swept_until_ms BIGINT NOT NULL,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "webhook_event",
        "id UUID NOT NULL PRIMARY KEY,
         endpoint_id UUID NOT NULL REFERENCES processor_endpoint (id),
         event_id TEXT NOT NULL CHECK (length(event_id) BETWEEN 1 AND 320),
         body_mac BYTEA,
         event_type TEXT NOT NULL CHECK (length(event_type) <= 100),
         facts TEXT NOT NULL,
         state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 4),
         attempts INTEGER NOT NULL CHECK (attempts >= 0),
         next_at_ms BIGINT NOT NULL,
         reason TEXT CHECK (length(reason) <= 100),
         occurred_at_ms BIGINT,
         received_at_ms BIGINT NOT NULL,
         CONSTRAINT webhook_event_once UNIQUE (endpoint_id, event_id)",
    ),
    (
        "payment",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         purpose SMALLINT NOT NULL CHECK (purpose BETWEEN 0 AND 2),
         endpoint_id UUID NOT NULL REFERENCES processor_endpoint (id),
         amount_micros BIGINT NOT NULL CHECK (amount_micros >= 0),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 12),
         redirect_url TEXT,
         facts TEXT NOT NULL,
         posted TEXT NOT NULL,
         idempotency_key TEXT CHECK (length(idempotency_key) BETWEEN 1 AND 100),
         input_mac BYTEA,
         polls INTEGER NOT NULL CHECK (polls >= 0),
         next_poll_at_ms BIGINT,
         stale BOOLEAN NOT NULL,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT payment_idempotency_unique UNIQUE (account_id, idempotency_key)",
    ),
    (
        "payment_object",
        "endpoint_id UUID NOT NULL REFERENCES processor_endpoint (id),
         object_id TEXT NOT NULL CHECK (length(object_id) BETWEEN 1 AND 255),
         payment_id UUID NOT NULL,
         PRIMARY KEY (endpoint_id, object_id)",
    ),
    (
        "payout",
        "endpoint_id UUID NOT NULL REFERENCES processor_endpoint (id),
         object_id TEXT NOT NULL CHECK (length(object_id) BETWEEN 1 AND 255),
         facts TEXT NOT NULL,
         posted_micros BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (endpoint_id, object_id)",
    ),
];

const INDEXES: &[&str] = &[
    "CREATE INDEX webhook_event_due ON webhook_event (next_at_ms, id) WHERE state = 0",
    "CREATE INDEX webhook_event_open ON webhook_event (state, id) WHERE state IN (2, 3)",
    "CREATE UNIQUE INDEX payment_id ON payment (id)",
    "CREATE INDEX payment_poll ON payment (next_poll_at_ms) WHERE next_poll_at_ms IS NOT NULL",
    "CREATE INDEX payment_object_payment ON payment_object (payment_id)",
];
