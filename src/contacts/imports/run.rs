//! The worker: reads what was uploaded, a batch a transaction, the imports of all accounts in turn.
//! It runs as a job under a lease; should two ever run, each batch asks for the place that it began at.

use std::collections::HashMap;

use entity::contact_attribute;
use entity::contact_import::{Column, Entity, Model};
use entity::enums::{ImportFailure, ImportPartKind, ImportStatus};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::super::store::default_region;
use super::super::{attributes, lists};
use super::batch::{self, Batch};
use super::fault::{RowFault, RowFaultCode};
use super::is_open;
use super::model::{ImportOptions, Plan, PlanFault, Reading, cut};
use super::parts::{self, PART_BYTES, PartKey, ReadPartError};
use super::queries::import_options;
use super::records::{Dialect, Records, Step};
use crate::ctx::Ctx;

/// Rows of a batch: enough that its statements cost little each, few enough that it holds its locks,
/// and on SQLite the one writer, for some tens of milliseconds.
const BATCH_ROWS: usize = 1_000;
/// Bytes and values of a batch, for the same reason: rows may be long, and wide.
const BATCH_BYTES: u64 = 1024 * 1024;
const BATCH_VALUES: usize = 10_000;
/// Batches of one import before it is the next one's turn.
const TURN_BATCHES: usize = 5;
/// Imports that take turns; the others wait until one has ended.
const AT_ONCE: u64 = 100;

/// Why an import is not worked on further.
#[derive(Debug)]
enum Stop {
    /// The store's own: later.
    Store(DbErr),
    /// Never.
    Fault(PlanFault),
}

impl From<DbErr> for Stop {
    fn from(error: DbErr) -> Self {
        Self::Store(error)
    }
}

impl From<ReadPartError> for Stop {
    fn from(error: ReadPartError) -> Self {
        match error {
            ReadPartError::Store(error) => Self::Store(error),
            ReadPartError::Unreadable => Self::fault(ImportFailure::Unreadable, None),
        }
    }
}

impl Stop {
    const fn fault(failure: ImportFailure, detail: Option<String>) -> Self {
        Self::Fault(PlanFault(failure, detail))
    }
}

/// Works on all imports whose files came, until none is left. Returns how many rows were read.
///
/// # Errors
/// The store's own, after all imports had a turn: what was committed stays, and the next run goes on
/// from there.
pub async fn run_imports(ctx: &Ctx) -> Result<u64, DbErr> {
    let mut rows = 0;
    loop {
        let open = Entity::find()
            .filter(Column::Status.is_in([ImportStatus::Queued, ImportStatus::Running]))
            .filter(is_open())
            .order_by_asc(Column::CreatedAtMs)
            .limit(AT_ONCE)
            .all(ctx.db.reader())
            .await?;
        if open.is_empty() {
            return Ok(rows);
        }
        let mut failed = None;
        for import in open {
            match take_turn(ctx, &import).await {
                Ok(read) => rows += read,
                Err(Stop::Fault(PlanFault(failure, detail))) => {
                    fail(ctx, &import, failure, detail).await?;
                }
                Err(Stop::Store(error)) => {
                    tracing::warn!(import.id = %import.id, %error, "an import waits for the store");
                    failed = Some(error);
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
}

/// Reads some batches of an import. Returns how many rows.
async fn take_turn(ctx: &Ctx, import: &Model) -> Result<u64, Stop> {
    let mut turn = Turn::begin(ctx, import).await?;
    let mut import = import.clone();
    let before = import.row_count;
    for _ in 0..TURN_BATCHES {
        let batch = turn.read_batch(ctx).await?;
        let is_last = batch.is_last;
        if is_last && import.row_count == 0 && batch.rows.is_empty() && batch.faults.is_empty() {
            return Err(Stop::fault(ImportFailure::Empty, None));
        }
        let Some(now) = batch::commit(ctx, &import, &turn.options, batch).await? else { break };
        let read = now.row_count - import.row_count;
        metrics::counter!("contact_import_rows_total").increment(read.unsigned_abs());
        import = now;
        if is_last {
            parts::remove(ctx, import.account_id, import.id, ImportPartKind::Upload).await?;
            break;
        }
    }
    Ok((import.row_count - before).unsigned_abs())
}

/// An import that is worked on, from where it is.
struct Turn {
    import: Model,
    options: ImportOptions,
    plan: Plan,
    reading: Reading,
    records: Records,
    /// The part that is read next.
    next_part: i32,
}

impl Turn {
    async fn begin(ctx: &Ctx, import: &Model) -> Result<Self, Stop> {
        let unreadable = || Stop::fault(ImportFailure::Unreadable, None);
        let options = import_options(import).map_err(|_| unreadable())?;
        let reader = ctx.db.reader();
        let attributes = attributes::by_key(reader, import.account_id).await?;
        let there = lists::live_ids(reader, import.account_id, &options.list_ids).await?;
        if let Some(gone) = options.list_ids.iter().find(|id| !there.contains(id)) {
            return Err(Stop::fault(ImportFailure::UnknownList, Some(gone.to_string())));
        }
        let region = match &options.default_region {
            Some(region) => region.parse().ok(),
            None => default_region(reader, import.account_id).await?,
        };
        let reading = Reading {
            region,
            encoding: options.encoding,
            tags: options.tags.iter().cloned().collect(),
        };
        let (plan, dialect, after_header) =
            Self::read_header(ctx, import, &options, &reading, &attributes).await?;
        // Where the rows begin, or where the last batch ended.
        let byte = u64::try_from(import.cursor_byte).map_err(|_| unreadable())?;
        let line = u64::try_from(import.cursor_line).map_err(|_| unreadable())?;
        let (byte, line) = if byte == 0 { after_header } else { (byte, line) };
        let part = byte / PART_BYTES as u64;
        let mut turn = Self {
            import: import.clone(),
            options,
            plan,
            reading,
            records: Records::at(dialect.delimiter, byte, line),
            next_part: i32::try_from(part).map_err(|_| unreadable())?,
        };
        if turn.next_part < import.part_count {
            let bytes = turn.next_bytes(ctx).await?;
            let skipped = usize::try_from(byte % PART_BYTES as u64).unwrap_or_default();
            turn.records.feed(bytes.get(skipped..).ok_or_else(unreadable)?);
        } else {
            turn.records.close();
        }
        Ok(turn)
    }

    /// What the columns are, how they are separated, and the byte and line after the header.
    async fn read_header(
        ctx: &Ctx,
        import: &Model,
        options: &ImportOptions,
        reading: &Reading,
        attributes: &HashMap<String, contact_attribute::Model>,
    ) -> Result<(Plan, Dialect, (u64, u64)), Stop> {
        if import.part_count == 0 {
            return Err(Stop::fault(ImportFailure::Empty, None));
        }
        let first = parts::read(ctx, upload_part(import, 0)).await?;
        let dialect = Dialect::detect(&first);
        let skipped = dialect.skipped as u64;
        let first_line = 1 + u64::from(dialect.skipped > 0);
        if !options.has_header {
            let plan = Plan::make(options, None, attributes).map_err(Stop::Fault)?;
            return Ok((plan, dialect, (skipped, first_line)));
        }
        let mut records = Records::at(dialect.delimiter, skipped, first_line);
        records.feed(&first[dialect.skipped..]);
        // A header is never larger than a part.
        records.close();
        let headers: Vec<String> = match records.step() {
            Step::Record(_) => {
                let text = |field| reading.text(field).unwrap_or_default();
                records.fields().map(text).collect()
            }
            Step::TooLarge(line) => {
                return Err(Stop::fault(ImportFailure::UnknownColumn, Some(line.to_string())));
            }
            Step::NeedsInput | Step::End => return Err(Stop::fault(ImportFailure::Empty, None)),
        };
        let plan = Plan::make(options, Some(&headers), attributes).map_err(Stop::Fault)?;
        Ok((plan, dialect, records.position()))
    }

    async fn next_bytes(&mut self, ctx: &Ctx) -> Result<zeroize::Zeroizing<Vec<u8>>, Stop> {
        let bytes = parts::read(ctx, upload_part(&self.import, self.next_part)).await?;
        self.next_part += 1;
        Ok(bytes)
    }

    async fn read_batch(&mut self, ctx: &Ctx) -> Result<Batch, Stop> {
        let mut batch = Batch::default();
        let (begin, mut values) = (self.records.position().0, 0);
        loop {
            match self.records.step() {
                Step::Record(line) => {
                    match self.plan.row(line, self.records.fields(), &self.reading) {
                        Ok(Some(row)) => {
                            values += row.values.len() + row.tags.len();
                            batch.rows.push(row);
                        }
                        Ok(None) => {}
                        Err(fault) => batch.faults.push(fault),
                    }
                }
                Step::TooLarge(line) => batch.faults.push(RowFault {
                    line,
                    column: String::new(),
                    code: RowFaultCode::TooLarge,
                    value: String::new(),
                }),
                Step::NeedsInput if self.next_part < self.import.part_count => {
                    let bytes = self.next_bytes(ctx).await?;
                    self.records.feed(&bytes);
                    continue;
                }
                Step::NeedsInput => {
                    self.records.close();
                    continue;
                }
                Step::End => {
                    batch.is_last = true;
                    break;
                }
            }
            // A batch ends between two records, nowhere else: the next one begins at a record.
            let bytes = self.records.position().0 - begin;
            let rows = batch.rows.len() + batch.faults.len();
            if rows >= BATCH_ROWS || values >= BATCH_VALUES || bytes >= BATCH_BYTES {
                break;
            }
        }
        batch.position = self.records.position();
        Ok(batch)
    }
}

const fn upload_part(import: &Model, place: i32) -> PartKey {
    PartKey {
        account_id: import.account_id,
        import_id: import.id,
        kind: ImportPartKind::Upload,
        place,
    }
}

/// Ends an import that cannot go on, unless it has ended.
async fn fail(
    ctx: &Ctx,
    import: &Model,
    failure: ImportFailure,
    detail: Option<String>,
) -> Result<(), DbErr> {
    let (now, detail) = (ctx.clock.now(), &detail.map(|detail| cut(&detail)));
    ctx.db
        .write(|tx| async move {
            let id = (import.account_id, import.id);
            let row = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let Some(row) = row.filter(|row| row.status <= ImportStatus::Running) else {
                return Ok(());
            };
            let row = Model { failure: Some(failure), failure_detail: detail.clone(), ..row };
            super::save(&tx, super::ended(row, ImportStatus::Failed, now)).await.map(drop)
        })
        .await?;
    parts::remove(ctx, import.account_id, import.id, ImportPartKind::Upload).await
}
