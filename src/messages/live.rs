//! The event log of an account as its dashboards follow it, and its inbound messages: reads that
//! `queries` of sent messages do not cover.

use std::collections::{HashMap, VecDeque};

use entity::event::Model as Event;
use entity::ids::{AccountId, CampaignId, ContactId, InboundMessageId, MessageId};
use entity::inbound_message::{Column, Entity, Model as InboundMessage};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::authz::Action;
use crate::contacts::{self, ScopeRef, consent};
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::{Error, Failed};
use crate::events::{self, Hub, Subscription, SubscriptionError};

/// Follows the account's event log after number `after`, or from now on.
///
/// # Errors
/// [`SubscriptionError`] about the cursor as a rejection; not allowed, or the store's own, as a
/// failure.
pub async fn follow(
    ctx: &Ctx,
    hub: &Hub,
    after: Option<i64>,
) -> Result<Subscription, Error<SubscriptionError>> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    match hub.subscribe(account_id, after).await {
        Ok(subscription) => Ok(subscription),
        Err(SubscriptionError::Store(error)) => Err(Error::Failed(error.into())),
        Err(rejection) => Err(Error::Rejected(rejection)),
    }
}

/// The events of a campaign's messages out of an account's log.
///
/// The log does not say which campaign a message is of: a statement by the messages' keys tells it
/// for all events that came while the one before was answered.
#[derive(Debug)]
pub struct CampaignEvents {
    ctx: Ctx,
    campaign_id: CampaignId,
    log: Subscription,
    /// Taken from the log, and not looked up yet.
    batch: Vec<Event>,
    found: VecDeque<Event>,
}

/// Follows the events of a campaign's messages after number `after`, or from now on; none ever
/// come of a campaign that the account does not have.
///
/// # Errors
/// Those of [`follow`].
pub async fn follow_campaign(
    ctx: &Ctx,
    hub: &Hub,
    campaign_id: CampaignId,
    after: Option<i64>,
) -> Result<CampaignEvents, Error<SubscriptionError>> {
    let log = follow(ctx, hub, after).await?;
    let (batch, found) = (Vec::new(), VecDeque::new());
    Ok(CampaignEvents { ctx: ctx.clone(), campaign_id, log, batch, found })
}

impl CampaignEvents {
    /// The next event of a message of the campaign for which `wanted` holds; what it does not hold
    /// for is not looked up.
    ///
    /// Cancel-safe: an event is lost only with the stream itself.
    ///
    /// # Errors
    /// Those of [`Subscription::next`]: after one of the store's, call again to go on.
    pub async fn next(
        &mut self,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event, SubscriptionError> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Ok(event);
            }
            if self.batch.is_empty() {
                self.batch = self.log.next_batch().await?;
                self.batch.retain(&wanted);
                continue;
            }
            let ids: Vec<_> = self.batch.iter().map(|event| MessageId(event.subject_id)).collect();
            let campaigns = campaigns(&self.ctx, self.log.account_id(), &ids).await?;
            let of_campaign = |event: &Event| {
                campaigns.get(&MessageId(event.subject_id)) == Some(&self.campaign_id)
            };
            self.found.extend(std::mem::take(&mut self.batch).into_iter().filter(of_campaign));
        }
    }
}

/// Which campaigns some messages of an account are of; those of none are missing.
async fn campaigns(
    ctx: &Ctx,
    account_id: AccountId,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, CampaignId>, DbErr> {
    use entity::message::{Column, Entity};
    // Not by the campaign: its index would lead over all of its messages.
    let found: Vec<(MessageId, Option<CampaignId>)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::CampaignId])
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(ctx.db.reader())
        .await?;
    Ok(found.into_iter().filter_map(|(id, campaign)| Some((id, campaign?))).collect())
}

/// The event of the account with the number that `seq_in` finds in it, if there is one and
/// retention has not removed it.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn event(
    ctx: &Ctx,
    seq_in: impl FnOnce(AccountId) -> Option<i64>,
) -> Result<Option<Event>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let Some(seq) = seq_in(account_id) else { return Ok(None) };
    let found = events::read_after(ctx.db.reader(), account_id, seq - 1, 1).await?;
    Ok(found.into_iter().next().filter(|event| event.seq == seq))
}

/// The events of some messages of the account, each message's in order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn timelines(ctx: &Ctx, ids: &[MessageId]) -> Result<Vec<Event>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let subjects: Vec<_> = ids.iter().map(|id| id.0).collect();
    Ok(events::timeline(ctx.db.reader(), account_id, &subjects).await?)
}

/// Inbound messages of the account by id; those that it does not have are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn inbound_by_ids(
    ctx: &Ctx,
    ids: &[InboundMessageId],
) -> Result<Vec<InboundMessage>, Failed> {
    let select = inbound(ctx)?.filter(Column::Id.is_in(ids.iter().copied()));
    Ok(select.all(ctx.db.reader()).await?)
}

/// A page of the account's inbound messages, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn inbound_page(
    ctx: &Ctx,
    filter: &InboundFilter,
    request: &PageRequest<InboundMessageId>,
) -> Result<Page<InboundMessage>, Failed> {
    let order = ListOrder::Descending;
    let select = filtered(ctx, filter).await?;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many inbound messages [`inbound_page`] pages through, if these are not too many to count.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn inbound_count(ctx: &Ctx, filter: &InboundFilter) -> Result<Option<u64>, Failed> {
    Ok(page::count_to_max(ctx.db.reader(), filtered(ctx, filter).await?).await?)
}

/// Which inbound messages are wanted; absent fields leave all, present ones all hold. A thread is
/// what one phone wrote to one number.
#[derive(Clone, Debug, Default)]
pub struct InboundFilter {
    /// From this phone, as people write it.
    pub from: Option<String>,
    /// From this contact.
    pub contact_id: Option<ContactId>,
    /// To this number or short code of the account.
    pub to: Option<String>,
}

async fn filtered(ctx: &Ctx, filter: &InboundFilter) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let mut select = inbound(ctx)?;
    if let Some(from) = &filter.from {
        let number = consent::number_in(ctx, account_id, from).await?;
        let number = number.map(|number| number.e164().to_owned()).unwrap_or_default();
        select = select.filter(Column::Sender.is_in(both_forms(&number)));
    }
    if let Some(id) = filter.contact_id {
        let found = contacts::by_ids(ctx, &[id]).await?;
        let number = found.first().map(|contact| contact.number.as_str()).unwrap_or_default();
        select = select.filter(Column::Sender.is_in(both_forms(number)));
    }
    if let Some(to) = &filter.to {
        let to = ScopeRef::sender(to);
        let value = to.as_ref().map(|scope| scope.columns().1).unwrap_or_default();
        select = select.filter(Column::Recipient.is_in(both_forms(value)));
    }
    Ok(select)
}

/// A number as carriers write it: with the plus sign, and without.
fn both_forms(number: &str) -> [String; 2] {
    let digits = number.trim_start_matches('+');
    [digits.to_owned(), format!("+{digits}")]
}

/// The text of an inbound message that the caller found.
///
/// # Errors
/// [`Failed`]: not allowed.
pub fn inbound_text(ctx: &Ctx, message: &InboundMessage) -> Result<String, Failed> {
    ctx.actor.require_in_account(Action::ReadMessageText)?;
    Ok(String::from_utf8_lossy(&message.body).into_owned())
}

fn inbound(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    Ok(Entity::find().filter(Column::AccountId.eq(account_id)))
}
