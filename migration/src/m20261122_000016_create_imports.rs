//! Contacts from files and into files.

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

/// Whose the rows are.
const WALLS: &[(&str, RowsOf)] = &[
    ("contact_import", RowsOf::Account("account_id")),
    ("contact_import_part", RowsOf::Account("account_id")),
    ("contact_export", RowsOf::Account("account_id")),
];

const TABLES: &[(&str, &str)] = &[
    (
        "contact_import",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 7),
         failure SMALLINT CHECK (failure BETWEEN 0 AND 6),
         failure_detail TEXT CHECK (length(failure_detail) <= 200),
         options TEXT NOT NULL,
         idempotency_key TEXT CHECK (length(idempotency_key) BETWEEN 1 AND 100),
         input_mac BYTEA NOT NULL CHECK (length(input_mac) = 32),
         upload_attempt INTEGER NOT NULL,
         upload_expires_at_ms BIGINT NOT NULL,
         byte_count BIGINT NOT NULL,
         part_count INTEGER NOT NULL,
         cursor_byte BIGINT NOT NULL,
         cursor_line BIGINT NOT NULL,
         row_count BIGINT NOT NULL,
         created_count BIGINT NOT NULL,
         matched_count BIGINT NOT NULL,
         failed_count BIGINT NOT NULL CHECK (failed_count = row_count - created_count - matched_count),
         error_part_count INTEGER NOT NULL,
         holds_parts BOOLEAN NOT NULL,
         started_at_ms BIGINT,
         finished_at_ms BIGINT,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT contact_import_key_unique UNIQUE (account_id, idempotency_key),
         CHECK ((failure IS NOT NULL) = (status = 5))",
    ),
    (
        "contact_import_part",
        "account_id UUID NOT NULL,
         import_id UUID NOT NULL,
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 1),
         place INTEGER NOT NULL,
         body BYTEA NOT NULL,
         PRIMARY KEY (account_id, import_id, kind, place),
         FOREIGN KEY (account_id, import_id) REFERENCES contact_import (account_id, id)",
    ),
    (
        "contact_export",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         options TEXT NOT NULL,
         person_id UUID,
         api_key_id UUID,
         expires_at_ms BIGINT NOT NULL,
         download_count INTEGER NOT NULL,
         contact_count BIGINT,
         downloaded_at_ms BIGINT,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id)",
    ),
];

const INDEXES: &[&str] = &[
    // What a worker has to do, and what waits for a file.
    "CREATE INDEX contact_import_open ON contact_import (status, created_at_ms) WHERE status <= 3",
    // Of what has ended: what of it is still to be removed.
    "CREATE INDEX contact_import_held ON contact_import (finished_at_ms) WHERE holds_parts AND status > 3",
];
