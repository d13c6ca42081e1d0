//! Months: each becomes one invoice or statement, with what the ledger took.

use entity::ids::AccountId;
use heliograph::billing::{self, CreditChange, invoices};
use heliograph::types::money::Micros;
use serde_json::json;

use super::{Books, DAY, assert_books_hold, make_monthly, sum};
use crate::support::{TestHouse, both_stores};

/// What messages cost by the usage of days, which charts are made of.
async fn charted(house: &TestHouse, account_id: AccountId) -> Micros {
    let sql = "SELECT CAST(SUM(amount_micros) AS BIGINT) FROM usage_day WHERE account_id = $1";
    Micros(house.value(sql, [account_id.into()]).await)
}

both_stores! {
    async fn a_month_becomes_one_invoice_with_what_the_ledger_took(house: TestHouse) {
        let books = Books::open(&house).await;
        for _ in 0..3 {
            books.charge(&house, "USD", "DE", "0.0000375", 7).await;
            books.charge(&house, "USD", "DE", "0.0075", 2).await;
            books.charge(&house, "USD", "GB", "1.23456789", 1).await;
            books.charge(&house, "USD", "", "0.0000375", 1).await;
            house.hand.advance(DAY);
        }
        assert_eq!(make_monthly(&house).await, 0, "the month is not over");
        house.hand.advance(DAY * 24);
        assert_eq!(make_monthly(&house).await, 0, "it is over for less than an hour");
        house.hand.advance(DAY / 24);
        assert_eq!(make_monthly(&house).await, 1);
        assert_eq!(make_monthly(&house).await, 0, "once");

        let documents = books.documents().await;
        assert_eq!(documents.len(), 1);
        let invoice = &documents[0];
        assert_eq!((&invoice["kind"], &invoice["status"]), (&json!("INVOICE"), &json!("OPEN")));
        assert_eq!(invoice["periodFrom"], "2026-01-01T00:00:00.000Z");
        assert_eq!(invoice["periodBefore"], "2026-02-01T00:00:00.000Z");
        assert_eq!(invoice["dueAt"], "2026-02-15T01:00:00.000Z");
        assert!(invoice["number"].as_str().unwrap().ends_with("-000001"), "{invoice}");
        // One line a country, class and price, with exactly what was charged.
        let lines: Vec<_> = invoice["lines"].as_array().unwrap().iter()
            .map(|line| (line["kind"].clone(), line["country"].clone(), line["unitPrice"].clone(),
                line["quantity"].clone(), line["messages"].clone(), line["amount"].clone()))
            .collect();
        let line = |kind: &str, country: Option<&str>, price: Option<&str>, parts: &str,
            messages: Option<&str>, amount: &str| (json!(kind), json!(country), json!(price),
            json!(parts), json!(messages), json!(amount));
        assert_eq!(lines, [
            line("MESSAGES", None, Some("0.0000375"), "3.00", Some("3.00"), "0.000114"),
            line("MESSAGES", Some("DE"), Some("0.0000375"), "21.00", Some("3.00"), "0.000786"),
            line("MESSAGES", Some("DE"), Some("0.0075"), "6.00", Some("3.00"), "0.045"),
            line("MESSAGES", Some("GB"), Some("1.23456789"), "3.00", Some("3.00"), "3.703704"),
            // To 0, 0, 0.04 (half to even) and 3.70.
            line("ROUNDING", None, None, "1.00", None, "-0.009604"),
        ]);
        // Chart = list = ledger; with the rounding: what is to be paid, and what the balance lacks.
        assert_eq!(sum(invoice, "MESSAGES"), charted(&house, books.account_id).await);
        assert_eq!(invoice["total"], "3.74");
        assert_eq!(invoice["amountDue"], "3.74");
        assert_eq!(books.posted().await, "-3.74");
        assert_books_hold(&house).await;
    }

    async fn who_pays_beforehand_gets_a_statement_with_nothing_due(house: TestHouse) {
        let books = Books::open(&house).await;
        let change = CreditChange {
            limit: Some(Micros::ZERO),
            add_balance: Some(Micros(5_000_000)),
            currency: None,
        };
        billing::set_credit(&house.system(), books.account_id, change).await.unwrap();
        books.charge(&house, "USD", "DE", "0.0000375", 1).await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let statement = &books.documents().await[0];
        assert_eq!((&statement["kind"], &statement["status"]), (&json!("STATEMENT"), &json!("PAID")));
        assert!(statement["number"].as_str().unwrap().starts_with("STM-"));
        assert_eq!((&statement["total"], &statement["amountDue"]), (&json!("0.000038"), &json!("0.00")));
        assert_eq!((&statement["dueAt"], &statement["tax"]), (&json!(null), &json!("0.00")));
        assert_eq!(books.posted().await, "4.999962", "a statement posts nothing");
        // Its month has no invoice.
        let account = books.account_id.to_string();
        let input = json!({ "accountId": account, "month": { "year": 2026, "month": 1 } });
        assert_eq!(books.refused("createInvoice", "invoice", input).await, "ACCOUNT_IS_PREPAID");
        assert_books_hold(&house).await;
    }

    async fn minor_units_are_the_currency_s(house: TestHouse) {
        for (currency, total, rounding) in [("JPY", "9.00", "-0.5005"), ("KWD", "9.50", "-0.0005")] {
            let books = Books::open_in(&house, currency).await;
            books.charge(&house, currency, "JP", "0.5", 5).await;
            books.charge(&house, currency, "KR", "7", 1).await;
            books.charge(&house, currency, "XX", "0.00025", 2).await;
            let now = house.now();
            let month_end = invoices::Month::of(now).next().begins_at();
            house.hand.advance(std::time::Duration::from_millis((month_end.0 - now.0) as u64 + 3_600_000));
            assert!(make_monthly(&house).await >= 1);
            let invoice = &books.documents().await[0];
            assert_eq!(invoice["currency"], currency);
            assert_eq!(invoice["total"], total, "{invoice}");
            // 2.5 and 7 and 0.0005: to 2, 7 and 0 yen; to 2.500, 7.000 and 0.000 dinars.
            assert_eq!(sum(invoice, "ROUNDING").to_string(), rounding);
            assert_eq!(books.posted().await, format!("-{total}"));
        }
        assert_books_hold(&house).await;
    }

    async fn months_that_were_missed_are_made_up_for(house: TestHouse) {
        let books = Books::open(&house).await;
        books.charge(&house, "USD", "DE", "1", 1).await;
        house.hand.advance(DAY * 59);
        books.charge(&house, "USD", "DE", "2", 1).await;
        house.hand.advance(DAY * 60);
        // January and March; February and April cost nothing.
        assert_eq!(make_monthly(&house).await, 2);
        let documents = books.documents().await;
        let months: Vec<_> = documents.iter().map(|it| it["periodFrom"].as_str().unwrap()).collect();
        assert_eq!(months, ["2026-01-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"]);
        for (document, end) in documents.iter().zip(["-000001", "-000002"]) {
            assert!(document["number"].as_str().unwrap().ends_with(end), "{document}");
        }
        // A period is a filter.
        let document = "{ invoices(filter: { periodFrom: \"2026-02-01T00:00:00Z\" }) { totalCount nodes { total } } }";
        let later = books.api.data(&books.owner, document, json!({})).await;
        assert_eq!(later["invoices"], json!({ "totalCount": 1, "nodes": [{ "total": "2.00" }] }));
    }

    async fn two_nodes_make_a_month_once(house: TestHouse) {
        let books = Books::open(&house).await;
        books.charge(&house, "USD", "DE", "1", 1).await;
        house.hand.advance(DAY * 28);
        let runs = (0..8).map(|_| make_monthly(&house));
        let made: u64 = futures::future::join_all(runs).await.into_iter().sum();
        assert_eq!(made, 1);
        assert_eq!(books.documents().await.len(), 1);
    }

    async fn a_month_s_draft_is_finalized_with_its_lines(house: TestHouse) {
        let books = Books::open(&house).await;
        let account = books.account_id.to_string();
        let month = json!({ "year": 2026, "month": 1 });
        let input = json!({ "accountId": account, "month": month });
        let draft = books.done("createInvoice", "invoice", input.clone()).await;
        assert_eq!(books.refused("createInvoice", "invoice", input).await, "MONTH_TAKEN");
        books.add_line(&draft, "10.00").await;
        books.add_line(&draft, "-0.50").await;
        let input = json!({ "invoiceId": draft["id"] });
        assert_eq!(books.refused("finalizeInvoice", "invoice", input).await, "MONTH_NOT_OVER");
        assert!(books.documents().await.is_empty(), "a draft is the operator's");
        books.charge(&house, "USD", "DE", "0.25", 2).await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let invoice = books.document(&draft["id"]).await;
        assert_eq!((&invoice["status"], &invoice["total"]), (&json!("OPEN"), &json!("10.00")));
        assert_eq!(books.posted().await, "-10.00");
        assert_books_hold(&house).await;
    }

    async fn a_hundred_thousand_lines_are_finalized_and_read_page_by_page(house: TestHouse) {
        let books = Books::open(&house).await;
        let sql = "WITH RECURSIVE counted(n) AS \
            (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 100000) \
            INSERT INTO usage_day (account_id, currency, purse, day, country, class, \
            unit_price_nanos, messages, parts, amount_micros) \
            SELECT $1, 'USD', 0, 20458, 'DE', 1, n * 1000, 1, 1, 10007 FROM counted";
        house.execute(sql, [books.account_id.into()]).await;
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let document = "{ invoices { nodes { id subtotal total lines(first: 2, afterNumber: 99999) \
            { number kind amount } } } }";
        let data = books.api.data(&books.owner, document, json!({})).await;
        let invoice = &data["invoices"]["nodes"][0];
        // Each of 0.010007 to a cent.
        assert_eq!(invoice["lines"], json!([
            { "number": 100_000, "kind": "MESSAGES", "amount": "0.010007" },
            { "number": 100_001, "kind": "ROUNDING", "amount": "-0.70" },
        ]));
        assert_eq!((&invoice["subtotal"], &invoice["total"]), (&json!("1000.00"), &json!("1000.00")));
        let id = invoice["id"].as_str().unwrap().parse().unwrap();
        let pdf = invoices::pdf(&books.owner, id).await.unwrap().unwrap();
        let read = pdf_extract::extract_text_from_mem(&pdf.bytes).unwrap();
        assert!(read.contains("99001 further lines"), "{}", &read[read.len() - 2_000..]);
        assert!(read.contains(invoice["total"].as_str().unwrap()));
    }
}
