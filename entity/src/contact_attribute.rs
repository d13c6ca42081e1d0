//! What an account keeps of its contacts: the definitions.

use sea_orm::entity::prelude::*;

use crate::enums::AttributeKind;
use crate::ids::{AccountId, AttributeId};
use crate::time::UnixMillis;

/// A defined attribute.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_attribute")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttributeId,
    /// Its name, unique among those that are not deleted; never changed.
    pub key: String,
    /// What its values are.
    pub kind: AttributeKind,
    /// When it was deleted; its values are removed in the background.
    pub deleted_at_ms: Option<UnixMillis>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
