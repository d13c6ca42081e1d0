//! Means of payment that processors keep for accounts.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, PaymentMethodId, ProcessorId};
use crate::time::UnixMillis;

/// A kept means of payment: the processor's ids of it and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_method")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentMethodId,
    /// Who keeps it.
    pub endpoint_id: ProcessorId,
    /// The processor's id of the payer.
    pub customer_id: String,
    /// The processor's id of it; with the endpoint unique.
    pub method_id: String,
    /// When it was kept.
    pub added_at_ms: UnixMillis,
    /// Since when it may not be charged any more.
    pub removed_at_ms: Option<UnixMillis>,
    /// When the processor was told so, or told us.
    pub detached_at_ms: Option<UnixMillis>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
