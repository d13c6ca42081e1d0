//! The SMPP client against a server that shares no code with it: the npm package `smpp`.
//!
//! Needs `node` and `npm` with a registry; without them it fails rather than pass untested.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use entity::ids::MessageId;
use entity::time::UnixMillis;
use heliograph::carriers::smpp::{Reconnect, SmppCarrier, SmppConfig, receipt_id};
use heliograph::carriers::{
    Address, Carrier, CarrierError, CarrierErrorKind, CarrierEvent, CarrierHandle, PartOutcome,
    PartPayload, Platform, Receipt, ReceiptState, Submission,
};
use heliograph::sys::{Clock, Randomness};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than anything here takes, installation included.
const PATIENCE: Duration = Duration::from_secs(120);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// The installed and running server; it ends with this value.
struct Server {
    port: u64,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: ChildStdin,
    _child: Child,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/smpp_server");
        let directory = tempfile::tempdir().unwrap();
        for file in ["package.json", "package-lock.json", "server.js"] {
            std::fs::copy(source.join(file), directory.path().join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        let installed = npm.current_dir(&directory).kill_on_drop(true).status();
        let installed = soon("npm ci", installed).await.expect("npm is installed");
        assert!(installed.success(), "npm ci: {installed}");
        let mut child = Command::new("node")
            .arg("server.js")
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stdin = child.stdin.take().unwrap();
        let mut server = Self { port: 0, lines, stdin, _child: child, _directory: directory };
        server.port = server.said("listening").await["port"].as_u64().unwrap();
        server
    }

    /// The next line, which must be of this event. An enquire_link may come at any time.
    async fn said(&mut self, event: &str) -> Value {
        loop {
            let line = soon(event, self.lines.next_line()).await.unwrap();
            let said: Value = serde_json::from_str(&line.expect("server running")).unwrap();
            if said["event"] == event {
                return said;
            }
            assert_eq!(said["event"], "enquire_link", "expected {event}: {said}");
        }
    }

    fn client(&self, password: &str) -> (CarrierHandle, CancellationToken) {
        let shutdown = CancellationToken::new();
        let address = format!("127.0.0.1:{}", self.port);
        let config = SmppConfig {
            enquire_link_ms: 500,
            reconnect: Reconnect { first_ms: 10, max_ms: 10, refused_ms: 10 },
            ..SmppConfig::new("third party", &address, "heliograph", SecretString::from(password))
        };
        let platform = Platform { clock: Clock::system(), randomness: Randomness::seeded(1) };
        let carrier = Box::new(SmppCarrier::new(config).unwrap());
        (carrier.start(platform, shutdown.clone()), shutdown)
    }
}

/// A message to `to` in these parts.
fn message(number: u128, to: &str, parts: Vec<PartPayload>) -> Submission {
    Submission {
        message_id: MessageId::from(Uuid::from_u128(number)),
        attempt: 1,
        from: Address::Alphanumeric("Acme".into()),
        to: to.into(),
        parts,
        expires_at: UnixMillis(Clock::system().now().0 + 3_600_000),
        reference: 0xBEEF,
        wants_receipt: true,
    }
}

fn part(octets: impl Into<Bytes>, data_coding: u8, has_header: bool) -> PartPayload {
    PartPayload { octets: octets.into(), data_coding, has_header }
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

async fn result(client: &mut CarrierHandle) -> Vec<String> {
    match soon("a result", client.events.recv()).await.unwrap() {
        CarrierEvent::Result(result) => result
            .parts
            .into_iter()
            .map(|part| match part {
                PartOutcome::Accepted { carrier_message_id } => carrier_message_id,
                other => panic!("expected acceptance, came {other:?}"),
            })
            .collect(),
        other => panic!("expected a result, came {other:?}"),
    }
}

/// Reads and acknowledges a receipt.
async fn receipt(client: &mut CarrierHandle) -> Receipt {
    match soon("a receipt", client.events.recv()).await.unwrap() {
        CarrierEvent::Receipt(receipt, ack) => {
            ack.done();
            receipt
        }
        other => panic!("expected a receipt, came {other:?}"),
    }
}

#[tokio::test]
async fn messages_concatenation_receipts_and_inbound_work() {
    let mut server = Server::start().await;
    let (mut client, shutdown) = server.client("secret");
    assert_eq!(server.said("bind").await["system_id"], "heliograph");
    soon("the link", client.link.wait_for(|state| state.bound == 1)).await.unwrap();

    // One part, receipt by text.
    let single = message(1, "15551230000", vec![part("Hello", 0, false)]);
    client.submissions.send(single).await.unwrap();
    let said = server.said("message").await;
    let expected = json!({
        "event": "message", "from": "Acme", "from_ton": 5, "to": "15551230000", "to_ton": 1,
        "registered_delivery": 1, "data_coding": 0, "reference": 0xBEEF,
        "valid_for_a_while": true, "text": "Hello",
    });
    assert_eq!(said, expected);
    let ids = result(&mut client).await;
    let read = receipt(&mut client).await;
    assert_eq!(read.state, ReceiptState::Delivered);
    assert!(receipt_id::candidate_ids(&read.carrier_message_id).contains(&ids[0]));
    assert_eq!(read.done_at, Some(UnixMillis(1_672_662_840_000)));
    assert_eq!(server.said("acknowledged").await["status"], 0);

    // Three parts in UCS-2, put together by the server; receipts by TLVs.
    let texts = ["Привет, ", "мир ", "😀"];
    let parts = texts
        .iter()
        .zip(1..)
        .map(|(text, number)| part([&[5, 0, 3, 77, 3, number][..], &ucs2(text)].concat(), 8, true));
    client.submissions.send(message(2, "15551230001", parts.collect())).await.unwrap();
    let said = server.said("message").await;
    assert_eq!((&said["text"], &said["data_coding"]), (&json!("Привет, мир 😀"), &json!(8)));
    // Answers and receipts alternate; the result comes with the third answer.
    let first = receipt(&mut client).await;
    let second = receipt(&mut client).await;
    let ids = result(&mut client).await;
    let third = receipt(&mut client).await;
    for (read, id) in [first, second, third].iter().zip(&ids) {
        assert_eq!((&read.carrier_message_id, read.state), (id, ReceiptState::Undeliverable));
        assert_eq!(read.reference, Some(0xBEEF));
        let error = CarrierError { kind: CarrierErrorKind::NetworkError, code: 8 };
        assert_eq!(read.error, Some(error));
        assert_eq!(server.said("acknowledged").await["id"], **id);
    }

    // A message from a phone.
    server.stdin.write_all("¿STOP? да\n".as_bytes()).await.unwrap();
    match soon("a message", client.events.recv()).await.unwrap() {
        CarrierEvent::Inbound(inbound, ack) => {
            assert_eq!(inbound.text, "¿STOP? да");
            assert_eq!((&*inbound.from, &*inbound.to), ("15551230000", "1234"));
            ack.done();
        }
        other => panic!("expected a message, came {other:?}"),
    }

    // Idle: kept alive; then a proper end.
    server.said("enquire_link").await;
    shutdown.cancel();
    server.said("unbind").await;
    assert!(soon("the end of events", client.events.recv()).await.is_none());
    soon("the end", client.task).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_not_bound() {
    let mut server = Server::start().await;
    let (client, shutdown) = server.client("wrong");
    assert_eq!(server.said("bind").await["known"], false);
    assert_eq!(server.said("bind").await["known"], false, "tried again");
    assert_eq!(client.link.borrow().bound, 0);
    shutdown.cancel();
    soon("the end", client.task).await.unwrap();
}
