//! When messages may leave: quiet hours for marketing, and a campaign's time by each recipient's
//! clock. The rules are those of `types::quiet_hours`.
//!
//! What may not leave yet is SCHEDULED for when its window opens, so the queue holds nothing that a
//! claim would have to skip. What is queued expires with its window, for carriers too; where it is
//! worth sending beyond it, [`hold_over`] schedules it for the next one.

use std::collections::{BTreeSet, HashMap};

use entity::enums::{MessageClass, MessageStatus};
use entity::ids::{AccountId, MessageId};
use entity::time::UnixMillis;
use jiff::civil::DateTime;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::accept::{Checked, ItemError};
use super::store::{Changed, returning_changed};
use crate::contacts;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Db, Tx};
use crate::events::{self, Topic};
use crate::types::quiet_hours::{NoSlot, Planner, QuietHours, Slot, Wanted, Zones};

/// Messages of one transaction of [`hold_over`].
const BATCH_MAX: usize = 1_000;
/// Longer than any window is looked at, in ms: a year.
const WINDOW_MS_MAX: i64 = 366 * 24 * 3_600_000;

/// How the messages of a campaign are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// By each recipient's clock; none: at the time that the message itself names.
    pub at_local: Option<DateTime>,
    /// Messages a second at most; none: all at once.
    pub rate_per_s: Option<i32>,
    /// How many of the campaign come before the first of these.
    pub place: i64,
}

impl Timing {
    /// How long after the first of the campaign the one at a place is due, in ms.
    fn behind_ms(self, index: usize) -> i64 {
        let Some(rate) = self.rate_per_s else { return 0 };
        let place = self.place.saturating_add(i64::try_from(index).unwrap_or(i64::MAX));
        place / i64::from(rate.max(1)) * 1_000
    }
}

/// Moves what was checked to when it may leave; what never may is refused.
pub(super) async fn fit(
    ctx: &Ctx,
    account_id: AccountId,
    timing: Timing,
    mut items: Vec<Result<Checked, ItemError>>,
) -> Result<Vec<Result<Checked, ItemError>>, DbErr> {
    let hours = &ctx.settings.quiet_hours.rules;
    let is_bound =
        |item: &Checked| item.class == MessageClass::Marketing && hours.apply_to(&item.country);
    let is_moved = |item: &Checked| timing.at_local.is_some() || is_bound(item);
    let numbers: Vec<Numbered> = items
        .iter()
        .filter_map(|item| item.as_ref().ok())
        .filter(|item| is_moved(item))
        .map(|item| (account_id, item.recipient.e164().to_owned()))
        .collect();
    if numbers.is_empty() {
        return Ok(items);
    }
    let places = Places::find(&ctx.db, numbers).await?;
    let no_hours = QuietHours::default();
    let (mut bound, mut free) = (Planner::new(hours), Planner::new(&no_hours));
    let now = ctx.clock.now();
    for (index, item) in items.iter_mut().enumerate() {
        let Ok(checked) = item else { continue };
        if !is_moved(checked) {
            continue;
        }
        let zones = places.zones(account_id, checked.recipient.e164());
        let local = timing.at_local.and_then(|local| zones.last_at(local));
        let from = local.unwrap_or(checked.due_at).max(now);
        let validity_ms = checked.expires_at.since(checked.due_at);
        let wanted = Wanted { now, from, validity_ms, behind_ms: timing.behind_ms(index) };
        let planner = if is_bound(checked) { &mut bound } else { &mut free };
        match planner.slot(&checked.country, &zones, wanted) {
            Ok(slot) => {
                checked.is_held = is_bound(checked) && slot.due_at > from;
                checked.due_at = slot.due_at;
                checked.expires_at = slot.expires_at;
                checked.valid_until = slot.valid_until;
            }
            Err(NoSlot) => *item = Err(ItemError::no_sending_time(NoSlot)),
        }
    }
    Ok(items)
}

/// Whose contact, and its number in E.164.
type Numbered = (AccountId, String);

/// Where phones may be.
struct Places(HashMap<Numbered, String>);

impl Places {
    /// Looks up what accounts know of these numbers.
    async fn find(db: &Db, numbers: Vec<Numbered>) -> Result<Self, DbErr> {
        Ok(Self(contacts::time_zones(db, numbers.into_iter().collect()).await?))
    }

    /// The zone of the contact, or those that its number may be in.
    fn zones(&self, account_id: AccountId, number: &str) -> Zones {
        let known = self.0.get(&(account_id, number.to_owned()));
        let known = known.and_then(|name| Zones::named(name));
        known.unwrap_or_else(|| Zones::of_number(number.trim_start_matches('+')))
    }
}

/// A message that waits, as far as its time goes.
struct Waiter {
    account_id: AccountId,
    id: MessageId,
    recipient: String,
    country: String,
    due_at: UnixMillis,
    expires_at: UnixMillis,
    valid_until: Option<UnixMillis>,
}

const WAITER: &str = "account_id, id, recipient, country, due_at_ms, expires_at_ms, valid_until_ms";

impl Waiter {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            account_id: row.try_get("", "account_id")?,
            id: row.try_get("", "id")?,
            recipient: row.try_get("", "recipient")?,
            country: row.try_get("", "country")?,
            due_at: row.try_get("", "due_at_ms")?,
            expires_at: row.try_get("", "expires_at_ms")?,
            valid_until: row.try_get("", "valid_until_ms")?,
        })
    }
}

async fn places_of(db: &Db, waiters: &[Waiter]) -> Result<Places, DbErr> {
    let numbers = waiters.iter().map(|it| (it.account_id, it.recipient.clone()));
    Places::find(db, numbers.collect()).await
}

async fn read_waiters(db: &Db, sql: &str, values: Vec<Value>) -> Result<Vec<Waiter>, DbErr> {
    let statement = Statement::from_sql_and_values(db.store().backend(), sql, values);
    let rows = db.reader().query_all_raw(statement).await?;
    rows.iter().map(Waiter::read).collect()
}

/// Messages with the times that they are moved to.
#[derive(Debug, Default)]
pub struct Moves {
    now: UnixMillis,
    moves: Vec<(AccountId, MessageId, Slot)>,
}

const MOVE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("due_at_ms", BulkType::BigInt),
    BulkColumn::new("expires_at_ms", BulkType::BigInt),
    BulkColumn::nullable("valid_until_ms", BulkType::BigInt),
];

impl Moves {
    /// The last of the messages.
    pub(super) fn last(&self) -> Option<MessageId> {
        self.moves.iter().map(|(_, id, _)| *id).max()
    }

    /// Writes the times of those that still stand in the status, which become QUEUED or SCHEDULED.
    pub(super) async fn write(
        &self,
        tx: &Tx,
        from: MessageStatus,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let mut rows = Bulk::new(MOVE_COLUMNS);
        for (account_id, id, slot) in &self.moves {
            let status = match slot.due_at > self.now {
                true => MessageStatus::Scheduled,
                false => MessageStatus::Queued,
            };
            rows.push([
                account_id.0.into(),
                id.0.into(),
                status.code().into(),
                slot.due_at.0.into(),
                slot.expires_at.0.into(),
                slot.valid_until.map(|time| time.0).into(),
            ]);
        }
        let sql = format!(
            "UPDATE message SET status = rows.status, due_at_ms = rows.due_at_ms, \
             expires_at_ms = rows.expires_at_ms, valid_until_ms = rows.valid_until_ms, \
             version = message.version + 1 FROM rows WHERE message.account_id = rows.account_id \
             AND message.id = rows.id AND message.status + 0 = {from} {returning}, \
             message.carrier_id",
            from = from.code(),
            returning = returning_changed(),
        );
        rows.query(tx, &sql, Vec::new()).await
    }
}

/// When the HELD messages of a campaign may leave that goes on: each is worth sending for as long as
/// was left when it was last due. `sql` selects them.
pub(super) async fn plan_release(ctx: &Ctx, sql: &str, values: Vec<Value>) -> Result<Moves, DbErr> {
    let sql = format!("SELECT {WAITER} FROM message {sql}");
    let waiters = read_waiters(&ctx.db, &sql, values).await?;
    let places = places_of(&ctx.db, &waiters).await?;
    let mut planner = Planner::new(&ctx.settings.quiet_hours.rules);
    let now = ctx.clock.now();
    let mut moves = Moves { now, moves: Vec::with_capacity(waiters.len()) };
    for it in waiters {
        let zones = places.zones(it.account_id, &it.recipient);
        let validity_ms = it.valid_until.unwrap_or(it.expires_at).since(it.due_at);
        let wanted = Wanted { now, from: now, validity_ms, behind_ms: 0 };
        // What has no time any more expires at once.
        let none = Slot { due_at: now, expires_at: now, valid_until: None };
        let slot = planner.slot(&it.country, &zones, wanted).unwrap_or(none);
        moves.moves.push((it.account_id, it.id, slot));
    }
    Ok(moves)
}

/// Schedules queued messages anew whose window closed before any carrier took them, if they are worth
/// sending in the next one; the others lose what is left of their validity, so that they expire.
/// Returns how many were scheduled.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn hold_over(ctx: &Ctx) -> Result<u64, DbErr> {
    let mut held = 0;
    loop {
        let now = ctx.clock.now();
        let (moves, over) = plan_next_windows(ctx, now).await?;
        if moves.moves.is_empty() && over.is_empty() {
            return Ok(held);
        }
        let (moves, over) = (&moves, &over);
        let changed = ctx
            .db
            .write(|tx| async move {
                let rows = moves.write(&tx, MessageStatus::Queued).await?;
                let changed: Vec<Changed> =
                    rows.iter().map(Changed::read).collect::<Result<_, _>>()?;
                give_up(&tx, over).await?;
                let events = changed.iter().map(|message| message.event(now)).collect();
                events::append(&tx, events).await?;
                Ok::<_, DbErr>(changed)
            })
            .await?;
        held += changed.len() as u64;
        let accounts: BTreeSet<AccountId> = changed.iter().map(|it| it.account_id).collect();
        for account_id in accounts {
            ctx.doorbell.ring(Topic::Events(account_id));
        }
    }
}

/// What is queued beyond its window: what goes on in another, and what does not.
async fn plan_next_windows(
    ctx: &Ctx,
    now: UnixMillis,
) -> Result<(Moves, Vec<(AccountId, MessageId)>), DbErr> {
    let sql = format!(
        "SELECT {WAITER} FROM message WHERE status = {queued} AND expires_at_ms <= $1 \
         AND valid_until_ms > $1 ORDER BY expires_at_ms LIMIT {BATCH_MAX}",
        queued = MessageStatus::Queued.code(),
    );
    let waiters = read_waiters(&ctx.db, &sql, vec![now.0.into()]).await?;
    let places = places_of(&ctx.db, &waiters).await?;
    let mut planner = Planner::new(&ctx.settings.quiet_hours.rules);
    let (mut moves, mut over) = (Moves { now, moves: Vec::new() }, Vec::new());
    for it in waiters {
        let end = it.valid_until.unwrap_or(it.expires_at);
        let zones = places.zones(it.account_id, &it.recipient);
        // So long that the slot ends where its window does.
        let validity_ms = WINDOW_MS_MAX;
        let wanted = Wanted { now, from: now, validity_ms, behind_ms: 0 };
        match planner.slot(&it.country, &zones, wanted) {
            Ok(slot) if slot.due_at < end => {
                let closes_at = slot.expires_at;
                let slot = Slot {
                    expires_at: closes_at.min(end),
                    valid_until: (end > closes_at).then_some(end),
                    ..slot
                };
                moves.moves.push((it.account_id, it.id, slot));
            }
            Ok(_) | Err(NoSlot) => over.push((it.account_id, it.id)),
        }
    }
    Ok((moves, over))
}

const ID_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];

/// Nothing beyond its window is left of the validity of these.
async fn give_up(tx: &Tx, messages: &[(AccountId, MessageId)]) -> Result<(), DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for (account_id, id) in messages {
        rows.push([account_id.0.into(), id.0.into()]);
    }
    let sql = format!(
        "UPDATE message SET valid_until_ms = NULL FROM rows \
         WHERE message.account_id = rows.account_id AND message.id = rows.id \
         AND message.status + 0 = {queued}",
        queued = MessageStatus::Queued.code(),
    );
    rows.execute(tx, &sql, Vec::new()).await?;
    Ok(())
}
