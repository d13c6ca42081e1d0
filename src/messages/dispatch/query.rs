//! Asking the SMSC (`query_sm`) what became of messages whose receipt is overdue, where the
//! operator has switched that on and the carrier's id is known.
//!
//! A message is asked about when it has waited for ten minutes, two hours, a day and nearly three,
//! each time once, by a window over the time of its submission that moves with the clock: nothing
//! is stored, and what no node was up to ask about in one round is asked about in the next. What
//! the SMSC answers is settled like a receipt. It costs the carrier at most a tenth of its rate.

use entity::enums::{MessageStatus, PartState, SenderKind};
use entity::ids::MessageId;
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::runner::{Shared, address};
use crate::carriers::{LinkState, StatusQuery};
use crate::messages::store::is_due_in;

/// How often it is looked for messages to ask about.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long after their submission messages are asked about, in ms; the last time an hour before
/// the time for their receipts is over by default.
const AGES_MS: [i64; 4] = [600_000, 2 * 3_600_000, 24 * 3_600_000, 71 * 3_600_000];
/// Questions a second at most: enough for six hundred overdue messages a minute.
const QUERIES_PER_S_MAX: f64 = 10.0;
/// Of the carrier's rate in parts.
const RATE_SHARE_MAX: f64 = 0.1;
/// What may wait for a receipt, and what may still be mended by one.
const STATUSES: [MessageStatus; 3] =
    [MessageStatus::Sent, MessageStatus::Enroute, MessageStatus::Unknown];

/// How far one round has come for one status: the last message asked about.
#[derive(Clone, Copy, Debug)]
struct Round {
    status: MessageStatus,
    age_ms: i64,
    /// By the time that the message row has as due.
    after: (UnixMillis, MessageId),
}

impl Round {
    /// The due time of messages that are of this age at a moment. What waits for a receipt is due
    /// when the time for one is over; what is UNKNOWN was due when it became so.
    fn due_at(status: MessageStatus, age_ms: i64, now: UnixMillis, timeout_ms: i64) -> UnixMillis {
        let waits = matches!(status, MessageStatus::Sent | MessageStatus::Enroute);
        now.plus_ms(if waits { timeout_ms } else { 0 } - age_ms)
    }
}

/// How many questions the carrier may be asked until the next look.
fn budget(rate_parts_per_s: f64) -> u64 {
    let per_s = (rate_parts_per_s * RATE_SHARE_MAX).min(QUERIES_PER_S_MAX);
    // At least one, and at most a hundred.
    (per_s * INTERVAL.as_secs_f64()).floor().max(1.0) as u64
}

impl Shared {
    /// Asks for as long as the carrier runs; never, if it cannot be asked.
    pub(super) async fn query_overdue(
        &self,
        queries: Option<mpsc::Sender<StatusQuery>>,
        link: watch::Receiver<LinkState>,
    ) {
        let Some(queries) = queries else { return std::future::pending().await };
        let timeout_ms = self.platform.settings.messages.receipt_timeout_s * 1_000;
        let started = self.platform.clock.now();
        let none = MessageId(Uuid::nil());
        // The oldest first: there are the fewest of them, and it is their last chance.
        let mut rounds: Vec<Round> = AGES_MS
            .into_iter()
            .rev()
            .flat_map(|age_ms| STATUSES.map(|status| (age_ms, status)))
            .map(|(age_ms, status)| {
                let due_at = Round::due_at(status, age_ms, started, timeout_ms);
                Round { status, age_ms, after: (due_at, none) }
            })
            .collect();
        loop {
            self.platform.clock.sleep(INTERVAL).await;
            let LinkState { bound, rate_parts_per_s, .. } = *link.borrow();
            if bound == 0 {
                continue;
            }
            let mut left = budget(rate_parts_per_s);
            for round in &mut rounds {
                match self.ask(round, left, timeout_ms, &queries).await {
                    Ok(asked) => left = left.saturating_sub(asked),
                    Err(error) => tracing::warn!(
                        carrier.id = %self.carrier_id, %error,
                        "cannot look for overdue receipts; trying again"
                    ),
                }
                if left == 0 {
                    break;
                }
            }
        }
    }

    /// Asks about what has come of age since the last time, at most `most` questions.
    async fn ask(
        &self,
        round: &mut Round,
        most: u64,
        timeout_ms: i64,
        queries: &mpsc::Sender<StatusQuery>,
    ) -> Result<u64, DbErr> {
        let now = self.platform.clock.now();
        let until = Round::due_at(round.status, round.age_ms, now, timeout_ms);
        let overdue = self.overdue(round, until, most).await?;
        let asked = overdue.len() as u64;
        round.after = match overdue.last() {
            Some(last) if asked == most => last.key,
            Some(_) | None => (until, MessageId(Uuid::max())),
        };
        for Overdue { query, .. } in overdue {
            // An error means that the carrier ends, and with it this loop.
            let _ = queries.send(query).await;
        }
        Ok(asked)
    }

    /// Messages of the carrier, or their parts, that it has named and not reported on.
    async fn overdue(
        &self,
        round: &Round,
        until: UnixMillis,
        most: u64,
    ) -> Result<Vec<Overdue>, DbErr> {
        let sql = format!(
            "SELECT m.due_at_ms AS due_at_ms, m.id AS id, m.sender AS sender, \
             m.sender_kind AS sender_kind, \
             COALESCE(m.carrier_message_id, s.carrier_message_id) AS carrier_message_id \
             FROM message m LEFT JOIN submission s ON s.account_id = m.account_id \
             AND s.message_id = m.id AND s.attempt = m.attempt AND s.state = {accepted} \
             WHERE {due} AND m.due_at_ms >= $1 AND (m.due_at_ms, m.id) > ($1, $2) \
             AND m.due_at_ms <= $3 AND m.carrier_id = $4 \
             AND COALESCE(m.carrier_message_id, s.carrier_message_id) IS NOT NULL \
             ORDER BY m.due_at_ms, m.id LIMIT {most}",
            accepted = PartState::Accepted.code(),
            due = is_due_in(round.status).replace("status", "m.status"),
        );
        let (due_at, id) = round.after;
        let values = [due_at.0.into(), id.0.into(), until.0.into(), self.carrier_id.0.into()];
        let reader = self.platform.db.reader();
        let backend = reader.get_database_backend();
        let rows =
            reader.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        rows.iter()
            .map(|row| {
                let kind: SenderKind = row.try_get("", "sender_kind")?;
                let query = StatusQuery {
                    carrier_message_id: row.try_get("", "carrier_message_id")?,
                    from: address(row.try_get("", "sender")?, kind),
                };
                Ok(Overdue { key: (row.try_get("", "due_at_ms")?, row.try_get("", "id")?), query })
            })
            .collect()
    }
}

/// A message to ask about.
struct Overdue {
    key: (UnixMillis, MessageId),
    query: StatusQuery,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_cost_a_tenth_of_the_rate_at_most() {
        for (rate, questions) in [
            (0.5, 1),
            (1.0, 1),
            (10.0, 10),
            (55.0, 55),
            (100.0, 100),
            (5_000.0, 100),
            (f64::INFINITY, 100),
        ] {
            assert_eq!(budget(rate), questions, "{rate} parts/s");
        }
    }

    #[test]
    fn the_age_of_a_message_is_read_from_when_it_is_due() {
        let (now, timeout_ms) = (UnixMillis(1_000_000), 500_000);
        let due = |status| Round::due_at(status, 2_000, now, timeout_ms);
        // Sent 2,000 ms ago, and due when the time for its receipt is over.
        assert_eq!(due(MessageStatus::Sent), now.plus_ms(timeout_ms - 2_000));
        assert_eq!(due(MessageStatus::Unknown), now.plus_ms(-2_000));
    }
}
