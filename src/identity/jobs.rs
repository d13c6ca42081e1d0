//! What identity does without being asked: writes down when keys were used, ends the streams of
//! credentials that ended on another node, deletes what is over. Each step reaches its state again
//! if it is run twice or was missed.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use entity::ids::ApiKeyId;
use entity::time::UnixMillis;
use tokio_util::sync::CancellationToken;

use super::authenticate::{KeyState, SessionState};
use super::{IdentityService, keyring, store, throttle};
use crate::error::Failed;
use crate::events::POLL_INTERVAL;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// How often uses of keys are written down, in milliseconds.
const FLUSH_MS: i64 = 30_000;
/// How often what is over is deleted, in milliseconds.
const SWEEP_MS: i64 = 60 * MINUTE_MS;
/// Log-ins and links stay this long after their end, for questions about them, in milliseconds.
const KEPT_MS: i64 = 30 * DAY_MS;
/// Log-ins deleted by one transaction.
const SWEEP_BATCH_MAX: u64 = 500;
/// Uses of keys held between two writes: more keys than this on one node are noted a turn later.
const USED_MAX: usize = 100_000;
/// How far the clocks of two nodes may be apart when one asks what the other ended, in milliseconds.
const SKEW_MS: i64 = 60_000;

/// When keys were used, until it is written down.
#[derive(Default)]
pub(super) struct UsedKeys(Mutex<HashMap<ApiKeyId, UnixMillis>>);

impl UsedKeys {
    /// Notes a use, once a minute.
    pub(super) fn note(&self, key: &KeyState, now: UnixMillis) {
        let minute = UnixMillis(now.0 - now.0.rem_euclid(MINUTE_MS));
        if key.noted_minute.swap(minute.0, Ordering::Relaxed) == minute.0 {
            return;
        }
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < USED_MAX || used.contains_key(&key.api_key_id) {
            used.insert(key.api_key_id, minute);
        }
    }

    fn take(&self) -> Vec<(ApiKeyId, UnixMillis)> {
        let used = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // In one order on all nodes, so that their row locks do not cross.
        let mut used: Vec<_> = used.into_iter().collect();
        used.sort_unstable();
        used
    }
}

impl IdentityService {
    /// Does all this until `stop` is canceled; then writes down what is left.
    pub async fn run(&self, stop: CancellationToken) {
        let clock = &self.0.platform.clock;
        let (mut flush_at, mut sweep_at) = (clock.now().plus_ms(FLUSH_MS), clock.now());
        let mut seen = clock.now();
        while !stop.is_cancelled() {
            let now = clock.now();
            log_failure("end revoked credentials", self.end_revoked(seen).await);
            seen = now;
            if now >= flush_at {
                log_failure("write down the use of keys", self.flush_used_keys().await);
                flush_at = now.plus_ms(FLUSH_MS);
            }
            if now >= sweep_at {
                log_failure("delete what is over", self.sweep().await);
                sweep_at = now.plus_ms(SWEEP_MS);
            }
            tokio::select! {
                () = clock.sleep(POLL_INTERVAL) => {}
                () = stop.cancelled() => {}
            }
        }
        log_failure("write down the use of keys", self.flush_used_keys().await);
    }

    /// Ends the streams of credentials that any node, or a command line, ended or gave another
    /// role after `since`.
    ///
    /// # Errors
    /// The store's own.
    pub async fn end_revoked(&self, since: UnixMillis) -> Result<(), Failed> {
        let platform = &self.0.platform;
        let (since, now) = (since.plus_ms(-SKEW_MS), platform.clock.now());
        let sessions = store::sessions::revoked_since(platform.db.reader(), since).await?;
        if !sessions.is_empty() {
            self.0.sessions.end(|state| sessions.contains(&state.session_id));
        }
        let roles = store::accounts::roles_changed_since(platform.db.reader(), since).await?;
        // A log-in that was read with the present role is left alone, however often we look.
        let changed = |state: &SessionState| {
            let key = (state.account_id, state.person_id);
            roles.get(&key).is_some_and(|role| *role != state.role)
        };
        if !roles.is_empty() {
            self.0.sessions.end(changed);
        }
        let keys = store::api_keys::ended_since(platform.db.reader(), since, now).await?;
        if !keys.is_empty() {
            self.0.keys.end(|state| keys.contains(&state.api_key_id));
        }
        Ok(())
    }

    /// Writes down when keys were used.
    ///
    /// # Errors
    /// The store's own; what was not written is lost, and noted again with the next use.
    pub async fn flush_used_keys(&self) -> Result<(), Failed> {
        let used = self.0.used_keys.take();
        if used.is_empty() {
            return Ok(());
        }
        let used = &used;
        let note = |tx| async move { store::api_keys::note_used(&tx, used).await };
        self.0.platform.db.write(note).await?;
        Ok(())
    }

    /// Deletes log-ins, links, throttles and signing keys that are over.
    ///
    /// # Errors
    /// The store's own.
    pub async fn sweep(&self) -> Result<(), Failed> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let over = now.plus_ms(-KEPT_MS);
        let throttled = now.plus_ms(-throttle::FORGOTTEN_AFTER_MS);
        let retired = keyring::retired_before(platform);
        let small = |tx| async move {
            store::throttle::delete_stale(&tx, throttled).await?;
            store::links::delete_expired(&tx, over).await?;
            store::signing_keys::delete_retired(&tx, retired).await
        };
        platform.db.write(small).await?;
        let batch =
            |tx| async move { store::sessions::delete_ended(&tx, over, SWEEP_BATCH_MAX).await };
        while platform.db.write(batch).await? == SWEEP_BATCH_MAX {}
        Ok(())
    }
}

fn log_failure(what: &str, outcome: Result<(), Failed>) {
    if let Err(error) = outcome {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, source, "cannot {what}; trying again later");
    }
}
