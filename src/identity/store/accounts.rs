//! Accounts, people, memberships.

use entity::enums::{AccountKind, AccountStatus, Role};
use std::collections::HashMap;

use entity::ids::{AccountId, PersonId};
use entity::time::UnixMillis;
use entity::{account, membership, person};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::db::Tx;
use crate::db::page::{ListOrder, Page, PageRequest, fetch_page};
use crate::identity::model::Email;

pub(in crate::identity) async fn insert_account(
    tx: &Tx,
    row: &account::Model,
) -> Result<(), DbErr> {
    account::Entity::insert(row.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

pub(in crate::identity) async fn insert_person(tx: &Tx, row: &person::Model) -> Result<(), DbErr> {
    person::Entity::insert(row.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

pub(in crate::identity) async fn insert_membership(
    tx: &Tx,
    row: &membership::Model,
) -> Result<(), DbErr> {
    membership::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Whether the error says that the e-mail belongs to somebody already.
pub(in crate::identity) fn is_email_taken(error: &DbErr) -> bool {
    super::is_double(error, "person_email_unique", "person.email")
}

/// Whether the error says that there is an operator already.
pub(in crate::identity) fn is_second_operator(error: &DbErr) -> bool {
    super::is_double(error, "account_one_operator", "account.kind")
}

pub(in crate::identity) async fn account(
    db: &impl ConnectionTrait,
    id: AccountId,
) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find_by_id(id).one(db).await
}

/// The account, locked until the transaction ends.
pub(in crate::identity) async fn account_for_update(
    tx: &Tx,
    id: AccountId,
) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find_by_id(id).lock_exclusive().one(&**tx).await
}

pub(in crate::identity) async fn accounts(
    db: &impl ConnectionTrait,
    ids: &[AccountId],
) -> Result<Vec<account::Model>, DbErr> {
    account::Entity::find().filter(account::Column::Id.is_in(ids.to_vec())).all(db).await
}

pub(in crate::identity) async fn account_page(
    db: &impl ConnectionTrait,
    request: &PageRequest<AccountId>,
) -> Result<Page<account::Model>, DbErr> {
    let (all, key) = (account::Entity::find(), account::Column::Id);
    fetch_page(db, all, key, ListOrder::Descending, request).await
}

pub(in crate::identity) async fn account_count(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    account::Entity::find().count(db).await
}

pub(in crate::identity) async fn operator(
    db: &impl ConnectionTrait,
) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find().filter(account::Column::Kind.eq(AccountKind::Operator)).one(db).await
}

pub(in crate::identity) async fn update_account(
    tx: &Tx,
    row: account::Model,
) -> Result<account::Model, DbErr> {
    row.into_active_model().reset_all().update(&**tx).await
}

pub(in crate::identity) async fn has_owner(
    db: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<bool, DbErr> {
    Ok(owners(db, account_id).await? > 0)
}

pub(in crate::identity) async fn membership(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    person_id: PersonId,
) -> Result<Option<membership::Model>, DbErr> {
    membership::Entity::find_by_id((account_id, person_id)).one(db).await
}

/// The member of that address, locked until the transaction ends.
pub(in crate::identity) async fn member_by_email(
    tx: &Tx,
    account_id: AccountId,
    email: &Email,
) -> Result<Option<(membership::Model, person::Model)>, DbErr> {
    let Some(person) = person_by_email(&**tx, email).await? else { return Ok(None) };
    let key = (account_id, person.id);
    let member = membership::Entity::find_by_id(key).lock_exclusive().one(&**tx).await?;
    Ok(member.map(|member| (member, person)))
}

/// How many owners an account has.
pub(in crate::identity) async fn owners(
    db: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<u64, DbErr> {
    membership::Entity::find()
        .filter(membership::Column::AccountId.eq(account_id))
        .filter(membership::Column::Role.eq(Role::Owner))
        .count(db)
        .await
}

pub(in crate::identity) async fn update_membership(
    tx: &Tx,
    row: membership::Model,
) -> Result<membership::Model, DbErr> {
    row.into_active_model().reset_all().update(&**tx).await
}

pub(in crate::identity) async fn delete_membership(
    tx: &Tx,
    row: &membership::Model,
) -> Result<(), DbErr> {
    membership::Entity::delete_by_id((row.account_id, row.person_id)).exec(&**tx).await?;
    Ok(())
}

/// The roles that were given at `since` or later, as they are now.
pub(in crate::identity) async fn roles_changed_since(
    db: &impl ConnectionTrait,
    since: UnixMillis,
) -> Result<HashMap<(AccountId, PersonId), Role>, DbErr> {
    let changed = membership::Entity::find()
        .filter(membership::Column::UpdatedAtMs.gte(since))
        .all(db)
        .await?;
    Ok(changed.into_iter().map(|row| ((row.account_id, row.person_id), row.role)).collect())
}

/// The accounts that a person may sign in to, with the role there; the longest held first.
pub(in crate::identity) async fn open_memberships(
    db: &impl ConnectionTrait,
    person_id: PersonId,
) -> Result<Vec<(membership::Model, account::Model)>, DbErr> {
    let memberships = membership::Entity::find()
        .filter(membership::Column::PersonId.eq(person_id))
        .order_by_asc(membership::Column::CreatedAtMs)
        .order_by_asc(membership::Column::AccountId)
        .all(db)
        .await?;
    let ids: Vec<_> = memberships.iter().map(|row| row.account_id).collect();
    let accounts = accounts(db, &ids).await?;
    let pair = |row: membership::Model| {
        let account = accounts.iter().find(|account| account.id == row.account_id)?;
        (account.status != AccountStatus::Closed).then(|| (row, account.clone()))
    };
    Ok(memberships.into_iter().filter_map(pair).collect())
}

pub(in crate::identity) async fn person(
    db: &impl ConnectionTrait,
    id: PersonId,
) -> Result<Option<person::Model>, DbErr> {
    person::Entity::find_by_id(id).one(db).await
}

pub(in crate::identity) async fn person_by_email(
    db: &impl ConnectionTrait,
    email: &Email,
) -> Result<Option<person::Model>, DbErr> {
    person::Entity::find().filter(person::Column::Email.eq(email.as_str())).one(db).await
}

/// Those of `ids` who belong to the account.
pub(in crate::identity) async fn members(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[PersonId],
) -> Result<Vec<person::Model>, DbErr> {
    let members = membership::Entity::find()
        .filter(membership::Column::AccountId.eq(account_id))
        .filter(membership::Column::PersonId.is_in(ids.to_vec()))
        .all(db)
        .await?;
    let ids: Vec<_> = members.into_iter().map(|row| row.person_id).collect();
    person::Entity::find().filter(person::Column::Id.is_in(ids)).all(db).await
}

pub(in crate::identity) async fn update_person(
    tx: &Tx,
    row: person::Model,
) -> Result<person::Model, DbErr> {
    row.into_active_model().reset_all().update(&**tx).await
}

/// Sets a new hash of the same password, unless the password was changed meanwhile.
pub(in crate::identity) async fn replace_hash(
    tx: &Tx,
    person_id: PersonId,
    old: &str,
    new: &str,
) -> Result<(), DbErr> {
    person::Entity::update_many()
        .col_expr(person::Column::PasswordHash, new.into())
        .filter(person::Column::Id.eq(person_id))
        .filter(person::Column::PasswordHash.eq(old))
        .exec(&**tx)
        .await?;
    Ok(())
}
