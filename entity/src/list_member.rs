//! Who is on a list.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, ContactId, ListId};
use crate::time::UnixMillis;

/// A contact on a list.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "list_member")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// On which list.
    #[sea_orm(primary_key, auto_increment = false)]
    pub list_id: ListId,
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub contact_id: ContactId,
    /// Since when.
    pub added_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
