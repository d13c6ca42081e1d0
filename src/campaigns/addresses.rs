//! The addresses of ours in a campaign's messages: short links, on the account's own domain if the
//! campaign names one, and the recipient's preference page.

use entity::account;
use entity::campaign::Model;
use entity::ids::{AccountId, LinkDomainId};
use sea_orm::{DbErr, EntityTrait};

use super::template::Template;
use crate::contacts::{AttributeValue, PREFERENCES_KEY, Person};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::links::{Shortener, domains};
use crate::messages::preferences;
use crate::types::phone::{PhoneNumber, Region};

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

/// What makes the short links of one of a campaign's texts; texts with the same address share its
/// row.
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

/// A number as people write it in E.164, or as it was written: what is none is refused when it is
/// sent to.
pub(super) async fn e164(
    ctx: &Ctx,
    account_id: AccountId,
    numbers: Vec<String>,
) -> Result<Vec<String>, DbErr> {
    let account = account::Entity::find_by_id(account_id).one(ctx.db.reader()).await?;
    let region = account.and_then(|account| account.default_region);
    let region = region.and_then(|region| region.parse::<Region>().ok());
    let e164 = |text: String| {
        let number = PhoneNumber::parse(&text, region).or_else(|_| PhoneNumber::parse_test(&text));
        number.map_or(text, |number| number.e164().to_owned())
    };
    Ok(numbers.into_iter().map(e164).collect())
}
