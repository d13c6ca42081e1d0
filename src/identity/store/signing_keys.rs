//! Keys that sign access tokens.

use entity::signing_key;
use entity::time::UnixMillis;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder,
};

use crate::db::Tx;

pub(in crate::identity) async fn insert(tx: &Tx, row: &signing_key::Model) -> Result<(), DbErr> {
    signing_key::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

pub(in crate::identity) async fn retire_all(tx: &Tx, now: UnixMillis) -> Result<(), DbErr> {
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::RetiredAtMs, Expr::value(now))
        .filter(signing_key::Column::RetiredAtMs.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

/// The keys that are not retired, or were after `retired_after`; the newest first.
pub(in crate::identity) async fn usable(
    db: &impl ConnectionTrait,
    retired_after: UnixMillis,
) -> Result<Vec<signing_key::Model>, DbErr> {
    let usable = Condition::any()
        .add(signing_key::Column::RetiredAtMs.is_null())
        .add(signing_key::Column::RetiredAtMs.gt(retired_after));
    signing_key::Entity::find()
        .filter(usable)
        .order_by_desc(signing_key::Column::CreatedAtMs)
        .order_by_asc(signing_key::Column::Kid)
        .all(db)
        .await
}

pub(in crate::identity) async fn delete_retired(
    tx: &Tx,
    retired_before: UnixMillis,
) -> Result<u64, DbErr> {
    let deleted = signing_key::Entity::delete_many()
        .filter(signing_key::Column::RetiredAtMs.lte(retired_before))
        .exec(&**tx)
        .await?;
    Ok(deleted.rows_affected)
}
