//! Reads of messages, always within the caller's account.

use std::collections::{BTreeSet, HashMap};

use entity::enums::{MessageClass, MessageStatus};
use entity::ids::{AccountId, CampaignId, MessageId, TextId};
use entity::inbound_message;
use entity::message::{self, Model as Message};
use entity::submission::{self, Model as Submission};
use entity::time::UnixMillis;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use super::text_store;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// Which messages of the account; absent fields leave all, present ones all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// In one of these statuses.
    pub statuses: Option<Vec<MessageStatus>>,
    /// In one of these classes.
    pub classes: Option<Vec<MessageClass>>,
    /// To this number, E.164.
    pub recipient: Option<String>,
    /// With this client reference.
    pub client_reference: Option<String>,
    /// Accepted at or after this time.
    pub created_from: Option<UnixMillis>,
    /// Accepted before this time.
    pub created_before: Option<UnixMillis>,
}

impl MessageFilter {
    /// The messages of `account_id` that pass, unsorted. Times become bounds on the id, which
    /// begins with the millisecond of acceptance: the primary key serves them.
    fn select(&self, account_id: AccountId) -> Select<message::Entity> {
        let mut select = message::Entity::find().filter(message::Column::AccountId.eq(account_id));
        if let Some(statuses) = &self.statuses {
            select = select.filter(message::Column::Status.is_in(statuses.iter().copied()));
        }
        if let Some(classes) = &self.classes {
            select = select.filter(message::Column::Class.is_in(classes.iter().copied()));
        }
        if let Some(recipient) = &self.recipient {
            select = select.filter(message::Column::Recipient.eq(recipient));
        }
        if let Some(reference) = &self.client_reference {
            select = select.filter(message::Column::ClientReference.eq(reference));
        }
        if let Some(from) = self.created_from {
            select = select.filter(message::Column::Id.gte(first_id_at(from)));
        }
        if let Some(before) = self.created_before {
            select = select.filter(message::Column::Id.lt(first_id_at(before)));
        }
        select
    }
}

/// The least UUIDv7 of a millisecond.
fn first_id_at(time: UnixMillis) -> MessageId {
    let ms = u64::try_from(time.0).unwrap_or(0) & 0xffff_ffff_ffff;
    MessageId(Uuid::from_u64_pair(ms << 16, 0))
}

/// How many messages [`page`] pages through, if these are not too many to count.
///
/// # Errors
/// [`Failed`].
pub async fn count(ctx: &Ctx, filter: &MessageFilter) -> Result<Option<u64>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    Ok(page::count_to_max(ctx.db.reader(), filter.select(account_id)).await?)
}

/// A page of the account's messages that pass `filter`, newest first.
///
/// Each of several statuses is read from its own end of its index, and their pages are merged: told
/// them all at once, a store sorts all that ever had one of them, or walks all messages until it has
/// met enough that do.
///
/// # Errors
/// [`Failed`].
pub async fn page(
    ctx: &Ctx,
    filter: &MessageFilter,
    request: &PageRequest<MessageId>,
) -> Result<Page<Message>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let (key, order) = (message::Column::Id, ListOrder::Descending);
    let mut statuses = filter.statuses.clone().unwrap_or_default();
    statuses.sort_unstable_by_key(|status| status.code());
    statuses.dedup();
    let mut ids: Option<SelectStatement> = None;
    if statuses.len() > 1 {
        for status in statuses {
            let only = MessageFilter { statuses: Some(vec![status]), ..filter.clone() };
            let found = page::keyset(only.select(account_id), key, order, request);
            let found = found.select_only().column(key).into_query();
            let found = Query::select().column(key).from_subquery(found, "found").take();
            ids = Some(match ids {
                None => found,
                Some(mut others) => others.union(UnionType::All, found).take(),
            });
        }
    }
    let select = match ids {
        None => filter.select(account_id),
        Some(ids) => message::Entity::find()
            .filter(message::Column::AccountId.eq(account_id))
            .filter(key.in_subquery(ids)),
    };
    Ok(page::fetch_page(ctx.db.reader(), select, key, order, request).await?)
}

/// The messages of a campaign, for the pager to sort by contact and cut.
///
/// # Errors
/// [`Failed::Forbidden`], [`Failed::Unauthenticated`].
pub fn select_of_campaign(
    ctx: &Ctx,
    id: CampaignId,
    statuses: Option<&[MessageStatus]>,
) -> Result<Select<message::Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let select = message::Entity::find()
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::CampaignId.eq(id));
    Ok(match statuses {
        // Not served by the index of statuses, which is in another order.
        Some(statuses) => select.filter(
            Expr::col(message::Column::Status).add(0).is_in(statuses.iter().map(|it| it.code())),
        ),
        None => select,
    })
}

/// Messages by id; those that do not exist or are another account's are missing.
///
/// # Errors
/// [`Failed`].
pub async fn by_ids(ctx: &Ctx, ids: &[MessageId]) -> Result<HashMap<MessageId, Message>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let found = message::Entity::find()
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::Id.is_in(ids.iter().copied()))
        .all(ctx.db.reader())
        .await?;
    Ok(found.into_iter().map(|message| (message.id, message)).collect())
}

/// Texts by id; those that were purged are missing.
///
/// # Errors
/// [`Failed`].
pub async fn texts(ctx: &Ctx, ids: &[TextId]) -> Result<HashMap<TextId, String>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessageText)?;
    Ok(text_store::read(ctx.db.reader(), account_id, ids).await?)
}

/// The recorded parts of attempts, by message: those of several parts, and those of attempts that
/// were followed by another. The message row itself tells of a single part's last attempt.
///
/// # Errors
/// [`Failed`].
pub async fn submissions(
    ctx: &Ctx,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, Vec<Submission>>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let found = submission::Entity::find()
        .filter(submission::Column::AccountId.eq(account_id))
        .filter(submission::Column::MessageId.is_in(ids.iter().copied()))
        .order_by_asc(submission::Column::MessageId)
        .order_by_asc(submission::Column::Attempt)
        .order_by_asc(submission::Column::Part)
        .all(ctx.db.reader())
        .await?;
    let mut by_message: HashMap<MessageId, Vec<Submission>> = HashMap::new();
    for row in found {
        by_message.entry(row.message_id).or_default().push(row);
    }
    Ok(by_message)
}

/// The messages that arrived for the account, for the pager to sort and cut.
///
/// # Errors
/// [`Failed::Forbidden`], [`Failed::Unauthenticated`]; with their text they take both rights.
pub fn select_inbound(ctx: &Ctx) -> Result<Select<inbound_message::Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    ctx.actor.require(Action::ReadMessageText)?;
    Ok(inbound_message::Entity::find().filter(inbound_message::Column::AccountId.eq(account_id)))
}

/// The statuses of some messages of an account.
pub(super) async fn statuses(
    ctx: &Ctx,
    account_id: AccountId,
    ids: &BTreeSet<MessageId>,
) -> Result<HashMap<MessageId, MessageStatus>, DbErr> {
    let found: Vec<(MessageId, MessageStatus)> = message::Entity::find()
        .select_only()
        .columns([message::Column::Id, message::Column::Status])
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(ctx.db.reader())
        .await?;
    Ok(found.into_iter().collect())
}
