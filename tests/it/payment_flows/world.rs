//! An account, a Stripe endpoint, webhooks as Stripe signs them, and the books that come of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::account;
use entity::enums::{
    AccountKind, AccountStatus, BookKind, PaymentPurpose, PaymentStatus, ProcessorKind, Role,
};
use entity::ids::{AccountId, PaymentId};
use entity::{payment, processor_endpoint};
use heliograph::authz::{Actor, PersonActor};
use heliograph::ctx::{Ctx, Platform};
use heliograph::payments::processor::Processor;
use heliograph::payments::raw_body::RawBody;
use heliograph::payments::{self, Inbox, NewProcessor, Post, Reception};
use heliograph::types::secret::SecretText;
use heliograph::{billing, identity};
use http::{HeaderMap, HeaderValue};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::TestHouse;

/// What the endpoint's webhooks are signed with.
pub const SECRET: &str = "whsec_of_the_tests";

/// What a payment left in the books: micros by kind of book, without those that are even.
pub type Sums = BTreeMap<BookKind, i64>;

/// A house with a Stripe endpoint and an account.
pub struct World {
    pub platform: Arc<Platform>,
    pub account_id: AccountId,
    pub endpoint: processor_endpoint::Model,
    inbox: Inbox,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The signature of a body at a time.
pub fn signature(secret: &str, body: &[u8], time_s: i64) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [time_s.to_string().as_bytes(), b".", body].concat();
    let tag = aws_lc_rs::hmac::sign(&key, &signed);
    format!("t={time_s},v1={}", data_encoding::HEXLOWER.encode(tag.as_ref()))
}

/// An account, active.
pub async fn make_account(platform: &Platform) -> AccountId {
    let id: AccountId = platform.ids.next();
    let now = platform.clock.now();
    let insert = |tx: heliograph::db::Tx| async move {
        account::ActiveModel {
            id: Set(id),
            name: Set("Acme".to_owned()),
            kind: Set(AccountKind::Customer),
            status: Set(AccountStatus::Active),
            default_region: Set(None),
            version: Set(1),
            created_at_ms: Set(now),
            updated_at_ms: Set(now),
        }
        .insert(&*tx)
        .await
    };
    platform.db.write(insert).await.expect("makes an account");
    id
}

/// Somebody in an account who may pay.
pub fn payer(platform: &Arc<Platform>, account_id: AccountId) -> Ctx {
    let actor = PersonActor {
        person_id: platform.ids.next(),
        session_id: platform.ids.next(),
        account_id,
        role: Role::Billing,
        is_operator: false,
    };
    Ctx::new(Arc::clone(platform), Actor::Person(actor), Arc::from("test"))
}

/// A processor, with its API where it says.
pub fn processor(kind: ProcessorKind) -> NewProcessor {
    NewProcessor {
        kind,
        secret: SecretText::new(SECRET.to_owned()),
        api_key: Some(SecretText::new("sk_test_of_the_tests".to_owned())),
        base_url: None,
    }
}

/// A Stripe endpoint, with its API at `base_url`.
pub async fn add_stripe(ctx: &Ctx, base_url: Option<String>) -> processor_endpoint::Model {
    let new = NewProcessor { base_url, ..processor(ProcessorKind::Stripe) };
    payments::add_processor(ctx, new).await.expect("connects Stripe")
}

impl World {
    pub async fn new(house: &TestHouse) -> Self {
        Self::with_api(house, None).await
    }

    /// With Stripe's API at `base_url`.
    pub async fn with_api(house: &TestHouse, base_url: Option<String>) -> Self {
        let new = NewProcessor { base_url, ..processor(ProcessorKind::Stripe) };
        Self::with_processor(&house.platform, new).await
    }

    /// With another processor than Stripe, or on other settings.
    pub async fn with_processor(platform: &Arc<Platform>, new: NewProcessor) -> Self {
        let system = Ctx::system(Arc::clone(platform), "test");
        identity::ensure_operator(&system).await.expect("makes the operator");
        let endpoint = payments::add_processor(&system, new).await.expect("connects it");
        let account_id = make_account(platform).await;
        let (inbox, writer) = Inbox::new(Arc::clone(platform));
        let stop = CancellationToken::new();
        tokio::spawn(writer.run(stop.clone()));
        Self { platform: Arc::clone(platform), account_id, endpoint, inbox, stop }
    }

    pub fn system(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.platform), "test")
    }

    /// A payment of the account that was started, as its command keeps it.
    pub async fn start(&self, amount_micros: i64, currency: &str) -> PaymentId {
        let now = self.platform.clock.now();
        let row = payment::Model {
            account_id: self.account_id,
            id: self.platform.ids.next(),
            purpose: PaymentPurpose::TopUp,
            endpoint_id: self.endpoint.id,
            amount_micros,
            currency: currency.to_owned(),
            status: PaymentStatus::Open,
            redirect_url: None,
            facts: "{}".to_owned(),
            posted: "{}".to_owned(),
            idempotency_key: None,
            input_mac: None,
            polls: 0,
            next_poll_at_ms: Some(now.plus_ms(120_000)),
            stale: false,
            version: 1,
            created_at_ms: now,
            updated_at_ms: now,
            invoice_id: None,
            saves_method: false,
            payment_method_id: None,
            flow: entity::enums::PaymentFlow::HostedPage,
        };
        let id = row.id;
        let row = &row;
        let insert = |tx: heliograph::db::Tx| async move {
            let row = row.clone().into_active_model();
            payment::Entity::insert(row).exec_without_returning(&*tx).await
        };
        self.platform.db.write(insert).await.expect("keeps a payment");
        id
    }

    /// Posts a webhook as Stripe does, past HTTP.
    pub async fn post(&self, event: &Value) -> Reception {
        let body = event.to_string().into_bytes();
        let time_s = self.platform.clock.now().0 / 1_000;
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&signature(SECRET, &body, time_s)).expect("a value");
        headers.insert("stripe-signature", value);
        self.post_with(&headers, None, body).await
    }

    /// Posts a webhook with what its processor signs it by.
    pub async fn post_with(
        &self,
        headers: &HeaderMap,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> Reception {
        let post = Post {
            processor: Processor::of(self.endpoint.kind).name(),
            endpoint: &self.endpoint.path_key,
            token,
            headers,
            body: RawBody::new(body).expect("a body"),
        };
        self.inbox.receive(post).await
    }

    /// Posts, and expects that it is kept.
    pub async fn take(&self, event: &Value) {
        assert_eq!(self.post(event).await, Reception::Taken, "{event}");
    }

    pub async fn fold(&self) -> u64 {
        payments::fold(&self.system()).await.expect("folds")
    }

    pub async fn payment(&self, id: PaymentId) -> payment::Model {
        let found = payments::payment(&self.system(), id).await.expect("reads a payment");
        found.expect("the payment is there")
    }
}

/// What is booked about a payment, in every account.
pub async fn sums_about(house: &TestHouse, id: PaymentId) -> Sums {
    let sql = "SELECT e.kind, CAST(SUM(e.amount_micros) AS BIGINT) AS micros \
        FROM ledger_transfer t JOIN ledger_entry e ON e.account_id = t.account_id \
        AND e.currency = t.currency AND e.purse = t.purse AND e.seq = t.seq \
        WHERE t.subject_id = $1 GROUP BY e.kind";
    sums(house, sql, vec![id.0.into()]).await
}

/// Everything that is booked.
pub async fn sums_of_all(house: &TestHouse) -> Sums {
    let sql = "SELECT kind, CAST(SUM(amount_micros) AS BIGINT) AS micros FROM ledger_entry \
        GROUP BY kind";
    sums(house, sql, Vec::new()).await
}

async fn sums(house: &TestHouse, sql: &str, values: Vec<sea_orm::Value>) -> Sums {
    let rows = house.rows(sql, values).await;
    let sums = rows.iter().map(|row| {
        let kind: BookKind = row.try_get("", "kind").expect("a kind");
        (kind, row.try_get::<i64>("", "micros").expect("a sum"))
    });
    sums.filter(|(_, micros)| *micros != 0).collect()
}

/// The ledger's own check: chains, sums, balances.
pub async fn verify_ledger(world: &World) {
    let verified = billing::verify(&world.system()).await.expect("checks the ledger");
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
}

/// An event about an object.
pub fn event(id: &str, kind: &str, object: Value) -> Value {
    json!({
        "id": id, "object": "event", "created": 1_767_571_200, "livemode": false, "type": kind,
        "data": { "object": object },
    })
}

/// The events of one payment of 25.00: paid by a page, 5.00 refunded, 10.00 disputed with a fee of
/// 15.00. `name` tells its objects from others'.
pub fn life(name: &str, id: PaymentId) -> Vec<Value> {
    let (pi, ch, cs) = (format!("pi_{name}"), format!("ch_{name}"), format!("cs_{name}"));
    let (re, dp, txn) = (format!("re_{name}"), format!("dp_{name}"), format!("txn_{name}"));
    let metadata = json!({ "heliograph_payment_id": id.to_string() });
    let event = |number: u8, kind: &str, object: Value| {
        event(&format!("evt_{name}x{number}"), kind, object)
    };
    vec![
        event(
            1,
            "payment_intent.succeeded",
            json!({
                "id": pi, "amount": 2500, "amount_received": 2500, "amount_capturable": 0,
                "currency": "usd", "latest_charge": ch, "metadata": metadata, "status": "succeeded",
            }),
        ),
        event(
            2,
            "charge.succeeded",
            json!({
                "id": ch, "amount": 2500, "amount_captured": 2500, "amount_refunded": 0,
                "currency": "usd", "payment_intent": pi, "status": "succeeded", "captured": true,
            }),
        ),
        event(
            3,
            "checkout.session.completed",
            json!({
                "id": cs, "amount_total": 2500, "currency": "usd", "payment_intent": pi,
                "payment_status": "paid", "status": "complete", "metadata": metadata,
            }),
        ),
        event(
            4,
            "charge.refunded",
            json!({
                "id": ch, "amount": 2500, "amount_captured": 2500, "amount_refunded": 500,
                "currency": "usd", "payment_intent": pi, "status": "succeeded", "captured": true,
            }),
        ),
        event(
            5,
            "refund.created",
            json!({
                "id": re, "amount": 500, "currency": "usd", "charge": ch, "payment_intent": pi,
                "status": "succeeded",
            }),
        ),
        event(
            6,
            "charge.dispute.funds_withdrawn",
            json!({
                "id": dp, "amount": 1000, "currency": "usd", "charge": ch, "payment_intent": pi,
                "status": "needs_response",
                "balance_transactions": [{
                    "id": txn, "amount": -1000, "fee": 1500, "net": -2500, "currency": "usd",
                    "reporting_category": "dispute",
                }],
            }),
        ),
    ]
}

/// What [`life`] leaves in the books, whatever the order.
pub fn sums_of_life() -> Sums {
    BTreeMap::from([
        (BookKind::Customer, 10_000_000),
        (BookKind::Clearing, 5_000_000),
        (BookKind::ProcessorFees, -15_000_000),
    ])
}
