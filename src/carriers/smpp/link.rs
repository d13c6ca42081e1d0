//! One link for as long as the carrier runs: connects, lets the session run, cleans up after it,
//! and connects again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::connect::{self, ConnectError, Connection};
use super::encode::Role;
use super::hub::Hub;
use super::reader::End;
use super::session::{Remains, Session};
use crate::carriers::PartOutcome;

/// Share of a reconnect wait by which it varies, so that links do not come back all at once.
const JITTER: f64 = 0.2;

/// Keeps one link up until the carrier shuts down.
pub(super) async fn run(hub: Arc<Hub>, role: Role) {
    let mut failures = 0;
    while !hub.shutdown.is_cancelled() {
        let connected = tokio::select! {
            connected = connect::connect(&hub.config, role) => connected,
            () = hub.shutdown.cancelled() => return,
        };
        let wait_ms = match connected {
            Ok(connection) => {
                failures = 0;
                serve(&hub, role, connection).await;
                reconnect_ms(&hub, failures)
            }
            Err(error) => {
                let wait_ms = after_failure(&hub, &error, failures);
                failures += 1;
                wait_ms
            }
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            () = hub.shutdown.cancelled() => return,
        }
    }
}

/// Runs a session and ends, or passes on, what it leaves behind.
async fn serve(hub: &Arc<Hub>, role: Role, connection: Connection) {
    tracing::info!("bound");
    let wake = Arc::new(Notify::new());
    if role.sends() {
        hub.link_up(&wake);
    }
    let session = Session::new(Arc::clone(hub), role, Arc::clone(&wake));
    let Remains { end, uncertain, unsent } = session.run(connection).await;
    match end {
        End::Shutdown => tracing::info!("unbound"),
        End::Closed | End::Unbound | End::Silent | End::Garbage | End::Failed => tracing::warn!(
            smpp.parts_uncertain = uncertain.len(),
            smpp.messages_unsent = unsent.len(),
            "link lost: {end}"
        ),
    }
    // The link is down before its results are told: who reads them then sees why.
    if role.sends() {
        hub.link_down(&wake, unsent).await;
    }
    hub.meters.uncertain.increment(uncertain.len() as u64);
    for flight in uncertain {
        if let Some(result) = flight.message.settle(flight.part, PartOutcome::Uncertain) {
            hub.report(result).await;
        }
    }
}

/// Tells of a failed connect and says how long to wait.
fn after_failure(hub: &Hub, error: &ConnectError, failures: u32) -> u64 {
    if let ConnectError::Refused(status) = error {
        hub.meters.bind_refused(*status);
    }
    if error.is_about_credentials() {
        tracing::error!("the carrier refuses our credentials: {error}");
        return jittered_ms(hub, hub.config.reconnect.refused_ms);
    }
    let wait_ms = reconnect_ms(hub, failures);
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(smpp.wait_ms = wait_ms, smpp.cause = source, "not connected: {error}");
    wait_ms
}

fn reconnect_ms(hub: &Hub, failures: u32) -> u64 {
    let reconnect = hub.config.reconnect;
    let doubled = reconnect.first_ms.saturating_mul(1 << failures.min(30));
    jittered_ms(hub, doubled.min(reconnect.max_ms))
}

fn jittered_ms(hub: &Hub, ms: u64) -> u64 {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    hub.platform.randomness.jittered_ms(ms, JITTER).unsigned_abs()
}
