//! Setting up and changing carriers.

use entity::carrier::{ActiveModel, Column, Entity, Model};
use entity::enums::CarrierKind;
use entity::ids::CarrierId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue, DbErr, EntityTrait, PaginatorTrait, QuerySelect};

use super::settings::{SettingsFault, validate_password};
use super::{CARRIERS_MAX, NAME_CHARS_MAX, SIMULATOR_CARRIER_ID, SIMULATOR_NAME, SmppSettings};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, Failed, violated_constraint};
use crate::events::Topic;
use crate::keys::Purpose;
use crate::types::secret::SecretText;

/// A carrier to be set up.
#[derive(Debug)]
pub struct NewCarrier {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// How it is reached.
    pub settings: SmppSettings,
    /// Up to 8 octets of ASCII.
    pub password: SecretText,
}

/// What of a carrier is to change; what is absent stays.
#[derive(Debug, Default)]
pub struct CarrierChange {
    /// Another name.
    pub name: Option<String>,
    /// Other settings, whole.
    pub settings: Option<SmppSettings>,
    /// Another password.
    pub password: Option<SecretText>,
}

/// Why a carrier cannot be set up.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AddRejection {
    /// Empty or too long.
    #[error("a carrier's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// Another carrier has it.
    #[error("there is a carrier of this name already")]
    NameTaken,
    /// A setting that cannot be used.
    #[error(transparent)]
    Settings(SettingsFault),
    /// There are [`CARRIERS_MAX`].
    #[error("there are as many carriers as there may be: {CARRIERS_MAX}")]
    TooMany,
}

/// Why a carrier cannot be changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChangeRejection {
    /// There is none with this id.
    #[error("there is no such carrier")]
    NotFound,
    /// It is the simulator, which is as it is.
    #[error("the built-in simulator cannot be changed")]
    BuiltIn,
    /// Empty or too long.
    #[error("a carrier's name has 1 to {NAME_CHARS_MAX} characters")]
    InvalidName,
    /// Another carrier has it.
    #[error("there is a carrier of this name already")]
    NameTaken,
    /// A setting that cannot be used.
    #[error(transparent)]
    Settings(SettingsFault),
}

/// Sets up an SMPP carrier, enabled. It is bound within a second; messages take it once a route
/// leads to it.
///
/// Not idempotent: a second carrier of the name is refused.
///
/// # Errors
/// [`AddRejection`], or a failure.
pub async fn add(ctx: &Ctx, new: NewCarrier) -> Result<Model, Error<AddRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    let name = valid_name(&new.name).ok_or(Error::Rejected(AddRejection::InvalidName))?;
    let fault = |fault| Error::Rejected(AddRejection::Settings(fault));
    new.settings.validate().map_err(fault)?;
    validate_password(&new.password).map_err(fault)?;
    let (id, now) = (ctx.ids.next(), ctx.clock.now());
    let row = Model {
        id,
        name,
        kind: CarrierKind::Smpp,
        settings: stored(&new.settings)?,
        sealed_password: Some(sealed(ctx, id, &new.password)),
        enabled: true,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let inserted = &row;
    let added = ctx
        .db
        .write(|tx| async move {
            if Entity::find().count(&*tx).await? >= CARRIERS_MAX {
                return Err(Error::Rejected(AddRejection::TooMany));
            }
            let row = ActiveModel::from(inserted.clone());
            Entity::insert(row).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    added.map_err(|error| {
        if is_name_taken(&error) { Error::Rejected(AddRejection::NameTaken) } else { error }
    })?;
    ctx.doorbell.ring(Topic::Carriers);
    Ok(row)
}

/// Changes a carrier; its connections are made anew within a second.
///
/// # Errors
/// [`ChangeRejection`], or a failure.
pub async fn change(
    ctx: &Ctx,
    id: CarrierId,
    change: CarrierChange,
) -> Result<Model, Error<ChangeRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    let name = match &change.name {
        Some(name) => Some(valid_name(name).ok_or(Error::Rejected(ChangeRejection::InvalidName))?),
        None => None,
    };
    let fault = |fault| Error::Rejected(ChangeRejection::Settings(fault));
    if let Some(settings) = &change.settings {
        settings.validate().map_err(fault)?;
    }
    if let Some(password) = &change.password {
        validate_password(password).map_err(fault)?;
    }
    let settings = change.settings.as_ref().map(stored).transpose()?;
    let password = change.password.as_ref().map(|password| sealed(ctx, id, password));
    update(ctx, id, |row| {
        if let Some(name) = &name {
            row.name = ActiveValue::Set(name.clone());
        }
        if let Some(settings) = &settings {
            row.settings = ActiveValue::Set(settings.clone());
        }
        if let Some(password) = &password {
            row.sealed_password = ActiveValue::Set(Some(password.clone()));
        }
    })
    .await
}

/// Hands messages to a carrier again. Idempotent.
///
/// # Errors
/// [`ChangeRejection::NotFound`], [`ChangeRejection::BuiltIn`], or a failure.
pub async fn enable(ctx: &Ctx, id: CarrierId) -> Result<Model, Error<ChangeRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    update(ctx, id, |row| row.enabled = ActiveValue::Set(true)).await
}

/// Hands no more messages to a carrier and unbinds. Its routes count no more; what waits for it
/// stays queued until it is enabled or the messages expire. Idempotent.
///
/// # Errors
/// [`ChangeRejection::NotFound`], [`ChangeRejection::BuiltIn`], or a failure.
pub async fn disable(ctx: &Ctx, id: CarrierId) -> Result<Model, Error<ChangeRejection>> {
    ctx.actor.require(Action::ManageCarriers)?;
    update(ctx, id, |row| row.enabled = ActiveValue::Set(false)).await
}

/// Makes the simulator's row if there is none. Called at start; idempotent.
///
/// # Errors
/// The store's own.
pub async fn ensure_simulator(ctx: &Ctx) -> Result<(), Failed> {
    ctx.actor.require(Action::ManageCarriers)?;
    if Entity::find_by_id(SIMULATOR_CARRIER_ID).one(ctx.db.reader()).await?.is_some() {
        return Ok(());
    }
    let now = ctx.clock.now();
    let row = Model {
        id: SIMULATOR_CARRIER_ID,
        name: SIMULATOR_NAME.to_owned(),
        kind: CarrierKind::Simulator,
        settings: "{}".to_owned(),
        sealed_password: None,
        enabled: true,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let row = &row;
    ctx.db
        .write(|tx| async move {
            // Several nodes may start at once.
            let inserted = Entity::insert(ActiveModel::from(row.clone()))
                .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
                .exec_without_returning(&*tx)
                .await;
            inserted.map(|_| ())
        })
        .await
        .map_err(|error: DbErr| error.into())
}

/// Applies `change` to a carrier that is not built in. What changes nothing is not written.
async fn update(
    ctx: &Ctx,
    id: CarrierId,
    change: impl Fn(&mut ActiveModel) + Send + Sync,
) -> Result<Model, Error<ChangeRejection>> {
    let now = ctx.clock.now();
    let change = &change;
    let updated = ctx.db.write(|tx| async move { updated(&tx, id, now, change).await }).await;
    let row = updated.map_err(|error| {
        if is_name_taken(&error) { Error::Rejected(ChangeRejection::NameTaken) } else { error }
    })?;
    ctx.doorbell.ring(Topic::Carriers);
    Ok(row)
}

async fn updated(
    tx: &Tx,
    id: CarrierId,
    now: entity::time::UnixMillis,
    change: &(impl Fn(&mut ActiveModel) + Sync),
) -> Result<Model, Error<ChangeRejection>> {
    let found = Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    let before = found.ok_or(Error::Rejected(ChangeRejection::NotFound))?;
    if before.kind == CarrierKind::Simulator {
        return Err(Error::Rejected(ChangeRejection::BuiltIn));
    }
    let version = before.version + 1;
    let mut row = ActiveModel::from(before.clone());
    change(&mut row);
    if is_same(&row, &before) {
        return Ok(before);
    }
    row.version = ActiveValue::Set(version);
    row.updated_at_ms = ActiveValue::Set(now);
    Ok(row.update(&**tx).await?)
}

/// Whether the values are what they were.
fn is_same(row: &ActiveModel, before: &Model) -> bool {
    row.name.as_ref() == &before.name
        && row.settings.as_ref() == &before.settings
        && row.sealed_password.as_ref() == &before.sealed_password
        && row.enabled.as_ref() == &before.enabled
}

fn valid_name(name: &str) -> Option<String> {
    let name = name.trim();
    let chars = name.chars().count();
    let valid = (1..=NAME_CHARS_MAX).contains(&chars) && !name.chars().any(char::is_control);
    valid.then(|| name.to_owned())
}

fn stored(settings: &SmppSettings) -> Result<String, Failed> {
    serde_json::to_string(settings).map_err(Failed::internal)
}

fn sealed(ctx: &Ctx, id: CarrierId, password: &SecretText) -> Vec<u8> {
    let plain = password.expose().as_bytes();
    ctx.master_key.seal(Purpose::CarrierPassword, id.0.as_bytes(), plain, &ctx.randomness)
}

fn is_name_taken(error: &impl TransactionError) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("carrier_name_unique") || constraint.contains("carrier.name")
    })
}
