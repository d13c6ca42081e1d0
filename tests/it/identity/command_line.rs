//! Accounts from the command line, beside the store that a server will use.

use std::path::Path;
use std::process::{Command, Output};

use std::time::Duration;

use serde_json::{Value, json};

use super::{Actor, EMAIL, authenticated, refused, sign_up};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

/// The program on the house's store, without the settings of whoever runs the tests.
fn admin(house: &TestHouse, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliograph"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELIOGRAPH")) {
        command.env_remove(name);
    }
    let directory: &Path = house.directory();
    let url = house.platform.settings.store.database_url.as_str();
    command.arg("admin").args(arguments).arg("--data-dir").arg(directory);
    command.args(["--database-url", url]).output().unwrap()
}

both_stores! {
    async fn an_account_is_made_beside_a_running_server(house: TestHouse) {
        let node = house.serve().await;
        let made = admin(&house, &[
            "create-account", "--name", "Bells", "--owner-email", "grace@example.com", "--json",
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let answer: Value = serde_json::from_slice(&made.stdout).unwrap();
        let members: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["accountId", "apiKey", "ownerLink", "testApiKey"]);
        let link = answer["ownerLink"].as_str().unwrap();
        assert!(link.contains("/welcome#"), "{link}");
        for key in ["apiKey", "testApiKey"] {
            let key = answer[key].as_str();
            let viewer = node.graphql(key, "{ viewer { account { id } } }", Value::Null).await;
            let account = &viewer["data"]["viewer"]["account"]["id"];
            assert_eq!(account, &answer["accountId"], "{viewer}");
        }
        node.stop().await;
    }

    async fn a_role_changes_beside_a_running_server(house: TestHouse) {
        let node = house.serve().await;
        let identity = node.app.identity();
        let nobody = node.ctx_as(Actor::Anonymous);
        let ada = identity.sign_up(&nobody, sign_up(EMAIL)).await.unwrap();
        let account = ada.account.id.to_string();
        let account = ["--account", &account, "--json"];
        let token = &ada.tokens.access_token;
        let set = [&["set-role", "--email", EMAIL, "--role", "viewer"], &account[..]].concat();
        let last = admin(&house, &set);
        assert_eq!(last.status.code(), Some(2));
        let said = String::from_utf8(last.stderr).unwrap();
        assert!(said.contains("last owner"), "{said}");

        house.execute("UPDATE membership SET role = 1", []).await;
        house.hand.advance(Duration::from_secs(5));
        let stream = authenticated(identity, token).await.unwrap();
        let set = admin(&house, &set);
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
        let answer: Value = serde_json::from_slice(&set.stdout).unwrap();
        let expected = json!({ "accountId": ada.account.id, "personId": ada.person.id,
            "email": EMAIL, "role": "viewer" });
        assert_eq!(answer, expected);
        identity.end_revoked(house.now()).await.unwrap();
        within(PATIENCE, stream.until_revoked()).await;
        let viewer = node.graphql(Some(token.expose()), "{ viewer { role } }", Value::Null).await;
        assert_eq!(viewer["data"]["viewer"]["role"], "VIEWER", "{viewer}");

        let removed = admin(&house, &[&["remove-person", "--email", EMAIL], &account[..]].concat());
        assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
        identity.end_revoked(house.now()).await.unwrap();
        assert!(refused(&authenticated(identity, token).await));
        node.stop().await;
    }

    async fn an_account_is_suspended_and_comes_back_and_gets_another_link(house: TestHouse) {
        let made = admin(&house, &[
            "create-account", "--name", "Bells", "--owner-email", "grace@example.com", "--json",
        ]);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let id = made["accountId"].as_str().unwrap();
        let commands = [("suspend-account", "suspended"), ("reactivate-account", "active")];
        for (command, status) in commands {
            let done = admin(&house, &[command, "--account", id, "--json"]);
            let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
            assert_eq!(answer, json!({ "accountId": id, "status": status }));
        }
        let link = admin(&house, &["owner-link", "--account", id, "--json"]);
        let link: Value = serde_json::from_slice(&link.stdout).unwrap();
        assert_eq!(link["accountId"], id);
        assert!(link["ownerLink"].as_str().unwrap().contains("/welcome#"), "{link}");
        assert_ne!(link["ownerLink"], made["ownerLink"]);
        let unknown = house.platform.ids.next::<entity::ids::AccountId>().to_string();
        let unknown = admin(&house, &["suspend-account", "--account", &unknown]);
        assert_eq!(unknown.status.code(), Some(2));
    }

    async fn what_cannot_be_an_account_ends_with_code_2(house: TestHouse) {
        let refused = admin(&house, &["create-account", "--name", "x", "--owner-email", "nobody"]);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("not an e-mail address"), "{said}");
    }

    async fn the_signing_key_is_rotated(house: TestHouse) {
        let rotated = admin(&house, &["rotate-signing-key", "--json"]);
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        let answer: Value = serde_json::from_slice(&rotated.stdout).unwrap();
        let kid: String = house.value("SELECT kid FROM signing_key", []).await;
        assert_eq!(answer["kid"], kid);
    }
}
