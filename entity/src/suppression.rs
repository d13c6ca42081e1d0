//! Numbers that must not be written to.

use sea_orm::entity::prelude::*;

use crate::enums::{SuppressionReason, SuppressionScope};
use crate::ids::{AccountId, SuppressionId};
use crate::time::UnixMillis;

/// A number that is not written to, in one scope.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The keyed hash of the number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number_mac: Vec<u8>,
    /// What it reaches.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: SuppressionScope,
    /// Which sender or topic; empty for the whole account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope_value: String,
    /// Its id.
    pub id: SuppressionId,
    /// The number's last two digits, for people to tell rows apart.
    pub last_digits: String,
    /// Why.
    pub reason: SuppressionReason,
    /// The account's own words on it.
    pub note: Option<String>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("suppression row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
