//! Kills the server at random moments while webhooks are posted by a sender that repeats, as
//! processors do, what was not acknowledged. Every webhook moves money of its own, so one that was
//! acknowledged and lost, or booked twice, shows in the balance.

use std::cell::Cell;
use std::time::Duration;

use super::paying::{PayHouse, balance_of};
use crate::kit::drive::hooks::HookConnection;
use crate::kit::drive::stripe::{Kind, REFUNDS_MAX, StripeEvent};
use crate::kit::report::Report;
use crate::kit::rig::StoreKind;

/// Connections of the sender.
const CONNECTIONS: u32 = 8;
/// Between two tries of a webhook that was not acknowledged.
const RETRY_DELAY: Duration = Duration::from_millis(20);
/// After the last kill all is folded within this time: a lease of the killed server's has to run
/// out before that.
const FOLD_TIME_MAX: Duration = Duration::from_secs(120);
/// The shortest time between a recovery and the next kill, in milliseconds.
const PAUSE_MS_MIN: u64 = 20;
/// What a restart takes at most, in milliseconds, when it is reckoned how many webhooks are needed.
const RESTART_MS: u64 = 600;

/// How often to kill, and how fast to post.
#[derive(clap::Args)]
pub struct Args {
    /// Where the server keeps its data
    #[arg(long, value_enum, default_value_t = StoreKind::Postgres)]
    pub store: StoreKind,
    /// How often
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub kills: u32,
    /// Webhooks a second
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// The longest time between a recovery and the next kill; the shortest is 20 ms
    #[arg(long, default_value_t = 400, value_name = "MS", value_parser = clap::value_parser!(u64).range(21..=60_000))]
    pub pause_ms_max: u64,
    /// Repeats the pauses of an earlier run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "webhook crash: {} kills at {} webhooks/s, store {:?}",
        args.kills, args.rate, args.store
    ));
    let mut house = PayHouse::start(args.store, &[]).await;
    let ids = house.start_payments(payments_of(&args)).await;
    let events = events(u32::try_from(ids.len()).expect("a number of payments"));
    let sender = Sender {
        address: house.server.address(),
        path: house.path.clone(),
        events: &events,
        ids: &ids,
        interval: Duration::from_secs_f64(1.0 / f64::from(args.rate)),
        next: Cell::new(0),
        repeated: Cell::new(0),
        over: Cell::new(false),
    };
    let killing = async {
        let chance = heliograph::sys::Randomness::seeded(args.seed);
        for kill in 1..=args.kills {
            let span = (args.pause_ms_max - PAUSE_MS_MIN) as f64 * chance.unit();
            tokio::time::sleep(Duration::from_millis(PAUSE_MS_MIN + span as u64)).await;
            house.server.kill();
            house.server.restart().await;
            if kill % 50 == 0 {
                eprintln!("  {kill} of {}", args.kills);
            }
        }
        sender.over.set(true);
    };
    let ((), ()) = tokio::join!(sender.run(), killing);
    let acknowledged = sender.next.get();
    report.figure("kills", f64::from(args.kills));
    report.figure("acknowledged", acknowledged as f64);
    report.figure("posted_again", f64::from(sender.repeated.get()));
    if acknowledged == events.len() {
        report.fault("the webhooks came to their end before the kills did");
    }
    let expected = balance_of(events[..acknowledged].iter().copied());
    let lag = house.until_folded(expected, FOLD_TIME_MAX, &mut report).await;
    report.figure("folded_after_the_last_s", lag.as_secs_f64());
    report.note("balance", format!("{} of {expected} posted", house.posted().await));
    house.check_books(&mut report);
    house.server.stop().await;
    report
}

/// As many as will not run out.
fn payments_of(args: &Args) -> u32 {
    let ms = u64::from(args.kills) * (args.pause_ms_max / 2 + RESTART_MS) + 5_000;
    let webhooks = ms * u64::from(args.rate) / 1_000 * 2;
    u32::try_from(webhooks / u64::from(REFUNDS_MAX)).expect("a number of payments") + 10
}

/// A payment, then its refunds, each of another amount.
fn events(payments: u32) -> Vec<StripeEvent> {
    let of = |payment: u32| {
        let refunds = (0..REFUNDS_MAX).map(Kind::Refunded);
        std::iter::once(Kind::Succeeded)
            .chain(refunds)
            .map(move |kind| StripeEvent { payment, kind })
    };
    (0..payments).flat_map(of).collect()
}

/// A processor that posts, and posts again what was not acknowledged.
struct Sender<'a> {
    address: std::net::SocketAddr,
    path: String,
    events: &'a [StripeEvent],
    ids: &'a [String],
    interval: Duration,
    /// How many were begun; when it has ended, all of them are acknowledged.
    next: Cell<usize>,
    repeated: Cell<u32>,
    over: Cell<bool>,
}

impl Sender<'_> {
    async fn run(&self) {
        futures::future::join_all((0..CONNECTIONS).map(|_| self.post_some())).await;
    }

    async fn post_some(&self) {
        let mut connection = HookConnection::new(self.address, &self.path);
        let mut ticks = tokio::time::interval(self.interval * CONNECTIONS);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.over.get() {
            ticks.tick().await;
            let Some(event) = self.events.get(self.next.get()) else { return };
            self.next.set(self.next.get() + 1);
            let body = event.body(&self.ids[event.payment as usize]);
            loop {
                match connection.post(&body).await {
                    Ok(200) => break,
                    Ok(status @ 400..500) => panic!("refused with {status}"),
                    Ok(_) | Err(_) => {}
                }
                self.repeated.set(self.repeated.get() + 1);
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}
