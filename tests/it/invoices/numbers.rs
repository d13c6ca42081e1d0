//! Numbers: one for each document, without gaps, whoever finalizes at once and whatever fails.

use std::collections::BTreeSet;

use futures::future::join_all;
use heliograph::billing::invoices;
use heliograph::db::Store;
use serde_json::{Value, json};

use super::{Books, assert_books_hold};
use crate::support::{TestHouse, both_stores};

/// Makes the store refuse events of this version, the last thing that finalizing writes.
pub async fn refuse_events(house: &TestHouse, version: i32) {
    let statements: &[&str] = match house.store() {
        Store::Sqlite => &["CREATE TRIGGER refuse_events BEFORE INSERT ON event \
            WHEN NEW.version = {version} BEGIN SELECT RAISE(ABORT, 'refused'); END"],
        Store::Postgres => &[
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
            "CREATE TRIGGER refuse_events BEFORE INSERT ON event FOR EACH ROW \
             WHEN (NEW.version = {version}) EXECUTE FUNCTION refuse()",
        ],
    };
    for statement in statements {
        house.execute(&statement.replace("{version}", &version.to_string()), []).await;
    }
}

pub async fn allow_events(house: &TestHouse) {
    let sql = match house.store() {
        Store::Sqlite => "DROP TRIGGER refuse_events",
        Store::Postgres => "DROP TRIGGER refuse_events ON event",
    };
    house.execute(sql, []).await;
}

/// The numbers of all the account's documents.
async fn numbers(books: &Books) -> BTreeSet<u32> {
    let document = "{ invoices(first: 100) { nodes { number } } }";
    let data = books.api.data(&books.owner, document, json!({})).await;
    let nodes = data["invoices"]["nodes"].as_array().unwrap();
    let numbers: BTreeSet<_> = nodes.iter().map(counted).collect();
    assert_eq!(numbers.len(), nodes.len(), "no number twice");
    numbers
}

fn counted(document: &Value) -> u32 {
    let (_, count) = document["number"].as_str().unwrap().rsplit_once('-').unwrap();
    count.parse().unwrap()
}

both_stores! {
    async fn finalizing_at_once_gives_one_number_and_posts_once(house: TestHouse) {
        let books = Books::open(&house).await;
        let draft = books.draft("12.34").await;
        let done = join_all((0..8).map(|_| books.finalize(&draft))).await;
        for document in &done {
            assert_eq!(document, &done[0]);
        }
        assert_eq!(counted(&done[0]), 1);
        assert_eq!(books.posted().await, "-12.34");
        assert_eq!(counted(&books.invoice("1.00").await), 2);
        assert_books_hold(&house).await;
    }

    async fn numbers_have_no_gaps_though_some_are_rolled_back(house: TestHouse) {
        let books = Books::open(&house).await;
        let mut drafts = Vec::new();
        for number in 0..16 {
            let draft = books.draft("1.00").await;
            // Every third has a second line: it is finalized as version 4.
            drafts.push(if number % 3 == 0 { books.add_line(&draft, "1.00").await } else { draft });
        }
        refuse_events(&house, 4).await;
        let finalize = |draft: &Value| {
            let (ctx, id) = (books.staff.clone(), draft["id"].as_str().unwrap().parse().unwrap());
            tokio::spawn(async move { invoices::finalize(&ctx, id).await })
        };
        let tasks: Vec<_> = drafts.iter().map(finalize).collect();
        let done: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let failed = done.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(failed, 6, "what was to be rolled back was");
        assert_eq!(numbers(&books).await, (1..=10).collect());
        assert_eq!(books.posted().await, "-10.00");

        allow_events(&house).await;
        for draft in &drafts {
            books.finalize(draft).await;
        }
        assert_eq!(numbers(&books).await, (1..=16).collect());
        assert_eq!(books.posted().await, "-22.00");
        assert_books_hold(&house).await;
    }

    async fn what_is_finalized_is_frozen(house: TestHouse) {
        let books = Books::open(&house).await;
        let empty = json!({ "accountId": books.account_id.to_string() });
        let empty = books.done("createInvoice", "invoice", empty).await;
        let input = json!({ "invoiceId": empty["id"] });
        assert_eq!(books.refused("finalizeInvoice", "invoice", input).await, "NO_LINES");
        let below = books.add_line(&empty, "-1.00").await;
        let input = json!({ "invoiceId": below["id"] });
        assert_eq!(books.refused("finalizeInvoice", "invoice", input).await, "NEGATIVE_TOTAL");
        let line = json!({ "invoiceId": below["id"], "number": 1 });
        let again = books.done("removeInvoiceLine", "invoice", line.clone()).await;
        assert_eq!((&again["total"], &again["lines"]), (&json!("0.00"), &json!([])));
        assert_eq!(books.refused("removeInvoiceLine", "invoice", line.clone()).await, "LINE_NOT_FOUND");
        for (amount, description, quantity, code) in [
            ("0.001", "x", "1", "INVALID_AMOUNT"),
            ("1", " ", "1", "INVALID_DESCRIPTION"),
            ("1", "x", "0", "INVALID_QUANTITY"),
        ] {
            let input = json!({ "invoiceId": below["id"], "description": description,
                "quantity": quantity, "amount": amount });
            assert_eq!(books.refused("addInvoiceLine", "invoice", input).await, code);
        }
        let invoice = books.invoice("1.00").await;
        let line = json!({ "invoiceId": invoice["id"], "number": 1 });
        assert_eq!(books.refused("removeInvoiceLine", "invoice", line).await, "NOT_A_DRAFT");
        // What comes to nothing is paid at once.
        let nothing = books.draft("0.00").await;
        assert_eq!(books.finalize(&nothing).await["status"], "PAID");
    }
}
