//! What people did about a campaign.

use async_graphql::{Context, Object};
use entity::campaign_total::Model;
use entity::short_link;

use super::loaders::CampaignLinkRows;
use super::totals::shown;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::load;

/// What was folded of what people did.
pub struct CampaignEngagement(pub(super) Model);

/// What people did about a campaign's messages, counted a second late at most.
#[Object]
impl CampaignEngagement {
    /// People who objected to being written to within 7 days after one of its messages had left for
    /// them, where no later campaign wrote to them from the same sender.
    async fn opt_outs(&self) -> Answer<i32> {
        shown(self.0.opt_outs)
    }

    /// Messages from phones to the campaign's sender, likewise; objections by message are among them.
    async fn replies(&self) -> Answer<i32> {
        shown(self.0.replies)
    }

    /// Clicks of persons on the short links of its messages, of which a recipient may do many: at
    /// most 1,000 a link count. Clicks count for 400 days after the message was accepted, unless the
    /// installation says otherwise.
    async fn clicks(&self) -> Answer<i32> {
        shown(self.0.clicks)
    }

    /// Recipients who clicked on any link of their message, each once.
    async fn unique_clicks(&self) -> Answer<i32> {
        shown(self.0.unique_clicks)
    }

    /// Clicks that were no person's, as far as that can be told: previews of messengers, browsers
    /// that fetch ahead, and other programs. They are not in `clicks`. Null if it cannot be read.
    async fn bot_clicks(&self, context: &Context<'_>) -> Answer<Option<i32>> {
        let links = self.links(context).await?;
        shown(links.iter().map(|link| link.bot_clicks).sum()).map(Some)
    }

    /// The addresses that its short links lead to, in alphabetical order, at most 20, with variants
    /// at most 100; none before its first message. Counted at once, so ahead of `clicks` by a second
    /// at most. Null if it cannot be read.
    async fn by_link(&self, context: &Context<'_>) -> Answer<Option<Vec<CampaignLink>>> {
        Ok(Some(self.links(context).await?.into_iter().map(CampaignLink).collect()))
    }
}

impl CampaignEngagement {
    async fn links(&self, context: &Context<'_>) -> Answer<Vec<short_link::Model>> {
        Ok(load(context, CampaignLinkRows(self.0.campaign_id)).await?.unwrap_or_default())
    }
}

/// An address that short links lead to.
pub struct CampaignLink(short_link::Model);

/// An address that a campaign's short links lead to, one link for each recipient.
#[Object]
impl CampaignLink {
    /// The address.
    async fn url(&self) -> &str {
        &self.0.url
    }

    /// Clicks of persons.
    async fn clicks(&self) -> Answer<i32> {
        shown(self.0.clicks)
    }

    /// Recipients who clicked on this link, each once.
    async fn unique_clicks(&self) -> Answer<i32> {
        shown(self.0.unique_clicks)
    }

    /// Clicks that were no person's.
    async fn bot_clicks(&self) -> Answer<i32> {
        shown(self.0.bot_clicks)
    }
}
