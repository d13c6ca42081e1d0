//! Registering senders and deciding on them.

use entity::enums::{SenderKind, SenderStatus};
use entity::ids::{AccountId, SenderId};
use entity::sender::{ActiveModel, Column, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect,
};

use super::{REASON_CHARS_MAX, SENDERS_PER_ACCOUNT_MAX};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, violated_constraint};
use crate::types::sender::{Sender, SenderError};

/// Why a sender cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterRejection {
    /// It is not a sender.
    Invalid(SenderError),
    /// The account has it already.
    AlreadyRegistered,
    /// The account has [`SENDERS_PER_ACCOUNT_MAX`].
    TooMany,
    /// There is no such account (only where one is named).
    NoSuchAccount,
}

/// Why a sender cannot be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApproveRejection {
    /// There is none with this id.
    NotFound,
}

/// Why a sender cannot be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectRejection {
    /// There is none with this id.
    NotFound,
    /// The reason is empty or longer than [`REASON_CHARS_MAX`].
    InvalidReason,
}

/// Registers a sender for the caller's account, to be decided on by the operator.
///
/// Not idempotent: a second registration is refused as [`RegisterRejection::AlreadyRegistered`].
///
/// # Errors
/// [`RegisterRejection`], or a failure.
pub async fn register(ctx: &Ctx, value: &str) -> Result<Model, Error<RegisterRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageSenders)?;
    let sender = parsed(value)?;
    let row = new_row(ctx, account_id, &sender, SenderStatus::Pending);
    insert(ctx, row).await
}

/// Approves a sender. Idempotent. It may be used from the commit on.
///
/// # Errors
/// [`ApproveRejection`], or a failure.
pub async fn approve(ctx: &Ctx, id: SenderId) -> Result<Model, Error<ApproveRejection>> {
    ctx.actor.require(Action::DecideSenders)?;
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let sender =
                locked(&tx, id).await?.ok_or(Error::Rejected(ApproveRejection::NotFound))?;
            Ok(decided(&tx, sender, SenderStatus::Approved, None, now).await?)
        })
        .await
}

/// Rejects a sender, also one that was approved before: messages that were accepted still leave.
/// Idempotent.
///
/// # Errors
/// [`RejectRejection`], or a failure.
pub async fn reject(
    ctx: &Ctx,
    id: SenderId,
    reason: &str,
) -> Result<Model, Error<RejectRejection>> {
    ctx.actor.require(Action::DecideSenders)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(Error::Rejected(RejectRejection::InvalidReason));
    }
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let sender =
                locked(&tx, id).await?.ok_or(Error::Rejected(RejectRejection::NotFound))?;
            let reason = Some(reason.to_owned());
            Ok(decided(&tx, sender, SenderStatus::Rejected, reason, now).await?)
        })
        .await
}

/// Approves a sender of an account by its value, registering it first if the account has not. For
/// the operator's command line. Idempotent.
///
/// # Errors
/// [`RegisterRejection`], or a failure.
pub async fn approve_value(
    ctx: &Ctx,
    account_id: AccountId,
    value: &str,
) -> Result<Model, Error<RegisterRejection>> {
    ctx.actor.require(Action::DecideSenders)?;
    let sender = parsed(value)?;
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Value.eq(sender.to_string()))
        .one(ctx.db.reader())
        .await?;
    let Some(found) = found else {
        return insert(ctx, new_row(ctx, account_id, &sender, SenderStatus::Approved)).await;
    };
    let approved = approve(ctx, found.id).await;
    approved.map_err(|error| match error {
        // Senders are never removed but with their account.
        Error::Rejected(ApproveRejection::NotFound) => {
            Error::Rejected(RegisterRejection::NoSuchAccount)
        }
        Error::Failed(failed) => Error::Failed(failed),
    })
}

fn parsed(value: &str) -> Result<Sender, Error<RegisterRejection>> {
    Sender::parse(value).map_err(|error| Error::Rejected(RegisterRejection::Invalid(error)))
}

fn new_row(ctx: &Ctx, account_id: AccountId, sender: &Sender, status: SenderStatus) -> Model {
    let now = ctx.clock.now();
    Model {
        account_id,
        id: ctx.ids.next(),
        value: sender.to_string(),
        kind: match sender {
            Sender::Alphanumeric(_) => SenderKind::Alphanumeric,
            Sender::International(_) => SenderKind::International,
            Sender::ShortCode(_) => SenderKind::ShortCode,
        },
        status,
        reason: None,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    }
}

async fn insert(ctx: &Ctx, row: Model) -> Result<Model, Error<RegisterRejection>> {
    let new = &row;
    let inserted = ctx
        .db
        .write(|tx| async move {
            let of_account = Entity::find().filter(Column::AccountId.eq(new.account_id));
            if of_account.count(&*tx).await? >= SENDERS_PER_ACCOUNT_MAX {
                return Err(Error::Rejected(RegisterRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(new.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    inserted.map_err(|error| violation(&error).map_or(error, Error::Rejected))?;
    Ok(row)
}

/// The rejection that a violated constraint stands for.
fn violation(error: &Error<RegisterRejection>) -> Option<RegisterRejection> {
    let store_error = error.store_error()?;
    let constraint = violated_constraint(store_error)?;
    if constraint.contains("sender_value_unique") || constraint.contains("sender.value") {
        return Some(RegisterRejection::AlreadyRegistered);
    }
    match store_error.sql_err() {
        Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)) => {
            Some(RegisterRejection::NoSuchAccount)
        }
        _ => None,
    }
}

async fn locked(tx: &Tx, id: SenderId) -> Result<Option<Model>, sea_orm::DbErr> {
    Entity::find().filter(Column::Id.eq(id)).lock_exclusive().one(&**tx).await
}

async fn decided(
    tx: &Tx,
    sender: Model,
    status: SenderStatus,
    reason: Option<String>,
    now: UnixMillis,
) -> Result<Model, sea_orm::DbErr> {
    if sender.status == status && sender.reason == reason {
        return Ok(sender);
    }
    let version = sender.version + 1;
    let mut row = ActiveModel::from(sender);
    row.status = ActiveValue::Set(status);
    row.reason = ActiveValue::Set(reason);
    row.version = ActiveValue::Set(version);
    row.updated_at_ms = ActiveValue::Set(now);
    row.update(&**tx).await
}
