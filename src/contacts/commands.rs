//! Making, changing and deleting contacts.

use std::collections::BTreeSet;

use entity::contact::{ActiveModel, Column, Entity, Model};
use entity::ids::{AccountId, AttributeId, ContactId};
use entity::{contact_tag, contact_value};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};

use super::model::{AttributeValue, fits_key, valid_tag};
use super::store::{self, add_tags, number_mac, put_values};
use super::{TAG_CHARS_MAX, TAGS_MAX, TEXT_CHARS_MAX, attributes};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, violated_constraint};
use crate::types::phone::PhoneNumber;

/// A contact to be made.
#[derive(Clone, Debug, Default)]
pub struct NewContact {
    /// E.164, or national with the account's default region.
    pub number: String,
    /// Values by key.
    pub attributes: Vec<(String, Option<AttributeValue>)>,
    /// Tags.
    pub tags: Vec<String>,
}

/// What of a contact is to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ContactChange {
    /// Another number.
    pub number: Option<String>,
    /// Values by key; none clears.
    pub attributes: Vec<(String, Option<AttributeValue>)>,
    /// These tags instead of all others.
    pub tags: Option<Vec<String>>,
}

/// Why a contact was not made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteContactRejection {
    /// There is none with this id.
    #[error("there is no such contact")]
    NotFound,
    /// Not a number that exists.
    #[error("not a phone number, or one without its country code")]
    InvalidNumber,
    /// Another contact has it.
    #[error("the account has a contact with this number already")]
    NumberTaken,
    /// The account has no such attribute: its place in the input.
    #[error("there is no attribute of this key")]
    UnknownAttribute(usize),
    /// The value is of another type than its attribute, or too long: its place in the input.
    #[error(
        "the value has another type than the attribute, or is not a text of 1 to {TEXT_CHARS_MAX} characters"
    )]
    InvalidValue(usize),
    /// Empty, too long or with control characters: its place in the input.
    #[error("a tag has 1 to {TAG_CHARS_MAX} characters, none of them a control character")]
    InvalidTag(usize),
    /// More than [`TAGS_MAX`].
    #[error("a contact has at most {TAGS_MAX} tags")]
    TooManyTags,
}

/// Why a contact was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteContactRejection {
    /// There is none with this id.
    #[error("there is no such contact")]
    NotFound,
}

/// Makes a contact. Not idempotent: a second one with the number is refused.
///
/// # Errors
/// [`WriteContactRejection`], or a failure.
pub async fn create(ctx: &Ctx, new: NewContact) -> Result<Model, Error<WriteContactRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let number = parsed(ctx, account_id, &new.number).await?;
    let tags = &checked_tags(&new.tags)?;
    let now = ctx.clock.now();
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        number_mac: number_mac(&ctx.master_key, account_id, number.e164()).to_vec(),
        country: store::country(&number),
        number: number.e164().to_owned(),
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let values = &new.attributes;
    let created = ctx
        .db
        .write(|tx| async move {
            let checked = checked_values(&tx, account_id, values).await?;
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            write_values(&tx, account_id, row.id, checked).await?;
            add_tags(&tx, account_id, row.id, tags).await?;
            Ok::<_, Error<WriteContactRejection>>(())
        })
        .await;
    created.map_err(taken)?;
    Ok(row.clone())
}

/// Changes a contact: its version grows even if nothing differs. Idempotent but for that.
///
/// # Errors
/// [`WriteContactRejection`], or a failure.
pub async fn update(
    ctx: &Ctx,
    id: ContactId,
    change: ContactChange,
) -> Result<Model, Error<WriteContactRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let number = match &change.number {
        Some(number) => Some(parsed(ctx, account_id, number).await?),
        None => None,
    };
    let tags = match &change.tags {
        Some(tags) => Some(checked_tags(tags)?),
        None => None,
    };
    let (now, tags, values) = (ctx.clock.now(), &tags, &change.attributes);
    let updated = ctx
        .db
        .write(|tx| async move {
            let row = store::locked(&tx, account_id, id).await?;
            let row = row.ok_or(Error::Rejected(WriteContactRejection::NotFound))?;
            let checked = checked_values(&tx, account_id, values).await?;
            let version = row.version + 1;
            let mut row = row.into_active_model();
            if let Some(number) = &number {
                let mac = number_mac(&ctx.master_key, account_id, number.e164());
                row.number_mac = Set(mac.to_vec());
                row.country = Set(store::country(number));
                row.number = Set(number.e164().to_owned());
            }
            row.version = Set(version);
            row.updated_at_ms = Set(now);
            let row = row.update(&*tx).await?;
            write_values(&tx, account_id, id, checked).await?;
            if let Some(tags) = tags {
                contact_tag::Entity::delete_many()
                    .filter(contact_tag::Column::AccountId.eq(account_id))
                    .filter(contact_tag::Column::ContactId.eq(id))
                    .exec(&*tx)
                    .await?;
                add_tags(&tx, account_id, id, tags).await?;
            }
            Ok(row)
        })
        .await;
    updated.map_err(taken)
}

/// Deletes a contact with its values, tags and places on lists. What it consented to stays in the
/// log, and it stays suppressed. Deleting again answers [`DeleteContactRejection::NotFound`].
///
/// # Errors
/// [`DeleteContactRejection`], or a failure.
pub async fn delete(ctx: &Ctx, id: ContactId) -> Result<(), Error<DeleteContactRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let deleted = ctx
        .db
        .write(|tx| async move {
            let filtered = Entity::delete_many().filter(Column::AccountId.eq(account_id));
            filtered.filter(Column::Id.eq(id)).exec(&*tx).await
        })
        .await?;
    match deleted.rows_affected {
        0 => Err(Error::Rejected(DeleteContactRejection::NotFound)),
        _ => Ok(()),
    }
}

async fn parsed(
    ctx: &Ctx,
    account_id: AccountId,
    number: &str,
) -> Result<PhoneNumber, Error<WriteContactRejection>> {
    let region = store::default_region(ctx.db.reader(), account_id).await?;
    store::parse_number(number, region).ok_or(Error::Rejected(WriteContactRejection::InvalidNumber))
}

fn checked_tags(tags: &[String]) -> Result<BTreeSet<String>, Error<WriteContactRejection>> {
    let mut checked = BTreeSet::new();
    for (place, tag) in tags.iter().enumerate() {
        let tag =
            valid_tag(tag).ok_or(Error::Rejected(WriteContactRejection::InvalidTag(place)))?;
        checked.insert(tag);
        if checked.len() > TAGS_MAX {
            return Err(Error::Rejected(WriteContactRejection::TooManyTags));
        }
    }
    Ok(checked)
}

/// Values with their attributes, in the order given.
async fn checked_values(
    tx: &Tx,
    account_id: AccountId,
    values: &[(String, Option<AttributeValue>)],
) -> Result<Vec<(AttributeId, Option<AttributeValue>)>, Error<WriteContactRejection>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let attributes = attributes::by_key(&**tx, account_id).await?;
    let check = |(place, (key, value)): (usize, &(String, Option<AttributeValue>))| {
        let attribute =
            attributes.get(key).ok_or(WriteContactRejection::UnknownAttribute(place))?;
        let fits = |value: &AttributeValue| value.kind() == attribute.kind && fits_key(key, value);
        if value.as_ref().is_some_and(|value| !fits(value)) {
            return Err(WriteContactRejection::InvalidValue(place));
        }
        Ok((attribute.id, value.clone()))
    };
    values.iter().enumerate().map(check).collect::<Result<_, _>>().map_err(Error::Rejected)
}

/// Writes and clears values; of several for one attribute the last one counts.
async fn write_values(
    tx: &Tx,
    account_id: AccountId,
    contact_id: ContactId,
    values: Vec<(AttributeId, Option<AttributeValue>)>,
) -> Result<(), sea_orm::DbErr> {
    let last: std::collections::BTreeMap<_, _> = values.into_iter().collect();
    let cleared: Vec<AttributeId> =
        last.iter().filter(|(_, value)| value.is_none()).map(|(id, _)| *id).collect();
    if !cleared.is_empty() {
        contact_value::Entity::delete_many()
            .filter(contact_value::Column::AccountId.eq(account_id))
            .filter(contact_value::Column::ContactId.eq(contact_id))
            .filter(contact_value::Column::AttributeId.is_in(cleared))
            .exec(&**tx)
            .await?;
    }
    let set: Vec<_> =
        last.into_iter().filter_map(|(id, value)| Some((contact_id, id, value?))).collect();
    put_values(tx, account_id, &set).await
}

fn taken(error: Error<WriteContactRejection>) -> Error<WriteContactRejection> {
    let constraint = error.store_error().and_then(violated_constraint);
    match constraint {
        Some(name) if name.contains("contact_number_unique") || name.contains("contact.number") => {
            Error::Rejected(WriteContactRejection::NumberTaken)
        }
        _ => error,
    }
}
