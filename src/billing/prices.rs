//! Prices: which part to where costs what. The longest prefix wins, within it the rate for the
//! class before the one for all, and of those the latest that is in force.

use std::collections::HashMap;
use std::sync::Arc;

use entity::enums::MessageClass;
use entity::ids::RateCardId;
use entity::time::UnixMillis;
use entity::{rate, rate_card};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tokio::sync::{Mutex, watch};

use crate::config::Settings;
use crate::db::Db;
use crate::events::{Doorbell, POLL_INTERVAL, Topic};
use crate::sys::Clock;
use crate::types::money::Currency;
use crate::types::price::PartPrice;

/// Digits of a prefix.
const PREFIX_DIGITS_MAX: usize = 15;
/// The stored class of a rate for all classes.
pub(super) const ALL_CLASSES: i16 = -1;

/// A rate as the table keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    class: i16,
    from: UnixMillis,
    price: PartPrice,
}

/// One card's rates by prefix.
#[derive(Debug, Default)]
struct Card {
    rates: HashMap<u64, Vec<Rate>>,
}

/// A card with the version that it was read in.
type ReadCard = (i32, Arc<Card>);

/// The prices of all rate cards.
#[derive(Clone, Debug, Default)]
pub struct PriceTable {
    cards: HashMap<RateCardId, ReadCard>,
    defaults: HashMap<Currency, RateCardId>,
    /// What a part costs where no card says so.
    fallback: Option<(Currency, PartPrice)>,
}

impl PriceTable {
    /// The price of a part to `digits` (E.164 without the plus sign): by the card given, else by the
    /// currency's default card, else the price of the settings. None: it has no price.
    pub fn price(
        &self,
        card: Option<RateCardId>,
        currency: Currency,
        digits: &str,
        class: MessageClass,
        now: UnixMillis,
    ) -> Option<PartPrice> {
        let card = card.or_else(|| self.defaults.get(&currency).copied());
        match card {
            Some(id) => self.cards.get(&id)?.1.price(digits, class, now),
            None => self.fallback.filter(|(unit, _)| *unit == currency).map(|(_, price)| price),
        }
    }
}

impl Card {
    fn new(rows: Vec<rate::Model>) -> Self {
        let mut card = Self::default();
        for row in rows {
            let (Some(prefix), Some(price)) =
                (key(row.prefix.as_bytes()), PartPrice::from_nanos(row.price_nanos))
            else {
                continue;
            };
            let rate = Rate { class: row.class, from: row.effective_from_ms, price };
            card.rates.entry(prefix).or_default().push(rate);
        }
        card
    }

    fn price(&self, digits: &str, class: MessageClass, now: UnixMillis) -> Option<PartPrice> {
        let digits = &digits.as_bytes()[..digits.len().min(PREFIX_DIGITS_MAX)];
        (0..=digits.len()).rev().find_map(|length| {
            let rates = self.rates.get(&key(&digits[..length])?)?;
            let in_force = rates.iter().filter(|rate| {
                rate.from <= now && (rate.class == class.code() || rate.class == ALL_CLASSES)
            });
            in_force.max_by_key(|rate| (rate.class, rate.from)).map(|rate| rate.price)
        })
    }
}

/// A prefix as a number, with a 1 before it so that its zeros count.
fn key(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(1u64, |key, digit| {
        digit.is_ascii_digit().then(|| key * 10 + u64::from(digit - b'0'))
    })
}

/// The prices of this node, read again when they change. Cheap to clone.
#[derive(Clone)]
pub struct Prices(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    fallback: Option<(Currency, PartPrice)>,
    state: Mutex<State>,
}

struct State {
    bell: watch::Receiver<u64>,
    read: Option<(Arc<PriceTable>, UnixMillis)>,
}

impl std::fmt::Debug for Prices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prices")
    }
}

impl Prices {
    /// Nothing is read before the first question.
    pub fn new(db: Db, clock: Clock, doorbell: &Doorbell, settings: &Settings) -> Self {
        let state = Mutex::new(State { bell: doorbell.listen(Topic::Prices), read: None });
        let fallback =
            settings.billing.default_price().map(|price| (settings.billing.currency, price));
        Self(Arc::new(Inner { db, clock, fallback, state }))
    }

    /// The prices as they are now: at once on the node that changed them, within
    /// [`POLL_INTERVAL`] elsewhere. Reads only the cards whose version is new.
    ///
    /// # Errors
    /// The store's own.
    pub async fn current(&self) -> Result<Arc<PriceTable>, DbErr> {
        let mut state = self.0.state.lock().await;
        let now = self.0.clock.now();
        // An error means that the doorbell is gone, and with it the process.
        let rung = state.bell.has_changed().unwrap_or(true);
        if let Some((table, read_at)) = &state.read
            && !rung
            && u128::from(now.since(*read_at).unsigned_abs()) < POLL_INTERVAL.as_millis()
        {
            return Ok(Arc::clone(table));
        }
        // Before the reading: what rings during it is not lost.
        state.bell.borrow_and_update();
        let before = state.read.as_ref().map(|(table, _)| Arc::clone(table)).unwrap_or_default();
        let table = Arc::new(self.read(&before).await?);
        state.read = Some((Arc::clone(&table), now));
        Ok(table)
    }

    async fn read(&self, before: &PriceTable) -> Result<PriceTable, DbErr> {
        let reader = self.0.db.reader();
        let mut table = PriceTable { fallback: self.0.fallback, ..PriceTable::default() };
        for card in rate_card::Entity::find().all(reader).await? {
            if let (true, Ok(currency)) = (card.is_default, card.currency.parse()) {
                table.defaults.insert(currency, card.id);
            }
            let known = before.cards.get(&card.id).filter(|(version, _)| *version == card.version);
            let read = match known {
                Some((version, rates)) => (*version, Arc::clone(rates)),
                None => {
                    let of_card = rate::Column::RateCardId.eq(card.id);
                    let rows = rate::Entity::find().filter(of_card).all(reader).await?;
                    (card.version, Arc::new(Card::new(rows)))
                }
            };
            table.cards.insert(card.id, read);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const CARD: RateCardId = RateCardId(Uuid::nil());

    fn row(prefix: &str, class: i16, from: i64, price_nanos: i64) -> rate::Model {
        rate::Model {
            rate_card_id: CARD,
            prefix: prefix.to_owned(),
            class,
            effective_from_ms: UnixMillis(from),
            price_nanos,
        }
    }

    #[test]
    fn the_longest_prefix_then_the_class_then_the_latest_in_force_wins() {
        let card = Card::new(vec![
            row("", ALL_CLASSES, 0, 90),
            row("44", ALL_CLASSES, 0, 40),
            row("44", ALL_CLASSES, 100, 41),
            row("44", MessageClass::Otp.code(), 0, 60),
            row("4474", MessageClass::Marketing.code(), 0, 30),
        ]);
        for (digits, class, now, nanos) in [
            ("15551230000", MessageClass::Otp, 0, Some(90)),
            ("447400123456", MessageClass::Transactional, 99, Some(40)),
            ("447400123456", MessageClass::Transactional, 100, Some(41)),
            ("447400123456", MessageClass::Otp, 100, Some(60)),
            ("447400123456", MessageClass::Marketing, 100, Some(30)),
            ("447400123456", MessageClass::Otp, -1, None),
        ] {
            let price = card.price(digits, class, UnixMillis(now)).map(PartPrice::nanos);
            assert_eq!(price, nanos, "{digits} {class:?} {now}");
        }
    }

    #[test]
    fn a_prefix_with_leading_zeros_is_its_own() {
        assert_ne!(key(b"0"), key(b""));
        assert_ne!(key(b"00"), key(b"0"));
        assert_eq!(key(b"4a"), None);
    }
}
