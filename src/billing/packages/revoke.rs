//! Taking a granted package back.

use entity::enums::{BookKind, EventKind, PackageState, TransferCode};
use entity::granted_package::{Column, Entity, Model};
use entity::ids::GrantedPackageId;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};

use super::grant::{lock_account, told};
use super::model::journal_of;
use crate::authz::Action;
use crate::billing::ledger::post;
use crate::billing::model::NewTransfer;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, Topic};
use crate::types::money::{Currency, Micros};

/// Why a package was not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeRejection {
    /// There is no such package.
    #[error("there is no such granted package")]
    NotFound,
    /// It is used up or has expired.
    #[error("the package is not active any more")]
    NotActive,
    /// It was revoked with another refund.
    #[error("the package was revoked with another refund")]
    OtherRefund,
    /// Below zero, or more than was paid.
    #[error("a refund is nothing or more, and at most what was paid for the package")]
    InvalidRefund,
}

/// Takes back what is left of a package, and if wanted gives back money that was paid for it. What it
/// was promised for is still paid by it; what comes back of that is gone too. Idempotent.
///
/// # Errors
/// [`RevokeRejection`], or a failure.
pub async fn revoke(
    ctx: &Ctx,
    id: GrantedPackageId,
    refund: Micros,
) -> Result<Model, Error<RevokeRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    let revoke = |tx: Tx| async move { write(ctx, &tx, id, refund).await };
    let row = ctx.db.write(revoke).await?;
    ctx.doorbell.ring(Topic::Events(row.account_id));
    Ok(row)
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    id: GrantedPackageId,
    refund: Micros,
) -> Result<Model, Error<RevokeRejection>> {
    let rejected = |rejection| Err(Error::Rejected(rejection));
    let find = || Entity::find().filter(Column::Id.eq(id)).one(&**tx);
    let Some(found) = find().await? else { return rejected(RevokeRejection::NotFound) };
    let money = lock_account(ctx, tx, found.account_id).await?;
    // As it is under the locks.
    let Some(row) = find().await? else { return rejected(RevokeRejection::NotFound) };
    match row.state {
        PackageState::Active => {}
        PackageState::Revoked if row.refunded_micros == refund.0 => return Ok(row),
        PackageState::Revoked => return rejected(RevokeRejection::OtherRefund),
        PackageState::UsedUp | PackageState::Expired => {
            return rejected(RevokeRejection::NotActive);
        }
    }
    if refund < Micros::ZERO || refund.0 > row.price_micros {
        return rejected(RevokeRejection::InvalidRefund);
    }
    let now = ctx.clock.now();
    let currency: Currency = row.currency.parse().map_err(Failed::internal)?;
    let left = Micros(row.balance_micros - row.held_micros);
    let mut transfers = Vec::new();
    if left != Micros::ZERO {
        let journal = journal_of(money, currency, row.kind);
        let (from, to) = (BookKind::Customer, BookKind::Promotion);
        let taken = NewTransfer::between(journal, TransferCode::Reversal, from, to, left);
        transfers.push(taken.at(now).about(id.0));
    }
    if refund != Micros::ZERO {
        let (from, to) = (BookKind::OtherRevenue, BookKind::Customer);
        let given = NewTransfer::between(money, TransferCode::Reversal, from, to, refund);
        transfers.push(given.at(now).about(id.0));
    }
    post(tx, &ctx.master_key, now, transfers).await.map_err(|error| match error {
        Error::Rejected(fault) => Failed::internal(fault),
        Error::Failed(failed) => failed,
    })?;
    let held = row.held_micros;
    let mut row = row.into_active_model();
    row.state = Set(PackageState::Revoked);
    row.balance_micros = Set(held);
    row.refunded_micros = Set(refund.0);
    row.closed_at_ms = Set(Some(now));
    let row = row.update(&**tx).await?;
    events::append(tx, vec![told(&row, EventKind::PackageRevoked, now)]).await?;
    Ok(row)
}
