//! The scenarios, and the house that most of them stand on.

pub mod backlog;
pub mod campaign;
pub mod crash;
pub mod dashboard;
pub mod import;
pub mod latency;
pub mod seed;
pub mod paying;
pub mod subscribers;
pub mod throughput;
pub mod webhook_crash;
pub mod webhooks;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::kit::drive::api::{Accepted, Api};
use crate::kit::drive::record::{Seen, Status};
use crate::kit::drive::stream::{Subscriber, Wish};
use crate::kit::drive::{Batch, Plan, Texts};
use crate::kit::report::Report;
use crate::kit::rig::{
    Server, ServerOptions, SmscOptions, SmscProcess, StoreKind, StorePlace, add_carrier,
    create_account, process,
};

/// The sender of all messages.
pub const SENDER: &str = "Load";
/// Messages that go before the measurement, so that it begins with everything connected.
const WARM_UP: u32 = 1_000;
/// Their recipients, apart from all others.
const WARM_UP_FIRST: u32 = 99_000_000;

/// What most scenarios let one choose.
#[derive(clap::Args, Clone, Debug)]
pub struct HouseArgs {
    /// Where the server keeps its data
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    pub store: StoreKind,
    /// How long the SMSC takes to answer
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub carrier_delay_ms: u64,
    /// Unanswered submissions on one bind
    #[arg(long, default_value_t = 100)]
    pub window: u16,
    /// Binds to the SMSC
    #[arg(long, default_value_t = 1)]
    pub binds: u16,
    /// A setting of the throw-away PostgreSQL, for experiments; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub postgres_setting: Vec<String>,
}

/// A server, an SMSC that it is bound to, and an account that sends.
pub struct House {
    pub server: Server,
    pub smsc: SmscProcess,
    pub api: Api,
    pub place: StorePlace,
}

/// What a house is made of beside what one chooses.
#[derive(Default)]
pub struct HouseParts {
    /// The server's settings.
    pub server: ServerOptions,
    /// Where the SMSC notes what it took.
    pub journal: Option<PathBuf>,
}

impl House {
    /// Starts all of it but the SMSC, which only gets its address.
    pub async fn without_smsc(args: &HouseArgs, parts: HouseParts) -> Self {
        let place = StorePlace::make(args.store, &args.postgres_setting);
        let smsc = SmscProcess::absent(SmscOptions {
            delay_ms: args.carrier_delay_ms,
            journal: parts.journal,
            flags: Vec::new(),
        });
        let server = Server::start(&place, parts.server).await;
        let credentials = create_account(&place, SENDER);
        add_carrier(&place, smsc.address(), args.binds, args.window);
        let api = Api::new(&server.url(), &credentials.api_key);
        Self { server, smsc, api, place }
    }

    /// Starts all of it.
    pub async fn start(args: &HouseArgs, parts: HouseParts) -> Self {
        let mut house = Self::without_smsc(args, parts).await;
        house.smsc.restart();
        house
    }

    /// Processor time of the server, and of its PostgreSQL.
    pub fn cpu(&self) -> Cpu {
        let postgres = self.place.postgres.as_ref();
        Cpu {
            server: process::cpu(self.server.pid()),
            postgres: postgres.map(|postgres| postgres.cpu()),
            smsc: self.smsc.pid().map(process::cpu).unwrap_or_default(),
            driver: process::cpu(std::process::id()),
        }
    }
}

/// Processor time used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    server: Duration,
    postgres: Option<Duration>,
    smsc: Duration,
    driver: Duration,
}

impl Cpu {
    /// Reports what was used between `self` and `after`, a message being `messages`-th of it.
    pub fn report(self, after: Self, messages: u32, report: &mut Report) {
        let per_10_000 = |from: Duration, to: Duration| {
            (to.saturating_sub(from)).as_secs_f64() / f64::from(messages) * 10_000.0
        };
        report.figure("server_cpu_s_per_10000", per_10_000(self.server, after.server));
        if let (Some(from), Some(to)) = (self.postgres, after.postgres) {
            report.figure("postgres_cpu_s_per_10000", per_10_000(from, to));
        }
        report.figure("smsc_cpu_s_per_10000", per_10_000(self.smsc, after.smsc));
        report.figure("driver_cpu_s_per_10000", per_10_000(self.driver, after.driver));
    }
}

/// The plan of a run.
pub fn plan(run: &str, messages: u32, batch: u32) -> Plan {
    Plan {
        // Two runs against one server are two runs.
        run: format!("{run}-{}", crate::kit::drive::unix_us()),
        from: SENDER.to_owned(),
        first: 0,
        messages,
        batch,
        otp_every: 0,
        texts: Texts::Distinct,
    }
}

/// Sends a thousand messages and waits until they are delivered: plans, connections and caches of
/// the server are then as they are in service.
pub async fn warm_up(api: &Api) {
    let mut subscriber = Subscriber::start(&api.url, &api.key, Wish::AfterQueued).await;
    let warm_up = Plan { first: WARM_UP_FIRST, ..plan("warm-up", WARM_UP, 500) };
    for batch in warm_up.prepared() {
        api.send(&batch).await;
    }
    until_settled(&mut subscriber, WARM_UP, Duration::from_secs(60)).await;
}

/// Sends all batches over `connections` at a time, as fast as they are answered.
pub async fn send_all(api: &Api, batches: Vec<Batch>, connections: usize) -> Vec<Accepted> {
    let (left, accepted) =
        (std::cell::RefCell::new(batches.into_iter()), std::cell::RefCell::default());
    let sender = || async {
        loop {
            let next = left.borrow_mut().next();
            let Some(batch) = next else { return };
            let answer = api.send(&batch).await;
            let all: &std::cell::RefCell<Vec<Accepted>> = &accepted;
            all.borrow_mut().push(answer);
        }
    };
    futures::future::join_all((0..connections).map(|_| sender())).await;
    accepted.into_inner()
}

/// Reads what the subscriber sees until `messages` are settled; stops when nothing comes for
/// `patience`. Returns all of it.
pub async fn until_settled(
    subscriber: &mut Subscriber,
    messages: u32,
    patience: Duration,
) -> Vec<Seen> {
    let mut all = Vec::new();
    let mut settled = 0;
    while settled < messages {
        match tokio::time::timeout(patience, subscriber.seen.recv()).await {
            Ok(Some(seen)) => {
                let count = seen.iter().filter(|seen| seen.status.is_settled()).count();
                settled += u32::try_from(count).expect("a piece of a stream");
                all.extend(seen);
            }
            Ok(None) | Err(_) => break,
        }
    }
    all
}

/// Faults for messages that were not delivered.
pub fn require_delivered(seen: &[Seen], messages: u32, report: &mut Report) {
    let delivered = seen.iter().filter(|seen| seen.status == Status::Delivered).count();
    if delivered != messages as usize {
        report.fault(format!("{delivered} of {messages} messages were seen as delivered"));
    }
}

/// A rate.
pub fn per_s(messages: u32, since: Instant) -> f64 {
    f64::from(messages) / since.elapsed().as_secs_f64()
}
