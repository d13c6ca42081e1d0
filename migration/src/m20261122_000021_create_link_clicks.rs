//! Clicks on short links, and what is counted of them.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, add_column, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_table(manager, "link_click", LINK_CLICK).await?;
        for (table, column) in COLUMNS {
            add_column(manager, table, column).await?;
        }
        run(manager, INDEXES).await?;
        wall(manager, "link_click", &RowsOf::Account("account_id")).await
    }
}

const LINK_CLICK: &str = "account_id UUID NOT NULL,
     id UUID NOT NULL,
     number BIGINT NOT NULL,
     message_id UUID NOT NULL,
     kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 5),
     agent SMALLINT NOT NULL CHECK (agent BETWEEN 0 AND 6),
     is_first BOOLEAN NOT NULL,
     occurred_at_ms BIGINT NOT NULL,
     PRIMARY KEY (account_id, id),
     FOREIGN KEY (account_id, number) REFERENCES short_link (account_id, number),
     CHECK (kind = 0 OR NOT is_first)";

const COLUMNS: &[(&str, &str)] = &[
    ("message", "place BIGINT"),
    ("short_link", "clicks BIGINT NOT NULL DEFAULT 0"),
    ("short_link", "unique_clicks BIGINT NOT NULL DEFAULT 0"),
    ("short_link", "bot_clicks BIGINT NOT NULL DEFAULT 0"),
    ("rollup", "clicks BIGINT NOT NULL DEFAULT 0"),
    ("rollup", "unique_clicks BIGINT NOT NULL DEFAULT 0"),
    ("campaign_total", "clicks BIGINT NOT NULL DEFAULT 0"),
    ("campaign_total", "unique_clicks BIGINT NOT NULL DEFAULT 0"),
];

const INDEXES: &[&str] = &[
    // From what a link says to the message that it stood in; messages without links are not in it.
    "CREATE INDEX message_place ON message (account_id, campaign_id, place) WHERE place IS NOT NULL",
    "CREATE INDEX link_click_message ON link_click (account_id, message_id, number)",
    // A recipient clicks for the first time once, whatever happens.
    "CREATE UNIQUE INDEX link_click_first ON link_click (account_id, message_id) WHERE is_first",
    "CREATE INDEX link_click_age ON link_click (occurred_at_ms)",
];
