//! Imports: contacts that come from a file.

use sea_orm::entity::prelude::*;

use crate::enums::{ImportFailure, ImportStatus};
use crate::ids::{AccountId, ContactImportId};
use crate::time::UnixMillis;

/// An import, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_import")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContactImportId,
    /// Where it stands.
    pub status: ImportStatus,
    /// Why it cannot go on, once it failed.
    pub failure: Option<ImportFailure>,
    /// Which column, attribute or list is to blame.
    pub failure_detail: Option<String>,
    /// JSON: how its file is to be read, and where its contacts go.
    pub options: String,
    /// The client's, if it gave one.
    pub idempotency_key: Option<String>,
    /// HMAC-SHA256 of the input.
    pub input_mac: Vec<u8>,
    /// Grows with each upload that begins, so that one that was replaced writes nothing more.
    pub upload_attempt: i32,
    /// Until when its file may come.
    pub upload_expires_at_ms: UnixMillis,
    /// Bytes that are kept of the file.
    pub byte_count: i64,
    /// In how many parts.
    pub part_count: i32,
    /// How many of these bytes are done.
    pub cursor_byte: i64,
    /// The line that follows them, from 1.
    pub cursor_line: i64,
    /// Rows that are done, but blank ones.
    pub row_count: i64,
    /// Of these: they made a contact.
    pub created_count: i64,
    /// Of these: the account had a contact of their number.
    pub matched_count: i64,
    /// Of these: they have faults.
    pub failed_count: i64,
    /// Parts of the file of faults.
    pub error_part_count: i32,
    /// Whether there may be parts.
    pub holds_parts: bool,
    /// When a worker began.
    pub started_at_ms: Option<UnixMillis>,
    /// When it ended, whatever way.
    pub finished_at_ms: Option<UnixMillis>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
