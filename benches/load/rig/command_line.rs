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
    let credentials = Credentials { account_id: text("accountId"), api_key: text("apiKey") };
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
