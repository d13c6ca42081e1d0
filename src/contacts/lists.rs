//! Lists of contacts.

use std::collections::{BTreeSet, HashMap};

use entity::contact_list::{ActiveModel, Column, Entity, Model};
use entity::ids::{AccountId, ContactId, ListId};
use entity::time::UnixMillis;
use entity::{contact, list_member};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
    Select, Statement,
};

use super::model::valid_name;
use super::{LISTS_MAX, NAME_CHARS_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::db::{Bulk, BulkColumn, BulkType, TransactionError};
use crate::error::{Error, Failed, violated_constraint};

/// Contacts that one call puts on a list or takes off it.
pub const LISTED_MAX: usize = 1_000;
/// Rows that one transaction of [`purge_deleted`] removes.
const PURGE_BATCH: u64 = 1_000;

/// Why a list was not made, renamed or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListRejection {
    /// There is none with this id.
    #[error("there is no such list")]
    NotFound,
    /// Empty, too long or with control characters.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    InvalidName,
    /// Another list has it.
    #[error("there is a list of this name already")]
    NameTaken,
    /// There are [`LISTS_MAX`].
    #[error("an account has at most {LISTS_MAX} lists")]
    TooMany,
}

/// Why contacts were not put on a list or taken off it; nothing was changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListMembersRejection {
    /// There is no list with this id.
    #[error("there is no such list")]
    NotFound,
    /// No contact is named.
    #[error("name at least one contact")]
    Empty,
    /// More than [`LISTED_MAX`].
    #[error("at most {LISTED_MAX} contacts go into one call")]
    TooMany,
}

/// What became of a call that puts contacts on a list or takes them off it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersChange {
    /// The list, as it was.
    pub list: Model,
    /// How many were put on it or taken off; the others were there, or not there, already.
    pub changed: u64,
    /// Those that the account has not, in the order given.
    pub unknown: Vec<ContactId>,
}

/// Makes a list. Not idempotent: a second one of the name is refused.
///
/// # Errors
/// [`ListRejection`], or a failure.
pub async fn create_list(ctx: &Ctx, name: &str) -> Result<Model, Error<ListRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let name = valid_name(name).ok_or(Error::Rejected(ListRejection::InvalidName))?;
    let now = ctx.clock.now();
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        name,
        deleted_at_ms: None,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let created = ctx
        .db
        .write(|tx| async move {
            if live(account_id).count(&*tx).await? >= LISTS_MAX {
                return Err(Error::Rejected(ListRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    created.map_err(taken)?;
    Ok(row.clone())
}

/// Renames a list. Idempotent but for its version.
///
/// # Errors
/// [`ListRejection`], or a failure.
pub async fn rename_list(ctx: &Ctx, id: ListId, name: &str) -> Result<Model, Error<ListRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let name = &valid_name(name).ok_or(Error::Rejected(ListRejection::InvalidName))?;
    let now = ctx.clock.now();
    let renamed = ctx
        .db
        .write(|tx| async move {
            Entity::update_many()
                .col_expr(Column::Name, Expr::value(name.clone()))
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .col_expr(Column::UpdatedAtMs, Expr::value(now.0))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Id.eq(id))
                .filter(Column::DeletedAtMs.is_null())
                .exec(&*tx)
                .await?;
            let row = live(account_id).filter(Column::Id.eq(id)).one(&*tx).await?;
            row.ok_or(Error::Rejected(ListRejection::NotFound))
        })
        .await;
    renamed.map_err(taken)
}

/// Deletes a list, not its contacts. It is gone at once for whoever asks, and its members from the
/// store soon. Deleting again answers [`ListRejection::NotFound`].
///
/// # Errors
/// [`ListRejection`], or a failure.
pub async fn delete_list(ctx: &Ctx, id: ListId) -> Result<(), Error<ListRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let now = ctx.clock.now();
    let deleted = ctx
        .db
        .write(|tx| async move {
            Entity::update_many()
                .col_expr(Column::DeletedAtMs, Expr::value(now.0))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Id.eq(id))
                .filter(Column::DeletedAtMs.is_null())
                .exec(&*tx)
                .await
        })
        .await?;
    match deleted.rows_affected {
        0 => Err(Error::Rejected(ListRejection::NotFound)),
        _ => Ok(()),
    }
}

const MEMBER_COLUMNS: &[BulkColumn] = &[BulkColumn::new("contact_id", BulkType::Uuid)];

/// Puts contacts on a list. Idempotent: who is there already stays.
///
/// # Errors
/// [`ListMembersRejection`], or a failure.
pub async fn add_to_list(
    ctx: &Ctx,
    id: ListId,
    contacts: &[ContactId],
) -> Result<MembersChange, Error<ListMembersRejection>> {
    const ADD: &str = "INSERT INTO list_member (account_id, list_id, contact_id, added_at_ms) \
        SELECT {1}, {2}, contact_id, {3} FROM rows WHERE true ON CONFLICT DO NOTHING";
    change_members(ctx, id, contacts, ADD, Some(ctx.clock.now())).await
}

/// Takes contacts off a list. Idempotent: who is not there is passed over.
///
/// # Errors
/// [`ListMembersRejection`], or a failure.
pub async fn remove_from_list(
    ctx: &Ctx,
    id: ListId,
    contacts: &[ContactId],
) -> Result<MembersChange, Error<ListMembersRejection>> {
    const REMOVE: &str = "DELETE FROM list_member WHERE account_id = {1} AND list_id = {2} \
        AND contact_id IN (SELECT contact_id FROM rows)";
    change_members(ctx, id, contacts, REMOVE, None).await
}

/// Runs `change` over the contacts that the account has; `{1}` and `{2}` are the account and the
/// list, `{3}` is `time` if there is one.
async fn change_members(
    ctx: &Ctx,
    id: ListId,
    contacts: &[ContactId],
    change: &str,
    time: Option<UnixMillis>,
) -> Result<MembersChange, Error<ListMembersRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    match contacts.len() {
        0 => return Err(Error::Rejected(ListMembersRejection::Empty)),
        1..=LISTED_MAX => {}
        _ => return Err(Error::Rejected(ListMembersRejection::TooMany)),
    }
    ctx.db
        .write(|tx| async move {
            let list = live(account_id).filter(Column::Id.eq(id)).one(&*tx).await?;
            let list = list.ok_or(Error::Rejected(ListMembersRejection::NotFound))?;
            // Sorted, so that two calls over the same contacts lock them in one order.
            let known: BTreeSet<ContactId> = contact::Entity::find()
                .select_only()
                .column(contact::Column::Id)
                .filter(contact::Column::AccountId.eq(account_id))
                .filter(contact::Column::Id.is_in(contacts.iter().copied()))
                .into_tuple::<ContactId>()
                .all(&*tx)
                .await?
                .into_iter()
                .collect();
            let mut rows = Bulk::new(MEMBER_COLUMNS);
            for contact_id in &known {
                rows.push([contact_id.0.into()]);
            }
            let mut values = vec![account_id.0.into(), id.0.into()];
            values.extend(time.map(|time| time.0.into()));
            let changed = rows.execute(&tx, change, values).await?;
            let unknown = contacts.iter().copied().filter(|id| !known.contains(id)).collect();
            Ok(MembersChange { list, changed, unknown })
        })
        .await
}

/// Lists of the caller's account by id; those that it has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn lists_by_ids(ctx: &Ctx, ids: &[ListId]) -> Result<Vec<Model>, Failed> {
    let found = of_account(ctx)?.filter(Column::Id.is_in(ids.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

/// A page of the account's lists, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn lists_page(ctx: &Ctx, request: &PageRequest<ListId>) -> Result<Page<Model>, Failed> {
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), of_account(ctx)?, Column::Id, order, request).await?)
}

/// How many lists [`lists_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn lists_count(ctx: &Ctx) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_account(ctx)?).await?)
}

/// How many contacts are on a list; the cost grows with them.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn list_size(ctx: &Ctx, id: ListId) -> Result<u64, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let members = list_member::Entity::find()
        .filter(list_member::Column::AccountId.eq(account_id))
        .filter(list_member::Column::ListId.eq(id));
    Ok(members.count(ctx.db.reader()).await?)
}

/// The lists that contacts are on, by contact, at most [`LISTS_MAX`] each.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn lists_of_contacts(
    ctx: &Ctx,
    ids: &[ContactId],
) -> Result<HashMap<ContactId, Vec<Model>>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let reader = ctx.db.reader();
    let members: Vec<(ContactId, ListId)> = list_member::Entity::find()
        .select_only()
        .columns([list_member::Column::ContactId, list_member::Column::ListId])
        .filter(list_member::Column::AccountId.eq(account_id))
        .filter(list_member::Column::ContactId.is_in(ids.iter().copied()))
        .into_tuple()
        .all(reader)
        .await?;
    let named: BTreeSet<ListId> = members.iter().map(|(_, list_id)| *list_id).collect();
    let lists = live(account_id).filter(Column::Id.is_in(named)).all(reader).await?;
    let lists: HashMap<ListId, Model> = lists.into_iter().map(|list| (list.id, list)).collect();
    let mut by_contact: HashMap<ContactId, Vec<Model>> = HashMap::new();
    for (contact_id, list_id) in members {
        if let Some(list) = lists.get(&list_id) {
            by_contact.entry(contact_id).or_default().push(list.clone());
        }
    }
    for lists in by_contact.values_mut() {
        lists.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(by_contact)
}

/// Removes the members of deleted lists and the values of deleted attributes, batch by batch, then
/// the lists and attributes. Returns how many rows.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn purge_deleted(ctx: &Ctx) -> Result<u64, DbErr> {
    let mut purged = 0;
    for (parent, child, reference, key) in [
        ("contact_list", "list_member", "list_id", "account_id, list_id, contact_id"),
        (
            "contact_attribute",
            "contact_value",
            "attribute_id",
            "account_id, contact_id, attribute_id",
        ),
    ] {
        let children = format!(
            "DELETE FROM {child} WHERE ({key}) IN (SELECT {columns} FROM {parent} \
             JOIN {child} ON {child}.account_id = {parent}.account_id \
             AND {child}.{reference} = {parent}.id \
             WHERE {parent}.deleted_at_ms IS NOT NULL LIMIT {PURGE_BATCH})",
            columns =
                key.split(", ").map(|it| format!("{child}.{it}")).collect::<Vec<_>>().join(", "),
        );
        let parents = format!(
            "DELETE FROM {parent} WHERE (account_id, id) IN (SELECT account_id, id FROM {parent} \
             WHERE deleted_at_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {child} \
             WHERE {child}.account_id = {parent}.account_id AND {child}.{reference} = {parent}.id) \
             LIMIT {PURGE_BATCH})"
        );
        for sql in [children, parents] {
            purged += delete_all(ctx, &sql).await?;
        }
    }
    Ok(purged)
}

async fn delete_all(ctx: &Ctx, sql: &str) -> Result<u64, DbErr> {
    let mut deleted = 0;
    loop {
        let result = ctx
            .db
            .write(|tx| async move {
                tx.execute_raw(Statement::from_string(tx.store().backend(), sql)).await
            })
            .await?;
        deleted += result.rows_affected();
        if result.rows_affected() < PURGE_BATCH {
            return Ok(deleted);
        }
    }
}

/// Those of `ids` that are lists of the account and not deleted.
pub(super) async fn live_ids<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    ids: &[ListId],
) -> Result<BTreeSet<ListId>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found = live(account_id).filter(Column::Id.is_in(ids.iter().copied())).all(connection);
    Ok(found.await?.into_iter().map(|list| list.id).collect())
}

fn of_account(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    Ok(live(ctx.actor.require_in_account(Action::ReadContacts)?))
}

fn live(account_id: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account_id)).filter(Column::DeletedAtMs.is_null())
}

fn taken(error: Error<ListRejection>) -> Error<ListRejection> {
    let constraint = error.store_error().and_then(violated_constraint);
    match constraint {
        Some(name)
            if name.contains("contact_list_name_unique") || name.contains("contact_list.name") =>
        {
            Error::Rejected(ListRejection::NameTaken)
        }
        _ => error,
    }
}
