//! Contacts from files: a file is uploaded by a signed link, kept in sealed parts, and read by a worker,
//! batch by batch, into contacts.
//!
//! Invariants:
//! - A batch's contacts and the place in the file where the next one begins are one transaction: after
//!   a crash nothing is imported twice, and nothing is left out.
//! - Memory does not grow with the file: a part and a batch at a time are in it.
//! - The file is a person's data: it is sealed, and removed when the import has ended.
//! - What is wrong with a row keeps that row out, and no other.
//!
//! `commands` (begin, cancel), `upload`, `transcode` (what is kept of an upload), `parts` (where),
//! `records` (CSV), `model` (which column is what), `fault` (what is wrong with rows), `run` (the
//! worker), `batch` (what it writes), `queries`, `purge`.

mod batch;
mod commands;
mod fault;
mod model;
mod parts;
mod purge;
mod queries;
mod records;
mod run;
mod transcode;
mod upload;

use entity::contact_import::{ActiveModel, Model};
use entity::enums::ImportStatus;
use entity::time::UnixMillis;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, DbErr, IntoActiveModel};

pub use commands::{
    BegunImport, CancelImportRejection, IDEMPOTENCY_KEY_CHARS_MAX, IMPORT_COLUMNS_MAX,
    IMPORT_LISTS_MAX, ImportRejection, OPEN_MAX, begin_import, cancel_import,
};
pub use model::{ColumnRef, ColumnTarget, FileEncoding, ImportColumn, ImportOptions, OnDuplicate};
pub use parts::ReadPartError;
pub use purge::purge;
pub use queries::{
    FaultsFile, faults_file, faults_link, find_import, import_options, imports_count, imports_page,
    upload_link,
};
pub use run::run_imports;
pub use transcode::NotText;
pub use upload::{Upload, UploadRejection, begin_upload};

use crate::db::Tx;

/// The condition that an import has not ended, with the number of RUNNING written out: SQLite takes a
/// partial index only for a query that repeats its condition.
fn is_open() -> Expr {
    Expr::cust("status <= 3")
}

/// An import that has ended so. Its version grows when it is saved.
fn ended(row: Model, status: ImportStatus, now: UnixMillis) -> Model {
    Model { status, finished_at_ms: Some(now), updated_at_ms: now, ..row }
}

/// Writes all of an import's row, which the transaction has locked.
async fn save(tx: &Tx, row: Model) -> Result<Model, DbErr> {
    let row = Model { version: row.version + 1, ..row };
    let row: ActiveModel = row.into_active_model().reset_all();
    row.update(&**tx).await
}
