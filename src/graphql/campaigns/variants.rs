//! Variants of campaigns, and what became of their messages.

use async_graphql::{Context, Object};
use entity::campaign_variant::Model;
use entity::ids::CampaignId;

use super::loaders::{CampaignVariantRows, ReadVariants};
use super::totals::shown;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::load;
use crate::graphql::money::Money;
use crate::types::money::{Currency, Micros};

/// A variant of a campaign's text.
pub struct CampaignVariant {
    row: Model,
    currency: Currency,
}

impl CampaignVariant {
    /// The variants of a campaign that the caller found, read together with those of others.
    ///
    /// # Errors
    /// The read's own.
    pub async fn of_campaign(context: &Context<'_>, id: CampaignId) -> Answer<Vec<Self>> {
        let read = load(context, CampaignVariantRows(id)).await?;
        let Some(ReadVariants { rows, currency }) = read else { return Ok(Vec::new()) };
        Ok(rows.into_iter().map(|row| Self { row, currency }).collect())
    }

    /// Which of its campaign's variants it is, from 1.
    pub const fn ordinal(&self) -> i16 {
        self.row.ordinal
    }
}

/// A text that some of a campaign's recipients get. Each recipient's is drawn by the weights, and
/// stays the same.
#[Object]
impl CampaignVariant {
    /// Its name, once in the campaign.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// The text with its merge fields, `{{key|fallback}}`, and links, `{{link https://…}}`.
    async fn text(&self) -> &str {
        &self.row.template
    }

    /// 1 to 100: its share of the recipients is its weight by the sum of all.
    async fn weight(&self) -> i32 {
        self.row.weight.into()
    }

    /// How many of its messages stand where, and what they cost.
    async fn totals(&self) -> CampaignVariantTotals {
        CampaignVariantTotals { row: self.row.clone(), currency: self.currency }
    }

    /// What people did about its messages.
    async fn engagement(&self) -> CampaignVariantEngagement {
        CampaignVariantEngagement(self.row.clone())
    }
}

/// What was folded of a variant's messages.
pub struct CampaignVariantTotals {
    row: Model,
    currency: Currency,
}

/// How many of a variant's messages stand where, counted a second late at most; each message counts
/// once. Over all variants these add up to the campaign's totals.
#[Object]
impl CampaignVariantTotals {
    /// Messages that were made.
    async fn accepted(&self) -> Answer<i32> {
        let Model {
            scheduled,
            held,
            queued,
            sent,
            enroute,
            delivered,
            undelivered,
            expired,
            rejected,
            failed,
            canceled,
            unknown,
            ..
        } = self.row;
        let waiting = scheduled + held + queued;
        let over = delivered + undelivered + expired + rejected + failed + canceled + unknown;
        shown(waiting + sent + enroute + over)
    }

    /// Of those in `queued`, messages that wait for their time: that of their recipients' clocks, or
    /// the end of quiet hours.
    async fn scheduled(&self) -> Answer<i32> {
        shown(self.row.scheduled)
    }

    /// Messages that wait for their time or for a carrier, or are being handed over.
    async fn queued(&self) -> Answer<i32> {
        shown(self.row.queued + self.row.scheduled)
    }

    /// Messages that are held back while the campaign is paused.
    async fn held(&self) -> Answer<i32> {
        shown(self.row.held)
    }

    /// Messages that a carrier took and has not reported on finally.
    async fn sent(&self) -> Answer<i32> {
        shown(self.row.sent + self.row.enroute)
    }

    /// Messages that are on the phone.
    async fn delivered(&self) -> Answer<i32> {
        shown(self.row.delivered)
    }

    /// Messages that did not arrive.
    async fn undelivered(&self) -> Answer<i32> {
        shown(self.row.undelivered)
    }

    /// Messages whose validity ended before they arrived.
    async fn expired(&self) -> Answer<i32> {
        shown(self.row.expired)
    }

    /// Messages that the network rejected.
    async fn rejected(&self) -> Answer<i32> {
        shown(self.row.rejected)
    }

    /// Messages that no carrier took.
    async fn failed(&self) -> Answer<i32> {
        shown(self.row.failed)
    }

    /// Messages that were canceled before they left, also since their recipients objected.
    async fn canceled(&self) -> Answer<i32> {
        shown(self.row.canceled)
    }

    /// Messages whose fate nobody knows.
    async fn unknown(&self) -> Answer<i32> {
        shown(self.row.unknown)
    }

    /// Parts that were charged.
    async fn parts(&self) -> Answer<i32> {
        shown(self.row.parts)
    }

    /// What was charged so far of the account's money; not what packages paid.
    async fn cost(&self) -> Money {
        Money::new(Micros(self.row.cost_micros), self.currency)
    }
}

/// What was folded of what people did about a variant.
pub struct CampaignVariantEngagement(Model);

/// What people did about a variant's messages, counted as that about the campaign's, and to which it
/// adds up over all variants.
#[Object]
impl CampaignVariantEngagement {
    /// People who objected to being written to after one of its messages.
    async fn opt_outs(&self) -> Answer<i32> {
        shown(self.0.opt_outs)
    }

    /// Messages from phones that answer one of its messages; objections by message are among them.
    async fn replies(&self) -> Answer<i32> {
        shown(self.0.replies)
    }

    /// Clicks of persons on the short links of its messages.
    async fn clicks(&self) -> Answer<i32> {
        shown(self.0.clicks)
    }

    /// Recipients who clicked on any link of their message, each once.
    async fn unique_clicks(&self) -> Answer<i32> {
        shown(self.0.unique_clicks)
    }
}
