//! People that an account writes to.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, ContactId};
use crate::time::UnixMillis;

/// A person of an account's audience.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContactId,
    /// E.164 with the plus sign, unique in the account.
    pub number: String,
    /// The keyed hash of the number, by which consent and suppressions know it.
    pub number_mac: Vec<u8>,
    /// The number's country, two letters (ISO 3166-1); empty where the plan names none.
    pub country: String,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("contact row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
