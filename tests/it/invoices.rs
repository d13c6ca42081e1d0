//! Invoices: months become invoices and statements, which are numbered, taxed, paid and corrected,
//! and the ledger says the same as they do.

mod access;
mod certificates;
mod charges;
mod corrections;
mod crashes;
mod credit;
mod dunning;
mod mail;
mod monthly;
mod numbers;
mod paper;
mod payments;
mod stream;
mod taxes;
mod totals;

use std::time::Duration;

use entity::enums::{MessageClass, Role};
use entity::ids::AccountId;
use heliograph::billing::{self, Charge, Journal};
use heliograph::ctx::Ctx;
use heliograph::types::money::{Currency, Micros};
use heliograph::types::price::PartPrice;
use sea_orm::DbErr;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, operator, person, text};
use crate::support::TestHouse;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The fields that tests look at.
const FIELDS: &str = "fragment F on Invoice { id number kind status currency subtotal tax total \
    amountPaid amountCredited amountDue periodFrom periodBefore dueAt overdueAt version reason \
    lines(first: 20) { number kind description country class unitPrice messages quantity amount } \
    taxes { name percentage base amount } billTo { legalName } \
    creditNotes { number total } payments { amount reference } corrects { number } }";

/// An account that sends, its owner, and the operator's staff.
struct Books {
    api: Api,
    account_id: AccountId,
    owner: Ctx,
    staff: Ctx,
}

impl Books {
    /// An account that pays by invoice, in dollars.
    async fn open(house: &TestHouse) -> Self {
        let api = Api::new(house).await;
        let account_id = account(house, "Acme").await;
        let owner = person(house, account_id, Role::Owner);
        let staff = operator(house, Role::Billing).await;
        Self { api, account_id, owner, staff }
    }

    /// The same in another currency.
    async fn open_in(house: &TestHouse, currency: &str) -> Self {
        let books = Self::open(house).await;
        let change = "UPDATE billing_account SET currency = $1 WHERE account_id = $2";
        house.execute(change, [currency.into(), books.account_id.into()]).await;
        house.give_credit(books.account_id).await;
        books
    }

    /// Charges for messages, as a settled group of them does.
    async fn charge(
        &self,
        house: &TestHouse,
        currency: &str,
        country: &str,
        price: &str,
        parts: i16,
    ) {
        let currency: Currency = currency.parse().unwrap();
        let unit_price: PartPrice = price.parse().unwrap();
        let journal = Journal::of_money(self.account_id, currency);
        let amount = unit_price.of_parts(parts);
        let charge = &Charge {
            journal,
            granted_package_id: None,
            country: country.to_owned(),
            class: MessageClass::Transactional,
            unit_price,
            parts,
            held: amount,
            charged: amount,
        };
        let (platform, now) = (&house.platform, house.now());
        let write = |tx| async move {
            assert!(billing::hold(&tx, journal, amount).await?);
            billing::settle_charges(&tx, &platform.master_key, now, vec![charge.clone()]).await
        };
        platform.db.write::<_, DbErr, _, _>(write).await.unwrap();
    }

    /// The account's documents, oldest first.
    async fn documents(&self) -> Vec<Value> {
        let document = format!("{{ invoices(first: 10) {{ nodes {{ ...F }} }} }} {FIELDS}");
        let data = self.api.data(&self.owner, &document, json!({})).await;
        let mut all = data["invoices"]["nodes"].as_array().unwrap().clone();
        all.reverse();
        all
    }

    /// A document as the operator's staff sees it.
    async fn document(&self, id: &Value) -> Value {
        let document = format!("query($id: ID!) {{ invoice(id: $id) {{ ...F }} }} {FIELDS}");
        self.api.data(&self.staff, &document, json!({ "id": id })).await["invoice"].clone()
    }

    /// What a mutation of the operator's answers.
    async fn run(&self, name: &str, result: &str, input: Value) -> Value {
        let pascal = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let document = format!(
            "mutation($input: {pascal}Input!) {{ {name}(input: $input) {{ {result} {{ ...F }} \
             userErrors {{ code path }} }} }} {FIELDS}"
        );
        self.api.data(&self.staff, &document, json!({ "input": input })).await[name].clone()
    }

    /// The document that a mutation of the operator's made or changed.
    async fn done(&self, name: &str, result: &str, input: Value) -> Value {
        let answer = self.run(name, result, input).await;
        assert_eq!(answer["userErrors"], json!([]), "{name}");
        answer[result].clone()
    }

    /// The code that a mutation of the operator's refuses with.
    async fn refused(&self, name: &str, result: &str, input: Value) -> String {
        let answer = self.run(name, result, input).await;
        assert_eq!(answer[result], Value::Null, "{name}");
        text(&answer["userErrors"][0]["code"])
    }

    /// A draft with one line of this amount.
    async fn draft(&self, amount: &str) -> Value {
        let input = json!({ "accountId": self.account_id.to_string() });
        let draft = self.done("createInvoice", "invoice", input).await;
        self.add_line(&draft, amount).await
    }

    async fn add_line(&self, draft: &Value, amount: &str) -> Value {
        let input = json!({ "invoiceId": draft["id"], "description": "Setup", "amount": amount });
        self.done("addInvoiceLine", "invoice", input).await
    }

    async fn finalize(&self, draft: &Value) -> Value {
        self.done("finalizeInvoice", "invoice", json!({ "invoiceId": draft["id"] })).await
    }

    /// An open invoice over this amount.
    async fn invoice(&self, amount: &str) -> Value {
        self.finalize(&self.draft(amount).await).await
    }

    /// What the account has by the ledger.
    async fn posted(&self) -> String {
        let data = self.api.data(&self.owner, "{ accountBalance { posted } }", json!({})).await;
        text(&data["accountBalance"]["posted"])
    }
}

/// Runs a job of invoices as the program does.
async fn make_monthly(house: &TestHouse) -> u64 {
    billing::invoices::make_monthly(&house.system()).await.unwrap()
}

/// Every journal's chain, balances and holds.
async fn assert_books_hold(house: &TestHouse) {
    let verified = billing::verify(&house.system()).await.unwrap();
    assert_eq!(verified.faults, Vec::new());
}

/// The amounts of lines of a kind, added up.
fn sum(document: &Value, kind: &str) -> Micros {
    let lines = document["lines"].as_array().unwrap().iter();
    let amounts = lines.filter(|line| line["kind"] == kind).map(|line| micros(&line["amount"]));
    Micros::checked_sum(amounts).unwrap()
}

fn micros(amount: &Value) -> Micros {
    text(amount).parse().unwrap()
}
