//! Taking the file of an import in, part by part, by a signed link.
//!
//! A link takes one file. Each part is committed when it is full, so memory is bounded by a part and
//! the bytes reach whichever node works on them. An upload that breaks off leaves nothing: what came
//! of it is removed by the next, which may come until the link expires, or when it expires. An
//! upload of which nothing was heard for a while, as of a node that died, may be replaced; it then
//! writes nothing more, since each part asks for the number of its attempt.

use entity::contact_import::{Column, Entity, Model};
use entity::enums::{ImportPartKind, ImportStatus};
use entity::ids::{AccountId, ContactImportId};
use entity::time::UnixMillis;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::super::file_links::{FileKind, FileLink};
use super::parts::{self, PART_BYTES, PartKey};
use super::transcode::{NotText, Transcoder};
use crate::ctx::Ctx;
use crate::error::Error;

/// After this long without a part an upload counts as broken off, in ms: longer than a pause that
/// the edge allows.
const UPLOAD_SILENCE_MAX_MS: i64 = 120_000;

/// Why a file is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadRejection {
    /// No link of ours.
    #[error("there is nothing here")]
    UnknownLink,
    /// Its time is over, or the import was canceled.
    #[error("the link has expired: make another import")]
    Expired,
    /// A file came already.
    #[error("the link was used: a file is taken in once")]
    Used,
    /// Another upload is at it.
    #[error("an upload by this link is under way")]
    UnderWay,
    /// Larger than it may be, in bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(i64),
    /// Nothing came.
    #[error("the file is empty")]
    Empty,
    /// No CSV.
    #[error(transparent)]
    NotText(#[from] NotText),
}

/// A file that is being taken in.
pub struct Upload {
    ctx: Ctx,
    account_id: AccountId,
    import_id: ContactImportId,
    attempt: i32,
    transcoder: Transcoder,
    /// What is not yet a part.
    rest: Vec<u8>,
    part_count: i32,
    received: i64,
    kept: i64,
}

/// Begins to take in the file that `link` is for; `length` is how large it is said to be. For
/// whoever has the link.
///
/// # Errors
/// [`UploadRejection`], or a failure.
pub async fn begin_upload(
    ctx: &Ctx,
    link: &str,
    length: Option<u64>,
) -> Result<Upload, Error<UploadRejection>> {
    let link = FileLink::read(&ctx.master_key, link);
    let link = link.filter(|link| link.kind == FileKind::Upload);
    let link = link.ok_or(Error::Rejected(UploadRejection::UnknownLink))?;
    let (account_id, import_id) = (link.account_id, ContactImportId(link.id));
    let now = ctx.clock.now();
    if now >= link.expires_at {
        return Err(Error::Rejected(UploadRejection::Expired));
    }
    let bytes_max = ctx.settings.contacts.import_bytes_max;
    if length.is_some_and(|length| length > bytes_max.unsigned_abs()) {
        return Err(Error::Rejected(UploadRejection::TooLarge(bytes_max)));
    }
    let attempt = ctx
        .db
        .write(|tx| async move {
            let row =
                Entity::find_by_id((account_id, import_id)).lock_exclusive().one(&*tx).await?;
            let row = row.ok_or(Error::Rejected(UploadRejection::UnknownLink))?;
            may_begin(&row, now).map_err(Error::Rejected)?;
            let attempt = row.upload_attempt + 1;
            Entity::update_many()
                .col_expr(Column::Status, Expr::value(ImportStatus::Uploading.code()))
                .col_expr(Column::UploadAttempt, Expr::value(attempt))
                .col_expr(Column::ByteCount, Expr::value(0_i64))
                .col_expr(Column::PartCount, Expr::value(0))
                .col_expr(Column::HoldsParts, Expr::value(true))
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .col_expr(Column::UpdatedAtMs, Expr::value(now.0))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Id.eq(import_id))
                .exec(&*tx)
                .await?;
            Ok::<_, Error<UploadRejection>>(attempt)
        })
        .await?;
    // Of an upload that broke off.
    parts::remove(ctx, account_id, import_id, ImportPartKind::Upload).await?;
    Ok(Upload {
        ctx: ctx.clone(),
        account_id,
        import_id,
        attempt,
        transcoder: Transcoder::new(),
        rest: Vec::new(),
        part_count: 0,
        received: 0,
        kept: 0,
    })
}

fn may_begin(row: &Model, now: UnixMillis) -> Result<(), UploadRejection> {
    match row.status {
        ImportStatus::AwaitingUpload | ImportStatus::Uploading
            if now >= row.upload_expires_at_ms =>
        {
            Err(UploadRejection::Expired)
        }
        ImportStatus::AwaitingUpload => Ok(()),
        ImportStatus::Uploading if now.since(row.updated_at_ms) < UPLOAD_SILENCE_MAX_MS => {
            Err(UploadRejection::UnderWay)
        }
        ImportStatus::Uploading => Ok(()),
        ImportStatus::Queued
        | ImportStatus::Running
        | ImportStatus::Finished
        | ImportStatus::Failed => Err(UploadRejection::Used),
        ImportStatus::Canceled | ImportStatus::Expired => Err(UploadRejection::Expired),
    }
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`UploadRejection`], or a failure: then the upload is to be given up.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error<UploadRejection>> {
        let bytes_max = self.ctx.settings.contacts.import_bytes_max;
        self.received += bytes.len() as i64;
        if self.received > bytes_max {
            return Err(Error::Rejected(UploadRejection::TooLarge(bytes_max)));
        }
        let taken = self.transcoder.take(bytes, &mut self.rest);
        taken.map_err(|fault| Error::Rejected(fault.into()))?;
        while self.rest.len() >= PART_BYTES {
            let rest = self.rest.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.rest, rest);
            self.keep(&part, ImportStatus::Uploading).await?;
        }
        Ok(())
    }

    /// The file is whole: a worker may begin with it. One that is refused is given up.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn finish(mut self) -> Result<(), Error<UploadRejection>> {
        let ended = self.end().await;
        match &ended {
            Ok(()) => {}
            Err(Error::Rejected(_)) => self.give_up().await?,
            // What the store said first is what there is to say.
            Err(Error::Failed(_)) => drop(self.give_up().await),
        }
        ended
    }

    async fn end(&mut self) -> Result<(), Error<UploadRejection>> {
        let finished = self.transcoder.finish(&mut self.rest);
        finished.map_err(|fault| Error::Rejected(fault.into()))?;
        while self.rest.len() > PART_BYTES {
            let rest = self.rest.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.rest, rest);
            self.keep(&part, ImportStatus::Uploading).await?;
        }
        if self.kept == 0 && self.rest.iter().all(u8::is_ascii_whitespace) {
            return Err(Error::Rejected(UploadRejection::Empty));
        }
        let part = std::mem::take(&mut self.rest);
        self.keep(&part, ImportStatus::Queued).await
    }

    /// The file will not become whole: the link takes another. Until the parts are gone nobody else
    /// may begin, for theirs would be taken for these.
    ///
    /// # Errors
    /// The store's own.
    pub async fn give_up(self) -> Result<(), DbErr> {
        if !self.empty(ImportStatus::Uploading).await? {
            return Ok(());
        }
        parts::remove(&self.ctx, self.account_id, self.import_id, ImportPartKind::Upload).await?;
        self.empty(ImportStatus::AwaitingUpload).await?;
        Ok(())
    }

    /// Notes that nothing has come; false if this upload is over.
    async fn empty(&self, status: ImportStatus) -> Result<bool, DbErr> {
        let now = self.ctx.clock.now();
        let (account_id, import_id, attempt) = (self.account_id, self.import_id, self.attempt);
        let emptied = self.ctx.db.write(|tx| async move {
            Entity::update_many()
                .col_expr(Column::Status, Expr::value(status.code()))
                .col_expr(Column::ByteCount, Expr::value(0_i64))
                .col_expr(Column::PartCount, Expr::value(0))
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .col_expr(Column::UpdatedAtMs, Expr::value(now.0))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Id.eq(import_id))
                .filter(Column::Status.eq(ImportStatus::Uploading))
                .filter(Column::UploadAttempt.eq(attempt))
                .exec(&*tx)
                .await
        });
        Ok(emptied.await?.rows_affected == 1)
    }

    /// Commits a part; `status` is what the import is then. The last one may hold nothing.
    async fn keep(
        &mut self,
        plain: &[u8],
        status: ImportStatus,
    ) -> Result<(), Error<UploadRejection>> {
        let (account_id, import_id, attempt) = (self.account_id, self.import_id, self.attempt);
        let key =
            PartKey { account_id, import_id, kind: ImportPartKind::Upload, place: self.part_count };
        let part = (!plain.is_empty()).then(|| key.seal(&self.ctx, plain));
        let part_count = self.part_count + i32::from(part.is_some());
        let kept = self.kept + plain.len() as i64;
        let (part, now) = (&part, self.ctx.clock.now());
        self.ctx
            .db
            .write(|tx| async move {
                let moved = Entity::update_many()
                    .col_expr(Column::Status, Expr::value(status.code()))
                    .col_expr(Column::ByteCount, Expr::value(kept))
                    .col_expr(Column::PartCount, Expr::value(part_count))
                    .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                    .col_expr(Column::UpdatedAtMs, Expr::value(now.0))
                    .filter(Column::AccountId.eq(account_id))
                    .filter(Column::Id.eq(import_id))
                    .filter(Column::Status.eq(ImportStatus::Uploading))
                    .filter(Column::UploadAttempt.eq(attempt))
                    .exec(&*tx)
                    .await?;
                if moved.rows_affected == 0 {
                    // Canceled, or replaced by another upload.
                    return Err(Error::Rejected(UploadRejection::Expired));
                }
                if let Some(part) = part {
                    parts::put(&tx, part.clone()).await?;
                }
                Ok(())
            })
            .await?;
        (self.part_count, self.kept) = (part_count, kept);
        Ok(())
    }
}
