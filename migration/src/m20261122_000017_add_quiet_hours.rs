//! What campaigns and messages need for quiet hours.

use sea_orm_migration::prelude::*;

use crate::ddl::add_column;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            add_column(manager, table, column).await?;
        }
        Ok(())
    }
}

const COLUMNS: &[(&str, &str)] = &[("message", "valid_until_ms BIGINT")];
