//! The right to run a carrier: one node at a time, with a fencing token.

use std::time::Duration;

use entity::ids::{CarrierId, NodeId};
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::carriers::LinkState;
use crate::ctx::Platform;
use crate::db::Store;

/// How long a lease lasts unless it is renewed.
const TTL_MS: i64 = 6_000;
/// How often it is renewed.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_millis(1_500);
/// The holder stops claiming this long before the end, for clocks that differ between nodes.
const MARGIN_MS: i64 = 1_500;

/// A held lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) carrier_id: CarrierId,
    pub(super) node_id: NodeId,
    /// Grows with each new holder.
    pub(super) token: i64,
    expires_at: UnixMillis,
}

impl Lease {
    /// Whether the holder may still claim and submit.
    pub(super) fn is_safe(&self, now: UnixMillis) -> bool {
        self.expires_at.plus_ms(-MARGIN_MS) > now
    }

    /// Takes the lease if nobody holds it. On SQLite the data directory's lock has made sure that
    /// no other process serves it, so an unexpired lease is a dead process's and is taken over.
    pub(super) async fn acquire(
        platform: &Platform,
        carrier_id: CarrierId,
        node_id: NodeId,
    ) -> Result<Option<Self>, DbErr> {
        let now = platform.clock.now();
        let expires_at = now.plus_ms(TTL_MS);
        let free = match platform.db.store() {
            Store::Sqlite => "",
            Store::Postgres => "WHERE carrier_lease.expires_at_ms < excluded.seen_at_ms",
        };
        let sql = format!(
            "INSERT INTO carrier_lease \
             (carrier_id, node_id, token, expires_at_ms, bound_links, seen_at_ms) \
             VALUES ($1, $2, 1, $3, 0, $4) ON CONFLICT (carrier_id) DO UPDATE SET \
             node_id = excluded.node_id, token = carrier_lease.token + 1, \
             expires_at_ms = excluded.expires_at_ms, bound_links = 0, \
             rate_parts_per_1000_s = NULL, \
             seen_at_ms = excluded.seen_at_ms {free} RETURNING token"
        );
        let values = [carrier_id.0.into(), node_id.0.into(), expires_at.0.into(), now.0.into()];
        let backend = platform.db.store().backend();
        let statement = &Statement::from_sql_and_values(backend, sql, values);
        let row = platform
            .db
            .write(|tx| async move { tx.query_one_raw(statement.clone()).await })
            .await?;
        let Some(row) = row else { return Ok(None) };
        let token = row.try_get("", "token")?;
        Ok(Some(Self { carrier_id, node_id, token, expires_at }))
    }

    /// Prolongs the lease and shows how many links are up and how fast they are. `false`: another node holds it now.
    pub(super) async fn renew(
        &mut self,
        platform: &Platform,
        link: LinkState,
    ) -> Result<bool, DbErr> {
        let now = platform.clock.now();
        let expires_at = now.plus_ms(TTL_MS);
        let changed = self.update(platform, expires_at, link).await?;
        if changed {
            self.expires_at = expires_at;
        }
        Ok(changed)
    }

    /// Gives the lease up, so that another node need not wait.
    pub(super) async fn release(mut self, platform: &Platform) -> Result<(), DbErr> {
        self.expires_at = UnixMillis(0);
        self.update(platform, UnixMillis(0), LinkState::default()).await?;
        Ok(())
    }

    async fn update(
        &self,
        platform: &Platform,
        expires_at: UnixMillis,
        link: LinkState,
    ) -> Result<bool, DbErr> {
        let values = [
            expires_at.0.into(),
            i32::from(link.bound).into(),
            rate_parts_per_1000_s(link).into(),
            platform.clock.now().0.into(),
            self.carrier_id.0.into(),
            self.token.into(),
        ];
        let statement = &Statement::from_sql_and_values(
            platform.db.store().backend(),
            "UPDATE carrier_lease SET expires_at_ms = $1, bound_links = $2, \
             rate_parts_per_1000_s = $3, seen_at_ms = $4 \
             WHERE carrier_id = $5 AND token = $6",
            values,
        );
        let result =
            platform.db.write(|tx| async move { tx.execute_raw(statement.clone()).await }).await?;
        Ok(result.rows_affected() == 1)
    }
}

/// The rate as it is shown to whoever estimates the queue; none while nothing leaves, or no limit
/// is known.
fn rate_parts_per_1000_s(link: LinkState) -> Option<i64> {
    let rate = link.rate_parts_per_s;
    let is_known = link.bound > 0 && rate.is_finite() && rate > 0.0;
    // A rate below one part in 1,000 s counts as that; the cast of a large one saturates.
    is_known.then(|| ((rate * 1_000.0).round() as i64).max(1))
}
