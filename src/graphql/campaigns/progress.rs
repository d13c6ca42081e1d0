//! `campaignProgress`: how a campaign goes, as a stream.

use async_graphql::{Context, ID, Object, Subscription};
use futures::Stream;
use futures::stream::unfold;

use super::{Campaign, CampaignEngagement, CampaignTotals};
use crate::campaigns;
use crate::error::{Error, Failed};
use crate::events::Hub;
use crate::graphql::call;
use crate::graphql::errors::{Answer, Fault};
use crate::graphql::ids::parse_id;
use crate::graphql::messages::events::seq_of_cursor;
use crate::graphql::messages::refused;
use crate::graphql::scalars::{Cursor, DateTime};
use crate::types::cursor::{Cursor as CursorText, CursorKind};

/// How a campaign goes.
pub struct CampaignProgress(campaigns::Progress);

/// How a campaign goes at the moment.
#[Object]
impl CampaignProgress {
    /// The place in the event log up to which the totals count: give it as `after` to hear no more
    /// of what you have.
    async fn cursor(&self) -> Cursor {
        Cursor(CursorText::encode(CursorKind::Events, &self.0.seq.to_be_bytes()))
    }

    /// When this was so.
    async fn occurred_at(&self) -> DateTime {
        self.0.at.into()
    }

    /// The campaign, as it stands.
    async fn campaign(&self) -> Campaign {
        Campaign(self.0.campaign.clone())
    }

    /// How many messages stand where, and what they cost. Null if it cannot be read.
    async fn totals(&self, context: &Context<'_>) -> Answer<Option<CampaignTotals>> {
        CampaignTotals::of(context, &self.0.campaign, self.0.total.clone()).await.map(Some)
    }

    /// What people did about its messages. Null if it cannot be read.
    async fn engagement(&self, context: &Context<'_>) -> Answer<Option<CampaignEngagement>> {
        let (campaign, total) = (&self.0.campaign, self.0.total.clone());
        Ok(Some(CampaignTotals::of(context, campaign, total).await?.engagement()))
    }

    /// How many messages leave a second, over the last half minute of the stream; null until that
    /// is known, and when the campaign is over.
    async fn rate_per_s(&self) -> Option<f64> {
        self.0.rate_per_s
    }

    /// When the last message will have left if it goes on so; null unless it runs and something
    /// leaves.
    async fn estimated_end_at(&self) -> Option<DateTime> {
        self.0.ends_at.map(Into::into)
    }
}

/// What a stream tells next.
enum Next {
    /// How the campaign goes.
    Of(Box<campaigns::Progresses>),
    /// That there is no such campaign.
    Nothing,
    /// Nothing more.
    Over,
}

/// Streams.
#[derive(Default)]
pub struct CampaignsSubscription;

#[Subscription]
impl CampaignsSubscription {
    /// How a campaign goes: at once, and then each time that it changed, at most once a second. Each
    /// tells the present state whole. With `after`, the `cursor` of the last one that you have, the
    /// first is told as soon as there is something new. Null, and then nothing more, if the account
    /// has no such campaign. For everybody in the account, and for keys with the scope
    /// `campaigns:manage` or `messages:read`.
    async fn campaign_progress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign, `camp_…`.")] campaign_id: ID,
        #[graphql(desc = "The cursor of the last state that you have; absent or null: none.")]
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Answer<Option<CampaignProgress>>>, Fault> {
        let ctx = call(context)?;
        let hub = context
            .data_opt::<Hub>()
            .ok_or_else(|| Failed::internal("the schema was built without its services"))?;
        let id = parse_id(&campaign_id)?;
        let after = after.as_ref().map(seq_of_cursor).transpose()?;
        // Boxed: what the first reads need is given back, not kept as long as the stream.
        let stream = match Box::pin(campaigns::follow(ctx, hub, id, after)).await {
            Ok(stream) => stream.map(Box::new),
            Err(Error::Rejected(rejection)) => return Err(refused(rejection)),
            Err(Error::Failed(failed)) => return Err(failed.into()),
        };
        // Boxed: the future that waits for the next state would else hold room for it twice.
        let next = match stream {
            Some(stream) => Next::Of(stream),
            None => Next::Nothing,
        };
        Ok(unfold(next, |next| async {
            match next {
                Next::Of(mut stream) => match stream.next().await {
                    Ok(Some(progress)) => {
                        Some((Ok(Some(CampaignProgress(progress))), Next::Of(stream)))
                    }
                    Ok(None) => None,
                    // The error is the stream's last word.
                    Err(failed) => Some((Err(failed.into()), Next::Over)),
                },
                Next::Nothing => Some((Ok(None), Next::Over)),
                Next::Over => None,
            }
        }))
    }
}
