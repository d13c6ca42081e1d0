//! Setting and removing rates of a card, all of a call or none.

use std::collections::HashSet;

use entity::enums::MessageClass;
use entity::ids::RateCardId;
use entity::rate::Entity;
use entity::rate_card::Model as RateCard;
use entity::time::UnixMillis;
use sea_orm::{DbErr, EntityTrait, PaginatorTrait};

use super::RATES_MAX;
use super::commands::touch;
use super::model::{NewRate, RateFault, RateKey};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::error::Error;
use crate::events::Topic;
use crate::types::price::PartPrice;

/// Rates of one call: what one answer can speak of, and some 100 KiB of request.
pub const RATES_OF_CALL_MAX: usize = 1_000;
/// Rates of one statement: arrays of some hundred KiB.
const RATES_OF_STATEMENT_MAX: usize = 10_000;

/// A rate as its setter names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateText {
    /// `+44`.
    pub prefix: String,
    /// Which class; none for all.
    pub class: Option<MessageClass>,
    /// From when on; none: from now.
    pub effective_from: Option<UnixMillis>,
    /// Of a part.
    pub price: PartPrice,
}

/// What a rate is known by, as its remover names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateKeyText {
    /// `+44`.
    pub prefix: String,
    /// Which class; none for the rate of all.
    pub class: Option<MessageClass>,
    /// Its time.
    pub effective_from: UnixMillis,
}

/// Why rates were not set or removed; then none was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RatesRejection {
    /// There is no such card.
    #[error("there is no such rate card")]
    NoSuchCard,
    /// No rate was named.
    #[error("name at least one rate")]
    Empty,
    /// More than [`RATES_OF_CALL_MAX`].
    #[error("at most {RATES_OF_CALL_MAX} rates go into one call")]
    TooMany,
    /// Some are no rates, or come again: their places, and what is wrong.
    #[error("{} of them cannot be", .0.len())]
    Invalid(Vec<(usize, RateFault)>),
    /// All cards together have [`RATES_MAX`].
    #[error("there are as many rates as there may be: {RATES_MAX}")]
    Full,
}

/// Sets rates of a card: those that are there get the new price. Idempotent, but that the card gets
/// a new version.
///
/// # Errors
/// [`RatesRejection`], or a failure.
pub async fn set_rates(
    ctx: &Ctx,
    id: RateCardId,
    rates: Vec<RateText>,
) -> Result<RateCard, Error<RatesRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let now = ctx.clock.now();
    let named = rates.iter().map(|rate| (&rate.prefix, rate.class, rate.effective_from));
    let keys = read_keys(named, now)?;
    let prices = rates.iter().map(|rate| rate.price);
    let rates: Vec<_> =
        keys.into_iter().zip(prices).map(|(key, price)| NewRate { key, price }).collect();
    let rates = &rates;
    let card = ctx
        .db
        .write(|tx| async move {
            let card = touch(&tx, id, now).await?;
            let card = card.ok_or(Error::Rejected(RatesRejection::NoSuchCard))?;
            upsert(&tx, id, rates).await?;
            if is_full(&tx).await? {
                return Err(Error::Rejected(RatesRejection::Full));
            }
            Ok(card)
        })
        .await?;
    ctx.doorbell.ring(Topic::Prices);
    Ok(card)
}

/// Removes rates of a card, and says how many there were. What is not there is passed over.
///
/// # Errors
/// [`RatesRejection`], or a failure.
pub async fn remove_rates(
    ctx: &Ctx,
    id: RateCardId,
    keys: Vec<RateKeyText>,
) -> Result<(RateCard, u64), Error<RatesRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let now = ctx.clock.now();
    let named = keys.iter().map(|key| (&key.prefix, key.class, Some(key.effective_from)));
    let keys = &read_keys(named, now)?;
    let (card, removed) = ctx
        .db
        .write(|tx| async move {
            let card = touch(&tx, id, now).await?;
            let card = card.ok_or(Error::Rejected(RatesRejection::NoSuchCard))?;
            Ok::<_, Error<_>>((card, remove(&tx, id, keys).await?))
        })
        .await?;
    ctx.doorbell.ring(Topic::Prices);
    Ok((card, removed))
}

type NamedKey<'a> = (&'a String, Option<MessageClass>, Option<UnixMillis>);

fn read_keys<'a>(
    named: impl ExactSizeIterator<Item = NamedKey<'a>>,
    now: UnixMillis,
) -> Result<Vec<RateKey>, Error<RatesRejection>> {
    match named.len() {
        0 => return Err(Error::Rejected(RatesRejection::Empty)),
        1..=RATES_OF_CALL_MAX => {}
        _ => return Err(Error::Rejected(RatesRejection::TooMany)),
    }
    let (mut keys, mut seen, mut faults) = (Vec::new(), HashSet::new(), Vec::new());
    for (place, (prefix, class, from)) in named.enumerate() {
        let effective_from = from.unwrap_or(now);
        match prefix.parse().map(|prefix| RateKey { prefix, class, effective_from }) {
            Err(fault) => faults.push((place, fault)),
            Ok(key) if !seen.insert(key.clone()) => faults.push((place, RateFault::Repeated)),
            Ok(key) => keys.push(key),
        }
    }
    if faults.is_empty() { Ok(keys) } else { Err(Error::Rejected(RatesRejection::Invalid(faults))) }
}

const RATE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("prefix", BulkType::Text),
    BulkColumn::new("class", BulkType::SmallInt),
    BulkColumn::new("effective_from_ms", BulkType::BigInt),
    BulkColumn::new("price_nanos", BulkType::BigInt),
];

/// Writes rates, each key at most once among them.
pub(super) async fn upsert(tx: &Tx, id: RateCardId, rates: &[NewRate]) -> Result<(), DbErr> {
    let sql = "INSERT INTO rate (rate_card_id, prefix, class, effective_from_ms, price_nanos) \
        SELECT {1}, prefix, class, effective_from_ms, price_nanos FROM rows WHERE true \
        ON CONFLICT (rate_card_id, prefix, class, effective_from_ms) \
        DO UPDATE SET price_nanos = excluded.price_nanos";
    for rates in rates.chunks(RATES_OF_STATEMENT_MAX) {
        let mut rows = Bulk::new(RATE_COLUMNS);
        for NewRate { key, price } in rates {
            rows.push([
                key.prefix.digits().into(),
                key.class_code().into(),
                key.effective_from.0.into(),
                price.nanos().into(),
            ]);
        }
        rows.execute(tx, sql, vec![id.0.into()]).await?;
    }
    Ok(())
}

const KEY_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("prefix", BulkType::Text),
    BulkColumn::new("class", BulkType::SmallInt),
    BulkColumn::new("effective_from_ms", BulkType::BigInt),
];

async fn remove(tx: &Tx, id: RateCardId, keys: &[RateKey]) -> Result<u64, DbErr> {
    let mut rows = Bulk::new(KEY_COLUMNS);
    for key in keys {
        rows.push([
            key.prefix.digits().into(),
            key.class_code().into(),
            key.effective_from.0.into(),
        ]);
    }
    let sql = "DELETE FROM rate WHERE rate_card_id = {1} AND (prefix, class, effective_from_ms) \
        IN (SELECT prefix, class, effective_from_ms FROM rows)";
    rows.execute(tx, sql, vec![id.0.into()]).await
}

/// Whether there are more rates than there may be.
pub(super) async fn is_full(tx: &Tx) -> Result<bool, DbErr> {
    Ok(Entity::find().count(&**tx).await? > RATES_MAX)
}
