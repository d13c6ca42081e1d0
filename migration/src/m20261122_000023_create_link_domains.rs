//! Hosts of accounts' own, for their short links.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl::{RowsOf, add_column, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_table(manager, "link_domain", LINK_DOMAIN).await?;
        add_column(manager, "campaign", "link_domain_id UUID").await?;
        run(manager, INDEXES).await?;
        match manager.get_database_backend() {
            DbBackend::Sqlite => run(manager, REASONS_OF_SQLITE).await?,
            _ => run(manager, REASONS_OF_POSTGRES).await?,
        }
        wall(manager, "link_domain", &RowsOf::Account("account_id")).await
    }
}

const LINK_DOMAIN: &str = "account_id UUID NOT NULL REFERENCES account (id),
     id UUID NOT NULL,
     host TEXT NOT NULL CHECK (length(host) BETWEEN 3 AND 60),
     status SMALLINT NOT NULL CHECK (status IN (0, 1)),
     created_at_ms BIGINT NOT NULL,
     verified_at_ms BIGINT,
     last_checked_at_ms BIGINT,
     PRIMARY KEY (account_id, id),
     CONSTRAINT link_domain_host_unique UNIQUE (account_id, host),
     CHECK ((status = 1) = (verified_at_ms IS NOT NULL))";

const INDEXES: &[&str] = &[
    // A host is one account's at a time, and links are followed by it.
    "CREATE UNIQUE INDEX link_domain_verified ON link_domain (host) WHERE status = 1",
    "CREATE INDEX campaign_link_domain ON campaign (account_id, link_domain_id) \
     WHERE link_domain_id IS NOT NULL",
];

// Campaigns may end for one reason more.
const REASONS_OF_POSTGRES: &[&str] = &[
    "ALTER TABLE campaign DROP CONSTRAINT campaign_reason_check",
    "ALTER TABLE campaign ADD CONSTRAINT campaign_reason_check CHECK (reason BETWEEN 0 AND 9)",
];

// A condition changes nothing of what is on the disk, and is replaced in the schema's own text: the
// short procedure of SQLite's manual ("Making Other Kinds Of Table Schema Changes"). Making the table
// anew would take those along that refer to it.
const REASONS_OF_SQLITE: &[&str] = &[
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_schema SET sql = replace(sql, 'reason BETWEEN 0 AND 8', 'reason BETWEEN 0 AND 9') \
     WHERE type = 'table' AND name = 'campaign'",
    "PRAGMA writable_schema = RESET",
];
