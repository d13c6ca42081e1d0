//! Opting out and in: consent, suppressions, and what waits to be sent, in one transaction.
//!
//! Invariant: once an opt-out is committed, no message that it reaches is claimed for dispatch. The
//! opt-out holds its account's fence alone until its commit, dispatch holds it shared until that of
//! its claim. So a claim either ends before the opt-out begins, and its messages are on their way
//! like those that `cancelMessages` comes too late for; or it begins after the commit, and sees the
//! suppression. Accepting looks too, without the fence: what slips through is canceled at the claim.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use entity::enums::{ConsentKind, ConsentSource, EventKind, MessageStatus, SuppressionReason};
use entity::ids::{AccountId, ConsentEventId, ContactId, SuppressionId};
use entity::time::UnixMillis;
use sea_orm::DbErr;

use super::accept::{Checked, ItemError};
use super::answered::{self, Deed};
use super::store::{Changed, RELEASE_HOLD, cancelable_statuses, returning_changed};
use crate::authz::Action;
use crate::billing;
use crate::carriers::errors::codes;
use crate::contacts::consent::{Addressed, NewStatement};
use crate::contacts::{self, ScopeRef, consent};
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Fence, Tx};
use crate::error::Error;
use crate::events::{self, NewEvent, Topic};
use crate::keys::MasterKey;
use crate::types::phone::PhoneNumber;

/// Numbers of one call of `suppress` or `unsuppress`.
pub const NUMBERS_MAX: usize = 1_000;
/// Characters of the wording of consent.
pub const WORDING_CHARS_MAX: usize = 2_000;
/// Characters of a note.
pub const NOTE_CHARS_MAX: usize = 500;
/// How far ahead of our clock a statement may be dated, in ms: the difference of two clocks.
const AHEAD_MAX_MS: i64 = 5 * 60_000;

/// What statements changed.
#[derive(Debug, Default)]
pub struct Stopped {
    /// What is to be told: of each message that was canceled, and of each person who objected.
    pub(super) events: Vec<NewEvent>,
    /// How many messages were canceled.
    pub(super) canceled: usize,
    /// Suppressions that are new.
    pub(super) made: HashSet<SuppressionId>,
    /// Statements that ended a suppression.
    pub(super) lifted: HashSet<ConsentEventId>,
}

/// Records statements of one or more accounts, with what follows from each: suppressions are made
/// or ended, and what waits to be sent and must not any more is canceled, its holds given back.
/// The caller appends the events, as the last of its transaction.
///
/// # Errors
/// The store's own.
pub async fn record(
    tx: &Tx,
    key: &MasterKey,
    statements: &[NewStatement],
    now: UnixMillis,
) -> Result<Stopped, DbErr> {
    let accounts: BTreeSet<AccountId> = statements.iter().map(|it| it.account_id).collect();
    Fence::Exclusive.take(tx, &accounts).await?;
    consent::append(tx, key, statements, now).await?;
    let mut stopped = Stopped::default();
    let (stops, lifts): (Vec<_>, Vec<_>) = statements
        .iter()
        .cloned()
        .partition(|it| matches!(it.kind, ConsentKind::Withdrawn | ConsentKind::Suppressed));
    if !lifts.is_empty() {
        stopped.lifted = consent::lift(tx, key, &lifts).await?;
    }
    if !stops.is_empty() {
        stopped.made = consent::suppress(tx, key, &stops, now).await?;
        stopped.events = cancel_waiting(tx, key, &stops, now).await?;
        stopped.canceled = stopped.events.len();
        let objections = stops.iter().filter(|it| {
            it.kind == ConsentKind::Withdrawn && stopped.made.contains(&it.suppression_id)
        });
        let deeds: Vec<Deed> = objections.map(deed).collect();
        let told = answered::events(tx, EventKind::OptedOut, &deeds, now).await?;
        stopped.events.extend(told);
    }
    Ok(stopped)
}

/// An objection, as what a person did.
fn deed(statement: &NewStatement) -> Deed {
    let (sender, topic) = match &statement.scope {
        ScopeRef::Account => (None, None),
        ScopeRef::Sender(sender) => (Some(sender.clone()), None),
        ScopeRef::Topic(topic) => (None, Some(topic.clone())),
    };
    Deed {
        account_id: statement.account_id,
        number: statement.number.e164().to_owned(),
        sender,
        topic,
        id: statement.id.0,
    }
}

const REACH_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::Text),
    BulkColumn::nullable("sender", BulkType::Text),
    BulkColumn::nullable("topic", BulkType::Text),
];

/// Cancels what waits to be sent and is reached by statements.
async fn cancel_waiting(
    tx: &Tx,
    key: &MasterKey,
    statements: &[NewStatement],
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let mut rows = Bulk::new(REACH_COLUMNS);
    for it in statements {
        let (sender, topic) = match &it.scope {
            ScopeRef::Account => (None, None),
            ScopeRef::Sender(sender) => (Some(sender.clone()), None),
            ScopeRef::Topic(topic) => (None, Some(topic.clone())),
        };
        rows.push([it.account_id.0.into(), it.number.e164().into(), sender.into(), topic.into()]);
    }
    let condition = format!(
        "message.account_id = rows.account_id AND message.recipient = rows.number \
         AND message.status + 0 IN ({cancelable}) \
         AND (rows.sender IS NULL OR message.sender = rows.sender) \
         AND (rows.topic IS NULL OR message.topic = rows.topic) \
         AND NOT EXISTS (SELECT 1 FROM auto_reply r WHERE r.account_id = message.account_id \
         AND r.message_id = message.id AND r.passes_suppression)",
        cancelable = cancelable_statuses(),
    );
    cancel(tx, key, rows, &condition, now).await
}

/// Cancels the messages that `condition` joins with rows, gives back what is held for them, and
/// returns the events that tell of it.
async fn cancel(
    tx: &Tx,
    key: &MasterKey,
    rows: Bulk<'_>,
    condition: &str,
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let sql = format!(
        "UPDATE message SET status = {canceled}, {RELEASE_HOLD}, version = version + 1, \
         finished_at_ms = {{1}}, error_code = {{2}} FROM rows WHERE {condition} {returning}",
        canceled = MessageStatus::Canceled.code(),
        returning = returning_changed(),
    );
    let code = codes::RECIPIENT_OPTED_OUT;
    let rows = rows.query(tx, &sql, vec![now.0.into(), code.into()]).await?;
    let changed: Vec<Changed> = rows.iter().map(Changed::read).collect::<Result<_, _>>()?;
    let charges = changed.iter().filter_map(|message| message.charge.clone()).collect();
    billing::settle_charges(tx, key, now, charges).await?;
    Ok(changed.iter().map(|message| message.event(now)).collect())
}

const ID_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];

/// Cancels messages that a claim for dispatch found suppressed, by account and id.
pub(super) async fn cancel_queued(
    tx: &Tx,
    key: &MasterKey,
    ids: impl Iterator<Item = (AccountId, entity::ids::MessageId)>,
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for (account_id, id) in ids {
        rows.push([account_id.0.into(), id.0.into()]);
    }
    let condition = format!(
        "message.account_id = rows.account_id AND message.id = rows.id \
         AND message.status + 0 = {}",
        MessageStatus::Queued.code()
    );
    cancel(tx, key, rows, &condition, now).await
}

/// Refuses the items whose recipients are not to be written to: one statement for all.
pub(super) async fn refuse_suppressed(
    ctx: &Ctx,
    account_id: AccountId,
    checked: Vec<Result<Checked, ItemError>>,
) -> Result<Vec<Result<Checked, ItemError>>, DbErr> {
    let numbers = checked.iter().flatten().map(|item| item.recipient.e164());
    let (reader, key) = (ctx.db.reader(), &ctx.master_key);
    let suppressed = consent::suppressed_of(reader, key, account_id, numbers).await?;
    let check = |item: Checked| {
        let message = Addressed {
            account_id,
            recipient: item.recipient.e164(),
            sender: &item.sender,
            topic: item.topic.as_deref(),
        };
        match suppressed.reaches(key, message) {
            true => Err(ItemError::recipient_opted_out()),
            false => Ok(item),
        }
    };
    Ok(checked.into_iter().map(|item| item.and_then(check)).collect())
}

/// Whose number a statement is about.
#[derive(Clone, Debug)]
pub enum Whose {
    /// A contact's.
    Contact(ContactId),
    /// This one, as people write it.
    Number(String),
}

/// A statement of a person, as the account records it.
#[derive(Clone, Debug)]
pub struct RecordedConsent {
    /// Of whom.
    pub whose: Whose,
    /// Whether the person agrees; else it objects.
    pub granted: bool,
    /// What it reaches; none: what was given is no scope.
    pub scope: Option<ScopeRef>,
    /// How it came.
    pub source: ConsentSource,
    /// What the person was shown or said, 1 to 2,000 characters.
    pub wording: String,
    /// The address that it came from.
    pub ip: Option<String>,
    /// When it was said; now if absent.
    pub occurred_at: Option<UnixMillis>,
}

/// Why consent was not recorded, or numbers were not suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentRejection {
    /// There is no contact with this id.
    #[error("there is no such contact")]
    ContactNotFound,
    /// Not a number: its place in the input.
    #[error("not a phone number, or one without its country code")]
    InvalidNumber(usize),
    /// Not a sender or a topic.
    #[error("not a scope: account, a sender or a topic")]
    InvalidScope,
    /// Empty, or too long.
    #[error("the wording is the proof: 1 to {WORDING_CHARS_MAX} characters")]
    InvalidWording,
    /// Not an address.
    #[error("not an IP address")]
    InvalidIp,
    /// In the future.
    #[error("nothing can be said in the future")]
    InFuture,
    /// Empty, or too long.
    #[error("a note has 1 to {NOTE_CHARS_MAX} characters, none of them a control character")]
    InvalidNote,
    /// No number is named.
    #[error("name at least one number")]
    Empty,
    /// More than [`NUMBERS_MAX`].
    #[error("at most {NUMBERS_MAX} numbers go into one call")]
    TooMany,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentOutcome {
    /// The statement, or the last of several.
    pub statement_id: ConsentEventId,
    /// Numbers that are newly suppressed, or newly not.
    pub changed: usize,
    /// Messages that were canceled.
    pub canceled: usize,
}

/// Records what a person said, with the proof: agreement ends the suppression of its scope, an
/// objection makes one and cancels what waits to be sent. Each call is a statement of its own.
///
/// # Errors
/// [`ConsentRejection`], or a failure.
pub async fn record_consent(
    ctx: &Ctx,
    said: RecordedConsent,
) -> Result<ConsentOutcome, Error<ConsentRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageConsent)?;
    let now = ctx.clock.now();
    let scope = said.scope.ok_or(Error::Rejected(ConsentRejection::InvalidScope))?;
    let wording = said.wording.trim().to_owned();
    let has_nul = wording.contains('\0');
    if !(1..=WORDING_CHARS_MAX).contains(&wording.chars().count()) || has_nul {
        return Err(Error::Rejected(ConsentRejection::InvalidWording));
    }
    let ip = match said.ip.as_deref().map(str::parse::<std::net::IpAddr>) {
        None => None,
        Some(Ok(ip)) => Some(ip.to_string()),
        Some(Err(_)) => return Err(Error::Rejected(ConsentRejection::InvalidIp)),
    };
    let occurred_at = said.occurred_at.unwrap_or(now);
    if occurred_at.since(now) > AHEAD_MAX_MS {
        return Err(Error::Rejected(ConsentRejection::InFuture));
    }
    let number = match &said.whose {
        Whose::Number(text) => consent::number_in(ctx, account_id, text)
            .await?
            .ok_or(Error::Rejected(ConsentRejection::InvalidNumber(0)))?,
        Whose::Contact(id) => {
            let found = contacts::by_ids(ctx, &[*id]).await?;
            let contact =
                found.first().ok_or(Error::Rejected(ConsentRejection::ContactNotFound))?;
            PhoneNumber::restore(&contact.number)
                .map_err(|_| Error::Rejected(ConsentRejection::ContactNotFound))?
        }
    };
    let statement = NewStatement {
        id: ctx.ids.next(),
        suppression_id: ctx.ids.next(),
        account_id,
        number,
        kind: if said.granted { ConsentKind::Granted } else { ConsentKind::Withdrawn },
        scope,
        source: said.source,
        wording,
        ip,
        inbound_message_id: None,
        reason: SuppressionReason::OptedOut,
        note: None,
        occurred_at,
    };
    write(ctx, account_id, vec![statement]).await
}

/// Numbers that the account itself stops writing to, or writes to again.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// As people write them, 1 to 1,000.
    pub numbers: Vec<String>,
    /// What is meant; none: what was given is no scope.
    pub scope: Option<ScopeRef>,
    /// Why: 1 to 500 characters.
    pub note: Option<String>,
}

/// Stops writing to numbers, and cancels what waits to be sent to them. Idempotent: numbers that are
/// suppressed already stay so.
///
/// # Errors
/// [`ConsentRejection`]; nothing is changed then. Or a failure.
pub async fn suppress(
    ctx: &Ctx,
    input: Numbers,
    reason: SuppressionReason,
) -> Result<ConsentOutcome, Error<ConsentRejection>> {
    decide(ctx, input, ConsentKind::Suppressed, reason).await
}

/// Writes to numbers again, as far as just this scope kept the account from it. Idempotent.
///
/// # Errors
/// [`ConsentRejection`]; nothing is changed then. Or a failure.
pub async fn unsuppress(
    ctx: &Ctx,
    input: Numbers,
) -> Result<ConsentOutcome, Error<ConsentRejection>> {
    decide(ctx, input, ConsentKind::Lifted, SuppressionReason::Manual).await
}

async fn decide(
    ctx: &Ctx,
    input: Numbers,
    kind: ConsentKind,
    reason: SuppressionReason,
) -> Result<ConsentOutcome, Error<ConsentRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageConsent)?;
    let scope = input.scope.ok_or(Error::Rejected(ConsentRejection::InvalidScope))?;
    match input.numbers.len() {
        0 => return Err(Error::Rejected(ConsentRejection::Empty)),
        1..=NUMBERS_MAX => {}
        _ => return Err(Error::Rejected(ConsentRejection::TooMany)),
    }
    let note = input.note.map(|note| note.trim().to_owned());
    let is_bad = |note: &String| {
        let fits = (1..=NOTE_CHARS_MAX).contains(&note.chars().count());
        !fits || note.chars().any(char::is_control)
    };
    if note.as_ref().is_some_and(is_bad) {
        return Err(Error::Rejected(ConsentRejection::InvalidNote));
    }
    // One a number, whatever ways it is written in.
    let mut numbers: BTreeMap<PhoneNumber, ()> = BTreeMap::new();
    let parsed = consent::numbers_in(ctx, account_id, &input.numbers).await?;
    for (place, number) in parsed.into_iter().enumerate() {
        let number = number.ok_or(Error::Rejected(ConsentRejection::InvalidNumber(place)))?;
        numbers.insert(number, ());
    }
    let now = ctx.clock.now();
    let statement = |number: PhoneNumber| NewStatement {
        id: ctx.ids.next(),
        suppression_id: ctx.ids.next(),
        account_id,
        number,
        kind,
        scope: scope.clone(),
        source: ConsentSource::Account,
        wording: note.clone().unwrap_or_default(),
        ip: None,
        inbound_message_id: None,
        reason,
        note: note.clone(),
        occurred_at: now,
    };
    let statements = numbers.into_keys().map(statement).collect();
    write(ctx, account_id, statements).await
}

/// Records statements of one account, at least one, and tells of what they stopped.
pub(super) async fn write(
    ctx: &Ctx,
    account_id: AccountId,
    statements: Vec<NewStatement>,
) -> Result<ConsentOutcome, Error<ConsentRejection>> {
    let now = ctx.clock.now();
    let statements = &statements;
    let stopped = ctx
        .db
        .write(|tx| async move {
            let mut stopped = record(&tx, &ctx.master_key, statements, now).await?;
            let events = std::mem::take(&mut stopped.events);
            let told = events.len();
            events::append(&tx, events).await?;
            Ok::<_, DbErr>((stopped, told))
        })
        .await?;
    let (stopped, told) = stopped;
    let canceled = stopped.canceled;
    if told > 0 {
        ctx.doorbell.ring(Topic::Events(account_id));
    }
    metrics::counter!("messages_opted_out_total").increment(canceled as u64);
    let statement_id = statements.last().map(|it| it.id);
    Ok(ConsentOutcome {
        statement_id: statement_id.ok_or(Error::Rejected(ConsentRejection::Empty))?,
        changed: stopped.made.len() + stopped.lifted.len(),
        canceled,
    })
}
