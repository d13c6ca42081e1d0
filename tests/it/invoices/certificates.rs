//! Withholding tax: collected with invoices or kept back by the customer, and certified each year.

use std::time::Duration;

use entity::enums::Role;
use entity::ids::TaxRateId;
use heliograph::billing::{Whose, invoices};
use serde_json::{Value, json};

use super::{Books, DAY, assert_books_hold};
use crate::graphql_api::{account, person};
use crate::support::{TestHouse, both_stores};

const CERTIFICATE: &str = "query($year: Int!, $id: ID) { withholdingCertificate(year: $year, \
    accountId: $id) { year isComplete currency totalCollected totalWithheld linesOmitted holder \
    lines { __typename amount invoiceNumber ... on CollectedTax { name percentage base } \
    ... on WithheldTax { certificateNumber withheldAt } } } }";
const MAKE: &str = "mutation($input: CreateTaxRateInput!) { createTaxRate(input: $input) \
    { taxRate { id kind } userErrors { code path } } }";
const GIVE: &str = "mutation($input: SetAccountTaxRatesInput!) { setAccountTaxRates(input: $input) \
    { userErrors { code } } }";

impl Books {
    /// Gives the account a sales tax of 20 % and an advance tax of 12.5 %, and returns the latter's id.
    async fn tax_in_advance(&self) -> TaxRateId {
        let make = async |input: Value| {
            let data = self.api.data(&self.staff, MAKE, json!({ "input": input })).await;
            data["createTaxRate"]["taxRate"].clone()
        };
        let sales = make(json!({ "name": "VAT", "percentage": "20" })).await;
        let advance =
            make(json!({ "name": "Advance tax", "percentage": "12.5", "kind": "WITHHOLDING" }))
                .await;
        assert_eq!((&sales["kind"], &advance["kind"]), (&json!("SALES"), &json!("WITHHOLDING")));
        let account = self.account_id.to_string();
        let ids = json!([sales["id"], advance["id"]]);
        let input = json!({ "input": { "accountId": account, "taxRateIds": ids } });
        self.api.data(&self.staff, GIVE, input).await;
        advance["id"].as_str().unwrap().parse().unwrap()
    }

    async fn pay_some(&self, invoice: &Value, amount: &str, key: &str) {
        let input = json!({ "invoiceId": invoice["id"], "amount": amount, "reference": "r",
            "idempotencyKey": key });
        self.done("recordPayment", "invoice", input).await;
    }

    async fn certificate(&self, year: i32) -> Value {
        let data = self.api.data(&self.owner, CERTIFICATE, json!({ "year": year })).await;
        data["withholdingCertificate"].clone()
    }
}

/// What the ledger owes the authority of a tax.
async fn booked(house: &TestHouse, rate: TaxRateId) -> String {
    let sql = "SELECT balance_micros FROM ledger_book WHERE kind = 5 AND detail = $1";
    let micros: i64 = house.value(sql, [rate.to_string().into()]).await;
    heliograph::types::money::Micros(micros).to_string()
}

both_stores! {
    async fn what_was_collected_is_certified_in_the_year_of_its_payment(house: TestHouse) {
        let books = Books::open(&house).await;
        let rate = books.tax_in_advance().await;
        let invoice = books.invoice("100.00").await;
        assert_eq!(invoice["total"], "132.50");
        assert_eq!(books.certificate(2026).await, Value::Null, "nothing was paid");
        // A third of it.
        books.pay_some(&invoice, "44.17", "a").await;
        let first = books.certificate(2026).await;
        assert_eq!((&first["isComplete"], &first["currency"]), (&json!(false), &json!("USD")));
        assert_eq!(first["totalCollected"], "4.17");
        assert_eq!(first["lines"], json!([{ "__typename": "CollectedTax", "amount": "4.17",
            "invoiceNumber": invoice["number"], "name": "Advance tax", "percentage": "12.50",
            "base": "100.00" }]));
        house.hand.advance(DAY * 365);
        books.pay_some(&invoice, "88.33", "b").await;
        let (first, second) = (books.certificate(2026).await, books.certificate(2027).await);
        assert_eq!((&first["isComplete"], &first["totalCollected"]), (&json!(true), &json!("4.17")));
        assert_eq!(second["totalCollected"], "8.33");
        assert_eq!(booked(&house, rate).await, "12.50", "the two of them, as the ledger has it");
        // The half is credited a year later: the account gets its part of the tax back.
        house.hand.advance(DAY * 365);
        let note = json!({ "invoiceId": invoice["id"], "reason": "r", "idempotencyKey": "n",
            "lines": [{ "description": "d", "amount": "50.00" }] });
        books.done("createCreditNote", "creditNote", note).await;
        assert_eq!(books.certificate(2028).await["totalCollected"], "-6.25");
        assert_eq!(booked(&house, rate).await, "6.25");
        let still = books.certificate(2027).await;
        assert_eq!(still["lines"], second["lines"], "what was certified stays");
        assert_eq!((&second["isComplete"], &still["isComplete"]), (&json!(false), &json!(true)));
        assert_books_hold(&house).await;
    }

    async fn what_the_customer_withheld_pays_its_part_once(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("100.00").await;
        house.hand.advance(Duration::from_secs(3_600));
        let withheld = |amount: &str, key: &str| json!({ "invoiceId": invoice["id"], "amount": amount,
            "certificateNumber": "WHT-7", "withheldAt": "2026-01-05T00:30:00Z", "idempotencyKey": key });
        let done = books.done("recordWithholding", "invoice", withheld("10.00", "a")).await;
        assert_eq!((&done["amountDue"], &done["amountPaid"]), (&json!("90.00"), &json!("10.00")));
        assert_eq!(books.done("recordWithholding", "invoice", withheld("10.00", "a")).await, done);
        assert_eq!(books.posted().await, "-90.00");
        let owed: i64 = house.value("SELECT balance_micros FROM ledger_book WHERE kind = 6", []).await;
        assert_eq!(owed, -10_000_000, "the authority owes it");
        for (change, code) in [
            (json!({ "amount": "11.00", "idempotencyKey": "a" }), "IDEMPOTENCY_KEY_REUSED"),
            (json!({ "amount": "90.01" }), "ABOVE_DUE"),
            (json!({ "amount": "0.001" }), "INVALID_AMOUNT"),
            (json!({ "amount": "-1.00" }), "INVALID_AMOUNT"),
            (json!({ "certificateNumber": " " }), "INVALID_CERTIFICATE_NUMBER"),
            (json!({ "withheldAt": "2026-01-05T02:00:00Z" }), "INVALID_TIME"),
            (json!({ "withheldAt": "2026-01-04T00:00:00Z" }), "INVALID_TIME"),
            (json!({ "idempotencyKey": "" }), "INVALID_IDEMPOTENCY_KEY"),
        ] {
            let mut input = withheld("1.00", "b");
            for (field, value) in change.as_object().unwrap() {
                input[field] = value.clone();
            }
            assert_eq!(books.refused("recordWithholding", "invoice", input).await, code, "{change}");
        }
        house.hand.advance(Duration::from_secs(1));
        let rest = books.done("recordWithholding", "invoice", withheld("90.00", "c")).await;
        assert_eq!(rest["status"], "PAID");
        let late = withheld("1.00", "d");
        assert_eq!(books.refused("recordWithholding", "invoice", late).await, "NOT_PAYABLE");
        let certificate = books.certificate(2026).await;
        let totals = (&certificate["totalCollected"], &certificate["totalWithheld"]);
        assert_eq!(totals, (&json!("0.00"), &json!("100.00")));
        assert_eq!(certificate["lines"][0], json!({ "__typename": "WithheldTax", "amount": "10.00",
            "invoiceNumber": invoice["number"], "certificateNumber": "WHT-7",
            "withheldAt": "2026-01-05T00:30:00.000Z" }));
        assert_books_hold(&house).await;
    }

    async fn the_paper_says_what_the_api_says_to_those_who_may_read_it(house: TestHouse) {
        let books = Books::open(&house).await;
        books.tax_in_advance().await;
        let invoice = books.invoice("100.00").await;
        books.pay_some(&invoice, "132.50", "a").await;
        let pdf = invoices::certificate_pdf(&books.owner, Whose::Own, 2026).await.unwrap().unwrap();
        assert_eq!(pdf.file_name, "withholding-certificate-2026.pdf");
        let text = pdf_extract::extract_text_from_mem(&pdf.bytes).unwrap();
        for figure in ["Acme", invoice["number"].as_str().unwrap(), "Advance tax", "100.00", "12.50"] {
            assert!(text.contains(figure), "{figure} in {text}");
        }
        let id = books.account_id.to_string();
        let of_account = json!({ "year": 2026, "id": id });
        let staff = books.api.data(&books.staff, CERTIFICATE, of_account.clone()).await;
        assert_eq!(staff["withholdingCertificate"], books.certificate(2026).await);
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        assert_eq!(books.api.code(&stranger, CERTIFICATE, of_account).await, "FORBIDDEN");
        let viewer = person(&house, books.account_id, Role::Viewer);
        assert_eq!(books.api.code(&viewer, CERTIFICATE, json!({ "year": 2026 })).await, "FORBIDDEN");
        for year in [1969, 9999, i32::MAX] {
            let code = books.api.code(&books.owner, CERTIFICATE, json!({ "year": year })).await;
            assert_eq!(code, "BAD_REQUEST");
        }
    }
}
