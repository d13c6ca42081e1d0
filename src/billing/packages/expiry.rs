//! Periodic work: packages that are over are closed, and what is left of them is taken back.

use std::collections::BTreeSet;

use entity::enums::{BookKind, EventKind, PackageState, TransferCode};
use entity::granted_package::{Column, Entity, Model};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};

use super::ACTIVE_MAX;
use super::grant::told;
use super::hold::{is_active, lock};
use super::model::{journal_of, state_at_end};
use crate::authz::Action;
use crate::billing::ledger::post;
use crate::billing::model::{Journal, NewTransfer};
use crate::billing::queries::terms_in;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, Topic};
use crate::types::money::{Currency, Micros};

/// Accounts of one look at what has expired, and at what is empty.
const BATCH_MAX: u64 = 100;

/// Closes the packages that are used up or have expired, and takes back what is left of them, and
/// says how many. Each account has a transaction of its own; run twice or at once it changes nothing.
///
/// # Errors
/// A failure; what was committed before stays.
pub async fn close_due(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let mut closed = 0;
    loop {
        let due = accounts_due(ctx).await?;
        let is_last = (due.len() as u64) < BATCH_MAX;
        let mut failure = None;
        for account_id in due {
            // What goes wrong with one account is no other's trouble.
            match ctx.db.write(|tx| async move { close(ctx, &tx, account_id).await }).await {
                Ok(count) => {
                    closed += count;
                    ctx.doorbell.ring(Topic::Events(account_id));
                }
                Err(failed) => failure = Some(failed),
            }
        }
        match failure {
            Some(failed) => return Err(failed),
            None if is_last => return Ok(closed),
            None => {}
        }
    }
}

/// Some accounts with packages that are over. What has expired and what is empty are asked for one by
/// one, each by its index.
async fn accounts_due(ctx: &Ctx) -> Result<BTreeSet<AccountId>, DbErr> {
    let now = ctx.clock.now();
    let mut accounts = BTreeSet::new();
    // Written out: a partial index serves only a query that repeats its condition.
    for is_over in [Column::ExpiresAtMs.lte(now), Expr::cust("balance_micros = 0")] {
        let found: Vec<AccountId> = Entity::find()
            .select_only()
            .column(Column::AccountId)
            .distinct()
            .filter(is_active())
            .filter(is_over)
            .limit(BATCH_MAX)
            .into_tuple()
            .all(ctx.db.reader())
            .await?;
        accounts.extend(found);
    }
    Ok(accounts)
}

fn is_over(now: UnixMillis) -> Condition {
    Condition::any().add(Column::ExpiresAtMs.lte(now)).add(Column::BalanceMicros.eq(0))
}

/// Closes what is due of one account.
async fn close(ctx: &Ctx, tx: &Tx, account_id: AccountId) -> Result<u64, Failed> {
    let now = ctx.clock.now();
    let currency = terms_in(ctx, &**tx, account_id).await?.currency;
    let money = Journal::of_money(account_id, currency);
    lock(tx, money).await?;
    let due = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(is_active())
        .filter(is_over(now))
        .order_by_asc(Column::ExpiresAtMs)
        .order_by_asc(Column::Id)
        .limit(ACTIVE_MAX)
        .all(&**tx)
        .await?;
    let (mut transfers, mut news) = (Vec::new(), Vec::new());
    for row in due {
        let Some(state) = state_at_end(&row, now) else { continue };
        transfers.extend(taken_back(money, &row, now)?);
        let held = row.held_micros;
        let mut row = row.into_active_model();
        row.state = Set(state);
        row.balance_micros = Set(held);
        row.closed_at_ms = Set(Some(now));
        let row = row.update(&**tx).await?;
        let kind = match state {
            PackageState::UsedUp => EventKind::PackageUsedUp,
            PackageState::Active | PackageState::Expired | PackageState::Revoked => {
                EventKind::PackageExpired
            }
        };
        news.push(told(&row, kind, now));
    }
    let closed = news.len() as u64;
    post(tx, &ctx.master_key, now, transfers).await.map_err(|error| match error {
        Error::Rejected(fault) => Failed::internal(fault),
        Error::Failed(failed) => failed,
    })?;
    events::append(tx, news).await?;
    Ok(closed)
}

/// Takes back what of a package is promised to nobody; none if that is nothing.
fn taken_back(money: Journal, row: &Model, now: UnixMillis) -> Result<Option<NewTransfer>, Failed> {
    let left = Micros(row.balance_micros - row.held_micros);
    let currency: Currency = row.currency.parse().map_err(Failed::internal)?;
    let journal = journal_of(money, currency, row.kind);
    let (from, to) = (BookKind::Customer, BookKind::Promotion);
    let transfer = NewTransfer::between(journal, TransferCode::PackageExpired, from, to, left);
    Ok((left != Micros::ZERO).then(|| transfer.at(now).about(row.id.0)))
}
