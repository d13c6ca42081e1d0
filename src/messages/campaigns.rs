//! Messages of campaigns: made by the same checks, prices and holds as those of `commands::send`, in
//! the transaction of whoever expands the campaign; and what becomes of those that wait when a
//! campaign is paused, resumed or canceled. Called by `crate::campaigns` and by dispatch.
//!
//! Pausing and canceling work at once: they hold the account's fence alone until their commit, like
//! an opt-out, and each claim looks under it. A claim then holds or cancels what it chose of a
//! campaign that does not run; the batches of [`move_waiting`] do the same for what nobody chose.

use std::collections::{BTreeSet, HashMap, HashSet};

use entity::enums::{CampaignStatus, KeyMode, MessageStatus};
use entity::ids::{AccountId, CampaignId, CarrierId, ContactId, MessageId};
use entity::time::UnixMillis;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};
use uuid::Uuid;

use super::accept::{ItemError, NewMessage};
use super::batch::{Batch, StoredResult};
use super::commands::{BatchRejection, Sending, Tables, check_items};
use super::estimate::Estimate;
use super::opt_out;
use super::quiet_hours::{self, Moves, Timing};
use super::store::{Changed, RELEASE_HOLD, returning_changed};
use crate::billing;
use crate::carriers::errors::codes;
use crate::ctx::{Ctx, Platform};
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::error::Error;
use crate::events::{NewEvent, Topic};
use crate::keys::MasterKey;
use crate::types::money::Micros;

/// Messages that one call of [`move_waiting`] moves: what one transaction writes within some tens of
/// milliseconds.
pub const MOVED_MAX: usize = 1_000;

/// Of which campaign messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Of {
    /// Whose.
    pub account_id: AccountId,
    /// Which.
    pub campaign_id: CampaignId,
    /// Whether its messages are sent or played.
    pub mode: KeyMode,
    /// How they are spread over time.
    pub timing: Timing,
}

/// To whom a message of a campaign goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct To {
    /// The contact.
    pub contact_id: ContactId,
    /// Its place among the recipients, from 1, as short links name it; none without links.
    pub place: Option<i64>,
    /// Which variant of the campaign's text it gets, from 1; none where there is one text.
    pub variant: Option<i16>,
}

/// Messages of a campaign that can be written: ids are drawn, so that the transaction may run twice.
pub struct Prepared {
    batch: Batch,
    recipients: Vec<To>,
}

/// Checks messages to some contacts as [`send`](super::commands::send) does, each for itself.
///
/// # Errors
/// [`BatchRejection::AccountSuspended`], or a failure.
pub async fn prepare(
    ctx: &Ctx,
    tables: &Tables,
    of: Of,
    items: Vec<(To, NewMessage)>,
) -> Result<Prepared, Error<BatchRejection>> {
    let Of { account_id, campaign_id, mode, timing } = of;
    let terms = billing::terms(ctx, account_id).await?;
    let (recipients, messages): (Vec<_>, Vec<_>) = items.into_iter().unzip();
    let sending = Sending { account_id, mode, terms: &terms, tables, timing };
    let checked = check_items(ctx, sending, messages).await?;
    let checked = opt_out::refuse_suppressed(ctx, account_id, checked).await?;
    let batch = Batch::new(ctx, sending, checked).of_campaign(campaign_id, &recipients);
    Ok(Prepared { batch, recipients })
}

/// Says what messages of a campaign would take, by the same checks as [`prepare`], in money: packages
/// may pay for some of it. Stores nothing.
///
/// # Errors
/// [`BatchRejection::AccountSuspended`], or a failure.
pub async fn estimate(
    ctx: &Ctx,
    tables: &Tables,
    of: Of,
    messages: Vec<NewMessage>,
) -> Result<Vec<Result<Estimate, ItemError>>, Error<BatchRejection>> {
    let Of { account_id, mode, timing, .. } = of;
    let terms = billing::terms(ctx, account_id).await?;
    let sending = Sending { account_id, mode, terms: &terms, tables, timing };
    let checked = check_items(ctx, sending, messages).await?;
    let checked = opt_out::refuse_suppressed(ctx, account_id, checked).await?;
    Ok(checked.into_iter().map(|item| item.map(|item| Estimate::of(item, None))).collect())
}

impl Prepared {
    /// Contacts that get no message, and why.
    pub fn refusals(&self) -> impl Iterator<Item = (ContactId, &ItemError)> {
        self.batch.results.iter().zip(&self.recipients).filter_map(|(result, to)| match result {
            StoredResult::Error(error) => Some((to.contact_id, error)),
            StoredResult::Message(_) => None,
        })
    }

    /// How many messages there are, and what they cost; none if that is beyond 64 bits.
    pub fn total(&self) -> (usize, Option<Micros>) {
        self.batch.total()
    }

    /// Writes the messages, and holds what they cost. False if the account has not that much: then
    /// the transaction must be rolled back.
    ///
    /// # Errors
    /// The store's own.
    pub async fn insert(&self, tx: &Tx) -> Result<bool, DbErr> {
        self.batch.insert(tx).await
    }

    /// Wakes carriers and subscribers: call it after the commit.
    pub fn ring(&self, ctx: &Ctx) {
        self.batch.ring(ctx);
    }
}

/// What is to become of messages that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// QUEUED becomes HELD: the campaign is paused.
    Hold,
    /// HELD becomes QUEUED, due now, and is worth sending for as long as was left when it was last
    /// due.
    Release,
    /// What has not left is CANCELED, and its hold given back.
    Cancel,
}

impl Wish {
    const fn takes(self) -> &'static [MessageStatus] {
        use MessageStatus::{Held, Queued, Scheduled};
        match self {
            Self::Hold => &[Queued],
            Self::Release => &[Held],
            Self::Cancel => &[Queued, Held, Scheduled],
        }
    }

    /// `{now}` and `{code}` stand for values.
    fn change(self, now: &str, code: &str) -> String {
        match self {
            Self::Hold => {
                format!("status = {}, version = version + 1", MessageStatus::Held.code())
            }
            Self::Release => format!(
                "status = {}, version = version + 1, \
                 expires_at_ms = {now} + (expires_at_ms - due_at_ms), due_at_ms = {now}",
                MessageStatus::Queued.code()
            ),
            Self::Cancel => format!(
                "status = {}, {RELEASE_HOLD}, version = version + 1, finished_at_ms = {now}, \
                 error_code = {code}",
                MessageStatus::Canceled.code()
            ),
        }
    }
}

/// Which waiting messages are to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Whose.
    pub account_id: AccountId,
    /// Of which campaign.
    pub campaign_id: CampaignId,
    /// What is to become of them.
    pub wish: Wish,
    /// Only those with this id or a later one: the campaign has none before.
    pub from: MessageId,
}

/// What [`move_waiting`] did.
#[derive(Debug, Default)]
pub struct Moved {
    /// To be appended to the log, as the last of the transaction.
    pub events: Vec<NewEvent>,
    /// The last message that was moved: go on from here.
    pub last: Option<MessageId>,
    carriers: BTreeSet<CarrierId>,
}

impl Moved {
    /// Wakes carriers and subscribers: call it after the commit.
    pub fn ring(&self, platform: &Platform, account_id: AccountId) {
        if self.last.is_none() {
            return;
        }
        platform.doorbell.ring(Topic::Events(account_id));
        for carrier_id in &self.carriers {
            platform.doorbell.ring(Topic::Queue(*carrier_id));
        }
    }
}

/// Moves messages of a campaign that wait, at most [`MOVED_MAX`], the oldest first; none left if it
/// moves none.
///
/// # Errors
/// The store's own.
pub async fn move_waiting(
    tx: &Tx,
    key: &MasterKey,
    waiting: Waiting,
    now: UnixMillis,
) -> Result<Moved, DbErr> {
    for status in waiting.wish.takes() {
        let rows = move_from(tx, waiting, *status, now).await?;
        if rows.is_empty() {
            continue;
        }
        let changed: Vec<Changed> = rows.iter().map(Changed::read).collect::<Result<_, _>>()?;
        let charges = changed.iter().filter_map(|message| message.charge.clone()).collect();
        billing::settle_charges(tx, key, now, charges).await?;
        let carriers = match waiting.wish {
            Wish::Release => rows
                .iter()
                .map(|row| row.try_get("", "carrier_id"))
                .collect::<Result<BTreeSet<CarrierId>, DbErr>>()?,
            Wish::Hold | Wish::Cancel => BTreeSet::new(),
        };
        return Ok(Moved {
            events: changed.iter().map(|message| message.event(now)).collect(),
            last: changed.iter().map(|message| message.id).max(),
            carriers,
        });
    }
    Ok(Moved::default())
}

/// Plans what [`Wish::Release`] does where quiet hours are to be kept: it is written by
/// [`release_planned`].
///
/// # Errors
/// The store's own.
pub async fn plan_release(ctx: &Ctx, waiting: Waiting) -> Result<Moves, DbErr> {
    let sql = format!(
        "WHERE account_id = $1 AND status = {held} AND campaign_id IS NOT DISTINCT FROM $2 \
         AND id >= $3 ORDER BY id LIMIT {MOVED_MAX}",
        held = MessageStatus::Held.code(),
    );
    let values: Vec<Value> =
        vec![waiting.account_id.0.into(), waiting.campaign_id.0.into(), waiting.from.0.into()];
    quiet_hours::plan_release(ctx, &sql, values).await
}

/// Moves HELD messages to their times: QUEUED if that is now, else SCHEDULED.
///
/// # Errors
/// The store's own.
pub async fn release_planned(tx: &Tx, moves: &Moves, now: UnixMillis) -> Result<Moved, DbErr> {
    let rows = moves.write(tx, MessageStatus::Held).await?;
    let changed: Vec<Changed> = rows.iter().map(Changed::read).collect::<Result<_, _>>()?;
    let carriers =
        rows.iter().map(|row| row.try_get("", "carrier_id")).collect::<Result<_, DbErr>>()?;
    let events = changed.iter().map(|message| message.event(now)).collect();
    Ok(Moved { events, last: moves.last(), carriers })
}

async fn move_from(
    tx: &Tx,
    waiting: Waiting,
    status: MessageStatus,
    now: UnixMillis,
) -> Result<Vec<QueryResult>, DbErr> {
    // Compared so that PostgreSQL does not take the index of campaigns, which would walk over all of
    // a campaign's messages for each batch.
    let sql = format!(
        "UPDATE message SET {change} WHERE (account_id, id) IN \
         (SELECT account_id, id FROM message WHERE account_id = $1 AND status = {from} \
         AND campaign_id IS NOT DISTINCT FROM $2 AND id >= $3 ORDER BY id LIMIT {MOVED_MAX}) \
         AND status + 0 = {from} {returning}, message.carrier_id",
        change = waiting.wish.change("$4", "$5"),
        from = status.code(),
        returning = returning_changed(),
    );
    let mut values: Vec<Value> =
        vec![waiting.account_id.0.into(), waiting.campaign_id.0.into(), waiting.from.0.into()];
    if waiting.wish != Wish::Hold {
        values.push(now.0.into());
    }
    if waiting.wish == Wish::Cancel {
        values.push(codes::CANCELED.into());
    }
    tx.query_all_raw(Statement::from_sql_and_values(tx.store().backend(), sql, values)).await
}

/// The least id of a message made at a time or later.
pub fn first_message_at(time: UnixMillis) -> MessageId {
    let ms = u64::try_from(time.0).unwrap_or(0) & 0xffff_ffff_ffff;
    MessageId(Uuid::from_u64_pair(ms << 16, 0))
}

type CampaignKey = (AccountId, CampaignId);
type MessageKey = (AccountId, MessageId);

/// What a claim chose of campaigns that do not run.
#[derive(Debug, Default)]
pub(super) struct Halted {
    paused: Vec<MessageKey>,
    over: Vec<MessageKey>,
}

impl Halted {
    /// Puts a message aside whose campaign has this status.
    pub(super) fn add(&mut self, status: CampaignStatus, message: MessageKey) {
        match status {
            CampaignStatus::Canceled | CampaignStatus::Failed => self.over.push(message),
            _ => self.paused.push(message),
        }
    }
}

const CAMPAIGN_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("campaign_id", BulkType::Uuid),
];

/// Those of some campaigns of which nothing may leave, with their status. Asks nothing if there are
/// none.
pub(super) async fn halted_among(
    tx: &Tx,
    campaigns: HashSet<CampaignKey>,
) -> Result<HashMap<CampaignKey, CampaignStatus>, DbErr> {
    let mut rows = Bulk::new(CAMPAIGN_COLUMNS);
    for (account_id, campaign_id) in campaigns {
        rows.push([account_id.0.into(), campaign_id.0.into()]);
    }
    let sql = format!(
        "SELECT c.account_id, c.id, c.status FROM rows CROSS JOIN campaign c \
         WHERE c.account_id = rows.account_id AND c.id = rows.campaign_id \
         AND c.status IN ({}, {}, {})",
        CampaignStatus::Paused.code(),
        CampaignStatus::Canceled.code(),
        CampaignStatus::Failed.code(),
    );
    let found = rows.query(tx, &sql, Vec::new()).await?;
    found
        .iter()
        .map(|row| {
            let key = (row.try_get("", "account_id")?, row.try_get("", "id")?);
            Ok((key, row.try_get("", "status")?))
        })
        .collect()
}

const MESSAGE_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];

/// Holds and cancels what a claim put aside, and returns the events that tell of it.
pub(super) async fn withhold(
    tx: &Tx,
    key: &MasterKey,
    halted: &Halted,
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let mut events = Vec::new();
    for (wish, messages) in [(Wish::Hold, &halted.paused), (Wish::Cancel, &halted.over)] {
        let mut rows = Bulk::new(MESSAGE_COLUMNS);
        for (account_id, id) in messages {
            rows.push([account_id.0.into(), id.0.into()]);
        }
        let sql = format!(
            "UPDATE message SET {change} FROM rows WHERE message.account_id = rows.account_id \
             AND message.id = rows.id AND message.status + 0 = {queued} {returning}",
            change = wish.change("{1}", "{2}"),
            queued = MessageStatus::Queued.code(),
            returning = returning_changed(),
        );
        let extra = match wish {
            Wish::Cancel => vec![now.0.into(), codes::CANCELED.into()],
            Wish::Hold | Wish::Release => Vec::new(),
        };
        let rows = rows.query(tx, &sql, extra).await?;
        let changed: Vec<Changed> = rows.iter().map(Changed::read).collect::<Result<_, _>>()?;
        let charges = changed.iter().filter_map(|message| message.charge.clone()).collect();
        billing::settle_charges(tx, key, now, charges).await?;
        events.extend(changed.iter().map(|message| message.event(now)));
    }
    Ok(events)
}
