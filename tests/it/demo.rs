//! `heliograph demo`, run as its user runs it: the built program, on a fresh directory.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{PATIENCE, within};

/// A whole demo takes six seconds of which most are waits, and more where other tests run beside it.
const RUN_TIME_MAX: Duration = Duration::from_secs(90);

fn demo(directory: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliograph"));
    command.arg("demo").args(flags).current_dir(directory).env("TMPDIR", directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn run(directory: &Path, flags: &[&str]) -> Output {
    within(RUN_TIME_MAX, demo(directory, flags).output()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn it_brings_every_message_to_its_end_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["--messages", "150", "--contacts", "60", "--exit"]).await;
    let (shown, faults) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}{faults}");
    assert!(shown.contains("150/150"), "{shown}");
    assert!(shown.contains("delivered") && shown.contains("p95"), "{shown}");
    // 150 parts at a cent each, of 2,000.00; and 60 phones, of which one says STOP.
    for line in [
        " PAID",
        " FINALIZED, total 12.00",
        "2000.00 before - 1.50 for messages + 25.00 paid - 12.00 invoiced",
        "= 2011.50 USD, as it has to be",
        "FINISHED 100 %: 60 contacts, rows with faults: 1",
        "campaign   60 contacts: ",
        ", opt-outs: 1",
        "clicks: 4 by 3 phones",
        "text \"polite\": ",
        "text \"brief\": ",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    assert_eq!(faults, "");
    assert_eq!(entries(directory.path()), 0, "the fresh directory is removed");
}

#[tokio::test]
async fn it_can_be_shown_twice_on_a_directory_that_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--messages", "20", "--contacts", "30", "--exit", "--data-dir", "kept"];
    for _ in 0..2 {
        let output = run(directory.path(), &flags).await;
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        assert!(text(&output.stdout).contains("20/20"));
        assert!(text(&output.stdout).contains("30 contacts: "));
        assert!(text(&output.stdout).contains("as it has to be"));
    }
    assert!(directory.path().join("kept/heliograph.db").exists());
    let kept = std::fs::read_dir(directory.path().join("kept")).unwrap();
    let names = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let invoices: Vec<_> = names.filter(|name| name.ends_with(".pdf")).collect();
    assert_eq!(invoices.len(), 2, "{invoices:?}");
    for name in invoices {
        let pdf = std::fs::read(directory.path().join("kept").join(&name)).unwrap();
        let read = pdf_extract::extract_text_from_mem(&pdf).unwrap();
        assert!(read.contains("Setting up") && read.contains("12.00"), "{name}: {read}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["--exit", "--listen", &address]).await;
    assert_eq!(output.status.code(), Some(1));
    let faults = text(&output.stderr);
    assert!(faults.contains(&address) && faults.contains("--listen"), "{faults}");
}

#[tokio::test]
async fn the_server_that_it_leaves_running_takes_more_messages() {
    let directory = tempfile::tempdir().unwrap();
    let mut child =
        demo(directory.path(), &["--messages", "10", "--contacts", "0", "--listen", "127.0.0.1:0"])
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = after(&mut lines, "heliograph is ready at ").await;
    let key = after(&mut lines, "  live key    ").await;
    let body = serde_json::json!({ "query": "mutation { sendMessages(input: {idempotencyKey: \"k\", \
        messages: [{to: \"+4915123456789\", from: \"Heliograph\", text: \"Hi\"}]}) \
        { results { message { status } } } }" });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = client
        .post(format!("{address}/graphql"))
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = within(PATIENCE, call.send()).await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let status = &answer["data"]["sendMessages"]["results"][0]["message"]["status"];
    assert_eq!(status, "QUEUED", "{answer}");
    terminate(&mut child).await;
    assert_eq!(entries(directory.path()), 0, "the fresh directory is removed");
}

/// The first word behind `mark` on the first line that begins with it.
async fn after(lines: &mut Lines<BufReader<ChildStdout>>, mark: &str) -> String {
    loop {
        let line = within(PATIENCE, lines.next_line()).await.unwrap();
        let line = line.expect("the demo goes on");
        if let Some(rest) = line.strip_prefix(mark) {
            return rest.split_whitespace().next().unwrap_or_default().to_owned();
        }
    }
}

async fn terminate(child: &mut Child) {
    let pid = child.id().unwrap().to_string();
    let killed = Command::new("kill").args(["-s", "TERM", &pid]).status().await.unwrap();
    assert!(killed.success());
    let status = within(PATIENCE, child.wait()).await.unwrap();
    assert!(status.success(), "{status}");
}
