//! The addresses of ours in a campaign's messages: short links, on the account's own domain if the
//! campaign names one, and the recipient's preference page.

use entity::campaign::Model;
use entity::ids::{AccountId, LinkDomainId};
use sea_orm::DbErr;

use super::template::Template;
use crate::contacts::{AttributeValue, PREFERENCES_KEY, Person};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::links::{Shortener, domains};
use crate::messages::preferences;
use crate::types::phone::PhoneNumber;

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

/// What makes the short links of some of a campaign's texts, in their order; texts with the same
/// address share its row.
pub(super) async fn shorteners(
    ctx: &Ctx,
    campaign: &Model,
    templates: Vec<&Template>,
) -> Result<Result<Vec<Shortener>, NotVerified>, DbErr> {
    let base = match base(ctx, campaign).await? {
        Ok(base) => base,
        Err(NotVerified) => return Ok(Err(NotVerified)),
    };
    let mut shorteners = Vec::with_capacity(templates.len());
    for template in templates {
        let urls: Vec<&str> = template.links().collect();
        let made = Shortener::of_campaign(ctx, campaign.account_id, campaign.id, &urls).await?;
        shorteners.push(on(made, base.clone()));
    }
    Ok(Ok(shorteners))
}

/// What shows as long links as [`shorteners`] would make, and makes nothing.
pub(super) async fn unmade(
    ctx: &Ctx,
    campaign: &Model,
    templates: Vec<&Template>,
) -> Result<Result<Vec<Shortener>, NotVerified>, DbErr> {
    let base = base(ctx, campaign).await?;
    let unmade = |template: &Template| Shortener::unmade(ctx, template.links().count());
    Ok(base.map(|base| templates.into_iter().map(|it| on(unmade(it), base.clone())).collect()))
}

fn on(shortener: Shortener, base: Option<String>) -> Shortener {
    match base {
        Some(base) => shortener.with_base(base),
        None => shortener,
    }
}

/// What `{{preferences}}` stands for in a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    /// The page of the number that is written to.
    Own,
    /// An address as long as that, which leads nowhere.
    Unmade,
}

/// Gives a person what `{{preferences}}` stands for, if the template has it. A number that is none
/// gets nothing: its message is refused.
pub(super) fn add_preferences(
    ctx: &Ctx,
    (account_id, template): (AccountId, &Template),
    page: Page,
    person: &mut Person,
) {
    if !template.has_preferences() {
        return;
    }
    let url = match page {
        Page::Own => PhoneNumber::restore(&person.number)
            .ok()
            .map(|number| preferences::page_url(ctx, account_id, &number)),
        Page::Unmade => Some(preferences::unmade_page_url(ctx)),
    };
    if let Some(url) = url {
        person.values.insert(PREFERENCES_KEY.to_owned(), AttributeValue::Text(url));
    }
}
