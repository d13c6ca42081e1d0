//! Making, changing and removing routes.

use entity::enums::CarrierKind;
use entity::ids::{CarrierId, RouteId};
use entity::route::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Set,
};

use super::{PREFIX_DIGITS_MAX, ROUTES_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::TransactionError;
use crate::error::{Error, violated_constraint};
use crate::events::Topic;
use crate::types::sms_text::NationalLanguages;

/// A route to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewRoute<'a> {
    /// `+44`; `+` alone stands for all numbers.
    pub prefix: &'a str,
    /// Where it leads.
    pub carrier_id: CarrierId,
    /// Whose shift tables texts may be written with.
    pub national_languages: NationalLanguages,
}

impl<'a> NewRoute<'a> {
    /// Without national tables.
    pub fn new(prefix: &'a str, carrier_id: CarrierId) -> Self {
        Self { prefix, carrier_id, national_languages: NationalLanguages::NONE }
    }
}

/// Why a route cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateRejection {
    /// Not a plus sign and at most 15 digits.
    #[error(
        "a prefix is a plus sign and up to {PREFIX_DIGITS_MAX} digits; + alone stands for all numbers"
    )]
    InvalidPrefix,
    /// Another route has this prefix.
    #[error("there is a route for this prefix already")]
    PrefixTaken,
    /// There is no such carrier, or it is the built-in simulator, which serves test keys alone.
    #[error("there is no such carrier to route to")]
    NoSuchCarrier,
    /// There are [`ROUTES_MAX`].
    #[error("there are as many routes as there may be: {ROUTES_MAX}")]
    TooMany,
}

/// Why a route cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateRejection {
    /// There is none with this id.
    NotFound,
}

/// Why a route cannot be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteRejection {
    /// There is none with this id.
    NotFound,
}

/// Leads the numbers that begin with a prefix to a carrier. Messages that are accepted from the
/// commit on take it, on other nodes within a second.
///
/// Not idempotent: a second route for the prefix is refused.
///
/// # Errors
/// [`CreateRejection`], or a failure.
pub async fn create(ctx: &Ctx, new: NewRoute<'_>) -> Result<Model, Error<CreateRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    let prefix =
        prefix_digits(new.prefix).ok_or(Error::Rejected(CreateRejection::InvalidPrefix))?;
    let carrier_id = new.carrier_id;
    let row = Model {
        id: ctx.ids.next(),
        prefix,
        carrier_id,
        national_languages: new.national_languages.bits(),
        version: 1,
        created_at_ms: ctx.clock.now(),
    };
    let new = &row;
    let created = ctx
        .db
        .write(|tx| async move {
            let carrier = entity::carrier::Entity::find_by_id(carrier_id).one(&*tx).await?;
            if carrier.is_none_or(|carrier| carrier.kind == CarrierKind::Simulator) {
                return Err(Error::Rejected(CreateRejection::NoSuchCarrier));
            }
            if Entity::find().count(&*tx).await? >= ROUTES_MAX {
                return Err(Error::Rejected(CreateRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(new.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    created.map_err(|error| {
        if is_taken(&error) { Error::Rejected(CreateRejection::PrefixTaken) } else { error }
    })?;
    ctx.doorbell.ring(Topic::Carriers);
    Ok(row)
}

/// Changes whose shift tables the texts on a route may be written with. Messages that were accepted
/// stay as they were counted. Idempotent: what changes nothing is not written.
///
/// # Errors
/// [`UpdateRejection`], or a failure.
pub async fn update(
    ctx: &Ctx,
    id: RouteId,
    national_languages: NationalLanguages,
) -> Result<Model, Error<UpdateRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    let bits = national_languages.bits();
    let row = ctx
        .db
        .write(|tx| async move {
            let found = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let before = found.ok_or(Error::Rejected(UpdateRejection::NotFound))?;
            if before.national_languages == bits {
                return Ok(before);
            }
            let version = Set(before.version + 1);
            let row = ActiveModel { national_languages: Set(bits), version, ..before.into() };
            Ok::<_, Error<UpdateRejection>>(row.update(&*tx).await?)
        })
        .await?;
    ctx.doorbell.ring(Topic::Carriers);
    Ok(row)
}

/// Removes a route. Messages that were accepted keep their carrier.
///
/// # Errors
/// [`DeleteRejection`], or a failure.
pub async fn delete(ctx: &Ctx, id: RouteId) -> Result<RouteId, Error<DeleteRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    ctx.db
        .write(|tx| async move {
            let deleted = Entity::delete_many().filter(Column::Id.eq(id)).exec(&*tx).await?;
            match deleted.rows_affected {
                0 => Err(Error::Rejected(DeleteRejection::NotFound)),
                _ => Ok(()),
            }
        })
        .await?;
    ctx.doorbell.ring(Topic::Carriers);
    Ok(id)
}

/// The digits of a prefix, as routes keep them: those after the plus sign, without the blanks
/// between them. `None` for what is not a prefix.
pub fn prefix_digits(prefix: &str) -> Option<String> {
    let digits: String = prefix.trim().strip_prefix('+')?.split_whitespace().collect();
    let valid = digits.len() <= PREFIX_DIGITS_MAX
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    valid.then_some(digits)
}

fn is_taken(error: &Error<CreateRejection>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("route_prefix_unique") || constraint.contains("route.prefix")
    })
}

#[cfg(test)]
mod tests {
    use super::prefix_digits;

    #[test]
    fn a_prefix_is_a_plus_sign_and_digits() {
        for (prefix, read) in [
            ("+44", Some("44")),
            (" +44 77 ", Some("4477")),
            ("+", Some("")),
            ("+123456789012345", Some("123456789012345")),
            ("+1234567890123456", None),
            ("+044", None),
            ("44", None),
            ("+4a", None),
            ("", None),
        ] {
            assert_eq!(prefix_digits(prefix).as_deref(), read, "{prefix}");
        }
    }
}
