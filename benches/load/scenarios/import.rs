//! Contacts from a large file, uploaded by its signed link: how fast, in what memory; or killed again
//! and again on the way. Afterwards there must be just the contacts, values and faults of the file.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use entity::ids::AccountId;
use heliograph::config::DatabaseUrl;
use heliograph::db::Db;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::kit::drive::api::Api;
use crate::kit::drive::stream_client;
use crate::kit::report::Report;
use crate::kit::rig::{Server, ServerOptions, StoreKind, StorePlace, create_account, process};

/// The aim for the server's memory, in MiB.
const MEMORY_MIB_MAX: f64 = 200.0;
/// Rows of a piece of the upload.
const PIECE_ROWS: u64 = 2_000;
/// Between two looks at the import.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Between two tries to upload, once the server was killed.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// An import that takes longer is stuck.
const TIME_MAX: Duration = Duration::from_secs(1_800);
/// Of so many rows one is wrong.
const WRONG_EVERY: u64 = 100;
/// Of so many rows one repeats the row before, and one a row of an earlier batch.
const REPEATED_EVERY: u64 = 50;
/// How far back that is.
const EARLIER: u64 = 2_000;

/// How large, and how often killed.
#[derive(clap::Args)]
pub struct Args {
    /// Where the server keeps its data
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    pub store: StoreKind,
    /// Rows of the file, beside its headers
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=5_000_000))]
    pub rows: u64,
    /// How often the server is killed while it imports; then nothing is timed
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub kills: u32,
    /// Kill the server during the upload as well; its link takes another after two minutes
    #[arg(long)]
    pub kill_upload: bool,
    /// Repeats the pauses of an earlier run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "import: {} rows, {} kills, store {:?}",
        args.rows, args.kills, args.store
    ));
    let place = StorePlace::make(args.store, &[]);
    let mut server = Server::start(&place, ServerOptions::default()).await;
    let credentials = create_account(&place, super::SENDER);
    let api = Api::new(&server.url(), &credentials.api_key);
    let (id, url) = begin(&api).await;
    if args.kill_upload {
        upload_and_kill(&url, args.rows, &mut server).await;
    }
    let start = Instant::now();
    upload(&url, args.rows).await;
    let uploaded_s = start.elapsed().as_secs_f64();
    if args.kills == 0 {
        let import = until_read(&api, &id, args.rows, start).await;
        assert_eq!(import["status"], "FINISHED", "{import}");
        let took_s = start.elapsed().as_secs_f64();
        report.figure("uploaded_in_s", uploaded_s);
        report.figure("imported_in_s", took_s);
        report.figure("rows_per_s", args.rows as f64 / took_s);
        let peak_mib = process::memory(server.pid()).peak_kib as f64 / 1_024.0;
        report.figure("server_peak_memory_mib", peak_mib);
        if peak_mib > MEMORY_MIB_MAX {
            report.fault(format!("the server held {peak_mib:.0} MiB"));
        }
    } else {
        let chance = heliograph::sys::Randomness::seeded(args.seed);
        let mut killed_amid = 0;
        for kill in 1..=args.kills {
            // Somewhere in what is left to be read.
            let read = rows_read(&look(&api, &id).await);
            let step = args.rows.saturating_sub(read) / u64::from(args.kills - kill + 2);
            let until = read + (step as f64 * 2.0 * chance.unit()) as u64;
            let seen = until_read(&api, &id, until.min(args.rows), start).await;
            killed_amid += u32::from(seen["status"] != "FINISHED");
            server.kill();
            server.restart().await;
        }
        until_read(&api, &id, args.rows, start).await;
        report.figure("kills", f64::from(args.kills));
        report.figure("kills_before_the_end", f64::from(killed_amid));
    }
    let import = until_finished(&api, &id, start).await;
    check_counts(&import, args.rows, &mut report);
    check_faults(&import, args.rows, &mut report).await;
    // SQLite's file is one process's.
    server.kill();
    let account_id = credentials.account_id.parse().expect("an account's id");
    check_store(&place, account_id, args.rows, &mut report).await;
    report
}

/// What a row of the file is; everything follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// The first of its number.
    New,
    /// Has the number of that row, and another name.
    Repeats(u64),
    /// Has no number.
    Wrong,
}

impl Row {
    fn of(n: u64) -> Self {
        match n % REPEATED_EVERY {
            _ if n % WRONG_EVERY == WRONG_EVERY - 1 => Self::Wrong,
            20 => Self::Repeats(n - 1),
            7 if n >= EARLIER => Self::Repeats(n - EARLIER + 1),
            _ => Self::New,
        }
    }

    fn write(self, n: u64, file: &mut String) {
        use std::fmt::Write;
        let written = match self {
            Self::New => writeln!(file, "+49151{n:08},Person {n}"),
            Self::Repeats(earlier) => writeln!(file, "+49151{earlier:08},Again {n}"),
            Self::Wrong => writeln!(file, "nobody {n},Person {n}"),
        };
        written.expect("a string takes all");
    }
}

/// Rows that make a contact, that repeat one, and that are wrong.
fn expected(rows: u64) -> [u64; 3] {
    let mut counts = [0; 3];
    for n in 0..rows {
        counts[match Row::of(n) {
            Row::New => 0,
            Row::Repeats(_) => 1,
            Row::Wrong => 2,
        }] += 1;
    }
    counts
}

/// The file, piece by piece.
fn pieces(rows: u64) -> impl Iterator<Item = String> {
    let headers = std::iter::once("number,name\n".to_owned());
    headers.chain((0..rows).step_by(PIECE_ROWS as usize).map(move |from| {
        let mut piece = String::new();
        for n in from..rows.min(from + PIECE_ROWS) {
            Row::of(n).write(n, &mut piece);
        }
        piece
    }))
}

async fn begin(api: &Api) -> (String, String) {
    let document = "mutation { createContactAttribute(input: {key: \"name\", kind: TEXT}) { \
        userErrors { code } } createList(input: {name: \"All\"}) { list { id } } }";
    let made = api.query(document, json!({})).await;
    let document = "mutation($list: ID!) { importContacts(input: { idempotencyKey: \"load\", \
        listIds: [$list] }) { import { id uploadUrl } userErrors { code } } }";
    let begun = api.query(document, json!({ "list": made["createList"]["list"]["id"] })).await;
    let import = &begun["importContacts"]["import"];
    let text = |name: &str| import[name].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    (text("id"), text("uploadUrl"))
}

/// Uploads the file, again and again while another upload, which broke off, counts as under way.
async fn upload(url: &str, rows: u64) {
    let client = stream_client();
    let start = Instant::now();
    loop {
        let pieces = futures::stream::iter(pieces(rows).map(Ok::<_, std::io::Error>));
        let sent = client.put(url).body(reqwest::Body::wrap_stream(pieces)).send().await;
        match sent {
            Ok(answer) if answer.status() == 202 => return,
            Ok(answer) if answer.status() == 409 => {}
            other => panic!("the upload was not taken: {other:?}"),
        }
        assert!(start.elapsed() < TIME_MAX, "the link takes no other upload");
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Uploads half of the file, and kills the server while it waits for the rest.
async fn upload_and_kill(url: &str, rows: u64, server: &mut Server) {
    use futures::StreamExt;
    let half = futures::stream::iter(pieces(rows / 2).map(Ok::<_, std::io::Error>));
    let body = reqwest::Body::wrap_stream(half.chain(futures::stream::pending()));
    let sending = tokio::spawn(stream_client().put(url).body(body).send());
    tokio::time::sleep(RETRY_DELAY).await;
    server.kill();
    assert!(sending.await.unwrap().is_err(), "half of a file is no file");
    server.restart().await;
}

async fn look(api: &Api, id: &str) -> Value {
    let document = "query($id: ID!) { contactImport(id: $id) { status failure rowCount \
        createdCount matchedCount failedCount errorsUrl } }";
    api.query(document, json!({ "id": id })).await["contactImport"].take()
}

fn rows_read(import: &Value) -> u64 {
    import["rowCount"].as_u64().unwrap_or_default()
}

async fn until_read(api: &Api, id: &str, rows: u64, start: Instant) -> Value {
    loop {
        let import = look(api, id).await;
        assert_eq!(import["failure"], Value::Null, "{import}");
        if rows_read(&import) >= rows {
            return import;
        }
        assert!(start.elapsed() < TIME_MAX, "the import is stuck: {import}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

async fn until_finished(api: &Api, id: &str, start: Instant) -> Value {
    loop {
        let import = look(api, id).await;
        if import["status"] == "FINISHED" {
            return import;
        }
        assert!(start.elapsed() < TIME_MAX, "the import does not end: {import}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn check_counts(import: &Value, rows: u64, report: &mut Report) {
    let counts = ["createdCount", "matchedCount", "failedCount"]
        .map(|name| import[name].as_u64().unwrap_or_default());
    if counts != expected(rows) {
        report.fault(format!("{counts:?} made, repeated, wrong; {:?} of the file", expected(rows)));
    }
}

/// The file of faults names just the lines that are wrong.
async fn check_faults(import: &Value, rows: u64, report: &mut Report) {
    let url = import["errorsUrl"].as_str().expect("rows are wrong");
    let answer = stream_client().get(url).send().await.unwrap().error_for_status().unwrap();
    let file = answer.text().await.unwrap();
    let lines: Vec<u64> = file
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().and_then(|it| it.parse().ok()).expect("a line's number"))
        .collect();
    // The first line holds the headers.
    let wrong: Vec<u64> = (0..rows).filter(|n| Row::of(*n) == Row::Wrong).map(|n| n + 2).collect();
    if lines != wrong {
        let told: BTreeSet<_> = lines.iter().collect();
        report.fault(format!(
            "{} faults in {} lines are told, {} are in the file",
            lines.len(),
            told.len(),
            wrong.len()
        ));
    }
}

/// Counts what is there.
async fn check_store(place: &StorePlace, account_id: AccountId, rows: u64, report: &mut Report) {
    let url = match &place.postgres {
        Some(postgres) => DatabaseUrl::parse(postgres.url()).unwrap(),
        None => DatabaseUrl::in_directory(place.directory.path()),
    };
    let db = Db::open(&url, 2).await.expect("opens the store");
    let [created, repeated, _] = expected(rows).map(|n| i64::try_from(n).expect("some millions"));
    for (what, sql, expected) in [
        ("contacts", "SELECT COUNT(*) FROM contact WHERE account_id = $1", created),
        ("numbers", "SELECT COUNT(DISTINCT number) FROM contact WHERE account_id = $1", created),
        ("on_the_list", "SELECT COUNT(*) FROM list_member WHERE account_id = $1", created),
        ("names", "SELECT COUNT(*) FROM contact_value WHERE account_id = $1", created),
        (
            "names_of_later_rows",
            "SELECT COUNT(*) FROM contact_value WHERE account_id = $1 AND text_value LIKE 'Again %'",
            repeated,
        ),
    ] {
        let statement =
            Statement::from_sql_and_values(db.store().backend(), sql, [account_id.0.into()]);
        let row = db.reader().query_one_raw(statement).await.unwrap().unwrap();
        let found: i64 = row.try_get_by_index(0).unwrap();
        report.figure(what, found as f64);
        if found != expected {
            report.fault(format!("{what}: {found} in place of {expected}"));
        }
    }
    db.close().await.expect("closes the store");
}
