//! What was written of an account: the customer's own legs, newest first.

use std::collections::HashMap;

use entity::enums::{BookKind, Purse, TransferCode};
use entity::ids::{AccountId, TransferId};
use entity::time::UnixMillis;
use entity::{ledger_entry, ledger_transfer};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use super::model::{Journal, Unit};
use super::queries;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;
use crate::types::money::{Currency, Micros};

/// Whose money is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's own account's.
    Own,
    /// That of any account, for the operator.
    Of(AccountId),
}

impl Whose {
    /// The account, if the caller may read its money.
    pub(in crate::billing) fn authorize(self, ctx: &Ctx) -> Result<AccountId, Failed> {
        match self {
            Self::Own => ctx.actor.require_in_account(Action::ReadBilling),
            Self::Of(account_id) => {
                ctx.actor.require(Action::ReadAllBilling)?;
                Ok(account_id)
            }
        }
    }
}

/// A leg of the customer's, with what its transfer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of the transfer.
    pub transfer_id: TransferId,
    /// Its number in the journal.
    pub seq: i64,
    /// What for.
    pub code: TransferCode,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    /// Positive: the account has that much more.
    pub amount: Micros,
    /// What it had then.
    pub balance: Micros,
    /// In what.
    pub unit: Unit,
    /// Of which purse.
    pub purse: Purse,
    /// When it was so.
    pub occurred_at: UnixMillis,
}

/// Which of an account's journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntriesOf {
    /// Of which purse.
    pub purse: Purse,
    /// In which currency; none: the account's own. Parts have none.
    pub currency: Option<Currency>,
}

/// A page of an account's entries in one journal, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn entries(
    ctx: &Ctx,
    whose: Whose,
    of: EntriesOf,
    request: &PageRequest<i64>,
) -> Result<Page<Entry>, Failed> {
    let journal = journal_of(ctx, whose, of).await?;
    let (column, order) = (ledger_entry::Column::Seq, ListOrder::Descending);
    let reader = ctx.db.reader();
    let page = page::fetch_page(reader, of_journal(journal), column, order, request).await?;
    let numbers = page.items.iter().map(|row| row.seq).collect();
    let transfers = transfers(reader, journal, numbers).await?;
    let mut missing = false;
    let items = page.items.iter().filter_map(|row| {
        let entry = transfers.get(&row.seq).and_then(|transfer| entry(transfer, row));
        missing |= entry.is_none();
        entry
    });
    let items = items.collect();
    if missing {
        return Err(Failed::internal("an entry without its transfer: verify the ledger"));
    }
    Ok(Page { items, has_next: page.has_next, has_previous: page.has_previous })
}

/// How many entries an account has in a currency.
///
/// # Errors
/// As [`entries`].
pub async fn entries_count(ctx: &Ctx, whose: Whose, of: EntriesOf) -> Result<u64, Failed> {
    let journal = journal_of(ctx, whose, of).await?;
    Ok(page::count_all(ctx.db.reader(), of_journal(journal)).await?)
}

/// The entry of the caller's account that a transfer made.
///
/// # Errors
/// As [`entries`].
pub async fn find_entry(ctx: &Ctx, id: TransferId) -> Result<Option<Entry>, Failed> {
    let account_id = Whose::Own.authorize(ctx)?;
    let reader = ctx.db.reader();
    let transfer = ledger_transfer::Entity::find()
        .filter(ledger_transfer::Column::AccountId.eq(account_id))
        .filter(ledger_transfer::Column::Id.eq(id))
        .one(reader)
        .await?;
    let Some(transfer) = transfer else { return Ok(None) };
    let unit = Unit::from_stored(&transfer.currency);
    let unit = unit.ok_or_else(|| Failed::internal("a transfer without a unit"))?;
    let its = of_journal(Journal { account_id, unit, purse: transfer.purse });
    let row = its.filter(ledger_entry::Column::Seq.eq(transfer.seq)).one(reader).await?;
    Ok(row.and_then(|row| entry(&transfer, &row)))
}

/// The journal of an account's money in a currency, if the caller may read it.
pub(super) async fn journal(
    ctx: &Ctx,
    whose: Whose,
    currency: Option<Currency>,
) -> Result<Journal, Failed> {
    let account_id = whose.authorize(ctx)?;
    let currency = match currency {
        Some(currency) => currency,
        None => queries::terms(ctx, account_id).await?.currency,
    };
    Ok(Journal::of_money(account_id, currency))
}

async fn journal_of(ctx: &Ctx, whose: Whose, of: EntriesOf) -> Result<Journal, Failed> {
    let money = journal(ctx, whose, of.currency).await?;
    let unit = match of.purse {
        Purse::Money | Purse::Credit => money.unit,
        Purse::Parts => Unit::Parts,
    };
    Ok(Journal { unit, purse: of.purse, ..money })
}

/// The customer's legs in a journal.
fn of_journal(journal: Journal) -> Select<ledger_entry::Entity> {
    ledger_entry::Entity::find()
        .filter(ledger_entry::Column::AccountId.eq(journal.account_id))
        .filter(ledger_entry::Column::Currency.eq(journal.unit.as_str()))
        .filter(ledger_entry::Column::Purse.eq(journal.purse))
        .filter(ledger_entry::Column::Kind.eq(BookKind::Customer))
}

async fn transfers<C: ConnectionTrait>(
    connection: &C,
    journal: Journal,
    numbers: Vec<i64>,
) -> Result<HashMap<i64, ledger_transfer::Model>, DbErr> {
    let found = ledger_transfer::Entity::find()
        .filter(ledger_transfer::Column::AccountId.eq(journal.account_id))
        .filter(ledger_transfer::Column::Currency.eq(journal.unit.as_str()))
        .filter(ledger_transfer::Column::Purse.eq(journal.purse))
        .filter(ledger_transfer::Column::Seq.is_in(numbers))
        .all(connection)
        .await?;
    Ok(found.into_iter().map(|transfer| (transfer.seq, transfer)).collect())
}

fn entry(transfer: &ledger_transfer::Model, row: &ledger_entry::Model) -> Option<Entry> {
    Some(Entry {
        transfer_id: transfer.id,
        seq: transfer.seq,
        code: transfer.code,
        subject_id: transfer.subject_id,
        amount: Micros(row.amount_micros),
        balance: Micros(row.balance_micros),
        unit: Unit::from_stored(&transfer.currency)?,
        purse: transfer.purse,
        occurred_at: transfer.occurred_at_ms,
    })
}
