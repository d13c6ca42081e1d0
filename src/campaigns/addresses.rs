//! The addresses of ours in a campaign's messages: short links, on the account's own domain if the
//! campaign names one.

use entity::campaign::Model;
use entity::ids::{AccountId, LinkDomainId};
use sea_orm::DbErr;

use super::template::Template;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::links::{Shortener, domains};

/// The domain of a campaign's links is not the account's, or not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotVerified;

/// What short links of a campaign begin with; none: what the installation's do.
pub(super) async fn base(
    ctx: &Ctx,
    campaign: &Model,
) -> Result<Result<Option<String>, NotVerified>, DbErr> {
    let Some(id) = campaign.link_domain_id else { return Ok(Ok(None)) };
    let base = domains::base(&ctx.db, campaign.account_id, id).await?;
    Ok(base.map(Some).ok_or(NotVerified))
}

/// Whether a campaign may name this domain. It is not deleted before the transaction ends.
pub(super) async fn may_use(
    tx: &Tx,
    account_id: AccountId,
    id: Option<LinkDomainId>,
) -> Result<bool, DbErr> {
    match id {
        Some(id) => domains::is_verified(tx, account_id, id).await,
        None => Ok(true),
    }
}

/// What makes the short links of a campaign.
pub(super) async fn shortener(
    ctx: &Ctx,
    campaign: &Model,
    template: &Template,
) -> Result<Result<Shortener, NotVerified>, DbErr> {
    let base = match base(ctx, campaign).await? {
        Ok(base) => base,
        Err(NotVerified) => return Ok(Err(NotVerified)),
    };
    let urls: Vec<&str> = template.links().collect();
    let made = Shortener::of_campaign(ctx, campaign.account_id, campaign.id, &urls).await?;
    Ok(Ok(on(made, base)))
}

/// What shows as long links as [`shortener`] would make, and makes nothing.
pub(super) async fn unmade(
    ctx: &Ctx,
    campaign: &Model,
    template: &Template,
) -> Result<Result<Shortener, NotVerified>, DbErr> {
    let base = base(ctx, campaign).await?;
    Ok(base.map(|base| on(Shortener::unmade(ctx, template.links().count()), base)))
}

fn on(shortener: Shortener, base: Option<String>) -> Shortener {
    match base {
        Some(base) => shortener.with_base(base),
        None => shortener,
    }
}
