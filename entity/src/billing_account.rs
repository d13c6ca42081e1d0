//! How an account pays. An account without a row has the defaults.

use sea_orm::entity::prelude::*;

use crate::enums::BillingTerms;
use crate::ids::{AccountId, RateCardId};
use crate::time::UnixMillis;

/// An account's terms.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_account")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// What it is charged in; fixed by the first transfer.
    pub currency: String,
    /// When it pays.
    pub terms: BillingTerms,
    /// Its prices; none: the default card of the currency.
    pub rate_card_id: Option<RateCardId>,
    /// Since when it may not send, for invoices that were not paid; none: it may.
    pub suspended_at_ms: Option<UnixMillis>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
    /// When the last of its packages expires; none: it never had one.
    pub packages_until_ms: Option<UnixMillis>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
