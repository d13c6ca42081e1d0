//! How far an account's event log was folded into its roll-ups.

use sea_orm::entity::prelude::*;

use crate::ids::AccountId;

/// A place in a log. What follows it must not be purged.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollup_cursor")]
pub struct Model {
    /// Whose log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The last event that was folded.
    pub seq: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
