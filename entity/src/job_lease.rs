//! Which node does which periodic work.

use sea_orm::entity::prelude::*;

use crate::ids::NodeId;
use crate::time::UnixMillis;

/// The right to run a periodic job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_lease")]
pub struct Model {
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The node that holds it.
    pub node_id: NodeId,
    /// Another node may take it after this.
    pub expires_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
