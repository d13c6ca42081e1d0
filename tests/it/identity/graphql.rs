//! Identity as clients see it: over HTTP and GraphQL, on a running node.

use std::time::Duration;

use entity::enums::Role;
use heliograph::identity::{NewAccount, create_account};
use serde_json::{Value, json};

use super::*;
use crate::support::{Served, both_stores};

const SIGN_UP: &str = "mutation($input: SignUpInput!) { signUp(input: $input) {
    authentication { session { id } role account { id name defaultRegion version }
        person { id email name } tokens { accessToken refreshToken accessTokenExpiresAt } }
    userErrors { code path message } } }";
const LOG_IN: &str = "mutation($input: LogInInput!) { logIn(input: $input) {
    authentication { tokens { accessToken refreshToken } }
    userErrors { code path ... on UserError { message } } } }";
const REFRESH: &str = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {
    authentication { tokens { accessToken refreshToken } } userErrors { code path } } }";
const CREATE_KEY: &str = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    apiKey { id name start mode scopes isActive createdBy { email } rotatedFrom { id } expiresAt }
    secret userErrors { code path } } }";
const VIEWER: &str = "{ viewer { account { id name } person { email } role session { id }
    apiKey { id name } scopes } }";

fn text<'a>(answer: &'a Value, path: &str) -> &'a str {
    answer.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}: {answer}"))
}

fn code(answer: &Value) -> &str {
    text(answer, "/errors/0/extensions/code")
}

/// Signs up over the wire; the access and the refresh token.
async fn come_in(node: &Served, email: &str) -> (String, String) {
    let input = json!({ "input": { "accountName": "Lamps Ltd", "defaultRegion": "GB",
        "email": email, "password": PASSWORD, "name": "Ada" } });
    let answer = node.graphql(None, SIGN_UP, input).await;
    let tokens = "/data/signUp/authentication/tokens";
    let token = |name: &str| text(&answer, &format!("{tokens}/{name}")).to_owned();
    (token("accessToken"), token("refreshToken"))
}

both_stores! {
    async fn a_person_signs_up_logs_in_refreshes_and_leaves(house: TestHouse) {
        let node = house.serve().await;
        let (access, refresh) = come_in(&node, EMAIL).await;
        let viewer = node.graphql(Some(&access), VIEWER, json!({})).await;
        assert_eq!(text(&viewer, "/data/viewer/person/email"), EMAIL);
        assert_eq!(text(&viewer, "/data/viewer/role"), "OWNER");
        assert_eq!(viewer.pointer("/data/viewer/apiKey"), Some(&Value::Null));

        let input = json!({ "input": { "email": EMAIL, "password": PASSWORD } });
        let logged_in = node.graphql(None, LOG_IN, input).await;
        let second = text(&logged_in, "/data/logIn/authentication/tokens/accessToken").to_owned();

        let input = json!({ "input": { "refreshToken": refresh } });
        let refreshed = node.graphql(None, REFRESH, input.clone()).await;
        let fresh = "/data/refreshSession/authentication/tokens/accessToken";
        let fresh = text(&refreshed, fresh).to_owned();
        let reused = node.graphql(None, REFRESH, input).await;
        let reason = text(&reused, "/data/refreshSession/userErrors/0/code");
        assert_eq!(reason, "REFRESH_TOKEN_REUSED");
        assert_eq!(code(&node.graphql(Some(&fresh), VIEWER, json!({})).await), "UNAUTHENTICATED");

        let list = "{ sessions { totalCount nodes { id isCurrent account { name } } } }";
        let sessions = node.graphql(Some(&second), list, json!({})).await;
        assert_eq!(sessions.pointer("/data/sessions/totalCount"), Some(&json!(1)));
        assert_eq!(sessions.pointer("/data/sessions/nodes/0/isCurrent"), Some(&json!(true)));
        assert_eq!(text(&sessions, "/data/sessions/nodes/0/account/name"), "Lamps Ltd");
        let leave = "mutation { logOut(input: {}) { session { id isCurrent revokedAt } userErrors { code } } }";
        let left = node.graphql(Some(&second), leave, json!({})).await;
        let ended = text(&left, "/data/logOut/session/id");
        assert_eq!(ended, text(&sessions, "/data/sessions/nodes/0/id"));
        assert_eq!(code(&node.graphql(Some(&second), VIEWER, json!({})).await), "UNAUTHENTICATED");
        node.stop().await;
    }

    async fn wrong_passwords_are_user_errors_and_then_rate_limited(house: TestHouse) {
        let node = house.serve().await;
        come_in(&node, EMAIL).await;
        let input = json!({ "input": { "email": EMAIL, "password": "not the password" } });
        for _ in 0..5 {
            let answer = node.graphql(None, LOG_IN, input.clone()).await;
            assert_eq!(text(&answer, "/data/logIn/userErrors/0/code"), "INVALID_CREDENTIALS");
            assert_eq!(answer.pointer("/data/logIn/authentication"), Some(&Value::Null));
        }
        let answer = node.graphql(None, LOG_IN, input).await;
        assert_eq!(code(&answer), "RATE_LIMITED");
        let wait = answer.pointer("/errors/0/extensions/retryAfterMs");
        assert_eq!(wait, Some(&json!(1_000)));
        node.stop().await;
    }

    async fn a_key_is_made_used_rotated_and_revoked(house: TestHouse) {
        let node = house.serve().await;
        let (access, _) = come_in(&node, EMAIL).await;
        let input = json!({ "input": { "name": "Shop", "mode": "TEST",
            "scopes": ["MESSAGES_SEND"] } });
        let made = node.graphql(Some(&access), CREATE_KEY, input).await;
        let (key, id) = (
            text(&made, "/data/createApiKey/secret").to_owned(),
            text(&made, "/data/createApiKey/apiKey/id").to_owned(),
        );
        assert!(key.starts_with(text(&made, "/data/createApiKey/apiKey/start")));
        assert_eq!(text(&made, "/data/createApiKey/apiKey/createdBy/email"), EMAIL);
        let viewer = node.graphql(Some(&key), VIEWER, json!({})).await;
        assert_eq!(text(&viewer, "/data/viewer/apiKey/id"), id);
        assert_eq!(viewer.pointer("/data/viewer/scopes"), Some(&json!(["MESSAGES_SEND"])));
        assert_eq!(viewer.pointer("/data/viewer/role"), Some(&Value::Null));

        let rotate = "mutation($id: ID!) { rotateApiKey(input: { apiKeyId: $id,
            overlapSeconds: 60 }) { apiKey { id rotatedFrom { id } } secret
            replacedApiKey { id expiresAt } userErrors { code } } }";
        let rotated = node.graphql(Some(&access), rotate, json!({ "id": id })).await;
        assert_eq!(text(&rotated, "/data/rotateApiKey/apiKey/rotatedFrom/id"), id);
        let new = text(&rotated, "/data/rotateApiKey/secret").to_owned();
        house.hand.advance(Duration::from_secs(60));
        assert_eq!(code(&node.graphql(Some(&key), VIEWER, json!({})).await), "UNAUTHENTICATED");
        text(&node.graphql(Some(&new), VIEWER, json!({})).await, "/data/viewer/apiKey/id");

        let revoke = "mutation($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) {
            apiKey { isActive } userErrors { code path } } }";
        let new_id = text(&rotated, "/data/rotateApiKey/apiKey/id");
        let revoked = node.graphql(Some(&access), revoke, json!({ "id": new_id })).await;
        let active = revoked.pointer("/data/revokeApiKey/apiKey/isActive");
        assert_eq!(active, Some(&json!(false)), "{revoked}");
        assert_eq!(code(&node.graphql(Some(&new), VIEWER, json!({})).await), "UNAUTHENTICATED");
        // A key may not make keys.
        let other = json!({ "input": { "name": "x", "mode": "LIVE", "scopes": ["ACCOUNT_READ"] } });
        let live = node.graphql(Some(&access), CREATE_KEY, other.clone()).await;
        let live = text(&live, "/data/createApiKey/secret");
        let refused = node.graphql(Some(live), CREATE_KEY, other).await;
        assert_eq!(code(&refused), "FORBIDDEN");
        node.stop().await;
    }

    async fn nodes_are_found_by_id_within_the_account_only(house: TestHouse) {
        let node = house.serve().await;
        let (mine, _) = come_in(&node, EMAIL).await;
        let (other, _) = come_in(&node, "bob@example.com").await;
        let input = json!({ "input": { "name": "Shop", "mode": "LIVE",
            "scopes": ["MESSAGES_SEND"] } });
        let made = node.graphql(Some(&mine), CREATE_KEY, input).await;
        let viewer = "{ viewer { account { id } person { id } session { id } } }";
        let viewer = node.graphql(Some(&mine), viewer, json!({})).await;
        let ids = json!({ "ids": [
            text(&viewer, "/data/viewer/account/id"),
            text(&viewer, "/data/viewer/person/id"),
            text(&viewer, "/data/viewer/session/id"),
            text(&made, "/data/createApiKey/apiKey/id"),
        ] });
        let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
        let seen = node.graphql(Some(&mine), nodes, ids.clone()).await;
        let names: Vec<_> = seen["data"]["nodes"].as_array().unwrap().iter()
            .map(|node| node["__typename"].as_str().unwrap()).collect();
        assert_eq!(names, ["Account", "Person", "Session", "ApiKey"]);
        let unseen = node.graphql(Some(&other), nodes, ids).await;
        assert_eq!(unseen["data"]["nodes"], json!([null, null, null, null]), "{unseen}");
        let wrong = node.graphql(Some(&mine), nodes, json!({ "ids": ["key_x"] })).await;
        assert_eq!(code(&wrong), "INVALID_ID");
        node.stop().await;
    }

    async fn the_operator_makes_accounts_and_nobody_else_does(house: TestHouse) {
        let node = house.serve().await;
        let create = "mutation { createAccount(input: { name: \"Bells\",
            ownerEmail: \"grace@example.com\" }) { account { id } ownerLink
            liveKey { secret apiKey { mode } } testKey { secret } userErrors { code } } }";
        assert_eq!(code(&node.graphql(None, create, json!({})).await), "UNAUTHENTICATED");
        let (owner, _) = come_in(&node, EMAIL).await;
        assert_eq!(code(&node.graphql(Some(&owner), create, json!({})).await), "FORBIDDEN");
        let link = node.app.operator_link().unwrap().url.expose().to_owned();
        let accept = "mutation($input: AcceptOwnerLinkInput!) { acceptOwnerLink(input: $input) {
            authentication { account { kind } tokens { accessToken } } userErrors { code } } }";
        let (_, token) = link.split_once('#').unwrap();
        let input = json!({ "input": { "token": token, "password": PASSWORD, "name": "Op",
            "email": "op@example.com" } });
        let accepted = node.graphql(None, accept, input).await;
        let authentication = "/data/acceptOwnerLink/authentication";
        assert_eq!(text(&accepted, &format!("{authentication}/account/kind")), "OPERATOR");
        let operator = text(&accepted, &format!("{authentication}/tokens/accessToken"));
        let made = node.graphql(Some(operator), create, json!({})).await;
        let live = text(&made, "/data/createAccount/liveKey/secret").to_owned();
        let viewer = node.graphql(Some(&live), VIEWER, json!({})).await;
        assert_eq!(text(&viewer, "/data/viewer/account/name"), "Bells");
        let accounts = "{ accounts { totalCount nodes { name } } }";
        let all = node.graphql(Some(operator), accounts, json!({})).await;
        assert_eq!(all.pointer("/data/accounts/totalCount"), Some(&json!(3)));
        node.stop().await;
    }

    async fn a_refused_input_names_its_field(house: TestHouse) {
        let node = house.serve().await;
        let (access, _) = come_in(&node, EMAIL).await;
        for (field, value, code) in [
            ("password", "short", "PASSWORD_TOO_SHORT"),
            ("password", "qwertyqwerty", "PASSWORD_TOO_COMMON"),
            ("email", "nobody", "INVALID_EMAIL"),
            ("email", EMAIL, "EMAIL_TAKEN"),
            ("accountName", "", "INVALID_NAME"),
            ("defaultRegion", "XX", "UNKNOWN_REGION"),
        ] {
            let mut input = json!({ "accountName": "Bells", "email": "new@example.com",
                "password": PASSWORD, "name": "New" });
            input[field] = value.into();
            let answer = node.graphql(None, SIGN_UP, json!({ "input": input })).await;
            assert_eq!(text(&answer, "/data/signUp/userErrors/0/code"), code);
            assert_eq!(text(&answer, "/data/signUp/userErrors/0/path/0"), field);
        }
        let update = "mutation { updateAccount(input: { name: \"Lanterns\", defaultRegion: null })
            { account { name defaultRegion version } userErrors { code } } }";
        let updated = node.graphql(Some(&access), update, json!({})).await;
        let expected = json!({ "name": "Lanterns", "defaultRegion": null, "version": 2 });
        assert_eq!(updated.pointer("/data/updateAccount/account"), Some(&expected));
        node.stop().await;
    }

    async fn keys_are_listed_with_their_maker_page_by_page(house: TestHouse) {
        let node = house.serve().await;
        let (access, _) = come_in(&node, EMAIL).await;
        for _ in 0..3 {
            let input = json!({ "input": { "name": "Shop", "mode": "LIVE",
                "scopes": ["MESSAGES_SEND"] } });
            node.graphql(Some(&access), CREATE_KEY, input).await;
        }
        let list = "{ apiKeys(first: 2) { totalCount pageInfo { hasNextPage endCursor }
            nodes { createdBy { email } } } }";
        let page = node.graphql(Some(&access), list, json!({})).await;
        assert_eq!(page.pointer("/data/apiKeys/totalCount"), Some(&json!(3)));
        assert_eq!(page.pointer("/data/apiKeys/pageInfo/hasNextPage"), Some(&json!(true)));
        assert_eq!(text(&page, "/data/apiKeys/nodes/1/createdBy/email"), EMAIL);
        node.stop().await;
    }

    async fn the_command_line_and_a_role_below_see_what_the_policy_says(house: TestHouse) {
        let node = house.serve().await;
        let ctx = node.ctx_as(Actor::CommandLine);
        let new = NewAccount {
            name: "Bells".to_owned(),
            owner_email: "grace@example.com".to_owned(),
            default_region: None,
        };
        let made = create_account(&ctx, new).await.unwrap();
        let viewer = node.graphql(Some(made.test_api_key.text.expose()), VIEWER, json!({})).await;
        assert_eq!(text(&viewer, "/data/viewer/account/id"), made.account.id.to_string());
        let (access, _) = come_in(&node, EMAIL).await;
        let demote = "UPDATE membership SET role = $1";
        house.execute(demote, [Role::Viewer.code().into()]).await;
        house.hand.advance(Duration::from_secs(5));
        let keys = node.graphql(Some(&access), "{ apiKeys { totalCount } }", json!({})).await;
        assert_eq!(code(&keys), "FORBIDDEN");
        node.stop().await;
    }
}
