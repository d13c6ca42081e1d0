//! Links that campaigns shorten.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_table(manager, "short_link", SHORT_LINK).await?;
        run(manager, &["CREATE UNIQUE INDEX short_link_number ON short_link (number)"]).await?;
        wall(manager, "short_link", &RowsOf::Account("account_id")).await
    }
}

const SHORT_LINK: &str = "account_id UUID NOT NULL,
     number BIGINT NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
     campaign_id UUID NOT NULL,
     url TEXT NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
     created_at_ms BIGINT NOT NULL,
     PRIMARY KEY (account_id, number),
     CONSTRAINT short_link_url_unique UNIQUE (account_id, campaign_id, url),
     FOREIGN KEY (account_id, campaign_id) REFERENCES campaign (account_id, id)";
