//! Senders that accounts registered.

use sea_orm::entity::prelude::*;

use crate::enums::{SenderKind, SenderStatus};
use crate::ids::{AccountId, SenderId};
use crate::time::UnixMillis;

/// A sender of an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sender")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SenderId,
    /// Name, number or short code, normalized.
    pub value: String,
    /// Which of these.
    pub kind: SenderKind,
    /// The operator's decision.
    pub status: SenderStatus,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
