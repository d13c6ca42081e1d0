//! Granting packages: bought by accounts, included in plans, given by the operator.

use entity::enums::{BookKind, EventKind, PackageSource, PackageState, TransferCode};
use entity::granted_package::{Column, Entity, Model};
use entity::ids::{AccountId, GrantedPackageId, PackageId};
use entity::time::UnixMillis;
use entity::{account, billing_account, package};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect, Statement,
};

use super::hold::{is_active, lock, purses};
use super::model::{Validity, journal_of};
use super::{ACTIVE_MAX, is_idempotency_key};
use crate::authz::{Action, Actor};
use crate::billing::charging::available_locked;
use crate::billing::commands::settle_terms;
use crate::billing::ledger::{ensure_wallets, post};
use crate::billing::model::{Journal, NewTransfer};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent, Topic};
use crate::types::money::{Currency, Micros};

/// A package that an account has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// It.
    pub row: Model,
    /// Whether this is the answer to an earlier call with the same key.
    pub replayed: bool,
}

/// Why a package was not bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuyRejection {
    /// Empty, too long, or with control characters.
    #[error("an idempotency key has 1 to 255 characters, none of them a control character")]
    InvalidIdempotencyKey,
    /// The account bought another package under the key.
    #[error("this idempotency key was used for another package")]
    IdempotencyKeyReused,
    /// There is none with this id on offer.
    #[error("there is no such package on offer")]
    NotFound,
    /// The account is charged in another currency.
    #[error("the package is in another currency than the account")]
    OtherCurrency,
    /// The account's money and credit do not reach to its price.
    #[error("the account's balance does not reach to the package's price")]
    InsufficientBalance,
    /// The account has [`ACTIVE_MAX`] active ones.
    #[error("the account has as many active packages as it may have: {ACTIVE_MAX}")]
    TooMany,
}

/// Why a package was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRejection {
    /// Empty, too long, or with control characters.
    #[error("an idempotency key has 1 to 255 characters, none of them a control character")]
    InvalidIdempotencyKey,
    /// The account was granted another package under the key.
    #[error("this idempotency key was used for another package")]
    IdempotencyKeyReused,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// There is no such package.
    #[error("there is no such package")]
    NoSuchPackage,
    /// It is archived.
    #[error("the package is archived")]
    Archived,
    /// The account is charged in another currency.
    #[error("the package is in another currency than the account")]
    OtherCurrency,
    /// The account has [`ACTIVE_MAX`] active ones.
    #[error("the account has as many active packages as it may have: {ACTIVE_MAX}")]
    TooMany,
}

/// Why nothing was granted, whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    OtherCurrency,
    InsufficientBalance,
    TooMany,
}

impl From<Refusal> for BuyRejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OtherCurrency => Self::OtherCurrency,
            Refusal::InsufficientBalance => Self::InsufficientBalance,
            Refusal::TooMany => Self::TooMany,
        }
    }
}

/// Buys a package for the caller's account with its money and credit. The same key gives the same
/// answer again.
///
/// # Errors
/// [`BuyRejection`], or a failure.
pub async fn buy(ctx: &Ctx, id: PackageId, key: &str) -> Result<Granted, Error<BuyRejection>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    if !is_idempotency_key(key) {
        return Err(Error::Rejected(BuyRejection::InvalidIdempotencyKey));
    }
    // Offers are the platform's, and so is the right to be shown them.
    let ctx = &ctx.acting_as(Actor::System);
    let grant_id: GrantedPackageId = ctx.ids.next();
    let buy = |tx: Tx| async move {
        let money = lock_account(ctx, &tx, account_id).await?;
        let (source, now) = (PackageSource::Purchase, ctx.clock.now());
        if let Some(row) = earlier(&tx, account_id, source, key).await? {
            return match row.package_id == id {
                true => Ok(Granted { row, replayed: true }),
                false => Err(Error::Rejected(BuyRejection::IdempotencyKeyReused)),
            };
        }
        let offer = package::Entity::find_by_id(id).one(&*tx).await?;
        // What costs nothing is given, not bought.
        let is_offered =
            |offer: &package::Model| offer.archived_at_ms.is_none() && offer.price_micros > 0;
        let offer = offer.filter(is_offered);
        let offer = offer.ok_or(Error::Rejected(BuyRejection::NotFound))?;
        let price = Some(Micros(offer.price_micros));
        let new = New { id: grant_id, money, offer: &offer, source, key, price, from: now };
        let row = write(ctx, &tx, new).await.map_err(|error| rejected(error, Into::into))?;
        events::append(&tx, vec![told(&row, EventKind::PackageGranted, now)]).await?;
        Ok::<_, Error<BuyRejection>>(Granted { row, replayed: false })
    };
    let granted = ctx.db.write(buy).await?;
    ctx.doorbell.ring(Topic::Events(account_id));
    Ok(granted)
}

/// Gives an account a package for nothing. The same key gives the same answer again.
///
/// # Errors
/// [`GrantRejection`], or a failure.
pub async fn grant(
    ctx: &Ctx,
    account_id: AccountId,
    id: PackageId,
    key: &str,
) -> Result<Granted, Error<GrantRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    if !is_idempotency_key(key) {
        return Err(Error::Rejected(GrantRejection::InvalidIdempotencyKey));
    }
    let grant_id: GrantedPackageId = ctx.ids.next();
    let grant = |tx: Tx| async move {
        let rejected_by = |rejection| Err(Error::Rejected(rejection));
        if account::Entity::find_by_id(account_id).one(&*tx).await?.is_none() {
            return rejected_by(GrantRejection::NoSuchAccount);
        }
        let money = lock_account(ctx, &tx, account_id).await?;
        let (source, now) = (PackageSource::Operator, ctx.clock.now());
        if let Some(row) = earlier(&tx, account_id, source, key).await? {
            return match row.package_id == id {
                true => Ok(Granted { row, replayed: true }),
                false => rejected_by(GrantRejection::IdempotencyKeyReused),
            };
        }
        let offer = package::Entity::find_by_id(id).one(&*tx).await?;
        let Some(offer) = offer else { return rejected_by(GrantRejection::NoSuchPackage) };
        if offer.archived_at_ms.is_some() {
            return rejected_by(GrantRejection::Archived);
        }
        let new = New { id: grant_id, money, offer: &offer, source, key, price: None, from: now };
        let refused = |refusal| match refusal {
            Refusal::OtherCurrency => GrantRejection::OtherCurrency,
            // Nothing is paid: it cannot be too little.
            Refusal::TooMany | Refusal::InsufficientBalance => GrantRejection::TooMany,
        };
        let row = write(ctx, &tx, new).await.map_err(|error| rejected(error, refused))?;
        events::append(&tx, vec![told(&row, EventKind::PackageGranted, now)]).await?;
        Ok::<_, Error<GrantRejection>>(Granted { row, replayed: false })
    };
    let granted = ctx.db.write(grant).await?;
    ctx.doorbell.ring(Topic::Events(account_id));
    Ok(granted)
}

/// A month's package of a plan.
pub(in crate::billing) struct Included<'a> {
    pub(in crate::billing) id: GrantedPackageId,
    pub(in crate::billing) money: Journal,
    pub(in crate::billing) package_id: PackageId,
    /// Names the month.
    pub(in crate::billing) key: &'a str,
    /// When the month began.
    pub(in crate::billing) from: UnixMillis,
}

/// Grants what a month of a plan includes, once a month, and returns what is to be told. Nothing, if
/// its time is over already. Called under [`lock_account`].
pub(in crate::billing) async fn include(
    ctx: &Ctx,
    tx: &Tx,
    included: Included<'_>,
) -> Result<Option<NewEvent>, Failed> {
    let Included { id, money, package_id, key, from } = included;
    let source = PackageSource::Plan;
    if earlier(tx, money.account_id, source, key).await?.is_some() {
        return Ok(None);
    }
    let offer = package::Entity::find_by_id(package_id).one(&**tx).await?;
    let offer = offer.ok_or_else(|| Failed::internal("a plan without its package"))?;
    let now = ctx.clock.now();
    if Validity::of(&offer).end(from) <= now {
        return Ok(None);
    }
    let new = New { id, money, offer: &offer, source, key, price: None, from };
    match write(ctx, tx, new).await {
        Ok(row) => Ok(Some(told(&row, EventKind::PackageGranted, now))),
        Err(Error::Rejected(refusal)) => {
            tracing::warn!(
                account.id = %money.account_id, package.id = %package_id, reason = ?refusal,
                "a plan's package cannot be granted"
            );
            Ok(None)
        }
        Err(Error::Failed(failed)) => Err(failed),
    }
}

/// What is to be written.
struct New<'a> {
    id: GrantedPackageId,
    money: Journal,
    offer: &'a package::Model,
    source: PackageSource,
    key: &'a str,
    /// What is taken from the account's money; none: it is a gift.
    price: Option<Micros>,
    from: UnixMillis,
}

/// Locks an account's terms and purses, and makes those that are missing; returns its journal of
/// money.
pub(in crate::billing) async fn lock_account(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
) -> Result<Journal, Failed> {
    let currency = settle_terms(ctx, tx, account_id, None, None).await;
    let currency = currency.map_err(|error| match error {
        Error::Failed(failed) => failed,
        Error::Rejected(rejection) => Failed::internal(rejection),
    })?;
    billing_account::Entity::find_by_id(account_id).lock_exclusive().one(&**tx).await?;
    let money = Journal::of_money(account_id, currency);
    ensure_wallets(tx, &purses(money), ctx.clock.now()).await?;
    lock(tx, money).await?;
    Ok(money)
}

/// What was granted under a key before.
async fn earlier(
    tx: &Tx,
    account_id: AccountId,
    source: PackageSource,
    key: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Source.eq(source))
        .filter(Column::IdempotencyKey.eq(key))
        .one(&**tx)
        .await
}

async fn write(ctx: &Ctx, tx: &Tx, new: New<'_>) -> Result<Model, Error<Refusal>> {
    let New { id, money, offer, source, key, price, from } = new;
    let (account_id, now) = (money.account_id, ctx.clock.now());
    let currency: Currency = offer.currency.parse().map_err(Failed::internal)?;
    if money.unit.currency() != Some(currency) {
        return Err(Error::Rejected(Refusal::OtherCurrency));
    }
    let active = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(is_active())
        .count(&**tx)
        .await?;
    // What a plan includes was paid for.
    if source != PackageSource::Plan && active >= ACTIVE_MAX {
        return Err(Error::Rejected(Refusal::TooMany));
    }
    let price = price.unwrap_or(Micros::ZERO);
    if price > Micros::ZERO && available_locked(tx, money).await? < price {
        return Err(Error::Rejected(Refusal::InsufficientBalance));
    }
    let purse = journal_of(money, currency, offer.kind);
    let (from_book, to_book) = (BookKind::Promotion, BookKind::Customer);
    let amount = Micros(offer.amount_micros);
    let granted =
        NewTransfer::between(purse, TransferCode::PackageGranted, from_book, to_book, amount);
    let mut transfers = vec![granted.at(now).about(id.0)];
    if price > Micros::ZERO {
        let (from_book, to_book) = (BookKind::Customer, BookKind::OtherRevenue);
        let code = TransferCode::PackageBought;
        let paid = NewTransfer::between(money, code, from_book, to_book, price);
        transfers.push(paid.at(now).about(id.0));
    }
    post(tx, &ctx.master_key, now, transfers).await.map_err(|error| match error {
        Error::Rejected(fault) => Error::Failed(Failed::internal(fault)),
        Error::Failed(failed) => Error::Failed(failed),
    })?;
    let row = Model {
        account_id,
        id,
        package_id: offer.id,
        source,
        idempotency_key: key.to_owned(),
        kind: offer.kind,
        currency: offer.currency.clone(),
        amount_micros: amount.0,
        balance_micros: amount.0,
        held_micros: 0,
        price_micros: price.0,
        refunded_micros: 0,
        prefixes: offer.prefixes.clone(),
        classes: offer.classes,
        state: PackageState::Active,
        expires_at_ms: Validity::of(offer).end(from),
        closed_at_ms: None,
        created_at_ms: now,
    };
    let insert = Entity::insert(row.clone().into_active_model());
    insert.exec_without_returning(&**tx).await?;
    note_until(tx, account_id, row.expires_at_ms).await?;
    Ok(row)
}

/// Notes until when the account has packages, so that sending looks for none where there are none.
async fn note_until(tx: &Tx, account_id: AccountId, until: UnixMillis) -> Result<(), DbErr> {
    let sql = "UPDATE billing_account SET packages_until_ms = $1 WHERE account_id = $2 \
        AND (packages_until_ms IS NULL OR packages_until_ms < $1)";
    let values = [until.0.into(), account_id.0.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.store().backend(), sql, values)).await?;
    Ok(())
}

fn rejected<R>(error: Error<Refusal>, of: impl FnOnce(Refusal) -> R) -> Error<R> {
    match error {
        Error::Rejected(refusal) => Error::Rejected(of(refusal)),
        Error::Failed(failed) => Error::Failed(failed),
    }
}

/// The event that something happened to a granted package.
pub(super) fn told(row: &Model, kind: EventKind, now: UnixMillis) -> NewEvent {
    NewEvent {
        account_id: row.account_id,
        kind,
        subject_id: row.id.0,
        status: row.state.code(),
        version: 1,
        error_code: None,
        occurred_at: now,
    }
}
