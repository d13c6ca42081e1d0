//! Promising packages to messages, when these are accepted.

use std::collections::{BTreeMap, BTreeSet};

use entity::enums::{PackageKind, PackageState};
use entity::granted_package::{Column, Entity, Model};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    Statement,
};

use super::ACTIVE_MAX;
use super::model::{Cover, Pocket, Want, journal_of, share_out};
use crate::billing::ledger;
use crate::billing::model::Journal;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::types::money::{Currency, Micros};

/// Locks all purses of an account that charges for messages touch, in the order of their keys. Who
/// takes from packages calls it before anything that locks a single purse.
///
/// # Errors
/// The store's own.
pub async fn lock(tx: &Tx, money: Journal) -> Result<(), DbErr> {
    ledger::lock(tx, &purses(money)).await?;
    Ok(())
}

/// The purses of an account.
pub(super) fn purses(money: Journal) -> BTreeSet<Journal> {
    let of = |kind: &PackageKind| money.unit.currency().map(|unit| journal_of(money, unit, *kind));
    PackageKind::ALL.iter().filter_map(of).chain([money]).collect()
}

/// Promises packages to messages as far as they reach, and says for each message which pays. Called
/// in the transaction that stores the messages, before anything else locks the account's wallets:
/// they are locked until it ends, so that nothing is promised twice.
///
/// # Errors
/// The store's own.
pub async fn hold(
    tx: &Tx,
    money: Journal,
    now: UnixMillis,
    wants: &[Want<'_>],
) -> Result<Vec<Option<Cover>>, DbErr> {
    let Some(currency) = money.unit.currency() else { return Ok(vec![None; wants.len()]) };
    lock(tx, money).await?;
    let rows = that_can_pay(money.account_id, now).lock_exclusive().all(&**tx).await?;
    let mut pockets = pockets(rows, currency);
    let covers = share_out(&mut pockets, wants);
    promise(tx, money.account_id, &pockets).await?;
    let mut sums: BTreeMap<PackageKind, Micros> = BTreeMap::new();
    for pocket in pockets.iter().filter(|pocket| pocket.promised != Micros::ZERO) {
        let sum = sums.entry(pocket.kind).or_default();
        let more = sum.checked_add(pocket.promised);
        *sum = more.ok_or_else(|| DbErr::Custom("promises beyond 64 bits".into()))?;
    }
    for (kind, sum) in sums {
        add_to_wallet(tx, journal_of(money, currency, kind), sum).await?;
    }
    Ok(covers)
}

/// Says which packages would pay for messages now. Asks for no right: it is part of estimating.
///
/// # Errors
/// The store's own.
pub async fn cover(
    ctx: &Ctx,
    money: Journal,
    wants: &[Want<'_>],
) -> Result<Vec<Option<Cover>>, DbErr> {
    let Some(currency) = money.unit.currency() else { return Ok(vec![None; wants.len()]) };
    let rows = that_can_pay(money.account_id, ctx.clock.now()).all(ctx.db.reader()).await?;
    Ok(share_out(&mut pockets(rows, currency), wants))
}

/// The packages of an account that can pay, in the order in which they do.
fn that_can_pay(account_id: AccountId, now: UnixMillis) -> Select<Entity> {
    Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(is_active())
        .filter(Column::ExpiresAtMs.gt(now))
        .filter(Expr::col(Column::BalanceMicros).gt(Expr::col(Column::HeldMicros)))
        .order_by_asc(Column::ExpiresAtMs)
        .order_by_asc(Column::Id)
        .limit(ACTIVE_MAX)
}

/// The condition that a package is active, with the number written out: SQLite takes a partial index
/// only for a query that repeats its condition.
pub(super) fn is_active() -> Expr {
    Expr::cust(format!("state = {}", PackageState::Active.code()))
}

/// Credit of another currency is none; there is no such, as long as an account keeps its currency.
fn pockets(rows: Vec<Model>, currency: Currency) -> Vec<Pocket> {
    let is_usable =
        |row: &Model| row.kind == PackageKind::Parts || row.currency == currency.as_str();
    rows.into_iter().filter(is_usable).map(Pocket::of).collect()
}

const PROMISE_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("id", BulkType::Uuid), BulkColumn::new("promised", BulkType::BigInt)];

async fn promise(tx: &Tx, account_id: AccountId, pockets: &[Pocket]) -> Result<(), DbErr> {
    let mut rows = Bulk::new(PROMISE_COLUMNS);
    for pocket in pockets.iter().filter(|pocket| pocket.promised != Micros::ZERO) {
        rows.push([pocket.id.0.into(), pocket.promised.0.into()]);
    }
    let sql = "UPDATE granted_package SET held_micros = granted_package.held_micros + rows.promised \
        FROM rows WHERE granted_package.account_id = {1} AND granted_package.id = rows.id";
    rows.execute(tx, sql, vec![account_id.0.into()]).await?;
    Ok(())
}

async fn add_to_wallet(tx: &Tx, journal: Journal, promised: Micros) -> Result<(), DbErr> {
    let sql = "UPDATE wallet SET held_micros = held_micros + $1 \
        WHERE account_id = $2 AND currency = $3 AND purse = $4";
    let values = [
        promised.0.into(),
        journal.account_id.0.into(),
        journal.unit.as_str().into(),
        journal.purse.code().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.store().backend(), sql, values)).await?;
    Ok(())
}
