//! The composition root: from settings to a running node, and back down in good order.
//!
//! It knows every module and decides nothing. A node is: the store ([`store`]), the doorbell
//! between nodes, and by its roles the HTTP edge ("api") and the periodic jobs and the carriers
//! ("worker"). Called by the command line and by the tests.

mod carriers;
mod edge;
mod payments;
mod preferences;
mod schedules;
mod short_links;
mod store;
mod transfers;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::edge::{RESUMABLE_SUBSCRIPTIONS, SENSITIVE_MUTATIONS};
use self::store::StoreLock;
pub(crate) use self::store::check_value;
use crate::billing::Prices;
use crate::carriers::registry;
use crate::config::{NodeRole, Settings};
use crate::ctx::{Ctx, Platform};
use crate::db::{ConnectError, RoleError};
use crate::error::Failed;
use crate::events::{self, Hub};
use crate::graphql;
use crate::http::{self, Edge, Limiter, Probes, Router, Shutdown};
use crate::identity::{self, IdentityService, OneTimeLink};
use crate::jobs::Jobs;
use crate::keys::MasterKeyError;
use crate::links::Links;
use crate::messages::dispatch;
use crate::payments::Inbox;
use crate::routing::Routes;
use crate::sys::{Clock, Randomness};
use crate::telemetry::Metrics;

/// What a test replaces.
#[derive(Clone, Debug)]
pub struct AppParts {
    /// The only source of time.
    pub clock: Clock,
    /// The only source of chance.
    pub randomness: Randomness,
}

impl AppParts {
    /// The machine's own.
    pub fn system() -> Self {
        Self { clock: Clock::system(), randomness: Randomness::system() }
    }
}

/// Why a node cannot start. The text says what to do, where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {listen}: choose another address with --listen")]
    Listen {
        /// Which.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory cannot be made or written to.
    #[error("cannot use {path}: choose another place with --data-dir")]
    DataDir {
        /// Which directory, or file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process serves the SQLite file.
    #[error(
        "another process serves this store ({path} is locked): stop it first, or use PostgreSQL to \
         run several"
    )]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// The store does not open.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The store would not keep accounts apart for this role.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The store's schema cannot be brought up to date.
    #[error("the store's migrations failed; a store of a newer version needs that version")]
    Migrate(#[source] DbErr),
    /// There is no master key.
    #[error(transparent)]
    MasterKey(MasterKeyError),
    /// The store was first started with another master key.
    #[error(
        "this is not the master key that the store was first started with: give the same \
         store.master_key or data directory to every node, or restore it from the backup"
    )]
    WrongMasterKey,
    /// An origin that no browser sends.
    #[error("server.cors_origins has {0:?}: write scheme://host[:port]")]
    Origin(String),
    /// The store's own.
    #[error("the store failed")]
    Store(#[source] DbErr),
    /// What a first start makes could not be made.
    #[error("the first rows could not be written")]
    FirstRows(#[source] Failed),
}

/// How a node stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Everything under way was finished.
    InTime,
    /// The time for it ran out; what was left is made up for at the next start.
    Late,
}

/// A running node.
pub struct App {
    platform: Arc<Platform>,
    hub: Hub,
    identity: IdentityService,
    jobs: Jobs,
    operator_link: Option<OneTimeLink>,
    /// Parts that take in work; they end first.
    work: Parts,
    /// Counts what HTTP still serves.
    serving: Shutdown,
    /// Parts that the others use until they have ended.
    plumbing: Parts,
    _lock: StoreLock,
}

/// Tasks that run as long as the node does, and what ends them.
struct Parts {
    stop: CancellationToken,
    tasks: JoinSet<&'static str>,
}

impl Parts {
    fn new() -> Self {
        Self { stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// Runs what `part` makes of the token that tells it to stop.
    fn run<F>(&mut self, name: &'static str, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = part(self.stop.clone());
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits until one ends, which none does before it is told to unless something is wrong.
    async fn first_to_end(&mut self) {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            Some(Ok(name)) => tracing::error!(part.name = name, "a part ended before its time"),
            Some(Err(error)) => tracing::error!(%error, "a part broke down"),
        }
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part broke down while stopping");
            }
        }
    }
}

/// Opens the store beside or without a running node, for one command of the command line.
///
/// # Errors
/// [`StartError`].
pub async fn open_platform(
    settings: Settings,
    parts: AppParts,
) -> Result<Arc<Platform>, StartError> {
    store::open(settings, parts).await
}

impl App {
    /// Starts a node: opens the store, makes what a first start needs, and starts the parts that
    /// its roles name. When it returns, the node is ready.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(mut settings: Settings, parts: AppParts) -> Result<Self, StartError> {
        let metrics = Metrics::collect();
        let lock = StoreLock::take(&settings.database_url())?;
        let listener = listen(&mut settings).await?;
        // Number plans take a moment to load: beside the store, and before the first request.
        let numbers = tokio::task::spawn_blocking(crate::types::phone::warm_up);
        let platform = store::open(settings, parts).await?;
        if let Err(error) = numbers.await {
            tracing::error!(%error, "the number plans could not be loaded");
        }
        let hub = Hub::new(platform.db.clone(), platform.clock.clone(), platform.doorbell.clone());
        let operator_link = make_first_rows(&platform).await.map_err(StartError::FirstRows)?;
        let work = Parts::new();
        let mut app = Self {
            hub,
            identity: IdentityService::new(Arc::clone(&platform)),
            jobs: Jobs::new(Arc::clone(&platform), schedules::all(&platform)),
            operator_link,
            platform,
            serving: Shutdown::on(work.stop.clone()),
            work,
            plumbing: Parts::new(),
            _lock: lock,
        };
        app.start_plumbing(&metrics);
        if app.has_role(NodeRole::Worker) {
            app.start_worker();
        }
        app.start_http(listener, metrics)?;
        Ok(app)
    }

    fn start_plumbing(&mut self, metrics: &Metrics) {
        let (db, doorbell) = (self.platform.db.clone(), self.platform.doorbell.clone());
        self.plumbing.run("doorbell", |stop| async move {
            events::connect_nodes(db, doorbell, stop.clone()).await;
            // On SQLite there are no nodes to connect.
            stop.cancelled().await;
        });
        let metrics = metrics.clone();
        self.plumbing.run("metrics", |stop| async move {
            stop.run_until_cancelled(metrics.keep_up()).await;
        });
        let identity = self.identity.clone();
        self.plumbing.run("identity", |stop| async move { identity.run(stop).await });
    }

    fn start_worker(&mut self) {
        let jobs = self.jobs.clone();
        self.work.run("jobs", |stop| async move { jobs.run(stop).await });
        for (name, rung) in [("payments", payments::FOLD), ("hints", payments::ASK)] {
            let (platform, jobs) = (Arc::clone(&self.platform), self.jobs.clone());
            self.work.run(name, |stop| payments::run_when_rung(rung, platform, jobs, stop));
        }
        let platform = Arc::clone(&self.platform);
        self.work.run("carriers", |stop| async move {
            let factory = carriers::factory(Arc::clone(&platform));
            dispatch::run(platform, factory, stop).await;
        });
    }

    /// The API on nodes that have that role; how the node is, on all.
    fn start_http(&mut self, listener: TcpListener, metrics: Metrics) -> Result<(), StartError> {
        let shutdown = self.serving.clone();
        let probes = Probes {
            readiness: Arc::new(edge::StoreAnswers(Arc::clone(&self.platform))),
            metrics: Some(Arc::new(move || metrics.text())),
            shutdown: shutdown.clone(),
        };
        let router = if self.has_role(NodeRole::Api) {
            self.api(probes)?
        } else {
            http::probe_router(probes, self.platform.ids.clone())
        };
        let (drain_time_max, _) = shutdown_times(&self.platform.settings);
        let settings = edge::connections(&self.platform.settings, drain_time_max);
        self.work.run("http", |_stop| async move {
            if let Err(error) = http::serve(listener, router, settings, shutdown).await {
                tracing::error!(%error, "cannot serve HTTP");
            }
        });
        Ok(())
    }

    fn api(&mut self, probes: Probes) -> Result<Router, StartError> {
        let (inbox, writer) = Inbox::new(Arc::clone(&self.platform));
        // Until the requests have ended, which wait for it.
        self.plumbing.run("webhooks", |stop| writer.run(stop));
        let (links, clicks) = Links::new(Arc::clone(&self.platform));
        self.plumbing.run("clicks", |stop| clicks.run(stop));
        let platform = Arc::clone(&self.platform);
        let identity = self.identity.clone();
        let routes = Routes::new(platform.db.clone(), platform.clock.clone(), &platform.doorbell);
        let counting = routes.clone();
        self.work.run("backlogs", |stop| counting.keep_counting(stop));
        let schema = graphql::schema(graphql::Services {
            identity: self.identity.clone(),
            hub: self.hub.clone(),
            routes,
            prices: Prices::new(
                platform.db.clone(),
                platform.clock.clone(),
                &platform.doorbell,
                &platform.settings,
            ),
            complexity_max: platform.settings.graphql.complexity_max,
        });
        let settings = edge::settings(&platform.settings)?;
        Ok(http::router(Edge {
            executor: schema,
            authenticator: Arc::new(edge::Authenticator {
                platform: Arc::clone(&platform),
                identity: self.identity.clone(),
            }),
            probes,
            jwks: edge::jwks(identity),
            webhooks: Some(Arc::new(edge::PaymentWebhooks(inbox))),
            preferences: Some(Arc::new(preferences::Pages(Arc::clone(&platform)))),
            short_links: Some(Arc::new(short_links::LinksOfMessages(links))),
            transfers: Some(Arc::new(transfers::ContactFiles(Arc::clone(&platform)))),
            limiter: Limiter::new(platform.clock.clone(), &settings),
            settings,
            clock: platform.clock.clone(),
            ids: platform.ids.clone(),
        }))
    }

    fn has_role(&self, role: NodeRole) -> bool {
        self.platform.settings.server.roles.contains(&role)
    }

    /// The parts that commands use.
    pub const fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// The subscriptions of this node.
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The link by which the operator's first owner comes in; `None` once there is one. It works
    /// once, and each start makes the one before it useless.
    pub const fn operator_link(&self) -> Option<&OneTimeLink> {
        self.operator_link.as_ref()
    }

    /// Log-ins, keys and their caches on this node.
    pub const fn identity(&self) -> &IdentityService {
        &self.identity
    }

    /// The periodic work of this node.
    pub const fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// A context for the program's own work.
    pub fn system(&self, job: &'static str) -> Ctx {
        Ctx::system(Arc::clone(&self.platform), job)
    }

    /// Waits until a part ends, which means that something is wrong: stop the node then, and have
    /// it started anew.
    pub async fn broken(&mut self) {
        tokio::select! {
            () = self.work.first_to_end() => {}
            () = self.plumbing.first_to_end() => {}
        }
    }

    /// Stops: takes in no more work, finishes what is under way, closes the store. Takes at most
    /// `server.shutdown_timeout_s`.
    pub async fn stop(mut self) -> Stopped {
        let (_, time_max) = shutdown_times(&self.platform.settings);
        let in_order = async {
            self.work.stop().await;
            // Last, so that the other nodes hear of what was finished just now.
            self.plumbing.stop().await;
            self.platform.db.clone().close().await
        };
        match tokio::time::timeout(time_max, in_order).await {
            Ok(_) if self.serving.running_count() > 0 => Stopped::Late,
            Ok(Ok(())) => Stopped::InTime,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the store did not close in good order");
                Stopped::InTime
            }
            Err(_) => {
                tracing::warn!("stopped before everything under way was finished");
                Stopped::Late
            }
        }
    }
}

/// What every installation has: the operator's account, and the carrier that plays test messages.
async fn make_first_rows(platform: &Arc<Platform>) -> Result<Option<OneTimeLink>, Failed> {
    let ctx = Ctx::system(Arc::clone(platform), "first rows");
    registry::ensure_simulator(&ctx).await?;
    identity::ensure_operator(&ctx).await
}

/// Takes the address first: so a node that cannot serve does not touch the store, and a free port
/// that the system chose is the one that links and tokens name.
async fn listen(settings: &mut Settings) -> Result<TcpListener, StartError> {
    let listen = settings.server.listen;
    let failed = |source| StartError::Listen { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    settings.server.listen = listener.local_addr().map_err(failed)?;
    Ok(listener)
}

/// What a stop gives requests and streams to end, and what it takes in all: the setting, of which
/// the last tenth is kept to tell the other nodes and to close the store.
fn shutdown_times(settings: &Settings) -> (Duration, Duration) {
    let time_max = Duration::from_secs(settings.server.shutdown_timeout_s);
    (time_max - time_max / 10, time_max)
}
