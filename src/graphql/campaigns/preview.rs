//! What a campaign would take, and trying its text out.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use entity::ids::ContactId;

use crate::campaigns::{
    self, CampaignTest, CampaignTestRejection, EXAMPLES_MAX, Example, Examples, Preview,
    PreviewRejection, VariantPreview,
};
use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::contacts::Contact;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::messages::{
    SendMessageError, SendMessageResult, item_error, send_result, tables,
};
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use crate::messages::commands::BatchRejection;
use crate::types::money::Currency;

/// Examples of a preview whose caller did not say how many.
const EXAMPLES: i32 = 3;

/// What `previewCampaign` takes.
#[derive(InputObject, Debug)]
pub struct PreviewCampaignInput {
    /// The campaign, `camp_…`.
    pub campaign_id: ID,
    /// How many messages are shown as contacts would get them, 0 to 10. Default 3.
    pub examples: Option<i32>,
    /// Show only messages of the variant of this name; absent or null: of all. What it would take is
    /// always that of the whole campaign.
    pub variant: Option<String>,
}

/// What `previewCampaign` answers.
#[derive(SimpleObject)]
pub struct PreviewCampaignPayload {
    /// What the campaign would take; null if that cannot be told.
    preview: Option<CampaignPreview>,
    /// Why not; empty if it can.
    user_errors: Vec<PreviewCampaignError>,
}

user_error! {
    /// Why a campaign was not previewed.
    PreviewCampaignError,
    /// Why a campaign was not previewed, for a program to read.
    PreviewCampaignErrorCode {
        /// There is no such campaign.
        CampaignNotFound,
        /// More or fewer examples than there may be.
        InvalidExamples,
        /// The account is suspended: it may read, not send.
        AccountSuspended,
        /// A list or segment of the audience is gone.
        AudienceGone,
        /// The campaign has no variant of this name.
        VariantNotFound,
        /// The domain of its links is not verified, or not any more.
        LinkDomainNotVerified,
    }
}

/// What a campaign would take if it started now.
#[derive(SimpleObject)]
pub struct CampaignPreview {
    /// Contacts in the audience.
    recipients: i32,
    /// Of these, whom an objection or suppression keeps from it.
    suppressed: i32,
    /// Of the others, to whom no message can be made: no route or price, or a text that is too
    /// long.
    refused: i32,
    /// Parts of all messages together.
    parts: f64,
    /// What all messages cost together.
    cost: Money,
    /// What the account can spend now.
    available: Money,
    /// Whether `refused`, `parts` and `cost` were found by making every message. Of audiences beyond
    /// 10,000 they are reckoned from as many, chosen by chance.
    is_exact: bool,
    /// How many messages quiet hours would keep waiting; of large audiences reckoned like `parts`.
    waiting: i32,
    /// When the first of those that wait would be let go; null if none waits.
    first_release_at: Option<DateTime>,
    /// When the last of those that wait would be let go; null if none waits.
    last_release_at: Option<DateTime>,
    /// For how many contacts messages were made.
    sample_size: i32,
    /// What of it falls to each variant, in their order, at most 5; empty where there is one text.
    variants: Vec<CampaignVariantPreview>,
    /// Some messages, as contacts would get them; at most 10.
    examples: Vec<CampaignExample>,
}

/// What of a campaign would fall to a variant, by the split that it will have.
#[derive(SimpleObject)]
pub struct CampaignVariantPreview {
    /// The variant's name.
    name: String,
    /// Contacts to whom it falls, without those whom an objection or suppression keeps from it; of
    /// large audiences reckoned like `parts`.
    recipients: i32,
    /// Of these, to whom no message can be made.
    refused: i32,
    /// Parts of all its messages together.
    parts: f64,
    /// What all its messages cost together.
    cost: Money,
}

impl CampaignVariantPreview {
    fn new(preview: VariantPreview, currency: Currency) -> Answer<Self> {
        Ok(Self {
            name: preview.name,
            recipients: shown(preview.recipients)?,
            refused: shown(preview.refused)?,
            parts: preview.parts as f64,
            cost: Money::new(preview.cost, currency),
        })
    }
}

/// A message of a campaign as a contact would get it.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct CampaignExample {
    #[graphql(skip)]
    contact_id: ContactId,
    /// The name of the variant that the contact gets; null where there is one text.
    variant: Option<String>,
    /// What it says.
    text: String,
    /// Into how many parts it would be cut; null if it cannot be sent.
    parts: Option<i32>,
    /// What it would cost; null if it cannot be sent.
    price: Option<Money>,
    /// When quiet hours would let it go; null if they do not keep it.
    release_at: Option<DateTime>,
    /// Why it cannot be sent; null if it can.
    error: Option<SendMessageError>,
}

#[ComplexObject]
impl CampaignExample {
    /// To whom; null if the contact was deleted just now. For whoever may read contacts; null for
    /// others.
    async fn contact(&self, context: &Context<'_>) -> Answer<Option<Contact>> {
        Contact::load(context, self.contact_id).await
    }
}

impl CampaignExample {
    fn new(index: usize, example: Example, currency: Currency) -> Self {
        let release_at = example.outcome.as_ref().ok().and_then(|estimate| estimate.release_at);
        let release_at = release_at.map(Into::into);
        let (parts, price, error) = match example.outcome {
            Ok(estimate) => {
                (Some(estimate.parts.into()), Some(Money::new(estimate.price, currency)), None)
            }
            Err(error) => (None, None, Some(item_error(index, error))),
        };
        Self {
            contact_id: example.contact_id,
            variant: example.variant,
            text: example.text,
            parts,
            price,
            release_at,
            error,
        }
    }
}

impl CampaignPreview {
    fn new(preview: Preview) -> Answer<Self> {
        let currency = preview.currency;
        let examples = preview.examples.into_iter().enumerate();
        let variants = preview.variants.into_iter();
        let variants = variants.map(|it| CampaignVariantPreview::new(it, currency));
        Ok(Self {
            recipients: shown(preview.recipients)?,
            suppressed: shown(preview.suppressed)?,
            refused: shown(preview.refused)?,
            parts: preview.parts as f64,
            cost: Money::new(preview.cost, currency),
            available: Money::new(preview.available, currency),
            is_exact: preview.is_exact,
            waiting: shown(preview.waiting)?,
            first_release_at: preview.released.map(|(first, _)| first.into()),
            last_release_at: preview.released.map(|(_, last)| last.into()),
            sample_size: shown(preview.sample)?,
            variants: variants.collect::<Answer<_>>()?,
            examples: examples
                .map(|(index, example)| CampaignExample::new(index, example, currency))
                .collect(),
        })
    }
}

fn shown(count: u64) -> Answer<i32> {
    i32::try_from(count).map_err(|_| Failed::internal("a count beyond 32 bits").into())
}

fn preview_error(rejection: PreviewRejection) -> PreviewCampaignError {
    use PreviewCampaignErrorCode as Code;
    let (code, path) = match rejection {
        PreviewRejection::NotFound => (Code::CampaignNotFound, "campaignId"),
        PreviewRejection::AccountSuspended => (Code::AccountSuspended, "campaignId"),
        PreviewRejection::VariantNotFound => (Code::VariantNotFound, "variant"),
        PreviewRejection::Audience(_) => (Code::AudienceGone, "campaignId"),
        PreviewRejection::LinkDomainNotVerified => (Code::LinkDomainNotVerified, "campaignId"),
    };
    PreviewCampaignError::new(code, &[path], rejection)
}

/// What `sendCampaignTest` takes.
#[derive(InputObject, Debug)]
pub struct SendCampaignTestInput {
    /// Your own unique name for this call, as of `sendMessages`.
    pub idempotency_key: String,
    /// The campaign, `camp_…`; it must not be over.
    pub campaign_id: ID,
    /// To whom: 1 to 10 numbers in E.164, or national ones of the account's default region.
    pub to: Vec<String>,
    /// With the values of this contact, `cont_…`; absent or null: with the fallbacks.
    pub contact_id: Option<ID>,
    /// The name of the variant to be sent; absent or null: the first, or the campaign's one text.
    pub variant: Option<String>,
}

/// What `sendCampaignTest` answers.
#[derive(SimpleObject)]
pub struct SendCampaignTestPayload {
    /// What became of each message, in the order of the input; empty if the whole call was refused.
    results: Vec<SendMessageResult>,
    /// Whether this is the answer to an earlier call with the same key, which sent the messages.
    replayed: bool,
    /// Why the whole call was refused; then nothing was sent. Empty otherwise.
    user_errors: Vec<SendCampaignTestError>,
}

user_error! {
    /// Why a campaign's text was not tried out.
    SendCampaignTestError,
    /// Why a campaign's text was not tried out, for a program to read.
    SendCampaignTestErrorCode {
        /// There is no such campaign.
        CampaignNotFound,
        /// It is finished, canceled or failed.
        CampaignOver,
        /// There is no such contact.
        ContactNotFound,
        /// There is no number in it.
        NoNumbers,
        /// There are more than 10 numbers in it.
        TooManyNumbers,
        /// The key is empty, longer than 255 characters, or has control characters.
        InvalidIdempotencyKey,
        /// The key was used with another input within the last 7 days.
        IdempotencyKeyReused,
        /// The account is suspended: it may read, not send.
        AccountSuspended,
        /// The campaign has no variant of this name.
        VariantNotFound,
        /// The domain of its links is not verified, or not any more.
        LinkDomainNotVerified,
    }
}

fn test_error(rejection: CampaignTestRejection) -> SendCampaignTestError {
    use SendCampaignTestErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        CampaignTestRejection::NotFound => (Code::CampaignNotFound, &["campaignId"]),
        CampaignTestRejection::Over => (Code::CampaignOver, &["campaignId"]),
        CampaignTestRejection::ContactNotFound => (Code::ContactNotFound, &["contactId"]),
        CampaignTestRejection::VariantNotFound => (Code::VariantNotFound, &["variant"]),
        CampaignTestRejection::LinkDomainNotVerified => {
            (Code::LinkDomainNotVerified, &["campaignId"])
        }
        CampaignTestRejection::TooMany | CampaignTestRejection::Batch(BatchRejection::TooMany) => {
            (Code::TooManyNumbers, &["to"])
        }
        CampaignTestRejection::Batch(BatchRejection::Empty) => (Code::NoNumbers, &["to"]),
        CampaignTestRejection::Batch(BatchRejection::InvalidIdempotencyKey) => {
            (Code::InvalidIdempotencyKey, &["idempotencyKey"])
        }
        CampaignTestRejection::Batch(BatchRejection::IdempotencyKeyReused) => {
            (Code::IdempotencyKeyReused, &["idempotencyKey"])
        }
        CampaignTestRejection::Batch(BatchRejection::AccountSuspended) => {
            (Code::AccountSuspended, &[])
        }
    };
    SendCampaignTestError::new(code, path, rejection)
}

/// Writes that come before a campaign starts.
#[derive(Default)]
pub struct CampaignTestsMutation;

#[Object]
impl CampaignTestsMutation {
    /// Says what a campaign would take if it started now, by the checks of sending; stores and sends
    /// nothing. Counting costs more the more contacts the account has. For owners, admins,
    /// developers, and keys with the scope `campaigns:manage`. Idempotent.
    #[graphql(complexity = "200 + child_complexity")]
    async fn preview_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which campaign.")] input: PreviewCampaignInput,
    ) -> Answer<PreviewCampaignPayload> {
        let ctx = call(context)?;
        let id = parse_id(&input.campaign_id)?;
        let wanted = usize::try_from(input.examples.unwrap_or(EXAMPLES));
        let Some(wanted) = wanted.ok().filter(|wanted| *wanted <= EXAMPLES_MAX) else {
            let code = PreviewCampaignErrorCode::InvalidExamples;
            let text = format!("0 to {EXAMPLES_MAX} examples are shown");
            let error = PreviewCampaignError::new(code, &["examples"], text);
            return Ok(PreviewCampaignPayload { preview: None, user_errors: vec![error] });
        };
        let tables = tables(context).await?;
        let wanted = Examples { count: wanted, variant: input.variant };
        let outcome = campaigns::preview(ctx, &tables, id, &wanted).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(preview) => PreviewCampaignPayload {
                preview: Some(CampaignPreview::new(preview)?),
                user_errors: Vec::new(),
            },
            Err(rejection) => PreviewCampaignPayload {
                preview: None,
                user_errors: vec![preview_error(rejection)],
            },
        })
    }

    /// Sends a campaign's text to some numbers, as messages of their own that are no part of it and
    /// are charged for. For owners, admins and developers, and for keys with the scopes
    /// `campaigns:manage` and `messages:send` (and `contacts:manage` with a contact). Idempotent by
    /// `idempotencyKey`.
    async fn send_campaign_test(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to try out.")] input: SendCampaignTestInput,
    ) -> Answer<SendCampaignTestPayload> {
        let ctx = call(context)?;
        let tables = tables(context).await?;
        let id = parse_id(&input.campaign_id)?;
        let test = CampaignTest {
            idempotency_key: input.idempotency_key,
            to: input.to,
            contact_id: input.contact_id.map(|id| parse_id(&id)).transpose()?,
            variant: input.variant,
        };
        let outcome = campaigns::send_test(ctx, &tables, id, test).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(outcome) => SendCampaignTestPayload {
                results: outcome.results.into_iter().enumerate().map(send_result).collect(),
                replayed: outcome.replayed,
                user_errors: Vec::new(),
            },
            Err(rejection) => SendCampaignTestPayload {
                results: Vec::new(),
                replayed: false,
                user_errors: vec![test_error(rejection)],
            },
        })
    }
}
