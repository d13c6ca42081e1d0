//! Amounts in the contract.

use async_graphql::SimpleObject;

use super::errors::Answer;
use super::scalars::{CurrencyCode, Decimal};
use crate::error::Failed;
use crate::types::money::{Currency, Micros};

/// An amount of money, exact.
#[derive(SimpleObject, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// How much, in the currency's major unit: `"12.50"` are twelve dollars and a half.
    amount: Decimal,
    /// Of what.
    currency: CurrencyCode,
}

impl Money {
    /// An amount of a currency.
    pub const fn new(amount: Micros, currency: Currency) -> Self {
        Self { amount: Decimal(amount), currency: CurrencyCode(currency) }
    }

    /// An amount as a row has it.
    ///
    /// # Errors
    /// If the row has no currency's code: a fault of ours.
    pub fn stored(amount_micros: i64, currency: &str) -> Answer<Self> {
        let currency = currency.parse().map_err(Failed::internal)?;
        Ok(Self::new(Micros(amount_micros), currency))
    }
}
