//! One-time links.

use entity::ids::AccountId;
use entity::one_time_link;
use entity::time::UnixMillis;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::db::Tx;

pub(in crate::identity) async fn insert(tx: &Tx, row: &one_time_link::Model) -> Result<(), DbErr> {
    one_time_link::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

pub(in crate::identity) async fn find(
    db: &impl ConnectionTrait,
    hash: &[u8],
) -> Result<Option<one_time_link::Model>, DbErr> {
    one_time_link::Entity::find_by_id(hash.to_vec()).one(db).await
}

/// The newest link of an account that was not used.
pub(in crate::identity) async fn newest_unused(
    tx: &Tx,
    account_id: AccountId,
) -> Result<Option<one_time_link::Model>, DbErr> {
    one_time_link::Entity::find()
        .filter(one_time_link::Column::AccountId.eq(account_id))
        .filter(one_time_link::Column::UsedAtMs.is_null())
        .order_by_desc(one_time_link::Column::CreatedAtMs)
        .limit(1)
        .one(&**tx)
        .await
}

/// The link, locked until the transaction ends.
pub(in crate::identity) async fn find_for_update(
    tx: &Tx,
    hash: &[u8],
) -> Result<Option<one_time_link::Model>, DbErr> {
    one_time_link::Entity::find_by_id(hash.to_vec()).lock_exclusive().one(&**tx).await
}

pub(in crate::identity) async fn mark_used(
    tx: &Tx,
    hash: &[u8],
    now: UnixMillis,
) -> Result<(), DbErr> {
    one_time_link::Entity::update_many()
        .col_expr(one_time_link::Column::UsedAtMs, Expr::value(now))
        .filter(one_time_link::Column::Hash.eq(hash))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Takes back the links of an account that were not used.
pub(in crate::identity) async fn delete_unused(
    tx: &Tx,
    account_id: AccountId,
) -> Result<(), DbErr> {
    one_time_link::Entity::delete_many()
        .filter(one_time_link::Column::AccountId.eq(account_id))
        .filter(one_time_link::Column::UsedAtMs.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Deletes links that expired before `before`; says how many.
pub(in crate::identity) async fn delete_expired(tx: &Tx, before: UnixMillis) -> Result<u64, DbErr> {
    let deleted = one_time_link::Entity::delete_many()
        .filter(one_time_link::Column::ExpiresAtMs.lt(before))
        .exec(&**tx)
        .await?;
    Ok(deleted.rows_affected)
}
