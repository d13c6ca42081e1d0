//! The inbox: what processors told, as facts. There is no column for a body.

use sea_orm::entity::prelude::*;

use crate::enums::WebhookState;
use crate::ids::{ProcessorId, WebhookEventId};
use crate::time::UnixMillis;

/// An event of a processor's.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_event")]
pub struct Model {
    /// Its id here.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookEventId,
    /// Where it came in.
    pub endpoint_id: ProcessorId,
    /// The processor's id of it; with the endpoint unique.
    pub event_id: String,
    /// A keyed hash of the body; none for what was read from the processor's API.
    pub body_mac: Option<Vec<u8>>,
    /// The processor's name of what happened, of a closed list; `unknown`.
    pub event_type: String,
    /// JSON of what it proves: ids, amounts, choices and times.
    pub facts: String,
    /// Where it stands.
    pub state: WebhookState,
    /// How often folding it failed.
    pub attempts: i32,
    /// When it is folded next.
    pub next_at_ms: UnixMillis,
    /// Why it is parked or dead.
    pub reason: Option<String>,
    /// When the processor made it, if it says so.
    pub occurred_at_ms: Option<UnixMillis>,
    /// When it came in.
    pub received_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
