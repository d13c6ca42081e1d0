//! How many of a campaign's messages stand where.

use async_graphql::{Context, Object};
use entity::{campaign, campaign_total};

use super::engagement::CampaignEngagement;
use super::loaders::{CampaignTotalRow, ReadTotals};
use crate::error::Failed;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::load;
use crate::graphql::money::Money;
use crate::types::money::{Currency, Micros};

/// A campaign's counters, and what was folded of its messages.
pub struct CampaignTotals {
    campaign: campaign::Model,
    total: campaign_total::Model,
    currency: Currency,
}

impl CampaignTotals {
    /// The totals of a campaign that the caller found, read together with those of others.
    ///
    /// # Errors
    /// The read's own.
    pub async fn load(context: &Context<'_>, campaign: &campaign::Model) -> Answer<Self> {
        let read = load(context, CampaignTotalRow(campaign.id)).await?;
        let ReadTotals { total, currency } =
            read.ok_or_else(|| Failed::internal("totals were asked for and not read"))?;
        Ok(Self::new(campaign.clone(), total, currency))
    }

    /// The totals of a campaign that was read with them.
    ///
    /// # Errors
    /// The read's own.
    pub async fn of(
        context: &Context<'_>,
        campaign: &campaign::Model,
        total: Option<campaign_total::Model>,
    ) -> Answer<Self> {
        let ctx = crate::graphql::call(context)?;
        let currency = crate::billing::terms(ctx, campaign.account_id).await?.currency;
        Ok(Self::new(campaign.clone(), total, currency))
    }

    /// What people did.
    pub(super) fn engagement(self) -> CampaignEngagement {
        CampaignEngagement(self.total)
    }

    /// The totals in a currency.
    fn new(
        campaign: campaign::Model,
        total: Option<campaign_total::Model>,
        currency: Currency,
    ) -> Self {
        let none = campaign_total::Model {
            account_id: campaign.account_id,
            campaign_id: campaign.id,
            scheduled: 0,
            held: 0,
            queued: 0,
            sent: 0,
            enroute: 0,
            delivered: 0,
            undelivered: 0,
            expired: 0,
            rejected: 0,
            failed: 0,
            canceled: 0,
            unknown: 0,
            parts: 0,
            cost_micros: 0,
            opt_outs: 0,
            replies: 0,
            clicks: 0,
            unique_clicks: 0,
        };
        Self { campaign, total: total.unwrap_or(none), currency }
    }
}

/// A count as the contract has it.
///
/// # Errors
/// It is beyond 32 bits.
pub(super) fn shown(count: i64) -> Answer<i32> {
    i32::try_from(count).map_err(|_| Failed::internal("a count beyond 32 bits").into())
}

/// How many of a campaign's recipients and messages stand where. What became of messages is counted
/// a second late at most; each message counts once.
#[Object]
impl CampaignTotals {
    /// Contacts in the audience, as it was frozen when the campaign started; 0 before, and grows
    /// while it is being frozen.
    async fn recipients(&self) -> Answer<i32> {
        shown(self.campaign.recipients)
    }

    /// Messages that were made.
    async fn accepted(&self) -> Answer<i32> {
        shown(self.campaign.accepted)
    }

    /// Recipients without a message, since they objected or are suppressed.
    async fn suppressed(&self) -> Answer<i32> {
        shown(self.campaign.suppressed)
    }

    /// Recipients without a message for other reasons: no route or price, a text that is too long,
    /// or the contact was deleted.
    async fn refused(&self) -> Answer<i32> {
        shown(self.campaign.refused)
    }

    /// Of those in `queued`, messages that wait for their time: that of their recipients' clocks, or
    /// the end of quiet hours.
    async fn scheduled(&self) -> Answer<i32> {
        shown(self.total.scheduled)
    }

    /// Messages that wait for their time or for a carrier, or are being handed over.
    async fn queued(&self) -> Answer<i32> {
        shown(self.total.queued + self.total.scheduled)
    }

    /// Messages that are held back while the campaign is paused.
    async fn held(&self) -> Answer<i32> {
        shown(self.total.held)
    }

    /// Messages that a carrier took and has not reported on finally.
    async fn sent(&self) -> Answer<i32> {
        shown(self.total.sent + self.total.enroute)
    }

    /// Messages that are on the phone.
    async fn delivered(&self) -> Answer<i32> {
        shown(self.total.delivered)
    }

    /// Messages that did not arrive.
    async fn undelivered(&self) -> Answer<i32> {
        shown(self.total.undelivered)
    }

    /// Messages whose validity ended before they arrived.
    async fn expired(&self) -> Answer<i32> {
        shown(self.total.expired)
    }

    /// Messages that the network rejected.
    async fn rejected(&self) -> Answer<i32> {
        shown(self.total.rejected)
    }

    /// Messages that no carrier took.
    async fn failed(&self) -> Answer<i32> {
        shown(self.total.failed)
    }

    /// Messages that were canceled before they left, also since their recipients objected.
    async fn canceled(&self) -> Answer<i32> {
        shown(self.total.canceled)
    }

    /// Messages whose fate nobody knows.
    async fn unknown(&self) -> Answer<i32> {
        shown(self.total.unknown)
    }

    /// Parts that were charged.
    async fn parts(&self) -> Answer<i32> {
        shown(self.total.parts)
    }

    /// What was charged so far of the account's money; not what packages paid.
    async fn cost(&self) -> Money {
        Money::new(Micros(self.total.cost_micros), self.currency)
    }

    /// What all messages that were made cost in money if all of them are taken, as priced then, also
    /// those that packages pay for. Where none pays it is what was held.
    async fn price(&self) -> Money {
        Money::new(Micros(self.campaign.price_micros), self.currency)
    }
}
