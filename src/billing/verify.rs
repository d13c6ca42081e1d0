//! Checking the books: every journal's chain, that its transfers balance, that the balances kept
//! are the fold of the journal, and that what is held is the sum of the messages' holds; the last
//! two also for each granted package.

use std::collections::BTreeMap;

use entity::enums::{BookKind, PackageKind, Purse};
use entity::ids::{AccountId, GrantedPackageId};
use entity::{granted_package, ledger_book, ledger_entry, ledger_transfer, wallet};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, Statement,
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
    let (books, packages) = (BTreeMap::new(), BTreeMap::new());
    let mut state = State { hash: chain::GENESIS.to_vec(), seq: 0, books, packages };
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
    let folded = Folded { books: state.books, packages: state.packages };
    let what = check_now(ctx, journal, wallet, folded).await?;
    Ok((checked, what.map(|what| fault(wallet.last_seq, what))))
}

/// A journal as far as it was read.
struct State {
    hash: Vec<u8>,
    seq: i64,
    books: BTreeMap<Book, Micros>,
    /// What is left of each granted package that a transfer was about.
    packages: BTreeMap<GrantedPackageId, Micros>,
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
            if let (Some(id), BookKind::Customer) = (transfer.subject_id, leg.book.kind) {
                let left = self.packages.entry(GrantedPackageId(id)).or_default();
                *left = left.checked_add(leg.amount).ok_or("a balance leaves 64 bits")?;
            }
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

/// What a journal comes to.
struct Folded {
    books: BTreeMap<Book, Micros>,
    packages: BTreeMap<GrantedPackageId, Micros>,
}

/// Compares what is kept beside the journal, if nothing was posted or held since it was read.
async fn check_now(
    ctx: &Ctx,
    journal: Journal,
    wallet: &wallet::Model,
    folded: Folded,
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
    let held = held_by_messages(ctx, journal).await?;
    let packages = match journal.purse {
        Purse::Money => BTreeMap::new(),
        Purse::Credit | Purse::Parts => granted_packages(ctx, journal).await?,
    };
    let id = (journal.account_id, wallet.currency.clone(), wallet.purse);
    let now = wallet::Entity::find_by_id(id).one(reader).await?;
    if now.as_ref() != Some(wallet) {
        return Ok(None);
    }
    if kept != folded.books {
        return Ok(Some("a book's balance is not the journal's"));
    }
    if held.values().map(|held| held.0).sum::<i64>() != wallet.held_micros {
        return Ok(Some("what the wallet holds is not the sum of its messages' holds"));
    }
    if journal.purse == Purse::Money {
        return Ok(None);
    }
    let is_left = |(_, left): &(GrantedPackageId, Micros)| *left != Micros::ZERO;
    let left: BTreeMap<_, _> = packages
        .iter()
        .map(|(id, row)| (*id, Micros(row.balance_micros)))
        .filter(is_left)
        .collect();
    let written: BTreeMap<_, _> = folded.packages.into_iter().filter(is_left).collect();
    if left != written {
        return Ok(Some("what is left of a package is not what its transfers say"));
    }
    let promised: BTreeMap<_, _> =
        packages.iter().map(|(id, row)| (*id, Micros(row.held_micros))).filter(is_left).collect();
    let held: BTreeMap<_, _> =
        held.into_iter().filter_map(|(id, held)| Some((id?, held))).filter(is_left).collect();
    if promised != held {
        return Ok(Some("what a package is promised for is not the sum of its messages' holds"));
    }
    Ok(None)
}

/// What messages hold in a journal, by the package that pays for them.
async fn held_by_messages(
    ctx: &Ctx,
    journal: Journal,
) -> Result<BTreeMap<Option<GrantedPackageId>, Micros>, DbErr> {
    // Every status in which a price can still be held, written out for the index by status. Those
    // that are over have none, but for UNKNOWN. A message keeps its account's currency also where
    // parts pay for it.
    let held = Statement::from_sql_and_values(
        ctx.db.store().backend(),
        "SELECT granted_package_id, CAST(SUM(price_micros) AS BIGINT) AS held FROM message \
         WHERE account_id = $1 AND status IN (0, 5, 10, 20, 30, 35, 90) \
         AND charged_micros IS NULL AND ($2 = 'XXX' OR currency = $2) AND purse = $3 \
         GROUP BY granted_package_id",
        [journal.account_id.0.into(), journal.unit.as_str().into(), journal.purse.code().into()],
    );
    let rows = ctx.db.reader().query_all_raw(held).await?;
    let held = |row: &QueryResult| {
        let id: Option<GrantedPackageId> = row.try_get("", "granted_package_id")?;
        Ok((id, Micros(row.try_get("", "held")?)))
    };
    rows.iter().map(held).collect()
}

async fn granted_packages(
    ctx: &Ctx,
    journal: Journal,
) -> Result<BTreeMap<GrantedPackageId, granted_package::Model>, DbErr> {
    use granted_package::Column;
    let kind = match journal.purse {
        Purse::Parts => PackageKind::Parts,
        Purse::Money | Purse::Credit => PackageKind::Credit,
    };
    let mut select = granted_package::Entity::find()
        .filter(Column::AccountId.eq(journal.account_id))
        .filter(Column::Kind.eq(kind));
    if let Some(currency) = journal.unit.currency() {
        select = select.filter(Column::Currency.eq(currency.as_str()));
    }
    let rows = select.all(ctx.db.reader()).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
