//! `heliograph admin`, as the operator uses it beside a running server.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use super::{StorePlace, program, shown};

/// What `admin create-account` prints.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The new account.
    pub account_id: String,
    /// Its live key.
    pub api_key: String,
    /// What its first owner sets a password by.
    pub owner_link: String,
}

/// Makes an account with a sender that the operator approved.
pub fn create_account(place: &StorePlace, sender: &str) -> Credentials {
    let created = admin(
        place,
        &[
            "create-account",
            "--name",
            "Load",
            "--owner-email",
            "load@example.org",
            "--credit-limit",
            "1000000",
            "--json",
        ],
    );
    let text = |name: &str| created[name].as_str().unwrap_or_default().to_owned();
    let credentials = Credentials {
        account_id: text("accountId"),
        api_key: text("apiKey"),
        owner_link: text("ownerLink"),
    };
    assert!(!credentials.api_key.is_empty(), "no key in {created}");
    let account = credentials.account_id.as_str();
    admin(place, &["approve-sender", "--account", account, "--sender", sender, "--json"]);
    credentials
}

/// Sets up an SMPP carrier with a route for every number.
pub fn add_carrier(place: &StorePlace, smsc: SocketAddr, binds: u16, window: u16) {
    let password = place.directory.path().join("smsc-password");
    std::fs::write(&password, "secret").unwrap();
    let (smsc, binds, window) = (smsc.to_string(), binds.to_string(), window.to_string());
    let password = shown(&password);
    admin(
        place,
        &[
            "add-carrier",
            "--name",
            "smsc",
            "--smpp",
            &smsc,
            "--system-id",
            "load",
            "--password-file",
            &password,
            "--binds",
            &binds,
            "--window",
            &window,
            "--prefix",
            "+",
            "--json",
        ],
    );
}

/// Connects Stripe, whose API is at `base_url`, and returns the path for its webhooks.
pub fn add_stripe(place: &StorePlace, base_url: &str, secret: &str) -> String {
    let file = |name: &str, text: &str| {
        let path = place.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        shown(&path)
    };
    let (secret, key) = (file("stripe-secret", secret), file("stripe-key", "sk_test_of_the_load"));
    let added = admin(
        place,
        &[
            "add-processor",
            "--kind",
            "stripe",
            "--secret-file",
            &secret,
            "--api-key-file",
            &key,
            "--base-url",
            base_url,
            "--json",
        ],
    );
    added["webhookPath"].as_str().expect("a path").to_owned()
}

/// The newest webhooks in a state, as the operator lists them; at most a page.
pub fn webhooks_in_state(place: &StorePlace, state: &str) -> Vec<Value> {
    let listed = admin(place, &["webhooks", "list", "--state", state, "--json"]);
    listed.as_array().expect("a list").clone()
}

/// Has the ledger checked: its chains, its sums, and what is held for messages. Returns how many
/// transfers it has.
pub fn verify_ledger(place: &StorePlace) -> u64 {
    admin(place, &["verify-ledger", "--json"])["transfers"].as_u64().unwrap_or_default()
}

fn admin(place: &StorePlace, arguments: &[&str]) -> Value {
    let mut command = Command::new(program());
    command.arg("admin").args(arguments).args(place.arguments());
    command.env("HELIOGRAPH__TELEMETRY__LOG", "error");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "heliograph admin {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}
