//! Senders: an account registers, the operator decides, nobody else sees.

use entity::enums::{KeyMode, Role};
use entity::ids::SenderId;
use heliograph::senders::{SENDERS_PER_ACCOUNT_MAX, usable};
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, key, operator, person, text};
use crate::support::both_stores;

const REGISTER: &str = "mutation($value: String!) { registerSender(input: {value: $value}) \
    { sender { id value kind status version } userErrors { code path } } }";
const APPROVE: &str = "mutation($id: ID!) { approveSender(input: {senderId: $id}) \
    { sender { status version reason } userErrors { code path } } }";
const REJECT: &str = "mutation($id: ID!, $reason: String!) \
    { rejectSender(input: {senderId: $id, reason: $reason}) \
    { sender { status version reason } userErrors { code path } } }";

async fn register(api: &Api, ctx: &heliograph::ctx::Ctx, value: &str) -> Value {
    api.data(ctx, REGISTER, json!({ "value": value })).await["registerSender"].clone()
}

both_stores! {
    async fn a_sender_is_registered_once_in_its_normalized_form(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = person(&house, account_id, Role::Owner);
        let registered = register(&api, &owner, " +44 7400 123456 ").await;
        assert_eq!(registered["sender"]["value"], "+447400123456");
        assert_eq!(registered["sender"]["kind"], "INTERNATIONAL");
        assert_eq!(registered["sender"]["status"], "PENDING");
        assert_eq!(registered["userErrors"], json!([]));
        let again = register(&api, &owner, "447400123456").await;
        assert_eq!(again["sender"], Value::Null);
        assert_eq!(
            again["userErrors"],
            json!([{ "code": "SENDER_ALREADY_REGISTERED", "path": ["value"] }])
        );
        let invalid = register(&api, &owner, "a name too long for it").await;
        assert_eq!(invalid["userErrors"][0]["code"], "INVALID_SENDER");
        // Another account may have the same.
        let other = person(&house, account(&house, "Other").await, Role::Owner);
        assert_eq!(register(&api, &other, "+447400123456").await["userErrors"], json!([]));
    }

    async fn the_operator_decides_and_may_change_its_mind(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = person(&house, account_id, Role::Owner);
        let staff = operator(&house, Role::Support).await;
        let id = text(&register(&api, &owner, "Acme").await["sender"]["id"]);
        let values = vec!["Acme".to_owned()];
        let reader = house.platform.db.reader();
        assert!(usable(reader, account_id, &values).await.unwrap().is_empty());

        let approved = api.data(&staff, APPROVE, json!({ "id": id })).await;
        assert_eq!(approved["approveSender"]["sender"]["status"], "APPROVED");
        assert_eq!(approved["approveSender"]["sender"]["version"], 2);
        let again = api.data(&staff, APPROVE, json!({ "id": id })).await;
        assert_eq!(again["approveSender"]["sender"]["version"], 2, "approving again changes nothing");
        assert_eq!(usable(reader, account_id, &values).await.unwrap().len(), 1);

        let without_reason = api.data(&staff, REJECT, json!({ "id": id, "reason": " " })).await;
        assert_eq!(without_reason["rejectSender"]["userErrors"][0]["code"], "INVALID_REASON");
        let rejected = api.data(&staff, REJECT, json!({ "id": id, "reason": "not yours" })).await;
        assert_eq!(
            rejected["rejectSender"]["sender"],
            json!({ "status": "REJECTED", "version": 3, "reason": "not yours" })
        );
        assert!(usable(reader, account_id, &values).await.unwrap().is_empty());

        let unknown: SenderId = house.platform.ids.next();
        let missing = api.data(&staff, APPROVE, json!({ "id": unknown.to_string() })).await;
        assert_eq!(missing["approveSender"]["userErrors"][0]["code"], "SENDER_NOT_FOUND");
    }

    async fn who_may_not_is_told_and_who_may_not_see_finds_nothing(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = person(&house, account_id, Role::Owner);
        let id = text(&register(&api, &owner, "Acme").await["sender"]["id"]);
        let viewer = person(&house, account_id, Role::Viewer);
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        let nobody = house.ctx_as(heliograph::authz::Actor::Anonymous);
        let staff = operator(&house, Role::Support).await;
        let node = "query($id: ID!) { node(id: $id) { id ... on Sender { value } } senders { nodes { id } } }";

        assert_eq!(api.code(&viewer, REGISTER, json!({ "value": "B" })).await, "FORBIDDEN");
        assert_eq!(api.code(&owner, APPROVE, json!({ "id": id })).await, "FORBIDDEN");
        assert_eq!(api.code(&nobody, node, json!({ "id": id })).await, "UNAUTHENTICATED");
        assert_eq!(api.code(&owner, "{ allSenders { nodes { id } } }", json!({})).await, "FORBIDDEN");
        let wrong = json!({ "id": account_id.to_string() });
        assert_eq!(api.code(&staff, APPROVE, wrong).await, "INVALID_ID");

        let seen = api.data(&viewer, node, json!({ "id": id })).await;
        assert_eq!(seen["node"]["value"], "Acme");
        assert_eq!(seen["senders"]["nodes"], json!([{ "id": id }]));
        let unseen = api.data(&stranger, node, json!({ "id": id })).await;
        assert_eq!(unseen, json!({ "node": null, "senders": { "nodes": [] } }));
        let all = api.data(&staff, "{ allSenders { nodes { value account { name } } totalCount } }", json!({})).await;
        assert_eq!(all["allSenders"], json!({ "nodes": [{ "value": "Acme", "account": { "name": "Acme" } }], "totalCount": 1 }));
    }

    async fn a_list_pages_both_ways_and_counts_only_when_asked(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = key(&house, account_id, KeyMode::Live);
        for name in ["A1", "A2", "A3", "A4", "A5"] {
            register(&api, &owner, name).await;
        }
        let document = "query($first: Int, $after: Cursor, $last: Int, $before: Cursor) { \
            senders(first: $first, after: $after, last: $last, before: $before) { totalCount \
            nodes { value } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
        let page = async |variables: Value| {
            let page = api.data(&owner, document, variables).await["senders"].clone();
            let nodes = page["nodes"].as_array().unwrap();
            let values: Vec<_> = nodes.iter().map(|node| text(&node["value"])).collect();
            (values.join(" "), page["pageInfo"].clone(), page["totalCount"].clone())
        };
        let (values, info, total) = page(json!({ "first": 2 })).await;
        assert_eq!((values.as_str(), &total), ("A5 A4", &json!(5)));
        assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
        let (values, second, _) = page(json!({ "first": 2, "after": info["endCursor"] })).await;
        assert_eq!(values, "A3 A2");
        let (values, third, _) = page(json!({ "first": 2, "after": second["endCursor"] })).await;
        assert_eq!(values, "A1");
        assert_eq!((&third["hasNextPage"], &third["hasPreviousPage"]), (&json!(false), &json!(true)));
        let (values, _, _) = page(json!({ "last": 2, "before": third["startCursor"] })).await;
        assert_eq!(values, "A3 A2");
        let (values, _, _) = page(json!({ "last": 2 })).await;
        assert_eq!(values, "A2 A1");
        let (values, _, total) = page(json!({ "first": 0 })).await;
        assert_eq!((values.as_str(), &total), ("", &json!(5)));
        for variables in [
            json!({ "first": 101 }),
            json!({ "first": -1 }),
            json!({ "first": 1, "last": 1 }),
            json!({ "after": "nonsense" }),
        ] {
            assert_eq!(api.code(&owner, document, variables).await, "BAD_REQUEST");
        }
    }

    async fn an_account_has_a_limit(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = person(&house, account_id, Role::Owner);
        for number in 0..SENDERS_PER_ACCOUNT_MAX {
            let id: SenderId = house.platform.ids.next();
            house.execute(
                "INSERT INTO sender (account_id, id, value, kind, status, version, created_at_ms, \
                 updated_at_ms) VALUES ($1, $2, $3, 0, 0, 1, 0, 0)",
                [account_id.into(), id.into(), format!("S{number}").into()],
            ).await;
        }
        let refused = register(&api, &owner, "One more").await;
        assert_eq!(refused["userErrors"][0]["code"], "TOO_MANY_SENDERS");
    }
}
