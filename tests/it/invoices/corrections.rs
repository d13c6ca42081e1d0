//! Corrections: invoices are made void as a whole, or credited in part; never changed.

use serde_json::{Value, json};

use super::{Books, DAY, assert_books_hold, make_monthly};
use crate::support::both_stores;

fn note(invoice: &Value, amount: &str, key: &str) -> Value {
    json!({ "invoiceId": invoice["id"], "reason": "not delivered", "idempotencyKey": key,
        "lines": [{ "description": "Goodwill", "amount": amount }] })
}

impl Books {
    /// Gives the account a tax of its own.
    async fn tax(&self, name: &str, percentage: &str) {
        let document = "mutation($input: CreateTaxRateInput!) { createTaxRate(input: $input) \
            { taxRate { id } userErrors { code } } }";
        let input = json!({ "input": { "name": name, "percentage": percentage } });
        let made = self.api.data(&self.staff, document, input).await;
        let document = "mutation($input: SetAccountTaxRatesInput!) \
            { setAccountTaxRates(input: $input) { userErrors { code } } }";
        let ids = [&made["createTaxRate"]["taxRate"]["id"]];
        let account = self.account_id.to_string();
        let input = json!({ "input": { "accountId": account, "taxRateIds": ids } });
        self.api.data(&self.staff, document, input).await;
    }
}

both_stores! {
    async fn a_void_invoice_takes_back_what_it_posted_and_its_month_may_have_another(house: TestHouse) {
        let books = Books::open(&house).await;
        books.tax("VAT", "19").await;
        books.charge(&house, "USD", "DE", "0.005", 1).await;
        house.hand.advance(DAY * 28);
        let account = books.account_id.to_string();
        let month = json!({ "accountId": account, "month": { "year": 2026, "month": 1 } });
        let draft = books.done("createInvoice", "invoice", month.clone()).await;
        books.add_line(&draft, "10.00").await;
        let invoice = books.finalize(&draft).await;
        // 0.005 is rounded to 0 (half to even), and 19 % of 10.00 are 1.90.
        assert_eq!((&invoice["total"], &invoice["tax"]), (&json!("11.90"), &json!("1.90")));
        assert_eq!(books.posted().await, "-11.90");
        let void = json!({ "invoiceId": invoice["id"], "reason": "wrong line" });
        let voided = books.done("voidInvoice", "invoice", void.clone()).await;
        assert_eq!((&voided["status"], &voided["amountDue"]), (&json!("VOID"), &json!("0.00")));
        assert_eq!((&voided["number"], &voided["total"]), (&invoice["number"], &invoice["total"]));
        assert_eq!(books.done("voidInvoice", "invoice", void).await, voided);
        assert_eq!(books.posted().await, "-0.005", "the message stays charged");

        let second = books.done("createInvoice", "invoice", month).await;
        books.add_line(&second, "5.00").await;
        assert_eq!(books.finalize(&second).await["total"], "5.95");
        assert_eq!(books.posted().await, "-5.95");
        assert_eq!(make_monthly(&house).await, 0, "the month is done");
        assert_books_hold(&house).await;
    }

    async fn what_was_paid_or_credited_in_part_is_not_made_void(house: TestHouse) {
        let books = Books::open(&house).await;
        let void = |invoice: &Value| json!({ "invoiceId": invoice["id"], "reason": "mistake" });
        let paid = books.invoice("10.00").await;
        let payment = json!({ "invoiceId": paid["id"], "amount": "1.00", "reference": "r",
            "idempotencyKey": "p" });
        books.done("recordPayment", "invoice", payment).await;
        assert_eq!(books.refused("voidInvoice", "invoice", void(&paid)).await, "PARTLY_PAID");
        let credited = books.invoice("10.00").await;
        books.done("createCreditNote", "creditNote", note(&credited, "1.00", "c")).await;
        assert_eq!(books.refused("voidInvoice", "invoice", void(&credited)).await, "PARTLY_CREDITED");
        let draft = books.draft("1.00").await;
        assert_eq!(books.refused("voidInvoice", "invoice", void(&draft)).await, "NOT_OPEN");
        let reason = json!({ "invoiceId": draft["id"], "reason": " " });
        assert_eq!(books.refused("voidInvoice", "invoice", reason).await, "INVALID_REASON");
        assert_eq!(books.posted().await, "-18.00", "what was refused posted nothing");
    }

    async fn credit_notes_never_take_more_than_there_is_nor_another_tax(house: TestHouse) {
        let books = Books::open(&house).await;
        books.tax("VAT", "8.25").await;
        let invoice = books.invoice("10.00").await;
        // 0.825, half to even.
        assert_eq!((&invoice["tax"], &invoice["total"]), (&json!("0.82"), &json!("10.82")));
        let above = note(&invoice, "10.01", "above");
        assert_eq!(books.refused("createCreditNote", "creditNote", above).await, "ABOVE_CREDITABLE");
        let first = books.done("createCreditNote", "creditNote", note(&invoice, "3.33", "1")).await;
        assert!(first["number"].as_str().unwrap().starts_with("CRN-"), "{first}");
        assert_eq!((&first["kind"], &first["status"]), (&json!("CREDIT_NOTE"), &json!("PAID")));
        assert_eq!(first["corrects"]["number"], invoice["number"]);
        let again = books.done("createCreditNote", "creditNote", note(&invoice, "3.33", "1")).await;
        assert_eq!(again, first, "the same key makes one");
        let reused = note(&invoice, "3.34", "1");
        assert_eq!(books.refused("createCreditNote", "creditNote", reused).await, "IDEMPOTENCY_KEY_REUSED");
        books.done("createCreditNote", "creditNote", note(&invoice, "3.33", "2")).await;
        let above = note(&invoice, "3.35", "3");
        assert_eq!(books.refused("createCreditNote", "creditNote", above).await, "ABOVE_CREDITABLE");
        books.done("createCreditNote", "creditNote", note(&invoice, "3.34", "4")).await;
        // All of it: the taxes of the three are the invoice's.
        let whole = books.document(&invoice["id"]).await;
        assert_eq!((&whole["amountCredited"], &whole["status"]), (&json!("10.82"), &json!("PAID")));
        let notes = whole["creditNotes"].as_array().unwrap();
        let totals: Vec<_> = notes.iter().map(|note| note["total"].as_str().unwrap()).collect();
        assert_eq!(totals, ["3.60", "3.61", "3.61"]);
        assert_eq!(books.posted().await, "0.00");
        let more = note(&invoice, "0.01", "5");
        assert_eq!(books.refused("createCreditNote", "creditNote", more).await, "ABOVE_CREDITABLE");
        for (amount, code) in [("0", "INVALID_AMOUNT"), ("-1", "INVALID_AMOUNT"), ("0.001", "INVALID_AMOUNT")] {
            let wrong = note(&invoice, amount, "6");
            assert_eq!(books.refused("createCreditNote", "creditNote", wrong).await, code);
        }
        assert_books_hold(&house).await;
    }

    async fn crediting_what_was_paid_leaves_credit(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("10.00").await;
        let payment = json!({ "invoiceId": invoice["id"], "amount": "10.00", "reference": "r",
            "idempotencyKey": "p" });
        books.done("recordPayment", "invoice", payment).await;
        books.done("createCreditNote", "creditNote", note(&invoice, "4.00", "c")).await;
        let after = books.document(&invoice["id"]).await;
        assert_eq!((&after["status"], &after["amountDue"]), (&json!("PAID"), &json!("0.00")));
        assert_eq!(books.posted().await, "4.00");
        let draft = books.draft("1.00").await;
        let refused = note(&draft, "1.00", "d");
        assert_eq!(books.refused("createCreditNote", "creditNote", refused).await, "NOT_CREDITABLE");
        // Many at once take no more than there is.
        let invoice = books.invoice("10.00").await;
        let notes = (0..8).map(|n| books.run("createCreditNote", "creditNote", note(&invoice, "3.00", &n.to_string())));
        let made = futures::future::join_all(notes).await;
        assert_eq!(made.iter().filter(|it| !it["creditNote"].is_null()).count(), 3);
        // 4.00 of it was paid by the credit of before.
        assert_eq!(books.document(&invoice["id"]).await["amountDue"], "0.00");
        assert_eq!(books.posted().await, "3.00");
        assert_books_hold(&house).await;
    }
}
