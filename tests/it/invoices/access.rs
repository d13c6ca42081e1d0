//! Who sees invoices: their account and the operator's staff; what is another's is not there.

use entity::enums::{KeyMode, Role};
use entity::ids::InvoiceId;
use heliograph::authz::Actor;
use serde_json::{Value, json};

use super::Books;
use crate::graphql_api::{account, key, person};
use crate::support::both_stores;

const READ: &str = "query($id: ID!) { invoice(id: $id) { id } node(id: $id) { id } \
    invoices { nodes { id } } }";

both_stores! {
    async fn strangers_find_nothing_and_drafts_are_the_operator_s(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("1.00").await;
        let draft = books.draft("1.00").await;
        let id = json!({ "id": invoice["id"] });
        let seen = json!({ "invoice": { "id": invoice["id"] }, "node": { "id": invoice["id"] },
            "invoices": { "nodes": [{ "id": invoice["id"] }] } });
        let nothing = json!({ "invoice": null, "node": null, "invoices": { "nodes": [] } });
        let reader = key(&house, books.account_id, KeyMode::Live);
        for ctx in [&books.owner, &reader] {
            assert_eq!(books.api.data(ctx, READ, id.clone()).await, seen);
        }
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        assert_eq!(books.api.data(&stranger, READ, id.clone()).await, nothing);
        let found = books.api.data(&books.owner, READ, json!({ "id": draft["id"] })).await;
        assert_eq!((&found["invoice"], &found["node"]), (&Value::Null, &Value::Null));
        // Another's account in the filter finds nothing either.
        let document = "query($id: ID!) { invoices(filter: { accountId: $id }) { totalCount } }";
        let account_id = json!({ "id": books.account_id.to_string() });
        let filtered = books.api.data(&stranger, document, account_id).await;
        assert_eq!(filtered["invoices"]["totalCount"], 0);

        let all = "{ allInvoices { nodes { id account { name } } totalCount } }";
        let listed = books.api.data(&books.staff, all, json!({})).await;
        assert_eq!(listed["allInvoices"]["totalCount"], 2);
        assert_eq!(listed["allInvoices"]["nodes"][0]["id"], draft["id"], "newest first");
        for ctx in [&books.owner, &reader, &stranger] {
            assert_eq!(books.api.code(ctx, all, json!({})).await, "FORBIDDEN");
        }
        let viewer = person(&house, books.account_id, Role::Viewer);
        assert_eq!(books.api.code(&viewer, READ, id.clone()).await, "FORBIDDEN");
        let nobody = house.ctx_as(Actor::Anonymous);
        assert_eq!(books.api.code(&nobody, READ, id).await, "UNAUTHENTICATED");
    }

    async fn only_the_operator_changes_invoices(house: TestHouse) {
        let books = Books::open(&house).await;
        let unknown: InvoiceId = house.platform.ids.next();
        let id = unknown.to_string();
        let documents = [
            ("finalizeInvoice", json!({ "invoiceId": id })),
            ("voidInvoice", json!({ "invoiceId": id, "reason": "r" })),
            ("markUncollectible", json!({ "invoiceId": id })),
            ("removeInvoiceLine", json!({ "invoiceId": id, "number": 1 })),
            ("addInvoiceLine", json!({ "invoiceId": id, "description": "d", "amount": "1" })),
            ("createCreditNote", json!({ "invoiceId": id, "reason": "r", "idempotencyKey": "k",
                "lines": [{ "description": "d", "amount": "1" }] })),
            ("recordPayment", json!({ "invoiceId": id, "amount": "1", "reference": "r",
                "idempotencyKey": "k" })),
        ];
        for (name, input) in documents {
            let pascal = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
            let document = format!("mutation($input: {pascal}Input!) \
                {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
            let input = json!({ "input": input });
            assert_eq!(books.api.code(&books.owner, &document, input.clone()).await, "FORBIDDEN");
            let missing = books.api.data(&books.staff, &document, input).await;
            assert_eq!(missing[name]["userErrors"][0]["code"], "INVOICE_NOT_FOUND", "{name}");
        }
    }
}
