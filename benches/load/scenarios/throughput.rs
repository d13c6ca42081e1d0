//! As fast as it goes: accepting, handing over, receipts and a subscriber all at the same time.

use std::time::{Duration, Instant};

use super::{
    House, HouseArgs, HouseParts, plan, require_delivered, send_all, until_settled, warm_up,
};
use crate::kit::drive::api::Api;
use crate::kit::drive::record::{between, times};
use crate::kit::drive::stream::{Subscriber, Wish};
use crate::kit::drive::{Plan, Texts};
use crate::kit::report::Report;
use crate::kit::rig::process;

/// Nothing new is seen for so long: it never will be.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to send, and to whom.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    house: HouseArgs,
    /// Messages in all
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,
    /// Messages in a call
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
    /// Calls at a time
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Whether each message has a text of its own
    #[arg(long, value_enum, default_value_t = Texts::Distinct)]
    texts: Texts,
    /// Drive this running server, which has the sender "Load" and a carrier, in place of an own one
    #[arg(long, value_name = "URL", requires = "api_key")]
    url: Option<String>,
    /// A live API key of that server
    #[arg(long, value_name = "KEY", env = "HELIOGRAPH_LOAD_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let title = format!(
        "throughput: {} messages in batches of {}, {} texts, store {:?}, carrier {} ms",
        args.messages,
        args.batch,
        match args.texts {
            Texts::Distinct => "distinct",
            Texts::Shared => "shared",
        },
        args.house.store,
        args.house.carrier_delay_ms,
    );
    let mut report = Report::new(title);
    let house = match &args.url {
        Some(_) => None,
        None => Some(House::start(&args.house, HouseParts::default()).await),
    };
    let api = match (&house, &args.url, &args.api_key) {
        (Some(house), _, _) => house.api.clone(),
        (None, Some(url), Some(key)) => Api::new(url, key),
        (None, _, _) => unreachable!("the command line asks for a key with the address"),
    };
    warm_up(&api).await;
    let plan = Plan { texts: args.texts, ..plan("throughput", args.messages, args.batch) };
    let batches = plan.prepared();
    let mut subscriber = Subscriber::start(&api.url, &api.key, Wish::AfterQueued).await;
    let before = house.as_ref().map(House::cpu);
    let start = Instant::now();
    let sending = async {
        let accepted = send_all(&api, batches, args.connections).await;
        (accepted, start.elapsed())
    };
    let watching = until_settled(&mut subscriber, args.messages, PATIENCE);
    let ((accepted, accept_time), seen) = tokio::join!(sending, watching);
    let whole_time = start.elapsed();
    require_delivered(&seen, args.messages, &mut report);
    let rate = |time: Duration| f64::from(args.messages) / time.as_secs_f64();
    report.figure("accepted_per_s", rate(accept_time));
    report.figure("delivered_per_s", rate(whole_time));
    report.figure("whole_s", whole_time.as_secs_f64());
    let calls = accepted.iter().filter_map(|call| between(call.called_us, call.answered_us));
    report.percentiles("call", calls.collect());
    let times = times(&accepted, &seen);
    let sent = times.values().filter_map(|times| between(times.called_us, times.sent_us));
    report.percentiles("call_to_sent", sent.collect());
    let delivered = times.values().filter_map(|times| between(times.called_us, times.delivered_us));
    report.percentiles("call_to_delivered", delivered.collect());
    if let (Some(house), Some(before)) = (&house, before) {
        before.report(house.cpu(), args.messages, &mut report);
        let memory = process::memory(house.server.pid());
        report.figure("server_peak_memory_mib", memory.peak_kib as f64 / 1024.0);
    }
    drop(subscriber);
    if let Some(house) = house {
        house.server.stop().await;
    }
    report
}
