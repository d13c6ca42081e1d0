//! Making, rotating and revoking API keys.

use entity::api_key;
use entity::enums::KeyMode;
use entity::ids::{AccountId, ApiKeyId, PersonId};
use entity::time::UnixMillis;

use crate::authz::{Action, Actor, Scope};
use crate::ctx::{Ctx, Platform};
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::Topic;
use crate::identity::authenticate::hash_key;
use crate::identity::key_text::{self, KeyText};
use crate::identity::model::{ApiKey, InvalidName, KeyName, NewApiKey, scopes_to_text};
use crate::identity::{IdentityService, store};
use crate::types::secret::SecretText;

/// Active keys of one account: more than programs need, and a bound on what one account can make.
pub const API_KEYS_PER_ACCOUNT_MAX: u64 = 100;
/// The longest time that a rotated key may still work, in seconds: 30 days.
pub const OVERLAP_S_MAX: i64 = 30 * 24 * 60 * 60;

/// What a key is made of.
#[derive(Clone, Debug)]
pub struct CreateApiKey {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// Live or test.
    pub mode: KeyMode,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// Refused from then on; never if `None`.
    pub expires_at: Option<UnixMillis>,
}

/// Why a key cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateApiKeyRejection {
    /// The name.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// No scope.
    #[error("a key needs at least one scope")]
    NoScopes,
    /// It would be refused at once.
    #[error("the expiry must be in the future")]
    ExpiryInPast,
    /// [`API_KEYS_PER_ACCOUNT_MAX`].
    #[error("the account has {API_KEYS_PER_ACCOUNT_MAX} active keys: revoke one first")]
    TooManyKeys,
}

/// Makes a key for the caller's account. Not idempotent.
///
/// # Errors
/// [`CreateApiKeyRejection`], or a failure.
pub async fn create_api_key(
    ctx: &Ctx,
    new: CreateApiKey,
) -> Result<NewApiKey, Error<CreateApiKeyRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageApiKeys)?;
    let name = KeyName::parse(&new.name).map_err(|fault| Error::Rejected(fault.into()))?;
    if new.scopes.is_empty() {
        return Err(Error::Rejected(CreateApiKeyRejection::NoScopes));
    }
    let now = ctx.clock.now();
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::Rejected(CreateApiKeyRejection::ExpiryInPast));
    }
    let (row, text) = prepare_key(
        ctx,
        NewKey {
            account_id,
            name,
            mode: new.mode,
            scopes: new.scopes,
            expires_at: new.expires_at,
            created_by: person_id(&ctx.actor),
            replaces: None,
        },
    );
    let new = &row;
    ctx.db
        .write(|tx| async move {
            lock_account(&tx, account_id).await?;
            if store::api_keys::active_count(&*tx, account_id, now).await?
                >= API_KEYS_PER_ACCOUNT_MAX
            {
                return Err(Error::Rejected(CreateApiKeyRejection::TooManyKeys));
            }
            Ok(store::api_keys::insert(&tx, new).await?)
        })
        .await?;
    Ok(NewApiKey { api_key: row.into(), text })
}

/// How to replace a key.
#[derive(Clone, Copy, Debug)]
pub struct RotateApiKey {
    /// The key to replace.
    pub api_key_id: ApiKeyId,
    /// How long it still works, in seconds, 0 to [`OVERLAP_S_MAX`]; until it is revoked (or its own
    /// expiry) if `None`.
    pub overlap_s: Option<i64>,
    /// When the new key expires; never if `None`.
    pub expires_at: Option<UnixMillis>,
}

/// A key and what it replaces.
#[derive(Debug)]
pub struct RotatedApiKey {
    /// The new key.
    pub new: NewApiKey,
    /// The old one as it is now.
    pub old: ApiKey,
}

/// Why a key cannot be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotateRejection {
    /// There is none with this id.
    #[error("there is no such key")]
    NotFound,
    /// It is expired or revoked.
    #[error("the key is expired or revoked: make a new one")]
    NotActive,
    /// It was replaced by a key that is active: two active keys are all that a rotation needs.
    #[error("the key was replaced by another that is active: rotate that one")]
    AlreadyRotated,
    /// Out of range.
    #[error("the overlap must be 0 to {OVERLAP_S_MAX} seconds")]
    InvalidOverlap,
    /// The new key would be refused at once.
    #[error("the expiry must be in the future")]
    ExpiryInPast,
}

/// Why a key cannot be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeRejection {
    /// There is none with this id.
    #[error("there is no such key")]
    NotFound,
}

impl IdentityService {
    /// Replaces a key by one of the same name, mode and scopes. The old one works on for the
    /// overlap; what it had replaced itself is revoked, so that two are active at most. Not
    /// idempotent.
    ///
    /// # Errors
    /// [`RotateRejection`], or a failure.
    pub async fn rotate_api_key(
        &self,
        ctx: &Ctx,
        rotation: RotateApiKey,
    ) -> Result<RotatedApiKey, Error<RotateRejection>> {
        let account_id = ctx.actor.require_in_account(Action::ManageApiKeys)?;
        let now = ctx.clock.now();
        if rotation.overlap_s.is_some_and(|overlap_s| !(0..=OVERLAP_S_MAX).contains(&overlap_s)) {
            return Err(Error::Rejected(RotateRejection::InvalidOverlap));
        }
        if rotation.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::Rejected(RotateRejection::ExpiryInPast));
        }
        let id = rotation.api_key_id;
        let found = store::api_keys::of_account(ctx.db.reader(), account_id, id).await?;
        let found = found.ok_or(Error::Rejected(RotateRejection::NotFound))?;
        let (row, text) = prepare_key(ctx, replacement(ctx, &found, rotation.expires_at));
        let new = &row;
        let old = ctx
            .db
            .write(|tx| async move { rotate(&tx, account_id, rotation, new, now).await })
            .await?;
        self.keys_changed(ctx, account_id, |key| key == old.id && !old.is_active(now));
        if let Some(before) = old.rotated_from {
            self.keys_changed(ctx, account_id, |key| key == before);
        }
        Ok(RotatedApiKey { new: NewApiKey { api_key: row.into(), text }, old })
    }

    /// Revokes a key for good: it is refused from the commit on. Idempotent.
    ///
    /// # Errors
    /// [`RevokeRejection`], or a failure.
    pub async fn revoke_api_key(
        &self,
        ctx: &Ctx,
        id: ApiKeyId,
    ) -> Result<ApiKey, Error<RevokeRejection>> {
        let account_id = ctx.actor.require_in_account(Action::ManageApiKeys)?;
        let now = ctx.clock.now();
        let key: api_key::Model = ctx
            .db
            .write(|tx| async move {
                lock_account(&tx, account_id).await?;
                let found = store::api_keys::of_account(&*tx, account_id, id).await?;
                let key = found.ok_or(Error::Rejected(RevokeRejection::NotFound))?;
                Ok::<_, Error<RevokeRejection>>(revoke(&tx, key, now).await?)
            })
            .await?;
        self.keys_changed(ctx, account_id, |key| key == id);
        Ok(key.into())
    }

    /// Makes this and the other nodes look again, and ends the streams of the keys that `ended`
    /// picks.
    fn keys_changed(&self, ctx: &Ctx, account_id: AccountId, ended: impl Fn(ApiKeyId) -> bool) {
        ctx.doorbell.ring(Topic::Credentials(account_id));
        self.0.keys.end(|state| ended(state.api_key_id));
    }
}

async fn rotate(
    tx: &Tx,
    account_id: AccountId,
    rotation: RotateApiKey,
    new: &api_key::Model,
    now: UnixMillis,
) -> Result<ApiKey, Error<RotateRejection>> {
    lock_account(tx, account_id).await?;
    let id = rotation.api_key_id;
    let old = store::api_keys::of_account(&**tx, account_id, id).await?;
    let old = old.ok_or(Error::Rejected(RotateRejection::NotFound))?;
    if !ApiKey::from(old.clone()).is_active(now) {
        return Err(Error::Rejected(RotateRejection::NotActive));
    }
    if store::api_keys::active_successor(&**tx, account_id, id, now).await?.is_some() {
        return Err(Error::Rejected(RotateRejection::AlreadyRotated));
    }
    if let Some(before) = old.rotated_from
        && let Some(before) = store::api_keys::of_account(&**tx, account_id, before).await?
    {
        revoke(tx, before, now).await?;
    }
    store::api_keys::insert(tx, new).await?;
    let Some(overlap_s) = rotation.overlap_s else { return Ok(old.into()) };
    let end = now.plus_ms(overlap_s * 1_000);
    let expires_at_ms = Some(old.expires_at_ms.map_or(end, |earlier| earlier.min(end)));
    let old = api_key::Model { expires_at_ms, version: old.version + 1, ..old };
    Ok(store::api_keys::update(tx, old).await?.into())
}

async fn revoke(
    tx: &Tx,
    key: api_key::Model,
    now: UnixMillis,
) -> Result<api_key::Model, sea_orm::DbErr> {
    if key.revoked_at_ms.is_some() {
        return Ok(key);
    }
    let revoked = api_key::Model { revoked_at_ms: Some(now), version: key.version + 1, ..key };
    store::api_keys::update(tx, revoked).await
}

/// Changes of an account's keys go one after the other.
async fn lock_account(tx: &Tx, account_id: AccountId) -> Result<(), Failed> {
    let account = store::accounts::account_for_update(tx, account_id).await?;
    account.map(drop).ok_or(Failed::Unauthenticated)
}

fn replacement(ctx: &Ctx, old: &api_key::Model, expires_at: Option<UnixMillis>) -> NewKey {
    let old = ApiKey::from(old.clone());
    NewKey {
        account_id: old.account_id,
        name: KeyName::parse(&old.name).expect("a stored name was parsed before"),
        mode: old.mode,
        scopes: old.scopes,
        expires_at,
        created_by: person_id(&ctx.actor),
        replaces: Some(old.id),
    }
}

/// A key that is about to be made.
pub(super) struct NewKey {
    pub(super) account_id: AccountId,
    pub(super) name: KeyName,
    pub(super) mode: KeyMode,
    pub(super) scopes: Vec<Scope>,
    pub(super) expires_at: Option<UnixMillis>,
    pub(super) created_by: Option<PersonId>,
    pub(super) replaces: Option<ApiKeyId>,
}

/// Draws a key; gives its row and its text.
pub(super) fn prepare_key(platform: &Platform, new: NewKey) -> (api_key::Model, SecretText) {
    let secret = key_text::generate(new.mode, &platform.randomness);
    let text = KeyText::parse(secret.expose()).expect("we write what we read");
    let row = api_key::Model {
        id: platform.ids.next(),
        account_id: new.account_id,
        name: new.name.into_string(),
        lookup: text.lookup().to_owned(),
        hash: hash_key(platform, text).to_vec(),
        mode: new.mode,
        scopes: scopes_to_text(&new.scopes),
        created_by: new.created_by,
        created_at_ms: platform.clock.now(),
        expires_at_ms: new.expires_at,
        revoked_at_ms: None,
        last_used_at_ms: None,
        rotated_from: new.replaces,
        version: 1,
    };
    (row, secret)
}

fn person_id(actor: &Actor) -> Option<PersonId> {
    match actor {
        Actor::Person(person) => Some(person.person_id),
        Actor::Anonymous | Actor::Key(_) | Actor::CommandLine | Actor::System => None,
    }
}
