//! Keywords in messages from phones: what they change at once, and the answers that follow.
//!
//! Opting out and in happens in the transaction that stores the message, so a carrier's
//! acknowledgement says that it was heeded. The answer is noted there too, as a row with the inbound
//! message's id, and sent from it by [`answer_pending`]: the row is taken and the message stored in
//! one transaction, so each is answered once, whatever crashes.
//!
//! Answers to opting out, opting in and asking for help pass suppressions; the account's own do not.

use entity::auto_reply::{ActiveModel, Column, Entity, Model};
use entity::enums::{
    AutoReplyState, ConsentKind, ConsentSource, KeyMode, KeywordAction, MessageClass,
    SuppressionReason,
};
use entity::ids::{AccountId, ConsentEventId, InboundMessageId, MessageId, SuppressionId};
use entity::time::UnixMillis;
use entity::{account, inbound_keyword, message};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::accept::{Checked, NewMessage};
use super::batch::{Batch, StoredResult};
use super::commands::{Abandoned, BatchRejection, Sending, Tables, check_items};
use super::opt_out;
use super::quiet_hours::Timing;
use crate::billing;
use crate::contacts::consent::{self, Addressed, NewStatement};
use crate::contacts::keywords::{self, Meant, default_answer};
use crate::contacts::{ScopeRef, Topic};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::NewEvent;
use crate::keys::MasterKey;
use crate::types::phone::PhoneNumber;

/// Answers to one phone from one sender within [`ANSWERS_WINDOW_MS`], beside those to opting out and
/// in: two programs that answer each other end there.
const ANSWERS_MAX: u64 = 5;
/// A day, in ms.
const ANSWERS_WINDOW_MS: i64 = 24 * 3_600_000;
/// An answer that could not be sent for so long, in ms, is not sent any more: a day.
const ANSWER_AGE_MS_MAX: i64 = 24 * 3_600_000;
/// Answers of one look.
const PENDING_MAX: u64 = 100;
/// Characters of a message that are kept as the wording of consent.
const WORDING_CHARS_MAX: usize = opt_out::WORDING_CHARS_MAX;

/// A message from a phone to an account.
pub(super) struct Arrived<'a> {
    pub(super) id: InboundMessageId,
    pub(super) account_id: AccountId,
    /// Who wrote.
    pub(super) phone: PhoneNumber,
    /// The account's number, as it is registered.
    pub(super) sender: &'a str,
    pub(super) text: &'a str,
}

/// Heeds the keywords among messages, in their order, and returns the events of messages that were
/// canceled. The statements' ids are those of the messages, so running it again is refused by the
/// store rather than done twice.
pub(super) async fn heed(
    tx: &Tx,
    key: &MasterKey,
    arrived: &[Arrived<'_>],
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let texts: Vec<_> = arrived.iter().map(|it| (it.account_id, it.text)).collect();
    let mut events = Vec::new();
    for (it, meant) in arrived.iter().zip(keywords::read(tx, &texts).await?) {
        let Some(meant) = meant else { continue };
        let to_be_answered = match meant.action {
            KeywordAction::OptOut | KeywordAction::OptIn => {
                let Some(scope) = scope(tx, it, &meant).await? else { continue };
                change(tx, key, it, meant.action, scope, &mut events, now).await?
            }
            KeywordAction::Help | KeywordAction::Answer => may_answer(tx, it, now).await?,
        };
        if to_be_answered {
            note(tx, it, &meant, now).await?;
        }
    }
    Ok(events)
}

/// What a keyword is about: the number that it was sent to, or the topic that follows it, if the
/// phone was sent something about that.
async fn scope(tx: &Tx, it: &Arrived<'_>, meant: &Meant) -> Result<Option<ScopeRef>, DbErr> {
    let Some(word) = &meant.topic else {
        return Ok(Some(ScopeRef::Sender(it.sender.to_owned())));
    };
    let Some(topic) = Topic::parse(word) else { return Ok(None) };
    let known = message::Entity::find()
        .filter(message::Column::AccountId.eq(it.account_id))
        .filter(message::Column::Recipient.eq(it.phone.e164()))
        .filter(message::Column::Topic.eq(topic.as_str()))
        .limit(1)
        .one(&**tx)
        .await?;
    Ok(known.map(|_| ScopeRef::Topic(topic.as_str().to_owned())))
}

/// Opts out or in; whether that changed anything.
async fn change(
    tx: &Tx,
    key: &MasterKey,
    it: &Arrived<'_>,
    action: KeywordAction,
    scope: ScopeRef,
    events: &mut Vec<NewEvent>,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let is_out = action == KeywordAction::OptOut;
    if !is_out && !is_suppressed(tx, key, it, &scope).await? {
        // "Yes" to a question is no consent: only who objected opts in by it.
        return Ok(false);
    }
    let wording: String =
        it.text.chars().filter(|it| *it != '\0').take(WORDING_CHARS_MAX).collect();
    let statement = NewStatement {
        id: ConsentEventId(it.id.0),
        suppression_id: SuppressionId(it.id.0),
        account_id: it.account_id,
        number: it.phone,
        kind: if is_out { ConsentKind::Withdrawn } else { ConsentKind::Granted },
        scope,
        source: ConsentSource::Keyword,
        wording,
        ip: None,
        inbound_message_id: Some(it.id),
        reason: SuppressionReason::OptedOut,
        note: None,
        occurred_at: now,
    };
    let stopped = opt_out::record(tx, key, &[statement], now).await?;
    let changed = !stopped.made.is_empty() || !stopped.lifted.is_empty();
    events.extend(stopped.events);
    let label = if is_out { "out" } else { "in" };
    metrics::counter!("inbound_keywords_total", "opt" => label).increment(1);
    Ok(changed)
}

async fn is_suppressed(
    tx: &Tx,
    key: &MasterKey,
    it: &Arrived<'_>,
    scope: &ScopeRef,
) -> Result<bool, DbErr> {
    let message = Addressed {
        account_id: it.account_id,
        recipient: it.phone.e164(),
        sender: it.sender,
        topic: None,
    };
    let suppressed = consent::suppressed_among(tx, key, std::iter::once(message)).await?;
    Ok(suppressed.has(key, message, scope))
}

async fn may_answer(tx: &Tx, it: &Arrived<'_>, now: UnixMillis) -> Result<bool, DbErr> {
    let answered = Entity::find()
        .filter(Column::AccountId.eq(it.account_id))
        .filter(Column::Recipient.eq(it.phone.e164()))
        .filter(Column::Sender.eq(it.sender))
        .filter(Column::CreatedAtMs.gt(now.plus_ms(-ANSWERS_WINDOW_MS)))
        .count(&**tx)
        .await?;
    Ok(answered < ANSWERS_MAX)
}

async fn note(tx: &Tx, it: &Arrived<'_>, meant: &Meant, now: UnixMillis) -> Result<(), DbErr> {
    let row = Model {
        account_id: it.account_id,
        inbound_message_id: it.id,
        sender: it.sender.to_owned(),
        recipient: it.phone.e164().to_owned(),
        action: meant.action,
        language: meant.language,
        keyword_id: meant.keyword_id,
        passes_suppression: meant.action != KeywordAction::Answer,
        state: AutoReplyState::Pending,
        message_id: None,
        refusal: None,
        created_at_ms: now,
    };
    Entity::insert(ActiveModel::from(row)).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Which of some messages are answers that pass suppressions.
pub(super) async fn passing(
    tx: &Tx,
    account_ids: Vec<AccountId>,
    ids: Vec<MessageId>,
) -> Result<Vec<MessageId>, DbErr> {
    let found: Vec<Option<MessageId>> = Entity::find()
        .select_only()
        .column(Column::MessageId)
        .filter(Column::AccountId.is_in(account_ids))
        .filter(Column::MessageId.is_in(ids))
        .filter(Column::PassesSuppression.eq(true))
        .into_tuple()
        .all(&**tx)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Sends the answers that are due. Returns how many were sent or refused; one that fails is left for
/// the next run, and keeps no others.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn answer_pending(ctx: &Ctx, tables: &Tables) -> Result<u64, DbErr> {
    let mut done = 0;
    let mut after = None;
    loop {
        // Written out: a partial index serves only a query that repeats its condition.
        let is_pending = format!("state = {}", AutoReplyState::Pending.code());
        let mut pending = Entity::find().filter(Expr::cust(is_pending));
        if let Some(after) = after {
            pending = pending.filter(Column::InboundMessageId.gt(after));
        }
        let pending = pending.order_by_asc(Column::InboundMessageId).limit(PENDING_MAX);
        let pending = pending.all(ctx.db.reader()).await?;
        let Some(last) = pending.last() else { return Ok(done) };
        after = Some(last.inbound_message_id);
        for reply in pending {
            match answer(ctx, tables, &reply).await {
                Ok(()) => done += 1,
                Err(failed) => {
                    let error: &dyn std::error::Error = &failed;
                    let id = reply.inbound_message_id;
                    tracing::warn!(inbound.id = %id, error, "cannot answer a keyword yet");
                }
            }
        }
    }
}

/// Sends one answer, or says why not.
async fn answer(ctx: &Ctx, tables: &Tables, reply: &Model) -> Result<(), Failed> {
    let checked = match checked(ctx, tables, reply).await? {
        Ok(checked) => checked,
        Err(refusal) => return refuse(ctx, reply, &refusal).await,
    };
    let account_id = reply.account_id;
    let terms = billing::terms(ctx, account_id).await?;
    let timing = Timing::default();
    let sending = Sending { account_id, mode: KeyMode::Live, terms: &terms, tables, timing };
    let batch = &Batch::new(ctx, sending, vec![Ok(checked)]);
    let Some(StoredResult::Message(message)) = batch.results.first() else {
        return Err(Failed::internal("a checked message makes a message"));
    };
    let taken = ctx
        .db
        .write(|tx| async move {
            let taken = Entity::update_many()
                .col_expr(Column::State, Expr::value(AutoReplyState::Sent.code()))
                .col_expr(Column::MessageId, Expr::value(message.id.0))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::InboundMessageId.eq(reply.inbound_message_id))
                .filter(Column::State.eq(AutoReplyState::Pending))
                .exec(&*tx)
                .await?;
            // Somebody else has answered meanwhile.
            if taken.rows_affected == 0 {
                return Ok(false);
            }
            if batch.insert(&tx).await? { Ok(true) } else { Err(Abandoned::Unaffordable) }
        })
        .await;
    match taken {
        Ok(true) => batch.ring(ctx),
        Ok(false) => {}
        Err(Abandoned::Unaffordable) => {
            return refuse(ctx, reply, "INSUFFICIENT_CREDIT").await;
        }
        Err(Abandoned::Store(error)) => return Err(error.into()),
    }
    Ok(())
}

/// The answer as a message that can be sent, or why there is none.
async fn checked(
    ctx: &Ctx,
    tables: &Tables,
    reply: &Model,
) -> Result<Result<Checked, String>, Failed> {
    let refused = |refusal: &str| Ok(Err(refusal.to_owned()));
    if ctx.clock.now().since(reply.created_at_ms) > ANSWER_AGE_MS_MAX {
        return refused("TOO_OLD");
    }
    let account_id = reply.account_id;
    let Some(text) = text(ctx, reply).await? else { return refused("KEYWORD_DELETED") };
    let message = NewMessage {
        to: reply.recipient.clone(),
        from: reply.sender.clone(),
        text,
        class: Some(MessageClass::Transactional),
        client_reference: None,
        send_at: None,
        validity_period_seconds: None,
        topic: None,
    };
    let terms = billing::terms(ctx, account_id).await?;
    let timing = Timing::default();
    let sending = Sending { account_id, mode: KeyMode::Live, terms: &terms, tables, timing };
    let mut items = match check_items(ctx, sending, vec![message]).await {
        Ok(items) => items,
        Err(Error::Rejected(BatchRejection::AccountSuspended)) => {
            return refused("ACCOUNT_SUSPENDED");
        }
        Err(Error::Rejected(rejection)) => return Err(Failed::internal(rejection)),
        Err(Error::Failed(failed)) => return Err(failed),
    };
    if !reply.passes_suppression {
        items = opt_out::refuse_suppressed(ctx, account_id, items).await?;
    }
    Ok(match items.pop() {
        Some(Ok(checked)) => Ok(checked),
        Some(Err(error)) => Err(format!("{:?}", error.code)),
        None => return Err(Failed::internal("one item gives one result")),
    })
}

/// The words of an answer: the account's own, or the platform's.
async fn text(ctx: &Ctx, reply: &Model) -> Result<Option<String>, DbErr> {
    let reader = ctx.db.reader();
    if let Some(id) = reply.keyword_id {
        let keyword =
            inbound_keyword::Entity::find_by_id((reply.account_id, id)).one(reader).await?;
        if let Some(answer) = keyword.and_then(|keyword| keyword.answer) {
            return Ok(Some(answer));
        }
    }
    if reply.action == KeywordAction::Answer {
        return Ok(None);
    }
    let account = account::Entity::find_by_id(reply.account_id).one(reader).await?;
    let name = account.map(|account| account.name).unwrap_or_default();
    Ok(Some(default_answer(reply.action, reply.language, &name)))
}

async fn refuse(ctx: &Ctx, reply: &Model, refusal: &str) -> Result<(), Failed> {
    tracing::info!(inbound.id = %reply.inbound_message_id, refusal, "a keyword is not answered");
    ctx.db
        .write(|tx| async move {
            Entity::update_many()
                .col_expr(Column::State, Expr::value(AutoReplyState::Refused.code()))
                .col_expr(Column::Refusal, Expr::value(refusal))
                .filter(Column::AccountId.eq(reply.account_id))
                .filter(Column::InboundMessageId.eq(reply.inbound_message_id))
                .filter(Column::State.eq(AutoReplyState::Pending))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await?;
    Ok(())
}
