//! Posting: the only place that writes the ledger.
//!
//! A wallet's row is the lock of its journal: it is taken first, in the order of the journals, and
//! with it the number and the hash that the next transfer follows. Locks go message → wallet →
//! event counter, so post before `events::append`.

use std::collections::{BTreeMap, BTreeSet};

use entity::enums::{BookKind, Purse};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::{DbErr, QueryResult};

use super::chain::{self, Link};
use super::model::{Book, Journal, NewTransfer, Posted, Unit, Unpostable};
use crate::db::{Bulk, BulkColumn, BulkType, Store, Tx};
use crate::error::{Error, Failed};
use crate::keys::MasterKey;
use crate::types::money::Micros;

/// Posts transfers in their order, all or none. What was posted under the same key before is left
/// as it is. Makes the wallets that are missing.
///
/// # Errors
/// [`Unpostable`], and then the transaction must be rolled back; or the store's own.
pub async fn post(
    tx: &Tx,
    master_key: &MasterKey,
    now: UnixMillis,
    transfers: Vec<NewTransfer>,
) -> Result<Vec<Posted>, Error<Unpostable>> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(fault) = transfers.iter().find_map(NewTransfer::fault) {
        return Err(Error::Rejected(fault));
    }
    let journals: BTreeSet<Journal> = transfers.iter().map(|transfer| transfer.journal).collect();
    ensure_wallets(tx, &journals, now).await?;
    let mut heads = lock(tx, &journals).await?;
    let earlier = find_keys(tx, &transfers).await?;
    let mut posting = Posting::default();
    let mut posted = Vec::with_capacity(transfers.len());
    for transfer in transfers {
        let head = heads.get_mut(&transfer.journal).ok_or_else(|| no_wallet(transfer.journal))?;
        posted.push(posting.add(master_key, now, transfer, head, &earlier)?);
    }
    posting.write(tx, now, heads).await?;
    Ok(posted)
}

/// Takes what was held for messages out of the holds, and posts what they cost, in one go. The
/// wallets are there, since something was held in them, and the transfers have no keys.
///
/// # Errors
/// As [`post`].
pub(super) async fn release_and_post(
    tx: &Tx,
    master_key: &MasterKey,
    now: UnixMillis,
    released: BTreeMap<Journal, Micros>,
    transfers: Vec<NewTransfer>,
) -> Result<(), Error<Unpostable>> {
    if let Some(fault) = transfers.iter().find_map(NewTransfer::fault) {
        return Err(Error::Rejected(fault));
    }
    let journals: BTreeSet<Journal> = released.keys().copied().collect();
    let mut heads = lock(tx, &journals).await?;
    let mut posting = Posting::default();
    for (journal, amount) in released {
        let head = heads.get_mut(&journal).ok_or_else(|| no_wallet(journal))?;
        head.released = amount;
    }
    for transfer in transfers {
        let head = heads.get_mut(&transfer.journal).ok_or_else(|| no_wallet(transfer.journal))?;
        posting.add(master_key, now, transfer, head, &BTreeMap::new())?;
    }
    posting.write(tx, now, heads).await
}

/// The state of a journal under its lock.
#[derive(Clone, Debug)]
pub(super) struct Head {
    balance: Micros,
    seq: i64,
    hash: Vec<u8>,
    /// What is taken out of the holds.
    released: Micros,
    posted: bool,
}

impl Head {
    fn is_changed(&self) -> bool {
        self.posted || self.released != Micros::ZERO
    }
}

/// A transfer that stands under a key already.
struct Earlier {
    request_mac: Vec<u8>,
    posted: Posted,
}

/// The rows to be written.
struct Posting {
    transfers: Bulk<'static>,
    entries: Vec<(Journal, i64, i16, Book, Micros, Micros)>,
    /// What is added to each book but the customer's.
    books: BTreeMap<(Journal, Book), Micros>,
    keys: BTreeMap<(AccountId, String), Earlier>,
}

impl Default for Posting {
    fn default() -> Self {
        Self {
            transfers: Bulk::new(TRANSFER_COLUMNS),
            entries: Vec::new(),
            books: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }
}

impl Posting {
    fn add(
        &mut self,
        master_key: &MasterKey,
        now: UnixMillis,
        transfer: NewTransfer,
        head: &mut Head,
        earlier: &BTreeMap<(AccountId, String), Earlier>,
    ) -> Result<Posted, Error<Unpostable>> {
        let NewTransfer { journal, code, key, subject_id, occurred_at, legs } = transfer;
        let request_mac = chain::request_mac(master_key, journal, code, subject_id, &legs);
        let seq = head.seq + 1;
        let is_keyed = key.is_some();
        let key = key.unwrap_or_else(|| own_key(journal, seq));
        let key_of = (journal.account_id, key.clone());
        if let Some(same) = earlier.get(&key_of).or_else(|| self.keys.get(&key_of)) {
            if same.request_mac != request_mac {
                return Err(Error::Rejected(Unpostable::KeyReused));
            }
            return Ok(Posted { replayed: true, ..same.posted });
        }
        let link = Link {
            journal,
            seq,
            code,
            key: &key,
            request_mac: &request_mac,
            subject_id,
            occurred_at,
            posted_at: now,
            legs: &legs,
        };
        let hash = link.hash(master_key, &head.hash);
        let id = chain::id_of(&hash);
        self.transfers.push([
            journal.account_id.0.into(),
            journal.unit.as_str().into(),
            journal.purse.code().into(),
            seq.into(),
            id.0.into(),
            code.code().into(),
            key.into(),
            request_mac.to_vec().into(),
            subject_id.into(),
            occurred_at.0.into(),
            now.0.into(),
            hash.to_vec().into(),
        ]);
        for (number, leg) in (0i16..).zip(legs) {
            let balance = if leg.book.kind == BookKind::Customer {
                &mut head.balance
            } else {
                self.books.entry((journal, leg.book.clone())).or_default()
            };
            let overflow = Error::Rejected(Unpostable::Overflow);
            *balance = balance.checked_add(leg.amount).ok_or(overflow)?;
            let balance = *balance;
            self.entries.push((journal, seq, number, leg.book, leg.amount, balance));
        }
        (head.seq, head.hash, head.posted) = (seq, hash.to_vec(), true);
        let posted = Posted { id, seq, replayed: false };
        if is_keyed {
            let request_mac = request_mac.to_vec();
            self.keys.insert(key_of, Earlier { request_mac, posted });
        }
        Ok(posted)
    }

    async fn write(
        self,
        tx: &Tx,
        now: UnixMillis,
        heads: BTreeMap<Journal, Head>,
    ) -> Result<(), Error<Unpostable>> {
        let before = add_to_books(tx, &self.books).await?;
        self.transfers.execute(tx, INSERT_TRANSFERS, Vec::new()).await?;
        let mut entries = Bulk::new(ENTRY_COLUMNS);
        for (journal, seq, leg, book, amount, balance) in self.entries {
            // Of other books than the customer's the balance is so far that of this posting.
            let base = before.get(&(journal, book.clone())).copied().unwrap_or_default();
            let overflow = Error::Rejected(Unpostable::Overflow);
            let balance = base.checked_add(balance).ok_or(overflow)?;
            entries.push([
                journal.account_id.0.into(),
                journal.unit.as_str().into(),
                journal.purse.code().into(),
                seq.into(),
                leg.into(),
                book.kind.code().into(),
                book.detail.into(),
                amount.0.into(),
                balance.0.into(),
            ]);
        }
        entries.execute(tx, INSERT_ENTRIES, Vec::new()).await?;
        move_heads(tx, now, heads).await?;
        Ok(())
    }
}

/// The key of a transfer that another row keeps from happening twice.
fn own_key(journal: Journal, seq: i64) -> String {
    format!("{}/{}/{seq}", journal.unit.as_str(), journal.purse.code())
}

fn no_wallet(journal: Journal) -> Failed {
    Failed::internal(format!("there is no wallet for {journal:?}"))
}

const JOURNAL_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
];

fn rows_of<'a>(journals: impl IntoIterator<Item = &'a Journal>) -> Bulk<'static> {
    let mut rows = Bulk::new(JOURNAL_COLUMNS);
    for journal in journals {
        rows.push([
            journal.account_id.0.into(),
            journal.unit.as_str().into(),
            journal.purse.code().into(),
        ]);
    }
    rows
}

/// Reads the journal that a row belongs to.
pub(super) fn journal_of(row: &QueryResult) -> Result<Journal, DbErr> {
    let unit: String = row.try_get("", "currency")?;
    Ok(Journal {
        account_id: row.try_get("", "account_id")?,
        unit: Unit::from_stored(&unit).ok_or_else(|| DbErr::Type(format!("unit {unit}")))?,
        purse: row.try_get::<Purse>("", "purse")?,
    })
}

/// Makes the wallets that are missing, empty.
pub(super) async fn ensure_wallets(
    tx: &Tx,
    journals: &BTreeSet<Journal>,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO wallet (account_id, currency, purse, balance_micros, held_micros, \
        credit_limit_micros, last_seq, last_hash, updated_at_ms) \
        SELECT account_id, currency, purse, 0, 0, 0, 0, {1}, {2} FROM rows WHERE true \
        ORDER BY account_id, currency, purse ON CONFLICT DO NOTHING";
    let extra = vec![chain::GENESIS.to_vec().into(), now.0.into()];
    rows_of(journals).execute(tx, sql, extra).await?;
    Ok(())
}

/// Locks wallets in the order of their keys and reads the heads of their journals. Those that are not
/// there are left out.
pub(super) async fn lock(
    tx: &Tx,
    journals: &BTreeSet<Journal>,
) -> Result<BTreeMap<Journal, Head>, DbErr> {
    // A transaction of SQLite's is alone already.
    let lock = match tx.store() {
        Store::Sqlite => "",
        Store::Postgres => "FOR UPDATE OF wallet",
    };
    let sql = format!(
        "SELECT wallet.account_id, wallet.currency, wallet.purse, wallet.balance_micros, \
         wallet.last_seq, wallet.last_hash FROM rows CROSS JOIN wallet \
         WHERE wallet.account_id = rows.account_id AND wallet.currency = rows.currency \
         AND wallet.purse = rows.purse \
         ORDER BY wallet.account_id, wallet.currency, wallet.purse {lock}"
    );
    let found = rows_of(journals).query(tx, &sql, Vec::new()).await?;
    let head = |row: &QueryResult| {
        let head = Head {
            balance: row.try_get("", "balance_micros")?,
            seq: row.try_get("", "last_seq")?,
            hash: row.try_get("", "last_hash")?,
            released: Micros::ZERO,
            posted: false,
        };
        Ok((journal_of(row)?, head))
    };
    found.iter().map(head).collect()
}

const KEY_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("key", BulkType::Text)];

/// What was posted under the keys of these transfers before. Asked under the wallets' locks.
async fn find_keys(
    tx: &Tx,
    transfers: &[NewTransfer],
) -> Result<BTreeMap<(AccountId, String), Earlier>, DbErr> {
    let mut rows = Bulk::new(KEY_COLUMNS);
    for transfer in transfers {
        if let Some(key) = &transfer.key {
            rows.push([transfer.journal.account_id.0.into(), key.clone().into()]);
        }
    }
    let sql = "SELECT t.account_id, t.key, t.request_mac, t.id, t.seq FROM rows \
        CROSS JOIN ledger_transfer t WHERE t.account_id = rows.account_id AND t.key = rows.key";
    let found = rows.query(tx, sql, Vec::new()).await?;
    let earlier = |row: &QueryResult| {
        let posted =
            Posted { id: row.try_get("", "id")?, seq: row.try_get("", "seq")?, replayed: true };
        let request_mac = row.try_get("", "request_mac")?;
        let key = (row.try_get("", "account_id")?, row.try_get("", "key")?);
        Ok((key, Earlier { request_mac, posted }))
    };
    found.iter().map(earlier).collect()
}

const BOOK_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("kind", BulkType::SmallInt),
    BulkColumn::new("detail", BulkType::Text),
    BulkColumn::new("added", BulkType::BigInt),
];

/// Adds to books, and says what stood in each before.
async fn add_to_books(
    tx: &Tx,
    books: &BTreeMap<(Journal, Book), Micros>,
) -> Result<BTreeMap<(Journal, Book), Micros>, DbErr> {
    let mut rows = Bulk::new(BOOK_COLUMNS);
    for ((journal, book), added) in books {
        rows.push([
            journal.account_id.0.into(),
            journal.unit.as_str().into(),
            journal.purse.code().into(),
            book.kind.code().into(),
            book.detail.clone().into(),
            added.0.into(),
        ]);
    }
    let sql = "INSERT INTO ledger_book (account_id, currency, purse, kind, detail, balance_micros) \
        SELECT account_id, currency, purse, kind, detail, added FROM rows WHERE true \
        ON CONFLICT (account_id, currency, purse, kind, detail) DO UPDATE \
        SET balance_micros = ledger_book.balance_micros + excluded.balance_micros \
        RETURNING account_id, currency, purse, kind, detail, balance_micros";
    let after = rows.query(tx, sql, Vec::new()).await?;
    let mut before = BTreeMap::new();
    for row in &after {
        let book = Book { kind: row.try_get("", "kind")?, detail: row.try_get("", "detail")? };
        let key = (journal_of(row)?, book);
        let balance: Micros = row.try_get("", "balance_micros")?;
        let added = books.get(&key).copied().unwrap_or_default();
        before.insert(key, Micros(balance.0 - added.0));
    }
    Ok(before)
}

const HEAD_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("balance", BulkType::BigInt),
    BulkColumn::new("seq", BulkType::BigInt),
    BulkColumn::new("hash", BulkType::Bytes),
    BulkColumn::new("released", BulkType::BigInt),
];

async fn move_heads(tx: &Tx, now: UnixMillis, heads: BTreeMap<Journal, Head>) -> Result<(), DbErr> {
    let mut rows = Bulk::new(HEAD_COLUMNS);
    for (journal, head) in heads {
        if head.is_changed() {
            rows.push([
                journal.account_id.0.into(),
                journal.unit.as_str().into(),
                journal.purse.code().into(),
                head.balance.0.into(),
                head.seq.into(),
                head.hash.into(),
                head.released.0.into(),
            ]);
        }
    }
    let sql = "UPDATE wallet SET balance_micros = rows.balance, last_seq = rows.seq, \
        last_hash = rows.hash, held_micros = wallet.held_micros - rows.released, \
        updated_at_ms = {1} FROM rows \
        WHERE wallet.account_id = rows.account_id AND wallet.currency = rows.currency \
        AND wallet.purse = rows.purse";
    rows.execute(tx, sql, vec![now.0.into()]).await?;
    Ok(())
}

const TRANSFER_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("seq", BulkType::BigInt),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("code", BulkType::SmallInt),
    BulkColumn::new("key", BulkType::Text),
    BulkColumn::new("request_mac", BulkType::Bytes),
    BulkColumn::nullable("subject_id", BulkType::Uuid),
    BulkColumn::new("occurred_at_ms", BulkType::BigInt),
    BulkColumn::new("posted_at_ms", BulkType::BigInt),
    BulkColumn::new("hash", BulkType::Bytes),
];

const INSERT_TRANSFERS: &str = "INSERT INTO ledger_transfer (account_id, currency, purse, seq, id, \
    code, key, request_mac, subject_id, occurred_at_ms, posted_at_ms, hash) \
    SELECT account_id, currency, purse, seq, id, code, key, request_mac, subject_id, \
    occurred_at_ms, posted_at_ms, hash FROM rows";

const ENTRY_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("seq", BulkType::BigInt),
    BulkColumn::new("leg", BulkType::SmallInt),
    BulkColumn::new("kind", BulkType::SmallInt),
    BulkColumn::new("detail", BulkType::Text),
    BulkColumn::new("amount", BulkType::BigInt),
    BulkColumn::new("balance", BulkType::BigInt),
];

const INSERT_ENTRIES: &str = "INSERT INTO ledger_entry (account_id, currency, purse, seq, leg, \
    kind, detail, amount_micros, balance_micros) \
    SELECT account_id, currency, purse, seq, leg, kind, detail, amount, balance FROM rows";
