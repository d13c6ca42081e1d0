//! Failed log-ins.

use entity::login_throttle;
use entity::time::UnixMillis;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use crate::db::Tx;

/// Makes a row without failures, if there is none, and locks it until the transaction ends: one that
/// is only left in place may be forgotten by another try before it is read.
pub(in crate::identity) async fn insert_if_new(
    tx: &Tx,
    key: &[u8],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let row = login_throttle::Model {
        key: key.to_vec(),
        failures: 0,
        allowed_at_ms: now,
        updated_at_ms: now,
    };
    let failures = login_throttle::Column::Failures;
    let keep = OnConflict::column(login_throttle::Column::Key)
        .value(failures, Expr::col((login_throttle::Entity, failures)))
        .to_owned();
    login_throttle::Entity::insert(row.into_active_model())
        .on_conflict(keep)
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// The row, locked until the transaction ends.
pub(in crate::identity) async fn failures_for_update(
    tx: &Tx,
    key: &[u8],
) -> Result<Option<login_throttle::Model>, DbErr> {
    login_throttle::Entity::find_by_id(key.to_vec()).lock_exclusive().one(&**tx).await
}

pub(in crate::identity) async fn set(
    tx: &Tx,
    key: &[u8],
    failures: i32,
    allowed_at: UnixMillis,
    now: UnixMillis,
) -> Result<(), DbErr> {
    login_throttle::Entity::update_many()
        .col_expr(login_throttle::Column::Failures, Expr::value(failures))
        .col_expr(login_throttle::Column::AllowedAtMs, Expr::value(allowed_at))
        .col_expr(login_throttle::Column::UpdatedAtMs, Expr::value(now))
        .filter(login_throttle::Column::Key.eq(key))
        .exec(&**tx)
        .await?;
    Ok(())
}

pub(in crate::identity) async fn forget(tx: &Tx, key: &[u8]) -> Result<(), DbErr> {
    login_throttle::Entity::delete_by_id(key.to_vec()).exec(&**tx).await?;
    Ok(())
}

/// Deletes rows without a failure since `before`; says how many.
pub(in crate::identity) async fn delete_stale(tx: &Tx, before: UnixMillis) -> Result<u64, DbErr> {
    let deleted = login_throttle::Entity::delete_many()
        .filter(login_throttle::Column::UpdatedAtMs.lt(before))
        .exec(&**tx)
        .await?;
    Ok(deleted.rows_affected)
}
