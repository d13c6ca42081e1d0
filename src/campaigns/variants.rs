//! Variants of a campaign's text as they are given and kept. Frozen with the text when it starts;
//! which contact gets which is said by `split`.

use std::collections::{BTreeSet, HashSet};

use entity::campaign::Model as Campaign;
use entity::campaign_variant::{ActiveModel, Column, Entity, Model};
use entity::ids::{AccountId, CampaignId};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, Set};

use super::commands::WriteCampaignRejection;
use super::template::{Template, TemplateFault};
use crate::contacts;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};

/// Variants that a campaign with variants has at least.
pub const VARIANTS_MIN: usize = 2;
/// Variants of a campaign.
pub const VARIANTS_MAX: usize = 5;
/// Characters of a variant's name.
pub const VARIANT_NAME_CHARS_MAX: usize = 50;
/// The weight of a variant, at most; the least is 1.
pub const WEIGHT_MAX: i16 = 100;

/// A variant to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVariant {
    /// 1 to 50 characters, once in the campaign.
    pub name: String,
    /// The text with its merge fields.
    pub text: String,
    /// 1 to 100: its share of the recipients is its weight by the sum of all.
    pub weight: i32,
}

/// What is wrong with a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantFault {
    /// Empty, too long or with control characters.
    #[error(
        "a variant's name has 1 to {VARIANT_NAME_CHARS_MAX} characters, none of them a control \
         character"
    )]
    InvalidName,
    /// One before it has the same name.
    #[error("another variant has this name")]
    DuplicateName,
    /// Zero, negative or too high.
    #[error("a weight is from 1 to {WEIGHT_MAX}")]
    InvalidWeight,
    /// Not a template.
    #[error(transparent)]
    Text(TemplateFault),
    /// A merge field that the account keeps no attribute for.
    #[error("a merge field names an attribute that there is not")]
    UnknownAttribute,
    /// A preference page in the text of an installation that has no public address.
    #[error("preference pages have no public address here: the operator has to set one")]
    NoPreferencePages,
}

/// What a campaign says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The same to all.
    Text(String),
    /// One of these to each.
    Variants(Vec<Checked>),
}

/// A variant that may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    name: String,
    template: String,
    weight: i16,
}

impl Content {
    /// Checks what is given, which may be nothing. An empty list beside a text is none.
    ///
    /// # Errors
    /// [`WriteCampaignRejection`], or a failure.
    pub(super) async fn check(
        ctx: &Ctx,
        account_id: AccountId,
        text: Option<String>,
        variants: Option<Vec<NewVariant>>,
    ) -> Result<Option<Self>, Error<WriteCampaignRejection>> {
        let variants = variants.filter(|variants| text.is_none() || !variants.is_empty());
        match (text, variants) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Error::Rejected(WriteCampaignRejection::TextAndVariants)),
            (Some(text), None) => match text_fault(ctx, account_id, &text).await? {
                Some(fault) => Err(Error::Rejected(fault.into())),
                None => Ok(Some(Self::Text(text))),
            },
            (None, Some(variants)) => {
                checked(ctx, account_id, variants).await.map(Self::Variants).map(Some)
            }
        }
    }

    /// The text that stands for all of it.
    pub(super) fn template(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Variants(variants) => variants.first().map_or("", |first| &first.template),
        }
    }

    /// Whether it splits contacts as these variants do.
    fn splits_like(&self, kept: &[Model]) -> bool {
        let Self::Variants(variants) = self else { return false };
        let new = variants.iter().map(|it| (it.name.as_str(), it.weight));
        new.eq(kept.iter().map(|it| (it.name.as_str(), it.weight)))
    }
}

async fn checked(
    ctx: &Ctx,
    account_id: AccountId,
    variants: Vec<NewVariant>,
) -> Result<Vec<Checked>, Error<WriteCampaignRejection>> {
    if !(VARIANTS_MIN..=VARIANTS_MAX).contains(&variants.len()) {
        return Err(Error::Rejected(WriteCampaignRejection::VariantCount));
    }
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(variants.len());
    for (index, variant) in variants.into_iter().enumerate() {
        let refused = |fault| Error::Rejected(WriteCampaignRejection::Variant { index, fault });
        let variant = plain(variant).map_err(refused)?;
        if !names.insert(variant.name.clone()) {
            return Err(refused(VariantFault::DuplicateName));
        }
        if let Some(fault) = text_fault(ctx, account_id, &variant.template).await? {
            return Err(refused(fault.into()));
        }
        checked.push(variant);
    }
    Ok(checked)
}

/// A variant whose name and weight may be kept.
fn plain(variant: NewVariant) -> Result<Checked, VariantFault> {
    let name = variant.name.trim();
    let fits = (1..=VARIANT_NAME_CHARS_MAX).contains(&name.chars().count());
    if !fits || name.chars().any(char::is_control) {
        return Err(VariantFault::InvalidName);
    }
    let weight = i16::try_from(variant.weight).ok();
    let weight = weight.filter(|weight| (1..=WEIGHT_MAX).contains(weight));
    let weight = weight.ok_or(VariantFault::InvalidWeight)?;
    Ok(Checked { name: name.to_owned(), template: variant.text, weight })
}

/// What is wrong with a text: it must be a template, its fields attributes of the account, and
/// preference pages have an address if it names them.
async fn text_fault(
    ctx: &Ctx,
    account_id: AccountId,
    text: &str,
) -> Result<Option<TextFault>, Failed> {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(fault) => return Ok(Some(TextFault::Template(fault))),
    };
    if template.has_preferences() && ctx.settings.server.public_url.is_empty() {
        return Ok(Some(TextFault::NoPreferencePages));
    }
    let keys: BTreeSet<String> = template.keys().map(str::to_owned).collect();
    let is_known = contacts::has_attributes(&ctx.db, account_id, &keys).await?;
    Ok((!is_known).then_some(TextFault::UnknownAttribute))
}

/// What is wrong with a text, that of a variant or of a whole campaign.
enum TextFault {
    Template(TemplateFault),
    UnknownAttribute,
    NoPreferencePages,
}

impl From<TextFault> for VariantFault {
    fn from(fault: TextFault) -> Self {
        match fault {
            TextFault::Template(fault) => Self::Text(fault),
            TextFault::UnknownAttribute => Self::UnknownAttribute,
            TextFault::NoPreferencePages => Self::NoPreferencePages,
        }
    }
}

impl From<TextFault> for WriteCampaignRejection {
    fn from(fault: TextFault) -> Self {
        match fault {
            TextFault::Template(fault) => Self::Text(fault),
            TextFault::UnknownAttribute => Self::UnknownAttribute,
            TextFault::NoPreferencePages => Self::NoPreferencePages,
        }
    }
}

/// The variants of some campaigns, those of each in their order.
pub(super) async fn of_campaigns(
    store: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[CampaignId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::CampaignId.is_in(ids.iter().copied()))
        .order_by_asc(Column::CampaignId)
        .order_by_asc(Column::Ordinal)
        .all(store)
        .await
}

/// Keeps what a campaign says, in place of what it said; its row is locked. One that retries another
/// one keeps its split.
///
/// # Errors
/// [`WriteCampaignRejection::SplitOfRetry`], or the store's own.
pub(super) async fn replace(
    tx: &Tx,
    campaign: &Campaign,
    content: &Content,
) -> Result<(), Error<WriteCampaignRejection>> {
    let (account_id, id) = (campaign.account_id, campaign.id);
    if campaign.split_from.is_some() {
        let kept = of_campaigns(&**tx, account_id, &[id]).await?;
        if !content.splits_like(&kept) {
            return Err(Error::Rejected(WriteCampaignRejection::SplitOfRetry));
        }
    }
    Entity::delete_many()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::CampaignId.eq(id))
        .exec(&**tx)
        .await?;
    Ok(insert(tx, campaign, content).await?)
}

/// Keeps the variants of a campaign that has none.
pub(super) async fn insert(tx: &Tx, campaign: &Campaign, content: &Content) -> Result<(), DbErr> {
    let Content::Variants(variants) = content else { return Ok(()) };
    let rows = variants.iter().zip(1_i16..).map(|(variant, ordinal)| ActiveModel {
        account_id: Set(campaign.account_id),
        campaign_id: Set(campaign.id),
        ordinal: Set(ordinal),
        name: Set(variant.name.clone()),
        template: Set(variant.template.clone()),
        weight: Set(variant.weight),
        ..ActiveModel::default()
    });
    Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// What a campaign says that has these variants, if it has any: for one that retries it.
pub(super) fn copied(kept: &[Model], text: &str) -> Content {
    if kept.is_empty() {
        return Content::Text(text.to_owned());
    }
    let copy = |it: &Model| Checked {
        name: it.name.clone(),
        template: it.template.clone(),
        weight: it.weight,
    };
    Content::Variants(kept.iter().map(copy).collect())
}
