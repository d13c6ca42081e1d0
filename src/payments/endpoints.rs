//! The addresses that processors post to, with their secrets: set up by the operator, read by the
//! inbox from memory.
//!
//! Secrets are sealed in the store, each for its row, and are never given out again.

use std::collections::HashMap;
use std::sync::Arc;

use entity::enums::ProcessorKind;
use entity::ids::ProcessorId;
use entity::processor_endpoint::{ActiveModel, Column, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use tokio::sync::{Mutex, watch};

use super::mpesa;
use super::processor::{EndpointSecrets, Processor};
use crate::authz::Action;
use crate::ctx::{Ctx, Platform};
use crate::error::{Error, Failed};
use crate::events::{POLL_INTERVAL, Topic};
use crate::keys::Purpose;
use crate::types::secret::SecretText;

/// Processors of an installation: each is a row in memory on every node.
pub const PROCESSORS_MAX: u64 = 100;
/// Characters of a secret or a key: processors give fewer than 200.
pub const SECRET_CHARS_MAX: usize = 500;
/// Characters of an API's address.
pub const BASE_URL_CHARS_MAX: usize = 500;
/// Characters of the path's last part: 160 bits.
const PATH_KEY_CHARS: usize = 32;
/// Crockford's base32 in small letters.
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A processor to be connected.
#[derive(Debug)]
pub struct NewProcessor {
    /// Whose.
    pub kind: ProcessorKind,
    /// What its webhooks are signed with.
    pub secret: SecretText,
    /// What its API is called with; without it no payment is started here.
    pub api_key: Option<SecretText>,
    /// Where its API is; `None`: where the processor says.
    pub base_url: Option<String>,
}

/// Why a processor cannot be connected or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessorRejection {
    /// A secret or key is empty, too long, has blanks or controls in it, or has not the parts that
    /// its processor's has.
    #[error("a secret or key has 1 to {SECRET_CHARS_MAX} visible characters")]
    InvalidSecret,
    /// Not an http or https address.
    #[error(
        "an API's address begins with https:// or http://, without a query, and has at most {BASE_URL_CHARS_MAX} characters"
    )]
    InvalidBaseUrl,
    /// There are [`PROCESSORS_MAX`].
    #[error("there are as many processors as there may be: {PROCESSORS_MAX}")]
    TooMany,
    /// There is none with this id.
    #[error("there is no such processor")]
    NotFound,
}

/// Connects a processor, enabled. Not idempotent.
///
/// # Errors
/// [`ProcessorRejection`], or a failure.
pub async fn add_processor(
    ctx: &Ctx,
    new: NewProcessor,
) -> Result<Model, Error<ProcessorRejection>> {
    ctx.actor.require(Action::ManageProcessors)?;
    ensure_secret(&new.secret)?;
    new.api_key.as_ref().map(ensure_secret).transpose()?;
    let is_mpesa = new.kind == ProcessorKind::MPesa;
    if new.api_key.as_ref().is_some_and(|key| is_mpesa && !mpesa::api::are_keys(key)) {
        return Err(Error::Rejected(ProcessorRejection::InvalidSecret));
    }
    let base_url = new.base_url.map(|url| valid_base_url(&url)).transpose()?;
    let (id, now): (ProcessorId, _) = (ctx.ids.next(), ctx.clock.now());
    let row = Model {
        id,
        kind: new.kind,
        path_key: path_key(ctx),
        sealed_secret: seal(ctx, id, &new.secret),
        sealed_other_secret: None,
        sealed_api_key: new.api_key.as_ref().map(|key| seal(ctx, id, key)),
        base_url,
        enabled: true,
        swept_until_ms: now,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
        reconciled_day: None,
    };
    let inserted = &row;
    ctx.db
        .write(|tx| async move {
            if Entity::find().count(&*tx).await? >= PROCESSORS_MAX {
                return Err(Error::Rejected(ProcessorRejection::TooMany));
            }
            let row = ActiveModel::from(inserted.clone());
            Entity::insert(row).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await?;
    ctx.doorbell.ring(Topic::Processors);
    Ok(row)
}

/// Takes a new webhook secret beside the one in use, which stays good until the next rotation.
/// Not idempotent: the same secret twice leaves only that one.
///
/// # Errors
/// [`ProcessorRejection`], or a failure.
pub async fn rotate_secret(
    ctx: &Ctx,
    id: ProcessorId,
    secret: SecretText,
) -> Result<Model, Error<ProcessorRejection>> {
    ctx.actor.require(Action::ManageProcessors)?;
    ensure_secret(&secret)?;
    let sealed = seal(ctx, id, &secret);
    let (sealed, now) = (&sealed, ctx.clock.now());
    let row = ctx
        .db
        .write(|tx| async move {
            let found = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let before = found.ok_or(Error::Rejected(ProcessorRejection::NotFound))?;
            let change = ActiveModel {
                id: sea_orm::Unchanged(id),
                sealed_secret: Set(sealed.clone()),
                sealed_other_secret: Set(Some(before.sealed_secret.clone())),
                version: Set(before.version + 1),
                updated_at_ms: Set(now),
                ..Default::default()
            };
            Ok::<_, Error<ProcessorRejection>>(change.update(&*tx).await?)
        })
        .await?;
    ctx.doorbell.ring(Topic::Processors);
    Ok(row)
}

/// All processors, oldest first; at most [`PROCESSORS_MAX`].
///
/// # Errors
/// A failure.
pub async fn processors(ctx: &Ctx) -> Result<Vec<Model>, Failed> {
    ctx.actor.require(Action::ManageProcessors)?;
    Ok(Entity::find().order_by_asc(Column::Id).all(ctx.db.reader()).await?)
}

/// A processor.
///
/// # Errors
/// A failure.
pub async fn processor(ctx: &Ctx, id: ProcessorId) -> Result<Option<Model>, Failed> {
    ctx.actor.require(Action::ManageProcessors)?;
    Ok(Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// The path that a processor posts to, without the host.
pub fn path(row: &Model) -> String {
    format!("/hooks/{}/{}", Processor::of(row.kind).name(), row.path_key)
}

/// The processors that payments can be started with and that can be asked, oldest first.
pub(super) async fn callable(ctx: &Ctx, kind: ProcessorKind) -> Result<Vec<Model>, DbErr> {
    let mut rows = all_callable(ctx).await?;
    rows.retain(|row| row.kind == kind);
    Ok(rows)
}

/// The processors of every kind that can be asked, oldest first; at most [`PROCESSORS_MAX`].
pub(super) async fn all_callable(ctx: &Ctx) -> Result<Vec<Model>, DbErr> {
    let mut rows = enabled(ctx).await?;
    rows.retain(|row| row.sealed_api_key.is_some());
    Ok(rows)
}

/// The processors of every kind that are enabled, oldest first; at most [`PROCESSORS_MAX`].
pub(super) async fn enabled(ctx: &Ctx) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Enabled.eq(true))
        .order_by_asc(Column::Id)
        .limit(PROCESSORS_MAX)
        .all(ctx.db.reader())
        .await
}

/// The key of a processor's API, opened.
pub(super) fn api_key(platform: &Platform, row: &Model) -> Result<Option<SecretText>, Failed> {
    row.sealed_api_key.as_deref().map(|sealed| open(platform, row.id, sealed)).transpose()
}

/// What a processor's webhooks are signed with, opened.
pub(super) fn secret(platform: &Platform, row: &Model) -> Result<SecretText, Failed> {
    open(platform, row.id, &row.sealed_secret)
}

fn ensure_secret(secret: &SecretText) -> Result<(), Error<ProcessorRejection>> {
    let text = secret.expose();
    let fits = (1..=SECRET_CHARS_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Error::Rejected(ProcessorRejection::InvalidSecret))
    }
}

fn valid_base_url(url: &str) -> Result<String, Error<ProcessorRejection>> {
    let refused = Error::Rejected(ProcessorRejection::InvalidBaseUrl);
    let uri: http::Uri =
        url.parse().map_err(|_| Error::Rejected(ProcessorRejection::InvalidBaseUrl))?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_web && uri.host().is_some() && uri.query().is_none() && url.len() <= BASE_URL_CHARS_MAX {
        // Stripe's client puts the path right behind it.
        Ok(format!("{}/", url.trim_end_matches('/')))
    } else {
        Err(refused)
    }
}

fn path_key(ctx: &Ctx) -> String {
    let bytes = ctx.randomness.bytes::<PATH_KEY_CHARS>();
    bytes.iter().map(|byte| char::from(SYMBOLS[usize::from(byte & 31)])).collect()
}

fn seal(ctx: &Ctx, id: ProcessorId, secret: &SecretText) -> Vec<u8> {
    let plain = secret.expose().as_bytes();
    ctx.master_key.seal(Purpose::Processor, id.0.as_bytes(), plain, &ctx.randomness)
}

fn open(platform: &Platform, id: ProcessorId, sealed: &[u8]) -> Result<SecretText, Failed> {
    let plain = platform.master_key.open(Purpose::Processor, id.0.as_bytes(), sealed);
    let plain = plain.map_err(Failed::internal)?;
    let text = std::str::from_utf8(&plain).map_err(Failed::internal)?;
    Ok(SecretText::new(text.to_owned()))
}

/// An address that takes webhooks, with its secrets open.
pub(super) struct Endpoint {
    pub(super) id: ProcessorId,
    pub(super) processor: Processor,
    secret: SecretText,
    other_secret: Option<SecretText>,
}

impl Endpoint {
    pub(super) fn secrets(&self) -> Option<EndpointSecrets<'_>> {
        EndpointSecrets::new(&self.secret, self.other_secret.as_ref())
    }
}

type Table = HashMap<String, Arc<Endpoint>>;

/// The enabled endpoints of this node by the last part of their path, read again when they change.
pub(super) struct Endpoints {
    platform: Arc<Platform>,
    state: Mutex<State>,
}

struct State {
    bell: watch::Receiver<u64>,
    read: Option<(Arc<Table>, UnixMillis)>,
}

impl Endpoints {
    pub(super) fn new(platform: Arc<Platform>) -> Self {
        let bell = platform.doorbell.listen(Topic::Processors);
        Self { platform, state: Mutex::new(State { bell, read: None }) }
    }

    /// The endpoint at a path: at once on the node that changed them, within [`POLL_INTERVAL`]
    /// elsewhere.
    pub(super) async fn find(
        &self,
        processor: &str,
        path_key: &str,
    ) -> Result<Option<Arc<Endpoint>>, Failed> {
        let table = self.current().await?;
        let found = table.get(path_key).filter(|it| it.processor.name() == processor);
        Ok(found.map(Arc::clone))
    }

    async fn current(&self) -> Result<Arc<Table>, Failed> {
        let mut state = self.state.lock().await;
        let now = self.platform.clock.now();
        // An error means that the doorbell is gone, and with it the process.
        let rung = state.bell.has_changed().unwrap_or(true);
        if let Some((table, read_at)) = &state.read
            && !rung
            && u128::from(now.since(*read_at).unsigned_abs()) < POLL_INTERVAL.as_millis()
        {
            return Ok(Arc::clone(table));
        }
        // Before the reading: what rings during it is not lost.
        state.bell.borrow_and_update();
        let table = Arc::new(self.load().await?);
        state.read = Some((Arc::clone(&table), now));
        Ok(table)
    }

    async fn load(&self) -> Result<Table, Failed> {
        let select = Entity::find().filter(Column::Enabled.eq(true));
        let rows = select.limit(PROCESSORS_MAX).all(self.platform.db.reader()).await?;
        let mut table = Table::new();
        for row in rows {
            let other = row.sealed_other_secret.as_deref();
            let endpoint = Endpoint {
                id: row.id,
                processor: Processor::of(row.kind),
                secret: open(&self.platform, row.id, &row.sealed_secret)?,
                other_secret: other.map(|it| open(&self.platform, row.id, it)).transpose()?,
            };
            table.insert(row.path_key, Arc::new(endpoint));
        }
        Ok(table)
    }
}
