//! What an account wishes: below how much it is topped up, by how much, and what is charged.

use entity::automatic_top_up::{Column, Entity, Model};
use entity::enums::{AutomaticTopUpEnd, ProcessorKind};
use entity::ids::PaymentMethodId;
use entity::payment_method;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect};

use super::end;
use crate::authz::Action;
use crate::billing;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, Topic};
use crate::payments::facts::Money;
use crate::payments::start::{TOP_UP_MICROS_MAX, is_payable};
use crate::types::money::{Currency, Micros};

/// What an account wishes.
#[derive(Clone, Copy, Debug)]
pub struct NewAutomaticTopUp {
    /// Below how much available.
    pub threshold: Micros,
    /// By how much.
    pub amount: Micros,
    /// Of both: the account's currency.
    pub currency: Currency,
    /// What is charged.
    pub payment_method_id: PaymentMethodId,
}

/// Why it was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutomaticTopUpRejection {
    /// Below zero or too large.
    #[error("a threshold is zero or more, at most 999,999.99")]
    InvalidThreshold,
    /// Not above zero, too large, or finer than the processor's unit.
    #[error("an amount is above zero, at most 999,999.99 and in whole minor units")]
    InvalidAmount,
    /// The account is charged in another currency.
    #[error("the account is charged in another currency")]
    OtherCurrency,
    /// There is no such means of payment, or it was removed.
    #[error("there is no such means of payment")]
    MethodNotFound,
}

/// It was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("automatic top-up was never set")]
pub struct NotSetUp;

/// The automatic top-up of the caller's account; none if it was never set.
///
/// # Errors
/// A failure.
pub async fn automatic_top_up(ctx: &Ctx) -> Result<Option<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    Ok(Entity::find_by_id(account_id).one(ctx.db.reader()).await?)
}

/// Sets the automatic top-up of the caller's account, and lets it run again if it had ended. What is
/// pending and what was started today stay. Idempotent.
///
/// # Errors
/// [`AutomaticTopUpRejection`], or a failure.
pub async fn set_automatic_top_up(
    ctx: &Ctx,
    new: NewAutomaticTopUp,
) -> Result<Model, Error<AutomaticTopUpRejection>> {
    use AutomaticTopUpRejection as Rejection;
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    if !(0..=TOP_UP_MICROS_MAX).contains(&new.threshold.0) {
        return Err(Error::Rejected(Rejection::InvalidThreshold));
    }
    let amount = Money { currency: new.currency, amount_micros: new.amount.0 };
    // Stripe alone charges what it keeps.
    if !is_payable(amount, ProcessorKind::Stripe) {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    if billing::terms(ctx, account_id).await?.currency != new.currency {
        return Err(Error::Rejected(Rejection::OtherCurrency));
    }
    let now = ctx.clock.now();
    let set = |tx: Tx| async move {
        let method = payment_method::Entity::find_by_id((account_id, new.payment_method_id));
        // Locked, so that it is not removed meanwhile.
        let method = method.lock_exclusive().one(&*tx).await?;
        if method.is_none_or(|method| method.removed_at_ms.is_some()) {
            return Err(Error::Rejected(Rejection::MethodNotFound));
        }
        let blank = Model {
            account_id,
            payment_method_id: new.payment_method_id,
            currency: new.currency.as_str().to_owned(),
            threshold_micros: new.threshold.0,
            amount_micros: new.amount.0,
            ended: None,
            failures: 0,
            pending_payment_id: None,
            next_at_ms: now,
            day: billing::day_of(now),
            started_in_day: 0,
            version: 0,
            created_at_ms: now,
            updated_at_ms: now,
        };
        // Two may be the first at once.
        let keep = OnConflict::column(Column::AccountId).do_nothing().to_owned();
        let insert = Entity::insert(blank.clone().into_active_model()).on_conflict(keep);
        insert.exec_without_returning(&*tx).await?;
        let kept = Entity::find_by_id(account_id).lock_exclusive().one(&*tx).await?;
        let kept = kept.ok_or_else(|| Failed::internal("an automatic top-up vanished"))?;
        let row = Model {
            pending_payment_id: kept.pending_payment_id,
            day: kept.day,
            started_in_day: kept.started_in_day,
            version: kept.version + 1,
            created_at_ms: kept.created_at_ms,
            ..blank
        };
        Entity::update(row.clone().into_active_model().reset_all()).exec(&*tx).await?;
        Ok::<_, Error<Rejection>>(row)
    };
    ctx.db.write(set).await
}

/// Ends the automatic top-up of the caller's account. A payment that is pending goes on. Idempotent.
///
/// # Errors
/// [`NotSetUp`], or a failure.
pub async fn disable_automatic_top_up(ctx: &Ctx) -> Result<Model, Error<NotSetUp>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let now = ctx.clock.now();
    let disable = |tx: Tx| async move {
        let event = end(&tx, now, account_id, None, AutomaticTopUpEnd::Disabled).await?;
        events::append(&tx, event.into_iter().collect()).await?;
        let row = Entity::find_by_id(account_id).one(&*tx).await?;
        row.ok_or(Error::Rejected(NotSetUp))
    };
    let row = ctx.db.write(disable).await?;
    ctx.doorbell.ring(Topic::Events(account_id));
    Ok(row)
}
