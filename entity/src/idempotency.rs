//! Idempotency keys and what they led to.

use sea_orm::entity::prelude::*;

use crate::ids::AccountId;
use crate::time::UnixMillis;

/// One use of a key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The mutation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation: String,
    /// As given.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// HMAC-SHA256 of the input.
    pub input_mac: Vec<u8>,
    /// JSON: what is needed to answer the same again.
    pub result: String,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
