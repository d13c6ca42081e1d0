//! What becomes of an account that does not pay in time: reminders, then it may not send.

use entity::enums::{KeyMode, Role};
use futures::future::join_all;
use heliograph::billing::invoices;
use heliograph::ctx::Ctx;
use heliograph::messages::commands;
use heliograph::messages::{ItemErrorCode, NewMessage};
use serde_json::{Value, json};

use super::numbers::{allow_events, refuse_events};
use super::{Books, DAY, assert_books_hold};
use crate::billing::{Payer, real_numbers};
use crate::graphql_api::{Api, key, operator, person};
use crate::messages::{batch, to};
use crate::support::{TestHouse, both_stores};

/// An account that sends and pays by invoice, with its books.
struct Debtor {
    payer: Payer,
    books: Books,
}

impl Debtor {
    async fn new(house: &TestHouse) -> Self {
        let payer = Payer::with(house, 0).await;
        house.give_credit(payer.account_id).await;
        let account_id = payer.account_id;
        let owner = person(house, account_id, Role::Owner);
        let (api, staff) = (Api::new(house).await, operator(house, Role::Billing).await);
        Self { payer, books: Books { api, account_id, owner, staff } }
    }

    /// What the live key is told of one message.
    async fn send(&self, house: &TestHouse, key: &str) -> Result<(), ItemErrorCode> {
        send_as(house, &self.payer.ctx, key, real_numbers(1)).await
    }

    async fn may_send(&self, house: &TestHouse, key: &str) -> bool {
        self.send(house, key).await.is_ok()
    }

    async fn pay(&self, invoice: &Value, amount: &str) {
        let key = format!("{}", invoice["id"]);
        let input = json!({ "invoiceId": invoice["id"], "amount": amount, "reference": "r",
            "idempotencyKey": key.trim_matches('"') });
        self.books.done("recordPayment", "invoice", input).await;
    }

    /// The changes that the stream tells of, oldest first.
    async fn told(&self, house: &TestHouse) -> Vec<i64> {
        let sql = "SELECT CAST(kind AS BIGINT) FROM event WHERE account_id = $1 AND kind >= 20 \
            AND kind < 30 ORDER BY seq";
        let rows = house.rows(sql, [self.books.account_id.into()]).await;
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }
}

async fn send_as(
    house: &TestHouse,
    ctx: &Ctx,
    key: &str,
    messages: Vec<NewMessage>,
) -> Result<(), ItemErrorCode> {
    let tables = Payer::tables(house).await;
    let outcome = commands::send(ctx, &tables, batch(key, messages)).await.unwrap();
    outcome.results.into_iter().try_for_each(|result| result.map(drop).map_err(|it| it.code))
}

async fn remind(house: &TestHouse) -> u64 {
    invoices::remind(&house.system()).await.unwrap()
}

async fn suspend_overdue(house: &TestHouse) -> u64 {
    invoices::suspend_overdue(&house.system()).await.unwrap()
}

async fn reminders(books: &Books, invoice: &Value) -> Value {
    let read = "query($id: ID!) { invoice(id: $id) { reminders { afterDays dueAt sentAt } } }";
    let data = books.api.data(&books.owner, read, json!({ "id": invoice["id"] })).await;
    data["invoice"]["reminders"].clone()
}

both_stores! {
    async fn each_reminder_is_given_once_whoever_runs_at_once(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        let invoice = debtor.books.invoice("10.00").await;
        house.hand.advance(DAY * 14);
        assert_eq!(remind(&house).await, 0, "it is due now");
        let mut sent = Vec::new();
        for day in 15..36 {
            house.hand.advance(DAY);
            let given: u64 = join_all((0..4).map(|_| remind(&house))).await.into_iter().sum();
            if given > 0 {
                sent.push((day - 14, given));
            }
        }
        assert_eq!(sent, [(1, 1), (7, 1), (14, 1)]);
        let given = reminders(&debtor.books, &invoice).await;
        let days: Vec<_> = given.as_array().unwrap().iter().map(|it| it["afterDays"].clone()).collect();
        assert_eq!(days, [json!(1), json!(7), json!(14)]);
        assert_eq!(given[0]["dueAt"], "2026-01-19T00:00:00.000Z");
        assert_eq!(given[0]["sentAt"], "2026-01-20T00:00:00.000Z");
        assert_eq!(debtor.told(&house).await, [20, 26, 26, 26]);
        assert_eq!(debtor.books.document(&invoice["id"]).await["version"], 6);
    }

    async fn reminders_that_were_missed_are_not_made_up_for(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        let invoice = debtor.books.invoice("10.00").await;
        house.hand.advance(DAY * 22);
        assert_eq!(remind(&house).await, 1);
        assert_eq!(remind(&house).await, 0);
        let given = reminders(&debtor.books, &invoice).await;
        assert_eq!(given.as_array().unwrap().len(), 1);
        assert_eq!(given[0]["afterDays"], 7, "the latest that was due");
        // What was paid is not reminded of.
        debtor.pay(&invoice, "10.00").await;
        house.hand.advance(DAY * 14);
        assert_eq!(remind(&house).await, 0);
    }

    async fn a_reminder_that_could_not_be_told_was_not_given(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        let invoice = debtor.books.invoice("10.00").await;
        house.hand.advance(DAY * 15);
        refuse_events(&house, 4).await;
        assert!(invoices::remind(&house.system()).await.is_err());
        assert_eq!(reminders(&debtor.books, &invoice).await, json!([]));
        let mails: i64 = house.value("SELECT count(*) FROM mail WHERE kind = 1", []).await;
        assert_eq!(mails, 0);
        allow_events(&house).await;
        assert_eq!(remind(&house).await, 1);
    }

    async fn who_does_not_pay_may_not_send_until_the_last_overdue_invoice_is_paid(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        let first = debtor.books.invoice("10.00").await;
        house.hand.advance(DAY * 10);
        let second = debtor.books.invoice("20.00").await;
        house.hand.advance(DAY * 24);
        assert_eq!(suspend_overdue(&house).await, 0, "20 days after it was due");
        assert!(debtor.may_send(&house, "a").await);
        house.hand.advance(DAY);
        assert_eq!(join_all((0..4).map(|_| suspend_overdue(&house))).await.iter().sum::<u64>(), 1);
        assert_eq!(suspend_overdue(&house).await, 0, "once");
        assert_eq!(debtor.send(&house, "b").await, Err(ItemErrorCode::PaymentOverdue));
        // Test keys play on, and so do other accounts.
        let test = key(&house, debtor.books.account_id, KeyMode::Test);
        assert_eq!(send_as(&house, &test, "t", vec![to("+9990000000001")]).await, Ok(()));
        let other = Debtor::new(&house).await;
        assert!(other.may_send(&house, "o").await);

        let read = "query($id: ID!) { accountBilling(accountId: $id) { terms { sendingSuspendedAt } } }";
        let id = json!({ "id": debtor.books.account_id.to_string() });
        let terms = debtor.books.api.data(&debtor.books.staff, read, id.clone()).await;
        assert_eq!(terms["accountBilling"]["terms"]["sendingSuspendedAt"], "2026-02-09T00:00:00.000Z");

        debtor.pay(&first, "10.00").await;
        assert_eq!(debtor.send(&house, "c").await, Err(ItemErrorCode::PaymentOverdue), "one is left");
        debtor.pay(&second, "20.00").await;
        assert!(debtor.may_send(&house, "d").await, "at once");
        let terms = debtor.books.api.data(&debtor.books.staff, read, id).await;
        assert_eq!(terms["accountBilling"]["terms"]["sendingSuspendedAt"], Value::Null);
        // The same key was answered before, and is answered the same again.
        assert_eq!(debtor.send(&house, "b").await, Err(ItemErrorCode::PaymentOverdue));
        assert_eq!(debtor.told(&house).await, [20, 20, 28, 21, 21, 29]);
        assert_eq!(suspend_overdue(&house).await, 0);
        assert_books_hold(&house).await;
    }

    async fn void_credited_and_extended_invoices_lift_it_and_given_up_ones_do_not(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        for (round, settle) in ["voidInvoice", "createCreditNote", "extendInvoice"].into_iter().enumerate() {
            let invoice = debtor.books.invoice("10.00").await;
            house.hand.advance(DAY * 35);
            assert_eq!(suspend_overdue(&house).await, 1, "{settle}");
            assert!(!debtor.may_send(&house, &format!("{round} before")).await);
            let id = &invoice["id"];
            let (result, input) = match settle {
                "voidInvoice" => ("invoice", json!({ "invoiceId": id, "reason": "r" })),
                "createCreditNote" => ("creditNote", json!({ "invoiceId": id, "reason": "r",
                    "idempotencyKey": "k", "lines": [{ "description": "d", "amount": "10.00" }] })),
                _ => ("invoice", json!({ "invoiceId": id, "dueAt": "2026-05-01T00:00:00Z" })),
            };
            debtor.books.done(settle, result, input).await;
            assert!(debtor.may_send(&house, &format!("{round} after")).await, "{settle}");
        }
        // The third is due on the first of May, and is reminded of and suspended for anew.
        house.hand.advance(DAY * 50);
        assert_eq!(suspend_overdue(&house).await, 1);
        let open = "{ invoices(filter: { status: OPEN }) { nodes { id dueAt overdueAt } } }";
        let found = debtor.books.api.data(&debtor.books.owner, open, json!({})).await;
        let invoice = &found["invoices"]["nodes"][0];
        debtor.books.done("markUncollectible", "invoice", json!({ "invoiceId": invoice["id"] })).await;
        assert_eq!(suspend_overdue(&house).await, 0);
        assert!(!debtor.may_send(&house, "given up").await, "the debt is still there");
        debtor.pay(invoice, "10.00").await;
        assert!(debtor.may_send(&house, "paid after all").await);
    }

    async fn more_time_has_its_bounds(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        let books = &debtor.books;
        let invoice = books.invoice("10.00").await;
        house.hand.advance(DAY * 15);
        invoices::mark_overdue(&books.staff).await.unwrap();
        assert_eq!(remind(&house).await, 1);
        let extend = |due_at: &str| json!({ "invoiceId": invoice["id"], "dueAt": due_at });
        for due_at in ["2026-01-19T12:00:00Z", "2026-01-10T00:00:00Z", "2028-01-01T00:00:00Z"] {
            let code = books.refused("extendInvoice", "invoice", extend(due_at)).await;
            assert_eq!(code, "INVALID_DUE_AT", "{due_at}");
        }
        let longer = books.done("extendInvoice", "invoice", extend("2026-02-01T00:00:00Z")).await;
        assert_eq!((&longer["dueAt"], &longer["overdueAt"]), (&json!("2026-02-01T00:00:00.000Z"), &Value::Null));
        let again = books.done("extendInvoice", "invoice", extend("2026-02-01T00:00:00Z")).await;
        assert_eq!(again, longer);
        assert_eq!(remind(&house).await, 0);
        house.hand.advance(DAY * 13);
        assert_eq!(remind(&house).await, 1, "the first step after the new due time");
        let given = reminders(books, &invoice).await;
        assert_eq!((&given[1]["afterDays"], &given[1]["dueAt"]), (&json!(1), &longer["dueAt"]));
        debtor.pay(&invoice, "10.00").await;
        let paid = extend("2026-03-01T00:00:00Z");
        assert_eq!(books.refused("extendInvoice", "invoice", paid).await, "NOT_OPEN");
    }

    async fn whoever_pays_while_it_is_suspended_may_send(house: TestHouse) {
        for _ in 0..8 {
            let debtor = Debtor::new(&house).await;
            let first = debtor.books.invoice("1.00").await;
            let second = debtor.books.invoice("2.00").await;
            house.hand.advance(DAY * 36);
            let suspend = async { suspend_overdue(&house).await; };
            tokio::join!(suspend, debtor.pay(&first, "1.00"), debtor.pay(&second, "2.00"));
            assert!(debtor.may_send(&house, "k").await);
        }
        assert_books_hold(&house).await;
    }

    async fn a_setting_that_is_taken_back_lifts_what_it_brought(house: TestHouse) {
        let debtor = Debtor::new(&house).await;
        debtor.books.invoice("10.00").await;
        house.hand.advance(DAY * 36);
        assert_eq!(suspend_overdue(&house).await, 1);
        let never = house.platform_with(|settings| settings.billing.suspend_after_days = 0);
        let never = Ctx::system(never, "test");
        assert_eq!(invoices::suspend_overdue(&never).await.unwrap(), 1);
        assert!(debtor.may_send(&house, "k").await);
        assert_eq!(invoices::suspend_overdue(&never).await.unwrap(), 0);
    }
}
