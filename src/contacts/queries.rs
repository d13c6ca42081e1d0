//! Reads of contacts, always within the caller's account.

use std::collections::HashMap;

use entity::contact::{Column, Entity, Model};
use entity::enums::AttributeKind;
use entity::ids::{AccountId, AttributeId, ContactId, ListId};
use entity::{contact_attribute, contact_tag, contact_value, list_member};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::condition::{Condition, sql};
use super::model::AttributeValue;
use super::store::{default_region, parse_number};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Store;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// Which contacts are wanted; absent fields leave all, present ones all hold.
#[derive(Clone, Debug, Default)]
pub struct ContactFilter {
    /// With this number, as people write it.
    pub number: Option<String>,
    /// On this list.
    pub list_id: Option<ListId>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of which this holds.
    pub condition: Option<Condition>,
}

/// A page of the account's contacts, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn contacts_page(
    ctx: &Ctx,
    filter: &ContactFilter,
    request: &PageRequest<ContactId>,
) -> Result<Page<Model>, Failed> {
    let select = filtered(ctx, filter).await?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many contacts [`contacts_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn contacts_count(ctx: &Ctx, filter: &ContactFilter) -> Result<u64, Failed> {
    let select = filtered(ctx, filter).await?;
    Ok(page::count_all(ctx.db.reader(), select).await?)
}

/// The contacts of which `condition` holds.
pub(super) fn of_condition(
    store: Store,
    account_id: AccountId,
    condition: &Condition,
) -> Select<Entity> {
    let (text, values) = sql(store, account_id, condition);
    Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Expr::cust_with_values(text, values))
}

async fn filtered(ctx: &Ctx, filter: &ContactFilter) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    filtered_in(ctx, account_id, filter).await
}

/// The contacts of an account that pass a filter; the caller was authorized.
pub(super) async fn filtered_in(
    ctx: &Ctx,
    account_id: AccountId,
    filter: &ContactFilter,
) -> Result<Select<Entity>, Failed> {
    let mut select = Entity::find().filter(Column::AccountId.eq(account_id));
    if let Some(number) = &filter.number {
        let region = default_region(ctx.db.reader(), account_id).await?;
        // What is no number is nobody's.
        let number = parse_number(number, region).map(|number| number.e164().to_owned());
        select = select.filter(Column::Number.eq(number.unwrap_or_default()));
    }
    if let Some(list_id) = filter.list_id {
        let members = Query::select()
            .column(list_member::Column::ContactId)
            .from(list_member::Entity)
            .and_where(list_member::Column::AccountId.eq(account_id))
            .and_where(list_member::Column::ListId.eq(list_id))
            .to_owned();
        select = select.filter(Column::Id.in_subquery(members));
    }
    if let Some(tag) = &filter.tag {
        let tagged = Query::select()
            .column(contact_tag::Column::ContactId)
            .from(contact_tag::Entity)
            .and_where(contact_tag::Column::AccountId.eq(account_id))
            .and_where(contact_tag::Column::Tag.eq(tag))
            .to_owned();
        select = select.filter(Column::Id.in_subquery(tagged));
    }
    if let Some(condition) = &filter.condition {
        condition.check().map_err(|fault| Failed::BadRequest(fault.to_string()))?;
        let (text, values) = sql(ctx.db.store(), account_id, condition);
        select = select.filter(Expr::cust_with_values(text, values));
    }
    Ok(select)
}

/// Contacts by id; those that the account has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn by_ids(ctx: &Ctx, ids: &[ContactId]) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Id.is_in(ids.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

/// Contacts by their numbers in E.164; those that the account has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn by_numbers(ctx: &Ctx, numbers: &[&str]) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Number.is_in(numbers.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

/// Contacts by the keyed hashes of their numbers; those that the account has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn by_macs(ctx: &Ctx, macs: &[[u8; 32]]) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::NumberMac.is_in(macs.iter().map(|mac| mac.to_vec())));
    Ok(found.all(ctx.db.reader()).await?)
}

/// The tags of contacts, by contact, each's in order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn tags_of(
    ctx: &Ctx,
    ids: &[ContactId],
) -> Result<HashMap<ContactId, Vec<String>>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let found = contact_tag::Entity::find()
        .filter(contact_tag::Column::AccountId.eq(account_id))
        .filter(contact_tag::Column::ContactId.is_in(ids.iter().copied()))
        .order_by_asc(contact_tag::Column::Tag)
        .all(ctx.db.reader())
        .await?;
    let mut by_contact: HashMap<ContactId, Vec<String>> = HashMap::new();
    for row in found {
        by_contact.entry(row.contact_id).or_default().push(row.tag);
    }
    Ok(by_contact)
}

/// What is known of contacts: by contact, the key and value of each attribute that is not deleted,
/// by key.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn values_of(
    ctx: &Ctx,
    ids: &[ContactId],
) -> Result<HashMap<ContactId, Vec<(String, AttributeValue)>>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let reader = ctx.db.reader();
    let found: Vec<(ContactId, AttributeId, Option<String>, Option<i64>)> =
        contact_value::Entity::find()
            .select_only()
            .columns([
                contact_value::Column::ContactId,
                contact_value::Column::AttributeId,
                contact_value::Column::TextValue,
                contact_value::Column::NumberValue,
            ])
            .filter(contact_value::Column::AccountId.eq(account_id))
            .filter(contact_value::Column::ContactId.is_in(ids.iter().copied()))
            .into_tuple()
            .all(reader)
            .await?;
    let attributes: HashMap<AttributeId, (String, AttributeKind)> =
        contact_attribute::Entity::find()
            .filter(contact_attribute::Column::AccountId.eq(account_id))
            .filter(contact_attribute::Column::DeletedAtMs.is_null())
            .all(reader)
            .await?
            .into_iter()
            .map(|attribute| (attribute.id, (attribute.key, attribute.kind)))
            .collect();
    let mut by_contact: HashMap<ContactId, Vec<(String, AttributeValue)>> = HashMap::new();
    for (contact_id, attribute_id, text, number) in found {
        let Some((key, kind)) = attributes.get(&attribute_id) else { continue };
        if let Some(value) = AttributeValue::from_columns(*kind, text, number) {
            by_contact.entry(contact_id).or_default().push((key.clone(), value));
        }
    }
    for values in by_contact.values_mut() {
        values.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    Ok(by_contact)
}
