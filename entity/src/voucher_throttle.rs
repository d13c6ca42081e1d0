//! Wrong voucher codes, by account.

use sea_orm::entity::prelude::*;

use crate::ids::AccountId;
use crate::time::UnixMillis;

/// The wrong codes of an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "voucher_throttle")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// In a row.
    pub failures: i32,
    /// The next try is answered from this time on.
    pub allowed_at_ms: UnixMillis,
    /// Forgotten a day after this.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
