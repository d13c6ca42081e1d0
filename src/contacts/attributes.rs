//! Attributes: what an account keeps of its contacts, and of which type.

use std::collections::HashMap;

use entity::contact_attribute::{ActiveModel, Column, Entity, Model};
use entity::enums::AttributeKind;
use entity::ids::{AccountId, AttributeId};
use entity::segment;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};

use super::model::valid_key;
use super::{ATTRIBUTES_MAX, KEY_CHARS_MAX, PREFERENCES_KEY, segments};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, Failed, violated_constraint};

/// An attribute to be defined.
#[derive(Clone, Debug)]
pub struct NewAttribute {
    /// A lower-case letter, then lower-case letters, digits and underscores; at most 50.
    pub key: String,
    /// What its values are.
    pub kind: AttributeKind,
}

/// Why an attribute was not defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateAttributeRejection {
    /// Not a key.
    #[error(
        "a key is a lower-case letter followed by lower-case letters, digits and underscores, at most {KEY_CHARS_MAX} in all"
    )]
    InvalidKey,
    /// Another attribute has it.
    #[error("there is an attribute of this key already")]
    KeyTaken,
    /// It means something else in texts.
    #[error("{PREFERENCES_KEY} stands for the preference page in texts, and is no attribute's key")]
    KeyReserved,
    /// There are [`ATTRIBUTES_MAX`].
    #[error("an account has at most {ATTRIBUTES_MAX} attributes")]
    TooMany,
}

/// Why an attribute was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteAttributeRejection {
    /// There is none with this id.
    #[error("there is no such attribute")]
    NotFound,
    /// A segment asks for it.
    #[error("a segment's condition names this attribute")]
    InUse,
}

/// Defines an attribute. Not idempotent: a second one of the key is refused.
///
/// # Errors
/// [`CreateAttributeRejection`], or a failure.
pub async fn create_attribute(
    ctx: &Ctx,
    new: NewAttribute,
) -> Result<Model, Error<CreateAttributeRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    if !valid_key(&new.key) {
        return Err(Error::Rejected(CreateAttributeRejection::InvalidKey));
    }
    if new.key == PREFERENCES_KEY {
        return Err(Error::Rejected(CreateAttributeRejection::KeyReserved));
    }
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        key: new.key,
        kind: new.kind,
        deleted_at_ms: None,
        created_at_ms: ctx.clock.now(),
    };
    let created = ctx
        .db
        .write(|tx| async move {
            if live(account_id).count(&*tx).await? >= ATTRIBUTES_MAX {
                return Err(Error::Rejected(CreateAttributeRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    match created {
        Ok(()) => Ok(row.clone()),
        Err(error) if is_key_taken(&error) => {
            Err(Error::Rejected(CreateAttributeRejection::KeyTaken))
        }
        Err(error) => Err(error),
    }
}

fn is_key_taken<R: Send>(error: &Error<R>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("contact_attribute_key_unique")
            || constraint.contains("contact_attribute.key")
    })
}

/// Deletes an attribute; its values are gone at once for whoever asks, and from the store soon.
/// Deleting again answers [`DeleteAttributeRejection::NotFound`].
///
/// # Errors
/// [`DeleteAttributeRejection`], or a failure.
pub async fn delete_attribute(
    ctx: &Ctx,
    id: AttributeId,
) -> Result<(), Error<DeleteAttributeRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let attribute = live(account_id).filter(Column::Id.eq(id)).one(&*tx).await?;
            let attribute = attribute.ok_or(Error::Rejected(DeleteAttributeRejection::NotFound))?;
            if is_in_use(&tx, account_id, &attribute.key).await? {
                return Err(Error::Rejected(DeleteAttributeRejection::InUse));
            }
            Entity::update_many()
                .col_expr(Column::DeletedAtMs, Expr::value(now.0))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Id.eq(id))
                .filter(Column::DeletedAtMs.is_null())
                .exec(&*tx)
                .await?;
            Ok(())
        })
        .await
}

/// Whether a segment's condition names the attribute.
async fn is_in_use(tx: &Tx, account_id: AccountId, key: &str) -> Result<bool, Failed> {
    let segments = segment::Entity::find()
        .filter(segment::Column::AccountId.eq(account_id))
        .all(&**tx)
        .await?;
    for segment in &segments {
        let condition = segments::segment_condition(segment)?;
        if condition.tests().iter().any(|(named, _)| *named == key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The attributes of the caller's account, at most [`ATTRIBUTES_MAX`], by key.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn attributes(ctx: &Ctx) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(live(account_id).order_by_asc(Column::Key).all(ctx.db.reader()).await?)
}

/// Attributes of the caller's account by id; those that it has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn attributes_by_ids(ctx: &Ctx, ids: &[AttributeId]) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let found = live(account_id).filter(Column::Id.is_in(ids.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

fn live(account_id: AccountId) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account_id)).filter(Column::DeletedAtMs.is_null())
}

/// The account's attributes by key.
pub(super) async fn by_key<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
) -> Result<HashMap<String, Model>, DbErr> {
    let found = live(account_id).all(connection).await?;
    Ok(found.into_iter().map(|attribute| (attribute.key.clone(), attribute)).collect())
}
