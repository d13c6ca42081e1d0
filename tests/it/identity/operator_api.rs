//! The operator's mutations on accounts and their people, as the contract shows them. Who may call
//! them: `authorization.rs`.

use entity::enums::Role;
use heliograph::authz::PersonActor;
use heliograph::identity::{NewAccount, create_account};
use serde_json::json;

use super::*;
use crate::graphql_api::Api;
use crate::support::both_stores;

both_stores! {
    async fn the_operator_changes_accounts_over_the_api(house: TestHouse) {
        let api = Api::new(&house).await;
        let identity = service(&house);
        let account = signed_up(&house, &identity, EMAIL).await.account;
        let operator = house.ctx_as(Actor::Person(PersonActor {
            person_id: house.platform.ids.next(),
            session_id: house.platform.ids.next(),
            account_id: house.platform.ids.next(),
            role: Role::Owner,
            is_operator: true,
        }));
        for (name, status) in [("suspendAccount", "SUSPENDED"), ("reactivateAccount", "ACTIVE")] {
            let document = format!(
                "mutation($id: ID!) {{ {name}(input: {{ accountId: $id }}) {{
                    account {{ id status }} userErrors {{ code path }} }} }}"
            );
            let answer = api.data(&operator, &document, json!({ "id": account.id })).await;
            let expected = json!({ "account": { "id": account.id, "status": status },
                "userErrors": [] });
            assert_eq!(answer[name], expected);
            let unknown = json!({ "id": house.platform.ids.next::<entity::ids::AccountId>() });
            let answer = api.data(&operator, &document, unknown).await;
            let expected = json!({ "account": null,
                "userErrors": [{ "code": "NOT_FOUND", "path": ["accountId"] }] });
            assert_eq!(answer[name], expected);
        }
        let last = "mutation($id: ID!, $email: String!) {
            set: setRole(input: { accountId: $id, email: $email, role: ADMIN }) {
                person { email } role userErrors { code path } }
            remove: removePerson(input: { accountId: $id, email: $email }) {
                person { email } userErrors { code path } }
            keep: setRole(input: { accountId: $id, email: $email, role: OWNER }) {
                person { email } role userErrors { code path } } }";
        let person = json!({ "id": account.id, "email": EMAIL });
        let answer = api.data(&operator, last, person).await;
        let expected = json!({
            "set": { "person": null, "role": null,
                "userErrors": [{ "code": "LAST_OWNER", "path": ["role"] }] },
            "remove": { "person": null,
                "userErrors": [{ "code": "LAST_OWNER", "path": ["email"] }] },
            "keep": { "person": { "email": EMAIL }, "role": "OWNER", "userErrors": [] },
        });
        assert_eq!(answer, expected);
    }

    async fn the_operator_sends_another_link_over_the_api(house: TestHouse) {
        let api = Api::new(&house).await;
        let operator = house.ctx_as(Actor::Person(PersonActor {
            person_id: house.platform.ids.next(),
            session_id: house.platform.ids.next(),
            account_id: house.platform.ids.next(),
            role: Role::Admin,
            is_operator: true,
        }));
        let new = NewAccount {
            name: "Bells".to_owned(),
            owner_email: "grace@example.com".to_owned(),
            default_region: None,
        };
        let account = create_account(&operator, new).await.unwrap().account;
        let document = "mutation($id: ID!, $email: String) {
            reissueOwnerLink(input: { accountId: $id, ownerEmail: $email }) {
                ownerLink ownerLinkExpiresAt userErrors { code path } } }";
        let again = json!({ "id": account.id });
        let answer = api.data(&operator, document, again).await;
        let link = answer["reissueOwnerLink"]["ownerLink"].as_str().unwrap();
        assert!(link.contains("/welcome#"), "{link}");
        let expires_at = &answer["reissueOwnerLink"]["ownerLinkExpiresAt"];
        assert_eq!(*expires_at, "2026-01-12T00:00:00.000Z");
        let malformed = json!({ "id": account.id, "email": "grace" });
        let answer = api.data(&operator, document, malformed).await;
        let faults = &answer["reissueOwnerLink"]["userErrors"];
        assert_eq!(*faults, json!([{ "code": "INVALID_EMAIL", "path": ["ownerEmail"] }]));
    }
}
