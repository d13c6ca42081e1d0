//! Wallets, the ledger, what messages cost, and the prices.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, create_table, refuse_changes, run, run_on_postgres, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        run(manager, INDEXES).await?;
        // These rows are rewritten with every group of messages: room in their pages keeps that
        // cheap.
        for table in ["wallet", "ledger_book", "usage_day"] {
            run_on_postgres(manager, &format!("ALTER TABLE {table} SET (fillfactor = 50)")).await?;
        }
        for table in ["ledger_transfer", "ledger_entry"] {
            refuse_changes(manager, table).await?;
        }
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are. Prices are the operator's: an account learns those of its own messages.
const WALLS: &[(&str, RowsOf)] = &[
    ("wallet", RowsOf::Account("account_id")),
    ("ledger_book", RowsOf::Account("account_id")),
    ("ledger_transfer", RowsOf::Account("account_id")),
    ("ledger_entry", RowsOf::Account("account_id")),
    ("usage_day", RowsOf::Account("account_id")),
    ("rate_card", RowsOf::Platform),
    ("rate", RowsOf::Platform),
    ("billing_account", RowsOf::Account("account_id")),
];

const TABLES: &[(&str, &str)] = &[
    (
        "wallet",
        "account_id UUID NOT NULL REFERENCES account (id),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         purse SMALLINT NOT NULL CHECK (purse BETWEEN 0 AND 2),
         balance_micros BIGINT NOT NULL,
         held_micros BIGINT NOT NULL CHECK (held_micros >= 0),
         credit_limit_micros BIGINT NOT NULL CHECK (credit_limit_micros >= 0),
         last_seq BIGINT NOT NULL CHECK (last_seq >= 0),
         last_hash BYTEA NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, currency, purse)",
    ),
    (
        "ledger_book",
        "account_id UUID NOT NULL,
         currency TEXT NOT NULL,
         purse SMALLINT NOT NULL,
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 1 AND 10),
         detail TEXT NOT NULL CHECK (length(detail) <= 64),
         balance_micros BIGINT NOT NULL,
         PRIMARY KEY (account_id, currency, purse, kind, detail)",
    ),
    (
        "ledger_transfer",
        "account_id UUID NOT NULL,
         currency TEXT NOT NULL,
         purse SMALLINT NOT NULL,
         seq BIGINT NOT NULL CHECK (seq > 0),
         id UUID NOT NULL,
         code SMALLINT NOT NULL CHECK (code BETWEEN 0 AND 18),
         key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
         request_mac BYTEA NOT NULL,
         subject_id UUID,
         occurred_at_ms BIGINT NOT NULL,
         posted_at_ms BIGINT NOT NULL,
         hash BYTEA NOT NULL,
         PRIMARY KEY (account_id, currency, purse, seq),
         CONSTRAINT ledger_transfer_key_unique UNIQUE (account_id, key)",
    ),
    (
        "ledger_entry",
        "account_id UUID NOT NULL,
         currency TEXT NOT NULL,
         purse SMALLINT NOT NULL,
         seq BIGINT NOT NULL,
         leg SMALLINT NOT NULL CHECK (leg >= 0),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 10),
         detail TEXT NOT NULL CHECK (length(detail) <= 64),
         amount_micros BIGINT NOT NULL CHECK (amount_micros <> 0),
         balance_micros BIGINT NOT NULL,
         PRIMARY KEY (account_id, currency, purse, seq, leg)",
    ),
    (
        "usage_day",
        "account_id UUID NOT NULL,
         currency TEXT NOT NULL,
         purse SMALLINT NOT NULL,
         day INTEGER NOT NULL,
         country TEXT NOT NULL CHECK (length(country) <= 2),
         class SMALLINT NOT NULL CHECK (class BETWEEN 0 AND 2),
         unit_price_nanos BIGINT NOT NULL CHECK (unit_price_nanos >= 0),
         messages BIGINT NOT NULL,
         parts BIGINT NOT NULL,
         amount_micros BIGINT NOT NULL,
         PRIMARY KEY (account_id, currency, purse, day, country, class, unit_price_nanos)",
    ),
    (
        "rate_card",
        "id UUID NOT NULL PRIMARY KEY,
         name TEXT NOT NULL CONSTRAINT rate_card_name_unique UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         is_default BOOLEAN NOT NULL,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "rate",
        "rate_card_id UUID NOT NULL REFERENCES rate_card (id),
         prefix TEXT NOT NULL CHECK (length(prefix) <= 15),
         class SMALLINT NOT NULL CHECK (class BETWEEN -1 AND 2),
         effective_from_ms BIGINT NOT NULL,
         price_nanos BIGINT NOT NULL CHECK (price_nanos >= 0),
         PRIMARY KEY (rate_card_id, prefix, class, effective_from_ms)",
    ),
    (
        "billing_account",
        "account_id UUID NOT NULL PRIMARY KEY REFERENCES account (id),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         terms SMALLINT NOT NULL CHECK (terms IN (0, 1)),
         rate_card_id UUID REFERENCES rate_card (id),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
];

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX ledger_transfer_id ON ledger_transfer (account_id, id)",
    "CREATE INDEX ledger_transfer_subject ON ledger_transfer (account_id, subject_id) WHERE subject_id IS NOT NULL",
    // Months of plans, packages that were bought, and what was given back: what invoices list.
    "CREATE INDEX ledger_transfer_charges ON ledger_transfer (account_id, currency, posted_at_ms) WHERE code IN (9, 12, 17)",
    "CREATE UNIQUE INDEX rate_card_one_default ON rate_card (currency) WHERE is_default",
    "CREATE INDEX billing_account_rate_card ON billing_account (rate_card_id) WHERE rate_card_id IS NOT NULL",
];
