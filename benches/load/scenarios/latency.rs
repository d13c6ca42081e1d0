//! At a steady rate below what the machine can do: how long each step takes.

use std::time::{Duration, Instant};

use super::{House, HouseArgs, HouseParts, plan, require_delivered, until_settled, warm_up};
use crate::kit::drive::journal;
use crate::kit::drive::record::{Seen, between, times};
use crate::kit::drive::stream::{Subscriber, Wish};
use crate::kit::report::Report;

/// Nothing new is seen for so long: it never will be.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to send, how fast.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    house: HouseArgs,
    /// Messages a second
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// For so long
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Messages in a call
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let messages = args.rate * args.seconds;
    let mut report = Report::new(format!(
        "latency: {} messages/s for {} s in batches of {}, store {:?}, carrier {} ms",
        args.rate, args.seconds, args.batch, args.house.store, args.house.carrier_delay_ms,
    ));
    let notes = tempfile::tempdir().unwrap();
    let path = notes.path().join("journal");
    let parts = HouseParts { journal: Some(path.clone()), ..HouseParts::default() };
    let house = House::start(&args.house, parts).await;
    warm_up(&house.api).await;
    let batches = plan("latency", messages, args.batch).prepared();
    let mut subscriber = Subscriber::start(&house.api.url, &house.api.key, Wish::AfterQueued).await;
    let before = house.cpu();
    let start = Instant::now();
    let interval = Duration::from_secs_f64(f64::from(args.batch) / f64::from(args.rate));
    let sending = async {
        let mut ticks = tokio::time::interval(interval);
        // A call that is late does not make the next ones later: the rate is the rate.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let mut calls = Vec::new();
        for batch in batches {
            ticks.tick().await;
            let api = house.api.clone();
            calls.push(tokio::spawn(async move { api.send(&batch).await }));
        }
        let mut accepted = Vec::new();
        for call in calls {
            accepted.push(call.await.unwrap());
        }
        accepted
    };
    let watching = until_settled(&mut subscriber, messages, PATIENCE);
    let (accepted, seen) = tokio::join!(sending, watching);
    let whole_time = start.elapsed();
    require_delivered(&seen, messages, &mut report);
    report.figure("delivered_per_s", f64::from(messages) / whole_time.as_secs_f64());
    let calls = accepted.iter().filter_map(|call| between(call.called_us, call.answered_us));
    report.percentiles("call", calls.collect());
    let times = times(&accepted, &seen);
    let sent = times.values().filter_map(|times| between(times.called_us, times.sent_us));
    report.percentiles("call_to_sent", sent.collect());
    let delivered = times.values().filter_map(|times| between(times.called_us, times.delivered_us));
    report.percentiles("call_to_delivered", delivered.collect());
    // The receipt leaves the SMSC with the answer, so what it waits for its turn counts as well.
    let takings = journal::read(&path);
    let to_receipt_us = args.house.carrier_delay_ms * 1_000;
    let receipts = times.iter().filter_map(|(number, times)| {
        let taken_ms = takings.get(number)?.at_ms.first()?;
        between(taken_ms * 1_000 + to_receipt_us, times.delivered_us)
    });
    report.percentiles("receipt_to_subscriber", receipts.collect());
    before.report(house.cpu(), messages, &mut report);
    report_pauses(&seen, &mut report);
    drop(subscriber);
    house.server.stop().await;
    report
}

/// The longest time in which the subscriber saw nothing.
fn report_pauses(seen: &[Seen], report: &mut Report) {
    let pauses = seen.windows(2).filter_map(|pair| between(pair[0].at_us, pair[1].at_us));
    if let Some(longest) = pauses.max() {
        report.figure("longest_pause_ms", longest.as_secs_f64() * 1_000.0);
    }
}
