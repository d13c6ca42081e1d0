//! Folding as soon as the doorbell rings, on whichever node holds the job's lease.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ctx::Platform;
use crate::events::Topic;
use crate::jobs::Jobs;

/// The job that folds.
pub(super) const FOLD: &str = "payments.fold";
/// The least time between two runs: what came meanwhile is one batch.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the job whenever something came in, until `stop`. The job's own schedule makes up for a
/// ring that was lost.
pub(super) async fn fold_when_rung(platform: Arc<Platform>, jobs: Jobs, stop: CancellationToken) {
    let mut bell = platform.doorbell.listen(Topic::Webhooks);
    let run = async {
        while bell.changed().await.is_ok() {
            // Its failure was logged; the schedule makes up for it.
            let _ = jobs.run_now(FOLD).await;
            tokio::time::sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(run).await;
    // An end before its time would count as a fault.
    stop.cancelled().await;
}
