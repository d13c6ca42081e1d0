//! Payments of invoices, kept means of payment, and automatic top-up. Of a means of payment only the
//! processor's own ids are kept.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, add_column, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in PAYMENT_COLUMNS {
            add_column(manager, "payment", column).await?;
        }
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

/// Whose the rows are.
const WALLS: &[(&str, RowsOf)] = &[
    ("payment_method", RowsOf::Account("account_id")),
    ("automatic_top_up", RowsOf::Account("account_id")),
];

const PAYMENT_COLUMNS: &[&str] =
    &["invoice_id UUID", "saves_method BOOLEAN NOT NULL DEFAULT FALSE", "payment_method_id UUID"];

const TABLES: &[(&str, &str)] = &[
    (
        "payment_method",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         endpoint_id UUID NOT NULL REFERENCES processor_endpoint (id),
         customer_id TEXT NOT NULL CHECK (length(customer_id) BETWEEN 1 AND 255),
         method_id TEXT NOT NULL CHECK (length(method_id) BETWEEN 1 AND 255),
         added_at_ms BIGINT NOT NULL,
         removed_at_ms BIGINT,
         detached_at_ms BIGINT,
         PRIMARY KEY (account_id, id),
         CONSTRAINT payment_method_once UNIQUE (endpoint_id, method_id)",
    ),
    (
        "automatic_top_up",
        "account_id UUID NOT NULL PRIMARY KEY REFERENCES account (id),
         payment_method_id UUID NOT NULL,
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         threshold_micros BIGINT NOT NULL,
         amount_micros BIGINT NOT NULL CHECK (amount_micros > 0),
         ended SMALLINT CHECK (ended BETWEEN 0 AND 2),
         failures SMALLINT NOT NULL CHECK (failures >= 0),
         pending_payment_id UUID,
         next_at_ms BIGINT NOT NULL,
         day INTEGER NOT NULL,
         started_in_day SMALLINT NOT NULL CHECK (started_in_day >= 0),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
];

const INDEXES: &[&str] = &[
    // What the processor does not know of yet.
    "CREATE INDEX payment_method_detach ON payment_method (removed_at_ms) WHERE removed_at_ms IS NOT NULL AND detached_at_ms IS NULL",
];
