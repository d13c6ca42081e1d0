//! How long messages would wait in the carriers' queues: counted in the background, kept in memory.
//!
//! What is ahead of a new message is what leaves before it: everything in the lanes above its own,
//! and of its own lane what its account has there and as much again of each other account, since
//! accounts take turns. Divided by the rate that the carrier allows itself now, which the node that
//! runs it writes beside its lease. A carrier without a known rate has no estimate, and one that
//! cannot be renewed is dropped: nobody is refused on a guess.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use entity::carrier_lease;
use entity::enums::{MessageClass, MessageStatus};
use entity::ids::{AccountId, CarrierId};
use entity::time::UnixMillis;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Statement,
};

/// The least time between two counts.
pub(super) const COUNT_INTERVAL: Duration = Duration::from_secs(10);
/// The longest time that a count is taken to have cost, in ms: so the rest ends after 20 minutes.
pub(super) const COUNT_MS_MAX: i64 = 60_000;
/// A count is followed by a rest of so many times its own time: counting costs a twentieth of one
/// connection at most, however long the queues are.
pub(super) const REST_TIMES: u32 = 20;

/// The estimates of this node. Cheap to clone; empty until counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog(Arc<RwLock<HashMap<CarrierId, Queue>>>);

/// What waits for one carrier.
#[derive(Clone, Debug)]
struct Queue {
    /// Above zero.
    rate_parts_per_s: f64,
    lanes: HashMap<MessageClass, Lane>,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    parts: i64,
    /// For each account with something in the lane, the parts that leave before a new one of it.
    ahead: HashMap<AccountId, i64>,
}

impl Lane {
    fn new(mut parts_by_account: Vec<(AccountId, i64)>) -> Self {
        parts_by_account.sort_by_key(|(_, parts)| *parts);
        let mut smaller = 0;
        let mut left = parts_by_account.len() as i64;
        let mut lane = Self::default();
        for (account_id, parts) in parts_by_account {
            lane.ahead.insert(account_id, smaller + parts * left);
            smaller += parts;
            left -= 1;
        }
        lane.parts = smaller;
        lane
    }
}

impl Backlog {
    /// How long a new message of the account would wait, in ms; `None` if nobody can tell.
    pub(super) fn wait_ms(
        &self,
        carrier_id: CarrierId,
        class: MessageClass,
        account_id: AccountId,
    ) -> Option<i64> {
        let queues = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get(&carrier_id)?;
        let mut ahead = 0;
        for lane_class in MessageClass::ALL {
            let Some(lane) = queue.lanes.get(lane_class) else { continue };
            if *lane_class == class {
                ahead += lane.ahead.get(&account_id).copied().unwrap_or(0);
                break;
            }
            ahead += lane.parts;
        }
        // A float is exact enough, and its cast saturates.
        Some((ahead as f64 / queue.rate_parts_per_s * 1_000.0) as i64)
    }

    /// Counts what waits for every carrier of a known rate.
    ///
    /// # Errors
    /// The store's own; then there are no estimates.
    pub(super) async fn count<C: ConnectionTrait>(
        &self,
        connection: &C,
        now: UnixMillis,
    ) -> Result<(), DbErr> {
        let counted = count(connection, now).await;
        let (queues, result) = match counted {
            Ok(queues) => (queues, Ok(())),
            Err(error) => (HashMap::new(), Err(error)),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = queues;
        result
    }
}

async fn count<C: ConnectionTrait>(
    connection: &C,
    now: UnixMillis,
) -> Result<HashMap<CarrierId, Queue>, DbErr> {
    use carrier_lease::Column;
    let rates: Vec<(CarrierId, i64)> = carrier_lease::Entity::find()
        .select_only()
        .columns([Column::CarrierId, Column::RatePartsPer1000S])
        .filter(Column::ExpiresAtMs.gte(now))
        .filter(Column::RatePartsPer1000S.gt(0))
        .into_tuple()
        .all(connection)
        .await?;
    let mut queues = HashMap::new();
    for (carrier_id, rate) in rates {
        let mut lanes = HashMap::new();
        for class in MessageClass::ALL {
            let parts = parts_by_account(connection, carrier_id, *class).await?;
            lanes.insert(*class, Lane::new(parts));
        }
        queues.insert(carrier_id, Queue { rate_parts_per_s: rate as f64 / 1_000.0, lanes });
    }
    Ok(queues)
}

/// One walk along the carrier's lane in the queue's index.
async fn parts_by_account<C: ConnectionTrait>(
    connection: &C,
    carrier_id: CarrierId,
    class: MessageClass,
) -> Result<Vec<(AccountId, i64)>, DbErr> {
    let sql = format!(
        "SELECT account_id, CAST(SUM(parts) AS BIGINT) AS parts FROM message \
         WHERE carrier_id = $1 AND class = $2 AND status = {queued} GROUP BY account_id",
        queued = MessageStatus::Queued.code(),
    );
    let values = [carrier_id.0.into(), class.code().into()];
    let backend = connection.get_database_backend();
    let rows =
        connection.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok((row.try_get("", "account_id")?, row.try_get("", "parts")?))).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account(n: u128) -> AccountId {
        AccountId(Uuid::from_u128(n))
    }

    #[test]
    fn accounts_wait_for_their_own_and_as_much_of_each_other() {
        let lane = Lane::new(vec![(account(1), 1_000_000), (account(2), 10), (account(3), 50)]);
        assert_eq!(lane.ahead[&account(2)], 30, "ten of each");
        assert_eq!(lane.ahead[&account(3)], 110);
        assert_eq!(lane.ahead[&account(1)], 1_000_060, "everything");
        assert_eq!(lane.parts, 1_000_060);
    }

    #[test]
    fn higher_lanes_go_first_and_lower_ones_do_not_count() {
        use MessageClass::{Marketing, Otp, Transactional};
        let carrier_id = CarrierId(Uuid::nil());
        let lanes = HashMap::from([
            (Otp, Lane::new(vec![(account(1), 20)])),
            (Transactional, Lane::new(vec![(account(2), 100)])),
            (Marketing, Lane::new(vec![(account(2), 1_000)])),
        ]);
        let queue = Queue { rate_parts_per_s: 10.0, lanes };
        let backlog = Backlog::default();
        assert_eq!(backlog.wait_ms(carrier_id, Otp, account(1)), None, "no rate is known");
        backlog.0.write().unwrap().insert(carrier_id, queue);
        for (class, account, wait_ms) in [
            (Otp, account(1), 2_000),
            (Otp, account(2), 0),
            (Transactional, account(1), 2_000),
            (Transactional, account(2), 12_000),
            (Marketing, account(2), 112_000),
            (Marketing, account(3), 12_000),
        ] {
            assert_eq!(backlog.wait_ms(carrier_id, class, account), Some(wait_ms), "{class:?}");
        }
    }
}
