//! API keys.

use entity::api_key;
use entity::ids::{AccountId, ApiKeyId};
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QuerySelect,
};

use crate::db::page::{ListOrder, Page, PageRequest, fetch_page};
use crate::db::{Bulk, BulkColumn, BulkType, Tx};

pub(in crate::identity) async fn insert(tx: &Tx, row: &api_key::Model) -> Result<(), DbErr> {
    api_key::Entity::insert(row.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

pub(in crate::identity) async fn by_lookup(
    db: &impl ConnectionTrait,
    lookup: &str,
) -> Result<Option<api_key::Model>, DbErr> {
    api_key::Entity::find().filter(api_key::Column::Lookup.eq(lookup)).one(db).await
}

/// The account's key, if it is the account's.
pub(in crate::identity) async fn of_account(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    id: ApiKeyId,
) -> Result<Option<api_key::Model>, DbErr> {
    api_key::Entity::find_by_id(id).filter(api_key::Column::AccountId.eq(account_id)).one(db).await
}

/// Those of `ids` that are the account's.
pub(in crate::identity) async fn of_account_many(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[ApiKeyId],
) -> Result<Vec<api_key::Model>, DbErr> {
    api_key::Entity::find()
        .filter(api_key::Column::AccountId.eq(account_id))
        .filter(api_key::Column::Id.is_in(ids.to_vec()))
        .all(db)
        .await
}

fn active(now: UnixMillis) -> Condition {
    Condition::all().add(api_key::Column::RevokedAtMs.is_null()).add(
        Condition::any()
            .add(api_key::Column::ExpiresAtMs.is_null())
            .add(api_key::Column::ExpiresAtMs.gt(now)),
    )
}

pub(in crate::identity) async fn active_count(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    now: UnixMillis,
) -> Result<u64, DbErr> {
    api_key::Entity::find()
        .filter(api_key::Column::AccountId.eq(account_id))
        .filter(active(now))
        .count(db)
        .await
}

/// The active key that replaces `id`, if there is one.
pub(in crate::identity) async fn active_successor(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    id: ApiKeyId,
    now: UnixMillis,
) -> Result<Option<api_key::Model>, DbErr> {
    api_key::Entity::find()
        .filter(api_key::Column::AccountId.eq(account_id))
        .filter(api_key::Column::RotatedFrom.eq(id))
        .filter(active(now))
        .one(db)
        .await
}

pub(in crate::identity) async fn update(
    tx: &Tx,
    row: api_key::Model,
) -> Result<api_key::Model, DbErr> {
    row.into_active_model().reset_all().update(&**tx).await
}

pub(in crate::identity) async fn page(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    request: &PageRequest<ApiKeyId>,
) -> Result<Page<api_key::Model>, DbErr> {
    let keys = api_key::Entity::find().filter(api_key::Column::AccountId.eq(account_id));
    fetch_page(db, keys, api_key::Column::Id, ListOrder::Descending, request).await
}

pub(in crate::identity) async fn count(
    db: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<u64, DbErr> {
    api_key::Entity::find().filter(api_key::Column::AccountId.eq(account_id)).count(db).await
}

/// The keys that were revoked, or expired, at `since` or later and up to `now`.
pub(in crate::identity) async fn ended_since(
    db: &impl ConnectionTrait,
    since: UnixMillis,
    now: UnixMillis,
) -> Result<Vec<ApiKeyId>, DbErr> {
    let expired = Condition::all()
        .add(api_key::Column::ExpiresAtMs.gte(since))
        .add(api_key::Column::ExpiresAtMs.lte(now));
    api_key::Entity::find()
        .select_only()
        .column(api_key::Column::Id)
        .filter(Condition::any().add(api_key::Column::RevokedAtMs.gte(since)).add(expired))
        .into_tuple()
        .all(db)
        .await
}

const USED_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("id", BulkType::Uuid), BulkColumn::new("used_at_ms", BulkType::BigInt)];

/// Writes down when keys were used, unless a later use is known.
pub(in crate::identity) async fn note_used(
    tx: &Tx,
    used: &[(ApiKeyId, UnixMillis)],
) -> Result<u64, DbErr> {
    let mut rows = Bulk::new(USED_COLUMNS);
    for (id, used_at) in used {
        rows.push([(*id).into(), (*used_at).into()]);
    }
    let update = "UPDATE api_key SET last_used_at_ms = rows.used_at_ms FROM rows \
                  WHERE api_key.id = rows.id AND (api_key.last_used_at_ms IS NULL \
                  OR api_key.last_used_at_ms < rows.used_at_ms)";
    rows.execute(tx, update, Vec::new()).await
}
