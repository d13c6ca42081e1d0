//! Accounts from the command line, beside the store that a server will use.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{TestHouse, both_stores};

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
