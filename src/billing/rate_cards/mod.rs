//! Rate cards: named lists of what a part costs, in one currency, by prefix, class and time.
//!
//! - An account has the card that it was given, or its currency's default card, or none.
//! - A rate is known by its card, prefix, class and the time from which it is in force. The past is
//!   not rewritten: a message keeps the price that it was accepted at.
//! - Every change of a card's rates gives the card a new version and rings for the prices, which
//!   read a card again when its version is new.
//!
//! Not here: finding a price (`super::prices`).

mod commands;
mod import;
mod model;
mod price_list;
mod queries;
mod rates;

pub use commands::{
    AssignRateCardRejection, ChangeRateCardRejection, CreateRateCardRejection,
    DeleteRateCardRejection, NewRateCard, RateCardChange, assign, change, create, delete,
};
pub use import::{ImportRejection, Imported, Present, Target, import, import_text};
pub use model::{NewRate, Prefix, RateFault, RateKey};
pub(in crate::billing) use price_list::Lines;
pub use price_list::{
    FAULTS_SHOWN_MAX, FaultyLines, LINES_MAX, LineFault, PriceListFault, read as read_price_list,
};
pub use queries::{count, find_many, page, rates_count, rates_page};
pub use rates::{
    RATES_OF_CALL_MAX, RateKeyText, RateText, RatesRejection, remove_rates, set_rates,
};

/// Characters of a card's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Cards of a platform: one a customer of a large one.
pub const RATE_CARDS_MAX: u64 = 1_000;
/// Rates of all cards together: every node keeps them in memory, some 100 bytes each.
pub const RATES_MAX: u64 = 2_000_000;
