//! Reads of the carriers.

use std::collections::HashMap;

use entity::carrier::{Column, Entity, Model};
use entity::carrier_lease;
use entity::enums::CarrierKind;
use entity::ids::CarrierId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Conventions, SmppSettings, settings};
use crate::authz::Action;
use crate::carriers::smpp::{ConfigError, SmppConfig};
use crate::ctx::{Ctx, Platform};
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;
use crate::keys::Purpose;
use crate::types::secret::SecretText;

/// How a carrier is reached.
#[derive(Clone, Debug)]
pub enum CarrierAccess {
    /// Inside the process.
    Simulator,
    /// Over SMPP 3.4, with everything the client needs.
    Smpp(Box<SmppConfig>),
}

/// Why a stored carrier cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum UnusableCarrier {
    /// The settings are not of a form that this version reads.
    #[error("its settings cannot be read: set them again")]
    Settings(#[source] serde_json::Error),
    /// The client refuses them.
    #[error("its settings cannot be used: {0}")]
    Invalid(ConfigError),
    /// There is no password, or it was sealed with another master key.
    #[error("its password cannot be read: set it again")]
    Password,
}

/// A carrier.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: CarrierId) -> Result<Option<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    Ok(Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// A carrier by its name.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn by_name(ctx: &Ctx, name: &str) -> Result<Option<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    Ok(Entity::find().filter(Column::Name.eq(name)).one(ctx.db.reader()).await?)
}

/// Carriers by id; those that do not exist are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_many(ctx: &Ctx, ids: &[CarrierId]) -> Result<Vec<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    let select = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(select.all(ctx.db.reader()).await?)
}

/// A page of the carriers, oldest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(ctx: &Ctx, request: &PageRequest<CarrierId>) -> Result<Page<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    let order = ListOrder::Ascending;
    Ok(page::fetch_page(ctx.db.reader(), Entity::find(), Column::Id, order, request).await?)
}

/// How many carriers there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    Ok(page::count_all(ctx.db.reader(), Entity::find()).await?)
}

/// Who runs these carriers; one that nobody ever ran is missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn leases(
    ctx: &Ctx,
    ids: &[CarrierId],
) -> Result<HashMap<CarrierId, carrier_lease::Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    let found = carrier_lease::Entity::find()
        .filter(carrier_lease::Column::CarrierId.is_in(ids.iter().copied()))
        .all(ctx.db.reader())
        .await?;
    Ok(found.into_iter().map(|lease| (lease.carrier_id, lease)).collect())
}

/// The settings of an SMPP carrier; `None` for other kinds.
///
/// # Errors
/// [`Failed::Internal`] if the stored text is not of this form.
pub fn smpp_settings(row: &Model) -> Result<Option<SmppSettings>, Failed> {
    match row.kind {
        CarrierKind::Simulator => Ok(None),
        CarrierKind::Smpp => {
            serde_json::from_str(&row.settings).map(Some).map_err(Failed::internal)
        }
    }
}

/// How a carrier writes what it reports. For the program's own use.
///
/// # Errors
/// [`UnusableCarrier::Settings`].
pub fn conventions(row: &Model) -> Result<Conventions, UnusableCarrier> {
    settings::conventions(&row.name, &row.settings).map_err(UnusableCarrier::Settings)
}

/// What it takes to run a carrier. For the program's own use: it opens the password.
///
/// # Errors
/// [`UnusableCarrier`].
pub fn access(platform: &Platform, row: &Model) -> Result<CarrierAccess, UnusableCarrier> {
    match row.kind {
        CarrierKind::Simulator => return Ok(CarrierAccess::Simulator),
        CarrierKind::Smpp => {}
    }
    let settings: SmppSettings =
        serde_json::from_str(&row.settings).map_err(UnusableCarrier::Settings)?;
    let sealed = row.sealed_password.as_deref().ok_or(UnusableCarrier::Password)?;
    let opened = platform
        .master_key
        .open(Purpose::CarrierPassword, row.id.0.as_bytes(), sealed)
        .map_err(|_| UnusableCarrier::Password)?;
    let password = std::str::from_utf8(&opened).map_err(|_| UnusableCarrier::Password)?;
    let config = settings.config(&row.name, &SecretText::new(password.to_owned()));
    config.validate().map_err(UnusableCarrier::Invalid)?;
    Ok(CarrierAccess::Smpp(Box::new(config)))
}
