//! What is known of a contact: the values of attributes.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, AttributeId, ContactId};

/// A value.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_value")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of whom.
    #[sea_orm(primary_key, auto_increment = false)]
    pub contact_id: ContactId,
    /// Of which attribute.
    #[sea_orm(primary_key, auto_increment = false)]
    pub attribute_id: AttributeId,
    /// The value of a text.
    pub text_value: Option<String>,
    /// The value of another kind: a number in millionths, a truth value as 0 or 1, a day since 1970-01-01.
    pub number_value: Option<i64>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("contact_value row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
