//! What messages cost: held when they are accepted, charged for the parts that a carrier took,
//! given back for those that never left.
//!
//! A message that a package pays for is charged to the package's purse, by a transfer about the
//! package.
//!
//! A message's row is its hold: `price_micros` is held while `charged_micros` is null, and the
//! statement that moves the message sets it once. The wallet keeps the sum of all holds, and the
//! ledger gets one transfer a wallet and group of messages, so charging costs a few rows a group
//! and none a message.

use std::collections::BTreeMap;

use entity::enums::{BookKind, MessageClass, MessageStatus, Purse, TransferCode};
use entity::ids::{AccountId, GrantedPackageId};
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::ledger;
use super::model::{Journal, NewTransfer, Unit};
use super::packages::{self, Closed, Settling};
use crate::db::{Bulk, BulkColumn, BulkType, Store, Tx};
use crate::error::{Error, Failed};
use crate::keys::MasterKey;
use crate::types::money::Micros;
use crate::types::price::PartPrice;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3_600_000;

/// A message whose price is held no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Where it was held.
    pub journal: Journal,
    /// The package that pays for it; none: money.
    pub granted_package_id: Option<GrantedPackageId>,
    /// The recipient's country, two letters or empty.
    pub country: String,
    /// Its class.
    pub class: MessageClass,
    /// Of a part.
    pub unit_price: PartPrice,
    /// Parts that are paid for.
    pub parts: i16,
    /// What was held.
    pub held: Micros,
    /// What is charged, at most that.
    pub charged: Micros,
}

/// Holds an amount, if that much is available. One statement, which is the lock and the check.
///
/// # Errors
/// The store's own.
pub async fn hold(tx: &Tx, journal: Journal, amount: Micros) -> Result<bool, DbErr> {
    let sql = "UPDATE wallet SET held_micros = held_micros + $1 \
        WHERE account_id = $2 AND currency = $3 AND purse = $4 \
        AND balance_micros - held_micros + credit_limit_micros >= $1";
    let values = [
        amount.0.into(),
        journal.account_id.0.into(),
        journal.unit.as_str().into(),
        journal.purse.code().into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() == 1)
}

/// What is available, under the wallet's lock: it stays so until the transaction ends.
///
/// # Errors
/// The store's own.
pub async fn available_locked(tx: &Tx, journal: Journal) -> Result<Micros, DbErr> {
    let lock = match tx.store() {
        Store::Sqlite => "",
        Store::Postgres => "FOR UPDATE",
    };
    let sql = format!(
        "SELECT balance_micros - held_micros + credit_limit_micros AS available FROM wallet \
         WHERE account_id = $1 AND currency = $2 AND purse = $3 {lock}"
    );
    let values =
        [journal.account_id.0.into(), journal.unit.as_str().into(), journal.purse.code().into()];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map_or(Ok(Micros::ZERO), |row| row.try_get("", "available"))
}

/// Ends the holds of messages, and charges what they cost. Call it before `events::append`, and
/// only with messages whose `charged_micros` this transaction has set.
///
/// # Errors
/// The store's own; a sum beyond 64 bits.
pub async fn settle(
    tx: &Tx,
    master_key: &MasterKey,
    now: UnixMillis,
    charges: Vec<Charge>,
) -> Result<(), DbErr> {
    if charges.is_empty() {
        return Ok(());
    }
    let mut released: BTreeMap<Journal, Micros> = BTreeMap::new();
    let mut charged: BTreeMap<Purpose, Micros> = BTreeMap::new();
    for charge in &charges {
        add(&mut released, charge.journal, charge.held)?;
        add(&mut charged, (charge.journal, charge.granted_package_id), charge.charged)?;
    }
    let closed = settle_packages(tx, &charges, &released).await?;
    let messages = charged.into_iter().filter(|(_, amount)| *amount != Micros::ZERO);
    let messages = messages.map(|((journal, package), amount)| {
        let (from, to) = (BookKind::Customer, BookKind::MessageRevenue);
        let transfer = NewTransfer::between(journal, TransferCode::Messages, from, to, amount);
        package.into_iter().fold(transfer.at(now), |transfer, id| transfer.about(id.0))
    });
    let closed = closed.into_iter().map(|closed| {
        let (from, to) = (BookKind::Customer, BookKind::Promotion);
        let Closed { journal, id, amount, code } = closed;
        NewTransfer::between(journal, code, from, to, amount).at(now).about(id.0)
    });
    let transfers = messages.chain(closed).collect();
    released.retain(|_, amount| *amount != Micros::ZERO);
    ledger::release_and_post(tx, master_key, now, released, transfers).await.map_err(as_db)?;
    count_usage(tx, now, &charges).await
}

/// What is charged by one transfer.
type Purpose = (Journal, Option<GrantedPackageId>);

/// Ends what packages were promised for, under the locks of the wallets, and says what came back to
/// packages that are over.
async fn settle_packages(
    tx: &Tx,
    charges: &[Charge],
    released: &BTreeMap<Journal, Micros>,
) -> Result<Vec<Closed>, DbErr> {
    let mut settling: BTreeMap<(Journal, GrantedPackageId), Settling> = BTreeMap::new();
    for charge in charges {
        let Some(id) = charge.granted_package_id else { continue };
        let it = settling.entry((charge.journal, id)).or_default();
        (it.held.0, it.charged.0) = (it.held.0 + charge.held.0, it.charged.0 + charge.charged.0);
    }
    if settling.is_empty() {
        return Ok(Vec::new());
    }
    ledger::lock(tx, &released.keys().copied().collect()).await?;
    packages::settle(tx, &settling).await
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Micros>, key: K, amount: Micros) -> Result<(), DbErr> {
    let sum = sums.entry(key).or_default();
    *sum = sum.checked_add(amount).ok_or_else(|| DbErr::Custom("holds beyond 64 bits".into()))?;
    Ok(())
}

fn as_db<R: std::fmt::Display>(error: Error<R>) -> DbErr {
    match error {
        Error::Rejected(rejection) => DbErr::Custom(rejection.to_string()),
        // A lost race for locks has to stay one, so that the transaction runs again.
        Error::Failed(Failed::Internal(source) | Failed::Unavailable(source)) => {
            match source.downcast::<DbErr>() {
                Ok(error) => *error,
                Err(source) => DbErr::Custom(source.to_string()),
            }
        }
        Error::Failed(failed) => DbErr::Custom(failed.to_string()),
    }
}

const USAGE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("country", BulkType::Text),
    BulkColumn::new("class", BulkType::SmallInt),
    BulkColumn::new("unit_price_nanos", BulkType::BigInt),
    BulkColumn::new("messages", BulkType::BigInt),
    BulkColumn::new("parts", BulkType::BigInt),
    BulkColumn::new("amount_micros", BulkType::BigInt),
];

/// What a day's usage is told apart by.
type UsageKey<'a> = (Journal, &'a str, MessageClass, PartPrice);

/// Adds to the usage of the day: what statements, charts and invoices add up to what the ledger
/// took, because both are written here.
async fn count_usage(tx: &Tx, now: UnixMillis, charges: &[Charge]) -> Result<(), DbErr> {
    let mut sums: BTreeMap<UsageKey<'_>, (i64, i64, i64)> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.parts > 0) {
        let key = (charge.journal, charge.country.as_str(), charge.class, charge.unit_price);
        let (messages, parts, amount) = sums.entry(key).or_default();
        *messages += 1;
        *parts += i64::from(charge.parts);
        *amount += charge.charged.0;
    }
    let mut rows = Bulk::new(USAGE_COLUMNS);
    for ((journal, country, class, unit_price), (messages, parts, amount)) in sums {
        rows.push([
            journal.account_id.0.into(),
            journal.unit.as_str().into(),
            journal.purse.code().into(),
            country.into(),
            class.code().into(),
            unit_price.nanos().into(),
            messages.into(),
            parts.into(),
            amount.into(),
        ]);
    }
    let sql = "INSERT INTO usage_day (account_id, currency, purse, day, country, class, \
        unit_price_nanos, messages, parts, amount_micros) \
        SELECT account_id, currency, purse, {1}, country, class, unit_price_nanos, messages, \
        parts, amount_micros FROM rows WHERE true \
        ON CONFLICT (account_id, currency, purse, day, country, class, unit_price_nanos) \
        DO UPDATE SET messages = usage_day.messages + excluded.messages, \
        parts = usage_day.parts + excluded.parts, \
        amount_micros = usage_day.amount_micros + excluded.amount_micros";
    rows.execute(tx, sql, vec![day_of(now).into()]).await?;
    Ok(())
}

/// The day of a time: days since 1970-01-01 UTC.
pub fn day_of(time: UnixMillis) -> i32 {
    i32::try_from(time.0.div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

/// The columns of `message` that [`read`] needs, for `RETURNING`.
pub const RETURNING_CHARGE: &str = "message.class, message.country, message.currency, \
    message.purse, message.granted_package_id, message.unit_price_nanos, message.price_micros, \
    message.parts, message.charged_micros, message.charged_version";

/// The charge in a row with [`RETURNING_CHARGE`], `account_id`, `status` and `version`, if the statement that
/// returned it has set `charged_micros`: then its version is that of the row.
///
/// # Errors
/// The store's own.
pub fn read(row: &QueryResult) -> Result<Option<Charge>, DbErr> {
    let version: i32 = row.try_get("", "version")?;
    if row.try_get::<Option<i32>>("", "charged_version")? != Some(version) {
        return Ok(None);
    }
    let (purse, currency): (Purse, String) =
        (row.try_get("", "purse")?, row.try_get("", "currency")?);
    let unit = Unit::of_purse(purse, &currency);
    let unit = unit.ok_or_else(|| DbErr::Type(format!("currency {currency}")))?;
    let charged = Micros(row.try_get::<Option<i64>>("", "charged_micros")?.unwrap_or_default());
    let held = Micros(row.try_get("", "price_micros")?);
    let unit_price: PartPrice = row.try_get("", "unit_price_nanos")?;
    let parts: i16 = row.try_get("", "parts")?;
    let status: MessageStatus = row.try_get("", "status")?;
    let parts = parts_paid(status, unit_price, parts, held, charged);
    Ok(Some(Charge {
        journal: Journal { account_id: row.try_get::<AccountId>("", "account_id")?, unit, purse },
        granted_package_id: row.try_get("", "granted_package_id")?,
        country: row.try_get("", "country")?,
        class: row.try_get("", "class")?,
        unit_price,
        parts,
        held,
        charged,
    }))
}

/// How many of a message's parts are paid for by what was charged when it came into `status`.
pub fn parts_paid(
    status: MessageStatus,
    unit_price: PartPrice,
    parts: i16,
    held: Micros,
    charged: Micros,
) -> i16 {
    if unit_price == PartPrice::FREE && !was_taken(status) {
        return 0;
    }
    parts_charged(unit_price, parts, held, charged)
}

/// Whether a carrier has taken a message in this status; what is free cannot tell by its price.
const fn was_taken(status: MessageStatus) -> bool {
    use MessageStatus::{Delivered, Enroute, Expired, Rejected, Sent, Undelivered};
    matches!(status, Sent | Enroute | Delivered | Undelivered | Expired | Rejected)
}

/// How many of a message's parts an amount pays for.
fn parts_charged(unit_price: PartPrice, parts: i16, held: Micros, charged: Micros) -> i16 {
    if charged == held && charged != Micros::ZERO {
        return parts;
    }
    (0..=parts).rev().find(|parts| unit_price.of_parts(*parts) <= charged).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_paid_for_follow_from_the_amount() {
        let price: PartPrice = "0.0075".parse().expect("a price");
        for (charged, parts) in [(0, 0), (7_500, 1), (15_000, 2), (22_500, 3)] {
            assert_eq!(parts_charged(price, 3, Micros(22_500), Micros(charged)), parts);
        }
    }

    #[test]
    fn days_begin_at_midnight_utc() {
        for (ms, day) in [(0, 0), (DAY_MS - 1, 0), (DAY_MS, 1), (-1, -1)] {
            assert_eq!(day_of(UnixMillis(ms)), day);
        }
    }
}
