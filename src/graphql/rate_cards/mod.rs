//! Rate cards in the contract. Behaviour: `crate::billing::rate_cards`.

mod mutations;
mod rates;

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use entity::rate_card::Model;

pub use mutations::{
    AssignRateCardError, CreateRateCardError, DeleteRateCardError, RateCardsMutation,
    UpdateRateCardError,
};
pub use rates::{FaultyLine, ImportRatesError, RatesMutation, RemoveRatesError, SetRatesError};

use super::billing::BillingTerms;
use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::identity::Account;
use super::ids::show_id;
use super::loaders::{AccountRow, RateCardRow, load};
use super::messages::enums::MessageClass;
use super::scalars::{CurrencyCode, Cursor, DateTime, PartPrice};
use crate::billing::Terms;
use crate::billing::rate_cards::{self, RateKey};
use crate::error::Failed;
use crate::types::cursor::CursorKind;
use crate::types::price;

/// A rate card.
#[derive(Clone, Debug)]
pub struct RateCard(pub Model);

/// A list of what a part costs, by prefix, class and time. An account pays by the card that it was
/// given, else by its currency's default card, else the price of the settings. Read by the
/// operator's owners, admins and billing.
#[Object]
impl RateCard {
    /// The card's id, `rate_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, unique, 1 to 100 characters.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What its prices are in.
    async fn currency(&self) -> Answer<CurrencyCode> {
        Ok(CurrencyCode(self.0.currency.parse().map_err(Failed::internal)?))
    }

    /// Whether accounts of the currency without a card of their own have this one.
    async fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// Its rates, in the order of their prefixes, classes and times.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn rates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Rate>> {
        let (ctx, kind) = (call(context)?, CursorKind::Rates);
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = rate_cards::rates_page(ctx, self.0.id, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(rate_cards::rates_count(ctx, self.0.id).await?),
            false => None,
        };
        let page = page.map(|row| {
            let key = RateKey::of(&row);
            (key.to_position(), Rate::new(key, row.price_nanos))
        });
        Ok(Connection::new(kind, page, total))
    }

    /// Grows by one with every change, of its rates too: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it or its rates last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// What a part costs to numbers that begin with a prefix. The longest prefix wins, within it a rate
/// of the message's class before one of all, and of those the latest that is in force. A rate is
/// known by its prefix, class and time.
#[derive(SimpleObject, Clone, Debug)]
pub struct Rate {
    /// What the numbers begin with: a plus sign and 0 to 15 digits; `+` alone stands for all.
    prefix: String,
    /// Which messages; null: of every class.
    class: Option<MessageClass>,
    /// For messages that are accepted from this time on.
    effective_from: DateTime,
    /// Of a part, in the card's currency.
    price: PartPrice,
}

impl Rate {
    fn new(key: RateKey, price_nanos: i64) -> Self {
        Self {
            prefix: key.prefix.to_string(),
            class: key.class.map(Into::into),
            effective_from: key.effective_from.into(),
            // What is stored was a price when it was written.
            price: PartPrice(price::PartPrice::from_nanos(price_nanos).unwrap_or_default()),
        }
    }
}

/// How an account pays, and by which prices.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub struct AccountTerms {
    /// What it is charged in.
    currency: CurrencyCode,
    /// When it pays.
    terms: BillingTerms,
    /// Since when it may not send, because an invoice was not paid; null: it may, as far as money
    /// goes.
    sending_suspended_at: Option<DateTime>,
    #[graphql(skip)]
    account_id: entity::ids::AccountId,
    #[graphql(skip)]
    rate_card_id: Option<entity::ids::RateCardId>,
}

impl AccountTerms {
    /// The terms of an account.
    pub fn new(account_id: entity::ids::AccountId, terms: Terms) -> Self {
        Self {
            currency: CurrencyCode(terms.currency),
            terms: terms.terms.into(),
            sending_suspended_at: terms.suspended_at.map(Into::into),
            account_id,
            rate_card_id: terms.rate_card_id,
        }
    }
}

#[ComplexObject]
impl AccountTerms {
    /// Whose these are.
    async fn account(&self, context: &Context<'_>) -> Answer<Option<Account>> {
        Ok(load(context, AccountRow(self.account_id)).await?.map(Account))
    }

    /// The prices that it was given; null: its currency's default card, or the price of the settings.
    async fn rate_card(&self, context: &Context<'_>) -> Answer<Option<RateCard>> {
        let Some(id) = self.rate_card_id else { return Ok(None) };
        Ok(load(context, RateCardRow(id)).await?.map(RateCard))
    }
}

/// Reads.
#[derive(Default)]
pub struct RateCardsQuery;

#[Object]
impl RateCardsQuery {
    /// All rate cards, newest first. For the operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn rate_cards(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<RateCard>> {
        let (ctx, kind) = (call(context)?, CursorKind::RateCards);
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = rate_cards::page(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(rate_cards::count(ctx).await?),
            false => None,
        };
        let page = page.map(|row| (row.id, RateCard(row)));
        Ok(Connection::new(kind, page, total))
    }
}
