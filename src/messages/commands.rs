//! What callers do with messages: send, cancel; `estimate` stands beside it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use entity::enums::{AccountStatus, KeyMode, MessageStatus, SenderStatus};
use entity::ids::{AccountId, MessageId};
use entity::time::UnixMillis;
use entity::{account, sender};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};

use super::accept::{Checked, ItemError, NewMessage, Rules, check};
use super::batch::{Batch, StoredResult};
use super::idempotency::{self, Claim};
use super::opt_out;
use super::quiet_hours::{self, Timing};
use super::store::{Changed, RELEASE_HOLD, cancelable_statuses, returning_changed};
use crate::authz::Action;
use crate::billing::{self, Journal, PriceTable, Terms};
use crate::carriers::registry::SIMULATOR_CARRIER_ID;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, TransactionError, Tx};
use crate::error::{Error, Failed};
use crate::events::{self, Topic};
use crate::keys::Purpose;
use crate::routing::{RouteChoice, RouteTable};
use crate::types::phone::Region;
use crate::types::price::PartPrice;

/// Messages of one call of `sendMessages` or `estimateMessages`, and ids of one `cancelMessages`:
/// what one transaction writes within some tens of milliseconds.
pub const BATCH_MAX: usize = 1_000;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
const SEND_OPERATION: &str = "sendMessages";

/// The tables that sending looks things up in, as they are now.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Which carrier serves which numbers.
    pub routes: Arc<RouteTable>,
    /// What a part costs.
    pub prices: Arc<PriceTable>,
}

/// What to send.
#[derive(Clone, Debug, Serialize)]
pub struct SendInput {
    /// 1 to 255 characters, unique for the call; kept for 7 days.
    pub idempotency_key: String,
    /// 1 to 1,000.
    pub messages: Vec<NewMessage>,
}

/// An accepted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// Its id.
    pub id: MessageId,
    /// `Queued` or `Scheduled`, as it was when accepted.
    pub status: MessageStatus,
}

/// What became of each item, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendOutcome {
    /// One an item.
    pub results: Vec<Result<SentMessage, ItemError>>,
    /// Whether this is the answer to an earlier call with the same key.
    pub replayed: bool,
}

/// Why a whole batch was refused; nothing of it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRejection {
    /// No item.
    #[error("name at least one message")]
    Empty,
    /// More than [`BATCH_MAX`] items.
    #[error("at most {BATCH_MAX} messages go into one call")]
    TooMany,
    /// Empty, too long, or with control characters.
    #[error(
        "an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters, none of them a control character"
    )]
    InvalidIdempotencyKey,
    /// The key was used for something else.
    #[error("this idempotency key was used with another input")]
    IdempotencyKeyReused,
    /// The account may not send.
    #[error("the account is suspended")]
    AccountSuspended,
}

/// Accepts messages: each item stands for itself, and what is accepted is durable when this
/// returns. The same key with the same input gives the same answer again, once more or at once.
///
/// # Errors
/// [`BatchRejection`]; nothing is stored then.
pub async fn send(
    ctx: &Ctx,
    tables: &Tables,
    input: SendInput,
) -> Result<SendOutcome, Error<BatchRejection>> {
    let account_id = ctx.actor.require_in_account(Action::SendMessages)?;
    check_batch(input.messages.len())?;
    check_key(&input.idempotency_key)?;
    let input_mac = mac_of(ctx, &input)?;
    let reader = ctx.db.reader();
    let key = input.idempotency_key.as_str();
    match idempotency::look_up(reader, account_id, SEND_OPERATION, key, &input_mac).await? {
        Claim::New => {}
        Claim::Replay(result) => return replay(&result),
        Claim::Reused => return Err(Error::Rejected(BatchRejection::IdempotencyKeyReused)),
    }
    let terms = billing::terms(ctx, account_id).await?;
    let journal = Journal::of_money(account_id, terms.currency);
    let timing = Timing::default();
    let sending = Sending { account_id, mode: mode_of(ctx), terms: &terms, tables, timing };
    let checked = check_items(ctx, sending, input.messages).await?;
    let checked = opt_out::refuse_suppressed(ctx, account_id, checked).await?;
    let batch = Batch::new(ctx, sending, checked);
    let (batch, claim) = match store(ctx, batch, key, input_mac).await? {
        Stored::Claimed(batch, claim) => (batch, claim),
        Stored::Unaffordable(batch) => {
            store_affordable(ctx, journal, batch, key, input_mac).await?
        }
    };
    match claim {
        Claim::New => {
            batch.ring(ctx);
            Ok(SendOutcome {
                results: batch.results.into_iter().map(Into::into).collect(),
                replayed: false,
            })
        }
        Claim::Replay(result) => replay(&result),
        Claim::Reused => Err(Error::Rejected(BatchRejection::IdempotencyKeyReused)),
    }
}

/// What became of a batch's transaction.
enum Stored {
    /// It was written, or the key had been used.
    Claimed(Batch, Claim),
    /// The account has not so much; nothing was written.
    Unaffordable(Batch),
}

/// Ends a transaction whose hold found too little.
pub(super) enum Abandoned {
    /// The account has not so much.
    Unaffordable,
    /// The store failed.
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
            Self::Unaffordable => None,
        }
    }
}

/// Writes a batch under its key, if the account has what it costs.
async fn store(ctx: &Ctx, batch: Batch, key: &str, input_mac: [u8; 32]) -> Result<Stored, Failed> {
    let stored = serde_json::to_string(&batch.results).map_err(Failed::internal)?;
    let (batch_ref, stored) = (&batch, stored.as_str());
    let claim = ctx
        .db
        .write(|tx| async move {
            let claim = claim(&tx, batch_ref, key, input_mac, stored).await?;
            if matches!(claim, Claim::New) && !batch_ref.insert(&tx).await? {
                return Err(Abandoned::Unaffordable);
            }
            Ok(claim)
        })
        .await;
    match claim {
        Ok(claim) => Ok(Stored::Claimed(batch, claim)),
        Err(Abandoned::Unaffordable) => Ok(Stored::Unaffordable(batch)),
        Err(Abandoned::Store(error)) => Err(error.into()),
    }
}

/// Writes what the account can pay of a batch: the wallet is locked first, so that what is seen
/// there is what there is.
async fn store_affordable(
    ctx: &Ctx,
    journal: Journal,
    batch: Batch,
    key: &str,
    input_mac: [u8; 32],
) -> Result<(Batch, Claim), Failed> {
    let whole = &batch;
    let stored = ctx
        .db
        .write(|tx| async move {
            let batch = whole.clone().with_packages(&tx).await?;
            let available = billing::available_locked(&tx, journal).await?;
            let batch = batch.within(available);
            let stored = serde_json::to_string(&batch.results).map_err(Failed::internal)?;
            match claim(&tx, &batch, key, input_mac, &stored).await? {
                Claim::New => {}
                // What packages were promised for goes back with the transaction.
                taken => return Err(Error::Rejected(taken)),
            }
            if !batch.insert(&tx).await? {
                return Err(Failed::internal("a wallet changed under its lock").into());
            }
            Ok(batch)
        })
        .await;
    match stored {
        Ok(batch) => Ok((batch, Claim::New)),
        Err(Error::Rejected(claim)) => Ok((batch, claim)),
        Err(Error::Failed(failed)) => Err(failed),
    }
}

async fn claim(
    tx: &Tx,
    batch: &Batch,
    key: &str,
    input_mac: [u8; 32],
    result: &str,
) -> Result<Claim, DbErr> {
    let (account_id, now) = (batch.account_id(), batch.now);
    let used =
        idempotency::Use { account_id, operation: SEND_OPERATION, key, input_mac, result, now };
    idempotency::claim(tx, &used).await
}

pub(super) fn check_batch(items: usize) -> Result<(), Error<BatchRejection>> {
    match items {
        0 => Err(Error::Rejected(BatchRejection::Empty)),
        1..=BATCH_MAX => Ok(()),
        _ => Err(Error::Rejected(BatchRejection::TooMany)),
    }
}

fn check_key(key: &str) -> Result<(), Error<BatchRejection>> {
    let chars = key.chars().count();
    let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&chars);
    if fits && !key.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(Error::Rejected(BatchRejection::InvalidIdempotencyKey))
    }
}

fn mac_of(ctx: &Ctx, input: &SendInput) -> Result<[u8; 32], Failed> {
    // The mode is part of the input: a test key and a live key may use the same key text.
    let text = zeroize::Zeroizing::new(
        serde_json::to_vec(&(ctx.actor.is_test(), &input.messages)).map_err(Failed::internal)?,
    );
    Ok(ctx.master_key.hash(Purpose::Idempotency, &text))
}

fn replay(result: &str) -> Result<SendOutcome, Error<BatchRejection>> {
    let results: Vec<StoredResult> = serde_json::from_str(result).map_err(Failed::internal)?;
    Ok(SendOutcome { results: results.into_iter().map(Into::into).collect(), replayed: true })
}

/// For whom messages are checked, and by what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending<'a> {
    pub(super) account_id: AccountId,
    /// Whether they are sent or played.
    pub(super) mode: KeyMode,
    pub(super) terms: &'a Terms,
    pub(super) tables: &'a Tables,
    /// How they are spread over time.
    pub(super) timing: Timing,
}

/// Whether what the caller sends is sent or played.
pub(super) fn mode_of(ctx: &Ctx) -> KeyMode {
    if ctx.actor.is_test() { KeyMode::Test } else { KeyMode::Live }
}

/// Checks messages, but for whether their recipients want them, and finds when each may leave.
pub(super) async fn check_items(
    ctx: &Ctx,
    sending: Sending<'_>,
    messages: Vec<NewMessage>,
) -> Result<Vec<Result<Checked, ItemError>>, Error<BatchRejection>> {
    let Sending { account_id, mode, terms, tables, timing } = sending;
    let account = account::Entity::find_by_id(account_id).one(ctx.db.reader()).await?;
    let account = account.ok_or(Failed::Unauthenticated)?;
    if account.status != AccountStatus::Active {
        return Err(Error::Rejected(BatchRejection::AccountSuspended));
    }
    let is_test = mode == KeyMode::Test;
    let approved =
        if is_test { HashSet::new() } else { approved_senders(ctx, account_id, &messages).await? };
    let routed = |digits: &str| tables.routes.choose(digits);
    // A test key shows how the text would be written in earnest.
    let simulated = |digits: &str| {
        let national_languages = routed(digits).map(|route| route.national_languages);
        let national_languages = national_languages.unwrap_or_default();
        Some(RouteChoice { national_languages, ..RouteChoice::from(SIMULATOR_CARRIER_ID) })
    };
    let now = ctx.clock.now();
    let free = |_: &str, _| Some(PartPrice::FREE);
    let priced = |digits: &str, class| {
        tables.prices.price(terms.rate_card_id, terms.currency, digits, class, now)
    };
    let rules = Rules {
        now,
        is_test,
        is_payment_overdue: !is_test && terms.suspended_at.is_some(),
        default_region: account
            .default_region
            .as_deref()
            .and_then(|text| text.parse::<Region>().ok()),
        is_approved: &|value| is_test || approved.contains(value),
        route: if is_test { &simulated } else { &routed },
        price: if is_test || !ctx.settings.billing.charging { &free } else { &priced },
        wait_ms: &|carrier_id, class| tables.routes.wait_ms(carrier_id, class, account_id),
    };
    let checked = messages.into_iter().map(|item| check(item, &rules)).collect();
    Ok(quiet_hours::fit(ctx, account_id, timing, checked).await?)
}

/// Which of the senders in `messages` the account may use, by stored value.
async fn approved_senders(
    ctx: &Ctx,
    account_id: AccountId,
    messages: &[NewMessage],
) -> Result<HashSet<String>, DbErr> {
    let named: BTreeSet<String> = messages
        .iter()
        .map(|message| message.from.as_str())
        .collect::<HashSet<_>>()
        .into_iter()
        .filter_map(|from| crate::types::sender::Sender::parse(from).ok())
        .map(|sender| super::accept::stored_sender(&sender).0)
        .collect();
    let found = sender::Entity::find()
        .select_only()
        .column(sender::Column::Value)
        .filter(sender::Column::AccountId.eq(account_id))
        .filter(sender::Column::Value.is_in(named))
        .filter(sender::Column::Status.eq(SenderStatus::Approved))
        .into_tuple::<String>()
        .all(ctx.db.reader())
        .await?;
    Ok(found.into_iter().collect())
}

/// What became of a wish to cancel one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// It is canceled, now or since an earlier call.
    Canceled,
    /// It is on its way, or over.
    TooLate,
    /// There is no such message.
    NotFound,
}

const ID_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];

/// Cancels what has not begun to leave, each message for itself, and says in the order given what
/// became of each. Canceling again changes nothing.
///
/// # Errors
/// [`BatchRejection::Empty`] and [`BatchRejection::TooMany`].
pub async fn cancel(
    ctx: &Ctx,
    ids: &[MessageId],
) -> Result<Vec<CancelResult>, Error<BatchRejection>> {
    let account_id = ctx.actor.require_in_account(Action::CancelMessages)?;
    check_batch(ids.len())?;
    let now = ctx.clock.now();
    let distinct: &BTreeSet<MessageId> = &ids.iter().copied().collect();
    let changed = ctx
        .db
        .write(|tx| async move {
            let changed = cancel_rows(&tx, account_id, distinct, now).await?;
            let charges = changed.iter().filter_map(|message| message.charge.clone()).collect();
            billing::settle_charges(&tx, &ctx.master_key, now, charges).await?;
            let events = changed.iter().map(|message| message.event(now)).collect();
            events::append(&tx, events).await?;
            Ok::<_, DbErr>(changed)
        })
        .await?;
    if !changed.is_empty() {
        ctx.doorbell.ring(Topic::Events(account_id));
    }
    let statuses = super::queries::statuses(ctx, account_id, distinct).await?;
    let result_of = |id: &MessageId| match statuses.get(id) {
        None => CancelResult::NotFound,
        Some(MessageStatus::Canceled) => CancelResult::Canceled,
        Some(_) => CancelResult::TooLate,
    };
    Ok(ids.iter().map(result_of).collect())
}

async fn cancel_rows(
    tx: &Tx,
    account_id: AccountId,
    ids: &BTreeSet<MessageId>,
    now: UnixMillis,
) -> Result<Vec<Changed>, DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for id in ids {
        rows.push([account_id.0.into(), id.0.into()]);
    }
    let sql = format!(
        "UPDATE message SET status = {canceled}, {RELEASE_HOLD}, version = version + 1, \
         finished_at_ms = {{1}}, \
         error_code = 'CANCELED' FROM rows WHERE message.account_id = rows.account_id \
         AND message.id = rows.id AND message.status + 0 IN ({cancelable}) {returning}",
        returning = returning_changed(),
        canceled = MessageStatus::Canceled.code(),
        cancelable = cancelable_statuses(),
    );
    let changed = rows.query(tx, &sql, vec![now.0.into()]).await?;
    changed.iter().map(Changed::read).collect()
}
