//! One-time links, by keyed hash.

use sea_orm::entity::prelude::*;

use crate::enums::LinkPurpose;
use crate::ids::AccountId;
use crate::time::UnixMillis;

/// A link that may be used once.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_link")]
pub struct Model {
    /// HMAC-SHA256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// What it allows.
    pub purpose: LinkPurpose,
    /// Where.
    pub account_id: AccountId,
    /// Who may use it; absent: whoever has it, naming an address.
    pub email: Option<String>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// Useless after this.
    pub expires_at_ms: UnixMillis,
    /// Set by the use.
    pub used_at_ms: Option<UnixMillis>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one_time_link row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
