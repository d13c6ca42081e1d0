//! Kills the server, the SMSC or PostgreSQL at random moments under load, and then looks whether
//! anything was lost, doubled or left hanging. What is looked at is in `crate::kit::audit`.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::{House, HouseArgs, HouseParts, plan, warm_up};
use crate::kit::audit::{Audit, settled_status};
use crate::kit::drive::api::Accepted;
use crate::kit::drive::stream::{Subscriber, Wish};
use crate::kit::drive::{Plan, journal};
use crate::kit::report::Report;
use crate::kit::rig::{ServerOptions, Stop, verify_ledger};

/// After the last kill everything must be settled within this time: it has the receipts' time-out
/// in it, for what the SMSC forgot, and the minute between two looks for such messages.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(180);
/// Without a final receipt for so long a message becomes UNKNOWN, in seconds. The default of three
/// days would be long to wait for.
const RECEIPT_TIMEOUT_S: u32 = 15;
/// The shortest time between a recovery and the next kill, in milliseconds.
const PAUSE_MS_MIN: u64 = 50;

/// What to kill, how often.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub house: HouseArgs,
    /// How often
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub kills: u32,
    /// What
    #[arg(long, value_enum, default_value_t = Victim::Server)]
    pub victim: Victim,
    /// Messages a second
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Messages in a call
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub batch: u32,
    /// Every so many messages one is a one-time password; 0: none
    #[arg(long, default_value_t = 10)]
    pub otp_every: u32,
    /// The longest time between a recovery and the next kill; the shortest is 50 ms
    #[arg(long, default_value_t = 1_500, value_name = "MS", value_parser = clap::value_parser!(u64).range(51..=60_000))]
    pub pause_ms_max: u64,
    /// Repeats the pauses of an earlier run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Victim {
    /// The server, by SIGKILL.
    Server,
    /// The SMSC, by SIGKILL: it forgets the receipts that it owed.
    Smsc,
    /// PostgreSQL, stopped at once as in a crash, and in the fast way in turn.
    Postgres,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "crash: {} × {:?} at {} messages/s, store {:?}, carrier {} ms",
        args.kills, args.victim, args.rate, args.house.store, args.house.carrier_delay_ms
    ));
    let notes = tempfile::tempdir().unwrap();
    let path = notes.path().join("journal");
    let settings = vec![("MESSAGES__RECEIPT_TIMEOUT_S".to_owned(), RECEIPT_TIMEOUT_S.to_string())];
    let parts = HouseParts { journal: Some(path.clone()), server: ServerOptions { settings } };
    let mut house = House::start(&args.house, parts).await;
    if args.victim == Victim::Postgres && house.place.postgres.is_none() {
        report.fault("--victim postgres needs --store postgres");
        return report;
    }
    warm_up(&house.api).await;
    let api = house.api.clone();
    let mut subscriber = Subscriber::start(&api.url, &api.key, Wish::Everything).await;
    let accepted: RefCell<Vec<Accepted>> = RefCell::default();
    let over = Cell::new(false);
    let sending = keep_sending(&args, &house.api, &accepted, &over);
    let killing = async {
        let server = &mut house.server;
        let (smsc, place) = (&mut house.smsc, &mut house.place);
        let chance = heliograph::sys::Randomness::seeded(args.seed);
        for kill in 1..=args.kills {
            let span = (args.pause_ms_max - PAUSE_MS_MIN) as f64 * chance.unit();
            tokio::time::sleep(Duration::from_millis(PAUSE_MS_MIN + span as u64)).await;
            match args.victim {
                Victim::Server => {
                    server.kill();
                    server.restart().await;
                }
                Victim::Smsc => {
                    smsc.kill();
                    smsc.restart();
                }
                Victim::Postgres => {
                    let postgres = place.postgres.as_mut().expect("asked for above");
                    postgres.stop(if kill % 2 == 0 { Stop::Fast } else { Stop::Immediate });
                    postgres.restart();
                }
            }
            if kill % 10 == 0 {
                eprintln!("  {kill} of {}", args.kills);
            }
        }
        over.set(true);
    };
    // Not joined on two tasks: the senders share the record, and nothing here needs a second core.
    let ((), ()) = tokio::join!(sending, killing);
    let accepted = accepted.into_inner();
    let mut audit = Audit::new(&accepted);
    audit.follow(&mut subscriber, SETTLE_TIME_MAX).await;
    report.figure("accepted", audit.messages() as f64);
    report.figure("calls_repeated", api.retries() as f64);
    report.figure("stream_connected", f64::from(*subscriber.connected.borrow()));
    audit.check(&api, &journal::read(&path), &mut report).await;
    report.note("settled", settled_status(&audit));
    drop(subscriber);
    house.server.stop().await;
    // Ends the program if the books are not in order.
    report.figure("ledger_transfers_verified", verify_ledger(&house.place) as f64);
    report
}

/// Sends batch after batch at the rate until the killing is over, then waits for the answers.
async fn keep_sending(
    args: &Args,
    api: &crate::kit::drive::api::Api,
    accepted: &RefCell<Vec<Accepted>>,
    over: &Cell<bool>,
) {
    // More than can be sent: the killing decides when it is enough.
    let plan = Plan { otp_every: args.otp_every, ..plan("crash", 50_000_000, args.batch) };
    let interval = Duration::from_secs_f64(f64::from(args.batch) / f64::from(args.rate));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..plan.batches() {
        if over.get() {
            break;
        }
        ticks.tick().await;
        let (api, batch) = (api.clone(), plan.call(index));
        calls.spawn(async move { api.send(&batch).await });
        while let Some(answered) = calls.try_join_next() {
            accepted.borrow_mut().push(answered.unwrap());
        }
    }
    while let Some(answered) = calls.join_next().await {
        accepted.borrow_mut().push(answered.unwrap());
    }
}
