//! A dashboard's home page, one request, over months of messages.

use std::time::Instant;

use heliograph::config::DatabaseUrl;
use heliograph::db::page::COUNT_ROWS_MAX;
use serde_json::{Value, json};

use crate::kit::drive::api::Api;
use crate::kit::drive::unix_us;
use crate::kit::report::Report;
use crate::kit::rig::{Server, ServerOptions, StoreKind, StorePlace, create_account, process};
use crate::kit::seed::{self, Seed};

/// Requests that go before the measurement.
const WARM_UP: u32 = 5;
/// What 95 of 100 requests must take at most, in ms.
const P95_MS_MAX: f64 = 150.0;

/// What a home page asks for: as many root fields as an operation may have.
const HOME: &str = "query($today: MetricsInput!, $metrics: MetricsInput!, $countries: BreakdownInput!) { \
    today: metrics(input: $today) { current { totals { accepted delivered failed } } } \
    metrics(input: $metrics) { asOf \
      current { totals { accepted sent delivered undelivered failed deliveryRate cost { amount } } \
        latency { toDelivered { p50Ms p95Ms p99Ms } } \
        points { from totals { accepted delivered undelivered failed } } } \
      previous { totals { accepted delivered deliveryRate cost { amount } } } } \
    breakdown(input: $countries) { groups { country totals { accepted delivered deliveryRate } } \
      other { accepted } totals { accepted } } \
    accountBalance { available currency } \
    messages(first: 10) { totalCount nodes { id to from status createdAt } } \
    wrong: messages(first: 5, filter: { statuses: [UNDELIVERED, FAILED, REJECTED] }) { totalCount \
      nodes { id to status error { title } } } \
    inboundMessages(first: 5) { totalCount nodes { id from } } \
    campaigns(first: 5) { totalCount nodes { id name status totals { recipients delivered } } } \
    senders(first: 10) { nodes { id value status } } \
    invoices(first: 5, filter: { status: OPEN }) { nodes { id number } } }";
const CAMPAIGN: &str = "mutation($name: String!, $list: ID!) { createCampaign(input: { name: $name, \
    sender: \"Load\", text: \"Hello\", audience: { listIds: [$list] } }) { campaign { id } \
    userErrors { code } } }";
/// Campaigns that there are.
const CAMPAIGNS: u32 = 20;

/// How much there is, and how often it is asked.
#[derive(clap::Args)]
pub struct Args {
    /// Where the server keeps its data
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
    /// Messages that are stored
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: u64,
    /// Days over which they were sent
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Requests, one after the other
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// By whose clocks
    #[arg(long, default_value = "Asia/Kolkata")]
    time_zone: String,
    /// A setting of PostgreSQL, NAME=VALUE; may stand several times
    #[arg(long, value_name = "NAME=VALUE")]
    postgres_setting: Vec<String>,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "dashboard: {} messages of {} days, store {:?}",
        args.messages, args.days, args.store
    ));
    let place = StorePlace::make(args.store, &args.postgres_setting);
    let mut server = Server::start(&place, ServerOptions::default()).await;
    let credentials = create_account(&place, super::SENDER);
    // SQLite's file is one process's.
    server.kill();
    let url = match &place.postgres {
        Some(postgres) => DatabaseUrl::parse(postgres.url()).unwrap(),
        None => DatabaseUrl::in_directory(place.directory.path()),
    };
    let account_id = credentials.account_id.parse().expect("an account's id");
    let start = Instant::now();
    seed::write(&url, Seed { account_id, messages: args.messages, days: args.days }).await;
    report.figure("seeded_per_s", args.messages as f64 / start.elapsed().as_secs_f64());
    server.restart().await;
    let api = Api::new(&server.url(), &credentials.api_key);
    make_campaigns(&api).await;
    let variables = home(args.days, &args.time_zone);
    for _ in 0..WARM_UP {
        api.query(HOME, variables.clone()).await;
    }
    let mut times = Vec::new();
    let mut answer = Value::Null;
    for _ in 0..args.requests {
        let asked = Instant::now();
        answer = api.query(HOME, variables.clone()).await;
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    let rank = (times.len() * 95).div_ceil(100).clamp(1, times.len());
    let p95_ms = times[rank - 1].as_secs_f64() * 1_000.0;
    if p95_ms > P95_MS_MAX {
        report.fault(format!("p95 is {p95_ms:.0} ms: at most {P95_MS_MAX} ms are allowed"));
    }
    report.percentiles("home_page", times);
    report.figure("memory_mib", process::memory(server.pid()).resident_kib as f64 / 1_024.0);
    check(&answer, &args, &mut report);
    server.stop().await;
    report
}

async fn make_campaigns(api: &Api) {
    let made =
        api.query("mutation { createList(input: {name: \"All\"}) { list { id } } }", json!({}));
    let list = made.await["createList"]["list"]["id"].clone();
    for n in 0..CAMPAIGNS {
        let variables = json!({ "name": format!("Offer {n}"), "list": list });
        let made = api.query(CAMPAIGN, variables).await;
        assert_eq!(made["createCampaign"]["userErrors"], json!([]), "{made}");
    }
}

fn home(days: u32, time_zone: &str) -> Value {
    let rfc3339 = |ago_ms: u64| {
        let ms = i64::try_from(unix_us() / 1_000 - ago_ms).expect("a time of this century");
        chrono::DateTime::from_timestamp_millis(ms).expect("a time").to_rfc3339()
    };
    let month_ms = u64::from(days.min(30)) * 86_400_000;
    let (from, to) = (rfc3339(month_ms), rfc3339(0));
    json!({
        "today": { "from": rfc3339(86_400_000), "to": to, "timeZone": time_zone },
        "metrics": { "from": from, "to": to, "interval": "DAY", "timeZone": time_zone,
            "compareToPrevious": true },
        "countries": { "from": from, "to": to, "by": "COUNTRY", "top": 5 },
    })
}

/// The page says what was seeded.
fn check(answer: &Value, args: &Args, report: &mut Report) {
    let accepted = &answer["metrics"]["current"]["totals"]["accepted"];
    if accepted != &answer["breakdown"]["totals"]["accepted"] {
        report.fault("the series and the breakdown differ");
    }
    let expected = args.messages as f64 * f64::from(args.days.min(30)) / f64::from(args.days);
    let accepted = accepted.as_f64().unwrap_or_default();
    if (accepted - expected).abs() > expected * 0.01 + 10.0 {
        report.fault(format!("{accepted} messages of some {expected:.0} are shown"));
    }
    let (counted, all) = (&answer["messages"]["totalCount"], args.messages);
    let expected = if all <= COUNT_ROWS_MAX { json!(all) } else { Value::Null };
    if counted != &expected {
        report.fault(format!("{counted} messages are counted"));
    }
    let shown = answer["messages"]["nodes"].as_array().map_or(0, Vec::len);
    if shown as u64 != args.messages.min(10) {
        report.fault(format!("{shown} last messages are shown"));
    }
}
