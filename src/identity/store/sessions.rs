//! Log-ins and their refresh tokens.

use entity::ids::{AccountId, PersonId, SessionId};
use entity::time::UnixMillis;
use entity::{refresh_token, session};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use crate::db::Tx;
use crate::db::page::{ListOrder, Page, PageRequest, fetch_page};

pub(in crate::identity) async fn insert(tx: &Tx, row: &session::Model) -> Result<(), DbErr> {
    session::Entity::insert(row.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

pub(in crate::identity) async fn insert_token(
    tx: &Tx,
    row: &refresh_token::Model,
) -> Result<(), DbErr> {
    refresh_token::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// The refresh token, locked until the transaction ends.
pub(in crate::identity) async fn token_for_update(
    tx: &Tx,
    hash: &[u8],
) -> Result<Option<refresh_token::Model>, DbErr> {
    refresh_token::Entity::find_by_id(hash.to_vec()).lock_exclusive().one(&**tx).await
}

pub(in crate::identity) async fn use_token(
    tx: &Tx,
    hash: &[u8],
    now: UnixMillis,
) -> Result<(), DbErr> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAtMs, Expr::value(now))
        .filter(refresh_token::Column::Hash.eq(hash))
        .exec(&**tx)
        .await?;
    Ok(())
}

pub(in crate::identity) async fn session(
    db: &impl ConnectionTrait,
    id: SessionId,
) -> Result<Option<session::Model>, DbErr> {
    session::Entity::find_by_id(id).one(db).await
}

pub(in crate::identity) async fn prolong(
    tx: &Tx,
    id: SessionId,
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::LastUsedAtMs, Expr::value(now))
        .col_expr(session::Column::ExpiresAtMs, Expr::value(expires_at))
        .filter(session::Column::Id.eq(id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Ends a log-in; one that ended before keeps its time.
pub(in crate::identity) async fn revoke(
    tx: &Tx,
    id: SessionId,
    now: UnixMillis,
) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAtMs, Expr::value(now))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::RevokedAtMs.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Ends the log-ins of a person that act in one account.
pub(in crate::identity) async fn revoke_in_account(
    tx: &Tx,
    account_id: AccountId,
    person_id: PersonId,
    now: UnixMillis,
) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAtMs, Expr::value(now))
        .filter(session::Column::PersonId.eq(person_id))
        .filter(session::Column::AccountId.eq(account_id))
        .filter(session::Column::RevokedAtMs.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Ends all log-ins of a person and names the accounts that they acted in.
pub(in crate::identity) async fn revoke_all(
    tx: &Tx,
    person_id: PersonId,
    now: UnixMillis,
) -> Result<Vec<(SessionId, AccountId)>, DbErr> {
    let live = Condition::all()
        .add(session::Column::PersonId.eq(person_id))
        .add(session::Column::RevokedAtMs.is_null());
    let ended = session::Entity::find().filter(live.clone()).all(&**tx).await?;
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAtMs, Expr::value(now))
        .filter(live)
        .exec(&**tx)
        .await?;
    Ok(ended.into_iter().map(|row| (row.id, row.account_id)).collect())
}

fn live_of(person_id: PersonId, now: UnixMillis) -> sea_orm::Select<session::Entity> {
    session::Entity::find()
        .filter(session::Column::PersonId.eq(person_id))
        .filter(session::Column::RevokedAtMs.is_null())
        .filter(session::Column::ExpiresAtMs.gt(now))
}

pub(in crate::identity) async fn live_page(
    db: &impl ConnectionTrait,
    person_id: PersonId,
    now: UnixMillis,
    request: &PageRequest<SessionId>,
) -> Result<Page<session::Model>, DbErr> {
    let (live, key) = (live_of(person_id, now), session::Column::Id);
    fetch_page(db, live, key, ListOrder::Descending, request).await
}

pub(in crate::identity) async fn live_count(
    db: &impl ConnectionTrait,
    person_id: PersonId,
    now: UnixMillis,
) -> Result<u64, DbErr> {
    live_of(person_id, now).count(db).await
}

/// The log-ins that were revoked at `since` or later.
pub(in crate::identity) async fn revoked_since(
    db: &impl ConnectionTrait,
    since: UnixMillis,
) -> Result<Vec<SessionId>, DbErr> {
    session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::RevokedAtMs.gte(since))
        .into_tuple()
        .all(db)
        .await
}

/// Deletes log-ins that ended before `before`, with their tokens, at most `limit`; says how many.
pub(in crate::identity) async fn delete_ended(
    tx: &Tx,
    before: UnixMillis,
    limit: u64,
) -> Result<u64, DbErr> {
    let ended: Vec<SessionId> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::ExpiresAtMs.lt(before))
        .order_by_asc(session::Column::ExpiresAtMs)
        .limit(limit)
        .into_tuple()
        .all(&**tx)
        .await?;
    if ended.is_empty() {
        return Ok(0);
    }
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::SessionId.is_in(ended.clone()))
        .exec(&**tx)
        .await?;
    let deleted =
        session::Entity::delete_many().filter(session::Column::Id.is_in(ended)).exec(&**tx).await?;
    Ok(deleted.rows_affected)
}
