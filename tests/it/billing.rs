//! Money: what messages cost, who may spend how much, and that the books say so.

mod holds;
mod ledger;
mod plans;
mod rate_cards;
pub mod scripted_carrier;
mod statements;
mod vouchers;

use std::sync::Arc;

use entity::enums::KeyMode;
use entity::ids::{AccountId, MessageId};
use heliograph::billing::{self, Balance, CreditChange};
use heliograph::carriers::registry::{self, SIMULATOR_CARRIER_ID};
use heliograph::ctx::Ctx;
use heliograph::messages::NewMessage;
use heliograph::messages::commands::{self, SendOutcome, Tables};
use heliograph::routing::RouteTable;
use heliograph::senders;
use heliograph::types::money::Micros;

use crate::graphql_api::{account, key};
use crate::messages::{batch, to};
use crate::support::TestHouse;

/// What a part costs by the settings' default: 0.01.
pub const PART: i64 = 10_000;

/// An account that has so much and no credit, and sends to carriers for real.
pub struct Payer {
    pub ctx: Ctx,
    pub account_id: AccountId,
}

impl Payer {
    pub async fn with(house: &TestHouse, balance: i64) -> Self {
        registry::ensure_simulator(&house.system()).await.unwrap();
        let account_id = account(house, "Acme").await;
        let payer = Self { ctx: key(house, account_id, KeyMode::Live), account_id };
        let add_balance = Some(Micros(balance));
        payer
            .change(house, CreditChange { limit: Some(Micros(0)), add_balance, currency: None })
            .await;
        senders::approve_value(&house.system(), account_id, "Acme").await.unwrap();
        payer
    }

    pub async fn change(&self, house: &TestHouse, change: CreditChange) {
        billing::set_credit(&house.system(), self.account_id, change).await.unwrap();
    }

    /// Everything goes to the carrier; prices are those of now.
    pub async fn tables(house: &TestHouse) -> Tables {
        Tables {
            routes: Arc::new(RouteTable::new([("", SIMULATOR_CARRIER_ID.into())])),
            prices: house.prices().current().await.unwrap(),
        }
    }

    pub async fn send(
        &self,
        house: &TestHouse,
        key: &str,
        messages: Vec<NewMessage>,
    ) -> SendOutcome {
        let tables = Self::tables(house).await;
        commands::send(&self.ctx, &tables, batch(key, messages)).await.unwrap()
    }

    pub async fn balance(&self) -> Balance {
        billing::balance(&self.ctx).await.unwrap()
    }

    /// Posted and held.
    pub async fn has(&self) -> (i64, i64) {
        let balance = self.balance().await;
        (balance.posted.0, balance.held.0)
    }
}

/// `count` messages of one part to different German mobiles.
pub fn real_numbers(count: usize) -> Vec<NewMessage> {
    (0..count).map(|n| to(&format!("+4915112{n:06}"))).collect()
}

/// A message of three parts.
pub fn of_three_parts() -> NewMessage {
    NewMessage { text: "x".repeat(400), ..to("+4915112999999") }
}

/// The ids of messages that were all accepted.
pub fn accepted(outcome: &SendOutcome) -> Vec<MessageId> {
    outcome.results.iter().map(|result| result.as_ref().unwrap().id).collect()
}

/// The books hold together, and there is something in them.
pub async fn assert_in_order(house: &TestHouse) {
    let verified = billing::verify(&house.system()).await.unwrap();
    assert_eq!(verified.faults, []);
    assert!(verified.journals > 0);
}
