//! Giving accounts a plan, and taking it back.

use entity::ids::{AccountId, GrantedPackageId, PlanId, RateCardId};
use entity::subscription::{Entity, Model};
use entity::{account, billing_account, plan};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter};

use super::charges::{charge, draw_ids};
use crate::authz::Action;
use crate::billing::commands::settle_terms;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::Topic;

/// Why an account was not subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeRejection {
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// There is no such plan.
    #[error("there is no such plan")]
    NoSuchPlan,
    /// The account is charged in another currency.
    #[error("the plan is in another currency than the account")]
    OtherCurrency,
    /// The account has another plan.
    #[error("the account has another plan: take that back first")]
    AlreadySubscribed,
}

/// Why a plan was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsubscribeRejection {
    /// The account has none.
    #[error("the account has no plan")]
    NotSubscribed,
}

/// Gives an account a plan with its rate card, from now on, and charges the first month if the money
/// reaches. Idempotent.
///
/// # Errors
/// [`SubscribeRejection`], or a failure.
pub async fn subscribe(
    ctx: &Ctx,
    account_id: AccountId,
    plan_id: PlanId,
) -> Result<Model, Error<SubscribeRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let ids = &draw_ids(ctx);
    let row =
        ctx.db.write(|tx| async move { write(ctx, &tx, account_id, plan_id, ids).await }).await?;
    ctx.doorbell.ring(Topic::Events(account_id));
    Ok(row)
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    plan_id: PlanId,
    ids: &[GrantedPackageId],
) -> Result<Model, Error<SubscribeRejection>> {
    let rejected = |rejection| Err(Error::Rejected(rejection));
    if account::Entity::find_by_id(account_id).one(&**tx).await?.is_none() {
        return rejected(SubscribeRejection::NoSuchAccount);
    }
    let plan = plan::Entity::find_by_id(plan_id).one(&**tx).await?;
    let Some(plan) = plan else { return rejected(SubscribeRejection::NoSuchPlan) };
    let currency = settle_terms(ctx, tx, account_id, None, None).await;
    let currency = currency.map_err(|error| Failed::internal(error.to_string()))?;
    if currency.as_str() != plan.currency {
        return rejected(SubscribeRejection::OtherCurrency);
    }
    let now = ctx.clock.now();
    let new = Model {
        account_id,
        plan_id,
        started_at_ms: now,
        next_month: 0,
        due_at_ms: now,
        first_failed_at_ms: None,
    };
    // Two may be the first at once.
    let keep = OnConflict::column(entity::subscription::Column::AccountId).do_nothing().to_owned();
    let insert = Entity::insert(new.into_active_model()).on_conflict(keep);
    let inserted = insert.exec_without_returning(&**tx).await?;
    if let (1, Some(card)) = (inserted, plan.rate_card_id) {
        set_card(ctx, tx, account_id, Some(card), None).await?;
    }
    let found = charge(ctx, tx, account_id, ids).await?;
    let found = found.ok_or_else(|| Failed::internal("a subscription vanished"))?;
    if found.plan_id != plan_id {
        return rejected(SubscribeRejection::AlreadySubscribed);
    }
    Ok(found)
}

/// Takes an account's plan back, and with it the plan's rate card. What was charged stays charged.
///
/// # Errors
/// [`UnsubscribeRejection`], or a failure.
pub async fn unsubscribe(
    ctx: &Ctx,
    account_id: AccountId,
) -> Result<(), Error<UnsubscribeRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    ctx.db
        .write(|tx| async move {
            let found = Entity::find_by_id(account_id).one(&*tx).await?;
            let found = found.ok_or(Error::Rejected(UnsubscribeRejection::NotSubscribed))?;
            let deleted = Entity::delete_by_id(account_id).exec(&*tx).await?;
            if deleted.rows_affected == 0 {
                return Err(Error::Rejected(UnsubscribeRejection::NotSubscribed));
            }
            let plan = plan::Entity::find_by_id(found.plan_id).one(&*tx).await?;
            if let Some(card) = plan.and_then(|plan| plan.rate_card_id) {
                set_card(ctx, &tx, account_id, None, Some(card)).await?;
            }
            Ok(())
        })
        .await
}

/// Gives an account another card; where `instead_of` is given, only in that one's place.
async fn set_card(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    card: Option<RateCardId>,
    instead_of: Option<RateCardId>,
) -> Result<(), DbErr> {
    use billing_account::Column;
    let mut update = billing_account::Entity::update_many()
        .col_expr(Column::RateCardId, Expr::value(card))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAtMs, Expr::value(ctx.clock.now()))
        .filter(Column::AccountId.eq(account_id));
    if let Some(instead_of) = instead_of {
        update = update.filter(Column::RateCardId.eq(instead_of));
    }
    update.exec(&**tx).await?;
    Ok(())
}
