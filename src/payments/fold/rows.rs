//! What folding reads and writes, a statement a table for a whole batch.

use std::collections::{BTreeMap, BTreeSet};

use entity::ids::{PaymentId, ProcessorId};
use entity::{payment, payment_object};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter};

use crate::db::{Bulk, BulkColumn, BulkType, Store, Tx};

/// Objects of processors', and whose payment each is.
pub(super) type Links = BTreeMap<(ProcessorId, String), PaymentId>;

const OBJECT_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("endpoint_id", BulkType::Uuid), BulkColumn::new("object_id", BulkType::Text)];

/// Those of these objects that a payment is known of.
pub(super) async fn links(
    tx: &Tx,
    objects: &BTreeSet<(ProcessorId, &str)>,
) -> Result<Links, DbErr> {
    let mut rows = Bulk::new(OBJECT_COLUMNS);
    for (endpoint_id, object_id) in objects {
        rows.push([endpoint_id.0.into(), (*object_id).into()]);
    }
    let sql = "SELECT o.endpoint_id, o.object_id, o.payment_id FROM rows \
        CROSS JOIN payment_object o WHERE o.endpoint_id = rows.endpoint_id \
        AND o.object_id = rows.object_id";
    let found = rows.query(tx, sql, Vec::new()).await?;
    let link = |row: &sea_orm::QueryResult| {
        let row = payment_object::Model::from_query_result(row, "")?;
        Ok(((row.endpoint_id, row.object_id), row.payment_id))
    };
    found.iter().map(link).collect()
}

/// All objects of a payment.
pub(super) async fn objects_of(
    tx: &Tx,
    payment_id: PaymentId,
) -> Result<Vec<payment_object::Model>, DbErr> {
    let select = payment_object::Entity::find();
    select.filter(payment_object::Column::PaymentId.eq(payment_id)).all(&**tx).await
}

const LINK_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("endpoint_id", BulkType::Uuid),
    BulkColumn::new("object_id", BulkType::Text),
    BulkColumn::new("payment_id", BulkType::Uuid),
];

/// Keeps whose objects are, in the place of what was kept of them.
pub(super) async fn put_links(
    tx: &Tx,
    links: impl Iterator<Item = (&(ProcessorId, String), &PaymentId)>,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(LINK_COLUMNS);
    for ((endpoint_id, object_id), payment_id) in links {
        rows.push([endpoint_id.0.into(), object_id.clone().into(), payment_id.0.into()]);
    }
    let sql = "INSERT INTO payment_object (endpoint_id, object_id, payment_id) \
        SELECT endpoint_id, object_id, payment_id FROM rows WHERE true \
        ORDER BY endpoint_id, object_id ON CONFLICT (endpoint_id, object_id) \
        DO UPDATE SET payment_id = excluded.payment_id";
    rows.execute(tx, sql, Vec::new()).await.map(drop)
}

const ID_COLUMNS: &[BulkColumn] = &[BulkColumn::new("id", BulkType::Uuid)];

/// Reads payments and locks them in the order of their ids: whoever folds at the same time, since a
/// lease was lost, waits and reads what was written.
pub(super) async fn payments(
    tx: &Tx,
    ids: &BTreeSet<PaymentId>,
) -> Result<Vec<payment::Model>, DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for id in ids {
        rows.push([id.0.into()]);
    }
    // A transaction of SQLite's is alone already.
    let lock = match tx.store() {
        Store::Sqlite => "",
        Store::Postgres => "FOR UPDATE OF payment",
    };
    let sql = format!(
        "SELECT payment.* FROM rows CROSS JOIN payment WHERE payment.id = rows.id \
         ORDER BY payment.id {lock}"
    );
    let found = rows.query(tx, &sql, Vec::new()).await?;
    found.iter().map(|row| payment::Model::from_query_result(row, "")).collect()
}

const NEW_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("purpose", BulkType::SmallInt),
    BulkColumn::new("endpoint_id", BulkType::Uuid),
    BulkColumn::new("amount_micros", BulkType::BigInt),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("facts", BulkType::Text),
    BulkColumn::new("posted", BulkType::Text),
    BulkColumn::nullable("next_poll_at_ms", BulkType::BigInt),
    BulkColumn::new("version", BulkType::Int),
    BulkColumn::new("created_at_ms", BulkType::BigInt),
];

/// Keeps payments that nobody started: no page, no key, never asked for.
pub(super) async fn insert_payments(tx: &Tx, new: &[payment::Model]) -> Result<(), DbErr> {
    let mut rows = Bulk::new(NEW_COLUMNS);
    for row in new {
        rows.push([
            row.account_id.0.into(),
            row.id.0.into(),
            row.purpose.code().into(),
            row.endpoint_id.0.into(),
            row.amount_micros.into(),
            row.currency.clone().into(),
            row.status.code().into(),
            row.facts.clone().into(),
            row.posted.clone().into(),
            row.next_poll_at_ms.map(|at| at.0).into(),
            row.version.into(),
            row.created_at_ms.0.into(),
        ]);
    }
    // Nobody knows how they were started: 3 is REFERENCE.
    let sql = "INSERT INTO payment (account_id, id, purpose, endpoint_id, amount_micros, currency, \
        status, facts, posted, polls, next_poll_at_ms, stale, version, created_at_ms, \
        updated_at_ms, flow) SELECT account_id, id, purpose, endpoint_id, amount_micros, currency, \
        status, facts, posted, 0, next_poll_at_ms, FALSE, version, created_at_ms, created_at_ms, \
        3 FROM rows";
    rows.execute(tx, sql, Vec::new()).await.map(drop)
}

const CHANGED_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("facts", BulkType::Text),
    BulkColumn::new("posted", BulkType::Text),
    BulkColumn::nullable("next_poll_at_ms", BulkType::BigInt),
    BulkColumn::new("version", BulkType::Int),
    BulkColumn::new("updated_at_ms", BulkType::BigInt),
];

/// Writes what folding decides of payments: the rest is written by others at the same time.
pub(super) async fn update_payments(tx: &Tx, changed: &[payment::Model]) -> Result<(), DbErr> {
    let mut rows = Bulk::new(CHANGED_COLUMNS);
    for row in changed {
        rows.push([
            row.account_id.0.into(),
            row.id.0.into(),
            row.status.code().into(),
            row.facts.clone().into(),
            row.posted.clone().into(),
            row.next_poll_at_ms.map(|at| at.0).into(),
            row.version.into(),
            row.updated_at_ms.0.into(),
        ]);
    }
    let sql = "UPDATE payment SET status = rows.status, facts = rows.facts, posted = rows.posted, \
        next_poll_at_ms = rows.next_poll_at_ms, version = rows.version, \
        updated_at_ms = rows.updated_at_ms FROM rows \
        WHERE payment.account_id = rows.account_id AND payment.id = rows.id";
    rows.execute(tx, sql, Vec::new()).await.map(drop)
}

/// Forgets payments that others absorbed.
pub(super) async fn delete_payments(tx: &Tx, absorbed: &[payment::Model]) -> Result<(), DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for row in absorbed {
        rows.push([row.id.0.into()]);
    }
    let sql = "DELETE FROM payment WHERE id IN (SELECT id FROM rows)";
    rows.execute(tx, sql, Vec::new()).await.map(drop)
}

/// Notes that webhooks are folded.
pub(super) async fn mark_folded(
    tx: &Tx,
    batch: &[entity::webhook_event::Model],
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for event in batch {
        rows.push([event.id.0.into()]);
    }
    let sql = "UPDATE webhook_event SET state = {1}, reason = NULL \
        WHERE id IN (SELECT id FROM rows)";
    let folded = entity::enums::WebhookState::Folded.code();
    rows.execute(tx, sql, vec![folded.into()]).await.map(drop)
}
