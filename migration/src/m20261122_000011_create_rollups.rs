//! Roll-ups: what became of messages, added up by time and kind.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::ddl::{RowsOf, create_table, run_on_postgres, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        let uuid = match manager.get_database_backend() {
            DbBackend::Sqlite => "BLOB",
            _ => "UUID",
        };
        let add_route = format!("ALTER TABLE message ADD COLUMN route_id {uuid}");
        manager.get_connection().execute_unprepared(&add_route).await?;
        // Rows of the running minute, hour and day are rewritten each second: room in their pages
        // keeps that from touching the index.
        run_on_postgres(manager, "ALTER TABLE rollup SET (fillfactor = 50)").await?;
        run_on_postgres(manager, "ALTER TABLE rollup_cursor SET (fillfactor = 20)").await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

const WALLS: &[(&str, RowsOf)] =
    &[("rollup", RowsOf::Account("account_id")), ("rollup_cursor", RowsOf::Account("account_id"))];

// The counts have no CHECK against negative ones: PostgreSQL checks the row that an upsert proposes,
// which takes away what a late receipt corrects, before it meets the row that has it.
const TABLES: &[(&str, &str)] = &[
    (
        "rollup",
        "account_id UUID NOT NULL,
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
         PRIMARY KEY (account_id, resolution_s, detail, starts_at_s, is_test, country, carrier_id,
             route_id, sender, class, currency, purse, error_code)",
    ),
    (
        "rollup_cursor",
        "account_id UUID NOT NULL PRIMARY KEY,
         seq BIGINT NOT NULL CHECK (seq >= 0)",
    ),
];
