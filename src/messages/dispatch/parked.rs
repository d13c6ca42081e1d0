//! Receipts that came before their message was known by that id: kept for 72 hours, and looked for
//! when the answer to the submission is written.

use entity::ids::CarrierId;
use entity::time::UnixMillis;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryResult,
    Statement,
};

use crate::carriers::smpp::receipt_id::candidate_ids;
use crate::carriers::{CarrierError, CarrierErrorKind, Receipt, ReceiptState};
use crate::db::{Bulk, BulkColumn, BulkType, Tx};

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("carrier_message_id", BulkType::Text),
    BulkColumn::new("sequence", BulkType::BigInt),
    BulkColumn::new("state", BulkType::SmallInt),
    BulkColumn::nullable("error_kind", BulkType::SmallInt),
    BulkColumn::nullable("error_number", BulkType::BigInt),
];

const ID_COLUMNS: &[BulkColumn] = &[BulkColumn::new("ref", BulkType::Text)];

const KEY_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("ref", BulkType::Text), BulkColumn::new("sequence", BulkType::BigInt)];

/// Places among the receipts of one millisecond: a group has fewer.
const SEQUENCES_PER_MS: i64 = 10_000;
/// Receipts that are looked up once more in one transaction.
pub(super) const LOOK_AGAIN_MAX: u64 = 1_000;

/// Whether a carrier has receipts waiting.
pub(super) async fn any<C: ConnectionTrait>(
    connection: &C,
    carrier_id: CarrierId,
) -> Result<bool, DbErr> {
    use entity::parked_receipt::{Column, Entity};
    let count = Entity::find().filter(Column::CarrierId.eq(carrier_id)).count(connection).await?;
    Ok(count > 0)
}

/// Puts receipts aside. The same receipt twice, or a second run of this, makes one more row at
/// most, which then is a duplicate like any other.
pub(super) async fn put(
    tx: &Tx,
    carrier_id: CarrierId,
    receipts: &[Receipt],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(COLUMNS);
    for (index, receipt) in (0i64..).zip(receipts) {
        let error = receipt.error.as_ref();
        rows.push([
            receipt.carrier_message_id.clone().into(),
            // In order of arrival.
            (now.0 * SEQUENCES_PER_MS + index).into(),
            state_code(receipt.state).into(),
            error.map(|error| kind_code(error.kind)).into(),
            error.map(|error| i64::from(error.code)).into(),
        ]);
    }
    rows.execute(
        tx,
        "INSERT INTO parked_receipt (carrier_id, carrier_message_id, sequence, state, \
         error_kind, error_number, received_at_ms) \
         SELECT {1}, carrier_message_id, sequence, state, error_kind, error_number, {2} \
         FROM rows WHERE true ON CONFLICT DO NOTHING",
        vec![carrier_id.0.into(), now.0.into()],
    )
    .await?;
    Ok(())
}

/// Takes out the receipts for these carrier ids, in order of arrival.
pub(super) async fn take(
    tx: &Tx,
    carrier_id: CarrierId,
    ids: Vec<String>,
) -> Result<Vec<Receipt>, DbErr> {
    let mut rows = Bulk::new(ID_COLUMNS);
    for id in ids.iter().flat_map(|id| candidate_ids(id)) {
        rows.push([id.into()]);
    }
    let taken = rows
        .query(
            tx,
            "DELETE FROM parked_receipt WHERE carrier_id = {1} \
             AND carrier_message_id IN (SELECT ref FROM rows) \
             RETURNING carrier_message_id, sequence, state, error_kind, error_number",
            vec![carrier_id.0.into()],
        )
        .await?;
    let mut kept = taken.iter().map(Kept::read).collect::<Result<Vec<_>, _>>()?;
    kept.sort_by_key(|kept| kept.sequence);
    Ok(kept.into_iter().map(|kept| kept.receipt).collect())
}

/// A receipt that was put aside, and its place among the others.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) receipt: Receipt,
    sequence: i64,
}

impl Kept {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let error_kind: Option<i16> = row.try_get("", "error_kind")?;
        let error_number: Option<i64> = row.try_get("", "error_number")?;
        let receipt = Receipt {
            carrier_message_id: row.try_get("", "carrier_message_id")?,
            state: state_of(row.try_get("", "state")?),
            error: error_kind.zip(error_number).and_then(|(kind, number)| {
                Some(CarrierError { kind: kind_of(kind)?, code: u32::try_from(number).ok()? })
            }),
            done_at: None,
            reference: None,
            recipient: String::new(),
        };
        Ok(Self { receipt, sequence: row.try_get("", "sequence")? })
    }
}

/// Receipts that were put aside in a span of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    after: i64,
    until: i64,
}

impl Span {
    /// From one moment, without it, to another.
    pub(super) fn new(after: UnixMillis, until: UnixMillis) -> Self {
        let last_of = |time: UnixMillis| time.plus_ms(1).0 * SEQUENCES_PER_MS - 1;
        Self { after: last_of(after), until: last_of(until) }
    }

    /// What of it follows these, the first of it.
    pub(super) fn behind(self, kept: &[Kept]) -> Self {
        Self { after: kept.last().map_or(self.until, |last| last.sequence), ..self }
    }
}

/// The first receipts of a span, at most [`LOOK_AGAIN_MAX`]. They stay where they are.
pub(super) async fn in_span<C: ConnectionTrait>(
    connection: &C,
    carrier_id: CarrierId,
    span: Span,
) -> Result<Vec<Kept>, DbErr> {
    let sql = format!(
        "SELECT carrier_message_id, sequence, state, error_kind, error_number \
         FROM parked_receipt WHERE carrier_id = $1 AND sequence > $2 AND sequence <= $3 \
         AND received_at_ms >= $4 AND received_at_ms <= $5 ORDER BY sequence LIMIT {LOOK_AGAIN_MAX}"
    );
    let values = [
        carrier_id.0.into(),
        span.after.into(),
        span.until.into(),
        // The same once more, for the index.
        (span.after / SEQUENCES_PER_MS).into(),
        (span.until / SEQUENCES_PER_MS).into(),
    ];
    let backend = connection.get_database_backend();
    let rows =
        connection.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(Kept::read).collect()
}

/// Removes receipts that found their message after all.
pub(super) async fn remove<'a>(
    tx: &Tx,
    carrier_id: CarrierId,
    kept: impl Iterator<Item = &'a Kept>,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(KEY_COLUMNS);
    for kept in kept {
        rows.push([kept.receipt.carrier_message_id.clone().into(), kept.sequence.into()]);
    }
    rows.execute(
        tx,
        "DELETE FROM parked_receipt WHERE carrier_id = {1} \
         AND (carrier_message_id, sequence) IN (SELECT ref, sequence FROM rows)",
        vec![carrier_id.0.into()],
    )
    .await?;
    Ok(())
}

const fn state_code(state: ReceiptState) -> i16 {
    match state {
        ReceiptState::Enroute => 1,
        ReceiptState::Delivered => 2,
        ReceiptState::Expired => 3,
        ReceiptState::Deleted => 4,
        ReceiptState::Undeliverable => 5,
        ReceiptState::Accepted => 6,
        ReceiptState::Unknown => 7,
        ReceiptState::Rejected => 8,
    }
}

const fn state_of(code: i16) -> ReceiptState {
    match code {
        1 => ReceiptState::Enroute,
        2 => ReceiptState::Delivered,
        3 => ReceiptState::Expired,
        4 => ReceiptState::Deleted,
        5 => ReceiptState::Undeliverable,
        6 => ReceiptState::Accepted,
        8 => ReceiptState::Rejected,
        // The table's check admits 1 to 8.
        _ => ReceiptState::Unknown,
    }
}

const fn kind_code(kind: CarrierErrorKind) -> i16 {
    match kind {
        CarrierErrorKind::CommandStatus => 0,
        CarrierErrorKind::ReceiptError => 1,
        CarrierErrorKind::NetworkError => 2,
    }
}

const fn kind_of(code: i16) -> Option<CarrierErrorKind> {
    match code {
        0 => Some(CarrierErrorKind::CommandStatus),
        1 => Some(CarrierErrorKind::ReceiptError),
        2 => Some(CarrierErrorKind::NetworkError),
        _ => None,
    }
}
