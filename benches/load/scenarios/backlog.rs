//! A large backlog: the carrier is away while messages are accepted, then it comes. The server's
//! memory must not follow the backlog.

use std::time::{Duration, Instant};

use super::{House, HouseArgs, HouseParts, per_s, plan, send_all, until_settled};
use crate::kit::drive::record::Status;
use crate::kit::drive::stream::{Subscriber, Wish};
use crate::kit::report::Report;
use crate::kit::rig::process;

/// Nothing new is seen for so long: it never will be.
const PATIENCE: Duration = Duration::from_secs(60);
/// Looks at the memory while the backlog grows.
const LOOKS: u32 = 20;
/// By how much resident memory may grow from the first tenth of the backlog to the end of it, in
/// MiB: caches of the store fill in that time.
const GROWTH_MIB_MAX: f64 = 64.0;

/// How much.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    house: HouseArgs,
    /// Messages that are accepted while the carrier is away
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    messages: u32,
    /// Messages in a call
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
    /// Calls at a time
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Of these, so many are then delivered under watch before the run ends
    #[arg(long, default_value_t = 100_000)]
    drain: u32,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "backlog: {} messages with the carrier away, store {:?}",
        args.messages, args.house.store
    ));
    let mut house = House::without_smsc(&args.house, HouseParts::default()).await;
    let plan = plan("backlog", args.messages, args.batch);
    let mut looks = Vec::new();
    let start = Instant::now();
    let step = plan.batches().div_ceil(LOOKS);
    for from in (0..plan.batches()).step_by(step as usize) {
        let to = (from + step).min(plan.batches());
        let batches = (from..to).map(|index| plan.call(index)).collect();
        send_all(&house.api, batches, args.connections).await;
        let resident_kib = process::memory(house.server.pid()).resident_kib;
        looks.push(resident_kib as f64 / 1024.0);
        eprintln!("  {:>9} accepted, {:.0} MiB resident", to * args.batch, looks[looks.len() - 1]);
    }
    report.figure("accepted_per_s", per_s(args.messages, start));
    let (tenth, last) = (looks[looks.len() / 10], looks[looks.len() - 1]);
    report.figure("memory_at_a_tenth_mib", tenth);
    report.figure("memory_at_the_end_mib", last);
    if last - tenth > GROWTH_MIB_MAX {
        report.fault(format!("memory grew by {:.0} MiB with the backlog", last - tenth));
    }
    let mut subscriber = Subscriber::start(&house.api.url, &house.api.key, Wish::AfterQueued).await;
    house.smsc.restart();
    let start = Instant::now();
    let drained = args.drain.min(args.messages);
    let seen = until_settled(&mut subscriber, drained, PATIENCE).await;
    let delivered = seen.iter().filter(|seen| seen.status == Status::Delivered).count();
    if delivered < drained as usize {
        report.fault(format!("{delivered} of {drained} messages were seen as delivered"));
    }
    report.figure("drained_per_s", per_s(drained, start));
    let memory = process::memory(house.server.pid());
    report.figure("memory_after_draining_mib", memory.resident_kib as f64 / 1024.0);
    report.figure("server_peak_memory_mib", memory.peak_kib as f64 / 1024.0);
    drop(subscriber);
    house.server.stop().await;
    report
}
