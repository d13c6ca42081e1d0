//! Claiming: which messages leave next, fairly, and marked before they do.
//!
//! Lanes go strictly in order: one-time passwords, transactional, marketing. Within a lane tenants
//! share by deficit round robin, counted in parts: each turn every tenant with something due may
//! add an equal share to what it has not used, so a campaign of a million takes its turn like a
//! tenant with one message.

use std::collections::{BTreeSet, HashMap, HashSet};

use entity::enums::{AccountStatus, MessageClass, MessageStatus};
use entity::ids::{AccountId, CampaignId, CarrierId, MessageId};
use entity::message::Model as Message;
use entity::time::UnixMillis;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};

use crate::contacts::consent::{self, Addressed};
use crate::db::{Bulk, BulkColumn, BulkType, Fence, Store, Tx};
use crate::events::NewEvent;
use crate::keys::MasterKey;
use crate::messages::campaigns::{self, Halted};
use crate::messages::{auto_reply, opt_out};

/// Tenants that one turn serves; the next turn goes on behind the last of them.
const TENANTS_MAX: usize = 32;
/// How long the list of tenants with something due serves further claims. On PostgreSQL the entries
/// of messages that left stay in the queue's index until a vacuum, and looking for tenants walks
/// over them: some twenty times a second that is nothing, at each claim it was most of the work.
const TENANTS_AGE_MS_MAX: i64 = 50;
/// How long a tenant's place in the queue is trusted, for the same reason.
const FLOOR_AGE_MS_MAX: i64 = 1_000;
/// How much earlier than the last known first message another one may still turn up: the time from
/// drawing a due time to its commit, and the difference of two nodes' clocks.
const FLOOR_SLACK_MS: i64 = 10_000;
/// The most that a tenant can save up, in parts: one message of the longest kind.
const DEFICIT_PARTS_MAX: i64 = 255;

/// The memory of fairness for one carrier.
#[derive(Debug, Default)]
pub(super) struct Turns {
    lanes: HashMap<MessageClass, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    /// The last tenant served; the next turn starts behind it.
    after: Option<AccountId>,
    /// Tenants that had something due when this was looked up.
    tenants: Vec<AccountId>,
    tenants_at: UnixMillis,
    /// Nothing of the tenant is due before this time.
    floors: HashMap<AccountId, UnixMillis>,
    floors_at: UnixMillis,
    /// Parts that a tenant was due and did not use.
    deficits: HashMap<AccountId, i64>,
}

/// A message that may be claimed.
#[derive(Clone, PartialEq, Eq)]
struct Candidate {
    account_id: AccountId,
    id: MessageId,
    parts: i16,
    due_at: UnixMillis,
    recipient: String,
    sender: String,
    topic: Option<String>,
    campaign_id: Option<CampaignId>,
}

impl Candidate {
    /// As far as suppressions reach it.
    fn addressed(&self) -> Addressed<'_> {
        Addressed {
            account_id: self.account_id,
            recipient: &self.recipient,
            sender: &self.sender,
            topic: self.topic.as_deref(),
        }
    }
}

/// What a claim changed.
#[derive(Debug)]
pub(super) struct Claimed {
    /// What leaves, in the order in which it should.
    pub(super) messages: Vec<Message>,
    /// What was canceled instead, since its recipients object, or held with its campaign: the events
    /// that tell of it.
    pub(super) withheld: Vec<NewEvent>,
}

/// What a claim is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimer<'a> {
    /// Knows the numbers that are not to be written to.
    pub(super) master_key: &'a MasterKey,
    pub(super) carrier_id: CarrierId,
    pub(super) token: i64,
    pub(super) now: UnixMillis,
    /// Messages at most.
    pub(super) limit: usize,
}

impl Claimer<'_> {
    /// Chooses and marks the next messages, in the order in which they should leave, but for those
    /// whose recipients object, which it cancels, and those of paused campaigns. Five short statements for a lane that has
    /// something, one for one that has not.
    pub(super) async fn claim(&self, tx: &Tx, turns: &mut Turns) -> Result<Claimed, DbErr> {
        if tx.store() == Store::Postgres {
            // Statistics lag behind the queue: by them a sort of everything that waits looks as
            // cheap as the queue's index, which has it in order.
            let no_sorts = "SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off";
            tx.execute_unprepared(no_sorts).await?;
        }
        let mut claimed = Vec::new();
        let mut suppressed = Vec::new();
        let mut halted = Halted::default();
        for class in MessageClass::ALL {
            let room = self.limit - claimed.len();
            if room == 0 {
                break;
            }
            let lane = turns.lanes.entry(*class).or_default();
            let chosen = self.choose(tx, *class, lane, room).await?;
            let chosen = self.part_halted(tx, chosen, &mut halted).await?;
            let (free, withheld) = self.part_suppressed(tx, chosen).await?;
            suppressed.extend(withheld);
            claimed.extend(self.mark(tx, &free).await?);
        }
        let keys = suppressed.iter().map(|candidate| (candidate.account_id, candidate.id));
        // Those first that mostly touch no wallet: messages are locked before wallets.
        let mut withheld = campaigns::withhold(tx, self.master_key, &halted, self.now).await?;
        withheld.extend(opt_out::cancel_queued(tx, self.master_key, keys, self.now).await?);
        Ok(Claimed { messages: claimed, withheld })
    }

    /// Takes the fences of the chosen's accounts, which are held until the commit, and puts aside
    /// those whose campaigns are paused or over. Costs a statement only if any is of a campaign.
    async fn part_halted(
        &self,
        tx: &Tx,
        chosen: Vec<Candidate>,
        halted: &mut Halted,
    ) -> Result<Vec<Candidate>, DbErr> {
        let accounts: BTreeSet<AccountId> = chosen.iter().map(|it| it.account_id).collect();
        Fence::Shared.take(tx, &accounts).await?;
        let named = chosen.iter().filter_map(|it| Some((it.account_id, it.campaign_id?)));
        let statuses = campaigns::halted_among(tx, named.collect()).await?;
        if statuses.is_empty() {
            return Ok(chosen);
        }
        let mut free = Vec::with_capacity(chosen.len());
        for it in chosen {
            let status = it.campaign_id.and_then(|id| statuses.get(&(it.account_id, id)));
            match status {
                None => free.push(it),
                Some(status) => halted.add(*status, (it.account_id, it.id)),
            }
        }
        Ok(free)
    }

    /// Parts the chosen whose recipients object from the others: exactly, since the accounts' fences
    /// are held until the commit.
    async fn part_suppressed(
        &self,
        tx: &Tx,
        chosen: Vec<Candidate>,
    ) -> Result<(Vec<Candidate>, Vec<Candidate>), DbErr> {
        let addressed = chosen.iter().map(Candidate::addressed);
        let suppressed = consent::suppressed_among(tx, self.master_key, addressed).await?;
        let is_free = |it: &Candidate| !suppressed.reaches(self.master_key, it.addressed());
        let (mut free, withheld): (Vec<_>, Vec<_>) = chosen.into_iter().partition(is_free);
        if withheld.is_empty() {
            return Ok((free, withheld));
        }
        let accounts = withheld.iter().map(|it| it.account_id).collect();
        let ids = withheld.iter().map(|it| it.id).collect();
        let passing: HashSet<MessageId> =
            auto_reply::passing(tx, accounts, ids).await?.into_iter().collect();
        let (answers, withheld): (Vec<_>, Vec<_>) =
            withheld.into_iter().partition(|it| passing.contains(&it.id));
        free.extend(answers);
        Ok((free, withheld))
    }

    async fn choose(
        &self,
        tx: &Tx,
        class: MessageClass,
        lane: &mut Lane,
        room: usize,
    ) -> Result<Vec<Candidate>, DbErr> {
        if !is_younger(lane.floors_at, self.now, FLOOR_AGE_MS_MAX) {
            lane.floors.clear();
            lane.floors_at = self.now;
        }
        let known =
            !lane.tenants.is_empty() && is_younger(lane.tenants_at, self.now, TENANTS_AGE_MS_MAX);
        let mut candidates = Vec::new();
        if known {
            candidates = self.candidates(tx, class, lane, room).await?;
        }
        if candidates.is_empty() {
            self.look_for_tenants(tx, class, lane).await?;
            if lane.tenants.is_empty() {
                lane.deficits.clear();
                return Ok(Vec::new());
            }
            candidates = self.candidates(tx, class, lane, room).await?;
        }
        for candidate in candidates.iter().rev() {
            // The first of each tenant is left standing: they come in the order of their time.
            let floor = candidate.due_at.plus_ms(-FLOOR_SLACK_MS);
            lane.floors.insert(candidate.account_id, floor);
        }
        Ok(share(candidates, &lane.tenants, &mut lane.deficits, room))
    }

    /// The next tenants in turn that have something in this lane.
    async fn look_for_tenants(
        &self,
        tx: &Tx,
        class: MessageClass,
        lane: &mut Lane,
    ) -> Result<(), DbErr> {
        let mut tenants = self.tenants(tx, class, lane.after).await?;
        if tenants.is_empty() && lane.after.take().is_some() {
            tenants = self.tenants(tx, class, None).await?;
        }
        lane.after = (tenants.len() == TENANTS_MAX).then(|| tenants[TENANTS_MAX - 1]);
        lane.tenants = tenants;
        lane.tenants_at = self.now;
        Ok(())
    }

    /// Tenants with something in this lane, in order, behind `after`: one probe of the queue's
    /// index for each, however much each has waiting. What a suspended account has waiting stays.
    /// Asked for in the whole order of that index, since others have messages by account, too, and
    /// would be walked over all that an account has in other lanes.
    async fn tenants(
        &self,
        tx: &Tx,
        class: MessageClass,
        after: Option<AccountId>,
    ) -> Result<Vec<AccountId>, DbErr> {
        let behind = if after.is_some() { "AND account_id > $3" } else { "" };
        let sql = format!(
            "WITH RECURSIVE tenant(account_id) AS ( \
               SELECT * FROM (SELECT account_id FROM message \
                 WHERE carrier_id = $1 AND class = $2 AND status = {queued} {behind} \
                 ORDER BY account_id, due_at_ms, id LIMIT 1) AS first \
               UNION ALL \
               SELECT (SELECT m.account_id FROM message m \
                 WHERE m.carrier_id = $1 AND m.class = $2 AND m.status = {queued} \
                 AND m.account_id > tenant.account_id \
                 ORDER BY m.account_id, m.due_at_ms, m.id LIMIT 1) \
               FROM tenant WHERE tenant.account_id IS NOT NULL) \
             SELECT account_id FROM tenant WHERE account_id IS NOT NULL AND NOT EXISTS \
               (SELECT 1 FROM account WHERE account.id = tenant.account_id \
               AND account.status <> {active}) LIMIT {TENANTS_MAX}",
            queued = MessageStatus::Queued.code(),
            active = AccountStatus::Active.code(),
        );
        let mut values: Vec<Value> = vec![self.carrier_id.0.into(), class.code().into()];
        values.extend(after.map(|after| Value::from(after.0)));
        let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
        let rows = tx.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get("", "account_id")).collect()
    }

    /// For each tenant what is due first, at most `room` of each; what has expired is left to the sweep.
    async fn candidates(
        &self,
        tx: &Tx,
        class: MessageClass,
        lane: &Lane,
        room: usize,
    ) -> Result<Vec<Candidate>, DbErr> {
        let tenants = &lane.tenants;
        // The share of each, twice over, so that one with less leaves room for the others.
        let each = (2 * room / tenants.len()).clamp(1, room);
        let of_one = |index: usize| {
            format!(
                "SELECT * FROM (SELECT account_id, id, parts, due_at_ms, recipient, sender, topic, \
                 campaign_id FROM message \
                 WHERE carrier_id = $1 AND class = $2 AND account_id = ${} AND status = {} \
                 AND due_at_ms >= ${} AND due_at_ms <= $3 AND expires_at_ms > $3 \
                 ORDER BY due_at_ms, id LIMIT {each}) AS t{index}",
                2 * index + 4,
                MessageStatus::Queued.code(),
                2 * index + 5,
            )
        };
        let sql = (0..tenants.len()).map(of_one).collect::<Vec<_>>().join(" UNION ALL ");
        let mut values: Vec<Value> =
            vec![self.carrier_id.0.into(), class.code().into(), self.now.0.into()];
        for tenant in tenants {
            let floor = lane.floors.get(tenant).copied().unwrap_or_default();
            values.extend([Value::from(tenant.0), floor.0.into()]);
        }
        let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
        let rows = tx.query_all_raw(statement).await?;
        let candidate = |row: &sea_orm::QueryResult| {
            Ok(Candidate {
                account_id: row.try_get("", "account_id")?,
                id: row.try_get("", "id")?,
                parts: row.try_get("", "parts")?,
                due_at: row.try_get("", "due_at_ms")?,
                recipient: row.try_get("", "recipient")?,
                sender: row.try_get("", "sender")?,
                topic: row.try_get("", "topic")?,
                campaign_id: row.try_get("", "campaign_id")?,
            })
        };
        rows.iter().map(candidate).collect()
    }

    /// Marks the chosen as being handed over. Those that were canceled meanwhile stay behind.
    async fn mark(&self, tx: &Tx, chosen: &[Candidate]) -> Result<Vec<Message>, DbErr> {
        const COLUMNS: &[BulkColumn] =
            &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];
        let mut rows = Bulk::new(COLUMNS);
        for candidate in chosen {
            rows.push([candidate.account_id.0.into(), candidate.id.0.into()]);
        }
        let sql = format!(
            "UPDATE message SET status = {sending}, version = version + 1, \
             attempt = attempt + 1, claim_token = {{1}}, submitted_at_ms = {{2}}, \
             due_at_ms = {{2}} FROM rows WHERE message.account_id = rows.account_id \
             AND message.id = rows.id AND message.status + 0 = {queued} RETURNING {columns}",
            sending = MessageStatus::Sending.code(),
            queued = MessageStatus::Queued.code(),
            columns = match tx.store() {
                Store::Postgres => "message.*",
                Store::Sqlite => "*",
            },
        );
        let marked = rows.query(tx, &sql, vec![self.token.into(), self.now.0.into()]).await?;
        let mut by_id = HashMap::with_capacity(marked.len());
        for row in &marked {
            let message = Message::from_query_result(row, "")?;
            by_id.insert(message.id, message);
        }
        Ok(chosen.iter().filter_map(|candidate| by_id.remove(&candidate.id)).collect())
    }
}

/// Whether something of the time `then` is less than `age_ms_max` old; not if the clock went back.
fn is_younger(then: UnixMillis, now: UnixMillis, age_ms_max: i64) -> bool {
    (0..age_ms_max).contains(&now.since(then))
}

/// Deals `room` messages out among the tenants, round by round, each by its share in parts.
/// `candidates` come grouped by tenant, the earliest first.
fn share(
    candidates: Vec<Candidate>,
    tenants: &[AccountId],
    deficits: &mut HashMap<AccountId, i64>,
    room: usize,
) -> Vec<Candidate> {
    let mut waiting: HashMap<AccountId, std::collections::VecDeque<Candidate>> = HashMap::new();
    for candidate in candidates {
        waiting.entry(candidate.account_id).or_default().push_back(candidate);
    }
    deficits.retain(|account_id, _| waiting.contains_key(account_id));
    let mut chosen = Vec::with_capacity(room);
    loop {
        let active = waiting.values().filter(|queue| !queue.is_empty()).count();
        if active == 0 || chosen.len() == room {
            return chosen;
        }
        // What is left is shared anew among those who still have something.
        let quantum = i64::try_from(((room - chosen.len()) / active).max(1)).unwrap_or(i64::MAX);
        for tenant in tenants {
            let Some(queue) = waiting.get_mut(tenant).filter(|queue| !queue.is_empty()) else {
                deficits.remove(tenant);
                continue;
            };
            let deficit = deficits.entry(*tenant).or_default();
            *deficit = (*deficit + quantum).min(quantum.max(DEFICIT_PARTS_MAX));
            while let Some(next) = queue.front()
                && i64::from(next.parts) <= *deficit
                && chosen.len() < room
            {
                *deficit -= i64::from(next.parts);
                chosen.extend(queue.pop_front());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn account(n: u128) -> AccountId {
        AccountId(Uuid::from_u128(n))
    }

    fn queue(account_id: AccountId, count: usize, parts: i16) -> Vec<Candidate> {
        let id = |n: usize| MessageId(Uuid::from_u128(account_id.0.as_u128() * 10_000 + n as u128));
        (0..count)
            .map(|n| Candidate {
                account_id,
                id: id(n),
                parts,
                due_at: UnixMillis(n as i64),
                recipient: String::new(),
                sender: String::new(),
                topic: None,
                campaign_id: None,
            })
            .collect()
    }

    fn counts(chosen: &[Candidate], tenants: &[AccountId]) -> Vec<usize> {
        let count = |tenant| chosen.iter().filter(|chosen| chosen.account_id == tenant).count();
        tenants.iter().copied().map(count).collect()
    }

    #[test]
    fn tenants_share_equally_and_leave_what_they_do_not_need() {
        let tenants = [account(1), account(2), account(3)];
        let waiting =
            [queue(tenants[0], 100, 1), queue(tenants[1], 100, 1), queue(tenants[2], 5, 1)];
        let chosen = share(waiting.concat(), &tenants, &mut HashMap::new(), 65);
        assert_eq!(counts(&chosen, &tenants), [30, 30, 5]);
    }

    #[test]
    fn shares_are_counted_in_parts() {
        let tenants = [account(1), account(2)];
        let mut deficits = HashMap::new();
        let mut parts = [0i64; 2];
        for _ in 0..20 {
            let waiting = [queue(tenants[0], 60, 1), queue(tenants[1], 60, 5)].concat();
            for chosen in share(waiting, &tenants, &mut deficits, 30) {
                parts[usize::from(chosen.account_id == tenants[1])] += i64::from(chosen.parts);
            }
        }
        let ratio = parts[0] as f64 / parts[1] as f64;
        assert!((0.7..1.4).contains(&ratio), "parts by tenant: {parts:?}");
    }

    #[test]
    fn a_long_message_waits_for_its_share_and_goes() {
        let tenants = [account(1), account(2)];
        let waiting = [queue(tenants[0], 2, 10), queue(tenants[1], 2, 1)].concat();
        let chosen = share(waiting, &tenants, &mut HashMap::new(), 4);
        assert_eq!(counts(&chosen, &tenants), [2, 2]);
    }
}
