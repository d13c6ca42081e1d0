//! Making, changing and removing plans.

use entity::ids::{PackageId, PlanId, RateCardId};
use entity::plan::{ActiveModel, Entity, Model};
use entity::{package, rate_card};
use sea_orm::{
    ActiveModelTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QuerySelect, Set,
    Unchanged,
};

use super::{NAME_CHARS_MAX, PLANS_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::TransactionError;
use crate::error::{Error, violated_constraint};
use crate::types::money::{Currency, Micros};

/// A plan to be made.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// What it is charged in.
    pub currency: Currency,
    /// Of a month; zero or more.
    pub monthly_price: Micros,
    /// What accounts with the plan pay for parts; none: their currency's default card.
    pub rate_card_id: Option<RateCardId>,
    /// Granted with each month; none: nothing.
    pub package_id: Option<PackageId>,
}

/// What of a plan is to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct PlanChange {
    /// Another name.
    pub name: Option<String>,
    /// Another price, for months that are not charged yet.
    pub monthly_price: Option<Micros>,
}

/// Why a plan cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreatePlanRejection {
    /// Empty or too long.
    #[error("a plan's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// Another plan has it.
    #[error("there is a plan of this name already")]
    NameTaken,
    /// Below zero.
    #[error("a month costs nothing or more")]
    InvalidPrice,
    /// There is no such card.
    #[error("there is no such rate card")]
    NoSuchCard,
    /// The card's prices are in another currency.
    #[error("the rate card is in another currency than the plan")]
    OtherCurrency,
    /// There is no such package on offer.
    #[error("there is no such package on offer")]
    NoSuchPackage,
    /// The package is in another currency.
    #[error("the package is in another currency than the plan")]
    PackageInOtherCurrency,
    /// There are [`PLANS_MAX`].
    #[error("there are as many plans as there may be: {PLANS_MAX}")]
    TooMany,
}

/// Why a plan cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangePlanRejection {
    /// There is none with this id.
    #[error("there is no such plan")]
    NotFound,
    /// Empty or too long.
    #[error("a plan's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// Another plan has it.
    #[error("there is a plan of this name already")]
    NameTaken,
    /// Below zero.
    #[error("a month costs nothing or more")]
    InvalidPrice,
}

/// Why a plan cannot be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeletePlanRejection {
    /// There is none with this id.
    #[error("there is no such plan")]
    NotFound,
    /// Accounts have it.
    #[error("accounts have this plan")]
    InUse,
}

/// Makes a plan. Not idempotent: a second plan of the name is refused.
///
/// # Errors
/// [`CreatePlanRejection`], or a failure.
pub async fn create(ctx: &Ctx, new: NewPlan) -> Result<Model, Error<CreatePlanRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let name = valid_name(&new.name).ok_or(Error::Rejected(CreatePlanRejection::InvalidName))?;
    if new.monthly_price < Micros::ZERO {
        return Err(Error::Rejected(CreatePlanRejection::InvalidPrice));
    }
    let now = ctx.clock.now();
    let row = &Model {
        id: ctx.ids.next(),
        name,
        currency: new.currency.as_str().to_owned(),
        monthly_price_micros: new.monthly_price.0,
        rate_card_id: new.rate_card_id,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
        package_id: new.package_id,
    };
    let created = ctx
        .db
        .write(|tx| async move {
            if let Some(id) = row.rate_card_id {
                let card = rate_card::Entity::find_by_id(id).one(&*tx).await?;
                let card = card.ok_or(Error::Rejected(CreatePlanRejection::NoSuchCard))?;
                if card.currency != row.currency {
                    return Err(Error::Rejected(CreatePlanRejection::OtherCurrency));
                }
            }
            if let Some(id) = row.package_id {
                let package = package::Entity::find_by_id(id).one(&*tx).await?;
                let package = package.filter(|package| package.archived_at_ms.is_none());
                let package = package.ok_or(Error::Rejected(CreatePlanRejection::NoSuchPackage))?;
                if package.currency != row.currency {
                    return Err(Error::Rejected(CreatePlanRejection::PackageInOtherCurrency));
                }
            }
            if Entity::find().count(&*tx).await? >= PLANS_MAX {
                return Err(Error::Rejected(CreatePlanRejection::TooMany));
            }
            let insert = Entity::insert(row.clone().into_active_model());
            insert.exec_without_returning(&*tx).await?;
            Ok(row.clone())
        })
        .await;
    created.map_err(|error| {
        if is_name_taken(&error) { Error::Rejected(CreatePlanRejection::NameTaken) } else { error }
    })
}

/// Changes a plan's name or price.
///
/// # Errors
/// [`ChangePlanRejection`], or a failure.
pub async fn change(
    ctx: &Ctx,
    id: PlanId,
    change: PlanChange,
) -> Result<Model, Error<ChangePlanRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let invalid_name = || Error::Rejected(ChangePlanRejection::InvalidName);
    let name = change.name.as_deref().map(|name| valid_name(name).ok_or_else(invalid_name));
    let (name, price) = (&name.transpose()?, change.monthly_price);
    if price.is_some_and(|price| price < Micros::ZERO) {
        return Err(Error::Rejected(ChangePlanRejection::InvalidPrice));
    }
    let now = ctx.clock.now();
    let changed = ctx
        .db
        .write(|tx| async move {
            let plan = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let plan = plan.ok_or(Error::Rejected(ChangePlanRejection::NotFound))?;
            let row = ActiveModel {
                name: name.clone().map_or(Unchanged(plan.name.clone()), Set),
                monthly_price_micros: price
                    .map_or(Unchanged(plan.monthly_price_micros), |price| Set(price.0)),
                version: Set(plan.version + 1),
                updated_at_ms: Set(now),
                ..plan.into_active_model()
            };
            Ok(row.update(&*tx).await?)
        })
        .await;
    changed.map_err(|error| {
        if is_name_taken(&error) { Error::Rejected(ChangePlanRejection::NameTaken) } else { error }
    })
}

/// Removes a plan that no account has.
///
/// # Errors
/// [`DeletePlanRejection`], or a failure.
pub async fn delete(ctx: &Ctx, id: PlanId) -> Result<PlanId, Error<DeletePlanRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let deleted = ctx
        .db
        .write(|tx| async move {
            // Who has it is the store's to know: the references refuse.
            match Entity::delete_by_id(id).exec(&*tx).await?.rows_affected {
                0 => Err(Error::Rejected(DeletePlanRejection::NotFound)),
                _ => Ok(id),
            }
        })
        .await;
    deleted.map_err(|error: Error<DeletePlanRejection>| {
        let refused = |error: &DbErr| {
            matches!(error.sql_err(), Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)))
        };
        if error.store_error().is_some_and(refused) {
            Error::Rejected(DeletePlanRejection::InUse)
        } else {
            error
        }
    })
}

/// A name without the blanks around it, if it is one.
fn valid_name(name: &str) -> Option<String> {
    let name = name.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    (fits && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

fn is_name_taken<R: Send>(error: &Error<R>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("plan_name_unique") || constraint.contains("plan.name")
    })
}
