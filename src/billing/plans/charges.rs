//! Charging the months of plans: at once where an account is subscribed, then by a periodic job.

use chrono::DateTime;
use entity::enums::{BookKind, TransferCode};
use entity::ids::{AccountId, GrantedPackageId};
use entity::subscription::{Column, Entity, Model};
use entity::time::UnixMillis;
use entity::{ledger_transfer, plan};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};

use crate::authz::Action;
use crate::billing::charging::available_locked;
use crate::billing::ledger::post;
use crate::billing::model::{Journal, NewTransfer};
use crate::billing::packages::{self, Included};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent, Topic};
use crate::types::money::Micros;

/// Accounts of one look at what is due.
const BATCH_MAX: u64 = 100;
/// Months that one transaction makes up for: ten years.
const MONTHS_MAX: i32 = 120;
/// When what the money did not reach to is tried again, in milliseconds: a day.
const RETRY_DELAY_MS: i64 = 24 * 3_600_000;

/// Charges all months that are due, and returns of how many accounts. Each account has a transaction
/// of its own; run twice it changes nothing.
///
/// # Errors
/// A failure; what was committed before stays.
pub async fn charge_due(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let mut charged = 0;
    loop {
        let now = ctx.clock.now();
        let due: Vec<AccountId> = Entity::find()
            .select_only()
            .column(Column::AccountId)
            .filter(Column::DueAtMs.lte(now))
            .order_by_asc(Column::DueAtMs)
            .limit(BATCH_MAX)
            .into_tuple()
            .all(ctx.db.reader())
            .await?;
        let is_last = (due.len() as u64) < BATCH_MAX;
        let mut failure = None;
        for account_id in due {
            // What goes wrong with one account is no other's trouble.
            let ids = &draw_ids(ctx);
            match ctx.db.write(|tx| async move { charge(ctx, &tx, account_id, ids).await }).await {
                Ok(_) => {
                    charged += 1;
                    ctx.doorbell.ring(Topic::Events(account_id));
                }
                Err(failed) => failure = Some(failed),
            }
        }
        match failure {
            Some(failed) => return Err(failed),
            None if is_last => return Ok(charged),
            None => {}
        }
    }
}

/// Ids for the packages that the months of one transaction include, drawn before it.
pub(super) fn draw_ids(ctx: &Ctx) -> Vec<GrantedPackageId> {
    (0..MONTHS_MAX).map(|_| ctx.ids.next()).collect()
}

/// Charges the months of one account that are due, as far as the money reaches, with the packages
/// that they include, and returns its subscription as it is then. It appends to the event log, so it
/// is called last in a transaction.
pub(super) async fn charge(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    ids: &[GrantedPackageId],
) -> Result<Option<Model>, Failed> {
    let now = ctx.clock.now();
    let row = Entity::find_by_id(account_id).lock_exclusive().one(&**tx).await?;
    let Some(mut row) = row else { return Ok(None) };
    if row.due_at_ms > now {
        return Ok(Some(row));
    }
    let plan = plan::Entity::find_by_id(row.plan_id).one(&**tx).await?;
    let plan = plan.ok_or_else(|| Failed::internal("a subscription without its plan"))?;
    let months = Months { ctx, tx, plan: &plan, money: money_of(ctx, tx, &row, &plan).await? };
    let mut news = Vec::new();
    let (mut reaches, mut ids) = (true, ids.iter());
    while reaches && begins_at(&row) <= now {
        let Some(id) = ids.next() else { break };
        reaches = months.charge(&row).await?;
        if reaches {
            news.extend(months.include(&row, *id).await?);
        }
        row.next_month += i32::from(reaches);
    }
    if reaches {
        row.due_at_ms = begins_at(&row);
        row.first_failed_at_ms = None;
    } else {
        row.due_at_ms = now.plus_ms(RETRY_DELAY_MS);
        row.first_failed_at_ms = row.first_failed_at_ms.or(Some(now));
        metrics::counter!("plan_charges_failed_total").increment(1);
        tracing::warn!(account.id = %account_id, plan.id = %plan.id,
            "an account's money does not reach to a month of its plan; tried again in a day");
    }
    let row = update(tx, row).await?;
    events::append(tx, news).await?;
    Ok(Some(row))
}

/// The journal that the plan's months are charged to. Where they include a package, the account's
/// purses are locked from the first on.
async fn money_of(ctx: &Ctx, tx: &Tx, row: &Model, plan: &plan::Model) -> Result<Journal, Failed> {
    if plan.package_id.is_some() {
        return packages::lock_account(ctx, tx, row.account_id).await;
    }
    let currency = plan.currency.parse().map_err(Failed::internal)?;
    Ok(Journal::of_money(row.account_id, currency))
}

async fn update(tx: &Tx, row: Model) -> Result<Model, DbErr> {
    let (next_month, due_at_ms) = (row.next_month, row.due_at_ms);
    let first_failed_at_ms = row.first_failed_at_ms;
    let mut row = row.into_active_model();
    row.next_month = Set(next_month);
    row.due_at_ms = Set(due_at_ms);
    row.first_failed_at_ms = Set(first_failed_at_ms);
    row.update(&**tx).await
}

/// Charging months of a plan.
struct Months<'a> {
    ctx: &'a Ctx,
    tx: &'a Tx,
    plan: &'a plan::Model,
    money: Journal,
}

impl Months<'_> {
    /// Charges the next month, if the money reaches. Whoever had the same plan from the same day on
    /// before has paid for the month.
    async fn charge(&self, row: &Model) -> Result<bool, Failed> {
        let (tx, plan) = (self.tx, self.plan);
        let price = Micros(plan.monthly_price_micros);
        let key = self.key(row);
        if price == Micros::ZERO || is_posted(tx, row.account_id, &key).await? {
            return Ok(true);
        }
        if available_locked(tx, self.money).await? < price {
            return Ok(false);
        }
        let (from, to) = (BookKind::Customer, BookKind::OtherRevenue);
        let transfer =
            NewTransfer::between(self.money, TransferCode::Subscription, from, to, price)
                .at(begins_at(row))
                .about(plan.id.0)
                .keyed(key);
        let now = self.ctx.clock.now();
        match post(tx, &self.ctx.master_key, now, vec![transfer]).await {
            Ok(_) => Ok(true),
            Err(Error::Rejected(fault)) => Err(Failed::internal(fault)),
            Err(Error::Failed(failed)) => Err(failed),
        }
    }

    /// Grants what the next month includes, and returns what is to be told.
    async fn include(&self, row: &Model, id: GrantedPackageId) -> Result<Option<NewEvent>, Failed> {
        let Some(package_id) = self.plan.package_id else { return Ok(None) };
        let (key, from) = (&self.key(row), begins_at(row));
        let included = Included { id, money: self.money, package_id, key, from };
        packages::include(self.ctx, self.tx, included).await
    }

    /// Names the plan and the day on which the next month begins.
    fn key(&self, row: &Model) -> String {
        format!("plan/{}/{}", self.plan.id, day_of(begins_at(row)))
    }
}

async fn is_posted(tx: &Tx, account_id: AccountId, key: &str) -> Result<bool, DbErr> {
    let its = ledger_transfer::Column::AccountId.eq(account_id);
    let found = ledger_transfer::Entity::find()
        .filter(its)
        .filter(ledger_transfer::Column::Key.eq(key))
        .one(&**tx)
        .await?;
    Ok(found.is_some())
}

/// When the next month begins.
fn begins_at(row: &Model) -> UnixMillis {
    month_after(row.started_at_ms, row.next_month)
}

/// The same day and time so many months later, or the last day of a month that has no such day.
pub(in crate::billing) fn month_after(start: UnixMillis, months: i32) -> UnixMillis {
    let time = DateTime::from_timestamp_millis(start.0).unwrap_or_default();
    let later = time.checked_add_months(chrono::Months::new(months.unsigned_abs()));
    UnixMillis(later.unwrap_or(DateTime::<chrono::Utc>::MAX_UTC).timestamp_millis())
}

fn day_of(time: UnixMillis) -> String {
    let time = DateTime::from_timestamp_millis(time.0).unwrap_or_default();
    time.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_the_same_day_or_the_last() {
        let at =
            |text: &str| UnixMillis(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis());
        for (start, months, day) in [
            ("2026-01-05T10:00:00Z", 0, "2026-01-05"),
            ("2026-01-05T10:00:00Z", 1, "2026-02-05"),
            ("2026-01-31T23:59:59Z", 1, "2026-02-28"),
            ("2026-01-31T23:59:59Z", 2, "2026-03-31"),
            ("2027-12-31T00:00:00Z", 2, "2028-02-29"),
            ("2026-01-05T10:00:00Z", 120, "2036-01-05"),
        ] {
            assert_eq!(day_of(month_after(at(start), months)), day, "{start} {months}");
        }
    }
}
