//! API keys, by keyed hash.

use sea_orm::entity::prelude::*;

use crate::enums::KeyMode;
use crate::ids::{AccountId, ApiKeyId, PersonId};
use crate::time::UnixMillis;

/// An API key.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// Acts for this account.
    pub account_id: AccountId,
    /// As shown.
    pub name: String,
    /// The first characters of the key, unique, shown so that people tell keys apart.
    pub lookup: String,
    /// HMAC-SHA256 of the whole key.
    pub hash: Vec<u8>,
    /// Live or test.
    pub mode: KeyMode,
    /// Names of scopes, sorted, one space between.
    pub scopes: String,
    /// The person; none if made on the command line.
    pub created_by: Option<PersonId>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// Refused after this.
    pub expires_at_ms: Option<UnixMillis>,
    /// Refused since.
    pub revoked_at_ms: Option<UnixMillis>,
    /// To the minute.
    pub last_used_at_ms: Option<UnixMillis>,
    /// The key that this one replaces.
    pub rotated_from: Option<ApiKeyId>,
    /// Grows by one with every change.
    pub version: i32,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("api_key row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
