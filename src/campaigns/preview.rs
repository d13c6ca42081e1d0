//! What a campaign would take, before it starts: by the checks of sending, for the contacts that are
//! in its audience now. Nothing is stored or sent, but by [`send_test`].

use std::collections::HashMap;

use entity::campaign::Model;
use entity::contact;
use entity::enums::KeyMode;
use entity::ids::{AccountId, CampaignId, ContactId};
use entity::time::UnixMillis;
use sea_orm::{DbErr, EntityTrait, QueryOrder, QuerySelect, Select};

use super::addresses::{self, Page};
use super::expand::{message, timing};
use super::model::is_over;
use super::readiness::audience;
use super::retry;
use super::wording::Wording;
use crate::authz::Action;
use crate::billing;
use crate::contacts::{self, AudienceFault};
use crate::ctx::Ctx;
use crate::db::page;
use crate::error::{Error, Failed};
use crate::links::Shortener;
use crate::messages::campaigns::{self as messages, Of};
use crate::messages::commands::{self, BATCH_MAX, BatchRejection, SendInput, SendOutcome, Tables};
use crate::messages::{Estimate, ItemError};
use crate::types::money::{Currency, Micros};

/// Contacts whose messages are made in memory: up to so many a preview is exact.
pub const SAMPLE_MAX: u64 = 10_000;
/// Rendered examples of one preview.
pub const EXAMPLES_MAX: usize = 10;
/// Numbers of one test.
pub const TEST_NUMBERS_MAX: usize = 10;

/// What a campaign would take.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Contacts in the audience.
    pub recipients: u64,
    /// Of these, whom a suppression keeps from it.
    pub suppressed: u64,
    /// Of the others, to whom no message can be made.
    pub refused: u64,
    /// Parts of all messages that can be made.
    pub parts: u64,
    /// What these cost.
    pub cost: Micros,
    /// What prices are in.
    pub currency: Currency,
    /// What the account could hold now.
    pub available: Micros,
    /// Whether all messages were made, rather than those of a sample and the rest reckoned by it.
    pub is_exact: bool,
    /// How many messages quiet hours would keep waiting.
    pub waiting: u64,
    /// When the first of those tried out would be let go, and the last.
    pub released: Option<(UnixMillis, UnixMillis)>,
    /// For how many contacts messages were made.
    pub sample: u64,
    /// What of it falls to each variant, in their order; empty where there is one text.
    pub variants: Vec<VariantPreview>,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// What of a campaign falls to a variant.
#[derive(Clone, Debug)]
pub struct VariantPreview {
    /// Its name.
    pub name: String,
    /// Contacts who would get it, but for those refused.
    pub recipients: u64,
    /// Of these, to whom no message can be made.
    pub refused: u64,
    /// Parts of all messages that can be made.
    pub parts: u64,
    /// What these cost.
    pub cost: Micros,
}

/// Which messages a preview shows.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// How many, up to [`EXAMPLES_MAX`].
    pub count: usize,
    /// Only of the variant of this name; none: of all.
    pub variant: Option<String>,
}

/// A message as a contact would get it.
#[derive(Clone, Debug)]
pub struct Example {
    /// To whom.
    pub contact_id: ContactId,
    /// The variant that the contact gets, if the campaign has any.
    pub variant: Option<String>,
    /// What it says.
    pub text: String,
    /// What it would take, or why it cannot be sent.
    pub outcome: Result<Estimate, ItemError>,
}

/// Why there is no preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreviewRejection {
    /// There is none with this id.
    #[error("there is no such campaign")]
    NotFound,
    /// The account may not send.
    #[error("the account is suspended")]
    AccountSuspended,
    /// It has no variant of this name.
    #[error("the campaign has no such variant")]
    VariantNotFound,
    /// A list or segment is gone.
    #[error(transparent)]
    Audience(#[from] AudienceFault),
    /// The domain of its links is not the account's, or not verified.
    #[error("the domain of the campaign's links is not verified, or not any more")]
    LinkDomainNotVerified,
}

/// What a campaign would take if it started now, with up to [`EXAMPLES_MAX`] examples. Each contact
/// has the variant that it will get. Whoever may write to contacts with their values may see these in
/// the texts.
///
/// # Errors
/// [`PreviewRejection`], or a failure.
pub async fn preview(
    ctx: &Ctx,
    tables: &Tables,
    id: CampaignId,
    wanted: &Examples,
) -> Result<Preview, Error<PreviewRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let campaign = find(ctx, account_id, id).await?;
    let campaign = campaign.ok_or(Error::Rejected(PreviewRejection::NotFound))?;
    let wording = Wording::of(ctx, &campaign).await?;
    if wording.find(wanted.variant.as_deref()).is_none() {
        return Err(Error::Rejected(PreviewRejection::VariantNotFound));
    }
    let condition = match audience(ctx, &campaign).await {
        Ok(condition) => condition,
        Err(Error::Rejected(fault)) => return Err(Error::Rejected(fault.into())),
        Err(Error::Failed(failed)) => return Err(Error::Failed(failed)),
    };
    let members = retry::members(ctx.db.store(), &campaign, &condition);
    let (sender, topic) = (campaign.sender.as_str(), campaign.topic.as_deref());
    let reachable = contacts::is_reachable(ctx.db.store(), members.clone(), sender, topic);
    let reader = ctx.db.reader();
    let recipients = page::count_all(reader, members).await?;
    let reached = page::count_all(reader, reachable.clone()).await?;
    let sample = sample(ctx, reachable).await?;
    let terms = billing::terms(ctx, account_id).await?;
    let mut by_choice = vec![Sums::default(); wording.choices.len()];
    let mut shown = Vec::new();
    // As long as those that will be made: a preview makes nothing.
    let templates = wording.templates();
    let Ok(links) = addresses::unmade(ctx, &campaign, templates).await? else {
        return Err(Error::Rejected(PreviewRejection::LinkDomainNotVerified));
    };
    let said = (&campaign, &wording, links.as_slice());
    for ids in sample.chunks(BATCH_MAX) {
        for (which, example) in try_out(ctx, tables, said, ids).await? {
            by_choice[which].add(&example.outcome);
            let is_wanted = wanted.variant.is_none() || example.variant == wanted.variant;
            if is_wanted && shown.len() < wanted.count.min(EXAMPLES_MAX) {
                shown.push(example);
            }
        }
    }
    let mut sums = Sums::default();
    by_choice.iter().for_each(|part| sums.merge(part));
    let variants = wording.choices.iter().zip(&by_choice).filter_map(|(choice, part)| {
        Some(VariantPreview {
            name: choice.name()?.to_owned(),
            recipients: sums.for_all(part.tried, reached),
            refused: sums.for_all(part.refused, reached),
            parts: sums.for_all(part.parts, reached),
            cost: money(sums.for_all(part.cost, reached)),
        })
    });
    let variants = variants.collect();
    let is_exact = sample.len() as u64 >= reached;
    let available = billing::available(ctx, &terms, account_id).await?;
    Ok(Preview {
        recipients,
        suppressed: recipients.saturating_sub(reached),
        refused: sums.for_all(sums.refused, reached),
        parts: sums.for_all(sums.parts, reached),
        cost: money(sums.for_all(sums.cost, reached)),
        currency: terms.currency,
        available,
        is_exact,
        waiting: sums.for_all(sums.waiting, reached),
        released: sums.released,
        sample: sums.tried,
        variants,
        examples: shown,
    })
}

fn money(amount: u64) -> Micros {
    Micros(amount.try_into().unwrap_or(i64::MAX))
}

/// What a sample adds up to.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    tried: u64,
    refused: u64,
    parts: u64,
    cost: u64,
    waiting: u64,
    released: Option<(UnixMillis, UnixMillis)>,
}

impl Sums {
    fn add(&mut self, outcome: &Result<Estimate, ItemError>) {
        self.tried += 1;
        match outcome {
            Ok(estimate) => {
                self.parts += u64::try_from(estimate.parts).unwrap_or_default();
                self.cost += u64::try_from(estimate.price.0).unwrap_or_default();
                if let Some(at) = estimate.release_at {
                    self.waiting += 1;
                    let (first, last) = self.released.unwrap_or((at, at));
                    self.released = Some((first.min(at), last.max(at)));
                }
            }
            Err(_) => self.refused += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.tried += other.tried;
        self.refused += other.refused;
        self.parts += other.parts;
        self.cost += other.cost;
        self.waiting += other.waiting;
        self.released = match (self.released, other.released) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
            (one, two) => one.or(two),
        };
    }

    /// What a sum of the sample makes of all.
    fn for_all(&self, sum: u64, all: u64) -> u64 {
        let scaled = u128::from(sum) * u128::from(all) / u128::from(self.tried.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// Contacts of an audience by chance: in the order of the keyed hashes of their numbers, which is
/// none, and has an index.
async fn sample(ctx: &Ctx, reachable: Select<contact::Entity>) -> Result<Vec<ContactId>, DbErr> {
    reachable
        .select_only()
        .column(contact::Column::Id)
        .order_by_asc(contact::Column::NumberMac)
        .limit(SAMPLE_MAX)
        .into_tuple()
        .all(ctx.db.reader())
        .await
}

/// Makes the messages to some contacts in memory, with the links of each of the campaign's texts. Says
/// of each which of them it is.
async fn try_out(
    ctx: &Ctx,
    tables: &Tables,
    (campaign, wording, links): (&Model, &Wording, &[Shortener]),
    ids: &[ContactId],
) -> Result<Vec<(usize, Example)>, Error<PreviewRejection>> {
    let mut people = contacts::people(&ctx.db, campaign.account_id, ids, &wording.keys()).await?;
    let mut texts = Vec::with_capacity(ids.len());
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        // Who was deleted this moment is not in the audience any more.
        let Some(mut person) = people.remove(id) else { continue };
        let which = wording.place(*id);
        let template = &wording.choices[which].template;
        addresses::add_preferences(ctx, (campaign.account_id, template), Page::Unmade, &mut person);
        let item = message(campaign, template, person, &links[which].links(0));
        texts.push((which, *id, item.text.clone()));
        items.push(item);
    }
    let of = Of {
        account_id: campaign.account_id,
        campaign_id: campaign.id,
        mode: if campaign.is_test { KeyMode::Test } else { KeyMode::Live },
        timing: timing(campaign, 0),
    };
    let outcomes = match messages::estimate(ctx, tables, of, items).await {
        Ok(outcomes) => outcomes,
        Err(Error::Rejected(BatchRejection::AccountSuspended)) => {
            return Err(Error::Rejected(PreviewRejection::AccountSuspended));
        }
        Err(Error::Rejected(other)) => return Err(Failed::internal(other).into()),
        Err(Error::Failed(failed)) => return Err(Error::Failed(failed)),
    };
    let example = |((which, contact_id, text), outcome): ((usize, _, _), _)| {
        let variant = wording.choices[which].name().map(str::to_owned);
        (which, Example { contact_id, variant, text, outcome })
    };
    Ok(texts.into_iter().zip(outcomes).map(example).collect())
}

async fn find(ctx: &Ctx, account_id: AccountId, id: CampaignId) -> Result<Option<Model>, DbErr> {
    entity::campaign::Entity::find_by_id((account_id, id)).one(ctx.db.reader()).await
}

/// A test of a campaign's text.
#[derive(Clone, Debug)]
pub struct CampaignTest {
    /// As of `sendMessages`.
    pub idempotency_key: String,
    /// To these numbers, as people write them.
    pub to: Vec<String>,
    /// With this contact's values; none: with the fallbacks.
    pub contact_id: Option<ContactId>,
    /// The variant of this name; none: the first.
    pub variant: Option<String>,
}

/// Why a test was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CampaignTestRejection {
    /// There is none with this id.
    #[error("there is no such campaign")]
    NotFound,
    /// It is over.
    #[error("the campaign is over")]
    Over,
    /// There is no contact with this id.
    #[error("there is no such contact")]
    ContactNotFound,
    /// It has no variant of this name.
    #[error("the campaign has no such variant")]
    VariantNotFound,
    /// Too many numbers.
    #[error("at most {TEST_NUMBERS_MAX} numbers go into one test")]
    TooMany,
    /// The domain of its links is not the account's, or not verified.
    #[error("the domain of the campaign's links is not verified, or not any more")]
    LinkDomainNotVerified,
    /// That of the call.
    #[error(transparent)]
    Batch(#[from] BatchRejection),
}

/// Sends a campaign's text to some numbers, as messages of their own that are no part of the
/// campaign. Takes the right to send messages, and with a contact that to read contacts. Idempotent
/// by its key.
///
/// # Errors
/// [`CampaignTestRejection`], or a failure.
pub async fn send_test(
    ctx: &Ctx,
    tables: &Tables,
    id: CampaignId,
    test: CampaignTest,
) -> Result<SendOutcome, Error<CampaignTestRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let campaign = find(ctx, account_id, id).await?;
    let campaign = campaign.ok_or(Error::Rejected(CampaignTestRejection::NotFound))?;
    if is_over(campaign.status) {
        return Err(Error::Rejected(CampaignTestRejection::Over));
    }
    if test.to.len() > TEST_NUMBERS_MAX {
        return Err(Error::Rejected(CampaignTestRejection::TooMany));
    }
    let wording = Wording::of(ctx, &campaign).await?;
    let choice = wording.find(test.variant.as_deref());
    let template = &choice.ok_or(Error::Rejected(CampaignTestRejection::VariantNotFound))?.template;
    let values = match test.contact_id {
        None => HashMap::new(),
        Some(id) => {
            ctx.actor.require(Action::ReadContacts)?;
            let keys = template.keys().map(str::to_owned).collect();
            let mut people = contacts::people(&ctx.db, account_id, &[id], &keys).await?;
            let person = people.remove(&id);
            person.ok_or(Error::Rejected(CampaignTestRejection::ContactNotFound))?.values
        }
    };
    let Ok(shorteners) = addresses::shorteners(ctx, &campaign, vec![template]).await? else {
        return Err(Error::Rejected(CampaignTestRejection::LinkDomainNotVerified));
    };
    let links: Vec<String> = shorteners.iter().flat_map(|it| it.links(0)).collect();
    let to = |number: String| {
        let mut person = contacts::Person { number, values: values.clone() };
        addresses::add_preferences(ctx, (account_id, template), Page::Own, &mut person);
        message(&campaign, template, person, &links)
    };
    let numbers = match template.has_preferences() {
        true => contacts::e164(&ctx.db, account_id, test.to).await?,
        false => test.to,
    };
    let messages = numbers.into_iter().map(to).collect();
    let input = SendInput { idempotency_key: test.idempotency_key, messages };
    commands::send(ctx, tables, input).await.map_err(|error| match error {
        Error::Rejected(rejection) => Error::Rejected(rejection.into()),
        Error::Failed(failed) => Error::Failed(failed),
    })
}
