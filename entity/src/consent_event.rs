//! What people agreed to and objected to, with the proof. Append-only.

use sea_orm::entity::prelude::*;

use crate::enums::{ConsentKind, ConsentSource, SuppressionScope};
use crate::ids::{AccountId, ConsentEventId, InboundMessageId};
use crate::time::UnixMillis;

/// One statement of a person, or a decision of the account.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent_event")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id; ids ascend in the order of recording.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConsentEventId,
    /// The keyed hash of the number.
    pub number_mac: Vec<u8>,
    /// What was said.
    pub kind: ConsentKind,
    /// What it reaches.
    pub scope: SuppressionScope,
    /// Which sender or topic; empty for the whole account.
    pub scope_value: String,
    /// How it came.
    pub source: ConsentSource,
    /// What the person was shown or wrote; empty where nothing was.
    pub wording: String,
    /// The address that it came from.
    pub ip: Option<String>,
    /// The message that said it.
    pub inbound_message_id: Option<InboundMessageId>,
    /// When it was said.
    pub occurred_at_ms: UnixMillis,
    /// When the row was made.
    pub recorded_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("consent_event row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
