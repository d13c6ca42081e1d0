//! Making, changing and removing rate cards, and giving them to accounts.

use entity::enums::BillingTerms;
use entity::ids::{AccountId, RateCardId};
use entity::rate_card::{ActiveModel, Column, Entity, Model};
use entity::time::UnixMillis;
use entity::{account, billing_account, rate};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, Set, Unchanged,
};

use super::{NAME_CHARS_MAX, RATE_CARDS_MAX};
use crate::authz::Action;
use crate::billing::queries::Terms;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, Failed, violated_constraint};
use crate::events::Topic;
use crate::types::money::Currency;

/// A rate card to be made.
#[derive(Clone, Debug)]
pub struct NewRateCard {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// What its prices are in.
    pub currency: Currency,
    /// Whether accounts of the currency without a card of their own have it.
    pub is_default: bool,
}

/// What of a card is to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct RateCardChange {
    /// Another name.
    pub name: Option<String>,
    /// Whether it is its currency's default. The one that was it before is it no more.
    pub is_default: Option<bool>,
}

/// Why a card cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateRateCardRejection {
    /// Empty or too long.
    #[error("a rate card's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// Another card has it.
    #[error("there is a rate card of this name already")]
    NameTaken,
    /// There are [`RATE_CARDS_MAX`].
    #[error("there are as many rate cards as there may be: {RATE_CARDS_MAX}")]
    TooMany,
}

/// Why a card cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRateCardRejection {
    /// There is none with this id.
    #[error("there is no such rate card")]
    NotFound,
    /// Empty or too long.
    #[error("a rate card's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// Another card has it.
    #[error("there is a rate card of this name already")]
    NameTaken,
}

/// Why a card cannot be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRateCardRejection {
    /// There is none with this id.
    #[error("there is no such rate card")]
    NotFound,
    /// Accounts or plans have it, or it is its currency's default.
    #[error("accounts or plans have this rate card, or it is its currency's default")]
    InUse,
}

/// Why an account cannot be given a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignRateCardRejection {
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// There is no such card.
    #[error("there is no such rate card")]
    NoSuchCard,
    /// The account is charged in another currency than the card's.
    #[error("the account is charged in another currency than the rate card's")]
    OtherCurrency,
}

/// Makes an empty rate card. Not idempotent: a second card of the name is refused.
///
/// # Errors
/// [`CreateRateCardRejection`], or a failure.
pub async fn create(ctx: &Ctx, new: NewRateCard) -> Result<Model, Error<CreateRateCardRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let name =
        valid_name(&new.name).ok_or(Error::Rejected(CreateRateCardRejection::InvalidName))?;
    let row = new_row(ctx, name, new.currency, new.is_default);
    let inserted = &row;
    let created = ctx
        .db
        .write(|tx| async move {
            if Entity::find().count(&*tx).await? >= RATE_CARDS_MAX {
                return Err(Error::Rejected(CreateRateCardRejection::TooMany));
            }
            insert(&tx, inserted).await?;
            Ok(())
        })
        .await;
    created.map_err(|error| {
        if is_name_taken(&error) {
            Error::Rejected(CreateRateCardRejection::NameTaken)
        } else {
            error
        }
    })?;
    ctx.doorbell.ring(Topic::Prices);
    Ok(row)
}

/// Changes a rate card's name, or whether it is its currency's default.
///
/// # Errors
/// [`ChangeRateCardRejection`], or a failure.
pub async fn change(
    ctx: &Ctx,
    id: RateCardId,
    change: RateCardChange,
) -> Result<Model, Error<ChangeRateCardRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let name = match &change.name {
        None => None,
        Some(name) => {
            Some(valid_name(name).ok_or(Error::Rejected(ChangeRateCardRejection::InvalidName))?)
        }
    };
    let (name, is_default, now) = (&name, change.is_default, ctx.clock.now());
    let changed = ctx
        .db
        .write(|tx| async move {
            let card = touch(&tx, id, now).await?;
            let card = card.ok_or(Error::Rejected(ChangeRateCardRejection::NotFound))?;
            if is_default == Some(true) {
                clear_default(&tx, &card.currency, id, now).await?;
            }
            let row = ActiveModel {
                id: Unchanged(id),
                name: name.clone().map_or(Unchanged(card.name), Set),
                is_default: is_default.map_or(Unchanged(card.is_default), Set),
                version: Unchanged(card.version),
                currency: Unchanged(card.currency),
                created_at_ms: Unchanged(card.created_at_ms),
                updated_at_ms: Set(now),
            };
            Ok(row.update(&*tx).await?)
        })
        .await;
    let changed = changed.map_err(|error| {
        if is_name_taken(&error) {
            Error::Rejected(ChangeRateCardRejection::NameTaken)
        } else {
            error
        }
    })?;
    ctx.doorbell.ring(Topic::Prices);
    Ok(changed)
}

/// Removes a rate card with its rates.
///
/// # Errors
/// [`DeleteRateCardRejection`], or a failure.
pub async fn delete(
    ctx: &Ctx,
    id: RateCardId,
) -> Result<RateCardId, Error<DeleteRateCardRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let now = ctx.clock.now();
    let deleted = ctx
        .db
        .write(|tx| async move {
            let card = touch(&tx, id, now).await?;
            let card = card.ok_or(Error::Rejected(DeleteRateCardRejection::NotFound))?;
            if card.is_default {
                return Err(Error::Rejected(DeleteRateCardRejection::InUse));
            }
            let of_card = rate::Column::RateCardId.eq(id);
            rate::Entity::delete_many().filter(of_card).exec(&*tx).await?;
            // Who has it is the store's to know: the references refuse.
            Entity::delete_by_id(id).exec(&*tx).await?;
            Ok(())
        })
        .await;
    deleted.map_err(|error| {
        if is_referred_to(&error) { Error::Rejected(DeleteRateCardRejection::InUse) } else { error }
    })?;
    ctx.doorbell.ring(Topic::Prices);
    Ok(id)
}

/// Gives an account a rate card, or with none takes it back: then it has its currency's default.
/// Messages that were accepted keep their price. Idempotent.
///
/// # Errors
/// [`AssignRateCardRejection`], or a failure.
pub async fn assign(
    ctx: &Ctx,
    account_id: AccountId,
    card: Option<RateCardId>,
) -> Result<Terms, Error<AssignRateCardRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    ctx.db.write(|tx| async move { write_assignment(ctx, &tx, account_id, card).await }).await
}

async fn write_assignment(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    card: Option<RateCardId>,
) -> Result<Terms, Error<AssignRateCardRejection>> {
    let rejected = |rejection| Err(Error::Rejected(rejection));
    if account::Entity::find_by_id(account_id).one(&**tx).await?.is_none() {
        return rejected(AssignRateCardRejection::NoSuchAccount);
    }
    let card_currency = match card {
        None => None,
        Some(id) => match Entity::find_by_id(id).one(&**tx).await? {
            None => return rejected(AssignRateCardRejection::NoSuchCard),
            Some(card) => Some(card.currency.parse::<Currency>().map_err(Failed::internal)?),
        },
    };
    let now = ctx.clock.now();
    let Some(found) = billing_account::Entity::find_by_id(account_id).one(&**tx).await? else {
        let currency = card_currency.unwrap_or(ctx.settings.billing.currency);
        let row = billing_account::Model {
            account_id,
            currency: currency.as_str().to_owned(),
            terms: BillingTerms::Prepaid,
            rate_card_id: card,
            suspended_at_ms: None,
            version: 1,
            created_at_ms: now,
            updated_at_ms: now,
            packages_until_ms: None,
        };
        let insert = billing_account::Entity::insert(row.clone().into_active_model());
        insert.exec_without_returning(&**tx).await?;
        let terms = row.terms;
        let (suspended_at, packages_until) = (None, None);
        return Ok(Terms { currency, terms, rate_card_id: card, suspended_at, packages_until });
    };
    let currency: Currency = found.currency.parse().map_err(Failed::internal)?;
    if card_currency.is_some_and(|wanted| wanted != currency) {
        return rejected(AssignRateCardRejection::OtherCurrency);
    }
    if found.rate_card_id != card {
        let row = billing_account::ActiveModel {
            account_id: Unchanged(account_id),
            rate_card_id: Set(card),
            version: Set(found.version + 1),
            updated_at_ms: Set(now),
            ..Default::default()
        };
        billing_account::Entity::update(row).exec(&**tx).await?;
    }
    Ok(Terms {
        currency,
        terms: found.terms,
        rate_card_id: card,
        suspended_at: found.suspended_at_ms,
        packages_until: found.packages_until_ms,
    })
}

/// A card with an id of its own.
pub(super) fn new_row(ctx: &Ctx, name: String, currency: Currency, is_default: bool) -> Model {
    let now = ctx.clock.now();
    Model {
        id: ctx.ids.next(),
        name,
        currency: currency.as_str().to_owned(),
        is_default,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    }
}

/// Inserts a card, which takes the default over if it is to be it.
pub(super) async fn insert(tx: &Tx, row: &Model) -> Result<(), DbErr> {
    if row.is_default {
        clear_default(tx, &row.currency, row.id, row.created_at_ms).await?;
    }
    Entity::insert(row.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Gives a card a new version, and with it locks it; none if there is no such card.
pub(super) async fn touch(
    tx: &Tx,
    id: RateCardId,
    now: UnixMillis,
) -> Result<Option<Model>, DbErr> {
    let touched = Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAtMs, Expr::val(now.0))
        .filter(Column::Id.eq(id))
        .exec_with_returning(&**tx)
        .await?;
    Ok(touched.into_iter().next())
}

/// Makes no other card of the currency its default.
pub(super) async fn clear_default(
    tx: &Tx,
    currency: &str,
    but: RateCardId,
    now: UnixMillis,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::IsDefault, Expr::val(false))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAtMs, Expr::val(now.0))
        .filter(Column::Currency.eq(currency))
        .filter(Column::IsDefault.eq(true))
        .filter(Column::Id.ne(but))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// A name without the blanks around it, if it is one.
pub(super) fn valid_name(name: &str) -> Option<String> {
    let name = name.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    (fits && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

fn is_name_taken<R: Send>(error: &Error<R>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("rate_card_name_unique") || constraint.contains("rate_card.name")
    })
}

fn is_referred_to<R: Send>(error: &Error<R>) -> bool {
    let refused = |error: &DbErr| {
        matches!(error.sql_err(), Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)))
    };
    error.store_error().is_some_and(refused)
}
