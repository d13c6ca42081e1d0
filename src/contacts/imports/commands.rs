//! Beginning and canceling imports.

use std::collections::BTreeSet;

use entity::account;
use entity::contact_import::{ActiveModel, Column, Entity, Model};
use entity::enums::ImportStatus;
use entity::ids::{AccountId, ContactImportId};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
};

use super::super::model::valid_tag;
use super::super::{TAG_CHARS_MAX, TAGS_MAX, attributes, lists};
use super::model::{ColumnRef, ColumnTarget, ImportOptions};
use super::records::COLUMNS_MAX;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::TransactionError;
use crate::error::{Error, violated_constraint};
use crate::keys::Purpose;
use crate::types::phone::Region;

/// Imports of one account that have not ended.
pub const OPEN_MAX: u64 = 10;
/// Lists that one import puts its contacts on.
pub const IMPORT_LISTS_MAX: usize = 10;
/// Columns that an import names.
pub const IMPORT_COLUMNS_MAX: usize = 102;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 100;
/// Characters of a header that is named.
const HEADER_CHARS_MAX: usize = 200;

/// Why no import was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRejection {
    /// Empty, or too long.
    #[error("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters")]
    InvalidKey,
    /// It was used with another input.
    #[error("the idempotency key was used with another input")]
    KeyReused,
    /// Too many, or headers where there are none, or no column of numbers: its place in the input.
    #[error(
        "name at most {IMPORT_COLUMNS_MAX} columns, by headers only if there are any, and among \
         them the one of the numbers"
    )]
    InvalidColumns,
    /// There is no such attribute: its place in the input.
    #[error("there is no attribute of this key")]
    UnknownAttribute(usize),
    /// There is no such list: its place in the input.
    #[error("there is no such list")]
    ListNotFound(usize),
    /// More than [`IMPORT_LISTS_MAX`].
    #[error("an import puts its contacts on at most {IMPORT_LISTS_MAX} lists")]
    TooManyLists,
    /// Empty, too long or with control characters: its place in the input.
    #[error("a tag has 1 to {TAG_CHARS_MAX} characters, none of them a control character")]
    InvalidTag(usize),
    /// More than a contact may have.
    #[error("a contact has at most {TAGS_MAX} tags")]
    TooManyTags,
    /// No region.
    #[error("not a region: two letters of ISO 3166-1")]
    InvalidRegion,
    /// There are [`OPEN_MAX`].
    #[error(
        "at most {OPEN_MAX} imports of an account are open at a time: wait for one, or cancel one"
    )]
    TooManyOpen,
}

/// Why an import was not canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelImportRejection {
    /// There is none with this id.
    #[error("there is no such import")]
    NotFound,
    /// It has ended.
    #[error("the import has ended")]
    TooLate,
}

/// An import that was begun, or that was begun earlier under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunImport {
    /// The import, as it is now.
    pub import: Model,
    /// Whether it was begun by an earlier call.
    pub replayed: bool,
}

/// Begins an import, which waits for its file. With a key: the same input answers the same import.
///
/// # Errors
/// [`ImportRejection`], or a failure.
pub async fn begin_import(
    ctx: &Ctx,
    idempotency_key: Option<String>,
    options: ImportOptions,
) -> Result<BegunImport, Error<ImportRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let fits = |key: &String| (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.chars().count());
    if idempotency_key.as_ref().is_some_and(|key| !fits(key) || key.contains('\0')) {
        return Err(Error::Rejected(ImportRejection::InvalidKey));
    }
    let options = checked(ctx, account_id, options).await?;
    let options = serde_json::to_string(&options).map_err(crate::error::Failed::internal)?;
    let input_mac = ctx.master_key.hash(Purpose::ContactImport, options.as_bytes());
    if let Some(key) = &idempotency_key
        && let Some(earlier) = by_key(ctx.db.reader(), account_id, key).await?
    {
        return replay(earlier, &input_mac);
    }
    let now = ctx.clock.now();
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        status: ImportStatus::AwaitingUpload,
        failure: None,
        failure_detail: None,
        options,
        idempotency_key,
        input_mac: input_mac.to_vec(),
        upload_attempt: 0,
        upload_expires_at_ms: now.plus_ms(ctx.settings.contacts.import_upload_ttl_s * 1_000),
        byte_count: 0,
        part_count: 0,
        cursor_byte: 0,
        cursor_line: 1,
        row_count: 0,
        created_count: 0,
        matched_count: 0,
        failed_count: 0,
        error_part_count: 0,
        holds_parts: false,
        started_at_ms: None,
        finished_at_ms: None,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let begun = ctx
        .db
        .write(|tx| async move {
            // One after the other, or each would count without the others.
            let account = account::Entity::find_by_id(account_id).lock(LockType::NoKeyUpdate);
            account.one(&*tx).await?;
            let open = Entity::find()
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Status.lte(ImportStatus::Running));
            if open.count(&*tx).await? >= OPEN_MAX {
                return Err(Error::Rejected(ImportRejection::TooManyOpen));
            }
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    match begun {
        Ok(()) => Ok(BegunImport { import: row.clone(), replayed: false }),
        // Another call with the key was faster.
        Err(error) if is_key_taken(&error) => {
            let key = row.idempotency_key.as_deref().unwrap_or_default();
            match by_key(ctx.db.reader(), account_id, key).await? {
                Some(earlier) => replay(earlier, &input_mac),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

fn replay(earlier: Model, input_mac: &[u8]) -> Result<BegunImport, Error<ImportRejection>> {
    if earlier.input_mac != input_mac {
        return Err(Error::Rejected(ImportRejection::KeyReused));
    }
    Ok(BegunImport { import: earlier, replayed: true })
}

async fn by_key<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    key: &str,
) -> Result<Option<Model>, DbErr> {
    let found = Entity::find().filter(Column::AccountId.eq(account_id));
    found.filter(Column::IdempotencyKey.eq(key)).one(connection).await
}

fn is_key_taken<R: Send>(error: &Error<R>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("contact_import_key_unique")
            || constraint.contains("contact_import.idempotency_key")
    })
}

async fn checked(
    ctx: &Ctx,
    account_id: AccountId,
    mut options: ImportOptions,
) -> Result<ImportOptions, Error<ImportRejection>> {
    let columns = &options.columns;
    let is_number = |target: &ColumnTarget| *target == ColumnTarget::Number;
    let has_number = columns.iter().any(|it| is_number(&it.target));
    let can_find_number = has_number || (columns.is_empty() && options.has_header);
    let is_bad = |column: &ColumnRef| match column {
        ColumnRef::Header(header) => {
            !options.has_header
                || header.chars().count() > HEADER_CHARS_MAX
                || header.contains('\0')
        }
        ColumnRef::Position(place) => *place >= COLUMNS_MAX,
    };
    let is_bad = columns.len() > IMPORT_COLUMNS_MAX || columns.iter().any(|it| is_bad(&it.column));
    if is_bad || !can_find_number {
        return Err(Error::Rejected(ImportRejection::InvalidColumns));
    }
    let attributes = attributes::by_key(ctx.db.reader(), account_id).await?;
    for (place, column) in columns.iter().enumerate() {
        if let ColumnTarget::Attribute(key) = &column.target
            && !attributes.contains_key(key)
        {
            return Err(Error::Rejected(ImportRejection::UnknownAttribute(place)));
        }
    }
    if let Some(region) = &options.default_region {
        let region: Region =
            region.parse().map_err(|_| Error::Rejected(ImportRejection::InvalidRegion))?;
        options.default_region = Some(region.as_str().to_owned());
    }
    if options.list_ids.len() > IMPORT_LISTS_MAX {
        return Err(Error::Rejected(ImportRejection::TooManyLists));
    }
    let there = lists::live_ids(ctx.db.reader(), account_id, &options.list_ids).await?;
    if let Some(place) = options.list_ids.iter().position(|id| !there.contains(id)) {
        return Err(Error::Rejected(ImportRejection::ListNotFound(place)));
    }
    options.list_ids = there.into_iter().collect();
    let mut tags = BTreeSet::new();
    for (place, tag) in options.tags.iter().enumerate() {
        tags.insert(valid_tag(tag).ok_or(Error::Rejected(ImportRejection::InvalidTag(place)))?);
    }
    if tags.len() > TAGS_MAX {
        return Err(Error::Rejected(ImportRejection::TooManyTags));
    }
    options.tags = tags.into_iter().collect();
    Ok(options)
}

/// Ends an import at once. What was imported stays; what is left of its file is deleted soon.
/// Canceling again answers [`CancelImportRejection::TooLate`].
///
/// # Errors
/// [`CancelImportRejection`], or a failure.
pub async fn cancel_import(
    ctx: &Ctx,
    id: ContactImportId,
) -> Result<Model, Error<CancelImportRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let row = Entity::find_by_id((account_id, id)).lock_exclusive().one(&*tx).await?;
            let row = row.ok_or(Error::Rejected(CancelImportRejection::NotFound))?;
            if row.status > ImportStatus::Running {
                return Err(Error::Rejected(CancelImportRejection::TooLate));
            }
            let ended = super::ended(row, ImportStatus::Canceled, now);
            Ok(super::save(&tx, ended).await?)
        })
        .await
}
