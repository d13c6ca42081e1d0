//! `messageEvents`: an account's event log as a stream.

use std::collections::HashSet;

use async_graphql::{Context, ID, InputObject, Subscription};
use entity::enums::{EventKind, MessageStatus as StoredStatus};
use entity::event::Model;
use entity::ids::{CampaignId, MessageId};
use futures::Stream;
use futures::stream::unfold;
use uuid::Uuid;

use super::enums::{MessageStatus, stored_statuses};
use super::events::{Event, seq_of_cursor};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::{self, Hub, POLL_INTERVAL, SubscriptionError};
use crate::graphql::call;
use crate::graphql::errors::{Answer, Fault};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::Cursor;
use crate::messages::live;

/// Messages that one stream may name: a batch of `sendMessages`.
const MESSAGE_IDS_MAX: usize = 1_000;

/// Which events are wanted. Conditions are joined by AND; an absent or null one does not matter.
/// Any condition leaves messages from phones out.
#[derive(InputObject, Debug, Default)]
pub struct MessageEventFilter {
    /// Only those about these messages; at most 1,000. Ids of messages that the account does not
    /// have match nothing.
    pub message_ids: Option<Vec<ID>>,
    /// Only those of messages of this campaign, `camp_…`. A campaign that the account does not have
    /// matches nothing. `campaignProgress` tells how it goes in sums.
    pub campaign_id: Option<ID>,
    /// Only those in which a message takes one of these statuses.
    pub statuses: Option<Vec<MessageStatus>>,
}

/// A filter, ready to be asked: the campaign is the source's.
#[derive(Debug, Default)]
struct Wanted {
    /// Of whatever campaign or of none: messages that were sent, not those from phones.
    only_sent: bool,
    subjects: Option<HashSet<Uuid>>,
    /// Stored numbers.
    statuses: Option<HashSet<i16>>,
}

impl Wanted {
    fn new(filter: MessageEventFilter) -> Answer<Self> {
        let subjects = match filter.message_ids {
            None => None,
            Some(ids) if ids.len() > MESSAGE_IDS_MAX => {
                let text =
                    format!("filter.messageIds: at most {MESSAGE_IDS_MAX}, not {}", ids.len());
                return Err(Failed::BadRequest(text).into());
            }
            Some(ids) => {
                let ids = ids.iter().map(|id| parse_id::<MessageId>(id).map(|id| id.0));
                Some(ids.collect::<Answer<_>>()?)
            }
        };
        let statuses = filter
            .statuses
            .map(|shown| stored_statuses(&shown).into_iter().map(StoredStatus::code).collect());
        Ok(Self { only_sent: filter.campaign_id.is_some(), subjects, statuses })
    }

    fn takes(&self, event: &Model) -> bool {
        match event.kind {
            EventKind::MessageStatusChanged => {
                let subject =
                    self.subjects.as_ref().is_none_or(|all| all.contains(&event.subject_id));
                subject && self.statuses.as_ref().is_none_or(|all| all.contains(&event.status))
            }
            EventKind::MessageReceived => {
                !self.only_sent && self.subjects.is_none() && self.statuses.is_none()
            }
            // Of other domains: told by their own streams.
            _ => false,
        }
    }
}

/// Streams.
#[derive(Default)]
pub struct MessagesSubscription;

#[Subscription]
impl MessagesSubscription {
    /// What happens to the messages of the caller's account, and messages from phones, as it
    /// happens. Every event is told at least once, in the order of the account's log, without gaps,
    /// and the stream can be resumed: give the `cursor` of the last event you handled as `after`
    /// (over server-sent events `Last-Event-ID` does it). Without `after` it begins now. Events are
    /// kept for 30 days; a cursor older than that ends the stream with `EVENT_CURSOR_EXPIRED`. For
    /// everybody in the account and for keys with the scope `messages:read`.
    async fn message_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<MessageEventFilter>,
        #[graphql(desc = "The cursor of the last event that you handled; absent or null: now.")]
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Answer<Event>>, Fault> {
        let ctx = call(context)?.clone();
        let hub = context
            .data_opt::<Hub>()
            .ok_or_else(|| Failed::internal("the schema was built without its services"))?;
        let filter = filter.unwrap_or_default();
        let campaign_id = filter.campaign_id.as_ref().map(parse_id).transpose()?;
        let wanted = Wanted::new(filter)?;
        let after = after.as_ref().map(seq_of_cursor).transpose()?;
        // Boxed: what the first reads need is given back, not kept as long as the stream.
        let source = match Box::pin(Source::new(&ctx, hub, campaign_id, after)).await {
            Ok(source) => source,
            Err(Error::Rejected(rejection)) => return Err(refused(rejection)),
            Err(Error::Failed(failed)) => return Err(failed.into()),
        };
        // Boxed: the future that waits for the next event would else hold room for it twice.
        let feed = Box::new(Feed { ctx, source, wanted });
        Ok(unfold(Some(feed), |feed| async {
            let mut feed = feed?;
            match feed.next().await {
                Ok(event) => Some((Ok(event), Some(feed))),
                // The error is the stream's last word.
                Err(fault) => Some((Err(fault), None)),
            }
        }))
    }
}

/// Where a stream's events come from.
enum Source {
    Account(events::Subscription),
    /// Boxed: the others are not to hold room for it.
    Campaign(Box<live::CampaignEvents>),
}

impl Source {
    async fn new(
        ctx: &Ctx,
        hub: &Hub,
        campaign_id: Option<CampaignId>,
        after: Option<i64>,
    ) -> Result<Self, Error<SubscriptionError>> {
        Ok(match campaign_id {
            None => Self::Account(live::follow(ctx, hub, after).await?),
            Some(id) => {
                let events = live::follow_campaign(ctx, hub, id, after).await?;
                Self::Campaign(Box::new(events))
            }
        })
    }

    /// The next event that is `wanted`.
    async fn next(&mut self, wanted: &Wanted) -> Result<Event, SubscriptionError> {
        loop {
            let event = match self {
                Self::Account(log) => log.next().await?,
                // Boxed: the others are not to hold room for its query.
                Self::Campaign(log) => Box::pin(log.next(|event| wanted.takes(event))).await?,
            };
            if let Some(event) = Some(event).filter(|event| wanted.takes(event)).and_then(Event::of)
            {
                return Ok(event);
            }
        }
    }
}

struct Feed {
    ctx: Ctx,
    source: Source,
    wanted: Wanted,
}

impl Feed {
    /// The next event that is wanted. A store that does not answer is asked again: nothing is lost
    /// meanwhile but time.
    async fn next(&mut self) -> Answer<Event> {
        loop {
            match self.source.next(&self.wanted).await {
                Ok(event) => return Ok(event),
                Err(SubscriptionError::Store(error)) => {
                    tracing::warn!(
                        request.id = %self.ctx.request_id, %error,
                        "a stream cannot read the event log; trying again"
                    );
                    // Boxed, for it is seldom.
                    Box::pin(self.ctx.clock.sleep(POLL_INTERVAL)).await;
                }
                Err(rejection) => return Err(refused(rejection)),
            }
        }
    }
}

/// What is wrong with a stream's cursor, or with the store.
pub(crate) fn refused(rejection: SubscriptionError) -> Fault {
    match rejection {
        SubscriptionError::CursorExpired => Fault::EventCursorExpired,
        SubscriptionError::CursorUnknown => {
            Failed::BadRequest(format!("after: {rejection}")).into()
        }
        SubscriptionError::Store(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use entity::ids::AccountId;
    use entity::time::UnixMillis;

    use super::*;

    fn event(kind: EventKind, subject: u128, status: StoredStatus) -> Model {
        Model {
            account_id: AccountId(Uuid::from_u128(1)),
            seq: 1,
            kind,
            subject_id: Uuid::from_u128(subject),
            status: status.code(),
            version: 1,
            error_code: None,
            occurred_at_ms: UnixMillis(0),
        }
    }

    #[test]
    fn conditions_are_joined_and_expired_means_both_kinds() {
        let id = |n| ID(MessageId(Uuid::from_u128(n)).to_string());
        let wanted = Wanted::new(MessageEventFilter {
            message_ids: Some(vec![id(1), id(2)]),
            campaign_id: None,
            statuses: Some(vec![MessageStatus::Expired]),
        })
        .unwrap();
        for (kind, subject, status, taken) in [
            (EventKind::MessageStatusChanged, 1, StoredStatus::Expired, true),
            (EventKind::MessageStatusChanged, 2, StoredStatus::ExpiredHere, true),
            (EventKind::MessageStatusChanged, 1, StoredStatus::Delivered, false),
            (EventKind::MessageStatusChanged, 3, StoredStatus::Expired, false),
            (EventKind::MessageReceived, 1, StoredStatus::Scheduled, false),
        ] {
            assert_eq!(wanted.takes(&event(kind, subject, status)), taken, "{subject} {status:?}");
        }
        let all = Wanted::default();
        assert!(all.takes(&event(EventKind::MessageReceived, 1, StoredStatus::Scheduled)));
        assert!(all.takes(&event(EventKind::MessageStatusChanged, 1, StoredStatus::Sent)));
        assert!(!all.takes(&event(EventKind::InvoicePaid, 1, StoredStatus::Scheduled)));
        let campaign_id = Some(ID(CampaignId(Uuid::from_u128(1)).to_string()));
        let of_campaign =
            Wanted::new(MessageEventFilter { campaign_id, ..MessageEventFilter::default() })
                .unwrap();
        assert!(of_campaign.takes(&event(EventKind::MessageStatusChanged, 1, StoredStatus::Sent)));
        assert!(!of_campaign.takes(&event(EventKind::MessageReceived, 1, StoredStatus::Scheduled)));
    }

    #[test]
    fn a_filter_has_a_limit_and_wants_ids_of_messages() {
        let id = ID(MessageId(Uuid::from_u128(1)).to_string());
        let filter = |ids| MessageEventFilter { message_ids: Some(ids), ..Default::default() };
        assert!(Wanted::new(filter(vec![id.clone(); MESSAGE_IDS_MAX])).is_ok());
        assert!(Wanted::new(filter(vec![id; MESSAGE_IDS_MAX + 1])).is_err());
        let code = Wanted::new(filter(vec![ID("acct_x".to_owned())])).unwrap_err();
        assert_eq!(code.code(), "INVALID_ID");
    }
}
