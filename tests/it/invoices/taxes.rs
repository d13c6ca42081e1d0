//! Profiles and taxes: what stands on an invoice is what was set when it was finalized.

use serde_json::{Value, json};

use super::Books;
use crate::support::both_stores;

const SET: &str = "mutation($input: SetBillingProfileInput!) { setBillingProfile(input: $input) \
    { billingProfile { legalName country email taxIds { kind value } } userErrors { code path } } }";
const MAKE: &str = "mutation($input: CreateTaxRateInput!) { createTaxRate(input: $input) \
    { taxRate { id name percentage country } userErrors { code path } } }";
const GIVE: &str = "mutation($input: SetAccountTaxRatesInput!) { setAccountTaxRates(input: $input) \
    { taxRates { name } userErrors { code path } } }";
const ARCHIVE: &str = "mutation($input: ArchiveTaxRateInput!) { archiveTaxRate(input: $input) \
    { taxRate { name archivedAt } userErrors { code path } } }";

fn profile(name: &str, country: &str) -> Value {
    json!({ "input": { "legalName": name, "line1": "Hauptstraße 1", "city": "Berlin",
        "postalCode": "10115", "country": country, "email": "bills@acme.example",
        "taxIds": [{ "kind": "eu_vat", "value": "de 123456789" }] } })
}

impl Books {
    async fn make_rate(&self, name: &str, percentage: &str, country: Option<&str>) -> Value {
        let input =
            json!({ "input": { "name": name, "percentage": percentage, "country": country } });
        self.api.data(&self.staff, MAKE, input).await["createTaxRate"].clone()
    }

    async fn give_rates(&self, ids: &[&Value]) -> Value {
        let account = self.account_id.to_string();
        let input = json!({ "input": { "accountId": account, "taxRateIds": ids } });
        self.api.data(&self.staff, GIVE, input).await["setAccountTaxRates"].clone()
    }
}

both_stores! {
    async fn an_invoice_keeps_to_whom_it_was_made_out(house: TestHouse) {
        let books = Books::open(&house).await;
        let read = "{ billingProfile { legalName } }";
        let none = books.api.data(&books.owner, read, json!({})).await;
        assert_eq!(none["billingProfile"], Value::Null);
        let set = books.api.data(&books.owner, SET, profile("Acme GmbH", "de")).await;
        assert_eq!(set["setBillingProfile"], json!({ "userErrors": [], "billingProfile": {
            "legalName": "Acme GmbH", "country": "DE", "email": "bills@acme.example",
            "taxIds": [{ "kind": "eu_vat", "value": "DE 123456789" }] } }));
        let invoice = books.invoice("1.00").await;
        assert_eq!(invoice["billTo"]["legalName"], "Acme GmbH");
        books.api.data(&books.owner, SET, profile("Acme AG", "CH")).await;
        assert_eq!(books.document(&invoice["id"]).await["billTo"]["legalName"], "Acme GmbH");
        assert_eq!(books.invoice("1.00").await["billTo"]["legalName"], "Acme AG");
        let wrong = books.api.data(&books.owner, SET, profile(" ", "DE")).await;
        assert_eq!(wrong["setBillingProfile"]["userErrors"],
            json!([{ "code": "INVALID_NAME", "path": ["legalName"] }]));
    }

    async fn an_account_pays_its_own_taxes_or_its_country_s(house: TestHouse) {
        let books = Books::open(&house).await;
        assert_eq!(books.invoice("10.00").await["taxes"], json!([]), "no country is known");
        books.api.data(&books.owner, SET, profile("Acme GmbH", "DE")).await;
        let vat = books.make_rate("USt", "19", Some("de")).await["taxRate"].clone();
        assert_eq!((&vat["percentage"], &vat["country"]), (&json!("19.00"), &json!("DE")));
        let invoice = books.invoice("10.00").await;
        assert_eq!(invoice["taxes"], json!([
            { "name": "USt", "percentage": "19.00", "base": "10.00", "amount": "1.90" }]));
        assert_eq!((&invoice["tax"], &invoice["total"]), (&json!("1.90"), &json!("11.90")));

        let state = books.make_rate("State", "6.2500", None).await["taxRate"].clone();
        let city = books.make_rate("City", "0.1234", None).await["taxRate"].clone();
        let given = books.give_rates(&[&state["id"], &city["id"], &state["id"]]).await;
        assert_eq!(given["taxRates"], json!([{ "name": "State" }, { "name": "City" }]));
        // 6.25 % and 0.1234 % of 10.00 are 0.625 and 0.01234, each rounded once.
        let invoice = books.invoice("10.00").await;
        let amounts: Vec<_> = invoice["taxes"].as_array().unwrap().iter()
            .map(|tax| tax["amount"].as_str().unwrap()).collect();
        assert_eq!(amounts, ["0.62", "0.01"]);
        assert_eq!(invoice["total"], "10.63");

        let archive = json!({ "input": { "taxRateId": state["id"] } });
        let archived = books.api.data(&books.staff, ARCHIVE, archive.clone()).await;
        assert_eq!(archived["archiveTaxRate"]["taxRate"]["archivedAt"], "2026-01-05T00:00:00.000Z");
        assert_eq!(books.api.data(&books.staff, ARCHIVE, archive).await, archived);
        assert_eq!(books.invoice("10.00").await["total"], "10.01");
        assert_eq!(books.give_rates(&[&state["id"]]).await["userErrors"][0]["code"], "TAX_RATE_NOT_FOUND");
        books.give_rates(&[]).await;
        assert_eq!(books.invoice("10.00").await["total"], "11.90", "its country's again");
    }

    async fn rates_have_limits(house: TestHouse) {
        let books = Books::open(&house).await;
        for (name, percentage, country, code) in [
            (" ", "1", None, "INVALID_NAME"),
            ("A", "100.0001", None, "INVALID_PERCENTAGE"),
            ("A", "-1", None, "INVALID_PERCENTAGE"),
            ("A", "1.00001", None, "INVALID_PERCENTAGE"),
            ("A", "1", Some("ZZ"), "UNKNOWN_COUNTRY"),
        ] {
            let refused = books.make_rate(name, percentage, country).await;
            assert_eq!(refused["userErrors"][0]["code"], code, "{name} {percentage}");
        }
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(books.make_rate("A", "100", Some("FR")).await["taxRate"]["id"].clone());
        }
        let sixth = books.make_rate("A", "0", Some("FR")).await;
        assert_eq!(sixth["userErrors"][0]["code"], "TOO_MANY_TAX_RATES");
        ids.push(books.make_rate("B", "0", None).await["taxRate"]["id"].clone());
        let all: Vec<_> = ids.iter().collect();
        assert_eq!(books.give_rates(&all).await["userErrors"][0]["code"], "TOO_MANY_TAX_RATES");
        let listed = books.api.data(&books.staff, "{ taxRates { name } }", json!({})).await;
        assert_eq!(listed["taxRates"].as_array().unwrap().len(), 6);
    }
}
