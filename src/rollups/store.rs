//! Statements on the roll-ups and their cursors.

use std::collections::BTreeMap;

use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::campaigns;
use super::histogram::Histogram;
use super::model::{Detail, Key, Measure, Measures, Resolution};
use super::timeline::Tally;
use crate::config::Metrics as Settings;
use crate::db::{Bulk, BulkColumn, BulkType, Db, Tx};

/// What an account's log has that is not folded: from after `folded` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) account_id: AccountId,
    pub(super) folded: i64,
    pub(super) last: i64,
}

/// Accounts after `after` with events that are not folded, in order.
pub(super) async fn behind(db: &Db, after: AccountId, limit: u64) -> Result<Vec<Behind>, DbErr> {
    let statement = Statement::from_sql_and_values(
        db.store().backend(),
        "SELECT event_counter.account_id, event_counter.last_seq, \
         COALESCE(rollup_cursor.seq, 0) AS folded \
         FROM event_counter LEFT JOIN rollup_cursor \
         ON rollup_cursor.account_id = event_counter.account_id \
         WHERE event_counter.account_id > $1 \
         AND event_counter.last_seq > COALESCE(rollup_cursor.seq, 0) \
         ORDER BY event_counter.account_id LIMIT $2",
        [after.0.into(), (limit as i64).into()],
    );
    let rows = db.reader().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            Ok(Behind {
                account_id: row.try_get("", "account_id")?,
                folded: row.try_get("", "folded")?,
                last: row.try_get("", "last_seq")?,
            })
        })
        .collect()
}

const CURSOR_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("folded", BulkType::BigInt),
    BulkColumn::new("seq", BulkType::BigInt),
];

/// Moves cursors from `folded` to `last`, and locks them until the commit. False if any stands
/// elsewhere: another worker folded some of it, and the transaction must be rolled back.
pub(super) async fn move_cursors(tx: &Tx, behind: &[Behind]) -> Result<bool, DbErr> {
    let rows = |only_new: bool| {
        let mut rows = Bulk::new(CURSOR_COLUMNS);
        for it in behind.iter().filter(|it| !only_new || it.folded == 0) {
            rows.push([it.account_id.0.into(), it.folded.into(), it.last.into()]);
        }
        rows
    };
    rows(true)
        .execute(
            tx,
            "INSERT INTO rollup_cursor (account_id, seq) SELECT account_id, 0 FROM rows \
             WHERE true ORDER BY account_id ON CONFLICT DO NOTHING",
            Vec::new(),
        )
        .await?;
    let moved = rows(false)
        .execute(
            tx,
            "UPDATE rollup_cursor SET seq = rows.seq FROM rows \
             WHERE rollup_cursor.account_id = rows.account_id AND rollup_cursor.seq = rows.folded",
            Vec::new(),
        )
        .await?;
    Ok(moved == behind.len() as u64)
}

const KEY_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("n", BulkType::Int),
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("resolution_s", BulkType::Int),
    BulkColumn::new("detail", BulkType::SmallInt),
    BulkColumn::new("starts_at_s", BulkType::BigInt),
    BulkColumn::new("is_test", BulkType::Bool),
    BulkColumn::new("country", BulkType::Text),
    BulkColumn::new("carrier_id", BulkType::Uuid),
    BulkColumn::new("route_id", BulkType::Uuid),
    BulkColumn::new("sender", BulkType::Text),
    BulkColumn::new("class", BulkType::SmallInt),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("campaign_id", BulkType::Uuid),
    BulkColumn::new("error_code", BulkType::Text),
];

const ROW_COLUMNS: &[BulkColumn] = &[
    KEY_COLUMNS[1],
    KEY_COLUMNS[2],
    KEY_COLUMNS[3],
    KEY_COLUMNS[4],
    KEY_COLUMNS[5],
    KEY_COLUMNS[6],
    KEY_COLUMNS[7],
    KEY_COLUMNS[8],
    KEY_COLUMNS[9],
    KEY_COLUMNS[10],
    KEY_COLUMNS[11],
    KEY_COLUMNS[12],
    KEY_COLUMNS[13],
    KEY_COLUMNS[14],
    BulkColumn::new("accepted", BulkType::BigInt),
    BulkColumn::new("sent", BulkType::BigInt),
    BulkColumn::new("delivered", BulkType::BigInt),
    BulkColumn::new("undelivered", BulkType::BigInt),
    BulkColumn::new("failed", BulkType::BigInt),
    BulkColumn::new("expired", BulkType::BigInt),
    BulkColumn::new("rejected", BulkType::BigInt),
    BulkColumn::new("canceled", BulkType::BigInt),
    BulkColumn::new("suppressed", BulkType::BigInt),
    BulkColumn::new("unknown", BulkType::BigInt),
    BulkColumn::new("parts", BulkType::BigInt),
    BulkColumn::new("cost_micros", BulkType::BigInt),
    BulkColumn::new("opt_outs", BulkType::BigInt),
    BulkColumn::new("replies", BulkType::BigInt),
    BulkColumn::new("clicks", BulkType::BigInt),
    BulkColumn::new("unique_clicks", BulkType::BigInt),
    BulkColumn::nullable("to_sent", BulkType::Bytes),
    BulkColumn::nullable("to_delivered", BulkType::Bytes),
];

fn names(columns: &[BulkColumn]) -> Vec<&'static str> {
    columns.iter().map(|column| column.name).collect()
}

/// Adds a tally to the roll-ups of all resolutions that are still kept, and to the totals of
/// campaigns. The caller's transaction
/// holds the accounts' cursors, so nobody else writes these rows.
///
/// # Errors
/// The store's own; a histogram that cannot be read.
pub async fn write(
    tx: &Tx,
    settings: &Settings,
    now: UnixMillis,
    tally: &Tally,
) -> Result<(), DbErr> {
    campaigns::write(tx, tally.campaigns()).await?;
    let mut sums: BTreeMap<Key, Measures> = BTreeMap::new();
    for resolution in Resolution::ALL {
        let written_from = resolution.written_from(settings, now).unwrap_or(i64::MIN);
        for (minute, measures) in tally.minutes() {
            for detail in Detail::ALL {
                let key = Key::of(minute, *resolution, *detail);
                if key.starts_at_s >= written_from {
                    sums.entry(key).or_default().merge(measures);
                }
            }
        }
    }
    add_stored_times(tx, &mut sums).await?;
    let mut rows = Bulk::new(ROW_COLUMNS);
    for (key, measures) in &sums {
        let count = |measure| Value::from(measures.counts.get(measure));
        let [
            account,
            resolution,
            detail,
            start,
            test,
            country,
            carrier,
            route,
            sender,
            class,
            currency,
            purse,
            campaign,
            code,
        ] = key_values(key);
        rows.push([
            account,
            resolution,
            detail,
            start,
            test,
            country,
            carrier,
            route,
            sender,
            class,
            currency,
            purse,
            campaign,
            code,
            count(Measure::Accepted),
            count(Measure::Sent),
            count(Measure::Delivered),
            count(Measure::Undelivered),
            count(Measure::Failed),
            count(Measure::Expired),
            count(Measure::Rejected),
            count(Measure::Canceled),
            count(Measure::Suppressed),
            count(Measure::Unknown),
            count(Measure::Parts),
            count(Measure::Cost),
            count(Measure::OptOuts),
            count(Measure::Replies),
            count(Measure::Clicks),
            count(Measure::UniqueClicks),
            measures.to_sent.to_bytes().into(),
            measures.to_delivered.to_bytes().into(),
        ]);
    }
    let all = names(ROW_COLUMNS).join(", ");
    let added: Vec<_> = Measure::ALL
        .iter()
        .map(|measure| measure.column())
        .map(|column| format!("{column} = rollup.{column} + excluded.{column}"))
        .collect();
    let sql = format!(
        "INSERT INTO rollup ({all}) SELECT {all} FROM rows WHERE true \
         ON CONFLICT ({}) DO UPDATE SET {}, \
         to_sent = COALESCE(excluded.to_sent, rollup.to_sent), \
         to_delivered = COALESCE(excluded.to_delivered, rollup.to_delivered)",
        names(&KEY_COLUMNS[1..]).join(", "),
        added.join(", "),
    );
    rows.execute(tx, &sql, Vec::new()).await?;
    Ok(())
}

fn key_values(key: &Key) -> [Value; 14] {
    [
        key.account_id.0.into(),
        (key.resolution.seconds() as i32).into(),
        key.detail.code().into(),
        key.starts_at_s.into(),
        key.kind.is_test.into(),
        key.kind.country.clone().into(),
        key.kind.carrier_id.0.into(),
        key.kind.stored_route().into(),
        key.kind.sender.clone().into(),
        key.kind.class.code().into(),
        key.kind.currency.clone().into(),
        key.kind.purse.code().into(),
        key.kind.stored_campaign().into(),
        key.error_code.clone().into(),
    ]
}

/// Adds the times that the rows hold already to those that are to be written in their place: a
/// histogram cannot be added up by SQL.
async fn add_stored_times(tx: &Tx, sums: &mut BTreeMap<Key, Measures>) -> Result<(), DbErr> {
    let mut rows = Bulk::new(KEY_COLUMNS);
    let mut timed: Vec<&mut Measures> = Vec::new();
    for (key, measures) in sums.iter_mut() {
        if measures.to_sent.is_empty() && measures.to_delivered.is_empty() {
            continue;
        }
        let [
            account,
            resolution,
            detail,
            start,
            test,
            country,
            carrier,
            route,
            sender,
            class,
            currency,
            purse,
            campaign,
            code,
        ] = key_values(key);
        let n = i32::try_from(timed.len()).unwrap_or(i32::MAX);
        rows.push([
            n.into(),
            account,
            resolution,
            detail,
            start,
            test,
            country,
            carrier,
            route,
            sender,
            class,
            currency,
            purse,
            campaign,
            code,
        ]);
        timed.push(measures);
    }
    let same: Vec<_> = names(&KEY_COLUMNS[1..])
        .into_iter()
        .map(|column| format!("rollup.{column} = rows.{column}"))
        .collect();
    let sql = format!(
        "SELECT rows.n, rollup.to_sent, rollup.to_delivered FROM rows CROSS JOIN rollup WHERE {}",
        same.join(" AND "),
    );
    for row in rows.query(tx, &sql, Vec::new()).await? {
        let n: i32 = row.try_get("", "n")?;
        let Some(measures) = usize::try_from(n).ok().and_then(|n| timed.get_mut(n)) else {
            return Err(DbErr::Custom(format!("row {n} was not asked for")));
        };
        let to_sent = read_times(row.try_get("", "to_sent")?)?;
        // What adds nothing leaves the stored value as it is.
        if !measures.to_sent.is_empty() {
            measures.to_sent.merge(&to_sent);
        }
        let to_delivered = read_times(row.try_get("", "to_delivered")?)?;
        if !measures.to_delivered.is_empty() {
            measures.to_delivered.merge(&to_delivered);
        }
    }
    Ok(())
}

/// A stored histogram.
pub(super) fn read_times(bytes: Option<Vec<u8>>) -> Result<Histogram, DbErr> {
    let Some(bytes) = bytes else { return Ok(Histogram::default()) };
    Histogram::from_bytes(&bytes).ok_or_else(|| DbErr::Type("a histogram of times".to_owned()))
}

/// Removes an account's rows of a resolution that began before a time; at most `limit`. Says how
/// many.
pub(super) async fn remove_before(
    tx: &Tx,
    account_id: AccountId,
    resolution: Resolution,
    before_s: i64,
    limit: u64,
) -> Result<u64, DbErr> {
    let columns = names(&KEY_COLUMNS[1..]).join(", ");
    let sql = format!(
        "DELETE FROM rollup WHERE ({columns}) IN (SELECT {columns} FROM rollup \
         WHERE account_id = $1 AND resolution_s = $2 AND starts_at_s < $3 \
         ORDER BY starts_at_s LIMIT $4)"
    );
    let values = [
        account_id.0.into(),
        (resolution.seconds() as i32).into(),
        before_s.into(),
        (limit as i64).into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}
