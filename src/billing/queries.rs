//! Reading what accounts have, how they pay, and what was written of them.

use entity::enums::BillingTerms;
use entity::ids::{AccountId, RateCardId};
use entity::time::UnixMillis;
use entity::{account, billing_account, wallet};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

use super::model::{Balance, Journal, Unit};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::types::money::{Currency, Micros};

/// How an account pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What it is charged in.
    pub currency: Currency,
    /// When it pays.
    pub terms: BillingTerms,
    /// Its own prices; none: the currency's default card.
    pub rate_card_id: Option<RateCardId>,
    /// Since when it may not send, for invoices that were not paid; none: it may.
    pub suspended_at: Option<UnixMillis>,
    /// When the last of its packages expires; none: it never had one.
    pub packages_until: Option<UnixMillis>,
}

impl Terms {
    /// Whether a package may be there to pay for messages. Few accounts have one, and the others need
    /// not look.
    pub fn may_have_packages(&self, now: UnixMillis) -> bool {
        self.packages_until.is_some_and(|until| until > now)
    }
}

/// How an account pays; the defaults for one that nothing was set for. Asks for no right: it is part
/// of sending.
///
/// # Errors
/// The store's own.
pub async fn terms(ctx: &Ctx, account_id: AccountId) -> Result<Terms, Failed> {
    terms_in(ctx, ctx.db.reader(), account_id).await
}

/// [`terms`], as a transaction sees them.
pub(super) async fn terms_in<C: ConnectionTrait>(
    ctx: &Ctx,
    connection: &C,
    account_id: AccountId,
) -> Result<Terms, Failed> {
    let found = billing_account::Entity::find_by_id(account_id).one(connection).await?;
    let Some(found) = found else {
        return Ok(Terms {
            currency: ctx.settings.billing.currency,
            terms: BillingTerms::Prepaid,
            rate_card_id: None,
            suspended_at: None,
            packages_until: None,
        });
    };
    let currency = found.currency.parse().map_err(Failed::internal)?;
    Ok(Terms {
        currency,
        terms: found.terms,
        rate_card_id: found.rate_card_id,
        suspended_at: found.suspended_at_ms,
        packages_until: found.packages_until_ms,
    })
}

/// What the caller's account has.
///
/// # Errors
/// A failure.
pub async fn balance(ctx: &Ctx) -> Result<Balance, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    let terms = terms(ctx, account_id).await?;
    Ok(balance_of(ctx, Journal::of_money(account_id, terms.currency)).await?)
}

/// What an account has, and how it pays, for the operator; none if there is no such account.
///
/// # Errors
/// A failure.
pub async fn balance_of_account(
    ctx: &Ctx,
    account_id: AccountId,
) -> Result<Option<(Terms, Balance)>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    if account::Entity::find_by_id(account_id).one(ctx.db.reader()).await?.is_none() {
        return Ok(None);
    }
    let terms = terms(ctx, account_id).await?;
    let balance = balance_of(ctx, Journal::of_money(account_id, terms.currency)).await?;
    Ok(Some((terms, balance)))
}

/// What an account could hold now. Asks for no right: it is part of estimating.
///
/// # Errors
/// A failure.
pub async fn available(ctx: &Ctx, terms: &Terms, account_id: AccountId) -> Result<Micros, Failed> {
    Ok(balance_of(ctx, Journal::of_money(account_id, terms.currency)).await?.available())
}

/// What a wallet has; nothing if there is none.
pub(super) async fn balance_of(ctx: &Ctx, journal: Journal) -> Result<Balance, DbErr> {
    let id = (journal.account_id, journal.unit.as_str().to_owned(), journal.purse);
    let row = wallet::Entity::find_by_id(id).one(ctx.db.reader()).await?;
    Ok(row.map_or(Balance::empty(journal.unit), |row| of_row(journal.unit, &row)))
}

fn of_row(unit: Unit, row: &wallet::Model) -> Balance {
    Balance {
        unit,
        posted: Micros(row.balance_micros),
        held: Micros(row.held_micros),
        credit_limit: Micros(row.credit_limit_micros),
    }
}
