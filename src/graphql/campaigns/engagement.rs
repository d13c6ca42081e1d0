//! What people did about a campaign.

use async_graphql::Object;
use entity::campaign_total::Model;

use super::totals::shown;
use crate::graphql::errors::Answer;

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
}
