//! Collecting what invoices ask for: reminders, suspension, e-mail, taxes that are withheld.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, add_column, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            add_column(manager, table, column).await?;
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

/// Columns of tables that were there. What was written before is of the first kind.
const COLUMNS: &[(&str, &str)] = &[
    ("billing_account", "suspended_at_ms BIGINT"),
    ("invoice_allocation", "kind SMALLINT NOT NULL DEFAULT 0 CHECK (kind BETWEEN 0 AND 2)"),
    ("invoice_allocation", "occurred_at_ms BIGINT"),
    ("tax_rate", "kind SMALLINT NOT NULL DEFAULT 0 CHECK (kind BETWEEN 0 AND 1)"),
    ("invoice_tax", "kind SMALLINT NOT NULL DEFAULT 0 CHECK (kind BETWEEN 0 AND 1)"),
];

/// Whose the rows are.
const WALLS: &[(&str, RowsOf)] =
    &[("invoice_reminder", RowsOf::Account("account_id")), ("mail", RowsOf::Account("account_id"))];

const TABLES: &[(&str, &str)] = &[
    (
        "invoice_reminder",
        "account_id UUID NOT NULL,
         invoice_id UUID NOT NULL,
         due_at_ms BIGINT NOT NULL,
         after_days INTEGER NOT NULL CHECK (after_days > 0),
         sent_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, invoice_id, due_at_ms, after_days),
         FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id)",
    ),
    (
        "mail",
        "account_id UUID NOT NULL,
         invoice_id UUID NOT NULL,
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 3),
         subject TEXT NOT NULL CHECK (length(subject) <= 64),
         amount_micros BIGINT,
         state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 2),
         attempts INTEGER NOT NULL CHECK (attempts >= 0),
         next_at_ms BIGINT NOT NULL,
         fault TEXT CHECK (length(fault) <= 200),
         created_at_ms BIGINT NOT NULL,
         ended_at_ms BIGINT,
         PRIMARY KEY (account_id, invoice_id, kind, subject),
         FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id)",
    ),
];

const INDEXES: &[&str] = &[
    // What is reminded of, and what keeps its account from sending.
    "CREATE INDEX invoice_unpaid ON invoice (due_at_ms) WHERE kind = 0 AND status IN (1, 4)",
    "CREATE INDEX billing_account_suspended ON billing_account (account_id) WHERE suspended_at_ms IS NOT NULL",
    "CREATE INDEX mail_due ON mail (next_at_ms) WHERE state = 0",
];
