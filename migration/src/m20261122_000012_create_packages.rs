//! Packages on offer, those that accounts have, and which of them pays for a message.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, add_column, create_table, run, run_on_postgres, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        for (table, column) in COLUMNS {
            add_column(manager, table, column).await?;
        }
        run(manager, INDEXES).await?;
        // Rewritten with every group of messages: room in its pages keeps that cheap.
        run_on_postgres(manager, "ALTER TABLE granted_package SET (fillfactor = 50)").await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are. Offers are the operator's: accounts are shown them by its leave.
const WALLS: &[(&str, RowsOf)] =
    &[("package", RowsOf::Platform), ("granted_package", RowsOf::Account("account_id"))];

const TABLES: &[(&str, &str)] = &[
    (
        "package",
        "id UUID NOT NULL PRIMARY KEY,
         name TEXT NOT NULL CONSTRAINT package_name_unique UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         price_micros BIGINT NOT NULL CHECK (price_micros >= 0),
         kind SMALLINT NOT NULL CHECK (kind IN (0, 1)),
         amount_micros BIGINT NOT NULL CHECK (amount_micros > 0),
         validity_unit SMALLINT NOT NULL CHECK (validity_unit IN (0, 1)),
         validity_count INTEGER NOT NULL CHECK (validity_count > 0),
         prefixes TEXT NOT NULL,
         classes SMALLINT NOT NULL CHECK (classes BETWEEN 1 AND 7),
         archived_at_ms BIGINT,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         CHECK (kind = 1 OR amount_micros % 1000000 = 0)",
    ),
    (
        "granted_package",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         package_id UUID NOT NULL REFERENCES package (id),
         source SMALLINT NOT NULL CHECK (source BETWEEN 0 AND 2),
         idempotency_key TEXT NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
         kind SMALLINT NOT NULL CHECK (kind IN (0, 1)),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         amount_micros BIGINT NOT NULL CHECK (amount_micros > 0),
         balance_micros BIGINT NOT NULL CHECK (balance_micros BETWEEN 0 AND amount_micros),
         held_micros BIGINT NOT NULL CHECK (held_micros BETWEEN 0 AND balance_micros),
         price_micros BIGINT NOT NULL CHECK (price_micros >= 0),
         refunded_micros BIGINT NOT NULL CHECK (refunded_micros BETWEEN 0 AND price_micros),
         prefixes TEXT NOT NULL,
         classes SMALLINT NOT NULL CHECK (classes BETWEEN 1 AND 7),
         state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 3),
         expires_at_ms BIGINT NOT NULL,
         closed_at_ms BIGINT,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT granted_package_key_unique UNIQUE (account_id, source, idempotency_key),
         CHECK ((state = 0) = (closed_at_ms IS NULL))",
    ),
];

const COLUMNS: &[(&str, &str)] = &[
    ("billing_account", "packages_until_ms BIGINT"),
    ("message", "granted_package_id UUID"),
    ("plan", "package_id UUID REFERENCES package (id)"),
];

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX granted_package_id ON granted_package (id)",
    "CREATE INDEX granted_package_active ON granted_package (account_id, expires_at_ms, id) WHERE state = 0",
    "CREATE INDEX granted_package_expiring ON granted_package (expires_at_ms) WHERE state = 0",
    "CREATE INDEX granted_package_empty ON granted_package (account_id) WHERE state = 0 AND balance_micros = 0",
];
