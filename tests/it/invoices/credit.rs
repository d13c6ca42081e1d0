//! Credit pays invoices by itself, and drafts can be discarded.

use heliograph::billing::{self, CreditChange};
use heliograph::types::money::Micros;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use super::{Books, DAY, assert_books_hold, make_monthly, micros};
use crate::support::{TestHouse, both_stores};

async fn pay(books: &Books, invoice: &Value, amount: &str, key: &str) {
    let input = json!({ "invoiceId": invoice["id"], "amount": amount, "reference": "r",
        "idempotencyKey": key });
    books.done("recordPayment", "invoice", input).await;
}

both_stores! {
    async fn what_was_paid_too_much_pays_the_next_invoices(house: TestHouse) {
        let books = Books::open(&house).await;
        let first = books.invoice("10.00").await;
        pay(&books, &first, "25.00", "a").await;
        let second = books.invoice("9.00").await;
        assert_eq!((&second["status"], &second["amountDue"]), (&json!("PAID"), &json!("0.00")));
        assert_eq!(second["payments"], json!([{ "amount": "9.00", "reference": null }]));
        let third = books.invoice("10.00").await;
        assert_eq!((&third["status"], &third["amountDue"]), (&json!("OPEN"), &json!("4.00")));
        assert_eq!(books.posted().await, "-4.00", "no invoice asks for more than the ledger lacks");
        let read = "query($id: ID!) { invoice(id: $id) { payments { kind amount } } }";
        let data = books.api.data(&books.owner, read, json!({ "id": third["id"] })).await;
        assert_eq!(data["invoice"]["payments"], json!([{ "kind": "CREDIT", "amount": "6.00" }]));
        pay(&books, &third, "4.00", "b").await;
        let fourth = books.invoice("1.00").await;
        assert_eq!(fourth["amountDue"], "1.00", "no credit is left");
        assert_books_hold(&house).await;
    }

    async fn messages_that_no_invoice_lists_yet_take_no_credit(house: TestHouse) {
        let books = Books::open(&house).await;
        let change = CreditChange { add_balance: Some(Micros(100_000_000)), ..CreditChange::default() };
        billing::set_credit(&house.system(), books.account_id, change).await.unwrap();
        books.charge(&house, "USD", "DE", "60", 1).await;
        house.hand.advance(DAY * 27);
        books.charge(&house, "USD", "DE", "50", 1).await;
        house.hand.advance(DAY);
        assert_eq!(make_monthly(&house).await, 1);
        let january = &books.documents().await[0];
        assert_eq!((&january["total"], &january["status"]), (&json!("60.00"), &json!("PAID")));
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let february = &books.documents().await[1];
        assert_eq!((&february["total"], &february["amountDue"]), (&json!("50.00"), &json!("10.00")));
        assert_eq!(books.posted().await, "-10.00");
    }

    async fn invoices_ask_for_what_the_ledger_lacks_whatever_happens(house: TestHouse) {
        let books = Books::open(&house).await;
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let mut open: Vec<Value> = Vec::new();
        for round in 0..40 {
            let cents = |rng: &mut ChaCha20Rng, max: i64| {
                Micros(rng.random_range(1..=max) * 10_000).to_string()
            };
            let amount = cents(&mut rng, 5_000);
            match rng.random_range(0..4) {
                0 | 1 => open.push(books.invoice(&amount).await),
                2 if !open.is_empty() => {
                    let which = rng.random_range(0..open.len());
                    let input = json!({ "invoiceId": open[which]["id"], "amount": amount,
                        "reference": "r", "idempotencyKey": format!("p{round}") });
                    // Refused if it was paid meanwhile.
                    books.run("recordPayment", "invoice", input).await;
                }
                _ if !open.is_empty() => {
                    let which = rng.random_range(0..open.len());
                    let input = json!({ "invoiceId": open[which]["id"], "reason": "r",
                        "idempotencyKey": format!("c{round}"),
                        "lines": [{ "description": "d", "amount": cents(&mut rng, 100) }] });
                    // Refused if it is more than there is.
                    books.run("createCreditNote", "creditNote", input).await;
                }
                _ => {}
            }
            // What the account has beyond what its invoices ask for is its credit; it pays the next.
            let posted: Micros = books.posted().await.parse().unwrap();
            let credit = posted.checked_add(all_due(&house, &books).await).unwrap();
            assert!(credit >= Micros::ZERO, "{round}: more is lacking than is asked for");
            let amount = cents(&mut rng, 2_000);
            let fresh = books.invoice(&amount).await;
            let amount: Micros = amount.parse().unwrap();
            let paid = micros(&fresh["amountPaid"]);
            assert_eq!(paid, credit.min(amount), "{round}");
            open.push(fresh);
        }
        assert_books_hold(&house).await;
    }

    async fn a_draft_can_be_discarded_and_its_month_is_invoiced_in_any_case(house: TestHouse) {
        let books = Books::open(&house).await;
        books.charge(&house, "USD", "DE", "1", 1).await;
        let account = books.account_id.to_string();
        let input = json!({ "accountId": account, "month": { "year": 2026, "month": 1 } });
        let draft = books.done("createInvoice", "invoice", input.clone()).await;
        let draft = books.add_line(&draft, "5.00").await;
        let discard = "mutation($id: ID!) { discardInvoice(input: { invoiceId: $id }) \
            { deletedInvoiceId userErrors { code } } }";
        let run = async |ctx, id: &Value| {
            books.api.data(ctx, discard, json!({ "id": id })).await["discardInvoice"].clone()
        };
        let done = run(&books.staff, &draft["id"]).await;
        assert_eq!(done, json!({ "deletedInvoiceId": draft["id"], "userErrors": [] }));
        let again = run(&books.staff, &draft["id"]).await;
        assert_eq!(again["userErrors"], json!([{ "code": "INVOICE_NOT_FOUND" }]));
        assert_eq!(books.document(&draft["id"]).await, Value::Null);
        let lines: i64 = house.value("SELECT count(*) FROM invoice_line", []).await;
        assert_eq!(lines, 0);
        // It can have another draft; or its invoice comes by itself.
        let second = books.done("createInvoice", "invoice", input).await;
        run(&books.staff, &second["id"]).await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let invoice = &books.documents().await[0];
        assert!(invoice["number"].as_str().unwrap().ends_with("-000001"), "no number was lost");
        let refused = run(&books.staff, &invoice["id"]).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_A_DRAFT" }]));
        let code = books.api.code(&books.owner, discard, json!({ "id": invoice["id"] })).await;
        assert_eq!(code, "FORBIDDEN");
    }
}

/// What all of the account's invoices ask for, by the store.
async fn all_due(house: &TestHouse, books: &Books) -> Micros {
    let sql = "SELECT CAST(COALESCE(SUM(total_micros - paid_micros - credited_micros), 0) AS BIGINT) \
        FROM invoice WHERE account_id = $1 AND kind = 0 AND status = 1";
    Micros(house.value(sql, [books.account_id.into()]).await)
}
