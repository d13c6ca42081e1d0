//! Periodic work: each job runs every so often on one node of all, under a lease of its name.
//!
//! Not a queue: what is to be done stands in the domains' own tables, and a run that fails or is
//! lost with its node is made up for by the next one. So every job reaches the same state however
//! often it runs. Knows no business words; the composition root makes the list.

mod lease;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use entity::ids::NodeId;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lease::Lease;
use crate::ctx::{Ctx, Platform};

type Source = Box<dyn StdError + Send + Sync + 'static>;
type Run = Box<dyn Fn(Ctx) -> BoxFuture<'static, Result<u64, Source>> + Send + Sync>;

/// A job: what to run, and how often.
pub struct Schedule {
    name: &'static str,
    every: Duration,
    run: Run,
}

/// Why a run did not end well. It was logged and counted.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// No schedule has that name.
    #[error("there is no job of that name")]
    Unknown,
    /// The job's own.
    #[error("the job failed")]
    Failed(#[source] Source),
    /// The store could not be asked whether this node may run it.
    #[error("cannot take the job's lease")]
    Lease(#[source] DbErr),
    /// Another node took the lease while the job ran; the run was dropped.
    #[error("another node took the job over")]
    TakenOver,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran, and did this many things.
    Done(u64),
    /// Another node holds the lease.
    Elsewhere,
}

impl Schedule {
    /// Runs `run` every `every`, measured from start to start, and once when the node starts. A run
    /// that takes longer is followed by the next at once, never overlapped. `run` says how many things it did, and must reach the same state when it
    /// is run twice. `name` is the lease's: it stays the same over versions.
    pub fn new<F, Fut, E>(name: &'static str, every: Duration, run: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, E>> + Send + 'static,
        E: Into<Source>,
    {
        let run = move |ctx| -> BoxFuture<'static, Result<u64, Source>> {
            let running = run(ctx);
            Box::pin(async move { running.await.map_err(Into::into) })
        };
        Self { name, every, run: Box::new(run) }
    }
}

/// The jobs of this node. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    platform: Arc<Platform>,
    jobs: Vec<Job>,
}

struct Job {
    schedule: Schedule,
    /// Locked while it runs, so that no two runs overlap on this node; the lease sees to the others.
    lease: Mutex<Lease>,
}

impl Jobs {
    /// Jobs that do not run yet.
    pub fn new(platform: Arc<Platform>, schedules: Vec<Schedule>) -> Self {
        let node_id: NodeId = platform.ids.next();
        let jobs = schedules
            .into_iter()
            .map(|schedule| {
                let lease = Lease::new(schedule.name, node_id, schedule.every);
                Job { schedule, lease: Mutex::new(lease) }
            })
            .collect();
        Self(Arc::new(Inner { platform, jobs }))
    }

    /// Runs the jobs on the platform's clock until `shutdown`; a run under way is dropped then, as
    /// the next one makes up for it. Gives the leases up before it returns.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut loops = JoinSet::new();
        for index in 0..self.0.jobs.len() {
            let (inner, shutdown) = (Arc::clone(&self.0), shutdown.clone());
            loops.spawn(async move {
                let job = &inner.jobs[index];
                shutdown.run_until_cancelled(job.run_forever(&inner.platform)).await;
                job.release(&inner.platform).await;
            });
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a job's loop ended before its time");
            }
        }
    }

    /// Runs one job now, after the run that is under way on this node, if there is one. For tests
    /// and for the command line.
    ///
    /// # Errors
    /// [`JobError`].
    pub async fn run_now(&self, name: &str) -> Result<Outcome, JobError> {
        let job = self.0.jobs.iter().find(|job| job.schedule.name == name);
        job.ok_or(JobError::Unknown)?.run_once(&self.0.platform).await
    }
}

impl Job {
    async fn run_forever(&self, platform: &Arc<Platform>) {
        loop {
            let every_ms = i64::try_from(self.schedule.every.as_millis()).unwrap_or(i64::MAX);
            let next_at = platform.clock.now().plus_ms(every_ms);
            // Its failure was logged; the next run makes up for it.
            let _ = self.run_once(platform).await;
            platform.clock.sleep_until(next_at).await;
        }
    }

    async fn run_once(&self, platform: &Arc<Platform>) -> Result<Outcome, JobError> {
        let mut lease = self.lease.lock().await;
        let started = tokio::time::Instant::now();
        let outcome = self.run_leased(platform, &mut lease).await;
        let name = self.schedule.name;
        let label = match &outcome {
            Ok(Outcome::Done(count)) => {
                metrics::histogram!("job_seconds", "job" => name).record(started.elapsed());
                metrics::counter!("job_items_total", "job" => name).increment(*count);
                tracing::debug!(job.name = name, job.items = count, "a job ran");
                "done"
            }
            Ok(Outcome::Elsewhere) => "elsewhere",
            Err(error) => {
                let error: &dyn StdError = error;
                tracing::error!(job.name = name, error, "a job failed; it runs again later");
                "failed"
            }
        };
        metrics::counter!("job_runs_total", "job" => name, "outcome" => label).increment(1);
        outcome
    }

    async fn run_leased(
        &self,
        platform: &Arc<Platform>,
        lease: &mut Lease,
    ) -> Result<Outcome, JobError> {
        if !lease.hold(platform).await.map_err(JobError::Lease)? {
            return Ok(Outcome::Elsewhere);
        }
        let ctx = Ctx::system(Arc::clone(platform), self.schedule.name);
        tokio::select! {
            done = (self.schedule.run)(ctx) => done.map(Outcome::Done).map_err(JobError::Failed),
            () = lease.keep_until_lost(platform) => Err(JobError::TakenOver),
        }
    }

    async fn release(&self, platform: &Platform) {
        if let Err(error) = self.lease.lock().await.release(platform).await {
            tracing::debug!(job.name = self.schedule.name, %error, "a lease is left to run out");
        }
    }
}
