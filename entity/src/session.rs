//! Log-ins: one row a device, a family of refresh tokens.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, PersonId, SessionId};
use crate::time::UnixMillis;

/// A log-in.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Its id; `sid` in access tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Who.
    pub person_id: PersonId,
    /// Acting in which account.
    pub account_id: AccountId,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// Last refresh.
    pub last_used_at_ms: UnixMillis,
    /// It cannot be refreshed after this.
    pub expires_at_ms: UnixMillis,
    /// Logged out, or a token was used twice.
    pub revoked_at_ms: Option<UnixMillis>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
