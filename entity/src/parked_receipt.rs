//! Receipts that came before the message was known by that id.

use sea_orm::entity::prelude::*;

use crate::ids::CarrierId;
use crate::time::UnixMillis;

/// A receipt that matches nothing yet.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "parked_receipt")]
pub struct Model {
    /// From this carrier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub carrier_id: CarrierId,
    /// The id as the carrier wrote it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub carrier_message_id: String,
    /// Tells receipts of one id apart, in order of arrival.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// SMPP message_state.
    pub state: i16,
    /// Which list `error_number` is from.
    pub error_kind: Option<i16>,
    /// The carrier's error.
    pub error_number: Option<i64>,
    /// Kept for 72 hours from here.
    pub received_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
