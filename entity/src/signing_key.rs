//! Keys that sign access tokens.

use sea_orm::entity::prelude::*;

use crate::time::UnixMillis;

/// An Ed25519 key.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// Named in tokens and in the JWKS.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    /// PKCS #8, sealed under the master key.
    pub sealed_private: Vec<u8>,
    /// 32 bytes.
    pub public_key: Vec<u8>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// Signs no more; verifies until its last token is over.
    pub retired_at_ms: Option<UnixMillis>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("signing_key row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
