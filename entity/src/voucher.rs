//! Vouchers, by keyed hash of their codes, and who redeemed them.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, VoucherBatchId};
use crate::time::UnixMillis;

/// A voucher.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "voucher")]
pub struct Model {
    /// HMAC-SHA256 of the code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code_hash: Vec<u8>,
    /// Which batch it is of.
    pub batch_id: VoucherBatchId,
    /// Who redeemed it; none: nobody yet.
    pub account_id: Option<AccountId>,
    /// Under which key, unique in the account.
    pub idempotency_key: Option<String>,
    /// When.
    pub redeemed_at_ms: Option<UnixMillis>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds a secret's hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("voucher row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
