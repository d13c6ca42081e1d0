//! Reads of messages.

use async_graphql::{Context, ID, InputObject, Object};
use entity::ids::MessageId;

use super::enums::{MessageClass, MessageStatus, stored_statuses};
use super::{InboundMessage, Message};
use crate::ctx::Ctx;
use crate::db::page::PageRequest;
use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::Answer;
use crate::graphql::ids::parse_id;
use crate::graphql::loaders::{MessageRow, load};
use crate::graphql::scalars::{Cursor, DateTime};
use crate::messages::live::{self, InboundFilter};
use crate::messages::queries;
use crate::types::cursor::CursorKind;
use crate::types::phone::PhoneNumber;

/// Which messages are wanted. Conditions are joined by AND; an absent or null one does not matter.
#[derive(InputObject, Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only those in one of these statuses; an empty list finds none.
    pub statuses: Option<Vec<MessageStatus>>,
    /// Only those of one of these classes; an empty list finds none.
    pub classes: Option<Vec<MessageClass>>,
    /// Only those to this number, in E.164.
    pub to: Option<String>,
    /// Only those with exactly this client reference.
    pub client_reference: Option<String>,
    /// Only those accepted at this time or later.
    pub created_from: Option<DateTime>,
    /// Only those accepted before this time.
    pub created_before: Option<DateTime>,
}

impl TryFrom<MessageFilter> for queries::MessageFilter {
    type Error = Failed;

    fn try_from(filter: MessageFilter) -> Result<Self, Failed> {
        Ok(Self {
            statuses: filter.statuses.map(|statuses| stored_statuses(&statuses)),
            classes: filter.classes.map(|all| all.into_iter().map(Into::into).collect()),
            recipient: filter.to.as_deref().map(recipient).transpose()?,
            client_reference: filter.client_reference,
            created_from: filter.created_from.map(|time| time.0),
            created_before: filter.created_before.map(|time| time.0),
        })
    }
}

/// The stored form of a recipient.
fn recipient(to: &str) -> Result<String, Failed> {
    let number = PhoneNumber::parse_test(to).or_else(|_| PhoneNumber::parse(to, None));
    let number = number.map_err(|error| Failed::BadRequest(format!("filter.to: {error}")))?;
    Ok(number.e164().to_owned())
}

/// Which inbound messages are wanted: a thread is what one phone wrote to one number. Conditions are
/// joined by AND; an absent or null one does not matter.
#[derive(InputObject, Debug, Default)]
pub struct InboundMessageFilter {
    /// From this phone: E.164, or national with the account's default region.
    pub from: Option<String>,
    /// From this contact, `cont_…`. Takes the right to read contacts.
    pub contact_id: Option<ID>,
    /// To this number or short code of the account.
    pub to: Option<String>,
}

impl InboundMessageFilter {
    fn parse(self) -> Answer<InboundFilter> {
        let contact_id = self.contact_id.map(|id| parse_id(&id)).transpose()?;
        Ok(InboundFilter { from: self.from, contact_id, to: self.to })
    }
}

/// A message that the caller may see.
///
/// # Errors
/// The read's own.
pub(crate) async fn find(context: &Context<'_>, id: MessageId) -> Answer<Option<Message>> {
    Ok(load(context, MessageRow(id)).await?.map(Message::of_row))
}

/// Reads.
#[derive(Default)]
pub struct MessagesQuery;

#[Object]
impl MessagesQuery {
    /// A message of the caller's account, or null if there is none with this id. For everybody in
    /// the account and for keys with the scope `messages:read`.
    async fn message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message's id, `msg_…`.")] id: ID,
    ) -> Answer<Option<Message>> {
        find(context, parse_id(&id)?).await
    }

    /// The messages of the caller's account, newest first; `metrics` tells how many of the many there
    /// are. For everybody in the account and for keys with the scope `messages:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<MessageFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Message>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        messages(ctx, filter.unwrap_or_default(), &arguments, wants_total_count(context)).await
    }

    /// The messages that phones sent to the numbers of the caller's account, newest first. For
    /// everybody in the account and for keys with the scope `messages:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn inbound_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<InboundMessageFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<InboundMessage>> {
        let ctx = call(context)?;
        let kind = CursorKind::InboundMessages;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let filter = filter.unwrap_or_default().parse()?;
        let page = live::inbound_page(ctx, &filter, &request).await?;
        let total = if wants_total_count(context) {
            live::inbound_count(ctx, &filter).await?
        } else {
            None
        };
        let page = page.map(|row| (row.id, InboundMessage(row.into())));
        Ok(Connection::new(kind, page, total))
    }
}

async fn messages(
    ctx: &Ctx,
    filter: MessageFilter,
    arguments: &PageArguments,
    wants_total: bool,
) -> Answer<Connection<Message>> {
    let kind = CursorKind::Messages;
    let request: PageRequest<MessageId> = arguments.request(kind)?;
    let filter = filter.try_into()?;
    let total = if wants_total { queries::count(ctx, &filter).await? } else { None };
    let page = queries::page(ctx, &filter, &request).await?;
    Ok(Connection::new(kind, page.map(|row| (row.id, Message::of_row(row))), total))
}
