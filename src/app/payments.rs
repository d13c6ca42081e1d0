//! Folding as soon as the doorbell rings, and asking processors about their hints, on whichever node
//! holds the job's lease.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ctx::Platform;
use crate::events::Topic;
use crate::jobs::Jobs;

/// A job that runs whenever something came in.
#[derive(Clone, Copy)]
pub(super) struct WhenRung {
    /// Its name among the schedules.
    pub(super) job: &'static str,
    /// The least time between two runs: what came meanwhile is one batch.
    pause: Duration,
}

/// Folding.
pub(super) const FOLD: WhenRung =
    WhenRung { job: "payments.fold", pause: Duration::from_millis(20) };
/// Asking about hints. Processors allow some requests a second.
pub(super) const ASK: WhenRung = WhenRung { job: "payments.ask", pause: Duration::from_secs(1) };

/// Runs the job whenever something came in, until `stop`. The job's own schedule makes up for a
/// ring that was lost.
pub(super) async fn run_when_rung(
    rung: WhenRung,
    platform: Arc<Platform>,
    jobs: Jobs,
    stop: CancellationToken,
) {
    let mut bell = platform.doorbell.listen(Topic::Webhooks);
    let run = async {
        while bell.changed().await.is_ok() {
            // Its failure was logged; the schedule makes up for it.
            let _ = jobs.run_now(rung.job).await;
            tokio::time::sleep(rung.pause).await;
        }
    };
    stop.run_until_cancelled(run).await;
    // An end before its time would count as a fault.
    stop.cancelled().await;
}
