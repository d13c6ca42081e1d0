//! Adding, verifying and deleting an account's domains.

use entity::campaign;
use entity::enums::{CampaignStatus, LinkDomainStatus};
use entity::ids::{AccountId, LinkDomainId};
use entity::link_domain::{ActiveModel, Column, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, ModelTrait, PaginatorTrait,
    QueryFilter, QuerySelect, Set,
};

use super::proof::{self, verification_record};
use super::{CHECK_INTERVAL_MS, DOMAINS_MAX};
use crate::authz::{Action, Actor};
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, violated_constraint};
use crate::types::host::{HOST_CHARS_MAX, Host};

/// Why a domain was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateDomainRejection {
    /// Not the name of a host alone.
    #[error(
        "a host is written go.shop.example: a name of at least two labels, at most {HOST_CHARS_MAX} \
         characters, without a scheme, port or path"
    )]
    InvalidHost,
    /// The installation itself is there.
    #[error("this host is the service's own")]
    HostReserved,
    /// The account has it.
    #[error("the account has this host already")]
    HostTaken,
    /// There are [`DOMAINS_MAX`].
    #[error("an account has at most {DOMAINS_MAX} domains")]
    TooMany,
}

/// Why a domain was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyDomainRejection {
    /// There is none with this id.
    #[error("there is no such domain")]
    NotFound,
    /// The last look is not [`CHECK_INTERVAL_MS`] ago.
    #[error("the record was looked for just now: try again in {} s", CHECK_INTERVAL_MS / 1_000)]
    CheckedJustNow,
    /// The DNS does not have the record, or has another value.
    #[error("the DNS does not have the record yet; what it had before may be told for some time")]
    RecordNotFound,
    /// No answer of the DNS.
    #[error("the DNS does not answer: try again")]
    DnsUnavailable,
    /// Another account has verified the host, and its record is still there.
    #[error("another account has verified this host, and its record is still in the DNS")]
    HostTaken,
}

/// Why a domain was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteDomainRejection {
    /// There is none with this id.
    #[error("there is no such domain")]
    NotFound,
    /// A campaign names it that is not over.
    #[error("a campaign that is not over uses this domain")]
    InUse,
}

/// Adds a host to the caller's account, to be verified. Not idempotent: a second one of the host is
/// refused.
///
/// # Errors
/// [`CreateDomainRejection`], or a failure.
pub async fn create(ctx: &Ctx, host: &str) -> Result<Model, Error<CreateDomainRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageLinkDomains)?;
    let host = Host::parse(host).ok_or(Error::Rejected(CreateDomainRejection::InvalidHost))?;
    if ctx.settings.own_hosts().iter().any(|own| own == host.as_str()) {
        return Err(Error::Rejected(CreateDomainRejection::HostReserved));
    }
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        host: host.as_str().to_owned(),
        status: LinkDomainStatus::Pending,
        created_at_ms: ctx.clock.now(),
        verified_at_ms: None,
        last_checked_at_ms: None,
    };
    let created = ctx
        .db
        .write(|tx| async move {
            // One at a time, so that two at once do not both find the last place.
            let account = entity::account::Entity::find_by_id(account_id);
            account.lock_exclusive().one(&*tx).await?;
            let of_account = Entity::find().filter(Column::AccountId.eq(account_id));
            if of_account.count(&*tx).await? >= DOMAINS_MAX {
                return Err(Error::Rejected(CreateDomainRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    match created {
        Ok(()) => Ok(row.clone()),
        Err(error) if violates(&error, &["link_domain_host_unique", "link_domain.account_id"]) => {
            Err(Error::Rejected(CreateDomainRejection::HostTaken))
        }
        Err(error) => Err(error),
    }
}

fn violates<R: Send>(error: &Error<R>, names: &[&str]) -> bool {
    let constraint = error.store_error().and_then(violated_constraint);
    constraint.is_some_and(|constraint| names.iter().any(|name| constraint.contains(name)))
}

/// Looks for the record of a domain in the DNS, and makes the domain VERIFIED if it is there: from
/// another account's, whose record is gone, it is taken. A domain that was verified before stays so
/// whatever is found. Idempotent but for the time of the look.
///
/// # Errors
/// [`VerifyDomainRejection`], or a failure.
pub async fn verify(ctx: &Ctx, id: LinkDomainId) -> Result<Model, Error<VerifyDomainRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageLinkDomains)?;
    let now = ctx.clock.now();
    let domain =
        ctx.db.write(|tx| async move { begin_look(&tx, account_id, id, now).await }).await?;
    let record = verification_record(&ctx.master_key, account_id, &domain.host);
    let texts = match proof::texts(ctx.settings.links.resolver(), &record.name).await {
        Ok(texts) => texts,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(link_domain.id = %id, error, "a domain cannot be looked up");
            return Err(Error::Rejected(VerifyDomainRejection::DnsUnavailable));
        }
    };
    if !texts.iter().any(|text| text == record.value.as_bytes()) {
        return Err(Error::Rejected(VerifyDomainRejection::RecordNotFound));
    }
    // Whoever else has the host is another account's row.
    let everywhere = ctx.acting_as(Actor::System);
    let (texts, domain) = (&texts, &domain);
    let settled =
        everywhere.db.write(|tx| async move { settle(ctx, &tx, domain, texts).await }).await;
    match settled {
        // Both were proved at once.
        Err(error) if violates(&error, &["link_domain_verified", "link_domain.host"]) => {
            Err(Error::Rejected(VerifyDomainRejection::HostTaken))
        }
        settled => settled,
    }
}

/// Notes that the record is looked for.
async fn begin_look(
    tx: &Tx,
    account_id: AccountId,
    id: LinkDomainId,
    now: UnixMillis,
) -> Result<Model, Error<VerifyDomainRejection>> {
    let domain = Entity::find_by_id((account_id, id)).lock_exclusive().one(&**tx).await?;
    let domain = domain.ok_or(Error::Rejected(VerifyDomainRejection::NotFound))?;
    let is_soon = |last: UnixMillis| (0..CHECK_INTERVAL_MS).contains(&now.since(last));
    if domain.last_checked_at_ms.is_some_and(is_soon) {
        return Err(Error::Rejected(VerifyDomainRejection::CheckedJustNow));
    }
    let mut domain = domain.into_active_model();
    domain.last_checked_at_ms = Set(Some(now));
    Ok(domain.update(&**tx).await?)
}

/// Makes a domain VERIFIED whose record is among `texts`.
async fn settle(
    ctx: &Ctx,
    tx: &Tx,
    domain: &Model,
    texts: &[Vec<u8>],
) -> Result<Model, Error<VerifyDomainRejection>> {
    let key = (domain.account_id, domain.id);
    let holder = Entity::find()
        .filter(Column::Host.eq(&domain.host))
        .filter(Column::Status.eq(LinkDomainStatus::Verified))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    if let Some(holder) = holder.filter(|holder| (holder.account_id, holder.id) != key) {
        let record = verification_record(&ctx.master_key, holder.account_id, &holder.host);
        if texts.iter().any(|text| text == record.value.as_bytes()) {
            return Err(Error::Rejected(VerifyDomainRejection::HostTaken));
        }
        tracing::warn!(
            account.id = %holder.account_id, link_domain.id = %holder.id,
            "a domain was taken over by another account, which proved that it is its own"
        );
        let mut holder = holder.into_active_model();
        holder.status = Set(LinkDomainStatus::Pending);
        holder.verified_at_ms = Set(None);
        holder.update(&**tx).await?;
    }
    // Deleted meanwhile, or verified by another look.
    let now = Entity::find_by_id(key).lock_exclusive().one(&**tx).await?;
    let now = now.ok_or(Error::Rejected(VerifyDomainRejection::NotFound))?;
    if now.status == LinkDomainStatus::Verified {
        return Ok(now);
    }
    let mut row = now.into_active_model();
    row.status = Set(LinkDomainStatus::Verified);
    row.verified_at_ms = Set(Some(ctx.clock.now()));
    Ok(row.update(&**tx).await?)
}

/// Deletes a domain that no campaign needs any more. Links that were sent with it lead nowhere.
/// Deleting again answers [`DeleteDomainRejection::NotFound`].
///
/// # Errors
/// [`DeleteDomainRejection`], or a failure.
pub async fn delete(ctx: &Ctx, id: LinkDomainId) -> Result<(), Error<DeleteDomainRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageLinkDomains)?;
    ctx.db
        .write(|tx| async move {
            // Whoever names it in a campaign holds its row shared until that is committed.
            let domain = Entity::find_by_id((account_id, id)).lock_exclusive().one(&*tx).await?;
            let domain = domain.ok_or(Error::Rejected(DeleteDomainRejection::NotFound))?;
            if is_in_use(&tx, &domain).await? {
                return Err(Error::Rejected(DeleteDomainRejection::InUse));
            }
            domain.delete(&*tx).await?;
            Ok(())
        })
        .await
}

async fn is_in_use(tx: &Tx, domain: &Model) -> Result<bool, DbErr> {
    use CampaignStatus::{Draft, Paused, Running, Scheduled};
    let using = campaign::Entity::find()
        .filter(campaign::Column::AccountId.eq(domain.account_id))
        .filter(campaign::Column::LinkDomainId.eq(domain.id))
        .filter(campaign::Column::Status.is_in([Draft, Scheduled, Running, Paused]))
        .limit(1)
        .one(&**tx)
        .await?;
    Ok(using.is_some())
}
