//! Vouchers, plans and who has them.

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

/// Whose the rows are. A voucher that nobody redeemed is nobody's.
const WALLS: &[(&str, RowsOf)] = &[
    ("voucher_batch", RowsOf::Platform),
    ("voucher", RowsOf::Account("account_id")),
    ("plan", RowsOf::Platform),
    ("subscription", RowsOf::Account("account_id")),
    ("voucher_throttle", RowsOf::Account("account_id")),
];

const TABLES: &[(&str, &str)] = &[
    (
        "voucher_batch",
        "id UUID NOT NULL PRIMARY KEY,
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         amount_micros BIGINT NOT NULL CHECK (amount_micros > 0),
         voucher_count INTEGER NOT NULL CHECK (voucher_count BETWEEN 1 AND 1000),
         expires_at_ms BIGINT NOT NULL,
         created_at_ms BIGINT NOT NULL",
    ),
    (
        "voucher",
        "code_hash BYTEA NOT NULL PRIMARY KEY,
         batch_id UUID NOT NULL REFERENCES voucher_batch (id),
         account_id UUID REFERENCES account (id),
         idempotency_key TEXT CHECK (length(idempotency_key) BETWEEN 1 AND 255),
         redeemed_at_ms BIGINT,
         CHECK ((account_id IS NULL) = (idempotency_key IS NULL)),
         CHECK ((account_id IS NULL) = (redeemed_at_ms IS NULL))",
    ),
    (
        "plan",
        "id UUID NOT NULL PRIMARY KEY,
         name TEXT NOT NULL CONSTRAINT plan_name_unique UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         monthly_price_micros BIGINT NOT NULL CHECK (monthly_price_micros >= 0),
         rate_card_id UUID REFERENCES rate_card (id),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "subscription",
        "account_id UUID NOT NULL PRIMARY KEY REFERENCES account (id),
         plan_id UUID NOT NULL REFERENCES plan (id),
         started_at_ms BIGINT NOT NULL,
         next_month INTEGER NOT NULL CHECK (next_month >= 0),
         due_at_ms BIGINT NOT NULL,
         first_failed_at_ms BIGINT",
    ),
    (
        "voucher_throttle",
        "account_id UUID NOT NULL PRIMARY KEY REFERENCES account (id),
         failures INTEGER NOT NULL CHECK (failures >= 0),
         allowed_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
];

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX voucher_redemption ON voucher (account_id, idempotency_key) WHERE account_id IS NOT NULL",
    "CREATE INDEX voucher_batch_redeemed ON voucher (batch_id) WHERE account_id IS NOT NULL",
    "CREATE INDEX plan_rate_card ON plan (rate_card_id) WHERE rate_card_id IS NOT NULL",
    "CREATE INDEX subscription_plan ON subscription (plan_id)",
    "CREATE INDEX subscription_due ON subscription (due_at_ms)",
];
