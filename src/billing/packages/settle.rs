//! Ending what packages were promised for: called by `charging` with each group of messages.

use std::collections::BTreeMap;

use entity::enums::{PackageState, TransferCode};
use entity::ids::{AccountId, GrantedPackageId};
use sea_orm::{DbErr, QueryResult};

use crate::billing::model::Journal;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::types::money::Micros;

/// What messages end of a package's promises.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::billing) struct Settling {
    /// What was promised.
    pub(in crate::billing) held: Micros,
    /// What of it is charged.
    pub(in crate::billing) charged: Micros,
}

/// What came back to a package that was over, and is gone with it.
#[derive(Clone, Copy, Debug)]
pub(in crate::billing) struct Closed {
    pub(in crate::billing) journal: Journal,
    pub(in crate::billing) id: GrantedPackageId,
    pub(in crate::billing) amount: Micros,
    /// What it is written as.
    pub(in crate::billing) code: TransferCode,
}

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("held", BulkType::BigInt),
    BulkColumn::new("charged", BulkType::BigInt),
];

/// Takes what is charged out of packages, and gives back the rest of what was promised; says what
/// came back to packages that are over. Called under the locks of the purses.
pub(in crate::billing) async fn settle(
    tx: &Tx,
    settling: &BTreeMap<(Journal, GrantedPackageId), Settling>,
) -> Result<Vec<Closed>, DbErr> {
    let mut rows = Bulk::new(COLUMNS);
    for ((journal, id), it) in settling {
        rows.push([
            journal.account_id.0.into(),
            id.0.into(),
            it.held.0.into(),
            it.charged.0.into(),
        ]);
    }
    let sql = "UPDATE granted_package SET held_micros = granted_package.held_micros - rows.held, \
        balance_micros = granted_package.balance_micros \
        - CASE WHEN granted_package.state = 0 THEN rows.charged ELSE rows.held END \
        FROM rows WHERE granted_package.account_id = rows.account_id \
        AND granted_package.id = rows.id \
        RETURNING granted_package.account_id, granted_package.id, granted_package.state";
    let states = rows.query(tx, sql, Vec::new()).await?;
    let state = |row: &QueryResult| {
        let key: (AccountId, GrantedPackageId) =
            (row.try_get("", "account_id")?, row.try_get("", "id")?);
        Ok::<_, DbErr>((key, row.try_get::<PackageState>("", "state")?))
    };
    let states: BTreeMap<_, _> = states.iter().map(state).collect::<Result<_, _>>()?;
    let mut closed = Vec::new();
    for ((journal, id), it) in settling {
        let state = states.get(&(journal.account_id, *id));
        let code = match state {
            None => return Err(DbErr::RecordNotFound(format!("granted package {id}"))),
            Some(PackageState::Active) => continue,
            Some(PackageState::Revoked) => TransferCode::Reversal,
            Some(PackageState::Expired | PackageState::UsedUp) => TransferCode::PackageExpired,
        };
        let amount = Micros(it.held.0 - it.charged.0);
        if amount != Micros::ZERO {
            closed.push(Closed { journal: *journal, id: *id, amount, code });
        }
    }
    Ok(closed)
}
