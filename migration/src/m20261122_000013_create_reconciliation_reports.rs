//! What comparing our books with the processors' found.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, add_column, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "processor_endpoint", "reconciled_day INTEGER").await?;
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
const WALLS: &[(&str, RowsOf)] =
    &[("reconciliation_report", RowsOf::Platform), ("reconciliation_difference", RowsOf::Platform)];

const TABLES: &[(&str, &str)] = &[
    (
        "reconciliation_report",
        "id UUID NOT NULL PRIMARY KEY,
         endpoint_id UUID NOT NULL REFERENCES processor_endpoint (id),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         day INTEGER NOT NULL,
         opening_micros BIGINT NOT NULL,
         gross_micros BIGINT NOT NULL,
         fees_micros BIGINT NOT NULL,
         refunds_micros BIGINT NOT NULL,
         disputes_micros BIGINT NOT NULL,
         reinstated_micros BIGINT NOT NULL,
         payouts_micros BIGINT NOT NULL,
         closing_micros BIGINT NOT NULL,
         is_compared BOOLEAN NOT NULL,
         matched INTEGER NOT NULL CHECK (matched >= 0),
         differences INTEGER NOT NULL CHECK (differences >= 0),
         version INTEGER NOT NULL,
         made_at_ms BIGINT NOT NULL,
         CONSTRAINT reconciliation_report_once UNIQUE (endpoint_id, day, currency),
         CHECK (closing_micros = opening_micros + gross_micros - fees_micros - refunds_micros
             - disputes_micros + reinstated_micros - payouts_micros)",
    ),
    (
        "reconciliation_difference",
        "report_id UUID NOT NULL REFERENCES reconciliation_report (id),
         position INTEGER NOT NULL CHECK (position >= 0),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 5),
         subject TEXT NOT NULL CHECK (length(subject) <= 300),
         here_micros BIGINT,
         there_micros BIGINT,
         PRIMARY KEY (report_id, position)",
    ),
];

const INDEXES: &[&str] = &[
    // The clearing books of a processor, over all accounts.
    "CREATE INDEX ledger_book_clearing ON ledger_book (detail) WHERE kind = 3",
    // What moved in them of late.
    "CREATE INDEX ledger_transfer_clearing ON ledger_transfer (posted_at_ms) WHERE code IN (2, 3, 4, 5, 6, 7, 18)",
];
