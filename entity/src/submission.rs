//! What became of each part, where the message row alone cannot tell: messages of several parts, and attempts that were followed by another.

use sea_orm::entity::prelude::*;

use crate::enums::PartState;
use crate::ids::{AccountId, CarrierId, MessageId};
use crate::time::UnixMillis;

/// One part of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "submission")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of this message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// From 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i16,
    /// From 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub part: i16,
    /// Through this carrier.
    pub carrier_id: CarrierId,
    /// The carrier's id, if it took the part.
    pub carrier_message_id: Option<String>,
    /// How it stands.
    pub state: PartState,
    /// What went wrong.
    pub error_code: Option<String>,
    /// When the attempt began.
    pub submitted_at_ms: UnixMillis,
    /// When it took its state.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
