//! Messages that arrived from phones.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, CarrierId, InboundMessageId};
use crate::time::UnixMillis;

/// A message from a phone.
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
    /// How many parts the phone sent.
    pub parts: i16,
    /// How many of them came.
    pub parts_received: i16,
    /// When the last part came, or the others were given up.
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
