//! What the ledger has of a processor, and the reports.

use std::collections::{BTreeMap, BTreeSet};

use entity::enums::TransferCode;
use entity::ids::{PaymentId, ProcessorId};
use entity::time::UnixMillis;
use entity::{payment, payment_object, payout, reconciliation_difference, reconciliation_report};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set, Statement};

use super::compare::{Comparison, Movement};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Failed;
use crate::payments::books::Posted;
use crate::payments::facts::PaymentFacts;

/// Keys looked for by one statement.
const KEYS_MAX: usize = 500;

/// An entry of the clearing book.
pub(super) struct Entry {
    pub(super) currency: String,
    pub(super) code: TransferCode,
    pub(super) movement: Movement,
}

/// Entries of the clearing books of processor `$1`, by their transfers: all codes that move in these
/// books stand here, as in the index of their times.
const CLEARING_ENTRIES: &str = "ledger_transfer t CROSS JOIN ledger_entry e \
    WHERE t.code IN (2, 3, 4, 5, 6, 7, 18) AND e.account_id = t.account_id \
    AND e.currency = t.currency AND e.purse = t.purse AND e.seq = t.seq \
    AND e.kind = 3 AND e.detail = $1 AND e.purse = 0";

/// What the clearing books held before a time, by currency: what the processor held for us.
pub(super) async fn held_before(
    ctx: &Ctx,
    endpoint_id: ProcessorId,
    before: UnixMillis,
) -> Result<BTreeMap<String, i64>, DbErr> {
    // One statement, so one state of the books: what they hold now, less what moved since.
    let sql = format!(
        "SELECT currency, CAST(-SUM(micros) AS BIGINT) AS micros FROM (\
         SELECT currency, balance_micros AS micros FROM ledger_book \
         WHERE kind = 3 AND detail = $1 AND purse = 0 \
         UNION ALL SELECT e.currency, -e.amount_micros FROM {CLEARING_ENTRIES} \
         AND t.posted_at_ms >= $2) AS parts GROUP BY currency"
    );
    let values = [endpoint_id.to_string().into(), before.0.into()];
    let statement = Statement::from_sql_and_values(ctx.db.store().backend(), sql, values);
    let rows = ctx.db.reader().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((row.try_get("", "currency")?, row.try_get("", "micros")?))).collect()
}

/// The entries of the clearing books from a time until before another.
pub(super) async fn entries(
    ctx: &Ctx,
    endpoint_id: ProcessorId,
    (from, until): (UnixMillis, UnixMillis),
) -> Result<Vec<Entry>, DbErr> {
    let sql = format!(
        "SELECT e.currency, t.code, t.key, e.amount_micros, t.posted_at_ms \
         FROM {CLEARING_ENTRIES} AND t.posted_at_ms >= $2 AND t.posted_at_ms < $3"
    );
    let values = [endpoint_id.to_string().into(), from.0.into(), until.0.into()];
    let statement = Statement::from_sql_and_values(ctx.db.store().backend(), sql, values);
    let rows = ctx.db.reader().query_all_raw(statement).await?;
    let read = rows.iter().map(|row| {
        let (key, micros): (String, i64) =
            (row.try_get("", "key")?, row.try_get("", "amount_micros")?);
        let movement = Movement {
            subject: subject_of(&key),
            amount_micros: -micros,
            at: row.try_get("", "posted_at_ms")?,
            is_reversal: false,
        };
        Ok(Entry {
            currency: row.try_get("", "currency")?,
            code: row.try_get("", "code")?,
            movement,
        })
    });
    read.collect()
}

/// What moved, of a transfer's key: whose, what and which turn (`…/capture:pi_…/3`), or whose and
/// that it was cleared (`…/cleared/capture:pi_…`).
fn subject_of(key: &str) -> String {
    let parts: Vec<&str> = key.split('/').collect();
    let subject = match parts[..] {
        [_, "cleared", subject] | [_, subject, _] => subject,
        _ => key,
    };
    subject.to_owned()
}

/// The payments that some objects of a processor's belong to, by object.
pub(super) struct Owners {
    by_object: BTreeMap<String, PaymentId>,
    payments: BTreeMap<PaymentId, (PaymentFacts, Posted)>,
}

impl Owners {
    pub(super) async fn read(
        ctx: &Ctx,
        endpoint_id: ProcessorId,
        objects: &BTreeSet<String>,
    ) -> Result<Self, Failed> {
        let mut owners = Self { by_object: BTreeMap::new(), payments: BTreeMap::new() };
        let objects: Vec<&String> = objects.iter().collect();
        for some in objects.chunks(KEYS_MAX) {
            let links = payment_object::Entity::find()
                .filter(payment_object::Column::EndpointId.eq(endpoint_id))
                .filter(payment_object::Column::ObjectId.is_in(some.iter().copied()))
                .all(ctx.db.reader())
                .await?;
            let ids: BTreeSet<PaymentId> = links.iter().map(|link| link.payment_id).collect();
            owners.by_object.extend(links.into_iter().map(|it| (it.object_id, it.payment_id)));
            let rows = payment::Entity::find()
                .filter(payment::Column::Id.is_in(ids))
                .all(ctx.db.reader())
                .await?;
            for row in rows {
                let facts: PaymentFacts =
                    serde_json::from_str(&row.facts).map_err(Failed::internal)?;
                let posted = serde_json::from_str(&row.posted).map_err(Failed::internal)?;
                let lines = facts.balance_transactions.keys();
                owners.by_object.extend(lines.map(|id| (id.as_str().to_owned(), row.id)));
                owners.payments.insert(row.id, (facts, posted));
            }
        }
        Ok(owners)
    }

    pub(super) fn of(&self, object: &str) -> Option<&(PaymentFacts, Posted)> {
        self.payments.get(self.by_object.get(object)?)
    }
}

/// What is posted of some payouts, by their id.
pub(super) async fn payouts(
    ctx: &Ctx,
    endpoint_id: ProcessorId,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, i64>, DbErr> {
    let mut posted = BTreeMap::new();
    let ids: Vec<&String> = ids.iter().collect();
    for some in ids.chunks(KEYS_MAX) {
        let rows = payout::Entity::find()
            .filter(payout::Column::EndpointId.eq(endpoint_id))
            .filter(payout::Column::ObjectId.is_in(some.iter().copied()))
            .all(ctx.db.reader())
            .await?;
        posted.extend(rows.into_iter().map(|row| (row.object_id, row.posted_micros)));
    }
    Ok(posted)
}

/// Writes a report with its differences in place of the one before it.
pub(super) async fn replace(
    tx: &Tx,
    report: &reconciliation_report::Model,
    comparison: &Comparison,
) -> Result<(), DbErr> {
    reconciliation_difference::Entity::delete_many()
        .filter(reconciliation_difference::Column::ReportId.eq(report.id))
        .exec(&**tx)
        .await?;
    reconciliation_report::Entity::delete_by_id(report.id).exec(&**tx).await?;
    let row = reconciliation_report::ActiveModel::from(report.clone());
    reconciliation_report::Entity::insert(row).exec_without_returning(&**tx).await?;
    let rows: Vec<_> = (0..)
        .zip(comparison.differences.iter().take(super::DIFFERENCES_MAX))
        .map(|(position, difference)| reconciliation_difference::ActiveModel {
            report_id: Set(report.id),
            position: Set(position),
            kind: Set(difference.kind),
            subject: Set(difference.subject.clone()),
            here_micros: Set(difference.here_micros),
            there_micros: Set(difference.there_micros),
        })
        .collect();
    for some in rows.chunks(KEYS_MAX) {
        reconciliation_difference::Entity::insert_many(some.to_vec())
            .exec_without_returning(&**tx)
            .await?;
    }
    Ok(())
}
