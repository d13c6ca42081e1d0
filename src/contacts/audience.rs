//! Audiences: lists and segments together, less others, as one condition. Asked by campaigns.

use std::collections::{BTreeSet, HashMap};

use entity::contact::Entity;
use entity::enums::{AttributeKind, SuppressionScope};
use entity::ids::{AccountId, AttributeId, ContactId, ListId, SegmentId};
use entity::{contact_list, segment};
use sea_orm::sea_query::{Expr, Value};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::model::AttributeValue;
use super::queries::of_condition;
use super::segment_condition;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Db, Store};
use crate::error::{Error, Failed};

/// Lists and segments that an audience is made of.
pub const WITHIN_MAX: usize = 20;
/// Lists and segments that an audience leaves out.
pub const EXCEPT_MAX: usize = 20;

/// Who is on one of the lists or in one of the segments, and neither on one of the excluded lists
/// nor in one of the excluded segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// On one of these, or …
    pub lists: Vec<ListId>,
    /// … in one of these.
    pub segments: Vec<SegmentId>,
    /// On none of these.
    pub exclude_lists: Vec<ListId>,
    /// In none of these.
    pub exclude_segments: Vec<SegmentId>,
}

/// Why an audience cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceFault {
    /// It names nobody.
    #[error("an audience names at least one list or segment")]
    NamesNobody,
    /// Too many lists and segments.
    #[error(
        "an audience names at most {WITHIN_MAX} lists and segments, and leaves out at most {EXCEPT_MAX}"
    )]
    TooLarge,
    /// A list is not there.
    #[error("there is no such list")]
    UnknownList,
    /// A segment is not there.
    #[error("there is no such segment")]
    UnknownSegment,
}

/// The audience as one condition, by the segments as they are now. Asks for no right: it is part of
/// what the caller was authorized for.
///
/// # Errors
/// [`AudienceFault`], or a failure.
pub async fn audience_condition(
    ctx: &Ctx,
    account_id: AccountId,
    audience: &Audience,
) -> Result<Condition, Error<AudienceFault>> {
    let within = audience.lists.len() + audience.segments.len();
    let except = audience.exclude_lists.len() + audience.exclude_segments.len();
    if within == 0 {
        return Err(Error::Rejected(AudienceFault::NamesNobody));
    }
    if within > WITHIN_MAX || except > EXCEPT_MAX {
        return Err(Error::Rejected(AudienceFault::TooLarge));
    }
    let within = any_of(ctx, account_id, &audience.lists, &audience.segments).await?;
    let except =
        any_of(ctx, account_id, &audience.exclude_lists, &audience.exclude_segments).await?;
    Ok(Condition::All(vec![within, Condition::Not(Box::new(except))]))
}

async fn any_of(
    ctx: &Ctx,
    account_id: AccountId,
    lists: &[ListId],
    segments: &[SegmentId],
) -> Result<Condition, Error<AudienceFault>> {
    let reader = ctx.db.reader();
    let known: Vec<ListId> = contact_list::Entity::find()
        .select_only()
        .column(contact_list::Column::Id)
        .filter(contact_list::Column::AccountId.eq(account_id))
        .filter(contact_list::Column::Id.is_in(lists.iter().copied()))
        .filter(contact_list::Column::DeletedAtMs.is_null())
        .into_tuple()
        .all(reader)
        .await?;
    if !lists.iter().all(|id| known.contains(id)) {
        return Err(Error::Rejected(AudienceFault::UnknownList));
    }
    let known = segment::Entity::find()
        .filter(segment::Column::AccountId.eq(account_id))
        .filter(segment::Column::Id.is_in(segments.iter().copied()))
        .all(reader)
        .await?;
    let mut any: Vec<Condition> = lists.iter().copied().map(Condition::List).collect();
    for id in segments {
        let segment = known.iter().find(|segment| segment.id == *id);
        let segment = segment.ok_or(Error::Rejected(AudienceFault::UnknownSegment))?;
        any.push(segment_condition(segment).map_err(Error::Failed)?);
    }
    Ok(Condition::Any(any))
}

/// The contacts of an account of which a condition holds, unsorted. Asks for no right: it is part of
/// what the caller was authorized for.
pub fn members(store: Store, account_id: AccountId, condition: &Condition) -> Select<Entity> {
    of_condition(store, account_id, condition)
}

/// Only those whom no suppression keeps from messages of a sender about a topic.
pub fn is_reachable(
    store: Store,
    select: Select<Entity>,
    sender: &str,
    topic: Option<&str>,
) -> Select<Entity> {
    let sign = match store {
        Store::Sqlite => "?",
        Store::Postgres => "$",
    };
    let mut values: Vec<Value> = vec![sender.into()];
    let by_topic = match topic {
        None => String::new(),
        Some(topic) => {
            values.push(topic.into());
            format!(" OR (s.scope = {} AND s.scope_value = {sign})", SuppressionScope::Topic.code())
        }
    };
    let text = format!(
        "NOT EXISTS (SELECT 1 FROM suppression s WHERE s.account_id = contact.account_id \
         AND s.number_mac = contact.number_mac AND (s.scope = {} OR (s.scope = {} \
         AND s.scope_value = {sign}){by_topic}))",
        SuppressionScope::Account.code(),
        SuppressionScope::Sender.code(),
    );
    select.filter(Expr::cust_with_values(text, values))
}

impl Audience {
    /// As it is stored.
    ///
    /// # Errors
    /// [`Failed`]: a fault of ours.
    pub fn to_stored(&self) -> Result<String, Failed> {
        serde_json::to_string(self).map_err(Failed::internal)
    }

    /// From how it is stored.
    ///
    /// # Errors
    /// [`Failed`] if the row holds no audience: a fault of ours.
    pub fn from_stored(text: &str) -> Result<Self, Failed> {
        serde_json::from_str(text).map_err(Failed::internal)
    }
}

/// Whether the account keeps attributes of all of these keys.
///
/// # Errors
/// The store's own.
pub async fn has_attributes(
    db: &Db,
    account_id: AccountId,
    keys: &BTreeSet<String>,
) -> Result<bool, DbErr> {
    if keys.is_empty() {
        return Ok(true);
    }
    let known = super::attributes::by_key(db.reader(), account_id).await?;
    Ok(keys.iter().all(|key| known.contains_key(key)))
}

/// A contact as a message to it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// E.164.
    pub number: String,
    /// Its values by key.
    pub values: HashMap<String, AttributeValue>,
}

const ID_COLUMNS: &[BulkColumn] = &[BulkColumn::new("contact_id", BulkType::Uuid)];

/// The numbers of some contacts, and their values of some attributes; those that are gone are
/// missing. Two or three statements for any number of contacts. Asks for no right: it is part of
/// what the caller was authorized for.
///
/// # Errors
/// The store's own.
pub async fn people(
    db: &Db,
    account_id: AccountId,
    ids: &[ContactId],
    keys: &BTreeSet<String>,
) -> Result<HashMap<ContactId, Person>, DbErr> {
    let rows = || {
        let mut rows = Bulk::new(ID_COLUMNS);
        for id in ids {
            rows.push([id.0.into()]);
        }
        rows
    };
    let found = rows()
        .read(
            db,
            "SELECT c.id, c.number FROM rows CROSS JOIN contact c \
             WHERE c.account_id = {1} AND c.id = rows.contact_id",
            vec![account_id.0.into()],
        )
        .await?;
    let mut people: HashMap<ContactId, Person> = HashMap::with_capacity(found.len());
    for row in found {
        let person = Person { number: row.try_get("", "number")?, values: HashMap::new() };
        people.insert(row.try_get("", "id")?, person);
    }
    if keys.is_empty() {
        return Ok(people);
    }
    let attributes: HashMap<AttributeId, (String, AttributeKind)> =
        super::attributes::by_key(db.reader(), account_id)
            .await?
            .into_iter()
            .filter(|(key, _)| keys.contains(key))
            .map(|(key, attribute)| (attribute.id, (key, attribute.kind)))
            .collect();
    let found = rows()
        .read(
            db,
            "SELECT v.contact_id, v.attribute_id, v.text_value, v.number_value \
             FROM rows CROSS JOIN contact_value v \
             WHERE v.account_id = {1} AND v.contact_id = rows.contact_id",
            vec![account_id.0.into()],
        )
        .await?;
    for row in found {
        let id: AttributeId = row.try_get("", "attribute_id")?;
        let Some((key, kind)) = attributes.get(&id) else { continue };
        let (text, number) = (row.try_get("", "text_value")?, row.try_get("", "number_value")?);
        let person = people.get_mut(&row.try_get::<ContactId>("", "contact_id")?);
        if let (Some(person), Some(value)) =
            (person, AttributeValue::from_columns(*kind, text, number))
        {
            person.values.insert(key.clone(), value);
        }
    }
    Ok(people)
}
