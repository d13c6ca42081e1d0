//! Whom campaigns are for.

use async_graphql::{Context, ID, InputObject, Object};

use super::loaders::SegmentRow;
use crate::contacts::Audience;
use crate::graphql::contacts::{ContactList, ListRow, Segment};
use crate::graphql::errors::Answer;
use crate::graphql::ids::parse_id;
use crate::graphql::loaders::load;

/// Whom a campaign is for: who is on one of the lists or in one of the segments, and neither on one
/// of the excluded lists nor in one of the excluded segments. It is frozen when the campaign starts.
#[derive(InputObject, Debug)]
pub struct CampaignAudienceInput {
    /// Lists, `list_…`; with `segmentIds` at least 1 and at most 20.
    pub list_ids: Option<Vec<ID>>,
    /// Segments, `segm_…`; with `listIds` at least 1 and at most 20.
    pub segment_ids: Option<Vec<ID>>,
    /// Lists whose contacts are left out; with `excludeSegmentIds` at most 20.
    pub exclude_list_ids: Option<Vec<ID>>,
    /// Segments whose contacts are left out; with `excludeListIds` at most 20.
    pub exclude_segment_ids: Option<Vec<ID>>,
}

impl CampaignAudienceInput {
    /// The audience that is meant.
    ///
    /// # Errors
    /// `INVALID_ID`.
    pub fn parse(self) -> Answer<Audience> {
        let lists = |ids: Option<Vec<ID>>| {
            ids.unwrap_or_default().iter().map(parse_id).collect::<Answer<Vec<_>>>()
        };
        let segments = |ids: Option<Vec<ID>>| {
            ids.unwrap_or_default().iter().map(parse_id).collect::<Answer<Vec<_>>>()
        };
        Ok(Audience {
            lists: lists(self.list_ids)?,
            segments: segments(self.segment_ids)?,
            exclude_lists: lists(self.exclude_list_ids)?,
            exclude_segments: segments(self.exclude_segment_ids)?,
        })
    }
}

/// An audience.
pub struct CampaignAudience(pub Audience);

/// Whom a campaign is for: who is on one of the lists or in one of the segments, and neither on one
/// of the excluded lists nor in one of the excluded segments. Lists and segments that are gone are
/// missing.
#[Object]
impl CampaignAudience {
    /// On one of these; at most 20. For whoever may read contacts; null for others.
    async fn lists(&self, context: &Context<'_>) -> Answer<Option<Vec<ContactList>>> {
        lists(context, &self.0.lists).await
    }

    /// In one of these; at most 20. For whoever may read contacts; null for others.
    async fn segments(&self, context: &Context<'_>) -> Answer<Option<Vec<Segment>>> {
        segments(context, &self.0.segments).await
    }

    /// On none of these; at most 20. For whoever may read contacts; null for others.
    async fn exclude_lists(&self, context: &Context<'_>) -> Answer<Option<Vec<ContactList>>> {
        lists(context, &self.0.exclude_lists).await
    }

    /// In none of these; at most 20. For whoever may read contacts; null for others.
    async fn exclude_segments(&self, context: &Context<'_>) -> Answer<Option<Vec<Segment>>> {
        segments(context, &self.0.exclude_segments).await
    }
}

async fn lists(
    context: &Context<'_>,
    ids: &[entity::ids::ListId],
) -> Answer<Option<Vec<ContactList>>> {
    let found = futures::future::try_join_all(ids.iter().map(|id| load(context, ListRow(*id))));
    Ok(Some(found.await?.into_iter().flatten().map(ContactList).collect()))
}

async fn segments(
    context: &Context<'_>,
    ids: &[entity::ids::SegmentId],
) -> Answer<Option<Vec<Segment>>> {
    let found = futures::future::try_join_all(ids.iter().map(|id| load(context, SegmentRow(*id))));
    Ok(Some(found.await?.into_iter().flatten().map(Segment).collect()))
}
