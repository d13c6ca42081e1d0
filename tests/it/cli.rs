//! The program as it is called: exit codes, what it prints, how it stops.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{PATIENCE, within};

/// The program, without the settings of whoever runs the tests.
fn heliograph(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliograph"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELIOGRAPH")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    heliograph(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn path(directory: &Path) -> &str {
    directory.to_str().unwrap()
}

#[test]
fn the_schema_is_printed_without_a_store() {
    let printed = run(&["schema", "print"]);
    assert!(printed.status.success());
    assert_eq!(text(&printed.stdout), heliograph::graphql::sdl());
}

#[test]
fn migrate_up_makes_the_store_and_then_finds_nothing_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let first = run(&["migrate", "up", "--data-dir", path(&data_dir)]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("is up to date: ran m2"), "{}", text(&first.stdout));
    let second = run(&["migrate", "up", "--data-dir", path(&data_dir)]);
    assert!(second.status.success());
    assert!(text(&second.stdout).ends_with("is up to date\n"), "{}", text(&second.stdout));
}

#[test]
fn doctor_changes_nothing_and_finds_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let doctor = || run(&["doctor", "--data-dir", path(&data_dir)]);

    let untouched = doctor();
    assert!(untouched.status.success(), "{}", text(&untouched.stdout));
    assert!(!data_dir.exists());

    run(&["migrate", "up", "--data-dir", path(&data_dir)]);
    std::fs::write(data_dir.join("master.key"), "too short").unwrap();
    let sick = doctor();
    assert_eq!(sick.status.code(), Some(1));
    let said = text(&sick.stdout);
    assert!(said.contains("FAULT master key"), "{said}");
    assert!(said.contains("→ give 32 bytes in base64"), "{said}");
    assert!(said.ends_with("checks found a fault\n"), "{said}");
}

#[test]
fn carriers_are_set_up_from_a_shell_and_doctor_tries_to_reach_them() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let password = directory.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (there, gone) = (listener.local_addr().unwrap().to_string(), "127.0.0.1:1");
    for (name, address, prefix) in [("there", there.as_str(), "+44"), ("gone", gone, "+49")] {
        let added = heliograph(&["admin", "add-carrier", "--json", "--name", name])
            .args(["--smpp", address, "--system-id", "me", "--prefix", prefix])
            .args(["--password-file", path(&password), "--data-dir", path(&data_dir)])
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", text(&added.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
        assert!(answer.to_string().contains("carr_"), "{answer}");
    }
    let table = directory.path().join("errors.toml");
    let add_third = |entry: &str| {
        std::fs::write(&table, entry).unwrap();
        heliograph(&["admin", "add-carrier", "--name", "third", "--smpp", gone, "--prefix", "+33"])
            .args(["--system-id", "me", "--error-table", path(&table)])
            .args(["--password-file", path(&password), "--data-dir", path(&data_dir)])
            .output()
            .unwrap()
    };
    for (entry, why) in [
        ("[[receipt_error]]\nvalue = 1", "cannot read the error table"),
        ("[[receipt_error]]\nvalue = 1\ncode = \"NONSENSE\"", "the code of entry 0"),
        (" ".repeat(70_000).as_str(), "longer than 65536 bytes"),
    ] {
        let refused = add_third(entry);
        assert_eq!(refused.status.code(), Some(2), "{why}");
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
    let added = add_third("[[receipt_error]]\nvalue = 1\ncode = \"RECEIPT_DELETED\"");
    assert!(added.status.success(), "{}", text(&added.stderr));
    let doctor = run(&["doctor", "--data-dir", path(&data_dir)]);
    let said = text(&doctor.stdout);
    assert!(doctor.status.success(), "{said}");
    assert!(said.contains(&format!("there at {there} accepts connections")), "{said}");
    assert!(said.contains(&format!("look  carrier         gone at {gone}: ")), "{said}");
}

#[test]
fn processors_are_connected_and_webhooks_listed_from_a_shell() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let (secret, key) = (directory.path().join("secret"), directory.path().join("key"));
    std::fs::write(&secret, "whsec_shell\n").unwrap();
    std::fs::write(&key, "sk_test_shell\n").unwrap();
    let add = |secret: &Path| {
        heliograph(&["admin", "add-processor", "--json", "--kind", "stripe"])
            .args(["--secret-file", path(secret), "--api-key-file", path(&key)])
            .args(["--base-url", "http://127.0.0.1:1", "--data-dir", path(&data_dir)])
            .output()
            .unwrap()
    };
    let added = add(&secret);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
    assert!(answer["processorId"].as_str().unwrap().starts_with("proc_"), "{answer}");
    assert!(answer["webhookPath"].as_str().unwrap().starts_with("/hooks/stripe/"), "{answer}");
    assert!(!answer.to_string().contains("shell"), "{answer}");
    assert_eq!(add(&directory.path().join("missing")).status.code(), Some(2));
    let admin = |task: &[&str]| {
        let command = [&["admin", "webhooks"], task, &["--data-dir", path(&data_dir)]].concat();
        run(&command)
    };
    let listed = admin(&["list", "--json", "--state", "parked"]);
    assert_eq!(text(&listed.stdout), "[]\n", "{}", text(&listed.stderr));
    let unknown = admin(&["retry", "whev_00000000000000000000000000"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no such webhook"));
}

#[test]
fn wrong_settings_and_flags_end_with_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.toml");
    std::fs::write(&file, "[server]\nlisten_at = \"x\"\n[store]\nconnections_max = 1\n").unwrap();
    let unknown_key = run(&["migrate", "up", "--config", path(&file)]);
    assert_eq!(unknown_key.status.code(), Some(2));
    assert!(text(&unknown_key.stderr).contains("listen_at"), "{}", text(&unknown_key.stderr));

    let faults = "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\nwrite_timeout_s = 0\n\
        [rate_limits]\naddress_points_burst = 0\n[graphql]\nstreams_per_account_max = 0\n";
    std::fs::write(&file, faults).unwrap();
    let out_of_range = run(&["migrate", "up", "--config", path(&file)]);
    assert_eq!(out_of_range.status.code(), Some(2));
    for name in [
        "server.trusted_proxies",
        "server.write_timeout_s",
        "rate_limits.address_points_burst",
        "graphql.streams_per_account_max",
    ] {
        let said = text(&out_of_range.stderr);
        assert!(said.contains(name), "{said}");
    }

    assert_eq!(run(&["serve", "--roles", "api,cook"]).status.code(), Some(2));
    assert_eq!(run(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_store_out_of_reach_is_one_clear_line_with_its_cause() {
    let url = "postgres://nobody:hunter2@127.0.0.1:1/nothing";
    let refused = run(&["migrate", "up", "--database-url", url]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.starts_with("error: the store postgres://nobody:…@127.0.0.1:1/nothing"), "{said}");
    assert!(said.contains("\n  because: "), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

/// Reads lines from a child's standard output until one begins so.
fn wait_for_line(lines: &mut impl BufRead, beginning: &str) -> String {
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.starts_with(beginning) {
            return line;
        }
        line.clear();
    }
    panic!("it ended without a line that begins with {beginning:?}");
}

/// A running `heliograph serve`.
#[cfg(unix)]
struct Serving {
    child: Child,
    link: String,
    url: String,
}

#[cfg(unix)]
impl Serving {
    async fn start(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command =
            heliograph(&["serve", "--data-dir", path(data_dir), "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let ready = tokio::task::spawn_blocking(move || {
            let link = wait_for_line(&mut lines, "http://127.0.0.1:");
            (link, wait_for_line(&mut lines, "heliograph is ready at http://127.0.0.1:"))
        });
        let (link, ready) = within(PATIENCE, ready).await.unwrap();
        let url = ready.trim_start_matches("heliograph is ready at ").trim().to_owned();
        Self { child, link, url }
    }

    /// Sends SIGTERM and waits for the exit code.
    async fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        within(PATIENCE, ended).await.unwrap().code()
    }
}

#[cfg(unix)]
#[tokio::test]
async fn serve_makes_everything_says_where_and_stops_on_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let serving = Serving::start(&data_dir, &[]).await;
    assert!(serving.link.starts_with(&serving.url), "{}", serving.link);
    let answer = reqwest::get(format!("{}/readyz", serving.url)).await.unwrap();
    assert_eq!(answer.status(), 200);

    let beside = run(&["serve", "--data-dir", path(&data_dir), "--listen", "127.0.0.1:0"]);
    assert_eq!(beside.status.code(), Some(1));
    assert!(text(&beside.stderr).contains("another process serves this store"));
    assert!(run(&["doctor", "--data-dir", path(&data_dir)]).status.success());
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn traces_leave_for_the_collector_and_the_last_ones_before_the_end() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let collect = Arc::clone(&received);
    let collector = axum::Router::new().route(
        "/v1/traces",
        axum::routing::post(async move |body: axum::body::Bytes| {
            collect.lock().unwrap().extend_from_slice(&body);
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, collector).await });
    let directory = tempfile::tempdir().unwrap();
    let settings = [("HELIOGRAPH__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str())];
    let serving = Serving::start(directory.path(), &settings).await;
    let query = r#"{"query":"{ __typename }"}"#;
    let answer = reqwest::Client::builder()
        .build()
        .unwrap()
        .post(format!("{}/graphql", serving.url))
        .header("content-type", "application/json")
        .body(query)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(serving.stop().await, Some(0));
    let sent = received.lock().unwrap();
    // Names stand as they are in the protocol's binary form.
    for name in ["heliograph", "service.version", "graphql", "request.id"] {
        assert!(sent.windows(name.len()).any(|window| window == name.as_bytes()), "no {name}");
    }
}
