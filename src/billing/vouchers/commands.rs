//! Making vouchers.

use entity::ids::VoucherBatchId;
use entity::time::UnixMillis;
use entity::voucher_batch::{Entity, Model};
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};

use super::BATCH_MAX;
use super::code::VoucherCode;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::error::Error;
use crate::types::money::{Currency, Micros};
use crate::types::secret::SecretText;

/// The most that a voucher is worth, in micro-units: what one mistake may cost.
const AMOUNT_MAX: Micros = Micros(100_000_000 * 1_000_000);
/// How far ahead a voucher may expire: 10 years, in milliseconds.
const EXPIRY_MAX_MS: i64 = 10 * 366 * 24 * 3_600_000;

/// Vouchers to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewVouchers {
    /// 1 to 1,000.
    pub count: i32,
    /// What each is worth.
    pub amount: Micros,
    /// In what.
    pub currency: Currency,
    /// From when on they are worth nothing.
    pub expires_at: UnixMillis,
}

/// New vouchers with their codes, which nobody can read again.
#[derive(Debug)]
pub struct VouchersMade {
    /// The batch.
    pub batch_id: VoucherBatchId,
    /// One a voucher.
    pub codes: Vec<SecretText>,
}

/// Why no vouchers were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateVouchersRejection {
    /// None, or more than [`BATCH_MAX`].
    #[error("1 to {BATCH_MAX} vouchers are made at once")]
    InvalidCount,
    /// Zero, negative, or more than a hundred million.
    #[error("a voucher is worth more than nothing and at most a hundred million")]
    InvalidAmount,
    /// Past, or more than 10 years ahead.
    #[error("vouchers expire in the future, at most 10 years ahead")]
    InvalidExpiry,
}

/// Makes vouchers. Not idempotent: each call makes others.
///
/// # Errors
/// [`CreateVouchersRejection`], or a failure.
pub async fn create(
    ctx: &Ctx,
    new: NewVouchers,
) -> Result<VouchersMade, Error<CreateVouchersRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let now = ctx.clock.now();
    let count = checked(&new, now).map_err(Error::Rejected)?;
    let codes: Vec<_> = (0..count).map(|_| VoucherCode::draw(&ctx.randomness)).collect();
    let batch = Model {
        id: ctx.ids.next(),
        currency: new.currency.as_str().to_owned(),
        amount_micros: new.amount.0,
        voucher_count: new.count,
        expires_at_ms: new.expires_at,
        created_at_ms: now,
    };
    let (batch, hashes) = (&batch, &codes.iter().map(|code| code.hash(&ctx.master_key)).collect());
    ctx.db.write(|tx| async move { insert(&tx, batch, hashes).await }).await?;
    let codes = codes.iter().map(VoucherCode::to_text).collect();
    Ok(VouchersMade { batch_id: batch.id, codes })
}

fn checked(new: &NewVouchers, now: UnixMillis) -> Result<usize, CreateVouchersRejection> {
    if new.amount <= Micros::ZERO || new.amount > AMOUNT_MAX {
        return Err(CreateVouchersRejection::InvalidAmount);
    }
    if !(1..=EXPIRY_MAX_MS).contains(&new.expires_at.since(now)) {
        return Err(CreateVouchersRejection::InvalidExpiry);
    }
    let count = usize::try_from(new.count).ok().filter(|count| (1..=BATCH_MAX).contains(count));
    count.ok_or(CreateVouchersRejection::InvalidCount)
}

const VOUCHER_COLUMNS: &[BulkColumn] = &[BulkColumn::new("code_hash", BulkType::Bytes)];

async fn insert(tx: &Tx, batch: &Model, hashes: &Vec<[u8; 32]>) -> Result<(), DbErr> {
    Entity::insert(batch.clone().into_active_model()).exec_without_returning(&**tx).await?;
    let mut rows = Bulk::new(VOUCHER_COLUMNS);
    for hash in hashes {
        rows.push([hash.to_vec().into()]);
    }
    let sql = "INSERT INTO voucher (code_hash, batch_id) SELECT code_hash, {1} FROM rows";
    rows.execute(tx, sql, vec![batch.id.0.into()]).await?;
    Ok(())
}
