//! Payments: what they pay of an invoice, once each, and what is left over.

use entity::ids::{InvoiceId, PaymentId};
use heliograph::billing::invoices;
use heliograph::error::Failed;
use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::{Books, DAY, assert_books_hold};
use crate::support::both_stores;

fn payment(invoice: &Value, amount: &str, key: &str) -> Value {
    json!({ "invoiceId": invoice["id"], "amount": amount, "reference": "bank 7",
        "idempotencyKey": key })
}

both_stores! {
    async fn a_recorded_payment_pays_once_and_what_is_more_is_credit(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("10.00").await;
        let part = books.done("recordPayment", "invoice", payment(&invoice, "4.00", "a")).await;
        assert_eq!((&part["status"], &part["amountDue"]), (&json!("OPEN"), &json!("6.00")));
        let again = books.done("recordPayment", "invoice", payment(&invoice, "4.00", "a")).await;
        assert_eq!(again, part, "the same key records nothing more");
        let other = payment(&invoice, "5.00", "a");
        assert_eq!(books.refused("recordPayment", "invoice", other).await, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(books.posted().await, "-6.00");

        house.hand.advance(DAY);
        let paid = books.done("recordPayment", "invoice", payment(&invoice, "7.50", "b")).await;
        assert_eq!((&paid["status"], &paid["amountDue"]), (&json!("PAID"), &json!("0.00")));
        assert_eq!(paid["payments"], json!([
            { "amount": "4.00", "reference": "bank 7" },
            { "amount": "6.00", "reference": "bank 7" },
        ]));
        assert_eq!(books.posted().await, "1.50");
        let late = payment(&invoice, "1.00", "c");
        assert_eq!(books.refused("recordPayment", "invoice", late).await, "NOT_PAYABLE");
        assert_eq!(books.posted().await, "1.50", "what was refused posted nothing");
        for (amount, code) in [("0", "INVALID_AMOUNT"), ("-1", "INVALID_AMOUNT")] {
            let input = payment(&invoice, amount, "d");
            assert_eq!(books.refused("recordPayment", "invoice", input).await, code);
        }
        // More than the credit that pays invoices as they come.
        let open = books.invoice("5.00").await;
        let fine = payment(&open, "0.001", "e");
        assert_eq!(books.refused("recordPayment", "invoice", fine).await, "INVALID_AMOUNT");
        assert_books_hold(&house).await;
    }

    async fn a_payment_is_allocated_once_whoever_asks_at_once(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("10.00").await;
        let id: InvoiceId = invoice["id"].as_str().unwrap().parse().unwrap();
        let payments: [PaymentId; 2] = [house.platform.ids.next(), house.platform.ids.next()];
        let (db, now, account_id) = (&house.platform.db, house.now(), books.account_id);
        let pay = |payment_id| async move {
            let allocate = |tx| async move {
                let amount = Micros(6_000_000);
                invoices::allocate(&tx, now, account_id, id, payment_id, amount).await
            };
            db.write::<_, Failed, _, _>(allocate).await.unwrap().unwrap()
        };
        let asked = [payments[0], payments[1], payments[0], payments[1]];
        let done = futures::future::join_all(asked.map(pay)).await;
        let mut allocated: Vec<_> = done.iter().map(|it| it.allocated.0).collect();
        allocated.sort_unstable();
        assert_eq!(allocated, [4_000_000, 4_000_000, 6_000_000, 6_000_000]);
        assert_eq!(done.iter().filter(|it| !it.events.is_empty()).count(), 2);
        assert_eq!(books.document(&invoice["id"]).await["status"], "PAID");
        // Another account's invoice is none.
        let stranger = house.platform.ids.next();
        let foreign = |tx| async move {
            invoices::allocate(&tx, now, stranger, id, payments[0], Micros(1)).await
        };
        assert!(db.write::<_, Failed, _, _>(foreign).await.unwrap().is_none());
    }

    async fn what_is_not_paid_in_time_is_overdue_once_and_can_be_given_up_and_paid(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("10.00").await;
        let overdue = || invoices::mark_overdue(&books.staff);
        house.hand.advance(DAY * 14);
        assert_eq!(overdue().await.unwrap(), 0, "it is due now");
        house.hand.advance(DAY);
        assert_eq!(overdue().await.unwrap(), 1);
        assert_eq!(overdue().await.unwrap(), 0, "once");
        assert_eq!(books.document(&invoice["id"]).await["overdueAt"], "2026-01-20T00:00:00.000Z");
        let id = json!({ "invoiceId": invoice["id"] });
        let given_up = books.done("markUncollectible", "invoice", id.clone()).await;
        assert_eq!((&given_up["status"], &given_up["amountDue"]), (&json!("UNCOLLECTIBLE"), &json!("10.00")));
        assert_eq!(books.done("markUncollectible", "invoice", id.clone()).await, given_up);
        assert_eq!(books.posted().await, "-10.00", "the debt stays");
        let paid = books.done("recordPayment", "invoice", payment(&invoice, "10.00", "a")).await;
        assert_eq!(paid["status"], "PAID");
        assert_eq!(books.refused("markUncollectible", "invoice", id).await, "NOT_OPEN");
        assert_eq!(books.posted().await, "0.00");
        assert_books_hold(&house).await;
    }
}
