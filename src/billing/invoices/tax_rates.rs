//! Rates of taxes: the operator makes them, by country or for single accounts.

use entity::enums::TaxKind;
use entity::ids::{AccountId, TaxRateId};
use entity::{account, account_tax_rate, tax_rate};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder,
};

use super::profile::country;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::types::money::Micros;

/// Rates that are not archived: a few for each of the world's countries.
pub const TAX_RATES_MAX: u64 = 1_000;
/// Taxes of one invoice: a federal, a regional and a city's, and one to spare for each of two more.
pub const TAXES_PER_INVOICE_MAX: usize = 5;
/// Characters of a rate's name.
const NAME_CHARS_MAX: usize = 100;
/// The highest percentage: all of it.
const PERCENTAGE_MAX: Micros = Micros(100_000_000);
/// Millionths of a percent in a millionth of the whole.
const PERCENT: i64 = 100;

/// A rate to be made.
#[derive(Clone, Debug)]
pub struct NewTaxRate {
    /// As invoices show it.
    pub name: String,
    /// Of the amount, in percent: at most 4 decimals.
    pub percentage: Micros,
    /// Whose accounts pay it.
    pub country: Option<String>,
    /// How it is collected.
    pub kind: TaxKind,
}

/// Why a rate was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateTaxRateRejection {
    /// The name is empty or too long.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters on one line")]
    InvalidName,
    /// The percentage is out of range.
    #[error("a percentage is from 0 to 100, with at most 4 decimals")]
    InvalidPercentage,
    /// There is no such country.
    #[error("the country is given by two letters of ISO 3166-1")]
    UnknownCountry,
    /// The country has as many rates as an invoice may have, or there are too many in all.
    #[error(
        "a country has at most {TAXES_PER_INVOICE_MAX} rates, and there are at most {TAX_RATES_MAX}"
    )]
    TooManyTaxRates,
}

/// Why a rate was not archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveTaxRateRejection {
    /// There is no such rate.
    #[error("there is no such tax rate")]
    TaxRateNotFound,
}

/// Why an account's rates were not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetAccountTaxRatesRejection {
    /// There is no such account.
    #[error("there is no such account")]
    AccountNotFound,
    /// There is no such rate, or it is archived.
    #[error("there is no such tax rate, or it is archived")]
    TaxRateNotFound,
    /// There are too many.
    #[error("an invoice has at most {TAXES_PER_INVOICE_MAX} taxes")]
    TooManyTaxRates,
}

/// Makes a rate. Not idempotent.
///
/// # Errors
/// [`CreateTaxRateRejection`], or a failure.
pub async fn create_tax_rate(
    ctx: &Ctx,
    new: NewTaxRate,
) -> Result<tax_rate::Model, Error<CreateTaxRateRejection>> {
    use CreateTaxRateRejection as Rejection;
    ctx.actor.require(Action::ManagePrices)?;
    let name = new.name.trim();
    let name_fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if !name_fits || name.contains(char::is_control) {
        return Err(Error::Rejected(Rejection::InvalidName));
    }
    let fits = (Micros::ZERO..=PERCENTAGE_MAX).contains(&new.percentage);
    if !fits || new.percentage.0 % PERCENT != 0 {
        return Err(Error::Rejected(Rejection::InvalidPercentage));
    }
    let of_country = match new.country.as_deref() {
        Some(text) => Some(country(text).ok_or(Error::Rejected(Rejection::UnknownCountry))?),
        None => None,
    };
    let row = &tax_rate::Model {
        id: ctx.ids.next(),
        name: name.to_owned(),
        rate_millionths: new.percentage.0 / PERCENT,
        country: of_country,
        kind: new.kind,
        archived_at_ms: None,
        created_at_ms: ctx.clock.now(),
    };
    ctx.db.write(|tx| async move { insert(&tx, row).await }).await?;
    Ok(row.clone())
}

async fn insert(tx: &Tx, row: &tax_rate::Model) -> Result<(), Error<CreateTaxRateRejection>> {
    let rates = tax_rate::Entity::find().filter(tax_rate::Column::ArchivedAtMs.is_null());
    let all = rates.clone().count(&**tx).await?;
    let of_country = match &row.country {
        Some(country) => rates.filter(tax_rate::Column::Country.eq(country)).count(&**tx).await?,
        None => 0,
    };
    if all >= TAX_RATES_MAX || of_country >= TAXES_PER_INVOICE_MAX as u64 {
        return Err(Error::Rejected(CreateTaxRateRejection::TooManyTaxRates));
    }
    let insert = tax_rate::Entity::insert(row.clone().into_active_model());
    insert.exec_without_returning(&**tx).await?;
    Ok(())
}

/// Takes a rate out of use: invoices that are finalized from now on do not get it. Idempotent.
///
/// # Errors
/// [`ArchiveTaxRateRejection`], or a failure.
pub async fn archive_tax_rate(
    ctx: &Ctx,
    id: TaxRateId,
) -> Result<tax_rate::Model, Error<ArchiveTaxRateRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let now = ctx.clock.now();
    let archive = |tx: Tx| async move {
        let found = tax_rate::Entity::find_by_id(id).one(&*tx).await?;
        let mut row = found.ok_or(Error::Rejected(ArchiveTaxRateRejection::TaxRateNotFound))?;
        if row.archived_at_ms.is_none() {
            row.archived_at_ms = Some(now);
            let all = row.clone().into_active_model().reset_all();
            tax_rate::Entity::update(all).exec(&*tx).await?;
        }
        Ok(row)
    };
    ctx.db.write(archive).await
}

/// Gives an account rates of its own in place of its country's; with none, it has its country's
/// again. To free an account of taxes, give it a rate of 0 with the reason as its name. Idempotent.
///
/// # Errors
/// [`SetAccountTaxRatesRejection`], or a failure.
pub async fn set_account_tax_rates(
    ctx: &Ctx,
    account_id: AccountId,
    ids: &[TaxRateId],
) -> Result<Vec<tax_rate::Model>, Error<SetAccountTaxRatesRejection>> {
    use SetAccountTaxRatesRejection as Rejection;
    ctx.actor.require(Action::ManagePrices)?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > TAXES_PER_INVOICE_MAX {
        return Err(Error::Rejected(Rejection::TooManyTaxRates));
    }
    let ids = &ids;
    let set = |tx: Tx| async move {
        if account::Entity::find_by_id(account_id).one(&*tx).await?.is_none() {
            return Err(Error::Rejected(Rejection::AccountNotFound));
        }
        let rates = tax_rate::Entity::find()
            .filter(tax_rate::Column::Id.is_in(ids.iter().copied()))
            .filter(tax_rate::Column::ArchivedAtMs.is_null())
            .order_by_asc(tax_rate::Column::Id)
            .all(&*tx)
            .await?;
        if rates.len() != ids.len() {
            return Err(Error::Rejected(Rejection::TaxRateNotFound));
        }
        let of_account = account_tax_rate::Column::AccountId.eq(account_id);
        account_tax_rate::Entity::delete_many().filter(of_account).exec(&*tx).await?;
        for tax_rate_id in ids {
            let row = account_tax_rate::Model { account_id, tax_rate_id: *tax_rate_id };
            let insert = account_tax_rate::Entity::insert(row.into_active_model());
            insert.exec_without_returning(&*tx).await?;
        }
        Ok(rates)
    };
    ctx.db.write(set).await
}

/// All rates that are in use, in the order of their making; at most [`TAX_RATES_MAX`].
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn tax_rates(ctx: &Ctx) -> Result<Vec<tax_rate::Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    let rates = tax_rate::Entity::find().filter(tax_rate::Column::ArchivedAtMs.is_null());
    Ok(rates.order_by_asc(tax_rate::Column::Id).all(ctx.db.reader()).await?)
}

/// A rate that the caller may see: the operator's staff sees all.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_tax_rate(ctx: &Ctx, id: TaxRateId) -> Result<Option<tax_rate::Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    Ok(tax_rate::Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// A rate as a percentage.
pub const fn percentage(rate_millionths: i64) -> Micros {
    Micros(rate_millionths * PERCENT)
}

/// The rates that an account's invoices get now: its own, else those of its country.
pub(super) async fn rates_of<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    country: Option<&str>,
) -> Result<Vec<tax_rate::Model>, DbErr> {
    let own = account_tax_rate::Entity::find()
        .filter(account_tax_rate::Column::AccountId.eq(account_id))
        .all(connection)
        .await?;
    let in_use = tax_rate::Entity::find()
        .filter(tax_rate::Column::ArchivedAtMs.is_null())
        .order_by_asc(tax_rate::Column::Id);
    let ids = own.iter().map(|row| row.tax_rate_id);
    let rates = in_use.clone().filter(tax_rate::Column::Id.is_in(ids)).all(connection).await?;
    match country {
        Some(country) if rates.is_empty() => {
            in_use.filter(tax_rate::Column::Country.eq(country)).all(connection).await
        }
        _ => Ok(rates),
    }
}
