//! Making campaigns, and changing those that have not started.

use entity::campaign::{ActiveModel, Column, Entity, Model};
use entity::enums::{CampaignStatus, MessageClass};
use entity::ids::{AccountId, CampaignId, LinkDomainId};
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect, Set,
};

use super::lifecycle::check_mode;
use super::model::{LocalTime, draft, is_editable};
use super::template::TemplateFault;
use super::variants::{self, Content, NewVariant, VARIANTS_MAX, VARIANTS_MIN, VariantFault};
use super::{ACTIVE_MAX, NAME_CHARS_MAX, RATE_PER_S_MAX, SCHEDULE_AHEAD_MAX_MS, addresses};
use crate::authz::Action;
use crate::contacts::{self, Audience, AudienceFault, Topic};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::sender::Sender;

/// A campaign to be made.
#[derive(Clone, Debug)]
pub struct NewCampaign {
    /// 1 to 100 characters.
    pub name: String,
    /// The sender, as people write it.
    pub sender: String,
    /// Transactional or marketing.
    pub class: MessageClass,
    /// What it is about.
    pub topic: Option<String>,
    /// The text with its merge fields; either this or `variants`.
    pub text: Option<String>,
    /// Texts of which each recipient gets one; either these or `text`.
    pub variants: Option<Vec<NewVariant>>,
    /// Whom it is for.
    pub audience: Audience,
    /// When it starts by itself; without this and `send_at_local` it stays a draft.
    pub send_at: Option<UnixMillis>,
    /// When its messages are due by each recipient's own clock, as 2026-12-31T09:00.
    pub send_at_local: Option<String>,
    /// Messages a second at most.
    pub rate_per_s: Option<i32>,
    /// The account's domain that its short links begin with; none: the installation's.
    pub link_domain_id: Option<LinkDomainId>,
}

/// What of a campaign is to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct CampaignChange {
    /// Another name.
    pub name: Option<String>,
    /// Another sender.
    pub sender: Option<String>,
    /// Another class.
    pub class: Option<MessageClass>,
    /// Another topic, or none.
    pub topic: Option<Option<String>>,
    /// Another text, in place of the text or of the variants.
    pub text: Option<String>,
    /// Other variants, in place of the text or of the variants.
    pub variants: Option<Vec<NewVariant>>,
    /// Another audience.
    pub audience: Option<Audience>,
    /// Another rate, or none.
    pub rate_per_s: Option<Option<i32>>,
    /// Another domain for its short links, or the installation's.
    pub link_domain_id: Option<Option<LinkDomainId>>,
}

/// Why a campaign was not made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteCampaignRejection {
    /// There is none with this id.
    #[error("there is no such campaign")]
    NotFound,
    /// It was changed since it was read.
    #[error("the campaign was changed meanwhile: read it again")]
    VersionConflict,
    /// It has started, or is over.
    #[error("a campaign can be changed only before it starts")]
    NotEditable,
    /// Empty, too long or with control characters.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    InvalidName,
    /// Not a name, number or short code.
    #[error("not a sender: a name, a number or a short code")]
    InvalidSender,
    /// One-time passwords are no campaign.
    #[error("a campaign is transactional or marketing")]
    InvalidClass,
    /// Not a topic.
    #[error("a topic has 1 to 50 lower-case letters, digits, hyphens and underscores")]
    InvalidTopic,
    /// Not a template.
    #[error(transparent)]
    Text(#[from] TemplateFault),
    /// A merge field that the account keeps no attribute for.
    #[error("a merge field names an attribute that there is not")]
    UnknownAttribute,
    /// Not an audience.
    #[error(transparent)]
    Audience(#[from] AudienceFault),
    /// Zero, negative or too high.
    #[error("a rate is from 1 to {RATE_PER_S_MAX} messages a second")]
    InvalidRate,
    /// It would have begun already.
    #[error("a campaign can be scheduled only in the future")]
    SendAtInPast,
    /// Beyond [`SCHEDULE_AHEAD_MAX_MS`].
    #[error("a campaign can be scheduled at most a year ahead")]
    SendAtTooFar,
    /// Not a time without an offset.
    #[error("a local time is written 2026-12-31T09:00, without an offset")]
    InvalidSendAtLocal,
    /// Both a time and a local time.
    #[error("name either sendAt or sendAtLocal")]
    TwoTimes,
    /// The audience of a retry is what its name says.
    #[error("a campaign that retries another one keeps its audience")]
    AudienceOfRetry,
    /// Not a domain of the account's, or not verified.
    #[error("there is no such domain, or it is not verified")]
    LinkDomainNotVerified,
    /// A preference page in the text of an installation that has no public address.
    #[error("preference pages have no public address here: the operator has to set one")]
    NoPreferencePages,
    /// There are [`ACTIVE_MAX`] already.
    #[error("at most {ACTIVE_MAX} campaigns of an account are scheduled, run or are paused")]
    TooManyActive,
    /// Neither a text nor variants.
    #[error("a campaign has a text or variants")]
    NoText,
    /// Both a text and variants.
    #[error("name either a text or variants: each variant has a text of its own")]
    TextAndVariants,
    /// Too few or too many variants.
    #[error("a campaign has {VARIANTS_MIN} to {VARIANTS_MAX} variants, or none")]
    VariantCount,
    /// A variant is not as it must be.
    #[error("variant {number}: {fault}", number = .index + 1)]
    Variant {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        fault: VariantFault,
    },
    /// The recipients of a retry keep their variants.
    #[error(
        "a campaign that retries another one keeps the names and weights of its variants: only \
         their texts can be changed"
    )]
    SplitOfRetry,
}

type Outcome<T> = Result<T, Error<WriteCampaignRejection>>;

/// Makes a campaign: a draft, or scheduled if it says when. Not idempotent.
///
/// # Errors
/// [`WriteCampaignRejection`], or a failure.
pub async fn create(ctx: &Ctx, new: NewCampaign) -> Outcome<Model> {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let now = ctx.clock.now();
    let content = Content::check(ctx, account_id, new.text, new.variants).await?;
    let content = &content.ok_or(Error::Rejected(WriteCampaignRejection::NoText))?;
    contacts::audience_condition(ctx, account_id, &new.audience).await.map_err(audience_fault)?;
    let time = SendTime { at: new.send_at, at_local: new.send_at_local };
    let time = time.checked(now).map_err(Error::Rejected)?;
    let is_scheduled = time.at.is_some();
    let status = if is_scheduled { CampaignStatus::Scheduled } else { CampaignStatus::Draft };
    let row = &Model {
        name: valid_name(&new.name)?,
        sender: valid_sender(&new.sender)?,
        class: valid_class(new.class)?,
        topic: new.topic.as_deref().map(valid_topic).transpose()?,
        template: content.template().to_owned(),
        audience: new.audience.to_stored()?,
        status,
        is_test: ctx.actor.is_test(),
        scheduled_at_ms: time.at,
        send_at_local: time.at_local,
        rate_per_s: valid_rate(new.rate_per_s)?,
        link_domain_id: new.link_domain_id,
        ..draft(account_id, ctx.ids.next(), now)
    };
    ctx.db
        .write(|tx| async move {
            if is_scheduled && is_full(&tx, account_id).await? {
                return Err(Error::Rejected(WriteCampaignRejection::TooManyActive));
            }
            check_domain(&tx, account_id, row.link_domain_id).await?;
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(variants::insert(&tx, row, content).await?)
        })
        .await?;
    Ok(row.clone())
}

/// Changes a campaign that has not started, if it is still of the version that the caller read.
///
/// # Errors
/// [`WriteCampaignRejection`], or a failure.
pub async fn update(
    ctx: &Ctx,
    id: CampaignId,
    version: i32,
    change: CampaignChange,
) -> Outcome<Model> {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let content = Content::check(ctx, account_id, change.text, change.variants).await?;
    if let Some(audience) = &change.audience {
        contacts::audience_condition(ctx, account_id, audience).await.map_err(audience_fault)?;
    }
    let change = &Checked {
        name: change.name.as_deref().map(valid_name).transpose()?,
        sender: change.sender.as_deref().map(valid_sender).transpose()?,
        class: change.class.map(valid_class).transpose()?,
        topic: match change.topic {
            None => None,
            Some(topic) => Some(topic.as_deref().map(valid_topic).transpose()?),
        },
        content,
        audience: change.audience.as_ref().map(Audience::to_stored).transpose()?,
        rate_per_s: change.rate_per_s.map(valid_rate).transpose()?,
        link_domain_id: change.link_domain_id,
    };
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let row = Entity::find_by_id((account_id, id)).lock_exclusive().one(&*tx).await?;
            let row = row.ok_or(Error::Rejected(WriteCampaignRejection::NotFound))?;
            check_mode(ctx, &row)?;
            if !is_editable(row.status) {
                return Err(Error::Rejected(WriteCampaignRejection::NotEditable));
            }
            if row.parent_id.is_some() && change.audience.is_some() {
                return Err(Error::Rejected(WriteCampaignRejection::AudienceOfRetry));
            }
            if row.version != version {
                return Err(Error::Rejected(WriteCampaignRejection::VersionConflict));
            }
            check_domain(&tx, account_id, change.link_domain_id.flatten()).await?;
            if let Some(content) = &change.content {
                variants::replace(&tx, &row, content).await?;
            }
            let mut row = change.apply(row.into_active_model());
            row.version = Set(version + 1);
            row.updated_at_ms = Set(now);
            Ok(row.update(&*tx).await?)
        })
        .await
}

/// A change as it is stored.
struct Checked {
    name: Option<String>,
    sender: Option<String>,
    class: Option<MessageClass>,
    topic: Option<Option<String>>,
    content: Option<Content>,
    audience: Option<String>,
    rate_per_s: Option<Option<i32>>,
    link_domain_id: Option<Option<LinkDomainId>>,
}

impl Checked {
    fn apply(&self, mut row: ActiveModel) -> ActiveModel {
        if let Some(name) = &self.name {
            row.name = Set(name.clone());
        }
        if let Some(sender) = &self.sender {
            row.sender = Set(sender.clone());
        }
        if let Some(class) = self.class {
            row.class = Set(class);
        }
        if let Some(topic) = &self.topic {
            row.topic = Set(topic.clone());
        }
        if let Some(content) = &self.content {
            row.template = Set(content.template().to_owned());
        }
        if let Some(audience) = &self.audience {
            row.audience = Set(audience.clone());
        }
        if let Some(rate_per_s) = self.rate_per_s {
            row.rate_per_s = Set(rate_per_s);
        }
        if let Some(link_domain_id) = self.link_domain_id {
            row.link_domain_id = Set(link_domain_id);
        }
        row
    }
}

/// Whether an account has as many campaigns at work as it may have.
pub(super) async fn is_full(tx: &Tx, account_id: AccountId) -> Result<bool, sea_orm::DbErr> {
    use CampaignStatus::{Paused, Running, Scheduled};
    let active = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Status.is_in([Scheduled, Running, Paused]))
        .count(&**tx)
        .await?;
    Ok(active >= ACTIVE_MAX)
}

/// When a campaign is to start: at a time, at one by each recipient's clock, or not by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendTime {
    /// By all clocks at once.
    pub at: Option<UnixMillis>,
    /// By each recipient's own clock.
    pub at_local: Option<String>,
}

impl From<Option<UnixMillis>> for SendTime {
    fn from(at: Option<UnixMillis>) -> Self {
        Self { at, at_local: None }
    }
}

impl SendTime {
    /// As it is stored: with a local time `at` is when the first clock on Earth shows it. It must be
    /// ahead on the last of them.
    pub(super) fn checked(self, now: UnixMillis) -> Result<Self, WriteCampaignRejection> {
        let Some(text) = &self.at_local else {
            return match self.at {
                Some(at) => check_send_at(at, now).map(|()| self),
                None => Ok(self),
            };
        };
        if self.at.is_some() {
            return Err(WriteCampaignRejection::TwoTimes);
        }
        let invalid = WriteCampaignRejection::InvalidSendAtLocal;
        let local = LocalTime::parse(text).ok_or(invalid)?;
        let (first, last) = local.moments().ok_or(invalid)?;
        check_send_at(last, now)?;
        Ok(Self { at: Some(first), at_local: Some(local.0.to_string()) })
    }
}

/// Whether a campaign may be scheduled for this time.
fn check_send_at(send_at: UnixMillis, now: UnixMillis) -> Result<(), WriteCampaignRejection> {
    if send_at <= now {
        return Err(WriteCampaignRejection::SendAtInPast);
    }
    if send_at.since(now) > SCHEDULE_AHEAD_MAX_MS {
        return Err(WriteCampaignRejection::SendAtTooFar);
    }
    Ok(())
}

fn audience_fault(error: Error<AudienceFault>) -> Error<WriteCampaignRejection> {
    match error {
        Error::Rejected(fault) => Error::Rejected(fault.into()),
        Error::Failed(failed) => Error::Failed(failed),
    }
}

/// The domain, if one is named, is the account's and verified.
async fn check_domain(tx: &Tx, account_id: AccountId, id: Option<LinkDomainId>) -> Outcome<()> {
    match addresses::may_use(tx, account_id, id).await? {
        true => Ok(()),
        false => Err(Error::Rejected(WriteCampaignRejection::LinkDomainNotVerified)),
    }
}

fn valid_name(name: &str) -> Outcome<String> {
    let name = name.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(Error::Rejected(WriteCampaignRejection::InvalidName))
}

fn valid_sender(sender: &str) -> Outcome<String> {
    let sender = Sender::parse(sender);
    let invalid = |_| Error::Rejected(WriteCampaignRejection::InvalidSender);
    Ok(sender.map_err(invalid)?.to_string())
}

fn valid_class(class: MessageClass) -> Outcome<MessageClass> {
    match class {
        MessageClass::Transactional | MessageClass::Marketing => Ok(class),
        MessageClass::Otp => Err(Error::Rejected(WriteCampaignRejection::InvalidClass)),
    }
}

fn valid_topic(topic: &str) -> Outcome<String> {
    let topic = Topic::parse(topic);
    let topic = topic.ok_or(Error::Rejected(WriteCampaignRejection::InvalidTopic))?;
    Ok(topic.as_str().to_owned())
}

fn valid_rate(rate: Option<i32>) -> Outcome<Option<i32>> {
    match rate {
        Some(rate) if !(1..=RATE_PER_S_MAX).contains(&rate) => {
            Err(Error::Rejected(WriteCampaignRejection::InvalidRate))
        }
        rate => Ok(rate),
    }
}
