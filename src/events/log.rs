//! Writing and reading the log.

use std::collections::BTreeMap;

use entity::enums::EventKind;
use entity::event::{self, Model as Event};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::db::{Bulk, BulkColumn, BulkType, Tx};

/// An event that has no sequence number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose log.
    pub account_id: AccountId,
    /// What it tells.
    pub kind: EventKind,
    /// Of which message or inbound message.
    pub subject_id: Uuid,
    /// The status taken, or 0.
    pub status: i16,
    /// The subject's version after it.
    pub version: i32,
    /// What went wrong.
    pub error_code: Option<String>,
    /// When.
    pub occurred_at: UnixMillis,
}

const COUNTER_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("added", BulkType::BigInt)];

const EVENT_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("seq", BulkType::BigInt),
    BulkColumn::new("kind", BulkType::SmallInt),
    BulkColumn::new("subject_id", BulkType::Uuid),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("version", BulkType::Int),
    BulkColumn::nullable("error_code", BulkType::Text),
    BulkColumn::new("occurred_at_ms", BulkType::BigInt),
];

/// Appends `events` in their order, numbered without gaps in each account's log.
///
/// Call it last in a transaction: it takes the counters' row locks, in the order of the accounts,
/// and every other writer of these logs waits for the commit. Two statements for any number of
/// events. Ring [`Topic::Events`](super::Topic) for each account after the commit.
///
/// # Errors
/// The store's own.
pub async fn append(tx: &Tx, events: Vec<NewEvent>) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    let mut next_seq = reserve(tx, &events).await?;
    let mut rows = Bulk::new(EVENT_COLUMNS);
    for event in events {
        let seq = next_seq.get_mut(&event.account_id).ok_or_else(|| {
            DbErr::RecordNotFound(format!("event counter of {}", event.account_id))
        })?;
        rows.push([
            event.account_id.0.into(),
            (*seq).into(),
            event.kind.code().into(),
            event.subject_id.into(),
            event.status.into(),
            event.version.into(),
            event.error_code.into(),
            event.occurred_at.0.into(),
        ]);
        *seq += 1;
    }
    rows.execute(
        tx,
        "INSERT INTO event (account_id, seq, kind, subject_id, status, version, error_code, \
         occurred_at_ms) SELECT account_id, seq, kind, subject_id, status, version, error_code, \
         occurred_at_ms FROM rows",
        Vec::new(),
    )
    .await?;
    Ok(())
}

/// Moves each account's counter on, and returns the first number given to it.
async fn reserve(tx: &Tx, events: &[NewEvent]) -> Result<BTreeMap<AccountId, i64>, DbErr> {
    let mut counts: BTreeMap<AccountId, i64> = BTreeMap::new();
    for event in events {
        *counts.entry(event.account_id).or_default() += 1;
    }
    let mut rows = Bulk::new(COUNTER_COLUMNS);
    for (account_id, added) in &counts {
        rows.push([account_id.0.into(), (*added).into()]);
    }
    // "WHERE true" lets SQLite tell the upsert's ON from a join's. The counters are locked in the
    // order of the accounts, so that two transactions never wait for each other.
    let reserved = rows
        .query(
            tx,
            "INSERT INTO event_counter (account_id, last_seq) \
             SELECT account_id, added FROM rows WHERE true ORDER BY account_id \
             ON CONFLICT (account_id) DO UPDATE \
             SET last_seq = event_counter.last_seq + excluded.last_seq \
             RETURNING account_id, last_seq",
            Vec::new(),
        )
        .await?;
    let mut next_seq = BTreeMap::new();
    for row in reserved {
        let account_id: AccountId = row.try_get("", "account_id")?;
        let last_seq: i64 = row.try_get("", "last_seq")?;
        let added = counts.get(&account_id).copied().unwrap_or_default();
        next_seq.insert(account_id, last_seq - added + 1);
    }
    Ok(next_seq)
}

/// Events of an account after `seq`, in order, at most `limit`.
///
/// # Errors
/// The store's own.
pub async fn read_after<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    seq: i64,
    limit: u64,
) -> Result<Vec<Event>, DbErr> {
    event::Entity::find()
        .filter(event::Column::AccountId.eq(account_id))
        .filter(event::Column::Seq.gt(seq))
        .order_by_asc(event::Column::Seq)
        .limit(limit)
        .all(connection)
        .await
}

/// The changes of status of some messages, each message's in order.
///
/// # Errors
/// The store's own.
pub async fn timeline<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    subjects: &[Uuid],
) -> Result<Vec<Event>, DbErr> {
    event::Entity::find()
        .filter(event::Column::AccountId.eq(account_id))
        .filter(event::Column::SubjectId.is_in(subjects.iter().copied()))
        .filter(event::Column::Kind.eq(EventKind::MessageStatusChanged))
        .order_by_asc(event::Column::SubjectId)
        .order_by_asc(event::Column::Seq)
        .all(connection)
        .await
}

/// The last number given in an account's log; 0 before the first event.
///
/// # Errors
/// The store's own.
pub async fn last_seq<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
) -> Result<i64, DbErr> {
    let counter = entity::event_counter::Entity::find_by_id(account_id).one(connection).await?;
    Ok(counter.map_or(0, |counter| counter.last_seq))
}

/// The oldest number still in an account's log, if there is one: retention removes from the front.
///
/// # Errors
/// The store's own.
pub async fn first_seq<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
) -> Result<Option<i64>, DbErr> {
    event::Entity::find()
        .select_only()
        .column(event::Column::Seq)
        .filter(event::Column::AccountId.eq(account_id))
        .order_by_asc(event::Column::Seq)
        .limit(1)
        .into_tuple()
        .one(connection)
        .await
}
