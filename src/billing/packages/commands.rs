//! Making, changing and archiving packages.

use entity::ids::PackageId;
use entity::package::{ActiveModel, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QuerySelect, Set,
};

use super::model::{Amount, Holding, InvalidPackage, Scope, ScopeText, Validity, is_price};
use super::{NAME_CHARS_MAX, PACKAGES_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, violated_constraint};
use crate::types::money::{Currency, Micros};

/// A package to be offered.
#[derive(Clone, Debug)]
pub struct NewPackage {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// What its price, and credit, are in.
    pub currency: Currency,
    /// What it costs; zero or more.
    pub price: Micros,
    /// What it holds.
    pub holding: Holding,
    /// For how long.
    pub validity: Validity,
    /// Which messages it pays for.
    pub scope: ScopeText,
}

/// What of a package is to change; what is absent stays. What accounts have of it stays in any case.
#[derive(Clone, Debug, Default)]
pub struct PackageChange {
    /// Another name.
    pub name: Option<String>,
    /// Another price.
    pub price: Option<Micros>,
    /// Another amount of the same kind.
    pub holding: Option<Holding>,
    /// Another validity.
    pub validity: Option<Validity>,
    /// Other messages.
    pub scope: Option<ScopeText>,
}

/// Why a package was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreatePackageRejection {
    /// Something of it cannot be.
    #[error(transparent)]
    Invalid(#[from] InvalidPackage),
    /// Another package has it.
    #[error("there is a package of this name already")]
    NameTaken,
    /// There are [`PACKAGES_MAX`].
    #[error("there are as many packages as there may be: {PACKAGES_MAX}")]
    TooMany,
}

/// Why a package was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangePackageRejection {
    /// There is none with this id.
    #[error("there is no such package")]
    NotFound,
    /// Something of it cannot be.
    #[error(transparent)]
    Invalid(#[from] InvalidPackage),
    /// Another package has it.
    #[error("there is a package of this name already")]
    NameTaken,
    /// It holds something else.
    #[error("a package of parts stays one of parts, and one of credit one of credit")]
    OtherKind,
    /// It is archived.
    #[error("the package is archived")]
    Archived,
}

/// Why a package was not archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchivePackageRejection {
    /// There is none with this id.
    #[error("there is no such package")]
    NotFound,
}

/// Makes a package. Not idempotent: a second package of the name is refused.
///
/// # Errors
/// [`CreatePackageRejection`], or a failure.
pub async fn create(ctx: &Ctx, new: NewPackage) -> Result<Model, Error<CreatePackageRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let row = row_of(&new, ctx.ids.next(), ctx.clock.now());
    let row = &row.map_err(|fault| Error::Rejected(fault.into()))?;
    let created = ctx
        .db
        .write(|tx| async move {
            if Entity::find().count(&*tx).await? >= PACKAGES_MAX {
                return Err(Error::Rejected(CreatePackageRejection::TooMany));
            }
            insert(&tx, row).await?;
            Ok(row.clone())
        })
        .await;
    created.map_err(|error| match is_name_taken(&error) {
        true => Error::Rejected(CreatePackageRejection::NameTaken),
        false => error,
    })
}

/// Changes a package that is on offer. Idempotent, but that it gets a new version.
///
/// # Errors
/// [`ChangePackageRejection`], or a failure.
pub async fn change(
    ctx: &Ctx,
    id: PackageId,
    change: PackageChange,
) -> Result<Model, Error<ChangePackageRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let change = &change;
    let now = ctx.clock.now();
    let changed = ctx
        .db
        .write(|tx| async move {
            let found = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let found = found.ok_or(Error::Rejected(ChangePackageRejection::NotFound))?;
            if found.archived_at_ms.is_some() {
                return Err(Error::Rejected(ChangePackageRejection::Archived));
            }
            let row = changed(&found, change, now).map_err(Error::Rejected)?;
            Ok(row.update(&*tx).await?)
        })
        .await;
    changed.map_err(|error| match is_name_taken(&error) {
        true => Error::Rejected(ChangePackageRejection::NameTaken),
        false => error,
    })
}

/// Takes a package off the offers. What accounts have of it stays, and plans go on to include it.
/// Idempotent.
///
/// # Errors
/// [`ArchivePackageRejection`], or a failure.
pub async fn archive(ctx: &Ctx, id: PackageId) -> Result<Model, Error<ArchivePackageRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let found = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let found = found.ok_or(Error::Rejected(ArchivePackageRejection::NotFound))?;
            if found.archived_at_ms.is_some() {
                return Ok(found);
            }
            Ok(archived(found, now).update(&*tx).await?)
        })
        .await
}

/// An offer that is archived from now on.
pub(super) fn archived(found: Model, now: UnixMillis) -> ActiveModel {
    let version = found.version + 1;
    ActiveModel {
        archived_at_ms: Set(Some(now)),
        version: Set(version),
        updated_at_ms: Set(now),
        ..found.into_active_model()
    }
}

/// Writes a new offer.
pub(super) async fn insert(tx: &Tx, row: &Model) -> Result<(), DbErr> {
    let insert = Entity::insert(row.clone().into_active_model());
    insert.exec_without_returning(&**tx).await?;
    Ok(())
}

/// A new offer, if it can be one.
pub(super) fn row_of(
    new: &NewPackage,
    id: PackageId,
    now: UnixMillis,
) -> Result<Model, InvalidPackage> {
    let (prefixes, classes) = Scope::new(&new.scope)?.stored();
    let amount = new.holding.amount()?;
    Ok(Model {
        id,
        name: valid_name(&new.name)?,
        currency: new.currency.as_str().to_owned(),
        price_micros: valid_price(new.price)?,
        kind: amount.kind(),
        amount_micros: valid_amount(amount)?,
        validity_unit: valid_validity(new.validity)?.unit,
        validity_count: new.validity.count,
        prefixes,
        classes,
        archived_at_ms: None,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    })
}

fn changed(
    found: &Model,
    change: &PackageChange,
    now: UnixMillis,
) -> Result<ActiveModel, ChangePackageRejection> {
    let mut row = found.clone().into_active_model();
    if let Some(name) = &change.name {
        row.name = Set(valid_name(name)?);
    }
    if let Some(price) = change.price {
        row.price_micros = Set(valid_price(price)?);
    }
    if let Some(holding) = change.holding {
        let amount = holding.amount()?;
        if amount.kind() != found.kind {
            return Err(ChangePackageRejection::OtherKind);
        }
        row.amount_micros = Set(valid_amount(amount)?);
    }
    if let Some(validity) = change.validity {
        row.validity_unit = Set(valid_validity(validity)?.unit);
        row.validity_count = Set(validity.count);
    }
    if let Some(scope) = &change.scope {
        let (prefixes, classes) = Scope::new(scope)?.stored();
        row.prefixes = Set(prefixes);
        row.classes = Set(classes);
    }
    row.version = Set(found.version + 1);
    row.updated_at_ms = Set(now);
    Ok(row)
}

/// A name without the blanks around it.
fn valid_name(name: &str) -> Result<String, InvalidPackage> {
    let name = name.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    let is_name = fits && !name.chars().any(char::is_control);
    is_name.then(|| name.to_owned()).ok_or(InvalidPackage::Name)
}

fn valid_price(price: Micros) -> Result<i64, InvalidPackage> {
    is_price(price).then_some(price.0).ok_or(InvalidPackage::Price)
}

fn valid_amount(amount: Amount) -> Result<i64, InvalidPackage> {
    amount.stored().map(|amount| amount.0).ok_or(InvalidPackage::Amount)
}

fn valid_validity(validity: Validity) -> Result<Validity, InvalidPackage> {
    validity.is_valid().then_some(validity).ok_or(InvalidPackage::Validity)
}

fn is_name_taken<R: Send>(error: &Error<R>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("package_name_unique") || constraint.contains("package.name")
    })
}
