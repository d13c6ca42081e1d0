//! Tags of contacts.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, ContactId};

/// A tag of a contact.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_tag")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of whom.
    #[sea_orm(primary_key, auto_increment = false)]
    pub contact_id: ContactId,
    /// The tag.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tag: String,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
