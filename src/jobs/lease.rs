//! The right to run a job: one node holds it from run to run, until it stops renewing it.

use std::time::Duration;

use entity::ids::NodeId;
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::ctx::Platform;
use crate::db::Store;

/// How much longer than the job's period a lease lasts: room for a slow store, and for clocks that
/// differ between nodes. A dead node's job is taken over after its period and this.
const MARGIN: Duration = Duration::from_secs(15);
/// How often it is renewed during a run.
const RENEW_INTERVAL: Duration = Duration::from_secs(5);

/// A lease that this node may or may not hold.
pub(super) struct Lease {
    name: &'static str,
    node_id: NodeId,
    ttl_ms: i64,
    is_held: bool,
}

impl Lease {
    pub(super) fn new(name: &'static str, node_id: NodeId, every: Duration) -> Self {
        let ttl = every.saturating_add(MARGIN);
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        Self { name, node_id, ttl_ms, is_held: false }
    }

    /// Takes or renews the lease; `false`: another node holds it. On SQLite the lock on the file
    /// has made sure that there is no other node, and nothing is written.
    pub(super) async fn hold(&mut self, platform: &Platform) -> Result<bool, DbErr> {
        self.is_held = match platform.db.store() {
            Store::Sqlite => true,
            Store::Postgres => self.take(platform).await?,
        };
        Ok(self.is_held)
    }

    async fn take(&self, platform: &Platform) -> Result<bool, DbErr> {
        let now = platform.clock.now();
        let values = [
            self.name.into(),
            self.node_id.0.into(),
            now.plus_ms(self.ttl_ms).0.into(),
            now.0.into(),
        ];
        let statement = &Statement::from_sql_and_values(
            platform.db.store().backend(),
            "INSERT INTO job_lease (name, node_id, expires_at_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE \
             SET node_id = excluded.node_id, expires_at_ms = excluded.expires_at_ms \
             WHERE job_lease.node_id = excluded.node_id OR job_lease.expires_at_ms <= $4",
            values,
        );
        let result =
            platform.db.write(|tx| async move { tx.execute_raw(statement.clone()).await }).await?;
        Ok(result.rows_affected() == 1)
    }

    /// Renews the lease for as long as a run takes; returns only if another node has it. A store
    /// that does not answer is asked again: the lease lasts longer than that, or is lost.
    pub(super) async fn keep_until_lost(&mut self, platform: &Platform) {
        loop {
            platform.clock.sleep(RENEW_INTERVAL).await;
            match self.hold(platform).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(job.name = self.name, %error, "cannot renew a job's lease");
                }
            }
        }
    }

    /// Gives the lease up, if this node holds it, so that another node need not wait.
    pub(super) async fn release(&mut self, platform: &Platform) -> Result<(), DbErr> {
        if !std::mem::take(&mut self.is_held) || platform.db.store() == Store::Sqlite {
            return Ok(());
        }
        let values = [UnixMillis(0).0.into(), self.name.into(), self.node_id.0.into()];
        let statement = &Statement::from_sql_and_values(
            platform.db.store().backend(),
            "UPDATE job_lease SET expires_at_ms = $1 WHERE name = $2 AND node_id = $3",
            values,
        );
        platform.db.write(|tx| async move { tx.execute_raw(statement.clone()).await }).await?;
        Ok(())
    }
}
