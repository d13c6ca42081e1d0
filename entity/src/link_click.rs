//! Clicks on short links.

use sea_orm::entity::prelude::*;

use crate::enums::{AgentFamily, ClickKind};
use crate::ids::{AccountId, LinkClickId, MessageId};
use crate::time::UnixMillis;

/// Somebody, or something, followed a short link. Never changed, removed when it is old enough. Neither
/// an address nor a user agent is kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "link_click")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id; ids ascend in the order of clicks.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LinkClickId,
    /// The number of the short link.
    pub number: i64,
    /// The message that the link stood in.
    pub message_id: MessageId,
    /// Who followed it.
    pub kind: ClickKind,
    /// With what.
    pub agent: AgentFamily,
    /// The first click of a person on any link of the message.
    pub is_first: bool,
    /// When.
    pub occurred_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
