//! Folds the event log into the roll-ups.
//!
//! What is new is read outside any transaction, since the log never changes: the events, the rows of
//! their messages, and of messages that were counted before their earlier events, unless they are
//! remembered. Then one transaction moves the cursors by compare-and-set and adds the sums. Whoever loses the race, or is
//! killed on the way, has changed nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use entity::enums::{EventKind, MessageStatus};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::{DbErr, QueryResult};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::model::Kind;
use super::recent::{Known, Recent};
use super::store::{self, Behind};
use super::timeline::{Deed, Engagement, Facts, Life, Step, Tally, accepted_at};
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Db, TransactionError};
use crate::types::money::Micros;

/// Events of one transaction, over all accounts: what is held in memory, some megabytes.
const EVENTS_MAX: i64 = 10_000;
/// Accounts looked at by one statement, and folded by one transaction.
const ACCOUNTS_MAX: u64 = 500;

/// Folds the logs, and remembers messages that are under way.
#[derive(Debug, Default)]
pub struct Folder {
    recent: Mutex<Recent>,
}

impl Folder {
    /// Folds all that the logs hold. Returns how many events.
    ///
    /// # Errors
    /// The store's own; what was committed before stays.
    pub async fn fold(&self, ctx: &Ctx) -> Result<u64, DbErr> {
        let mut recent = self.recent.lock().await;
        let mut folded = 0;
        loop {
            let pass = fold_all_accounts(ctx, &mut recent).await?;
            folded += pass.events;
            // What comes during a pass waits for the next run, unless there is much of it.
            if !pass.is_cut_short {
                return Ok(folded);
            }
        }
    }
}

/// What a walk through all accounts did.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    events: u64,
    /// An account has more than fits into a transaction.
    is_cut_short: bool,
}

/// Each account in its turn gets at most a transaction's worth, so that one with much to fold does
/// not keep the others waiting.
async fn fold_all_accounts(ctx: &Ctx, recent: &mut Recent) -> Result<Pass, DbErr> {
    let mut pass = Pass::default();
    let mut after = AccountId(Uuid::nil());
    loop {
        let behind = store::behind(&ctx.db, after, ACCOUNTS_MAX).await?;
        let Some(last) = behind.last() else { return Ok(pass) };
        after = last.account_id;
        pass.is_cut_short |= behind.iter().any(|it| it.last - it.folded > EVENTS_MAX);
        for batch in batches(&behind) {
            pass.events += fold_batch(ctx, &batch, recent).await?;
        }
    }
}

/// Cuts what is behind into transactions of [`EVENTS_MAX`]; of each account at most so many.
fn batches(behind: &[Behind]) -> Vec<Vec<Behind>> {
    let mut batches: Vec<Vec<Behind>> = Vec::new();
    let mut room = 0;
    for it in behind {
        let taken = Behind { last: it.last.min(it.folded + EVENTS_MAX), ..*it };
        let events = taken.last - taken.folded;
        match batches.last_mut().filter(|_| events <= room) {
            Some(batch) => batch.push(taken),
            None => {
                batches.push(vec![taken]);
                room = EVENTS_MAX;
            }
        }
        room -= events;
    }
    batches
}

/// Ends a transaction that found a cursor elsewhere.
enum Abandoned {
    Overtaken,
    Store(DbErr),
}

impl From<DbErr> for Abandoned {
    fn from(error: DbErr) -> Self {
        Self::Store(error)
    }
}

impl TransactionError for Abandoned {
    fn store_error(&self) -> Option<&DbErr> {
        match self {
            Self::Store(error) => Some(error),
            Self::Overtaken => None,
        }
    }
}

/// Folds one transaction's worth. Says how many events; none if another worker did.
async fn fold_batch(ctx: &Ctx, batch: &[Behind], recent: &mut Recent) -> Result<u64, DbErr> {
    recent.check(batch);
    let (tally, learned) = tally(&ctx.db, batch, recent).await?;
    let tally = &tally;
    let now = ctx.clock.now();
    let settings = &ctx.settings.metrics;
    let written = ctx
        .db
        .write(|tx| async move {
            if !store::move_cursors(&tx, batch).await? {
                return Err(Abandoned::Overtaken);
            }
            store::write(&tx, settings, now, tally).await?;
            Ok(())
        })
        .await;
    match written {
        Ok(()) => {
            recent.learn(batch, learned, now);
            let events = batch.iter().map(|it| it.last - it.folded).sum::<i64>();
            Ok(u64::try_from(events).unwrap_or_default())
        }
        Err(Abandoned::Overtaken) => {
            tracing::debug!("another worker folded the same events");
            Ok(0)
        }
        Err(Abandoned::Store(error)) => Err(error),
    }
}

type Subject = (AccountId, Uuid);

/// Adds up what the logs tell between the cursors and the ends of the batch, and says what became
/// of each message.
async fn tally(
    db: &Db,
    batch: &[Behind],
    recent: &Recent,
) -> Result<(Tally, Vec<(Uuid, Known)>), DbErr> {
    let New { steps: new, deeds } = read_new(db, batch).await?;
    let remembered = |subject: &Subject| recent.get(subject.0, subject.1);
    let forgotten = || new.iter().filter(|(subject, _)| remembered(subject).is_none());
    // What people did is counted by the kind of the message that it answers.
    let answered = deeds.iter().map(Deed::subject).filter(|it| remembered(it).is_none());
    let asked: BTreeSet<Subject> =
        forgotten().map(|(subject, _)| *subject).chain(answered).collect();
    let messages = read_messages(db, asked.into_iter()).await?;
    let began_before = forgotten()
        .filter(|(_, steps)| steps.first().is_some_and(|step| step.version > 1))
        .map(|(subject, _)| *subject);
    let before = read_before(db, batch, began_before).await?;
    let uncharged = new.keys().copied().filter(|subject| {
        remembered(subject).is_some_and(|known| known.facts.charged_version.is_none())
    });
    let charges = read_charges(db, uncharged).await?;
    let mut tally = Tally::default();
    let mut learned = Vec::with_capacity(new.len());
    for (subject, steps) in &new {
        let mut known = match (remembered(subject), messages.get(subject)) {
            (Some(known), _) => known.clone(),
            (None, Some(facts)) => {
                let life = Life::of(facts, before.get(subject).into_iter().flatten());
                Known { facts: facts.clone(), life, told_at: UnixMillis(0) }
            }
            // Only a message that is gone with its account leaves its events behind.
            (None, None) => continue,
        };
        if let Some(charge) = charges.get(subject) {
            (known.facts.charged, known.facts.charged_version) = *charge;
        }
        tally.go_on(&known.facts, &mut known.life, steps);
        known.told_at = steps.last().map_or(known.told_at, |step| step.at);
        learned.push((subject.1, known));
    }
    for deed in &deeds {
        let facts = remembered(&deed.subject()).map(|known| &known.facts);
        tally.engage(facts.or_else(|| messages.get(&deed.subject())), deed);
    }
    Ok((tally, learned))
}

const WINDOW_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("folded", BulkType::BigInt),
    BulkColumn::new("last", BulkType::BigInt),
];

const STEP: &str = "event.account_id, event.subject_id, event.status, event.version, \
    event.error_code, event.occurred_at_ms";

/// What the logs tell.
struct New {
    /// What became of messages, by message.
    steps: BTreeMap<Subject, Vec<Step>>,
    /// What people did.
    deeds: Vec<Deed>,
}

async fn read_new(db: &Db, batch: &[Behind]) -> Result<New, DbErr> {
    let mut rows = Bulk::new(WINDOW_COLUMNS);
    for it in batch {
        rows.push([it.account_id.0.into(), it.folded.into(), it.last.into()]);
    }
    let sql = format!(
        "SELECT event.kind, {STEP} FROM rows CROSS JOIN event \
         WHERE event.account_id = rows.account_id AND event.seq > rows.folded \
         AND event.seq <= rows.last AND event.kind IN ({changed}, {out}, {reply}, {click}, {first}) \
         ORDER BY event.account_id, event.seq",
        changed = EventKind::MessageStatusChanged.code(),
        out = EventKind::OptedOut.code(),
        reply = EventKind::Replied.code(),
        click = EventKind::LinkClicked.code(),
        first = EventKind::RecipientClicked.code(),
    );
    let mut rows = rows.read(db, &sql, Vec::new()).await?;
    let mut deeds = Vec::new();
    let mut bad = None;
    rows.retain(|row| match read_deed(row) {
        Ok(None) => true,
        Ok(Some(deed)) => {
            deeds.push(deed);
            false
        }
        Err(error) => {
            bad = Some(error);
            false
        }
    });
    match bad {
        Some(error) => Err(error),
        None => Ok(New { steps: steps_by_subject(&rows)?, deeds }),
    }
}

/// What a person did, if an event tells of that.
fn read_deed(row: &QueryResult) -> Result<Option<Deed>, DbErr> {
    let what = match row.try_get("", "kind")? {
        EventKind::OptedOut => Engagement::OptOut,
        EventKind::Replied => Engagement::Reply,
        EventKind::LinkClicked => Engagement::Click,
        EventKind::RecipientClicked => Engagement::FirstClick,
        _ => return Ok(None),
    };
    Ok(Some(Deed {
        account_id: row.try_get("", "account_id")?,
        subject_id: row.try_get("", "subject_id")?,
        what,
        at: row.try_get("", "occurred_at_ms")?,
    }))
}

const BEFORE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("subject_id", BulkType::Uuid),
    BulkColumn::new("folded", BulkType::BigInt),
];

/// What was told of these messages before the batch.
async fn read_before(
    db: &Db,
    batch: &[Behind],
    subjects: impl Iterator<Item = Subject>,
) -> Result<BTreeMap<Subject, Vec<Step>>, DbErr> {
    let folded: HashMap<AccountId, i64> =
        batch.iter().map(|it| (it.account_id, it.folded)).collect();
    let mut rows = Bulk::new(BEFORE_COLUMNS);
    for (account_id, subject_id) in subjects {
        let folded = folded.get(&account_id).copied().unwrap_or_default();
        rows.push([account_id.0.into(), subject_id.into(), folded.into()]);
    }
    let sql = format!(
        "SELECT {STEP} FROM rows CROSS JOIN event WHERE event.account_id = rows.account_id \
         AND event.subject_id = rows.subject_id AND event.seq <= rows.folded \
         AND event.kind = {changed} ORDER BY event.account_id, event.subject_id, event.seq",
        changed = EventKind::MessageStatusChanged.code(),
    );
    steps_by_subject(&rows.read(db, &sql, Vec::new()).await?)
}

fn steps_by_subject(rows: &[QueryResult]) -> Result<BTreeMap<Subject, Vec<Step>>, DbErr> {
    let mut steps: BTreeMap<Subject, Vec<Step>> = BTreeMap::new();
    for row in rows {
        let subject = (row.try_get("", "account_id")?, row.try_get("", "subject_id")?);
        let status: i16 = row.try_get("", "status")?;
        let status = MessageStatus::from_code(status)
            .ok_or_else(|| DbErr::Type(format!("an event with status {status}")))?;
        steps.entry(subject).or_default().push(Step {
            status,
            version: row.try_get("", "version")?,
            error_code: row.try_get("", "error_code")?,
            at: row.try_get::<UnixMillis>("", "occurred_at_ms")?,
        });
    }
    Ok(steps)
}

const ID_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];

async fn read_messages(
    db: &Db,
    subjects: impl Iterator<Item = Subject>,
) -> Result<HashMap<Subject, Facts>, DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for (account_id, id) in subjects {
        rows.push([account_id.0.into(), id.into()]);
    }
    let sql = "SELECT message.account_id, message.id, message.is_test, message.country, \
        message.carrier_id, message.route_id, message.sender, message.class, message.currency, \
        message.purse, message.parts, message.unit_price_nanos, message.price_micros, \
        message.charged_micros, message.charged_version, message.campaign_id, message.variant \
        FROM rows CROSS JOIN message WHERE message.account_id = rows.account_id AND message.id = rows.id";
    let rows = rows.read(db, sql, Vec::new()).await?;
    let mut kinds = HashSet::new();
    rows.iter()
        .map(|row| {
            let subject = (row.try_get("", "account_id")?, row.try_get("", "id")?);
            Ok((subject, facts(row, &mut kinds)?))
        })
        .collect()
}

type Charge = (Option<Micros>, Option<i32>);

/// What has come to be known of the charges of messages whose rows were read before.
async fn read_charges(
    db: &Db,
    subjects: impl Iterator<Item = Subject>,
) -> Result<HashMap<Subject, Charge>, DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for (account_id, id) in subjects {
        rows.push([account_id.0.into(), id.into()]);
    }
    let sql = "SELECT message.account_id, message.id, message.charged_micros, \
        message.charged_version FROM rows CROSS JOIN message \
        WHERE message.account_id = rows.account_id AND message.id = rows.id \
        AND message.charged_version IS NOT NULL";
    let rows = rows.read(db, sql, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let subject = (row.try_get("", "account_id")?, row.try_get("", "id")?);
            Ok((subject, charge(row)?))
        })
        .collect()
}

fn charge(row: &QueryResult) -> Result<Charge, DbErr> {
    let charged = row.try_get::<Option<i64>>("", "charged_micros")?.map(Micros);
    Ok((charged, row.try_get("", "charged_version")?))
}

/// A message's row; messages of one kind share it.
fn facts(row: &QueryResult, kinds: &mut HashSet<Arc<Kind>>) -> Result<Facts, DbErr> {
    let kind = Kind {
        is_test: row.try_get("", "is_test")?,
        country: row.try_get("", "country")?,
        carrier_id: row.try_get("", "carrier_id")?,
        route_id: row.try_get("", "route_id")?,
        sender: row.try_get("", "sender")?,
        class: row.try_get("", "class")?,
        currency: row.try_get("", "currency")?,
        purse: row.try_get("", "purse")?,
        campaign_id: row.try_get("", "campaign_id")?,
    };
    let kind = match kinds.get(&kind) {
        Some(kind) => Arc::clone(kind),
        None => {
            let kind = Arc::new(kind);
            kinds.insert(Arc::clone(&kind));
            kind
        }
    };
    let (charged, charged_version) = charge(row)?;
    Ok(Facts {
        account_id: row.try_get("", "account_id")?,
        accepted_at: accepted_at(row.try_get("", "id")?),
        kind,
        variant: row.try_get("", "variant")?,
        parts: row.try_get("", "parts")?,
        unit_price: row.try_get("", "unit_price_nanos")?,
        price: Micros(row.try_get("", "price_micros")?),
        charged,
        charged_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(account: u128, folded: i64, last: i64) -> Behind {
        Behind { account_id: AccountId(Uuid::from_u128(account)), folded, last }
    }

    #[test]
    fn batches_are_full_and_share_what_is_too_much() {
        let all = [behind(1, 0, 9_000), behind(2, 5, 905), behind(3, 0, 500), behind(4, 0, 40_000)];
        let cut = batches(&all);
        assert_eq!(
            cut,
            [
                vec![behind(1, 0, 9_000), behind(2, 5, 905)],
                vec![behind(3, 0, 500)],
                vec![behind(4, 0, EVENTS_MAX)],
            ]
        );
    }
}
