//! The operator's hand on an account's money: its credit limit and its starting balance.

use std::collections::BTreeSet;

use entity::enums::{BillingTerms, BookKind, TransferCode};
use entity::ids::AccountId;
use entity::{account, billing_account};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, Statement};

use super::ledger::{ensure_wallets, post};
use super::model::{Balance, Journal, NewTransfer, Unpostable};
use super::queries;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::types::money::{Currency, Micros};

/// What to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct CreditChange {
    /// How far the account may go below zero. More than zero: it pays by monthly invoice.
    pub limit: Option<Micros>,
    /// Added to the balance; negative: taken off.
    pub add_balance: Option<Micros>,
    /// The currency of an account that has none yet; the settings' if absent.
    pub currency: Option<Currency>,
}

/// Why it was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetCreditRejection {
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The limit is below zero.
    #[error("a credit limit is zero or more")]
    NegativeLimit,
    /// The account is charged in another currency.
    #[error("the account is charged in another currency, which cannot be changed")]
    OtherCurrency,
    /// The balance would leave its range.
    #[error("the balance would leave its range")]
    OutOfRange,
}

impl From<Unpostable> for SetCreditRejection {
    fn from(_: Unpostable) -> Self {
        Self::OutOfRange
    }
}

/// Sets an account's credit limit and adds to its balance; returns what it has then. Setting a limit
/// is idempotent, adding is not.
///
/// # Errors
/// [`SetCreditRejection`], or a failure.
pub async fn set_credit(
    ctx: &Ctx,
    account_id: AccountId,
    change: CreditChange,
) -> Result<Balance, Error<SetCreditRejection>> {
    ctx.actor.require(Action::ManageCredit)?;
    if change.limit.is_some_and(|limit| limit < Micros::ZERO) {
        return Err(Error::Rejected(SetCreditRejection::NegativeLimit));
    }
    let change = &change;
    let journal =
        ctx.db.write(|tx| async move { write_credit(ctx, &tx, account_id, change).await }).await?;
    Ok(queries::balance_of(ctx, journal).await?)
}

async fn write_credit(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    change: &CreditChange,
) -> Result<Journal, Error<SetCreditRejection>> {
    let now = ctx.clock.now();
    let account = account::Entity::find_by_id(account_id).one(&**tx).await?;
    if account.is_none() {
        return Err(Error::Rejected(SetCreditRejection::NoSuchAccount));
    }
    let terms = change.limit.map(|limit| {
        if limit > Micros::ZERO { BillingTerms::Postpaid } else { BillingTerms::Prepaid }
    });
    let currency = settle_terms(ctx, tx, account_id, change.currency, terms).await?;
    let journal = Journal::of_money(account_id, currency);
    ensure_wallets(tx, &BTreeSet::from([journal]), now).await?;
    if let Some(limit) = change.limit {
        let sql = "UPDATE wallet SET credit_limit_micros = $1, updated_at_ms = $2 \
            WHERE account_id = $3 AND currency = $4 AND purse = $5";
        let values = [
            limit.0.into(),
            now.0.into(),
            account_id.0.into(),
            currency.as_str().into(),
            journal.purse.code().into(),
        ];
        tx.execute_raw(Statement::from_sql_and_values(tx.store().backend(), sql, values)).await?;
    }
    if let Some(amount) = change.add_balance.filter(|amount| *amount != Micros::ZERO) {
        let (from, to) = (BookKind::Adjustment, BookKind::Customer);
        let transfer =
            NewTransfer::between(journal, TransferCode::Adjustment, from, to, amount).at(now);
        post(tx, &ctx.master_key, now, vec![transfer]).await.map_err(rejected)?;
    }
    Ok(journal)
}

fn rejected(error: Error<Unpostable>) -> Error<SetCreditRejection> {
    match error {
        Error::Rejected(fault) => Error::Rejected(fault.into()),
        Error::Failed(failed) => Error::Failed(failed),
    }
}

/// Makes or changes an account's terms, and returns its currency.
pub(super) async fn settle_terms(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    currency: Option<Currency>,
    terms: Option<BillingTerms>,
) -> Result<Currency, Error<SetCreditRejection>> {
    let now = ctx.clock.now();
    let wanted = currency.unwrap_or(ctx.settings.billing.currency);
    let new = billing_account::Model {
        account_id,
        currency: wanted.as_str().to_owned(),
        terms: terms.unwrap_or(BillingTerms::Prepaid),
        rate_card_id: None,
        suspended_at_ms: None,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
        packages_until_ms: None,
    };
    // Two may be the first at once.
    let keep = OnConflict::column(billing_account::Column::AccountId).do_nothing().to_owned();
    let insert = billing_account::Entity::insert(new.into_active_model()).on_conflict(keep);
    insert.exec_without_returning(&**tx).await?;
    let found = billing_account::Entity::find_by_id(account_id).one(&**tx).await?;
    let found = found.ok_or_else(|| Failed::internal("an account's terms vanished"))?;
    let own: Currency = found.currency.parse().map_err(Failed::internal)?;
    if currency.is_some_and(|wanted| wanted != own) {
        return Err(Error::Rejected(SetCreditRejection::OtherCurrency));
    }
    if terms.is_some_and(|terms| terms != found.terms) {
        let row = billing_account::ActiveModel {
            account_id: sea_orm::Unchanged(account_id),
            terms: sea_orm::Set(terms.unwrap_or(found.terms)),
            version: sea_orm::Set(found.version + 1),
            updated_at_ms: sea_orm::Set(now),
            ..Default::default()
        };
        billing_account::Entity::update(row).exec(&**tx).await?;
    }
    Ok(own)
}
