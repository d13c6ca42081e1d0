//! Variants of campaigns' texts, with what became of their messages.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, add_column, create_table, run_on_postgres, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_table(manager, "campaign_variant", CAMPAIGN_VARIANT).await?;
        for (table, column) in COLUMNS {
            add_column(manager, table, column).await?;
        }
        // As of `campaign_total`: rewritten many times while its campaign runs.
        run_on_postgres(manager, "ALTER TABLE campaign_variant SET (fillfactor = 50)").await?;
        wall(manager, "campaign_variant", &RowsOf::Account("account_id")).await
    }
}

const CAMPAIGN_VARIANT: &str = "account_id UUID NOT NULL,
     campaign_id UUID NOT NULL,
     ordinal SMALLINT NOT NULL CHECK (ordinal BETWEEN 1 AND 5),
     name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
     template TEXT NOT NULL CHECK (length(template) BETWEEN 1 AND 3000),
     weight SMALLINT NOT NULL CHECK (weight BETWEEN 1 AND 100),
     scheduled BIGINT NOT NULL DEFAULT 0,
     held BIGINT NOT NULL DEFAULT 0,
     queued BIGINT NOT NULL DEFAULT 0,
     sent BIGINT NOT NULL DEFAULT 0,
     enroute BIGINT NOT NULL DEFAULT 0,
     delivered BIGINT NOT NULL DEFAULT 0,
     undelivered BIGINT NOT NULL DEFAULT 0,
     expired BIGINT NOT NULL DEFAULT 0,
     rejected BIGINT NOT NULL DEFAULT 0,
     failed BIGINT NOT NULL DEFAULT 0,
     canceled BIGINT NOT NULL DEFAULT 0,
     unknown BIGINT NOT NULL DEFAULT 0,
     parts BIGINT NOT NULL DEFAULT 0,
     cost_micros BIGINT NOT NULL DEFAULT 0,
     opt_outs BIGINT NOT NULL DEFAULT 0,
     replies BIGINT NOT NULL DEFAULT 0,
     clicks BIGINT NOT NULL DEFAULT 0,
     unique_clicks BIGINT NOT NULL DEFAULT 0,
     PRIMARY KEY (account_id, campaign_id, ordinal),
     CONSTRAINT campaign_variant_name_unique UNIQUE (account_id, campaign_id, name),
     FOREIGN KEY (account_id, campaign_id) REFERENCES campaign (account_id, id)";

const COLUMNS: &[(&str, &str)] =
    &[("message", "variant SMALLINT"), ("campaign", "split_from UUID")];
