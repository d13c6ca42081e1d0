//! Making and running campaigns.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::enums;

use super::refusals::{
    CancelCampaignError, CreateCampaignError, PauseCampaignError, ResumeCampaignError,
    RetryFailedCampaignError, ScheduleCampaignError, StartCampaignError, UpdateCampaignError,
};
use super::{Campaign, CampaignAudienceInput};
use crate::campaigns::{self, CampaignChange, NewCampaign, NewVariant, SendTime};
use crate::graphql::call;
use crate::graphql::errors::{Answer, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::messages::enums::MessageClass;
use crate::graphql::scalars::DateTime;
use crate::messages::retry::Retried;

/// What `createCampaign` takes.
#[derive(InputObject, Debug)]
pub struct CreateCampaignInput {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// The sender, as it was registered with the account. It must be approved when the campaign
    /// starts.
    pub sender: String,
    /// What its messages are for: `MARKETING` or `TRANSACTIONAL`. Default `MARKETING`.
    pub class: Option<MessageClass>,
    /// What it is about, so that its recipients may object to that alone: 1 to 50 lower-case
    /// letters, digits, hyphens and underscores.
    pub topic: Option<String>,
    /// The text, at most 3,000 characters. `{{key|fallback}}` stands for the contact's value of
    /// that attribute, or for the fallback, or for nothing. `{{link https://shop.example/sale}}`
    /// stands for a short link of the recipient's own that leads there; at most 20 of them.
    /// `{{preferences}}` stands for the address of the recipient's preference page. Each text as it
    /// comes out has at most 10 parts. Either this or `variants`.
    pub text: Option<String>,
    /// Texts of which each recipient gets one, to find out which does best: 2 to 5, in place of
    /// `text`. Who gets which is drawn for each contact by the weights, and stays so in a retry.
    pub variants: Option<Vec<CampaignVariantInput>>,
    /// Whom it is for.
    pub audience: CampaignAudienceInput,
    /// When it starts by itself, at most a year ahead; absent or null: it stays a draft until it is
    /// scheduled or started.
    pub send_at: Option<DateTime>,
    /// When its messages are due by each recipient's own clock, in place of `sendAt`: a date and time
    /// without an offset, as `2026-12-31T09:00`, which must be ahead somewhere on Earth. The campaign
    /// starts when the first clock on Earth shows it; a recipient whose zone shows it already is
    /// written to at once, and one who may be in several zones when the last of them shows it.
    pub send_at_local: Option<String>,
    /// How many messages are made a second at most, 1 to 100,000; absent or null: as fast as they
    /// can be.
    pub rate_per_s: Option<i32>,
    /// The account's own domain that its short links begin with, `ldom_…`; it must be verified, also
    /// when the campaign starts. Absent or null: the service's.
    pub link_domain_id: Option<ID>,
}

/// A text that some of a campaign's recipients get.
#[derive(InputObject, Debug)]
pub struct CampaignVariantInput {
    /// Its name, 1 to 50 characters, once in the campaign.
    pub name: String,
    /// The text, as of `createCampaign`.
    pub text: String,
    /// 1 to 100: its share of the recipients is its weight by the sum of all. Default 1.
    pub weight: Option<i32>,
}

impl From<CampaignVariantInput> for NewVariant {
    fn from(input: CampaignVariantInput) -> Self {
        Self { name: input.name, text: input.text, weight: input.weight.unwrap_or(1) }
    }
}

/// As the domain has them.
fn new_variants(input: Option<Vec<CampaignVariantInput>>) -> Option<Vec<NewVariant>> {
    input.map(|variants| variants.into_iter().map(Into::into).collect())
}

/// What `updateCampaign` takes. What is absent stays.
#[derive(InputObject, Debug)]
pub struct UpdateCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
    /// Its version as you read it: if it was changed since, nothing is changed now.
    pub version: i32,
    /// Another name, 1 to 100 characters.
    pub name: Option<String>,
    /// Another sender.
    pub sender: Option<String>,
    /// Another class, `MARKETING` or `TRANSACTIONAL`.
    pub class: Option<MessageClass>,
    /// Another topic; null: none.
    pub topic: MaybeUndefined<String>,
    /// Another text, in place of its text or of its variants.
    pub text: Option<String>,
    /// Other variants, all 2 to 5, in place of its text or of its variants. Of a campaign that
    /// retries another one only their texts may change.
    pub variants: Option<Vec<CampaignVariantInput>>,
    /// Another audience, whole.
    pub audience: Option<CampaignAudienceInput>,
    /// Another rate; null: none.
    pub rate_per_s: MaybeUndefined<i32>,
    /// Another domain for its short links, `ldom_…`; null: the service's.
    pub link_domain_id: MaybeUndefined<ID>,
}

/// What `scheduleCampaign` takes.
#[derive(InputObject, Debug)]
pub struct ScheduleCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
    /// When it starts by itself, at most a year ahead; absent or null: it is a draft again.
    pub send_at: Option<DateTime>,
    /// When its messages are due by each recipient's own clock, in place of `sendAt`; as of
    /// `createCampaign`.
    pub send_at_local: Option<String>,
}

/// Declares what a mutation of one campaign answers.
macro_rules! payload {
    ($(#[$doc:meta])* $payload:ident, $error:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $payload {
            /// The campaign as it is now; null if nothing was done.
            campaign: Option<Campaign>,
            /// Why nothing was done; empty if it was.
            user_errors: Vec<$error>,
        }

        impl $payload {
            fn of<R>(
                outcome: Result<entity::campaign::Model, crate::error::Error<R>>,
            ) -> Answer<Self>
            where
                $error: From<R>,
            {
                Ok(match value_or_rejection(outcome)? {
                    Ok(row) => Self { campaign: Some(Campaign(row)), user_errors: Vec::new() },
                    Err(rejection) => Self { campaign: None, user_errors: vec![rejection.into()] },
                })
            }
        }
    };
}

payload! {
    /// What `createCampaign` answers.
    CreateCampaignPayload, CreateCampaignError
}
payload! {
    /// What `updateCampaign` answers.
    UpdateCampaignPayload, UpdateCampaignError
}
payload! {
    /// What `scheduleCampaign` answers.
    ScheduleCampaignPayload, ScheduleCampaignError
}
payload! {
    /// What `startCampaign` answers.
    StartCampaignPayload, StartCampaignError
}
payload! {
    /// What `pauseCampaign` answers.
    PauseCampaignPayload, PauseCampaignError
}
payload! {
    /// What `resumeCampaign` answers.
    ResumeCampaignPayload, ResumeCampaignError
}
payload! {
    /// What `cancelCampaign` answers.
    CancelCampaignPayload, CancelCampaignError
}

payload! {
    /// What `retryFailedCampaign` answers: the new campaign.
    RetryFailedCampaignPayload, RetryFailedCampaignError
}

/// What `retryFailedCampaign` takes.
#[derive(InputObject, Debug)]
pub struct RetryFailedCampaignInput {
    /// The campaign, `camp_…`; it must be over.
    pub campaign_id: ID,
    /// Whether recipients of messages of unknown fate are written to again, who may get the message
    /// twice. Default false.
    pub include_unknown: Option<bool>,
}

/// What `startCampaign` takes.
#[derive(InputObject, Debug)]
pub struct StartCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
}

/// What `pauseCampaign` takes.
#[derive(InputObject, Debug)]
pub struct PauseCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
}

/// What `resumeCampaign` takes.
#[derive(InputObject, Debug)]
pub struct ResumeCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
}

/// What `cancelCampaign` takes.
#[derive(InputObject, Debug)]
pub struct CancelCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
}

/// Writes.
#[derive(Default)]
pub struct CampaignsMutation;

#[Object]
impl CampaignsMutation {
    /// Makes a campaign: a draft, or scheduled if `sendAt` is given. For owners, admins, developers,
    /// and keys with the scope `campaigns:manage`; those of a test key are played. Not idempotent.
    async fn create_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateCampaignInput,
    ) -> Answer<CreateCampaignPayload> {
        let new = NewCampaign {
            name: input.name,
            sender: input.sender,
            class: input.class.map_or(enums::MessageClass::Marketing, Into::into),
            topic: input.topic,
            text: input.text,
            variants: new_variants(input.variants),
            audience: input.audience.parse()?,
            send_at: input.send_at.map(|time| time.0),
            send_at_local: input.send_at_local,
            rate_per_s: input.rate_per_s,
            link_domain_id: input.link_domain_id.map(|id| parse_id(&id)).transpose()?,
        };
        CreateCampaignPayload::of(campaigns::create(call(context)?, new).await)
    }

    /// Changes a campaign that has not started. For owners, admins, developers, and keys with the
    /// scope `campaigns:manage`. Idempotent by `version`: a second call answers `VERSION_CONFLICT`.
    async fn update_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign, and what of it.")] input: UpdateCampaignInput,
    ) -> Answer<UpdateCampaignPayload> {
        let id = parse_id(&input.campaign_id)?;
        let change = CampaignChange {
            name: input.name,
            sender: input.sender,
            class: input.class.map(Into::into),
            topic: changed(input.topic),
            text: input.text,
            variants: new_variants(input.variants),
            audience: input.audience.map(CampaignAudienceInput::parse).transpose()?,
            rate_per_s: changed(input.rate_per_s),
            link_domain_id: match changed(input.link_domain_id) {
                Some(Some(id)) => Some(Some(parse_id(&id)?)),
                Some(None) => Some(None),
                None => None,
            },
        };
        let outcome = campaigns::update(call(context)?, id, input.version, change).await;
        UpdateCampaignPayload::of(outcome)
    }

    /// Has a campaign that has not started start by itself at a time, or makes it a draft again. For
    /// owners, admins, developers, and keys with the scope `campaigns:manage`. Idempotent, but that
    /// the version grows.
    async fn schedule_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign, and when.")] input: ScheduleCampaignInput,
    ) -> Answer<ScheduleCampaignPayload> {
        let id = parse_id(&input.campaign_id)?;
        let at = input.send_at.map(|time| time.0);
        let time = SendTime { at, at_local: input.send_at_local };
        ScheduleCampaignPayload::of(campaigns::schedule(call(context)?, id, time).await)
    }

    /// Starts a campaign: its audience is frozen, and its messages are made within seconds to
    /// minutes, exactly one a contact. For owners, admins, developers, and keys with the scope
    /// `campaigns:manage`. Idempotent: starting again answers `IS_RUNNING`.
    async fn start_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign.")] input: StartCampaignInput,
    ) -> Answer<StartCampaignPayload> {
        let id = parse_id(&input.campaign_id)?;
        StartCampaignPayload::of(campaigns::start(call(context)?, id).await)
    }

    /// Pauses a running campaign: when this answers, nothing of it is handed to a carrier any more.
    /// What waits becomes `HELD`. For owners, admins, developers, and keys with the scope
    /// `campaigns:manage`. Idempotent: pausing again answers `IS_PAUSED`.
    async fn pause_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign.")] input: PauseCampaignInput,
    ) -> Answer<PauseCampaignPayload> {
        let id = parse_id(&input.campaign_id)?;
        PauseCampaignPayload::of(campaigns::pause(call(context)?, id).await)
    }

    /// Lets a paused campaign go on where it stopped; what was held is worth sending for as long
    /// again as it was at first. For owners, admins, developers, and keys with the scope
    /// `campaigns:manage`. Idempotent: resuming again answers `IS_RUNNING`.
    async fn resume_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign.")] input: ResumeCampaignInput,
    ) -> Answer<ResumeCampaignPayload> {
        let id = parse_id(&input.campaign_id)?;
        ResumeCampaignPayload::of(campaigns::resume(call(context)?, id).await)
    }

    /// Ends a campaign that is not over: when this answers, nothing of it is handed to a carrier any
    /// more. What waits is canceled within seconds to minutes, and its holds are given back. For
    /// owners, admins, developers, and keys with the scope `campaigns:manage`. Idempotent: canceling
    /// again answers `IS_CANCELED`.
    async fn cancel_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign.")] input: CancelCampaignInput,
    ) -> Answer<CancelCampaignPayload> {
        let id = parse_id(&input.campaign_id)?;
        CancelCampaignPayload::of(campaigns::cancel(call(context)?, id).await)
    }

    /// Makes a draft of a campaign to those whose messages of another one, which is over, expired or
    /// failed with a temporary error. Who that is, and who has objected since, is found when it
    /// starts. For owners, admins, developers, and keys with the scope `campaigns:manage`.
    /// Idempotent: while that campaign is not over, retrying again answers `ALREADY_RETRIED`.
    async fn retry_failed_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign.")] input: RetryFailedCampaignInput,
    ) -> Answer<RetryFailedCampaignPayload> {
        let campaign_id = parse_id(&input.campaign_id)?;
        let includes_unknown = input.include_unknown.unwrap_or(false);
        let retried = Retried { campaign_id, includes_unknown };
        RetryFailedCampaignPayload::of(campaigns::retry_failed(call(context)?, retried).await)
    }
}

/// Absent: unchanged; null: cleared.
fn changed<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
