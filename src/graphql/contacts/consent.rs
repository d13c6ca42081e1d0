//! Consent and suppressions.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject};
use entity::enums;
use entity::{consent_event, suppression};

use super::{Contact, ContactByMac};
use crate::contacts::ScopeRef;
use crate::contacts::consent::{self, ConsentFilter};
use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::Answer;
use crate::graphql::ids::show_id;
use crate::graphql::loaders::load;
use crate::graphql::messages::InboundMessage;
use crate::graphql::scalars::{Cursor, DateTime};
use crate::types::cursor::CursorKind;

/// What a suppression or a statement of consent reaches.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::SuppressionScope")]
pub enum SuppressionScope {
    /// Everything of the account.
    Account,
    /// What comes from one sender.
    Sender,
    /// What is about one topic.
    Topic,
}

/// Why a number is not written to.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::SuppressionReason")]
pub enum SuppressionReason {
    /// The person objected.
    OptedOut,
    /// The account decided so.
    Manual,
    /// The person complained.
    Complaint,
}

/// What a statement of consent says.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::ConsentKind")]
pub enum ConsentKind {
    /// The person agrees to be written to.
    Granted,
    /// The person objects.
    Withdrawn,
    /// The account itself stops writing to the number.
    Suppressed,
    /// The account takes its own stop back.
    Lifted,
}

/// How a statement of consent came.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::ConsentSource")]
pub enum ConsentSource {
    /// A form on a page of the account's.
    WebForm,
    /// Paper.
    Paper,
    /// A call.
    Phone,
    /// Face to face.
    InPerson,
    /// A keyword in a message from the phone.
    Keyword,
    /// The preference page of this platform.
    PreferencePage,
    /// A file of contacts.
    Import,
    /// The account, of its own accord.
    Account,
}

/// What a suppression or a statement of consent reaches: one of these.
#[derive(OneofObject, Clone, Debug)]
pub enum ScopeInput {
    /// Everything of the account; only `true` can be given.
    Account(bool),
    /// What comes from this sender: a name, a number or a short code.
    Sender(String),
    /// What is about this topic, as `sendMessages` names it: 1 to 50 lower-case letters, digits,
    /// hyphens and underscores.
    Topic(String),
}

impl ScopeInput {
    /// As the domain has it; none for a sender or a topic that is none.
    pub fn parse(self) -> Option<ScopeRef> {
        match self {
            Self::Account(all) => all.then_some(ScopeRef::Account),
            Self::Sender(sender) => ScopeRef::sender(&sender),
            Self::Topic(topic) => ScopeRef::topic(&topic),
        }
    }

    /// As the domain has it.
    ///
    /// # Errors
    /// `BAD_REQUEST` for a sender or a topic that is none.
    pub fn require(self) -> Answer<ScopeRef> {
        let refused = || Failed::BadRequest("not a scope: account, a sender or a topic".to_owned());
        Ok(self.parse().ok_or_else(refused)?)
    }
}

/// A suppression.
#[derive(Clone, Debug)]
pub struct Suppression(pub suppression::Model);

/// A number that is not written to, in one scope: messages to it are refused with
/// `RECIPIENT_OPTED_OUT`, and those that waited were canceled. The number itself is not kept, so that
/// it outlives the contact. Read by the account's owners, admins, developers and support, and by keys
/// with the scope `contacts:manage`.
#[Object]
impl Suppression {
    /// The suppression's id, `supp_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The number's last two digits.
    async fn last_digits(&self) -> &str {
        &self.0.last_digits
    }

    /// The contact with the number; null if there is none.
    async fn contact(&self, context: &Context<'_>) -> Answer<Option<Contact>> {
        contact_of(context, &self.0.number_mac).await
    }

    /// What it reaches.
    async fn scope(&self) -> SuppressionScope {
        self.0.scope.into()
    }

    /// Which sender or topic; null for the whole account.
    async fn scope_value(&self) -> Option<&str> {
        (!self.0.scope_value.is_empty()).then_some(self.0.scope_value.as_str())
    }

    /// Why.
    async fn reason(&self) -> SuppressionReason {
        self.0.reason.into()
    }

    /// The account's own words on it, at most 500 characters.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// Since when.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }
}

/// A statement of consent.
#[derive(Clone, Debug)]
pub struct ConsentEvent(pub consent_event::Model);

/// What a person agreed or objected to, or what the account decided, with the proof. Never changed
/// and never deleted. Read by the account's owners, admins, developers and support, and by keys with
/// the scope `contacts:manage`.
#[Object]
impl ConsentEvent {
    /// The statement's id, `cons_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The contact with the number; null if there is none any more.
    async fn contact(&self, context: &Context<'_>) -> Answer<Option<Contact>> {
        contact_of(context, &self.0.number_mac).await
    }

    /// What was said.
    async fn kind(&self) -> ConsentKind {
        self.0.kind.into()
    }

    /// What it reaches.
    async fn scope(&self) -> SuppressionScope {
        self.0.scope.into()
    }

    /// Which sender or topic; null for the whole account.
    async fn scope_value(&self) -> Option<&str> {
        (!self.0.scope_value.is_empty()).then_some(self.0.scope_value.as_str())
    }

    /// How it came.
    async fn source(&self) -> ConsentSource {
        self.0.source.into()
    }

    /// What the person was shown or wrote, at most 2,000 characters; empty where nothing was.
    async fn wording(&self) -> &str {
        &self.0.wording
    }

    /// The address that it came from.
    async fn ip(&self) -> Option<&str> {
        self.0.ip.as_deref()
    }

    /// The message that said it; null if none did.
    async fn inbound_message(&self, context: &Context<'_>) -> Answer<Option<InboundMessage>> {
        match self.0.inbound_message_id {
            Some(id) => InboundMessage::load(context, id).await,
            None => Ok(None),
        }
    }

    /// When it was said.
    async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime {
        self.0.recorded_at_ms.into()
    }
}

async fn contact_of(context: &Context<'_>, mac: &[u8]) -> Answer<Option<Contact>> {
    let Ok(mac) = mac.try_into() else { return Ok(None) };
    Ok(load(context, ContactByMac(mac)).await?.map(Contact))
}

/// Which suppressions are wanted. Conditions are joined by AND; an absent or null one does not matter.
#[derive(InputObject, Debug, Default)]
pub struct SuppressionFilter {
    /// Of this number: E.164, or national with the account's default region.
    pub number: Option<String>,
    /// In this kind of scope.
    pub scope: Option<SuppressionScope>,
}

/// Which statements are wanted. Conditions are joined by AND; an absent or null one does not matter.
#[derive(InputObject, Debug, Default)]
pub struct ConsentEventFilter {
    /// Of this number: E.164, or national with the account's default region.
    pub number: Option<String>,
    /// In this kind of scope.
    pub scope: Option<SuppressionScope>,
}

/// Reads.
#[derive(Default)]
pub struct ConsentQuery;

#[Object]
impl ConsentQuery {
    /// The numbers that the caller's account does not write to, newest first. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn suppressions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<SuppressionFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Suppression>> {
        let ctx = call(context)?;
        let kind = CursorKind::Suppressions;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let SuppressionFilter { number, scope } = filter.unwrap_or_default();
        let filter = ConsentFilter { number, scope: scope.map(Into::into) };
        let page = consent::suppressions_page(ctx, &filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(consent::suppressions_count(ctx, &filter).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, Suppression(row))), total))
    }

    /// What people agreed and objected to, newest first. For owners, admins, developers, support, and
    /// keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn consent_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<ConsentEventFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<ConsentEvent>> {
        let ctx = call(context)?;
        let kind = CursorKind::ConsentEvents;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let ConsentEventFilter { number, scope } = filter.unwrap_or_default();
        let filter = ConsentFilter { number, scope: scope.map(Into::into) };
        let page = consent::events_page(ctx, &filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(consent::events_count(ctx, &filter).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, ConsentEvent(row))), total))
    }
}
