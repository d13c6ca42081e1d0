//! Packages that accounts have: what is left of them, and until when.

use sea_orm::entity::prelude::*;

use crate::enums::{PackageKind, PackageSource, PackageState};
use crate::ids::{AccountId, GrantedPackageId, PackageId};
use crate::time::UnixMillis;

/// A package of an account's. What it holds, pays for and costs is what the offer said when it was
/// granted. Its row is written under the lock of the wallet of its purse.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "granted_package")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id; ids ascend in the order of granting.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantedPackageId,
    /// Of which offer.
    pub package_id: PackageId,
    /// Where it came from.
    pub source: PackageSource,
    /// Unique for the source in the account.
    pub idempotency_key: String,
    /// What it holds.
    pub kind: PackageKind,
    /// ISO 4217: what it was paid in, and credit is in.
    pub currency: String,
    /// What it held when it was granted; a part is a whole unit.
    pub amount_micros: i64,
    /// What the ledger says that is left of it.
    pub balance_micros: i64,
    /// Of that, promised to messages that no carrier took yet.
    pub held_micros: i64,
    /// What was paid for it.
    pub price_micros: i64,
    /// What of that was given back.
    pub refunded_micros: i64,
    /// What the numbers that it pays for begin with: digits, separated by blanks; empty: all.
    pub prefixes: String,
    /// The classes that it pays for: a bit each, by their stored numbers.
    pub classes: i16,
    /// Where it stands.
    pub state: PackageState,
    /// From when on it pays for nothing.
    pub expires_at_ms: UnixMillis,
    /// When it ceased to be active.
    pub closed_at_ms: Option<UnixMillis>,
    /// When it was granted.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
