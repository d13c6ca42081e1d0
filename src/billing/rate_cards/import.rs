//! Putting a price list into a rate card, whole or not at all.

use std::io::BufRead;

use entity::ids::RateCardId;
use entity::rate;
use entity::rate_card::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::commands::{clear_default, insert, new_row, touch, valid_name};
use super::model::NewRate;
use super::price_list::{self, PriceListFault};
use super::rates::{is_full, upsert};
use super::{NAME_CHARS_MAX, RATES_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::events::Topic;
use crate::types::money::Currency;

/// Octets of a price list that comes in a request: it has to fit into one with the rest of it.
const TEXT_BYTES_MAX: usize = 200 * 1_024;

/// Where a price list goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// Into a card that is there.
    Card(RateCardId),
    /// Into the card of this name, which is made if there is none.
    Named {
        /// 1 to 100 characters.
        name: String,
        /// What its prices are in.
        currency: Currency,
        /// Whether it becomes its currency's default; else it stays what it is.
        becomes_default: bool,
    },
}

/// What happens to the rates that the card has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// They stay, and those that the list names as well get its price.
    Keep,
    /// They go.
    Replace,
}

/// What was put in.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The card as it is then.
    pub card: Model,
    /// How many rates the list had.
    pub rates: usize,
}

/// Why nothing was put in.
#[derive(Debug, thiserror::Error)]
pub enum ImportRejection {
    /// There is no such card.
    #[error("there is no such rate card")]
    NoSuchCard,
    /// Empty or too long.
    #[error("a rate card's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// The card's prices are in another currency.
    #[error("the rate card of this name is in {0}")]
    OtherCurrency(String),
    /// It came in a request and is too long for one.
    #[error("a price list in a request has at most 200 KiB; import longer ones from a shell")]
    TooLong,
    /// Something is wrong with the list.
    #[error(transparent)]
    List(#[from] PriceListFault),
    /// All cards together have [`RATES_MAX`].
    #[error("there are as many rates as there may be: {RATES_MAX}")]
    Full,
}

/// Reads a price list and puts it into a card, in one transaction. Idempotent, but that what has no
/// `effective_from` is in force from the time of the call on, and that the card gets a new version.
///
/// # Errors
/// [`ImportRejection`], or a failure; nothing was changed then.
pub async fn import(
    ctx: &Ctx,
    target: Target,
    list: impl BufRead,
    present: Present,
) -> Result<Imported, Error<ImportRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let target = checked(ctx, target)?;
    let rates = price_list::read(list, ctx.clock.now());
    let rates = rates.map_err(|fault| Error::Rejected(fault.into()))?;
    let (target, list) = (&target, &rates);
    let card = ctx
        .db
        .write(|tx| async move {
            let card = open(ctx, &tx, target).await?;
            write(&tx, &card, list, present).await?;
            Ok::<_, Error<ImportRejection>>(card)
        })
        .await?;
    ctx.doorbell.ring(Topic::Prices);
    Ok(Imported { card, rates: rates.len() })
}

/// [`import`] of a list that came in a request, of at most 200 KiB.
///
/// # Errors
/// As [`import`].
pub async fn import_text(
    ctx: &Ctx,
    target: Target,
    list: &str,
    present: Present,
) -> Result<Imported, Error<ImportRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    if list.len() > TEXT_BYTES_MAX {
        return Err(Error::Rejected(ImportRejection::TooLong));
    }
    import(ctx, target, list.as_bytes(), present).await
}

/// A target whose name is one, with the card that is made if there is none.
enum Checked {
    Card(RateCardId),
    Named { new: Model, becomes_default: bool },
}

fn checked(ctx: &Ctx, target: Target) -> Result<Checked, Error<ImportRejection>> {
    Ok(match target {
        Target::Card(id) => Checked::Card(id),
        Target::Named { name, currency, becomes_default } => {
            let name = valid_name(&name).ok_or(Error::Rejected(ImportRejection::InvalidName))?;
            Checked::Named { new: new_row(ctx, name, currency, becomes_default), becomes_default }
        }
    })
}

/// The card, locked, with its new version.
async fn open(ctx: &Ctx, tx: &Tx, target: &Checked) -> Result<Model, Error<ImportRejection>> {
    let now = ctx.clock.now();
    let gone = || Error::Rejected(ImportRejection::NoSuchCard);
    match target {
        Checked::Card(id) => touch(tx, *id, now).await?.ok_or_else(gone),
        Checked::Named { new, becomes_default } => {
            let named = Entity::find().filter(Column::Name.eq(&new.name)).one(&**tx).await?;
            let Some(found) = named else {
                insert(tx, new).await?;
                return Ok(new.clone());
            };
            if found.currency != new.currency {
                return Err(Error::Rejected(ImportRejection::OtherCurrency(found.currency)));
            }
            let mut card = touch(tx, found.id, now).await?.ok_or_else(gone)?;
            if *becomes_default && !card.is_default {
                clear_default(tx, &card.currency, card.id, now).await?;
                Entity::update_many()
                    .col_expr(Column::IsDefault, Expr::val(true))
                    .filter(Column::Id.eq(card.id))
                    .exec(&**tx)
                    .await?;
                card.is_default = true;
            }
            Ok(card)
        }
    }
}

async fn write(
    tx: &Tx,
    card: &Model,
    rates: &[NewRate],
    present: Present,
) -> Result<(), Error<ImportRejection>> {
    if present == Present::Replace {
        let of_card = rate::Column::RateCardId.eq(card.id);
        rate::Entity::delete_many().filter(of_card).exec(&**tx).await?;
    }
    upsert(tx, card.id, rates).await?;
    if is_full(tx).await? {
        return Err(Error::Rejected(ImportRejection::Full));
    }
    Ok(())
}
