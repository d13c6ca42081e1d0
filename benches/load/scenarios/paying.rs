//! The house of the scenarios with payments: a server with Stripe connected, an account whose owner
//! starts payments, and what must have come of them in the end.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::SENDER;
use crate::kit::drive::api::Api;
use crate::kit::drive::http_client;
use crate::kit::drive::stripe::{self, Kind, StripeEvent};
use crate::kit::report::Report;
use crate::kit::rig::{
    FakeStripe, Server, ServerOptions, StoreKind, StorePlace, add_stripe, create_account,
    verify_ledger, webhooks_in_state,
};

/// Payments that are started at a time.
const STARTED_AT_ONCE: usize = 8;
/// Micros of a cent.
const CENT_MICROS: i64 = 10_000;
/// Between two looks at the balance.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

const ACCEPT: &str = "mutation Accept($input: AcceptOwnerLinkInput!) { acceptOwnerLink(input: \
    $input) { authentication { tokens { accessToken } } userErrors { message } } }";
const START: &str = "mutation Start($input: StartTopUpInput!) { startTopUp(input: $input) \
    { payment { id } userErrors { code message } } }";

/// A server that takes payments.
pub struct PayHouse {
    pub server: Server,
    pub place: StorePlace,
    /// Calls under the account's API key.
    pub api: Api,
    /// Where webhooks are posted.
    pub path: String,
    /// Calls as the account's owner, for an hour.
    owner: Api,
}

impl PayHouse {
    /// Starts all of it.
    pub async fn start(store: StoreKind, postgres_settings: &[String]) -> Self {
        let place = StorePlace::make(store, postgres_settings);
        let ttl = ("IDENTITY__ACCESS_TOKEN_TTL_S".to_owned(), "3600".to_owned());
        let server = Server::start(&place, ServerOptions { settings: vec![ttl] }).await;
        let stripe = FakeStripe::start().await;
        let path = add_stripe(&place, &stripe.url, stripe::SECRET);
        let credentials = create_account(&place, SENDER);
        let token = accept(&server.url(), &credentials.owner_link).await;
        let api = Api::new(&server.url(), &credentials.api_key);
        let owner = Api::new(&server.url(), &token);
        Self { server, place, api, path, owner }
    }

    /// Starts payments, and returns their ids.
    pub async fn start_payments(&self, payments: u32) -> Vec<String> {
        let ids = RefCell::new(vec![String::new(); payments as usize]);
        let next = RefCell::new(0..payments);
        let starter = || async {
            loop {
                let number = next.borrow_mut().next();
                let Some(number) = number else { return };
                let cents = stripe::cents(number);
                let amount = format!("{}.{:02}", cents / 100, cents % 100);
                let input = json!({ "idempotencyKey": format!("load-{number}"), "amount": amount,
                    "currency": "USD", "processor": "STRIPE" });
                let data = self.owner.query(START, json!({ "input": input })).await;
                let id = data["startTopUp"]["payment"]["id"].as_str();
                let id = id.unwrap_or_else(|| panic!("{data}"));
                ids.borrow_mut()[number as usize] = id.to_owned();
            }
        };
        futures::future::join_all((0..STARTED_AT_ONCE).map(|_| starter())).await;
        ids.into_inner()
    }

    /// What the account has by the ledger.
    pub async fn posted(&self) -> Micros {
        let data = self.api.query("{ accountBalance { posted } }", Value::Null).await;
        data["accountBalance"]["posted"].as_str().expect("an amount").parse().expect("an amount")
    }

    /// Waits until the balance is `expected` and nothing waits to be folded; says how long that took.
    pub async fn until_folded(
        &self,
        expected: Micros,
        limit: Duration,
        report: &mut Report,
    ) -> Duration {
        let start = Instant::now();
        while self.posted().await != expected {
            if start.elapsed() > limit {
                report.fault(format!(
                    "the account has {}, not {expected}, {limit:?} after the last webhook",
                    self.posted().await
                ));
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        while !webhooks_in_state(&self.place, "received").is_empty() {
            if start.elapsed() > limit {
                report.fault("webhooks are still not folded");
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        start.elapsed()
    }

    /// Faults for webhooks that a person would have to look at; has the ledger checked, which ends
    /// the program if it is not in order.
    pub fn check_books(&self, report: &mut Report) {
        for state in ["parked", "dead"] {
            let found = webhooks_in_state(&self.place, state);
            if let Some(first) = found.first() {
                report.fault(format!("{} webhooks are {state}: {first}", found.len()));
            }
        }
        report.figure("ledger_transfers_verified", verify_ledger(&self.place) as f64);
    }
}

/// What an account has after these events, each once.
pub fn balance_of(events: impl Iterator<Item = StripeEvent>) -> Micros {
    let cents = events.map(|event| match event.kind {
        Kind::Succeeded => i64::from(stripe::cents(event.payment)),
        Kind::Refunded(refund) => -i64::from(stripe::refund_cents(refund)),
        // Each payment has one that succeeded: these say nothing that it does not.
        Kind::Ignored | Kind::Charged | Kind::Completed | Kind::ChargeRefunded => 0,
    });
    Micros(cents.sum::<i64>() * CENT_MICROS)
}

/// Logs the owner in by the link, and returns the access token.
async fn accept(url: &str, link: &str) -> String {
    let token = link.split_once('#').expect("a link with a token").1;
    let input = json!({ "token": token, "name": "Load", "password": "a load of long words" });
    let body = json!({ "query": ACCEPT, "variables": { "input": input } });
    let request = http_client().post(format!("{url}/graphql")).json(&body);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let tokens = &answer["data"]["acceptOwnerLink"]["authentication"]["tokens"];
    tokens["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
