//! Each day our books are compared with the processor's.

use std::time::Duration;

use async_graphql::Response;
use entity::enums::Role;
use entity::ids::PaymentId;
use futures::StreamExt;
use futures::stream::BoxStream;
use heliograph::authz::{Actor, PersonActor};
use heliograph::payments;
use serde_json::{Value, json};

use super::fake_stripe::StripeFake;
use super::world::{World, add_stripe, life, payer};
use crate::graphql_api::{Api, operator};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const LINES: &str = "/v1/balance_transactions";
const REPORTS: &str = "query($filter: ReconciliationReportFilter) \
    { reconciliationReports(filter: $filter) { totalCount nodes { \
    id date processor { kind } opening { amount currency } gross { amount } fees { amount } \
    refunds { amount } disputes { amount } reinstated { amount } payouts { amount } \
    closing { amount } isCompared matchedCount differenceCount version \
    differences { kind subject here { amount } there { amount } } } } }";
const FOLLOW: &str = "subscription($after: Cursor) { billingEvents(after: $after) { __typename cursor \
    ... on PaymentChanged { seq change status failureCode version payment { id status } } \
    ... on ReconciliationDiffered { seq version report { id differenceCount } } } }";

/// From the beginning of the log: the cursor of event 0.
fn from_the_beginning() -> Value {
    json!({ "after": "AQEAAAAAAAAAAA" })
}

/// The next event of this type.
async fn next(stream: &mut BoxStream<'static, Response>, name: &str) -> Value {
    loop {
        let answer = within(PATIENCE, stream.next()).await.expect("goes on");
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let event = answer.data.into_json().unwrap()["billingEvents"].clone();
        if event["__typename"] == name {
            return event;
        }
    }
}

/// A line of Stripe's books, made now.
fn line(house: &TestHouse, id: &str, source: &str, what: &str, amount: i64, fee: i64) -> Value {
    json!({
        "id": id, "object": "balance_transaction", "created": house.now().0 / 1_000,
        "amount": amount, "fee": fee, "net": amount - fee, "currency": "usd",
        "reporting_category": what, "source": source,
    })
}

/// The lines of [`life`].
fn lines(house: &TestHouse, name: &str) -> Vec<Value> {
    let of = |prefix: &str| format!("{prefix}_{name}");
    vec![
        line(house, &of("txn_c"), &of("ch"), "charge", 2500, 0),
        line(house, &of("txn_r"), &of("re"), "refund", -500, 0),
        line(house, &of("txn"), &of("dp"), "dispute", -1000, 1500),
    ]
}

/// A world by a Stripe, in whose books all that is ours stands as it should.
struct Books {
    stripe: StripeFake,
    world: World,
}

impl Books {
    async fn open(house: &TestHouse) -> Self {
        // The middle of a day.
        let into_day = house.now().0.rem_euclid(24 * 3_600_000);
        let to_noon = (36 * 3_600_000 - into_day) % (24 * 3_600_000);
        house.hand.advance(Duration::from_millis(to_noon.unsigned_abs()));
        let stripe = StripeFake::start().await;
        let world = World::with_api(house, Some(stripe.url.clone())).await;
        Self { stripe, world }
    }

    /// Books a life of a payment.
    async fn live(&self, name: &str) -> PaymentId {
        let id = self.world.start(25_000_000, "USD").await;
        for event in life(name, id) {
            self.world.take(&event).await;
        }
        self.world.fold().await;
        id
    }

    fn list(&self, lines: &[Value]) {
        self.stripe.answers(LINES, 200, json!({ "data": lines, "has_more": false }));
    }

    async fn reconcile(&self) -> u64 {
        payments::reconcile(&self.world.system()).await.expect("reconciles")
    }
}

async fn reports(api: &Api, house: &TestHouse, filter: Value) -> Vec<Value> {
    let staff = operator(house, Role::Admin).await;
    let found = api.data(&staff, REPORTS, json!({ "filter": filter })).await;
    let found = &found["reconciliationReports"];
    let nodes = found["nodes"].as_array().expect("a list").clone();
    assert_eq!(found["totalCount"], nodes.len());
    nodes
}

both_stores! {
    async fn a_day_that_agrees_is_reported_once(house: TestHouse) {
        let books = Books::open(&house).await;
        let api = Api::new(&house).await;
        books.live("Good").await;
        books.list(&lines(&house, "Good"));
        let date = chrono::DateTime::from_timestamp_millis(house.now().0).unwrap().date_naive();
        // Until two hours after midnight webhooks may still come.
        house.hand.advance(Duration::from_secs(14 * 3_600 - 1));
        assert_eq!(books.reconcile().await, 0);
        house.hand.advance(Duration::from_secs(1));
        assert_eq!(books.reconcile().await, 1);
        assert_eq!(books.reconcile().await, 0, "once");
        let expected = json!({
            "date": date.to_string(), "processor": { "kind": "STRIPE" },
            "opening": { "amount": "0.00", "currency": "USD" },
            "gross": { "amount": "25.00" }, "fees": { "amount": "15.00" },
            "refunds": { "amount": "5.00" }, "disputes": { "amount": "10.00" },
            "reinstated": { "amount": "0.00" }, "payouts": { "amount": "0.00" },
            "closing": { "amount": "-5.00" },
            "isCompared": true, "matchedCount": 4, "differenceCount": 0, "version": 1,
            "differences": [],
        });
        let found = reports(&api, &house, json!({ "date": date.to_string() })).await;
        let mut shown = found[0].clone();
        shown.as_object_mut().unwrap().remove("id");
        assert_eq!(shown, expected);
        // The next day begins with what this one ended with, and nothing moved on it.
        house.hand.advance(DAY);
        assert_eq!(books.reconcile().await, 1);
        let found = reports(&api, &house, Value::Null).await;
        assert_eq!(found.len(), 2);
        assert_eq!(found[0]["opening"]["amount"], "-5.00");
        let idle = (&found[0]["closing"]["amount"], &found[0]["matchedCount"]);
        assert_eq!(idle, (&found[0]["opening"]["amount"], &json!(0)));
        assert_eq!(reports(&api, &house, json!({ "hasDifferences": true })).await.len(), 0);
        let node = "query($id: ID!) { node(id: $id) { id } }";
        let staff = operator(&house, Role::Billing).await;
        let node = api.data(&staff, node, json!({ "id": found[0]["id"] })).await;
        assert_eq!(node["node"]["id"], found[0]["id"]);
    }

    async fn what_differs_is_told_and_made_again_until_it_agrees(house: TestHouse) {
        let books = Books::open(&house).await;
        let api = Api::new(&house).await;
        books.live("Bad").await;
        let good = lines(&house, "Bad");
        let mut bad = good.clone();
        bad[0]["amount"] = json!(2600);
        bad[2]["fee"] = json!(1400);
        bad.remove(1);
        bad.push(line(&house, "txn_x", "ch_Stranger", "charge", 700, 0));
        bad.push(line(&house, "txn_y", "po_Twice", "payout", -100, 0));
        bad.push(line(&house, "txn_z", "po_Twice", "payout", -100, 0));
        books.list(&bad);
        house.hand.advance(DAY);
        assert_eq!(books.reconcile().await, 1);
        assert_eq!(books.reconcile().await, 0, "again tomorrow");
        let found = reports(&api, &house, json!({ "hasDifferences": true })).await;
        let of = |kind: &str, subject: &str, here: Option<&str>, there: Option<&str>| {
            let money = |amount: Option<&str>| amount.map(|amount| json!({ "amount": amount }));
            json!({ "kind": kind, "subject": subject, "here": money(here), "there": money(there) })
        };
        assert_eq!(found[0]["differences"], json!([
            of("MISSING_HERE", "capture:ch_Stranger", None, Some("7.00")),
            of("AMOUNT", "capture:pi_Bad", Some("25.00"), Some("26.00")),
            of("FEE", "fee:txn_Bad", Some("-15.00"), Some("-14.00")),
            of("DUPLICATE", "payout:po_Twice", None, Some("-2.00")),
            of("MISSING_THERE", "refund:re_Bad", Some("-5.00"), None),
        ]));
        assert_eq!((&found[0]["matchedCount"], &found[0]["differenceCount"]), (&json!(1), &json!(5)));
        let of_operator = "SELECT id FROM account WHERE kind = 1";
        let operator_id = house.value(of_operator, Vec::<sea_orm::Value>::new()).await;
        let staff = house.ctx_as(Actor::Person(PersonActor {
            person_id: house.platform.ids.next(),
            session_id: house.platform.ids.next(),
            account_id: operator_id,
            role: Role::Billing,
            is_operator: true,
        }));
        let mut stream = api.stream(&staff, FOLLOW, from_the_beginning());
        let told = next(&mut stream, "ReconciliationDiffered").await;
        assert_eq!(told["report"], json!({ "id": found[0]["id"], "differenceCount": 5 }));
        // The same differences a day later are no news; none any more is none either.
        house.hand.advance(DAY);
        assert_eq!(books.reconcile().await, 2, "the day before anew, and the next");
        books.list(&good);
        house.hand.advance(DAY);
        assert_eq!(books.reconcile().await, 2);
        assert_eq!(reports(&api, &house, json!({ "hasDifferences": true })).await.len(), 0);
        let again = reports(&api, &house, Value::Null).await;
        let again = again.iter().find(|it| it["id"] == found[0]["id"]).expect("the same report");
        assert_eq!((&again["version"], &again["matchedCount"]), (&json!(3), &json!(4)));
        let told = "SELECT COUNT(*) FROM event WHERE kind = 40";
        assert_eq!(house.value::<i64>(told, Vec::<sea_orm::Value>::new()).await, 1);
        house.hand.advance(DAY);
        assert_eq!(books.reconcile().await, 1, "what agrees is not made again");
    }

    async fn a_day_is_made_up_for_when_the_processor_answers_again(house: TestHouse) {
        let books = Books::open(&house).await;
        books.live("Late").await;
        let good = lines(&house, "Late");
        house.hand.advance(DAY * 2);
        books.stripe.answers(LINES, 503, json!({}));
        assert_eq!(books.reconcile().await, 0);
        // Half of the lines prove nothing.
        let first = json!({ "data": good, "has_more": true });
        books.stripe.answers(LINES, 200, first);
        assert_eq!(books.reconcile().await, 0, "more lines without an end");
        books.list(&good);
        assert_eq!(books.reconcile().await, 2);
    }

    async fn without_the_processor_s_books_only_ours_are_shown(house: TestHouse) {
        let books = Books::open(&house).await;
        let api = Api::new(&house).await;
        books.live("Own").await;
        let forget = "UPDATE processor_endpoint SET sealed_api_key = NULL";
        house.execute(forget, Vec::<sea_orm::Value>::new()).await;
        // Another Stripe's books are its own.
        add_stripe(&house.system(), Some(books.stripe.url.clone())).await;
        books.list(&[]);
        house.hand.advance(DAY);
        assert_eq!(books.reconcile().await, 1);
        let found = reports(&api, &house, Value::Null).await;
        assert_eq!((&found[0]["isCompared"], &found[0]["gross"]["amount"]), (&json!(false), &json!("25.00")));
        assert_eq!((&found[0]["matchedCount"], &found[0]["differenceCount"]), (&json!(0), &json!(0)));
        assert_eq!(books.stripe.asked().iter().filter(|it| it.path == LINES).count(), 1);
    }

    async fn payments_are_told_as_they_change(house: TestHouse) {
        let books = Books::open(&house).await;
        let api = Api::new(&house).await;
        let id = books.live("Told").await;
        let payer = payer(&books.world.platform, books.world.account_id);
        let mut stream = api.stream(&payer, FOLLOW, from_the_beginning());
        let mut told = Vec::new();
        for _ in 0..3 {
            let event = next(&mut stream, "PaymentChanged").await;
            assert_eq!(event["payment"], json!({ "id": id.to_string(), "status": "DISPUTED" }));
            told.push(event);
        }
        let changes: Vec<_> = told.iter().map(|event| event["change"].as_str().unwrap()).collect();
        assert_eq!(changes, ["SUCCEEDED", "REFUNDED", "DISPUTED"]);
        let mut resumed = api.stream(&payer, FOLLOW, json!({ "after": told[1]["cursor"] }));
        assert_eq!(next(&mut resumed, "PaymentChanged").await["change"], "DISPUTED");
        let failed = books.world.start(25_000_000, "USD").await;
        let failure = super::world::event("evt_F", "payment_intent.payment_failed", json!({
            "id": "pi_F", "amount": 2500, "amount_received": 0, "amount_capturable": 0,
            "currency": "usd", "status": "requires_payment_method",
            "metadata": { "heliograph_payment_id": failed.to_string() },
            "last_payment_error": { "type": "card_error", "code": "card_declined" },
        }));
        books.world.take(&failure).await;
        books.world.fold().await;
        let event = next(&mut stream, "PaymentChanged").await;
        assert_eq!((&event["change"], &event["status"]), (&json!("FAILED"), &json!("ATTEMPT_FAILED")));
        assert_eq!(event["failureCode"], "DECLINED");
    }
}
