//! Contacts in the contract: contacts, attributes, lists, segments, consent. Behaviour:
//! `crate::contacts`, and `crate::messages::opt_out` for what also stops messages.

mod conditions;
mod consent;
mod consent_mutations;
mod exports;
mod import_mutations;
mod imports;
mod keywords;
mod lists;
mod loaders;
mod mutations;
mod segments;
mod values;

use async_graphql::{Context, ID, InputObject, Object};
use entity::contact::Model;
use entity::ids::ContactId;

pub use conditions::{AttributeTest, ContactConditionInput, SegmentCondition};
pub use consent::{ConsentEvent, ConsentQuery, Suppression};
pub use consent_mutations::{ConsentMutation, RecordConsentError, SuppressError, UnsuppressError};
pub use exports::{ContactExport, ExportContactsError, ExportsMutation, ExportsQuery};
pub use import_mutations::{CancelContactImportError, ImportContactsError, ImportsMutation};
pub use imports::{ContactImport, ImportsQuery, ImportsSubscription};
pub use keywords::{
    CreateKeywordError, DeleteKeywordError, InboundKeyword, KeywordsMutation, KeywordsQuery,
};
pub use lists::{
    AddToListError, ContactList, CreateListError, DeleteListError, ListsMutation, ListsQuery,
    RemoveFromListError, UpdateListError,
};
pub use loaders::{
    ContactByMac, ContactByNumber, ContactLists, ContactRow, ContactSuppressions, ContactTags,
    ContactValues, ListRow,
};
pub use mutations::{
    ContactsMutation, CreateContactAttributeError, CreateContactError, DeleteContactAttributeError,
    DeleteContactError, UpdateContactError,
};
pub use segments::{
    CreateSegmentError, DeleteSegmentError, Segment, SegmentsMutation, SegmentsQuery,
    UpdateSegmentError,
};
pub use values::{AttributeKind, AttributeValue, AttributeValueInput, ContactAttribute};

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::{parse_id, show_id};
use super::loaders::load;
use super::scalars::{Cursor, DateTime, PhoneNumber};
use crate::contacts;
use crate::messages::preferences;
use crate::types::cursor::CursorKind;

/// A contact.
#[derive(Clone, Debug)]
pub struct Contact(pub Model);

impl Contact {
    /// One of the caller's account, read together with others.
    ///
    /// # Errors
    /// The read's own.
    pub async fn load(context: &Context<'_>, id: ContactId) -> Answer<Option<Self>> {
        Ok(load(context, ContactRow(id)).await?.map(Self))
    }

    fn mac(&self) -> [u8; 32] {
        self.0.number_mac.as_slice().try_into().unwrap_or_default()
    }
}

/// Somebody whom the account writes to: a number, and what the account knows of it. Read by the
/// account's owners, admins, developers and support, and by keys with the scope `contacts:manage`.
#[Object]
impl Contact {
    /// The contact's id, `cont_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The phone number, unique in the account.
    async fn number(&self) -> PhoneNumber {
        PhoneNumber(self.0.number.clone())
    }

    /// The number's country, two letters (ISO 3166-1); null where its plan names none.
    async fn country(&self) -> Option<&str> {
        (!self.0.country.is_empty()).then_some(self.0.country.as_str())
    }

    /// What is known of the contact, by key: at most 100 values, those that are not set are missing.
    /// Null if it cannot be read.
    async fn attributes(&self, context: &Context<'_>) -> Answer<Option<Vec<AttributeValue>>> {
        let found = load(context, ContactValues(self.0.id)).await?.unwrap_or_default();
        Ok(Some(found.into_iter().map(|(key, value)| AttributeValue::new(key, value)).collect()))
    }

    /// The contact's tags in order, at most 50. Null if they cannot be read.
    async fn tags(&self, context: &Context<'_>) -> Answer<Option<Vec<String>>> {
        Ok(Some(load(context, ContactTags(self.0.id)).await?.unwrap_or_default()))
    }

    /// The lists that the contact is on, by name, at most 1,000. Null if they cannot be read.
    async fn lists(&self, context: &Context<'_>) -> Answer<Option<Vec<ContactList>>> {
        let found = load(context, ContactLists(self.0.id)).await?.unwrap_or_default();
        Ok(Some(found.into_iter().map(ContactList).collect()))
    }

    /// In which scopes the number is not written to, at most one each: the account, each sender, each
    /// topic. Null if they cannot be read.
    async fn suppressions(&self, context: &Context<'_>) -> Answer<Option<Vec<Suppression>>> {
        let found = load(context, ContactSuppressions(self.mac())).await?.unwrap_or_default();
        Ok(Some(found.into_iter().map(Suppression).collect()))
    }

    /// Where the number's owner chooses what to receive, or unsubscribes: for a text message, 44
    /// characters behind the address of this platform. Whoever has it can choose, without a
    /// credential and without an end. Null for those who may not record consent.
    async fn preferences_url(&self, context: &Context<'_>) -> Answer<Option<String>> {
        Ok(preferences::preferences_url(call(context)?, &self.0.number))
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// Which contacts are wanted. Conditions are joined by AND; an absent or null one does not matter.
#[derive(InputObject, Debug, Default)]
pub struct ContactFilter {
    /// With this number: E.164, or national with the account's default region.
    pub number: Option<String>,
    /// On this list, `list_…`.
    pub list_id: Option<ID>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of which this holds.
    pub condition: Option<ContactConditionInput>,
}

impl ContactFilter {
    fn parse(self) -> Answer<contacts::ContactFilter> {
        Ok(contacts::ContactFilter {
            number: self.number,
            list_id: self.list_id.map(|id| parse_id(&id)).transpose()?,
            tag: self.tag,
            condition: self.condition.map(ContactConditionInput::parse).transpose()?,
        })
    }
}

/// Reads.
#[derive(Default)]
pub struct ContactsQuery;

#[Object]
impl ContactsQuery {
    /// A contact of the caller's account, or null if there is none with this id. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The contact's id, `cont_…`.")] id: ID,
    ) -> Answer<Option<Contact>> {
        Contact::load(context, parse_id(&id)?).await
    }

    /// The contacts of the caller's account, newest first. For owners, admins, developers, support,
    /// and keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<ContactFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Contact>> {
        let ctx = call(context)?;
        let kind = CursorKind::Contacts;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let filter = filter.unwrap_or_default().parse()?;
        let page = contacts::contacts_page(ctx, &filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(contacts::contacts_count(ctx, &filter).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, Contact(row))), total))
    }

    /// What the account keeps of its contacts, by key: at most 100 attributes. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn contact_attributes(&self, context: &Context<'_>) -> Answer<Vec<ContactAttribute>> {
        let found = contacts::attributes(call(context)?).await?;
        Ok(found.into_iter().map(ContactAttribute).collect())
    }
}
