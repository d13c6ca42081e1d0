//! Reads of imports, always within the caller's account; and what is wrong with their rows, for
//! whoever has a link to it.

use entity::contact_import::{Column, Entity, Model};
use entity::enums::{ImportPartKind, ImportStatus};
use entity::ids::ContactImportId;
use futures::Stream;
use futures::stream::unfold;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use super::super::csv_text::BYTE_ORDER_MARK;
use super::super::file_links::{FileKind, FileLink};
use super::fault::HEADER;
use super::model::ImportOptions;
use super::parts::{self, PartKey, ReadPartError};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// How long a link to faults is good, in ms: until they are downloaded, not for keeping.
const FAULTS_LINK_MS: i64 = 3_600_000;

/// An import of the caller's account.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_import(ctx: &Ctx, id: ContactImportId) -> Result<Option<Model>, Failed> {
    Ok(of_account(ctx)?.filter(Column::Id.eq(id)).one(ctx.db.reader()).await?)
}

/// A page of the account's imports, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn imports_page(
    ctx: &Ctx,
    request: &PageRequest<ContactImportId>,
) -> Result<Page<Model>, Failed> {
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), of_account(ctx)?, Column::Id, order, request).await?)
}

/// How many imports [`imports_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn imports_count(ctx: &Ctx) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_account(ctx)?).await?)
}

fn of_account(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(Entity::find().filter(Column::AccountId.eq(account_id)))
}

/// How an import's file is read, and where its contacts go.
///
/// # Errors
/// [`Failed`] if the row holds no options: a fault of ours.
pub fn import_options(import: &Model) -> Result<ImportOptions, Failed> {
    serde_json::from_str(&import.options).map_err(Failed::internal)
}

/// Where the file of an import is put, while it waits for it. For those who may begin imports: nobody
/// else learns of it.
pub fn upload_link(ctx: &Ctx, import: &Model) -> Option<String> {
    ctx.actor.require_in_account(Action::ManageContacts).ok()?;
    let waits = import.status == ImportStatus::AwaitingUpload;
    let is_early = ctx.clock.now() < import.upload_expires_at_ms;
    (waits && is_early).then(|| {
        let link = FileLink {
            kind: FileKind::Upload,
            account_id: import.account_id,
            id: import.id.0,
            expires_at: import.upload_expires_at_ms,
        };
        format!("{}/uploads/{}", ctx.settings.public_url(), link.sign(&ctx.master_key))
    })
}

/// Where to read what is wrong with the rows of an import, for an hour from now; none if nothing is,
/// or not any more.
pub fn faults_link(ctx: &Ctx, import: &Model) -> Option<String> {
    (import.error_part_count > 0 && import.holds_parts).then(|| {
        let link = FileLink {
            kind: FileKind::ImportErrors,
            account_id: import.account_id,
            id: import.id.0,
            expires_at: ctx.clock.now().plus_ms(FAULTS_LINK_MS),
        };
        format!("{}/downloads/{}", ctx.settings.public_url(), link.sign(&ctx.master_key))
    })
}

/// What is wrong with the rows of an import, so far, as CSV.
pub struct FaultsFile {
    ctx: Ctx,
    import: Model,
}

/// The file that `link` is to; none if it is to no such file, or its time is over. For whoever has
/// the link.
///
/// # Errors
/// The store's own.
pub async fn faults_file(ctx: &Ctx, link: &str) -> Result<Option<FaultsFile>, sea_orm::DbErr> {
    let link = FileLink::read(&ctx.master_key, link);
    let is_good =
        |link: &FileLink| link.kind == FileKind::ImportErrors && ctx.clock.now() < link.expires_at;
    let Some(link) = link.filter(is_good) else { return Ok(None) };
    let id = (link.account_id, ContactImportId(link.id));
    let import = Entity::find_by_id(id).one(ctx.db.reader()).await?;
    let import = import.filter(|import| import.holds_parts);
    Ok(import.map(|import| FaultsFile { ctx: ctx.clone(), import }))
}

impl FaultsFile {
    /// Its name.
    pub fn name(&self) -> String {
        format!("{}-errors.csv", self.import.id)
    }

    /// Its text, a batch's faults at a time.
    pub fn text(self) -> impl Stream<Item = Result<Vec<u8>, ReadPartError>> + Send + 'static {
        unfold((self, -1), |(file, place)| async move {
            if place < 0 {
                let head = format!("{BYTE_ORDER_MARK}{HEADER}").into_bytes();
                return Some((Ok(head), (file, 0)));
            }
            if place >= file.import.error_part_count {
                return None;
            }
            let key = PartKey {
                account_id: file.import.account_id,
                import_id: file.import.id,
                kind: ImportPartKind::Errors,
                place,
            };
            match parts::read(&file.ctx, key).await {
                Ok(bytes) => Some((Ok(bytes.to_vec()), (file, place + 1))),
                // The error is the stream's last word.
                Err(error) => Some((Err(error), (file, i32::MAX))),
            }
        })
    }
}
