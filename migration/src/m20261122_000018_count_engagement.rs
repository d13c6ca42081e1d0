//! Campaigns as something that figures are told apart by, and what people did: opt-outs and replies.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl::{add_column, create_table, run, run_on_postgres};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            // A key cannot be changed here: the table is made anew.
            DbBackend::Sqlite => {
                create_table(manager, "rollup_anew", ROLLUP).await?;
                run(manager, MOVED).await?;
            }
            _ => {
                for sql in ALTERED {
                    run_on_postgres(manager, sql).await?;
                }
            }
        }
        for column in COUNTS {
            add_column(manager, "rollup", column).await?;
            add_column(manager, "campaign_total", column).await?;
        }
        Ok(())
    }
}

/// What people did.
const COUNTS: &[&str] =
    &["opt_outs BIGINT NOT NULL DEFAULT 0", "replies BIGINT NOT NULL DEFAULT 0"];

// What was counted before is told apart by no campaign: the log that it came from may be gone.
const ALTERED: &[&str] = &[
    "ALTER TABLE rollup ADD COLUMN campaign_id UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'",
    "ALTER TABLE rollup ALTER COLUMN campaign_id DROP DEFAULT",
    "ALTER TABLE rollup DROP CONSTRAINT rollup_pkey",
    "ALTER TABLE rollup ADD PRIMARY KEY (account_id, resolution_s, detail, starts_at_s, is_test, \
     country, carrier_id, route_id, sender, class, currency, purse, campaign_id, error_code)",
];

const MOVED: &[&str] = &[
    "INSERT INTO rollup_anew SELECT account_id, resolution_s, detail, starts_at_s, is_test, country, \
     carrier_id, route_id, sender, class, currency, purse, error_code, accepted, sent, delivered, \
     undelivered, failed, expired, rejected, canceled, suppressed, unknown, parts, cost_micros, \
     to_sent, to_delivered, x'00000000000000000000000000000000' FROM rollup",
    "DROP TABLE rollup",
    "ALTER TABLE rollup_anew RENAME TO rollup",
];

/// The table as it is, with the campaign as the last of its columns, where PostgreSQL adds it too.
const ROLLUP: &str = "account_id UUID NOT NULL,
     resolution_s INTEGER NOT NULL CHECK (resolution_s IN (60, 900, 3600, 86400)),
     detail SMALLINT NOT NULL CHECK (detail IN (0, 1)),
     starts_at_s BIGINT NOT NULL CHECK (starts_at_s % resolution_s = 0),
     is_test BOOLEAN NOT NULL,
     country TEXT NOT NULL,
     carrier_id UUID NOT NULL,
     route_id UUID NOT NULL,
     sender TEXT NOT NULL,
     class SMALLINT NOT NULL CHECK (class BETWEEN 0 AND 2),
     currency TEXT NOT NULL CHECK (length(currency) = 3),
     purse SMALLINT NOT NULL CHECK (purse BETWEEN 0 AND 2),
     error_code TEXT NOT NULL,
     accepted BIGINT NOT NULL,
     sent BIGINT NOT NULL,
     delivered BIGINT NOT NULL,
     undelivered BIGINT NOT NULL,
     failed BIGINT NOT NULL,
     expired BIGINT NOT NULL,
     rejected BIGINT NOT NULL,
     canceled BIGINT NOT NULL,
     suppressed BIGINT NOT NULL,
     unknown BIGINT NOT NULL,
     parts BIGINT NOT NULL,
     cost_micros BIGINT NOT NULL,
     to_sent BYTEA,
     to_delivered BYTEA,
     campaign_id UUID NOT NULL,
     PRIMARY KEY (account_id, resolution_s, detail, starts_at_s, is_test, country, carrier_id,
         route_id, sender, class, currency, purse, campaign_id, error_code)";
