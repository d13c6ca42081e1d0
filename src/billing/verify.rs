//! Checking the books: every journal's chain, that its transfers balance, that the balances kept
//! are the fold of the journal, and that what is held is the sum of the messages' holds.

use std::collections::BTreeMap;

use entity::enums::{BookKind, Purse};
use entity::ids::AccountId;
use entity::{ledger_book, ledger_entry, ledger_transfer, wallet};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};

use super::chain::{self, Link};
use super::model::{Book, Journal, Leg, Unit};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::types::money::Micros;

/// Transfers read at once.
const BATCH_MAX: u64 = 1_000;

/// What a check of all journals found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Journals checked.
    pub journals: u64,
    /// Transfers checked.
    pub transfers: u64,
    /// The first fault of each journal that has one.
    pub faults: Vec<Fault>,
}

/// The first thing that is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{account_id} {unit} {purse:?}, transfer {seq}: {what}")]
pub struct Fault {
    /// Whose.
    pub account_id: AccountId,
    /// In what, as stored.
    pub unit: String,
    /// Of which purse.
    pub purse: Purse,
    /// At which transfer; the last one for balances.
    pub seq: i64,
    /// What.
    pub what: String,
}

/// Checks the ledger of every account. Run it beside a running server: each journal is read up to
/// the transfer that was its last when the check came to it. What is held is compared only where
/// nothing moved meanwhile.
///
/// # Errors
/// A failure.
pub async fn verify(ctx: &Ctx) -> Result<Verified, Failed> {
    ctx.actor.require(Action::VerifyLedger)?;
    let mut verified = Verified::default();
    let wallets = wallet::Entity::find()
        .order_by_asc(wallet::Column::AccountId)
        .order_by_asc(wallet::Column::Currency)
        .order_by_asc(wallet::Column::Purse)
        .all(ctx.db.reader())
        .await?;
    for wallet in wallets {
        verified.journals += 1;
        let (transfers, fault) = check(ctx, &wallet).await?;
        verified.transfers += transfers;
        verified.faults.extend(fault);
    }
    Ok(verified)
}

async fn check(ctx: &Ctx, wallet: &wallet::Model) -> Result<(u64, Option<Fault>), Failed> {
    let fault = |seq: i64, what: &str| Fault {
        account_id: wallet.account_id,
        unit: wallet.currency.clone(),
        purse: wallet.purse,
        seq,
        what: what.to_owned(),
    };
    let Some(unit) = Unit::from_stored(&wallet.currency) else {
        return Ok((0, Some(fault(0, "the unit is unknown"))));
    };
    let journal = Journal { account_id: wallet.account_id, unit, purse: wallet.purse };
    let mut state = State { hash: chain::GENESIS.to_vec(), seq: 0, books: BTreeMap::new() };
    while state.seq < wallet.last_seq {
        let batch = read_batch(ctx, journal, state.seq, wallet.last_seq).await?;
        if batch.is_empty() {
            return Ok((state.seq as u64, Some(fault(state.seq + 1, "the transfer is missing"))));
        }
        for (transfer, entries) in batch {
            if let Err(what) = state.advance(ctx, journal, &transfer, &entries) {
                return Ok((state.seq as u64, Some(fault(state.seq + 1, what))));
            }
        }
    }
    let checked = state.seq as u64;
    if state.hash != wallet.last_hash {
        return Ok((checked, Some(fault(state.seq, "the wallet's hash is another one"))));
    }
    let customer = state.books.remove(&Book::from(BookKind::Customer)).unwrap_or_default();
    if customer.0 != wallet.balance_micros {
        return Ok((checked, Some(fault(state.seq, "the wallet's balance is not the journal's"))));
    }
    let what = check_now(ctx, journal, wallet, state.books).await?;
    Ok((checked, what.map(|what| fault(wallet.last_seq, what))))
}

/// A journal as far as it was read.
struct State {
    hash: Vec<u8>,
    seq: i64,
    books: BTreeMap<Book, Micros>,
}

impl State {
    fn advance(
        &mut self,
        ctx: &Ctx,
        journal: Journal,
        transfer: &ledger_transfer::Model,
        entries: &[ledger_entry::Model],
    ) -> Result<(), &'static str> {
        if transfer.seq != self.seq + 1 {
            return Err("the transfer is missing");
        }
        let legs: Vec<Leg> = entries
            .iter()
            .map(|entry| Leg {
                book: Book { kind: entry.kind, detail: entry.detail.clone() },
                amount: Micros(entry.amount_micros),
            })
            .collect();
        let link = Link {
            journal,
            seq: transfer.seq,
            code: transfer.code,
            key: &transfer.key,
            request_mac: &transfer.request_mac,
            subject_id: transfer.subject_id,
            occurred_at: transfer.occurred_at_ms,
            posted_at: transfer.posted_at_ms,
            legs: &legs,
        };
        let hash = link.hash(&ctx.master_key, &self.hash);
        if transfer.hash != hash || transfer.id != chain::id_of(&hash) {
            return Err("the hash does not follow from the transfer and the one before it");
        }
        if Micros::checked_sum(legs.iter().map(|leg| leg.amount)) != Some(Micros::ZERO) {
            return Err("the legs do not sum to zero");
        }
        for (leg, entry) in legs.into_iter().zip(entries) {
            let balance = self.books.entry(leg.book).or_default();
            *balance = balance.checked_add(leg.amount).ok_or("a balance leaves 64 bits")?;
            if balance.0 != entry.balance_micros {
                return Err("a leg's balance does not follow from those before it");
            }
        }
        (self.hash, self.seq) = (hash.to_vec(), transfer.seq);
        Ok(())
    }
}

type Transfer = (ledger_transfer::Model, Vec<ledger_entry::Model>);

async fn read_batch(
    ctx: &Ctx,
    journal: Journal,
    after: i64,
    last: i64,
) -> Result<Vec<Transfer>, DbErr> {
    use ledger_entry::Column as Entry;
    use ledger_transfer::Column as Transfer;
    let reader = ctx.db.reader();
    let transfers = ledger_transfer::Entity::find()
        .filter(Transfer::AccountId.eq(journal.account_id))
        .filter(Transfer::Currency.eq(journal.unit.as_str()))
        .filter(Transfer::Purse.eq(journal.purse))
        .filter(Transfer::Seq.gt(after))
        .filter(Transfer::Seq.lte(last))
        .order_by_asc(Transfer::Seq)
        .limit(BATCH_MAX)
        .all(reader)
        .await?;
    let Some(to) = transfers.last().map(|transfer| transfer.seq) else { return Ok(Vec::new()) };
    let entries = ledger_entry::Entity::find()
        .filter(Entry::AccountId.eq(journal.account_id))
        .filter(Entry::Currency.eq(journal.unit.as_str()))
        .filter(Entry::Purse.eq(journal.purse))
        .filter(Entry::Seq.gt(after))
        .filter(Entry::Seq.lte(to))
        .order_by_asc(Entry::Seq)
        .order_by_asc(Entry::Leg)
        .all(reader)
        .await?;
    let mut by_seq: BTreeMap<i64, Vec<ledger_entry::Model>> = BTreeMap::new();
    for entry in entries {
        by_seq.entry(entry.seq).or_default().push(entry);
    }
    let legs_of = |transfer: ledger_transfer::Model| {
        let legs = by_seq.remove(&transfer.seq).unwrap_or_default();
        (transfer, legs)
    };
    Ok(transfers.into_iter().map(legs_of).collect())
}

/// Compares what is kept beside the journal, if nothing was posted or held since it was read.
async fn check_now(
    ctx: &Ctx,
    journal: Journal,
    wallet: &wallet::Model,
    folded: BTreeMap<Book, Micros>,
) -> Result<Option<&'static str>, Failed> {
    let reader = ctx.db.reader();
    let books = ledger_book::Entity::find()
        .filter(ledger_book::Column::AccountId.eq(journal.account_id))
        .filter(ledger_book::Column::Currency.eq(journal.unit.as_str()))
        .filter(ledger_book::Column::Purse.eq(journal.purse))
        .all(reader)
        .await?;
    let kept: BTreeMap<Book, Micros> = books
        .into_iter()
        .map(|row| (Book { kind: row.kind, detail: row.detail }, Micros(row.balance_micros)))
        .collect();
    // Every status in which a price can still be held, written out for the index by status. Those
    // that are over have none, but for UNKNOWN.
    let held = Statement::from_sql_and_values(
        ctx.db.store().backend(),
        "SELECT CAST(COALESCE(SUM(price_micros), 0) AS BIGINT) AS held FROM message \
         WHERE account_id = $1 AND status IN (0, 5, 10, 20, 30, 35, 90) \
         AND charged_micros IS NULL AND currency = $2 AND purse = $3",
        [journal.account_id.0.into(), journal.unit.as_str().into(), journal.purse.code().into()],
    );
    let row = reader.query_one_raw(held).await?;
    let held: i64 = row.map_or(Ok(0), |row| row.try_get("", "held"))?;
    let id = (journal.account_id, wallet.currency.clone(), wallet.purse);
    let now = wallet::Entity::find_by_id(id).one(reader).await?;
    if now.as_ref() != Some(wallet) {
        return Ok(None);
    }
    if kept != folded {
        return Ok(Some("a book's balance is not the journal's"));
    }
    if held != wallet.held_micros {
        return Ok(Some("what the wallet holds is not the sum of its messages' holds"));
    }
    Ok(None)
}
