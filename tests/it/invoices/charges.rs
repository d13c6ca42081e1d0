//! Months of plans and packages on the invoices and statements of their month.

use entity::ids::{GrantedPackageId, PackageId, PlanId};
use heliograph::billing::packages::revoke;
use heliograph::billing::{self, CreditChange, invoices, packages, plans};
use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::{Books, DAY, assert_books_hold, make_monthly, sum};
use crate::packages::{of_parts, offer};
use crate::support::{TestHouse, both_stores};

/// A plan in dollars.
async fn plan(house: &TestHouse, name: &str, micros: i64) -> PlanId {
    let new = plans::NewPlan {
        name: name.to_owned(),
        currency: "USD".parse().unwrap(),
        monthly_price: Micros(micros),
        rate_card_id: None,
        package_id: None,
    };
    plans::create(&house.system(), new).await.unwrap().id
}

/// Offers a package of parts at a price.
async fn package(house: &TestHouse, name: &str, micros: i64) -> PackageId {
    let new = packages::NewPackage { price: Micros(micros), ..of_parts(name, 100) };
    offer(house, new).await.id
}

async fn buy(books: &Books, id: PackageId, key: &str) -> GrantedPackageId {
    packages::buy(&books.owner, id, key).await.unwrap().row.id
}

async fn give_back(house: &TestHouse, id: GrantedPackageId, micros: i64) {
    revoke(&house.system(), id, Micros(micros)).await.unwrap();
}

/// Kind, description and amount of each line.
fn lines(document: &Value) -> Vec<Value> {
    let lines = document["lines"].as_array().unwrap().iter();
    lines.map(|line| json!([line["kind"], line["description"], line["amount"]])).collect()
}

both_stores! {
    async fn an_invoice_asks_for_plans_and_packages_of_its_month(house: TestHouse) {
        let books = Books::open(&house).await;
        let plan = plan(&house, "Gold", 20_000_000).await;
        plans::subscribe(&house.system(), books.account_id, plan).await.unwrap();
        books.charge(&house, "USD", "DE", "0.0075", 1).await;
        let package = package(&house, "Parts", 3_333_333).await;
        buy(&books, package, "a").await;
        assert_eq!(books.posted().await, "-23.340833", "taken at once");
        house.hand.advance(DAY * 27);
        // The first of February: this one is of the next month.
        buy(&books, package, "b").await;
        house.hand.advance(DAY);
        assert_eq!(make_monthly(&house).await, 1);

        let january = &books.documents().await[0];
        assert_eq!(lines(january), [
            json!(["MESSAGES", null, "0.0075"]),
            json!(["PLAN", "Gold, month from 2026-01-05", "20.00"]),
            json!(["PACKAGE", "Parts", "3.333333"]),
            // To 0.01, 20.00 and 3.33.
            json!(["ROUNDING", null, "-0.000833"]),
        ]);
        assert_eq!((&january["status"], &january["total"]), (&json!("OPEN"), &json!("23.34")));
        // What the balance lacks: this invoice, and what February has taken.
        assert_eq!(books.posted().await, "-26.673333");
        let id = january["id"].as_str().unwrap().parse().unwrap();
        let pdf = invoices::pdf(&books.owner, id).await.unwrap().unwrap();
        let text = pdf_extract::extract_text_from_mem(&pdf.bytes).unwrap();
        for figure in ["Plan Gold, month from 2026-01-05", "Parts", "20.00", "3.333333", "23.34"] {
            assert!(text.contains(figure), "{figure} in {text}");
        }

        // Made void it takes back its rounding alone; made anew it has the same lines.
        let input = json!({ "invoiceId": january["id"], "reason": "address" });
        books.done("voidInvoice", "invoice", input).await;
        assert_eq!(books.posted().await, "-26.674166");
        let account = books.account_id.to_string();
        let input = json!({ "accountId": account, "month": { "year": 2026, "month": 1 } });
        let draft = books.done("createInvoice", "invoice", input).await;
        let anew = books.finalize(&draft).await;
        assert_eq!(lines(&anew), lines(january));
        assert_eq!(anew["amountDue"], "23.34");
        assert_eq!(books.posted().await, "-26.673333");

        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let february = &books.documents().await[2];
        assert_eq!(lines(february)[0], json!(["PACKAGE", "Parts", "3.333333"]));
        assert_eq!(sum(february, "PLAN"), Micros::ZERO, "nothing charged its month yet");
        assert_books_hold(&house).await;
    }

    async fn a_deleted_plan_s_month_is_asked_for(house: TestHouse) {
        let books = Books::open(&house).await;
        let plan = plan(&house, "Gold", 20_000_000).await;
        plans::subscribe(&house.system(), books.account_id, plan).await.unwrap();
        plans::unsubscribe(&house.system(), books.account_id).await.unwrap();
        plans::delete(&house.system(), plan).await.unwrap();
        house.hand.advance(DAY * 28);
        // No message was sent: the plan alone makes the invoice.
        assert_eq!(make_monthly(&house).await, 1);
        let invoice = &books.documents().await[0];
        let line = json!(["PLAN", "(deleted), month from 2026-01-05", "20.00"]);
        assert_eq!((lines(invoice), &invoice["total"]), (vec![line], &json!("20.00")));
    }

    async fn what_is_given_back_is_taken_off_as_far_as_it_fits(house: TestHouse) {
        let books = Books::open(&house).await;
        let package = package(&house, "Parts", 30_000_000).await;
        let (kept, returned) = (buy(&books, package, "a").await, buy(&books, package, "b").await);
        give_back(&house, returned, 30_000_000).await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let january = books.documents().await[0].clone();
        assert_eq!(lines(&january), [
            json!(["PACKAGE", "Parts", "30.00"]),
            json!(["PACKAGE", "Parts", "30.00"]),
            json!(["PACKAGE", "Parts, given back", "-30.00"]),
        ]);
        assert_eq!((&january["total"], books.posted().await), (&json!("30.00"), "-30.00".into()));

        // More is given back than February took: its invoice lists nothing of it, and credit pays it.
        books.charge(&house, "USD", "DE", "12", 1).await;
        give_back(&house, kept, 25_000_000).await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let february = &books.documents().await[1];
        assert_eq!(lines(february), [json!(["MESSAGES", null, "12.00"])]);
        assert_eq!((&february["status"], &february["total"]), (&json!("PAID"), &json!("12.00")));
        assert_eq!(books.posted().await, "-17.00");
        // The 13 that are left pay January's with 17 more.
        let input = json!({ "invoiceId": january["id"], "amount": "17.00", "reference": "r",
            "idempotencyKey": "k" });
        books.done("recordPayment", "invoice", input).await;
        let pay = "mutation($input: PayInvoiceInput!) { payInvoice(input: $input) { \
            invoice { status amountDue } userErrors { code } } }";
        let input = json!({ "invoiceId": january["id"], "idempotencyKey": "c" });
        let paid = books.api.data(&books.owner, pay, json!({ "input": input })).await;
        assert_eq!(paid["payInvoice"], json!({ "userErrors": [],
            "invoice": { "status": "PAID", "amountDue": "0.00" } }));
        assert_eq!(books.posted().await, "0.00");
        assert_books_hold(&house).await;
    }

    async fn a_month_that_only_gave_back_has_no_document(house: TestHouse) {
        let books = Books::open(&house).await;
        let package = package(&house, "Parts", 30_000_000).await;
        let bought = buy(&books, package, "a").await;
        house.hand.advance(DAY * 28);
        give_back(&house, bought, 10_000_000).await;
        assert_eq!(make_monthly(&house).await, 1);
        let january = &books.documents().await[0];
        // What February gave back may stand on its own invoice: it is no credit yet.
        assert_eq!((&january["total"], &january["amountDue"]), (&json!("30.00"), &json!("30.00")));
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 0);
        books.charge(&house, "USD", "DE", "4", 1).await;
        house.hand.advance(DAY * 31);
        assert_eq!(make_monthly(&house).await, 1);
        let march = &books.documents().await[1];
        assert_eq!((&march["status"], &march["total"]), (&json!("PAID"), &json!("4.00")));
        assert_eq!(books.posted().await, "-24.00");
        assert_books_hold(&house).await;
    }

    async fn a_statement_lists_plans_and_packages_with_nothing_due(house: TestHouse) {
        let books = Books::open(&house).await;
        let change = CreditChange {
            limit: Some(Micros::ZERO),
            add_balance: Some(Micros(50_000_000)),
            currency: None,
        };
        billing::set_credit(&house.system(), books.account_id, change).await.unwrap();
        let plan = plan(&house, "Gold", 20_000_000).await;
        plans::subscribe(&house.system(), books.account_id, plan).await.unwrap();
        let package = package(&house, "Parts", 3_333_333).await;
        buy(&books, package, "a").await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let statement = &books.documents().await[0];
        assert_eq!(lines(statement), [
            json!(["PLAN", "Gold, month from 2026-01-05", "20.00"]),
            json!(["PACKAGE", "Parts", "3.333333"]),
        ]);
        assert_eq!(
            (&statement["kind"], &statement["total"], &statement["amountDue"]),
            (&json!("STATEMENT"), &json!("23.333333"), &json!("0.00"))
        );
        assert_eq!(books.posted().await, "26.666667");
        assert_books_hold(&house).await;
    }
}
