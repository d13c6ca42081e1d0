//! Redeeming a voucher.

use entity::enums::{BookKind, TransferCode};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use entity::{voucher, voucher_batch};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Statement};

use super::code::VoucherCode;
use super::throttle;
use crate::authz::{Action, Actor};
use crate::billing::commands::settle_terms;
use crate::billing::ledger::post;
use crate::billing::model::{Journal, NewTransfer};
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, Failed, violated_constraint};
use crate::types::money::{Currency, Micros};

/// Characters of an idempotency key.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

/// What a voucher gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// How much.
    pub amount: Micros,
    /// Of what.
    pub currency: Currency,
    /// Whether this is the answer to an earlier call with the same key.
    pub replayed: bool,
}

/// Why a voucher was not redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeemRejection {
    /// Empty, too long, or with control characters.
    #[error(
        "an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters, none of them a control character"
    )]
    InvalidIdempotencyKey,
    /// The account redeemed another voucher under the key.
    #[error("this idempotency key was used for another voucher")]
    IdempotencyKeyReused,
    /// It cannot be a code.
    #[error("this is no voucher's code: look for a mistyped character")]
    InvalidCode,
    /// There is none with this code.
    #[error("there is no voucher with this code")]
    NotFound,
    /// Somebody has redeemed it.
    #[error("this voucher has been redeemed")]
    AlreadyRedeemed,
    /// Its time is over.
    #[error("this voucher has expired")]
    Expired,
    /// The account is charged in another currency.
    #[error("this voucher is in another currency than the account")]
    OtherCurrency,
}

type Outcome = Result<Redeemed, Error<RedeemRejection>>;

/// Gives the caller's account what a voucher is worth, once. The same account gets the same answer
/// for the same key and code again; everybody else hears that it has been redeemed.
///
/// # Errors
/// [`RedeemRejection`]; [`Failed::RateLimited`] after too many wrong codes; or a failure.
pub async fn redeem(ctx: &Ctx, code: &str, key: &str) -> Outcome {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let chars = key.chars().count();
    if !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&chars) || key.chars().any(char::is_control) {
        return Err(Error::Rejected(RedeemRejection::InvalidIdempotencyKey));
    }
    let code: VoucherCode =
        code.parse().map_err(|_| Error::Rejected(RedeemRejection::InvalidCode))?;
    // A voucher is nobody's until it is redeemed: it is looked for across all accounts.
    let ctx = &ctx.acting_as(Actor::System);
    let wish = &Try { account_id, key, code_hash: code.hash(&ctx.master_key) };
    if let Some(earlier) = earlier(ctx, wish).await? {
        return Ok(earlier);
    }
    throttle::begin(ctx, account_id).await?;
    let outcome = ctx.db.write(|tx| async move { write(ctx, &tx, wish).await }).await;
    match outcome {
        // Another call with the key was faster.
        Err(error) if is_key_taken(&error) => earlier(ctx, wish).await?.ok_or(error),
        outcome => outcome,
    }
}

/// A wish to redeem.
struct Try<'a> {
    account_id: AccountId,
    key: &'a str,
    code_hash: [u8; 32],
}

/// What the account redeemed under the key before; none if nothing.
async fn earlier(ctx: &Ctx, wish: &Try<'_>) -> Result<Option<Redeemed>, Error<RedeemRejection>> {
    let reader = ctx.db.reader();
    let found = voucher::Entity::find()
        .filter(voucher::Column::AccountId.eq(wish.account_id))
        .filter(voucher::Column::IdempotencyKey.eq(wish.key))
        .one(reader)
        .await?;
    let Some(found) = found else { return Ok(None) };
    if found.code_hash != wish.code_hash {
        return Err(Error::Rejected(RedeemRejection::IdempotencyKeyReused));
    }
    let batch = voucher_batch::Entity::find_by_id(found.batch_id).one(reader).await?;
    Ok(Some(Redeemed { replayed: true, ..worth(&batch.ok_or_else(no_batch)?)? }))
}

async fn write(ctx: &Ctx, tx: &Tx, wish: &Try<'_>) -> Outcome {
    let rejected = |rejection| Err(Error::Rejected(rejection));
    let found = voucher::Entity::find_by_id(wish.code_hash.to_vec()).one(&**tx).await?;
    let Some(found) = found else { return rejected(RedeemRejection::NotFound) };
    let batch = voucher_batch::Entity::find_by_id(found.batch_id).one(&**tx).await?;
    let batch = batch.ok_or_else(no_batch)?;
    let worth = worth(&batch)?;
    let now = ctx.clock.now();
    if found.account_id.is_none() && batch.expires_at_ms <= now {
        return rejected(RedeemRejection::Expired);
    }
    let currency = settle_terms(ctx, tx, wish.account_id, None, None).await;
    if currency.map_err(|error| Failed::internal(error.to_string()))? != worth.currency {
        return rejected(RedeemRejection::OtherCurrency);
    }
    if !take(tx, wish, now).await? {
        let taken = voucher::Entity::find_by_id(wish.code_hash.to_vec()).one(&**tx).await?;
        let is_ours = taken.is_some_and(|taken| {
            taken.account_id == Some(wish.account_id)
                && taken.idempotency_key.as_deref() == Some(wish.key)
        });
        return match is_ours {
            true => Ok(Redeemed { replayed: true, ..worth }),
            false => rejected(RedeemRejection::AlreadyRedeemed),
        };
    }
    let journal = Journal::of_money(wish.account_id, worth.currency);
    let (from, to) = (BookKind::Promotion, BookKind::Customer);
    let transfer = NewTransfer::between(journal, TransferCode::Voucher, from, to, worth.amount)
        .at(now)
        .about(batch.id.0);
    match post(tx, &ctx.master_key, now, vec![transfer]).await {
        Ok(_) => {}
        Err(Error::Failed(failed)) => return Err(failed.into()),
        Err(Error::Rejected(fault)) => return Err(Failed::internal(fault).into()),
    }
    throttle::forget(tx, wish.account_id).await?;
    Ok(worth)
}

/// Takes the voucher, if nobody has: one statement, which is the lock and the check.
async fn take(tx: &Tx, wish: &Try<'_>, now: UnixMillis) -> Result<bool, DbErr> {
    let sql = "UPDATE voucher SET account_id = $1, idempotency_key = $2, redeemed_at_ms = $3 \
        WHERE code_hash = $4 AND account_id IS NULL";
    let values =
        [wish.account_id.0.into(), wish.key.into(), now.0.into(), wish.code_hash.to_vec().into()];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() == 1)
}

fn worth(batch: &voucher_batch::Model) -> Result<Redeemed, Failed> {
    let currency = batch.currency.parse().map_err(Failed::internal)?;
    Ok(Redeemed { amount: Micros(batch.amount_micros), currency, replayed: false })
}

fn no_batch() -> Failed {
    Failed::internal("a voucher without its batch")
}

fn is_key_taken(error: &Error<RedeemRejection>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("voucher_redemption") || constraint.contains("voucher.account_id")
    })
}
