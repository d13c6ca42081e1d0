//! Campaigns in the contract. Behaviour: `crate::campaigns`.

mod audience;
mod engagement;
mod loaders;
mod mutations;
mod preview;
mod progress;
mod refusals;
mod totals;
mod variants;

use async_graphql::{Context, Enum, ID, Object};
use entity::campaign::Model;
use entity::enums;
use entity::ids::CampaignId;

pub use audience::{CampaignAudience, CampaignAudienceInput};
pub use engagement::CampaignEngagement;
pub use loaders::{
    CampaignLinkRows, CampaignRow, CampaignTotalRow, CampaignVariantRows, SegmentRow,
};
pub use mutations::CampaignsMutation;
pub use preview::{CampaignTestsMutation, PreviewCampaignError, SendCampaignTestError};
pub use progress::CampaignsSubscription;
pub use refusals::{
    CancelCampaignError, CreateCampaignError, PauseCampaignError, ResumeCampaignError,
    RetryFailedCampaignError, ScheduleCampaignError, StartCampaignError, UpdateCampaignError,
};
pub use totals::CampaignTotals;
pub use variants::CampaignVariant;

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::{parse_id, show_id};
use super::link_domains::LinkDomain;
use super::loaders::load;
use super::messages::Message;
use super::messages::enums::{MessageClass, MessageStatus, stored_statuses};
use super::scalars::{Cursor, DateTime};
use crate::campaigns;
use crate::contacts;
use crate::db::page::PageRequest;
use crate::types::cursor::CursorKind;

/// Where a campaign stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::CampaignStatus")]
pub enum CampaignStatus {
    /// It is being written.
    Draft,
    /// It starts by itself at its time.
    Scheduled,
    /// Its messages are being made and sent.
    Running,
    /// Nothing of it leaves; `reason` says why.
    Paused,
    /// Every message was made, and none waits to leave. Receipts may still come.
    Finished,
    /// Somebody ended it; what had not left is canceled.
    Canceled,
    /// It could not start at its time; `reason` says why.
    Failed,
}

/// Why a campaign is `PAUSED` or `FAILED`.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::CampaignReason")]
pub enum CampaignReason {
    /// Somebody paused it.
    Requested,
    /// The account's balance and credit do not cover the next message.
    InsufficientCredit,
    /// Too many of its messages failed.
    FailureRatio,
    /// The account is suspended.
    AccountSuspended,
    /// An invoice is overdue: the account may not send.
    PaymentOverdue,
    /// Its sender is not registered with the account, or not approved.
    SenderNotApproved,
    /// There was nobody in its audience.
    EmptyAudience,
    /// Everybody in its audience had objected or was suppressed.
    AllSuppressed,
    /// A list or segment of its audience was gone.
    AudienceGone,
    /// The domain of its links was not verified, or not any more.
    LinkDomainNotVerified,
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct Campaign(pub Model);

/// One text to an audience: exactly one message a contact. Read by everybody in the account and by
/// keys with the scope `campaigns:manage` or `messages:read`.
#[Object]
impl Campaign {
    /// The campaign's id, `camp_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name; need not be unique.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The sender as the phone shows it: a name, a number in E.164, or a short code.
    async fn sender(&self) -> &str {
        &self.0.sender
    }

    /// What its messages are for.
    async fn class(&self) -> MessageClass {
        self.0.class.into()
    }

    /// What it is about, as its recipients may object to; null if nothing was given.
    async fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// The text with its merge fields, `{{key|fallback}}`, links, `{{link https://…}}`, and
    /// `{{preferences}}` for the recipient's preference page; that of the first variant, if it has
    /// variants.
    async fn text(&self) -> &str {
        &self.0.template
    }

    /// The texts of which each recipient gets one, 2 to 5 and so at most 5, with what became of their
    /// messages; empty if there is one text. Null if they cannot be read.
    #[graphql(complexity = "1 + 5 * child_complexity")]
    async fn variants(&self, context: &Context<'_>) -> Answer<Option<Vec<CampaignVariant>>> {
        CampaignVariant::of_campaign(context, self.0.id).await.map(Some)
    }

    /// Whom it is for. Null if it cannot be read.
    async fn audience(&self) -> Answer<Option<CampaignAudience>> {
        Ok(Some(CampaignAudience(contacts::Audience::from_stored(&self.0.audience)?)))
    }

    /// Where it stands.
    async fn status(&self) -> CampaignStatus {
        self.0.status.into()
    }

    /// Why it is `PAUSED` or `FAILED`; null otherwise.
    async fn reason(&self) -> Option<CampaignReason> {
        self.0.reason.map(Into::into)
    }

    /// Whether it was made under a test key: its messages are played, never sent, and cost nothing.
    async fn is_test(&self) -> bool {
        self.0.is_test
    }

    /// When it starts or started by itself; null if nobody said so. With `sendAtLocal`, when the
    /// first clock on Earth shows that.
    async fn scheduled_at(&self) -> Option<DateTime> {
        self.0.scheduled_at_ms.map(Into::into)
    }

    /// The time by each recipient's own clock at which its message is due, without an offset; null if
    /// they are due at once.
    async fn send_at_local(&self) -> Option<&str> {
        self.0.send_at_local.as_deref()
    }

    /// The campaign whose failed messages it tries again; null if it is no retry.
    async fn parent(&self, context: &Context<'_>) -> Answer<Option<Campaign>> {
        match self.0.parent_id {
            Some(id) => Self::load(context, id).await,
            None => Ok(None),
        }
    }

    /// The campaigns that tried its failed messages again, the newest first, at most 50. Null if they
    /// cannot be read.
    #[graphql(complexity = "10 + 5 * child_complexity")]
    async fn retries(&self, context: &Context<'_>) -> Answer<Option<Vec<Campaign>>> {
        let found = campaigns::retries(call(context)?, self.0.id).await?;
        Ok(Some(found.into_iter().map(Campaign).collect()))
    }

    /// How many messages are made a second at most; null: as fast as they can be.
    async fn rate_per_s(&self) -> Option<i32> {
        self.0.rate_per_s
    }

    /// The account's own domain that its short links begin with; null if that is the service's, or
    /// the domain was deleted after the campaign was over.
    async fn link_domain(&self, context: &Context<'_>) -> Answer<Option<LinkDomain>> {
        match self.0.link_domain_id {
            Some(id) => LinkDomain::load(context, id).await,
            None => Ok(None),
        }
    }

    /// How many messages stand where, and what they cost; counted a second late at most. Null if it
    /// cannot be read.
    async fn totals(&self, context: &Context<'_>) -> Answer<Option<CampaignTotals>> {
        CampaignTotals::load(context, &self.0).await.map(Some)
    }

    /// What people did about its messages. Null if it cannot be read.
    async fn engagement(&self, context: &Context<'_>) -> Answer<Option<CampaignEngagement>> {
        let totals = CampaignTotals::load(context, &self.0).await?;
        Ok(Some(totals.engagement()))
    }

    /// Its messages, by contact, the newest contact first. For whoever may read messages; null for
    /// others.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Only those in one of these statuses; looking for few among many costs more."
        )]
        statuses: Option<Vec<MessageStatus>>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Option<Connection<Message>>> {
        let ctx = call(context)?;
        let kind = CursorKind::CampaignMessages;
        let request: PageRequest<entity::ids::ContactId> =
            PageArguments { first, after, last, before }.request(kind)?;
        let statuses = statuses.map(|statuses| stored_statuses(&statuses));
        let statuses = statuses.as_deref();
        let page = campaigns::messages_page(ctx, self.0.id, statuses, &request).await?;
        let total = if wants_total_count(context) {
            campaigns::messages_count(ctx, self.0.id, statuses).await?
        } else {
            None
        };
        let nil = || entity::ids::ContactId(uuid::Uuid::nil());
        let page = page.map(|row| (row.contact_id.unwrap_or_else(nil), Message::of_row(row)));
        Ok(Some(Connection::new(kind, page, total)))
    }

    /// Grows by one with every change of what it says and of its status: drop what is older than
    /// what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When what it says, or its status, last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }

    /// When it started; null if it has not.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at_ms.map(Into::into)
    }

    /// When it was `FINISHED`, `CANCELED` or `FAILED`; null until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at_ms.map(Into::into)
    }
}

impl Campaign {
    /// One of the caller's account, read together with others.
    ///
    /// # Errors
    /// The read's own.
    pub async fn load(context: &Context<'_>, id: CampaignId) -> Answer<Option<Self>> {
        Ok(load(context, CampaignRow(id)).await?.map(Self))
    }
}

/// Reads.
#[derive(Default)]
pub struct CampaignsQuery;

#[Object]
impl CampaignsQuery {
    /// A campaign of the caller's account, or null if there is none with this id. For everybody in
    /// the account, and for keys with the scope `campaigns:manage` or `messages:read`.
    async fn campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign's id, `camp_…`.")] id: ID,
    ) -> Answer<Option<Campaign>> {
        Campaign::load(context, parse_id(&id)?).await
    }

    /// The campaigns of the caller's account, newest first. For everybody in the account, and for
    /// keys with the scope `campaigns:manage` or `messages:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn campaigns(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those in one of these statuses; absent or null: all.")]
        statuses: Option<Vec<CampaignStatus>>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Campaign>> {
        let ctx = call(context)?;
        let kind = CursorKind::Campaigns;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let statuses: Option<Vec<enums::CampaignStatus>> =
            statuses.map(|statuses| statuses.into_iter().map(Into::into).collect());
        let statuses = statuses.as_deref();
        let page = campaigns::campaigns_page(ctx, statuses, &request).await?;
        let total = if wants_total_count(context) {
            Some(campaigns::campaigns_count(ctx, statuses).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, Campaign(row))), total))
    }
}
