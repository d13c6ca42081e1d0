//! Parts of longer messages from phones, while their messages are being joined.

use sea_orm::entity::prelude::*;

use crate::ids::CarrierId;
use crate::time::UnixMillis;

/// A part of a longer message from a phone.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_part")]
pub struct Model {
    /// The same for the parts of one message; ascends with the time of the first of them.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_key: Uuid,
    /// Which part, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i16,
    /// Through this carrier.
    pub carrier_id: CarrierId,
    /// The phone, as the carrier wrote it.
    pub sender: String,
    /// Our number, as the carrier wrote it.
    pub recipient: String,
    /// The same for the parts of one message, and for others later: the phone chose it.
    pub reference: i32,
    /// How many parts the message has.
    pub total: i16,
    /// UTF-8 text.
    pub body: Vec<u8>,
    /// Whether the message is whole, and the part kept only to know it when it comes again.
    pub is_joined: bool,
    /// When it came.
    pub received_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("inbound_part row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
