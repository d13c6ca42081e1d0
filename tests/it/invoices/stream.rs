//! `billingEvents`: tells of invoices without gaps, and of the balance as often as can be read.

use std::time::Duration;

use async_graphql::Response;
use entity::enums::{KeyMode, Role};
use futures::StreamExt;
use futures::stream::BoxStream;
use heliograph::billing::invoices;
use serde_json::{Value, json};

use super::{Books, DAY};
use crate::graphql_api::{key, person};
use crate::support::{PATIENCE, both_stores, within};

const FOLLOW: &str = "subscription($after: Cursor) { billingEvents(after: $after) { __typename cursor \
    ... on InvoiceChanged { seq change status version invoice { number kind } } \
    ... on BalanceChanged { balance { posted } } } }";

async fn next(stream: &mut BoxStream<'static, Response>) -> Value {
    let answer = within(PATIENCE, stream.next()).await.expect("goes on");
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.data.into_json().unwrap()["billingEvents"].clone()
}

/// From the beginning of the log: the cursor of event 0.
fn from_the_beginning() -> Value {
    json!({ "after": "AQEAAAAAAAAAAA" })
}

both_stores! {
    async fn what_happens_to_invoices_is_told_in_order_and_resumed(house: TestHouse) {
        let books = Books::open(&house).await;
        let first = books.invoice("10.00").await;
        let pay = |invoice: &Value, amount, key| json!({ "invoiceId": invoice["id"],
            "amount": amount, "reference": "r", "idempotencyKey": key });
        books.done("recordPayment", "invoice", pay(&first, "4.00", "a")).await;
        books.done("recordPayment", "invoice", pay(&first, "6.00", "b")).await;
        let second = books.invoice("1.00").await;
        house.hand.advance(DAY * 15);
        invoices::mark_overdue(&house.system()).await.unwrap();
        let id = json!({ "invoiceId": second["id"] });
        books.done("markUncollectible", "invoice", id).await;
        let void = json!({ "invoiceId": second["id"], "reason": "r" });
        books.done("voidInvoice", "invoice", void).await;

        let mut stream = books.api.stream(&books.owner, FOLLOW, from_the_beginning());
        let (mut told, mut cursors) = (Vec::new(), Vec::new());
        while told.len() < 7 {
            let event = next(&mut stream).await;
            if event["__typename"] == "InvoiceChanged" {
                assert_eq!(event["seq"], told.len() + 1, "no gap, no repetition");
                told.push(format!("{} {}", event["change"].as_str().unwrap(), event["status"].as_str().unwrap()));
                cursors.push(event["cursor"].clone());
            }
        }
        assert_eq!(told, ["FINALIZED OPEN", "REDUCED OPEN", "PAID PAID", "FINALIZED OPEN",
            "OVERDUE OPEN", "UNCOLLECTIBLE UNCOLLECTIBLE", "VOIDED VOID"]);
        let mut resumed = books.api.stream(&books.owner, FOLLOW, json!({ "after": cursors[4] }));
        let event = next(&mut resumed).await;
        assert_eq!((&event["seq"], &event["change"]), (&json!(6), &json!("UNCOLLECTIBLE")));
        assert_eq!(event["invoice"]["number"], second["number"]);
    }

    async fn the_balance_is_told_as_it_is_and_not_too_often(house: TestHouse) {
        let books = Books::open(&house).await;
        for _ in 0..5 {
            books.invoice("1.00").await;
        }
        let reader = key(&house, books.account_id, KeyMode::Live);
        let mut stream = books.api.stream(&reader, FOLLOW, from_the_beginning());
        assert_eq!(next(&mut stream).await["seq"], 1);
        // The first move is told at once, with what the balance is by now.
        let told = next(&mut stream).await;
        assert_eq!((&told["__typename"], &told["balance"]["posted"]), (&json!("BalanceChanged"), &json!("-5.00")));
        for seq in 2..=5 {
            assert_eq!(next(&mut stream).await["seq"], seq);
        }
        // What moves it within a quarter of a second is told once, after that.
        books.invoice("1.00").await;
        assert_eq!(next(&mut stream).await["seq"], 6);
        books.invoice("1.00").await;
        assert_eq!(next(&mut stream).await["seq"], 7);
        house.hand.advance(Duration::from_millis(250));
        let told = next(&mut stream).await;
        assert_eq!(told["balance"]["posted"], "-7.00");
        // Its cursor is the place in the log.
        books.invoice("1.00").await;
        let mut resumed = books.api.stream(&reader, FOLLOW, json!({ "after": told["cursor"] }));
        assert_eq!(next(&mut resumed).await["seq"], 8);
    }

    async fn it_is_for_those_who_read_money_and_messages_streams_leave_it_out(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("1.00").await;
        let viewer = person(&house, books.account_id, Role::Viewer);
        let answer = books.api.stream(&viewer, FOLLOW, from_the_beginning()).next().await.unwrap();
        assert_eq!(crate::graphql_api::code_of(&answer.errors[0]), "FORBIDDEN");
        // The log has the invoice's event first; a stream of messages begins with the next.
        let received = "INSERT INTO event (account_id, seq, kind, subject_id, status, version, \
            occurred_at_ms) VALUES ($1, 2, 1, $2, 0, 1, 0)";
        let subject: entity::ids::InboundMessageId = house.platform.ids.next();
        house.execute(received, [books.account_id.into(), subject.0.into()]).await;
        house.execute("UPDATE event_counter SET last_seq = 2 WHERE account_id = $1", [books.account_id.into()]).await;
        let document = "subscription($after: Cursor) { messageEvents(after: $after) { seq } }";
        let mut stream = books.api.stream(&books.owner, document, from_the_beginning());
        let answer = within(PATIENCE, stream.next()).await.unwrap();
        assert_eq!(answer.data.into_json().unwrap()["messageEvents"]["seq"], 2);
        assert_eq!(invoice["status"], "OPEN");
    }
}
