//! What a batch of rows becomes: one transaction with a handful of statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::contact_import::{Entity, Model};
use entity::enums::{ImportPartKind, ImportStatus};
use entity::ids::{AccountId, ContactId};
use entity::time::UnixMillis;
use sea_orm::{DbErr, EntityTrait, QuerySelect};

use super::super::TAGS_MAX;
use super::super::store::{ContactValue, country, number_mac, put_values};
use super::fault::{RowFault, RowFaultCode, write_faults};
use super::model::{ImportOptions, OnDuplicate, Row, cut};
use super::parts::{self, PartKey};
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};

/// Rows that were read, and where the next one begins.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) faults: Vec<RowFault>,
    /// The byte and the line after them.
    pub(super) position: (u64, u64),
    /// Whether the file ends with them.
    pub(super) is_last: bool,
}

/// A contact to be, or one that is there: all rows of one number.
struct Merged {
    row: Row,
    /// If it is new.
    id: ContactId,
    row_count: i64,
}

/// Writes a batch, unless the import is not where `import` says: then somebody canceled it, or
/// another worker is further, and none is answered.
pub(super) async fn commit(
    ctx: &Ctx,
    import: &Model,
    options: &ImportOptions,
    mut batch: Batch,
) -> Result<Option<Model>, DbErr> {
    let account_id = import.account_id;
    let mut merged = merge(ctx, std::mem::take(&mut batch.rows), options.on_duplicate);
    refuse_too_many_tags(ctx, account_id, options, &mut merged, &mut batch.faults).await?;
    batch.faults.sort_by_key(|fault| fault.line);
    let now = ctx.clock.now();
    let faults = (!batch.faults.is_empty()).then(|| {
        let key = PartKey {
            account_id,
            import_id: import.id,
            kind: ImportPartKind::Errors,
            place: import.error_part_count,
        };
        key.seal(ctx, write_faults(&batch.faults).as_bytes())
    });
    let (merged, batch, faults) = (&merged, &batch, &faults);
    ctx.db
        .write(|tx| async move {
            let found = Entity::find_by_id((account_id, import.id)).lock_exclusive();
            let Some(row) = found.one(&*tx).await? else { return Ok(None) };
            let is_open = matches!(row.status, ImportStatus::Queued | ImportStatus::Running);
            if !is_open
                || row.cursor_byte != import.cursor_byte
                || row.row_count != import.row_count
            {
                return Ok(None);
            }
            let created = write_contacts(ctx, &tx, account_id, options, merged, now).await?;
            if let Some(faults) = faults {
                parts::put(&tx, faults.clone()).await?;
            }
            let row = advanced(row, batch, merged, created, now);
            super::save(&tx, row).await.map(Some)
        })
        .await
}

fn advanced(
    row: Model,
    batch: &Batch,
    merged: &BTreeMap<String, Merged>,
    created: i64,
    now: UnixMillis,
) -> Model {
    let good: i64 = merged.values().map(|it| it.row_count).sum();
    let bad = batch.faults.len() as i64;
    let row = Model {
        status: ImportStatus::Running,
        cursor_byte: batch.position.0 as i64,
        cursor_line: batch.position.1 as i64,
        row_count: row.row_count + good + bad,
        created_count: row.created_count + created,
        matched_count: row.matched_count + good - created,
        failed_count: row.failed_count + bad,
        error_part_count: row.error_part_count + i32::from(bad > 0),
        started_at_ms: row.started_at_ms.or(Some(now)),
        updated_at_ms: now,
        ..row
    };
    match batch.is_last {
        true => super::ended(row, ImportStatus::Finished, now),
        false => row,
    }
}

/// The rows by number, so that every worker locks them in one order.
fn merge(ctx: &Ctx, rows: Vec<Row>, on_duplicate: OnDuplicate) -> BTreeMap<String, Merged> {
    let mut merged: BTreeMap<String, Merged> = BTreeMap::new();
    for row in rows {
        match merged.entry(row.number.e164().to_owned()) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Merged { row, id: ctx.ids.next(), row_count: 1 });
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let earlier = place.get_mut();
                earlier.row_count += 1;
                if on_duplicate == OnDuplicate::Update {
                    earlier.row.line = row.line;
                    earlier.row.values.extend(row.values);
                    earlier.row.tags.extend(row.tags);
                }
            }
        }
    }
    merged
}

const NUMBER_COLUMNS: &[BulkColumn] = &[BulkColumn::new("number", BulkType::Text)];

/// Takes out those who would have more tags than a contact may, with those that they have.
async fn refuse_too_many_tags(
    ctx: &Ctx,
    account_id: AccountId,
    options: &ImportOptions,
    merged: &mut BTreeMap<String, Merged>,
    faults: &mut Vec<RowFault>,
) -> Result<(), DbErr> {
    let adds_tags = options.on_duplicate == OnDuplicate::Update;
    let mut rows = Bulk::new(NUMBER_COLUMNS);
    for (number, it) in merged.iter() {
        if adds_tags && !it.row.tags.is_empty() {
            rows.push([number.clone().into()]);
        }
    }
    let found = rows
        .read(
            &ctx.db,
            "SELECT c.number, t.tag FROM rows CROSS JOIN contact c CROSS JOIN contact_tag t \
             WHERE c.account_id = {1} AND c.number = rows.number \
             AND t.account_id = c.account_id AND t.contact_id = c.id",
            vec![account_id.0.into()],
        )
        .await?;
    let mut tags: HashMap<String, BTreeSet<String>> = HashMap::new();
    for row in found {
        tags.entry(row.try_get("", "number")?).or_default().insert(row.try_get("", "tag")?);
    }
    merged.retain(|number, it| {
        let had = tags.remove(number).unwrap_or_default();
        let count = had.union(&it.row.tags).count();
        if count <= TAGS_MAX {
            return true;
        }
        let fault = RowFault {
            line: it.row.line,
            column: "tags".to_owned(),
            code: RowFaultCode::TooManyTags,
            value: cut(number),
        };
        faults.extend(std::iter::repeat_n(fault, usize::try_from(it.row_count).unwrap_or(1)));
        false
    });
    Ok(())
}

const CONTACT_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::Text),
    BulkColumn::new("number_mac", BulkType::Bytes),
    BulkColumn::new("country", BulkType::Text),
];
const ID_COLUMNS: &[BulkColumn] = &[BulkColumn::new("contact_id", BulkType::Uuid)];
const TAG_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("contact_id", BulkType::Uuid), BulkColumn::new("tag", BulkType::Text)];

/// Makes the contacts that are not there, and gives all what the rows say. Returns how many are new.
async fn write_contacts(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    options: &ImportOptions,
    merged: &BTreeMap<String, Merged>,
    now: UnixMillis,
) -> Result<i64, DbErr> {
    let account = account_id.0;
    let mut rows = Bulk::new(CONTACT_COLUMNS);
    for (number, it) in merged {
        rows.push([
            it.id.0.into(),
            number.clone().into(),
            number_mac(&ctx.master_key, account_id, number).to_vec().into(),
            country(&it.row.number).into(),
        ]);
    }
    let created = rows
        .execute(
            tx,
            "INSERT INTO contact (account_id, id, number, number_mac, country, version, \
             created_at_ms, updated_at_ms) SELECT {1}, id, number, number_mac, country, 1, {2}, {2} \
             FROM rows WHERE true ORDER BY number ON CONFLICT DO NOTHING",
            vec![account.into(), now.0.into()],
        )
        .await?;
    let mut rows = Bulk::new(NUMBER_COLUMNS);
    for number in merged.keys() {
        rows.push([number.clone().into()]);
    }
    let found = rows
        .query(
            tx,
            "SELECT c.id, c.number FROM rows CROSS JOIN contact c \
             WHERE c.account_id = {1} AND c.number = rows.number",
            vec![account.into()],
        )
        .await?;
    let (mut values, mut tags) = (Vec::<ContactValue>::new(), Bulk::new(TAG_COLUMNS));
    let (mut changed, mut all) = (Bulk::new(ID_COLUMNS), BTreeSet::new());
    for row in found {
        let (id, number): (ContactId, String) =
            (row.try_get("", "id")?, row.try_get("", "number")?);
        let Some(it) = merged.get(&number) else { continue };
        all.insert(id);
        let is_new = id == it.id;
        if !is_new && options.on_duplicate == OnDuplicate::Keep {
            continue;
        }
        let says_something = !it.row.values.is_empty() || !it.row.tags.is_empty();
        if !is_new && says_something {
            changed.push([id.0.into()]);
        }
        values.extend(it.row.values.iter().map(|(key, value)| (id, *key, value.clone())));
        for tag in &it.row.tags {
            tags.push([id.0.into(), tag.clone().into()]);
        }
    }
    changed
        .execute(
            tx,
            "UPDATE contact SET version = version + 1, updated_at_ms = {2} FROM rows \
             WHERE contact.account_id = {1} AND contact.id = rows.contact_id",
            vec![account.into(), now.0.into()],
        )
        .await?;
    put_values(tx, account_id, &values).await?;
    tags.execute(
        tx,
        "INSERT INTO contact_tag (account_id, contact_id, tag) \
         SELECT {1}, contact_id, tag FROM rows WHERE true ON CONFLICT DO NOTHING",
        vec![account.into()],
    )
    .await?;
    for list_id in &options.list_ids {
        let mut members = Bulk::new(ID_COLUMNS);
        for id in &all {
            members.push([id.0.into()]);
        }
        members
            .execute(
                tx,
                "INSERT INTO list_member (account_id, list_id, contact_id, added_at_ms) \
                 SELECT {1}, {2}, contact_id, {3} FROM rows WHERE true ON CONFLICT DO NOTHING",
                vec![account.into(), list_id.0.into(), now.0.into()],
            )
            .await?;
    }
    Ok(i64::try_from(created).unwrap_or(i64::MAX))
}
