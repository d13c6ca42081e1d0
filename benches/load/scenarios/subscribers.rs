//! Many idle subscribers: how much memory each costs the server, and whether each still gets what
//! is sent to all.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{House, HouseArgs, HouseParts, plan, warm_up};
use crate::kit::drive::{Plan, http_client, unix_us};
use crate::kit::report::Report;
use crate::kit::rig::process;

/// What each may cost, in bytes.
const BYTES_EACH_MAX: f64 = 25_000.0;
/// Connections that are opened at a time.
const OPENED_AT_ONCE: usize = 50;
/// An event that is sent to all reaches the last of them within this time.
const FAN_OUT_TIME_MAX: Duration = Duration::from_secs(20);

const DOCUMENT: &str = "subscription { messageEvents { seq ... on MessageStatusChanged \
    { status message { id } } } }";

/// How many, and by which way.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    house: HouseArgs,
    /// Subscribers
    #[arg(long, default_value_t = 5_000)]
    subscribers: usize,
    /// How they are connected
    #[arg(long, value_enum, default_value_t = Transport::Sse)]
    transport: Transport,
}

/// A way to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Transport {
    /// GraphQL over server-sent events.
    Sse,
    /// The graphql-transport-ws protocol.
    WebSocket,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "subscribers: {} idle over {:?}, store {:?}",
        args.subscribers, args.transport, args.house.store
    ));
    if let Some(fault) = too_few_files(args.subscribers) {
        report.fault(fault);
        return report;
    }
    let house = House::start(&args.house, HouseParts::default()).await;
    warm_up(&house.api).await;
    // A first few, so that what is made once is not counted as theirs.
    let mut all = open(&house, args.transport, OPENED_AT_ONCE).await;
    settle().await;
    let before = process::memory(house.server.pid()).resident_kib;
    let start = Instant::now();
    while all.len() < args.subscribers {
        let count = OPENED_AT_ONCE.min(args.subscribers - all.len());
        all.extend(open(&house, args.transport, count).await);
    }
    report.figure("opened_per_s", all.len() as f64 / start.elapsed().as_secs_f64());
    settle().await;
    let after = process::memory(house.server.pid()).resident_kib;
    let each =
        (after.saturating_sub(before)) as f64 * 1024.0 / (args.subscribers - OPENED_AT_ONCE) as f64;
    report.figure("idle_memory_mib", after as f64 / 1024.0);
    report.figure("bytes_each", each);
    if each > BYTES_EACH_MAX {
        report.fault(format!("{each:.0} bytes each, not {BYTES_EACH_MAX:.0}"));
    }
    fan_out(&house, all, &mut report).await;
    let peak = process::memory(house.server.pid()).peak_kib;
    report.figure("server_peak_memory_mib", peak as f64 / 1024.0);
    house.server.stop().await;
    report
}

/// Sends one message and waits until every subscriber has heard of it.
async fn fan_out(house: &House, all: Vec<TcpStream>, report: &mut Report) {
    let count = all.len();
    let listening: Vec<_> = all
        .into_iter()
        .map(|mut connection| {
            tokio::spawn(async move {
                let heard = async {
                    let mut buffer = [0u8; 2048];
                    let mut text: Vec<u8> = Vec::new();
                    loop {
                        let read = connection.read(&mut buffer).await.ok()?;
                        if read == 0 {
                            return None;
                        }
                        text.extend_from_slice(&buffer[..read]);
                        if text.windows(6).any(|window| window == b"QUEUED") {
                            return Some((unix_us(), connection));
                        }
                    }
                };
                tokio::time::timeout(FAN_OUT_TIME_MAX, heard).await.ok().flatten()
            })
        })
        .collect();
    let one = Plan { first: 98_000_000, ..plan("fan-out", 1, 1) };
    let accepted = house.api.send(&one.call(0)).await;
    let mut times = Vec::new();
    for task in listening {
        if let Some((at_us, _connection)) = task.await.unwrap() {
            times.push(Duration::from_micros(at_us.saturating_sub(accepted.called_us)));
        }
    }
    if times.len() != count {
        report.fault(format!("{} of {count} subscribers heard of the message", times.len()));
    }
    report.percentiles("call_to_each_subscriber", times);
}

async fn open(house: &House, transport: Transport, count: usize) -> Vec<TcpStream> {
    let opening = (0..count).map(|_| async move {
        match transport {
            Transport::Sse => open_sse(house).await,
            Transport::WebSocket => open_websocket(house).await,
        }
    });
    futures::future::join_all(opening).await
}

/// Sends the request and reads until the first comment of the stream.
async fn open_sse(house: &House) -> TcpStream {
    let body = serde_json::json!({ "query": DOCUMENT }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: {}\r\n\r\n\
         {body}",
        house.api.key,
        body.len(),
    );
    let mut connection = connect(house).await;
    connection.write_all(request.as_bytes()).await.unwrap();
    until(&mut connection, b":\n\n").await;
    connection
}

/// RFC 6455 by hand, so that the driver's side of a connection is a socket and no more.
async fn open_websocket(house: &House) -> TcpStream {
    let mut connection = connect(house).await;
    let request = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
        Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    until(&mut connection, b"\r\n\r\n").await;
    let init = serde_json::json!({
        "type": "connection_init",
        "payload": { "authorization": format!("Bearer {}", house.api.key) },
    });
    connection.write_all(&text_frame(&init.to_string())).await.unwrap();
    until(&mut connection, b"connection_ack").await;
    let subscribe = serde_json::json!({
        "id": "1", "type": "subscribe", "payload": { "query": DOCUMENT },
    });
    connection.write_all(&text_frame(&subscribe.to_string())).await.unwrap();
    connection
}

/// A whole text message of a client, masked with zeros (section 5.3 asks for a mask, not a secret).
fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()).expect("a short message") {
        short @ 0..126 => frame.push(0x80 | short as u8),
        longer => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&longer.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

async fn connect(house: &House) -> TcpStream {
    let address = house.api.url.strip_prefix("http://").expect("it is ours");
    TcpStream::connect(address).await.unwrap()
}

async fn until(connection: &mut TcpStream, mark: &[u8]) {
    let mut read = Vec::new();
    let mut buffer = [0u8; 1024];
    let waiting = async {
        while !read.windows(mark.len()).any(|window| window == mark) {
            let count = connection.read(&mut buffer).await.unwrap();
            assert!(count > 0, "closed: {}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(FAN_OUT_TIME_MAX, waiting).await.expect("an answer in time");
}

/// Lets the server finish what the last connections began, and its allocator give back.
async fn settle() {
    let _ = http_client();
    tokio::time::sleep(Duration::from_secs(3)).await;
}

/// The soft limit of open files stands for the server as well: it inherits it.
fn too_few_files(subscribers: usize) -> Option<String> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft: usize = line.split_whitespace().next()?.parse().ok()?;
    let needed = subscribers + 200;
    (soft < needed).then(|| format!("run `ulimit -n {needed}` first: {soft} files are too few"))
}
