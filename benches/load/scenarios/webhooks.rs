//! Stripe's webhooks at a steady rate, or in a burst: how long until each is answered, how much
//! memory that takes, how long until the last is folded, and whether the books then say what was
//! posted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::paying::{PayHouse, balance_of};
use crate::kit::drive::hooks::HookConnection;
use crate::kit::drive::stripe::{Kind, StripeEvent};
use crate::kit::report::Report;
use crate::kit::rig::{StoreKind, process};

/// Payments whose events are mixed with each other.
const MIXED: usize = 16;
/// Every so many payments one is refunded in part.
const REFUNDED_EVERY: u32 = 10;
/// Every so many events one is posted twice.
const TWICE_EVERY: usize = 20;
/// By how many events the second time is later.
const TWICE_AFTER: usize = 50;
/// Events of ten payments: four of each and two of a refund.
const EVENTS_OF_TEN: u32 = 42;
/// The last webhook is folded within this time.
const FOLD_TIME_MAX: Duration = Duration::from_secs(300);
/// Between two looks at the memory.
const MEMORY_INTERVAL: Duration = Duration::from_millis(200);
/// What memory may grow by from the first quarter of the run to its end, in MiB.
const GROWTH_MIB_MAX: f64 = 32.0;

/// How many, how fast.
#[derive(clap::Args)]
pub struct Args {
    /// Where the server keeps its data
    #[arg(long, value_enum, default_value_t = StoreKind::Postgres)]
    store: StoreKind,
    /// Webhooks a second
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// For so long
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// So many as fast as the connections allow, in place of a rate
    #[arg(long, value_name = "WEBHOOKS", conflicts_with_all = ["rate", "seconds"], value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    burst: Option<u32>,
    /// Connections that are kept alive
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    connections: u32,
    /// A setting of the throw-away PostgreSQL, for experiments; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    postgres_setting: Vec<String>,
}

/// What the driver saw.
#[derive(Default)]
struct Seen {
    /// Answers by status; 0 is none.
    statuses: BTreeMap<u16, usize>,
    times: Vec<Duration>,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let how = match args.burst {
        Some(webhooks) => format!("a burst of {webhooks}"),
        None => format!("{}/s for {} s", args.rate, args.seconds),
    };
    let mut report = Report::new(format!(
        "webhooks: {how} over {} connections, store {:?}",
        args.connections, args.store
    ));
    let house = PayHouse::start(args.store, &args.postgres_setting).await;
    let wanted = args.burst.unwrap_or(args.rate * args.seconds);
    let payments = (wanted * 10).div_ceil(EVENTS_OF_TEN);
    let ids = house.start_payments(payments).await;
    let events = mixed(payments);
    let posted = twice(&events);
    let expected = balance_of(events.iter().copied());
    let cpu = |house: &PayHouse| {
        let postgres = house.place.postgres.as_ref().map(|postgres| postgres.cpu());
        (process::cpu(house.server.pid()), postgres.unwrap_or_default())
    };
    let before = cpu(&house);
    let interval = match args.burst {
        Some(_) => Duration::ZERO,
        None => Duration::from_secs_f64(1.0 / f64::from(args.rate)),
    };
    let start = Instant::now();
    let over = Cell::new(false);
    let posting = async {
        let seen = post_all(&house, &posted, &ids, args.connections, interval).await;
        over.set(true);
        seen
    };
    let (seen, memory) = tokio::join!(posting, watch_memory(&house, &over));
    let post_time = start.elapsed();
    report.figure("webhooks", posted.len() as f64);
    report.figure("posted_per_s", posted.len() as f64 / post_time.as_secs_f64());
    let statuses = seen.statuses.iter().map(|(status, count)| format!("{status} {count}"));
    report.note("answers", statuses.collect::<Vec<_>>().join(", "));
    if seen.statuses.keys().any(|status| *status != 200) {
        report.fault("not every webhook was answered with 200");
    }
    report.percentiles("answer", seen.times);
    let lag = house.until_folded(expected, FOLD_TIME_MAX, &mut report).await;
    report.figure("folded_after_the_last_s", lag.as_secs_f64());
    let after = cpu(&house);
    let per_10_000 = |from: Duration, to: Duration| {
        to.saturating_sub(from).as_secs_f64() / posted.len() as f64 * 10_000.0
    };
    report.figure("server_cpu_s_per_10000", per_10_000(before.0, after.0));
    report.figure("postgres_cpu_s_per_10000", per_10_000(before.1, after.1));
    report_memory(&memory, &mut report);
    let peak = process::memory(house.server.pid()).peak_kib;
    report.figure("server_peak_memory_mib", peak as f64 / 1024.0);
    report.note("balance", format!("{} of {expected} posted", house.posted().await));
    house.check_books(&mut report);
    house.server.stop().await;
    report
}

/// All events of these payments. Those of some payments are mixed, each payment's in the order in
/// which Stripe makes them.
fn mixed(payments: u32) -> Vec<StripeEvent> {
    let numbers: Vec<u32> = (0..payments).collect();
    let kinds = [
        Kind::Ignored,
        Kind::Charged,
        Kind::Succeeded,
        Kind::Completed,
        Kind::ChargeRefunded,
        Kind::Refunded(0),
    ];
    let mut events = Vec::new();
    for some in numbers.chunks(MIXED) {
        for kind in kinds {
            let is_of_refund = matches!(kind, Kind::ChargeRefunded | Kind::Refunded(_));
            let told = some.iter().filter(|it| !is_of_refund || **it % REFUNDED_EVERY == 0);
            events.extend(told.map(|payment| StripeEvent { payment: *payment, kind }));
        }
    }
    events
}

/// The same with some of them again, a little later.
fn twice(events: &[StripeEvent]) -> Vec<StripeEvent> {
    let mut all = Vec::with_capacity(events.len() + events.len() / TWICE_EVERY);
    for (at, event) in events.iter().enumerate() {
        all.push(*event);
        if at % TWICE_EVERY == 0 && at >= TWICE_AFTER {
            all.push(events[at - TWICE_AFTER]);
        }
    }
    all
}

/// Posts all of them over some connections, each when it is due.
async fn post_all(
    house: &PayHouse,
    events: &[StripeEvent],
    ids: &[String],
    connections: u32,
    interval: Duration,
) -> Seen {
    let (next, seen) = (Cell::new(0), RefCell::new(Seen::default()));
    let start = Instant::now();
    let (next, seen_by_all) = (&next, &seen);
    let poster = || async move {
        let mut connection = HookConnection::new(house.server.address(), &house.path);
        while let Some(event) = events.get(next.get()) {
            let due = start + interval * u32::try_from(next.get()).expect("a number of webhooks");
            next.set(next.get() + 1);
            let body = event.body(&ids[event.payment as usize]);
            // From when it was due, so that waiting for a connection counts.
            let began = if interval.is_zero() { Instant::now() } else { due };
            tokio::time::sleep_until(began).await;
            let status = connection.post(&body).await.unwrap_or(0);
            let mut seen = seen_by_all.borrow_mut();
            *seen.statuses.entry(status).or_default() += 1;
            seen.times.push(began.elapsed());
        }
    };
    futures::future::join_all((0..connections).map(|_| poster())).await;
    seen.into_inner()
}

/// Resident memory of the server in MiB, from time to time until it is over.
async fn watch_memory(house: &PayHouse, over: &Cell<bool>) -> Vec<f64> {
    let mut seen = Vec::new();
    while !over.get() {
        seen.push(process::memory(house.server.pid()).resident_kib as f64 / 1024.0);
        tokio::time::sleep(MEMORY_INTERVAL).await;
    }
    seen
}

fn report_memory(seen: &[f64], report: &mut Report) {
    let at = |quarter: usize| seen[(seen.len() - 1) * quarter / 4];
    let quarters: Vec<String> = (0..=4).map(|quarter| format!("{:.0}", at(quarter))).collect();
    report.note("memory_mib_by_quarter", quarters.join(" / "));
    let growth = at(4) - at(1);
    if growth > GROWTH_MIB_MAX {
        report.fault(format!("memory grew by {growth:.0} MiB"));
    }
}
