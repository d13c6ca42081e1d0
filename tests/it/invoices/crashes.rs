//! What moves money is whole or not at all, at whichever statement it ends.

use heliograph::billing::invoices;
use heliograph::db::Store;
use serde_json::{Value, json};

use super::{Books, DAY, assert_books_hold};
use crate::support::{TestHouse, both_stores};

/// Every table that finalizing and paying write.
const TABLES: &[&str] = &[
    "billing_account",
    "event",
    "event_counter",
    "invoice",
    "invoice_allocation",
    "invoice_counter",
    "invoice_line",
    "invoice_tax",
    "ledger_book",
    "ledger_entry",
    "ledger_transfer",
    "mail",
    "wallet",
];

/// Makes the store refuse to write rows of a table.
async fn refuse(house: &TestHouse, table: &str, verb: &str) {
    let statements: &[&str] = match house.store() {
        Store::Sqlite => &["CREATE TRIGGER broken BEFORE {verb} ON {table} \
            BEGIN SELECT RAISE(ABORT, 'broken'); END"],
        Store::Postgres => &[
            "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'broken'; END $$",
            "CREATE TRIGGER broken BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION broken()",
        ],
    };
    for statement in statements {
        let statement = statement.replace("{verb}", verb).replace("{table}", table);
        house.execute(&statement, []).await;
    }
}

async fn allow(house: &TestHouse, table: &str) {
    let sql = match house.store() {
        Store::Sqlite => "DROP TRIGGER broken".to_owned(),
        Store::Postgres => format!("DROP TRIGGER broken ON {table}"),
    };
    house.execute(&sql, []).await;
}

/// What stands in the tables, so far as money goes.
async fn state(house: &TestHouse) -> Vec<(i64, i64)> {
    let mut state = Vec::new();
    for (table, sum) in [
        ("billing_account", "version"),
        ("event", "seq"),
        ("event_counter", "last_seq"),
        ("invoice", "version + paid_micros"),
        ("invoice_allocation", "amount_micros"),
        ("invoice_counter", "last_number"),
        ("invoice_line", "number"),
        ("invoice_tax", "amount_micros"),
        ("ledger_book", "balance_micros"),
        ("ledger_entry", "amount_micros"),
        ("ledger_transfer", "seq"),
        ("mail", "kind"),
        ("wallet", "balance_micros + last_seq"),
    ] {
        let sql = format!("SELECT count(*), CAST(COALESCE(SUM({sum}), 0) AS BIGINT) FROM {table}");
        let rows = house.rows(&sql, []).await;
        let column = |index| rows[0].try_get_by_index::<i64>(index).unwrap();
        state.push((column(0), column(1)));
    }
    assert_eq!(state.len(), TABLES.len());
    state
}

/// Whether a mutation of the staff's went through; a failure of ours is none.
async fn went_through(books: &Books, name: &str, input: &Value) -> bool {
    let pascal = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    let document = format!(
        "mutation($input: {pascal}Input!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}"
    );
    let answer = books.api.answer(&books.staff, &document, json!({ "input": input })).await;
    answer.errors.is_empty()
}

both_stores! {
    async fn finalizing_and_paying_end_whole_at_every_statement(house: TestHouse) {
        let books = Books::open(&house).await;
        let make = "mutation { createTaxRate(input: { name: \"VAT\", percentage: \"20\", \
            country: \"DE\" }) { taxRate { id } } }";
        books.api.data(&books.staff, make, json!({})).await;
        let profile = "mutation { setBillingProfile(input: { legalName: \"Acme\", line1: \"1\", \
            city: \"B\", country: \"DE\", email: \"a@b.example\" }) { userErrors { code } } }";
        books.api.data(&books.owner, profile, json!({})).await;
        let (mut finalizing, mut paying) = (0, 0);
        for table in TABLES {
            for verb in ["INSERT", "UPDATE"] {
                let what = format!("{verb} {table}");
                let draft = books.draft("10.00").await;
                let finalize = json!({ "invoiceId": draft["id"] });
                let before = state(&house).await;
                refuse(&house, table, verb).await;
                let done = went_through(&books, "finalizeInvoice", &finalize).await;
                allow(&house, table).await;
                if !done {
                    finalizing += 1;
                    assert_eq!(state(&house).await, before, "{what}");
                }
                let invoice = books.finalize(&draft).await;
                assert_eq!(invoice["total"], "12.00", "{what}");

                // Paying also lifts what the debt had brought.
                house.hand.advance(DAY * 36);
                assert_eq!(invoices::suspend_overdue(&house.system()).await.unwrap(), 1, "{what}");
                let pay = json!({ "invoiceId": draft["id"], "amount": "12.00", "reference": "r",
                    "idempotencyKey": what });
                let before = state(&house).await;
                refuse(&house, table, verb).await;
                let done = went_through(&books, "recordPayment", &pay).await;
                allow(&house, table).await;
                if !done {
                    paying += 1;
                    assert_eq!(state(&house).await, before, "{what}");
                }
                let paid = books.done("recordPayment", "invoice", pay).await;
                assert_eq!((&paid["status"], &paid["amountDue"]), (&json!("PAID"), &json!("0.00")));
                assert_eq!(books.posted().await, "0.00", "{what}");
                assert_eq!(invoices::suspend_overdue(&house.system()).await.unwrap(), 0, "{what}");
            }
        }
        // Each has as many statements that write: that many places to end at were tried.
        assert!(finalizing >= 8 && paying >= 8, "{finalizing} {paying}");
        assert_books_hold(&house).await;
    }
}
