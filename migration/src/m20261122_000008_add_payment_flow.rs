//! How payments are started.

use sea_orm_migration::prelude::*;

use crate::ddl::add_column;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "payment", FLOW).await
    }
}

/// Before it there was the hosted page alone.
const FLOW: &str = "flow SMALLINT NOT NULL DEFAULT 0 CHECK (flow BETWEEN 0 AND 3)";
