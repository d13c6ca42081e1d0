//! Which node runs which carrier.

use sea_orm::entity::prelude::*;

use crate::ids::{CarrierId, NodeId};
use crate::time::UnixMillis;

/// The right to hand messages to a carrier.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "carrier_lease")]
pub struct Model {
    /// The carrier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub carrier_id: CarrierId,
    /// The node that holds it.
    pub node_id: NodeId,
    /// Grows with each new holder; rows claimed under a lower one were left behind by a crash.
    pub token: i64,
    /// Another node may take it after this.
    pub expires_at_ms: UnixMillis,
    /// Links that the holder has up, for display.
    pub bound_links: i32,
    /// The rate that the carrier allows itself now, in parts in 1,000 s; none while no link is up or
    /// no limit is known.
    #[sea_orm(column_name = "rate_parts_per_1000_s")]
    pub rate_parts_per_1000_s: Option<i64>,
    /// When the holder last wrote.
    pub seen_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
