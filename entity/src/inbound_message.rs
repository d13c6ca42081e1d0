//! Messages that arrived from phones.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, CarrierId, InboundMessageId};
use crate::time::UnixMillis;

/// A message from a phone, or one part of it.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_message")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InboundMessageId,
    /// The account that owns the number it was sent to, if one does.
    pub account_id: Option<AccountId>,
    /// Through this carrier.
    pub carrier_id: CarrierId,
    /// The phone, as the carrier wrote it.
    pub sender: String,
    /// Our number, as the carrier wrote it.
    pub recipient: String,
    /// UTF-8 text.
    pub body: Vec<u8>,
    /// Same for the parts of one message.
    pub concat_reference: Option<i32>,
    /// How many parts.
    pub concat_total: Option<i16>,
    /// Which part, from 1.
    pub concat_number: Option<i16>,
    /// When it came.
    pub received_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("inbound_message row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
