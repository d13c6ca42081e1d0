//! Segments: conditions on contacts under a name, always of the contacts as they are now.

use entity::ids::{AccountId, ContactId, SegmentId};
use entity::segment::{ActiveModel, Column, Entity, Model};
use entity::{campaign, contact};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect, Select, Set,
};

use super::condition::{Condition, ConditionFault};
use super::model::valid_name;
use super::queries::of_condition;
use super::{NAME_CHARS_MAX, SEGMENTS_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::TransactionError;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::{Error, Failed, violated_constraint};

/// A segment to be made.
#[derive(Clone, Debug)]
pub struct NewSegment {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// Who is in it.
    pub condition: Condition,
}

/// What of a segment is to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct SegmentChange {
    /// Another name.
    pub name: Option<String>,
    /// Another condition.
    pub condition: Option<Condition>,
}

/// Why a segment was not made, changed or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentRejection {
    /// There is none with this id.
    #[error("there is no such segment")]
    NotFound,
    /// Empty, too long or with control characters.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    InvalidName,
    /// Another segment has it.
    #[error("there is a segment of this name already")]
    NameTaken,
    /// There are [`SEGMENTS_MAX`].
    #[error("an account has at most {SEGMENTS_MAX} segments")]
    TooMany,
    /// The condition cannot be asked.
    #[error(transparent)]
    Condition(#[from] ConditionFault),
}

/// Makes a segment. Not idempotent: a second one of the name is refused.
///
/// # Errors
/// [`SegmentRejection`], or a failure.
pub async fn create_segment(ctx: &Ctx, new: NewSegment) -> Result<Model, Error<SegmentRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let name = valid_name(&new.name).ok_or(Error::Rejected(SegmentRejection::InvalidName))?;
    let condition = checked(ctx, &new.condition).await?;
    let now = ctx.clock.now();
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        name,
        condition,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let created = ctx
        .db
        .write(|tx| async move {
            if of_account(account_id).count(&*tx).await? >= SEGMENTS_MAX {
                return Err(Error::Rejected(SegmentRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    created.map_err(taken)?;
    Ok(row.clone())
}

/// Changes a segment. Idempotent but for its version.
///
/// # Errors
/// [`SegmentRejection`], or a failure.
pub async fn update_segment(
    ctx: &Ctx,
    id: SegmentId,
    change: SegmentChange,
) -> Result<Model, Error<SegmentRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let name = match &change.name {
        Some(name) => Some(valid_name(name).ok_or(Error::Rejected(SegmentRejection::InvalidName))?),
        None => None,
    };
    let condition = match &change.condition {
        Some(condition) => Some(checked(ctx, condition).await?),
        None => None,
    };
    let (name, condition, now) = (&name, &condition, ctx.clock.now());
    let updated = ctx
        .db
        .write(|tx| async move {
            let row = Entity::find_by_id((account_id, id)).lock_exclusive().one(&*tx).await?;
            let row = row.ok_or(Error::Rejected(SegmentRejection::NotFound))?;
            let version = row.version + 1;
            let mut row = row.into_active_model();
            if let Some(name) = name {
                row.name = Set(name.clone());
            }
            if let Some(condition) = condition {
                row.condition = Set(condition.clone());
            }
            row.version = Set(version);
            row.updated_at_ms = Set(now);
            Ok(row.update(&*tx).await?)
        })
        .await;
    updated.map_err(taken)
}

/// Deletes a segment, not its contacts. Deleting again answers [`SegmentRejection::NotFound`].
///
/// # Errors
/// [`SegmentRejection`], or a failure.
pub async fn delete_segment(ctx: &Ctx, id: SegmentId) -> Result<(), Error<SegmentRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let deleted = ctx
        .db
        .write(|tx| async move { Entity::delete_by_id((account_id, id)).exec(&*tx).await })
        .await?;
    match deleted.rows_affected {
        0 => Err(Error::Rejected(SegmentRejection::NotFound)),
        _ => Ok(()),
    }
}

/// The condition of a segment.
///
/// # Errors
/// [`Failed`] if the row holds no condition: a fault of ours.
pub fn segment_condition(segment: &Model) -> Result<Condition, Failed> {
    serde_json::from_str(&segment.condition).map_err(Failed::internal)
}

/// A page of the contacts in a segment, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn segment_contacts(
    ctx: &Ctx,
    segment: &Model,
    request: &PageRequest<ContactId>,
) -> Result<Page<contact::Model>, Failed> {
    let (select, key) = (in_segment(ctx, segment)?, contact::Column::Id);
    Ok(page::fetch_page(ctx.db.reader(), select, key, ListOrder::Descending, request).await?)
}

/// How many contacts are in a segment; the cost grows with the account's contacts.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn segment_contacts_count(ctx: &Ctx, segment: &Model) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), in_segment(ctx, segment)?).await?)
}

fn in_segment(ctx: &Ctx, segment: &Model) -> Result<Select<contact::Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(of_condition(ctx.db.store(), account_id, &segment_condition(segment)?))
}

/// Segments of the caller's account by id; those that it has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn segments_by_ids(ctx: &Ctx, ids: &[SegmentId]) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let found = of_account(account_id).filter(Column::Id.is_in(ids.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

/// A page of the account's segments, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn segments_page(
    ctx: &Ctx,
    request: &PageRequest<SegmentId>,
) -> Result<Page<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let (select, order) = (of_account(account_id), ListOrder::Descending);
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many segments [`segments_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn segments_count(ctx: &Ctx) -> Result<u64, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(page::count_all(ctx.db.reader(), of_account(account_id)).await?)
}

fn of_account(account_id: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account_id))
}

/// A condition that can be asked, as it is stored.
async fn checked(ctx: &Ctx, condition: &Condition) -> Result<String, Error<SegmentRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let refused = |fault: ConditionFault| Error::Rejected(SegmentRejection::from(fault));
    condition.check().map_err(refused)?;
    let attributes = super::attributes::by_key(ctx.db.reader(), account_id).await?;
    condition.check_attributes(&attributes).map_err(refused)?;
    let named: Vec<_> = condition.lists().into_iter().collect();
    if super::lists::lists_by_ids(ctx, &named).await?.len() < named.len() {
        return Err(refused(ConditionFault::UnknownList));
    }
    let named = condition.campaigns();
    let known = campaign::Entity::find()
        .filter(campaign::Column::AccountId.eq(account_id))
        .filter(campaign::Column::Id.is_in(named.iter().copied()));
    if page::count_all(ctx.db.reader(), known).await? < named.len() as u64 {
        return Err(refused(ConditionFault::UnknownCampaign));
    }
    Ok(serde_json::to_string(condition).map_err(Failed::internal)?)
}

fn taken(error: Error<SegmentRejection>) -> Error<SegmentRejection> {
    let constraint = error.store_error().and_then(violated_constraint);
    match constraint {
        Some(name) if name.contains("segment_name_unique") || name.contains("segment.name") => {
            Error::Rejected(SegmentRejection::NameTaken)
        }
        _ => error,
    }
}
