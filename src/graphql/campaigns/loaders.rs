//! Batched reads behind the fields of campaigns.

use std::collections::HashMap;

use entity::ids::{CampaignId, SegmentId};
use entity::{campaign, campaign_total, segment};

use crate::ctx::Ctx;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::Key;
use crate::{campaigns, contacts};

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

impl Key for CampaignTotalRow {
    type Value = campaign_total::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = campaigns::totals(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.campaign_id), row)).collect())
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
