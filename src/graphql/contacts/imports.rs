//! Imports: contacts from files.

use async_graphql::{Context, Enum, ID, Object, SimpleObject, Subscription};
use entity::contact_import::Model;
use entity::enums;
use entity::ids::ContactImportId;
use futures::Stream;
use futures::stream::unfold;

use super::{ContactList, ListRow};
use crate::contacts::imports;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::{Answer, Fault};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::loaders::load;
use crate::graphql::scalars::{Cursor, DateTime, SequenceNumber};
use crate::types::cursor::CursorKind;

/// How often a stream looks at an import.
const LOOK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// Where an import stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::ImportStatus")]
pub enum ImportStatus {
    /// Its file is to be uploaded to `uploadUrl`.
    AwaitingUpload,
    /// Its file is being uploaded.
    Uploading,
    /// Its file is there; a worker begins with it within a second, or when others are done.
    Queued,
    /// A worker is at it.
    Running,
    /// All rows were read; `failedCount` of them have faults.
    Finished,
    /// It cannot go on; `failure` says why. What was imported before stays.
    Failed,
    /// It was canceled. What was imported before stays.
    Canceled,
    /// No file came in time.
    Expired,
}

/// Why an import cannot go on.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::ImportFailure")]
pub enum ImportFailure {
    /// No column was named for numbers, and no header is one of a number.
    NoNumberColumn,
    /// A column that was named is not in the file.
    UnknownColumn,
    /// An attribute that was named has been deleted.
    UnknownAttribute,
    /// A list that was named has been deleted.
    UnknownList,
    /// Two columns are for one thing: name the one that counts.
    AmbiguousColumn,
    /// The file has no rows.
    Empty,
    /// The file cannot be read back from the store.
    Unreadable,
}

/// An import.
#[derive(Clone, Debug)]
pub struct ContactImport(pub Model);

impl ContactImport {
    /// One of the caller's account.
    ///
    /// # Errors
    /// The read's own.
    pub async fn find(ctx: &Ctx, id: ContactImportId) -> Answer<Option<Self>> {
        Ok(imports::find_import(ctx, id).await?.map(Self))
    }
}

/// Contacts that come from a CSV file. Read by the account's owners, admins, developers and support,
/// and by keys with the scope `contacts:manage`. The file is deleted when the import has ended.
#[Object]
impl ContactImport {
    /// The import's id, `cimp_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Where it stands.
    async fn status(&self) -> ImportStatus {
        self.0.status.into()
    }

    /// Where to `PUT` the file, as it is, without a credential: whoever has this address can, once,
    /// until `uploadExpiresAt`. 202: it is kept. Null for those who may not import, and once a file
    /// came. CSV in UTF-8, UTF-16 or Windows-1252, with commas, semicolons or tabs; at most 256 MiB,
    /// or what the operator set; not compressed.
    async fn upload_url(&self, context: &Context<'_>) -> Answer<Option<String>> {
        Ok(imports::upload_link(call(context)?, &self.0))
    }

    /// Until when the file may come.
    async fn upload_expires_at(&self) -> DateTime {
        self.0.upload_expires_at_ms.into()
    }

    /// How much of the file was read, 0 to 100, rounded down.
    async fn percent_done(&self) -> i32 {
        let share = match self.0.byte_count {
            0 => 0,
            bytes => self.0.cursor_byte.saturating_mul(100) / bytes,
        };
        i32::try_from(share).unwrap_or_default().clamp(0, 100)
    }

    /// Rows that were read, without blank ones: the sum of the three counts that follow.
    async fn row_count(&self) -> SequenceNumber {
        SequenceNumber(self.0.row_count)
    }

    /// Rows that made a contact.
    async fn created_count(&self) -> SequenceNumber {
        SequenceNumber(self.0.created_count)
    }

    /// Rows whose number the account had a contact of, also by an earlier row.
    async fn matched_count(&self) -> SequenceNumber {
        SequenceNumber(self.0.matched_count)
    }

    /// Rows with faults, which changed nothing.
    async fn failed_count(&self) -> SequenceNumber {
        SequenceNumber(self.0.failed_count)
    }

    /// Where to read what is wrong with rows, by line, as CSV, without a credential: whoever has this
    /// address can, for an hour. Null if nothing is, or not any more: it is kept for 7 days after the
    /// end, or what the operator set.
    async fn errors_url(&self, context: &Context<'_>) -> Answer<Option<String>> {
        Ok(imports::faults_link(call(context)?, &self.0))
    }

    /// Why it failed; null if it did not.
    async fn failure(&self) -> Option<ImportFailure> {
        self.0.failure.map(Into::into)
    }

    /// The column, attribute or list to blame, at most 100 characters; null if none is.
    async fn failure_detail(&self) -> Option<&str> {
        self.0.failure_detail.as_deref()
    }

    /// The lists that its contacts are put on, at most 10; those that were deleted are missing. Null if
    /// they cannot be read.
    async fn lists(&self, context: &Context<'_>) -> Answer<Option<Vec<ContactList>>> {
        let ids = imports::import_options(&self.0)?.list_ids;
        let rows = ids.into_iter().map(|id| load(context, ListRow(id)));
        let rows = futures::future::try_join_all(rows).await?;
        Ok(Some(rows.into_iter().flatten().map(ContactList).collect()))
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When a worker had read its first rows; null before.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at_ms.map(Into::into)
    }

    /// When it ended, whatever way; null before.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at_ms.map(Into::into)
    }
}

/// What a stream of an import tells.
#[derive(SimpleObject)]
pub struct ContactImportProgress {
    /// The import as it is now; null if there is none with this id.
    import: Option<ContactImport>,
}

/// Reads.
#[derive(Default)]
pub struct ImportsQuery;

#[Object]
impl ImportsQuery {
    /// An import of the caller's account, or null if there is none with this id. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn contact_import(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The import's id, `cimp_…`.")] id: ID,
    ) -> Answer<Option<ContactImport>> {
        ContactImport::find(call(context)?, parse_id(&id)?).await
    }

    /// The imports of the caller's account, newest first. For owners, admins, developers, support, and
    /// keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn contact_imports(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<ContactImport>> {
        let ctx = call(context)?;
        let kind = CursorKind::ContactImports;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = imports::imports_page(ctx, &request).await?;
        let total = if wants_total_count(context) {
            Some(imports::imports_count(ctx).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, ContactImport(row))), total))
    }
}

/// Streams.
#[derive(Default)]
pub struct ImportsSubscription;

#[Subscription]
impl ImportsSubscription {
    /// An import as it goes on: at once, then each time that it changed, at most once a second, until
    /// it has ended. Each tells the present state whole, so there is nothing to resume: after an
    /// interruption subscribe again. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn contact_import_progress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The import, `cimp_…`.")] import_id: ID,
    ) -> Result<impl Stream<Item = Answer<ContactImportProgress>>, Fault> {
        let ctx: &Ctx = call(context)?;
        let id: ContactImportId = parse_id(&import_id)?;
        // Who may not is told so before the stream begins.
        imports::find_import(ctx, id).await?;
        let state = Following { ctx: ctx.clone(), id, told: None };
        Ok(unfold(Some(Box::new(state)), |following| async {
            let mut following = following?;
            match following.next().await {
                Ok(Some(import)) => {
                    let has_ended = import.finished_at_ms.is_some();
                    let progress = ContactImportProgress { import: Some(ContactImport(import)) };
                    Some((Ok(progress), (!has_ended).then_some(following)))
                }
                Ok(None) => Some((Ok(ContactImportProgress { import: None }), None)),
                // The error is the stream's last word.
                Err(failed) => Some((Err(failed.into()), None)),
            }
        }))
    }
}

/// An import that a stream follows.
struct Following {
    ctx: Ctx,
    id: ContactImportId,
    told: Option<i32>,
}

impl Following {
    /// The import once it is another than it was told; none if there is none.
    async fn next(&mut self) -> Result<Option<Model>, Failed> {
        loop {
            if self.told.is_some() {
                self.ctx.clock.sleep(LOOK_INTERVAL).await;
            }
            let Some(import) = imports::find_import(&self.ctx, self.id).await? else {
                return Ok(None);
            };
            if self.told != Some(import.version) {
                self.told = Some(import.version);
                return Ok(Some(import));
            }
        }
    }
}
