//! Means of payment that processors keep for accounts. Only the processors' own ids are kept here:
//! no brand, no digits, no name.
//!
//! One is kept when a payment was collected whose payer agreed to it. It is removed here first, and
//! the processor is told after the commit; a job tells it again if it could not be reached.

use std::collections::HashMap;

use entity::enums::{AutomaticTopUpEnd, ProcessorKind};
use entity::ids::{PaymentMethodId, ProcessorId};
use entity::payment_method::{ActiveModel, Column, Entity, Model};
use entity::processor_endpoint;
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};

use super::api::ApiError;
use super::automatic;
use super::endpoints::api_key;
use super::stripe::api::Api;
use crate::authz::{Action, Actor};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent, Topic};

/// Means of payment of one account that are listed.
pub const METHODS_MAX: u64 = 100;
/// Means of payment that one run of the job tells processors of.
const DETACHED_MAX: u64 = 100;

/// A kept means of payment, and who keeps it.
#[derive(Clone, Debug)]
pub struct Method {
    /// Its row.
    pub row: Model,
    /// Who keeps it.
    pub processor: ProcessorKind,
}

/// Why a means of payment was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveMethodRejection {
    /// There is none.
    #[error("there is no such means of payment")]
    NotFound,
}

/// The means of payment of the caller's account that may be charged, newest first; at most
/// [`METHODS_MAX`].
///
/// # Errors
/// A failure.
pub async fn methods(ctx: &Ctx) -> Result<Vec<Method>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::RemovedAtMs.is_null())
        .order_by_desc(Column::Id)
        .limit(METHODS_MAX)
        .all(ctx.db.reader())
        .await?;
    with_processors(ctx, rows).await
}

/// A means of payment of the caller's account; none if it was removed.
///
/// # Errors
/// A failure.
pub async fn method(ctx: &Ctx, id: PaymentMethodId) -> Result<Option<Method>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    let row = Entity::find_by_id((account_id, id)).one(ctx.db.reader()).await?;
    let rows = row.into_iter().filter(|row| row.removed_at_ms.is_none()).collect();
    Ok(with_processors(ctx, rows).await?.pop())
}

async fn with_processors(ctx: &Ctx, rows: Vec<Model>) -> Result<Vec<Method>, Failed> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    // Who processes is no secret; how it is connected is, and stays here.
    let everywhere = ctx.acting_as(Actor::System);
    let endpoints = processor_endpoint::Entity::find()
        .filter(processor_endpoint::Column::Id.is_in(rows.iter().map(|row| row.endpoint_id)))
        .all(everywhere.db.reader())
        .await?;
    let kinds: HashMap<ProcessorId, ProcessorKind> =
        endpoints.into_iter().map(|row| (row.id, row.kind)).collect();
    let method = |row: Model| {
        let processor = kinds.get(&row.endpoint_id).copied();
        processor.map(|processor| Method { row, processor })
    };
    Ok(rows.into_iter().filter_map(method).collect())
}

/// Removes a means of payment of the caller's account: it is charged no more, and automatic top-up
/// that charged it ends. Idempotent.
///
/// # Errors
/// [`RemoveMethodRejection`], or a failure.
pub async fn remove_method(
    ctx: &Ctx,
    id: PaymentMethodId,
) -> Result<Method, Error<RemoveMethodRejection>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let now = ctx.clock.now();
    let remove = |tx: Tx| async move {
        let found = Entity::find_by_id((account_id, id)).lock_exclusive().one(&*tx).await?;
        let row = found.ok_or(Error::Rejected(RemoveMethodRejection::NotFound))?;
        let event = remove_in(&tx, now, row.clone()).await?;
        events::append(&tx, event.into_iter().collect()).await?;
        Ok::<_, Error<RemoveMethodRejection>>(row)
    };
    let row = ctx.db.write(remove).await?;
    ctx.doorbell.ring(Topic::Events(account_id));
    let everywhere = ctx.acting_as(Actor::System);
    if row.detached_at_ms.is_none()
        && let Err(error) = detach(&everywhere, &row).await
    {
        tracing::warn!(payment_method.id = %id, %error, "a processor is told later of a removal");
    }
    let shown = with_processors(ctx, vec![row]).await?.pop();
    Ok(shown.ok_or_else(|| Failed::internal("a method without its processor"))?)
}

/// Marks a means of payment as removed, and ends automatic top-up that charges it. What it returns is
/// to be told, last in the transaction.
pub(super) async fn remove_in(
    tx: &Tx,
    now: UnixMillis,
    row: Model,
) -> Result<Option<NewEvent>, Failed> {
    let (account_id, id) = (row.account_id, row.id);
    let removed_at = row.removed_at_ms.unwrap_or(now);
    let detached_at = row.detached_at_ms;
    let mut change = row.into_active_model();
    change.removed_at_ms = Set(Some(removed_at));
    change.detached_at_ms = Set(detached_at);
    change.update(&**tx).await?;
    automatic::end(tx, now, account_id, Some(id), AutomaticTopUpEnd::MethodRemoved).await
}

/// Tells processors of means of payment that were removed and that they may still keep; returns how
/// many were told. Idempotent.
///
/// # Errors
/// The store's own. A processor that cannot be reached is told by the next run.
pub async fn detach_removed(ctx: &Ctx) -> Result<u64, Failed> {
    let removed = Entity::find()
        .filter(Column::RemovedAtMs.is_not_null())
        .filter(Column::DetachedAtMs.is_null())
        .order_by_asc(Column::RemovedAtMs)
        .limit(DETACHED_MAX)
        .all(ctx.db.reader())
        .await?;
    let mut told = 0;
    for row in removed {
        match detach(ctx, &row).await {
            Ok(()) => told += 1,
            Err(Error::Failed(failed)) => return Err(failed),
            Err(Error::Rejected(error)) => {
                tracing::warn!(payment_method.id = %row.id, %error, "cannot tell of a removal");
            }
        }
    }
    Ok(told)
}

/// Has the processor forget a means of payment, and notes that it did.
async fn detach(ctx: &Ctx, row: &Model) -> Result<(), Error<ApiError>> {
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await?;
    let endpoint = endpoint.ok_or_else(|| Failed::internal("a method without its processor"))?;
    let key = api_key(ctx, &endpoint)?.ok_or(Error::Rejected(ApiError::Misconfigured))?;
    let api = Api::new(&key, endpoint.base_url.as_deref()).map_err(Error::Rejected)?;
    match api.detach(&row.method_id).await {
        // It does not have it any more.
        Ok(()) | Err(ApiError::Refused(400 | 404)) => {}
        Err(error) => return Err(Error::Rejected(error)),
    }
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let change = ActiveModel { detached_at_ms: Set(Some(now)), ..Default::default() };
            Entity::update_many()
                .set(change)
                .filter(Column::AccountId.eq(row.account_id))
                .filter(Column::Id.eq(row.id))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await
        .map_err(|error: sea_orm::DbErr| error.into())
}
