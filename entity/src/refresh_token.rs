//! Refresh tokens, by keyed hash.

use sea_orm::entity::prelude::*;

use crate::ids::SessionId;
use crate::time::UnixMillis;

/// A refresh token: good for one use.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// HMAC-SHA256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// The log-in it belongs to.
    pub session_id: SessionId,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// Set by the use; a second use revokes the session.
    pub used_at_ms: Option<UnixMillis>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refresh_token row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
