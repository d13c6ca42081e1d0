//! Top-ups through localstripe, a Stripe of other people's making that keeps intents, charges,
//! refunds and books, and signs and posts webhooks. It has no hosted pages, so they are started as
//! intents; what the payer's browser does with an intent, the test does.
//!
//! Needs `python3` with `venv`, and a package index; without them it fails rather than pass untested.

use std::time::Duration;

use entity::enums::{BookKind, PaymentFlow, PaymentStatus, ProcessorKind};
use entity::ids::{AccountId, PaymentId};
use entity::payment;
use heliograph::app::{App, AppParts};
use heliograph::authz::Actor;
use heliograph::config::Settings;
use heliograph::events::Topic;
use heliograph::payments::{self, NewRefund, NewTopUp, refund, start_top_up};
use heliograph::sys::Clock;
use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::world::{SECRET, Sums, add_stripe, make_account, payer, sums_about, sums_of_all};
use crate::support::{PATIENCE, Served, TestHouse, both_stores, within};
use crate::third_party_python::Server;

/// An event that localstripe never makes: an endpoint that wants it alone gets nothing.
const NOTHING: &str = "nothing.at_all";
/// A card that is charged, and one that is declined.
const GOOD: &str = "pm_card_visa";
const DECLINED: &str = "pm_card_chargeCustomerFail";

/// A node by the real time, since webhooks are signed by it, and its Stripe.
struct Shop {
    node: Served,
    stripe: String,
    account_id: AccountId,
    _server: Server,
}

impl Shop {
    /// With webhooks of these kinds; `None`: of all.
    async fn open(house: &TestHouse, events: Option<&[&str]>) -> Self {
        let server = Server::start("localstripe", "serve.py").await;
        let stripe = format!("http://127.0.0.1:{}", server.port);
        let settings = Settings::clone(&house.platform.settings);
        let randomness = house.platform.randomness.clone();
        let parts = AppParts { clock: Clock::system(), randomness };
        let app = within(PATIENCE, App::start(settings, parts)).await.expect("starts");
        let url = app.platform().settings.public_url();
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        let node = Served { app, url, http };
        let endpoint = add_stripe(&node.ctx_as(Actor::CommandLine), Some(stripe.clone())).await;
        let url = format!("{}{}", node.url, payments::path(&endpoint));
        let hook = json!({ "url": url, "secret": SECRET, "events": events });
        let request = node.http.post(format!("{stripe}/_config/webhooks/here")).json(&hook);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let account_id = make_account(node.platform()).await;
        Self { node, stripe, account_id, _server: server }
    }

    /// Starts a top-up of 25.00, and returns it with its intent.
    async fn start(&self, key: &str) -> (PaymentId, String) {
        let new = NewTopUp {
            idempotency_key: key.to_owned(),
            amount: Micros(25_000_000),
            currency: "USD".parse().expect("a currency"),
            processor: ProcessorKind::Stripe,
            flow: Some(PaymentFlow::Intent),
            phone: None,
            saves_method: false,
        };
        let ctx = payer(self.node.platform(), self.account_id);
        let started = start_top_up(&ctx, new).await.expect("starts");
        assert_eq!((started.row.status, started.row.redirect_url), (PaymentStatus::Open, None));
        let secret = started.client_secret.expect("a secret for the payer's browser");
        let (intent, _) = secret.expose().split_once("_secret_").expect("Stripe's form");
        (started.row.id, intent.to_owned())
    }

    /// What the payer's browser does; the answer's status.
    async fn pay(&self, intent: &str, method: &str) -> u16 {
        let path = format!("/v1/payment_intents/{intent}");
        assert_eq!(self.call(&path, &[("payment_method", method)]).await, 200);
        self.call(&format!("{path}/confirm"), &[]).await
    }

    async fn call(&self, path: &str, form: &[(&str, &str)]) -> u16 {
        let body: Value = form.iter().map(|(name, value)| (*name, json!(value))).collect();
        let request = self.node.http.post(format!("{}{path}", self.stripe));
        let answer = request.bearer_auth("sk_test_browser").json(&body).send().await;
        answer.expect("an answer").status().as_u16()
    }

    async fn give_back(&self, id: PaymentId, key: &str, micros: i64) {
        let new = NewRefund {
            idempotency_key: key.to_owned(),
            payment_id: id,
            amount: Some(Micros(micros)),
        };
        refund(&self.node.ctx_as(Actor::CommandLine), new).await.expect("gives back");
    }

    async fn payment(&self, id: PaymentId) -> payment::Model {
        let found = payments::payment(&self.node.ctx_as(Actor::CommandLine), id).await;
        found.expect("reads").expect("the payment is there")
    }

    /// Awaits that a payment is so; the account is told of each of its changes.
    async fn until(&self, what: &str, id: PaymentId, is_so: impl Fn(&payment::Model) -> bool) {
        let doorbell = &self.node.platform().doorbell;
        let mut bell = doorbell.listen(Topic::Events(self.account_id));
        let wait = async {
            while !is_so(&self.payment(id).await) {
                bell.changed().await.expect("the doorbell is there");
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("waited in vain for {what}: {:?}", self.payment(id).await);
        }
    }

    async fn until_refunded(&self, id: PaymentId, micros: i64) {
        self.until("a refund", id, |row| {
            payments::facts(row).expect("facts").refunded_micros() == micros
        })
        .await;
    }
}

/// What 25.00 leaves of which 12.50 were given back.
fn sums_of_half() -> Sums {
    Sums::from([(BookKind::Customer, 12_500_000), (BookKind::Clearing, -12_500_000)])
}

both_stores! {
    async fn localstripe_s_webhooks_make_the_books(house: TestHouse) {
        let shop = Shop::open(&house, None).await;
        let (paid, intent) = shop.start("paid").await;
        assert_eq!(shop.pay(&intent, GOOD).await, 200);
        shop.until("the payment", paid, |row| row.status == PaymentStatus::Paid).await;
        let (failed, intent) = shop.start("failed").await;
        assert_eq!(shop.pay(&intent, DECLINED).await, 402);
        shop.until("the failure", failed, |row| row.status == PaymentStatus::AttemptFailed).await;
        let facts = payments::facts(&shop.payment(failed).await).expect("facts");
        assert_eq!(facts.failure(), Some(payments::facts::FailureClass::Declined));
        shop.give_back(paid, "first", 5_000_000).await;
        shop.until_refunded(paid, 5_000_000).await;
        shop.give_back(paid, "second", 7_500_000).await;
        shop.until_refunded(paid, 12_500_000).await;
        assert_eq!(shop.payment(paid).await.status, PaymentStatus::PartlyRefunded);
        assert_eq!(sums_about(&house, paid).await, sums_of_half());
        assert_eq!(sums_of_all(&house).await, sums_of_half());
        let came = "SELECT COUNT(*) FROM webhook_event WHERE body_mac IS NOT NULL AND state = 1";
        let came: i64 = house.value(came, Vec::<sea_orm::Value>::new()).await;
        assert_eq!(came, 2, "the success and the failure came as webhooks");
        shop.node.stop().await;
    }

    async fn without_localstripe_s_webhooks_the_sweeps_make_the_same_books(house: TestHouse) {
        let shop = Shop::open(&house, Some(&[NOTHING])).await;
        let (polled, intent) = shop.start("polled").await;
        assert_eq!(shop.pay(&intent, GOOD).await, 200);
        // What the start told is there: localstripe knows no idempotency keys, and would make another
        // intent for a payment of which nothing is known.
        while shop.payment(polled).await.facts == "{}" {
            payments::fold(&house.system()).await.expect("folds");
        }
        // Three minutes from now by the other clock, each open payment is asked for.
        let ahead_ms = Clock::system().now().since(house.hand.clock().now()) + 180_000;
        house.hand.advance(Duration::from_millis(ahead_ms.unsigned_abs()));
        payments::poll_payments(&house.system()).await.expect("polls");
        payments::fold(&house.system()).await.expect("folds");
        shop.until("the polled payment", polled, |row| row.status == PaymentStatus::Paid).await;
        let (swept, intent) = shop.start("swept").await;
        assert_eq!(shop.pay(&intent, GOOD).await, 200);
        let (failed, intent) = shop.start("failed").await;
        assert_eq!(shop.pay(&intent, DECLINED).await, 402);
        payments::sweep_events(&shop.node.ctx_as(Actor::System)).await.expect("sweeps");
        shop.until("the swept payment", swept, |row| row.status == PaymentStatus::Paid).await;
        shop.until("the failure", failed, |row| row.status == PaymentStatus::AttemptFailed).await;
        for id in [polled, swept] {
            shop.give_back(id, "first", 5_000_000).await;
            shop.give_back(id, "second", 7_500_000).await;
            shop.until_refunded(id, 12_500_000).await;
            assert_eq!(sums_about(&house, id).await, sums_of_half());
        }
        assert_eq!(sums_about(&house, failed).await, Sums::new());
        let came = "SELECT COUNT(*) FROM webhook_event WHERE body_mac IS NOT NULL";
        let came: i64 = house.value(came, Vec::<sea_orm::Value>::new()).await;
        assert_eq!(came, 0, "no webhook came");
        shop.node.stop().await;
    }
}
