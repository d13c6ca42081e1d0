//! What campaigns and messages need for quiet hours.

use sea_orm_migration::prelude::*;

use crate::ddl::{add_column, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            add_column(manager, table, column).await?;
        }
        run(manager, INDEXES).await
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("message", "valid_until_ms BIGINT"),
    ("campaign", "send_at_local TEXT"),
    ("campaign", "parent_id UUID"),
    ("campaign", "retries_unknown BOOLEAN NOT NULL DEFAULT FALSE"),
];

const INDEXES: &[&str] = &[
    // A campaign is retried by one other at a time.
    "CREATE UNIQUE INDEX campaign_retry ON campaign (account_id, parent_id) WHERE status IN (0, 1, 2, 3)",
    "CREATE INDEX campaign_parent ON campaign (account_id, parent_id) WHERE parent_id IS NOT NULL",
];
