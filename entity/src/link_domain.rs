//! Hosts of accounts' own, for their short links.

use sea_orm::entity::prelude::*;

use crate::enums::LinkDomainStatus;
use crate::ids::{AccountId, LinkDomainId};
use crate::time::UnixMillis;

/// A host that an account's short links may begin with.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "link_domain")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LinkDomainId,
    /// The host: A-labels in lower case, without a port.
    pub host: String,
    /// Whether the account proved that it is its own: one account at a time has.
    pub status: LinkDomainStatus,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it was proved.
    pub verified_at_ms: Option<UnixMillis>,
    /// When the proof was last looked for.
    pub last_checked_at_ms: Option<UnixMillis>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
