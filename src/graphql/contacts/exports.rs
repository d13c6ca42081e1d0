//! Exports: contacts into files.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::contact_export::Model;
use entity::ids::ContactExportId;

use super::ContactFilter;
use crate::contacts::exports::{self, ExportRejection, NewExport};
use crate::ctx::Ctx;
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::identity::{ApiKey, Person};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::loaders::{ApiKeyRow, PersonRow, load};
use crate::graphql::scalars::{Cursor, DateTime, SequenceNumber};
use crate::types::cursor::CursorKind;

/// An export.
#[derive(Clone, Debug)]
pub struct ContactExport(pub Model);

impl ContactExport {
    /// One of the caller's account.
    ///
    /// # Errors
    /// The read's own.
    pub async fn find(ctx: &Ctx, id: ContactExportId) -> Answer<Option<Self>> {
        Ok(exports::find_export(ctx, id).await?.map(Self))
    }
}

/// Contacts that go into a CSV file. The file is written while it is downloaded, with what the
/// contacts are then, and never kept; that it was is. Read by the account's owners, admins,
/// developers and support, and by keys with the scope `contacts:manage`.
#[Object]
impl ContactExport {
    /// The export's id, `cexp_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Where to download the file, without a credential: whoever has this address can, until
    /// `expiresAt`. Null for those who may not export, and then. UTF-8 with a byte order mark and
    /// commas: `number`, `tags`, `created_at`, and a column for each attribute. A text that
    /// spreadsheets take for a formula stands behind an apostrophe, which `importContacts` takes off.
    async fn download_url(&self, context: &Context<'_>) -> Answer<Option<String>> {
        Ok(exports::download_link(call(context)?, &self.0))
    }

    /// Until when it can be downloaded.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at_ms.into()
    }

    /// The person who asked for it; null if a key did, or the person has left the account.
    async fn person(&self, context: &Context<'_>) -> Answer<Option<Person>> {
        let Some(id) = self.0.person_id else { return Ok(None) };
        Ok(load(context, PersonRow(id)).await?.map(Person))
    }

    /// The API key that asked for it; null if a person did. For those who may read API keys; others
    /// get `FORBIDDEN`.
    async fn api_key(&self, context: &Context<'_>) -> Answer<Option<ApiKey>> {
        let Some(id) = self.0.api_key_id else { return Ok(None) };
        Ok(load(context, ApiKeyRow(id)).await?.map(ApiKey))
    }

    /// How many downloads began.
    async fn download_count(&self) -> i32 {
        self.0.download_count
    }

    /// When the last download began; null if none did.
    async fn downloaded_at(&self) -> Option<DateTime> {
        self.0.downloaded_at_ms.map(Into::into)
    }

    /// Contacts in the last download that came to its end; null if none did.
    async fn contact_count(&self) -> Option<SequenceNumber> {
        self.0.contact_count.map(SequenceNumber)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct ExportsQuery;

#[Object]
impl ExportsQuery {
    /// An export of the caller's account, or null if there is none with this id. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn contact_export(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The export's id, `cexp_…`.")] id: ID,
    ) -> Answer<Option<ContactExport>> {
        ContactExport::find(call(context)?, parse_id(&id)?).await
    }

    /// The exports of the caller's account, newest first: who took which contacts out, and when. For
    /// owners, admins, developers, support, and keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn contact_exports(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<ContactExport>> {
        let ctx = call(context)?;
        let kind = CursorKind::ContactExports;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = exports::exports_page(ctx, &request).await?;
        let total = if wants_total_count(context) {
            Some(exports::exports_count(ctx).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, ContactExport(row))), total))
    }
}

/// What `exportContacts` takes.
#[derive(InputObject, Debug, Default)]
pub struct ExportContactsInput {
    /// Which contacts; absent or null: all.
    pub filter: Option<ContactFilter>,
    /// Only those in this segment, `segm_…`, as its condition is now.
    pub segment_id: Option<ID>,
}

/// What `exportContacts` answers.
#[derive(SimpleObject)]
pub struct ExportContactsPayload {
    /// The export; null if none was made.
    export: Option<ContactExport>,
    /// Why not; empty if one was.
    user_errors: Vec<ExportContactsError>,
}

user_error! {
    /// Why nothing is exported.
    ExportContactsError,
    /// Why nothing is exported, for a program to read.
    ExportContactsErrorCode {
        /// There is no such list.
        ListNotFound,
        /// There is no such segment.
        SegmentNotFound,
    }
}

/// Writes.
#[derive(Default)]
pub struct ExportsMutation;

#[Object]
impl ExportsMutation {
    /// Lets contacts be downloaded as CSV, for a day or what the operator set. For owners, admins,
    /// developers, and keys with the scope `contacts:manage`. Not idempotent: each call makes another
    /// export.
    async fn export_contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which contacts.")] input: ExportContactsInput,
    ) -> Answer<ExportContactsPayload> {
        let new = NewExport {
            filter: input.filter.unwrap_or_default().parse()?,
            segment_id: input.segment_id.map(|id| parse_id(&id)).transpose()?,
        };
        let outcome = exports::create_export(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                ExportContactsPayload { export: Some(ContactExport(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                use ExportContactsErrorCode as Code;
                let (code, path): (_, &[&str]) = match rejection {
                    ExportRejection::ListNotFound => (Code::ListNotFound, &["filter", "listId"]),
                    ExportRejection::SegmentNotFound => (Code::SegmentNotFound, &["segmentId"]),
                };
                let error = ExportContactsError::new(code, path, rejection);
                ExportContactsPayload { export: None, user_errors: vec![error] }
            }
        })
    }
}
