//! Campaigns, their frozen recipients and what became of their messages.

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
        add_column(manager, "message", "campaign_id UUID").await?;
        add_column(manager, "message", "contact_id UUID").await?;
        run(manager, INDEXES).await?;
        // Rows of running campaigns are rewritten many times: room in their pages keeps that from
        // touching the indexes.
        run_on_postgres(manager, "ALTER TABLE campaign SET (fillfactor = 50)").await?;
        run_on_postgres(manager, "ALTER TABLE campaign_total SET (fillfactor = 50)").await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are.
const WALLS: &[(&str, RowsOf)] = &[
    ("campaign", RowsOf::Account("account_id")),
    ("campaign_recipient", RowsOf::Account("account_id")),
    ("campaign_total", RowsOf::Account("account_id")),
];

// Recipients have no foreign key to their campaign: the check would cost each of a million rows more
// than writing it. They are written with the campaign's row locked.
const TABLES: &[(&str, &str)] = &[
    (
        "campaign",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
         sender TEXT NOT NULL,
         class SMALLINT NOT NULL CHECK (class IN (1, 2)),
         topic TEXT CHECK (length(topic) BETWEEN 1 AND 50),
         template TEXT NOT NULL CHECK (length(template) BETWEEN 1 AND 3000),
         audience TEXT NOT NULL,
         condition TEXT,
         status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 6),
         reason SMALLINT CHECK (reason BETWEEN 0 AND 8),
         is_test BOOLEAN NOT NULL,
         scheduled_at_ms BIGINT,
         rate_per_s INTEGER CHECK (rate_per_s > 0),
         frozen_after UUID,
         frozen_at_ms BIGINT,
         recipients BIGINT NOT NULL CHECK (recipients >= 0),
         expanded_after UUID,
         expanded_at_ms BIGINT,
         expanded BIGINT NOT NULL CHECK (expanded = accepted + suppressed + refused),
         accepted BIGINT NOT NULL CHECK (accepted >= 0),
         suppressed BIGINT NOT NULL CHECK (suppressed >= 0),
         refused BIGINT NOT NULL CHECK (refused >= 0),
         price_micros BIGINT NOT NULL CHECK (price_micros >= 0),
         paced_from_ms BIGINT,
         paced_after BIGINT NOT NULL,
         failed_before BIGINT NOT NULL,
         decided_before BIGINT NOT NULL,
         needs_sweep BOOLEAN NOT NULL,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         started_at_ms BIGINT,
         finished_at_ms BIGINT,
         PRIMARY KEY (account_id, id),
         CHECK (expanded <= recipients),
         CHECK ((reason IS NOT NULL) = (status IN (3, 6))),
         CHECK (status <> 1 OR scheduled_at_ms IS NOT NULL),
         CHECK (status NOT IN (2, 3) OR condition IS NOT NULL)",
    ),
    (
        "campaign_recipient",
        "account_id UUID NOT NULL,
         campaign_id UUID NOT NULL,
         contact_id UUID NOT NULL,
         refusal TEXT,
         PRIMARY KEY (account_id, campaign_id, contact_id)",
    ),
    (
        "campaign_total",
        "account_id UUID NOT NULL,
         campaign_id UUID NOT NULL,
         scheduled BIGINT NOT NULL,
         held BIGINT NOT NULL,
         queued BIGINT NOT NULL,
         sent BIGINT NOT NULL,
         enroute BIGINT NOT NULL,
         delivered BIGINT NOT NULL,
         undelivered BIGINT NOT NULL,
         expired BIGINT NOT NULL,
         rejected BIGINT NOT NULL,
         failed BIGINT NOT NULL,
         canceled BIGINT NOT NULL,
         unknown BIGINT NOT NULL,
         parts BIGINT NOT NULL,
         cost_micros BIGINT NOT NULL,
         PRIMARY KEY (account_id, campaign_id)",
    ),
];

const INDEXES: &[&str] = &[
    // What the worker has to do with: few of all campaigns at any time.
    "CREATE INDEX campaign_at_work ON campaign (account_id, id) WHERE status IN (1, 2) OR needs_sweep",
    // One message a recipient, whatever happens; messages without a campaign are not in it.
    "CREATE UNIQUE INDEX message_campaign ON message (account_id, campaign_id, contact_id) WHERE campaign_id IS NOT NULL",
];
