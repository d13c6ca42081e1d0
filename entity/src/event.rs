//! The event log: append-only, dense per account.

use sea_orm::entity::prelude::*;

use crate::enums::EventKind;
use crate::ids::AccountId;
use crate::time::UnixMillis;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Whose log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// 1, 2, 3 … without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// What it tells.
    pub kind: EventKind,
    /// The message or inbound message; of what a person did, the message that it answers.
    pub subject_id: Uuid,
    /// The status taken (`MessageStatus`), or 0.
    pub status: i16,
    /// The subject's version after it.
    pub version: i32,
    /// What went wrong.
    pub error_code: Option<String>,
    /// When.
    pub occurred_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
