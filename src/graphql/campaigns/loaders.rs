//! Batched reads behind the fields of campaigns.

use std::collections::HashMap;

use entity::ids::{CampaignId, SegmentId};
use entity::{campaign, campaign_total, campaign_variant, segment, short_link};

use crate::ctx::Ctx;
use crate::error::Failed;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::Key;
use crate::types::money::Currency;
use crate::{billing, campaigns, contacts};

/// A campaign's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CampaignRow(pub CampaignId);

impl Key for CampaignRow {
    type Value = campaign::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = campaigns::by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// What became of a campaign's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CampaignTotalRow(pub CampaignId);

/// What a [`CampaignTotalRow`] reads.
#[derive(Clone, Debug)]
pub struct ReadTotals {
    /// The counts; none before the first message.
    pub total: Option<campaign_total::Model>,
    /// What the account is charged in.
    pub currency: Currency,
}

impl Key for CampaignTotalRow {
    type Value = ReadTotals;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = campaigns::totals(&ctx, &ids).await?;
        let account_id = ctx.actor.account_id().ok_or(Failed::Unauthenticated)?;
        let currency = billing::terms(&ctx, account_id).await?.currency;
        let mut totals: HashMap<_, _> =
            found.into_iter().map(|row| (row.campaign_id, row)).collect();
        let read = |key: Self| (key, ReadTotals { total: totals.remove(&key.0), currency });
        Ok(keys.into_iter().map(read).collect())
    }
}

/// The variants of a campaign's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CampaignVariantRows(pub CampaignId);

/// What a [`CampaignVariantRows`] reads.
#[derive(Clone, Debug)]
pub struct ReadVariants {
    /// The variants in their order.
    pub rows: Vec<campaign_variant::Model>,
    /// What the account is charged in.
    pub currency: Currency,
}

impl Key for CampaignVariantRows {
    type Value = ReadVariants;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = campaigns::variants(&ctx, &ids).await?;
        let account_id = ctx.actor.account_id().ok_or(Failed::Unauthenticated)?;
        let currency = billing::terms(&ctx, account_id).await?.currency;
        let mut read: HashMap<Self, Self::Value> = HashMap::new();
        for row in found {
            let none = || ReadVariants { rows: Vec::new(), currency };
            read.entry(Self(row.campaign_id)).or_insert_with(none).rows.push(row);
        }
        Ok(read)
    }
}

/// The addresses that a campaign's short links lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CampaignLinkRows(pub CampaignId);

impl Key for CampaignLinkRows {
    type Value = Vec<short_link::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut links: HashMap<Self, Self::Value> = HashMap::new();
        for link in campaigns::links(&ctx, &ids).await? {
            links.entry(Self(link.campaign_id)).or_default().push(link);
        }
        Ok(links)
    }
}

/// A segment's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentRow(pub SegmentId);

impl Key for SegmentRow {
    type Value = segment::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::segments_by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}
