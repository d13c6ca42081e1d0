//! Accounts: the tenants and the operator.

use sea_orm::entity::prelude::*;

use crate::enums::{AccountKind, AccountStatus};
use crate::ids::AccountId;
use crate::time::UnixMillis;

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// As shown.
    pub name: String,
    /// Customer or operator.
    pub kind: AccountKind,
    /// Whether it may act.
    pub status: AccountStatus,
    /// ISO 3166-1 alpha-2; numbers without a country code are read as of this region.
    pub default_region: Option<String>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
