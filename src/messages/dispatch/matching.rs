//! Which message a receipt is about.
//!
//! Matched within the carrier account only, never by link and never across carriers: first the id
//! as it was given at submission, then its other forms (carriers write one id in hex here and in
//! decimal there) or the one that the carrier is known to use, last our own reference, for submissions whose answer was lost.

use std::collections::{BTreeMap, HashMap};

use entity::enums::MessageStatus;
use entity::ids::{AccountId, CarrierId, MessageId};
use sea_orm::DbErr;

use super::receipt_ids::{MatchedId, stored_ids};
use crate::carriers::Receipt;
use crate::carriers::smpp::receipt_id::ReceiptIdForm;
use crate::db::{Bulk, BulkColumn, BulkType, Store, Tx};
use crate::messages::model::reference_of;

/// What a receipt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matched {
    pub(super) account_id: AccountId,
    pub(super) message_id: MessageId,
    /// The recorded part; none if the message row itself carries the id.
    pub(super) part: Option<PartKey>,
}

/// A row of `submission`, within its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PartKey {
    pub(super) attempt: i16,
    pub(super) part: i16,
}

/// What receipts are about.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The message of each receipt; `None` for those that match nothing yet.
    pub(super) messages: Vec<Option<Matched>>,
    /// The ids that were found, in the order of the receipts.
    pub(super) ids: Vec<MatchedId>,
}

/// Finds the message of each receipt, by ids of the given form or, as long as none is known, first
/// as they are written and then in every form.
pub(super) async fn find(
    tx: &Tx,
    carrier_id: CarrierId,
    form: Option<ReceiptIdForm>,
    receipts: &[Receipt],
) -> Result<Found, DbErr> {
    let mut found = vec![None; receipts.len()];
    let mut stored = BTreeMap::new();
    let forms = match form {
        Some(form) => vec![Some(form)],
        None => vec![Some(ReceiptIdForm::AsWritten), None],
    };
    for form in forms {
        let ids: Vec<_> = unmatched(receipts, &found)
            .flat_map(|(index, receipt)| {
                let ids = stored_ids(form, &receipt.carrier_message_id);
                ids.into_iter().map(move |id| (index, id))
            })
            .collect();
        by_id(tx, carrier_id, &ids, &mut found, &mut stored).await?;
    }
    by_reference(tx, carrier_id, receipts, &mut found).await?;
    let ids = stored.into_iter().map(|(index, stored)| MatchedId {
        receipt: receipts[index].carrier_message_id.clone(),
        stored,
    });
    Ok(Found { ids: ids.collect(), messages: found })
}

fn unmatched<'a>(
    receipts: &'a [Receipt],
    found: &[Option<Matched>],
) -> impl Iterator<Item = (usize, &'a Receipt)> {
    let matched: Vec<bool> = found.iter().map(Option::is_some).collect();
    receipts.iter().enumerate().filter(move |(index, _)| !matched[*index])
}

const ID_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("ord", BulkType::BigInt), BulkColumn::new("ref", BulkType::Text)];

/// Joins the given rows with those of `table` that have their carrier's id, always from the few to
/// the many: left to itself either store may walk all messages of the carrier. SQLite keeps the
/// order of a CROSS JOIN; PostgreSQL runs a subquery with an OFFSET once for each row.
fn rows_by_id(store: Store, table: &str, columns: &str) -> String {
    let is_its = "t.carrier_id = {1} AND t.carrier_message_id = rows.ref";
    match store {
        Store::Sqlite => format!("CROSS JOIN {table} t WHERE {is_its}"),
        Store::Postgres => format!(
            "CROSS JOIN LATERAL (SELECT account_id, {columns} FROM {table} t WHERE {is_its} \
             OFFSET 0) AS t"
        ),
    }
}

async fn by_id(
    tx: &Tx,
    carrier_id: CarrierId,
    ids: &[(usize, String)],
    found: &mut [Option<Matched>],
    stored: &mut BTreeMap<usize, String>,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for (index, id) in ids {
        rows.push([(*index as i64).into(), id.clone().into()]);
    }
    let (message, submission) = (
        rows_by_id(tx.store(), "message", "id"),
        rows_by_id(tx.store(), "submission", "message_id, attempt, part"),
    );
    let sql = format!(
        "SELECT rows.ord AS ord, rows.ref AS ref, t.account_id AS account_id, t.id AS message_id, \
         CAST(0 AS SMALLINT) AS attempt, CAST(0 AS SMALLINT) AS part FROM rows {message} \
         UNION ALL \
         SELECT rows.ord, rows.ref, t.account_id, t.message_id, t.attempt, t.part FROM rows {submission}"
    );
    let matches = rows.query(tx, &sql, vec![carrier_id.0.into()]).await?;
    for row in matches {
        let index: i64 = row.try_get("", "ord")?;
        let key = PartKey { attempt: row.try_get("", "attempt")?, part: row.try_get("", "part")? };
        let matched = Matched {
            account_id: row.try_get("", "account_id")?,
            message_id: row.try_get("", "message_id")?,
            part: (key.part > 0).then_some(key),
        };
        let Ok(index) = usize::try_from(index) else { continue };
        let Some(slot) = found.get_mut(index) else { continue };
        // A carrier that starts its ids anew means the newest message of that id.
        if slot.is_none_or(|earlier| earlier.message_id < matched.message_id) {
            *slot = Some(matched);
            stored.insert(index, row.try_get("", "ref")?);
        }
    }
    Ok(())
}

const RECIPIENT_COLUMNS: &[BulkColumn] = &[BulkColumn::new("recipient", BulkType::Text)];

/// Receipts that echo our own reference settle submissions whose answer was lost: the carrier's id
/// was never heard, but there is one uncertain message with that reference to that recipient.
async fn by_reference(
    tx: &Tx,
    carrier_id: CarrierId,
    receipts: &[Receipt],
    found: &mut [Option<Matched>],
) -> Result<(), DbErr> {
    let wanted: Vec<(usize, u16, String)> = unmatched(receipts, found)
        .filter_map(|(index, receipt)| {
            let digits = receipt.recipient.trim_start_matches('+');
            Some((index, receipt.reference?, format!("+{digits}")))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut rows = Bulk::new(RECIPIENT_COLUMNS);
    for (_, _, recipient) in &wanted {
        rows.push([recipient.clone().into()]);
    }
    // The status stands in the text and is no bound value: SQLite would not take the index else.
    let sql = format!(
        "SELECT DISTINCT m.account_id AS account_id, m.id AS message_id, m.recipient AS recipient \
         FROM rows CROSS JOIN message m \
         WHERE m.carrier_id = {{1}} AND m.recipient = rows.recipient \
         AND m.status = {}",
        MessageStatus::Unknown.code(),
    );
    let uncertain = rows.query(tx, &sql, vec![carrier_id.0.into()]).await?;
    let mut by_key: HashMap<(u16, String), Vec<Matched>> = HashMap::new();
    for row in uncertain {
        let message_id: MessageId = row.try_get("", "message_id")?;
        let account_id = row.try_get("", "account_id")?;
        let matched = Matched { account_id, message_id, part: None };
        let key = (reference_of(message_id), row.try_get("", "recipient")?);
        by_key.entry(key).or_default().push(matched);
    }
    for (index, reference, recipient) in wanted {
        // Two candidates would be a guess.
        if let Some([only]) = by_key.get(&(reference, recipient)).map(Vec::as_slice) {
            found[index] = Some(*only);
        }
    }
    Ok(())
}
