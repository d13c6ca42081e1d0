//! Saved conditions on contacts.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, SegmentId};
use crate::time::UnixMillis;

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentId,
    /// Unique in the account.
    pub name: String,
    /// The condition, as JSON of `contacts::Condition`.
    pub condition: String,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
