//! The operator's hold on accounts: suspending, reactivating, another link for the first owner.

use entity::enums::{AccountKind, AccountStatus};
use entity::ids::AccountId;
use entity::{account, one_time_link};

use super::accounts::new_link;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::identity::model::{Email, OneTimeLink};
use crate::identity::store;

/// Why an account's status cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusRejection {
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// It is the operator's own, without which nobody could reactivate it.
    #[error("the operator's own account cannot be suspended")]
    Operator,
    /// It is closed for good.
    #[error("the account is closed")]
    Closed,
}

/// Suspends an account: it sends nothing any more, neither what it asks for from now on (which is
/// refused) nor what waits already (which stays where it is, and may be canceled or expire). What
/// a carrier was handed before is not called back. The account still reads. Idempotent.
///
/// # Errors
/// [`StatusRejection`], or a failure.
pub async fn suspend_account(
    ctx: &Ctx,
    account_id: AccountId,
) -> Result<account::Model, Error<StatusRejection>> {
    ctx.actor.require(Action::ManageAccounts)?;
    set_status(ctx, account_id, AccountStatus::Suspended).await
}

/// Lets a suspended account send again; what waited and has not expired leaves. Idempotent.
///
/// # Errors
/// [`StatusRejection`], or a failure.
pub async fn reactivate_account(
    ctx: &Ctx,
    account_id: AccountId,
) -> Result<account::Model, Error<StatusRejection>> {
    ctx.actor.require(Action::ManageAccounts)?;
    set_status(ctx, account_id, AccountStatus::Active).await
}

async fn set_status(
    ctx: &Ctx,
    account_id: AccountId,
    status: AccountStatus,
) -> Result<account::Model, Error<StatusRejection>> {
    let now = ctx.clock.now();
    let account = ctx
        .db
        .write(|tx| async move {
            let found = store::accounts::account_for_update(&tx, account_id).await?;
            let before = found.ok_or(Error::Rejected(StatusRejection::NotFound))?;
            if before.kind == AccountKind::Operator {
                return Err(Error::Rejected(StatusRejection::Operator));
            }
            if before.status == AccountStatus::Closed {
                return Err(Error::Rejected(StatusRejection::Closed));
            }
            if before.status == status {
                return Ok(before);
            }
            let version = before.version + 1;
            let after = account::Model { status, version, updated_at_ms: now, ..before };
            Ok(store::accounts::update_account(&tx, after).await?)
        })
        .await?;
    tracing::info!(account.id = %account_id, ?status, "set an account's status");
    Ok(account)
}

/// Why there is no new link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerLinkRejection {
    /// There is no such account, or it is closed.
    #[error("there is no such open account")]
    NotFound,
    /// Somebody came in by a link.
    #[error("the account has an owner already: give another person that role instead")]
    HasOwner,
    /// No earlier link says for whom.
    #[error("name the owner's e-mail address: no earlier link of this account has one")]
    EmailNeeded,
    /// The address.
    #[error("not an e-mail address")]
    InvalidEmail,
}

/// Makes another link for the first owner of an account that has none yet; links made before stop
/// working. For the address given, else for that of the link before. Not idempotent.
///
/// # Errors
/// [`OwnerLinkRejection`], or a failure.
pub async fn reissue_owner_link(
    ctx: &Ctx,
    account_id: AccountId,
    email: Option<&str>,
) -> Result<OneTimeLink, Error<OwnerLinkRejection>> {
    ctx.actor.require(Action::ManageAccounts)?;
    let email = email.map(Email::parse).transpose();
    let email = email.map_err(|_| Error::Rejected(OwnerLinkRejection::InvalidEmail))?;
    let (row, link) = new_link(ctx, account_id, email.as_ref());
    let new = &row;
    ctx.db
        .write(|tx| async move {
            let account = store::accounts::account_for_update(&tx, account_id).await?;
            let account = account.filter(|account| account.status != AccountStatus::Closed);
            let account = account.ok_or(Error::Rejected(OwnerLinkRejection::NotFound))?;
            if store::accounts::has_owner(&*tx, account_id).await? {
                return Err(Error::Rejected(OwnerLinkRejection::HasOwner));
            }
            let before = store::links::newest_unused(&tx, account_id).await?;
            let email = new.email.clone().or(before.and_then(|link| link.email));
            // The operator's first owner names an address when coming in.
            if email.is_none() && account.kind == AccountKind::Customer {
                return Err(Error::Rejected(OwnerLinkRejection::EmailNeeded));
            }
            store::links::delete_unused(&tx, account_id).await?;
            let row = one_time_link::Model { email, ..new.clone() };
            Ok(store::links::insert(&tx, &row).await?)
        })
        .await?;
    tracing::info!(account.id = %account_id, "made another link for an account's first owner");
    Ok(link)
}
