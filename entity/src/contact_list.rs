//! Lists of contacts.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, ListId};
use crate::time::UnixMillis;

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_list")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ListId,
    /// Unique among those that are not deleted.
    pub name: String,
    /// When it was deleted; its members are removed in the background.
    pub deleted_at_ms: Option<UnixMillis>,
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
