//! Addresses that payment processors post to.

use sea_orm::entity::prelude::*;

use crate::enums::ProcessorKind;
use crate::ids::ProcessorId;
use crate::time::UnixMillis;

/// An address with the secrets of what is posted there.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "processor_endpoint")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProcessorId,
    /// Whose processor.
    pub kind: ProcessorKind,
    /// The last part of the path; cannot be guessed.
    pub path_key: String,
    /// What webhooks are signed with, sealed under the master key.
    pub sealed_secret: Vec<u8>,
    /// The secret before it, for as long as both are taken.
    pub sealed_other_secret: Option<Vec<u8>>,
    /// What the processor's API is called with, sealed; none: it is not called.
    pub sealed_api_key: Option<Vec<u8>>,
    /// Where the API is; none: where the processor says.
    pub base_url: Option<String>,
    /// Whether webhooks are taken and payments started.
    pub enabled: bool,
    /// Until when the processor's own list of events was read.
    pub swept_until_ms: UnixMillis,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
    /// The last day, since 1970-01-01, that was reported on.
    pub reconciled_day: Option<i32>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("processor endpoint row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
