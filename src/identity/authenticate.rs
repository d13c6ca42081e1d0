//! From a credential to an actor: the one way in. Called by the HTTP edge for each request, and
//! for each operation's beginning on a socket. Costs no statement while the cache is warm.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use entity::enums::{AccountKind, AccountStatus, KeyMode, Role};
use entity::ids::{AccountId, ApiKeyId, PersonId, SessionId};
use entity::time::UnixMillis;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::IdentityService;
use super::cache::{Credential, Standing};
use super::key_text::{self, KeyText};
use super::model::scopes_from_text;
use super::store;
use super::tokens::{self, Parties};
use crate::authz::{Actor, KeyActor, PersonActor, Scope};
use crate::ctx::Platform;
use crate::error::Failed;
use crate::keys::Purpose;

/// Who is asking, and for how long that is true. Hold on to it while a stream runs: the watch on
/// the credential lasts as long as somebody does.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who.
    pub actor: Actor,
    /// When the credential is over; streams end then.
    pub expires_at: Option<UnixMillis>,
    /// Canceled when the credential is revoked or the person's role changes: at once on the node
    /// that did it, within `events::POLL_INTERVAL` on others while [`IdentityService::run`] runs.
    /// Never for nobody.
    pub revoked: CancellationToken,
    standing: Arc<Standing>,
}

/// What is known of a log-in.
pub(super) struct SessionState {
    pub(super) session_id: SessionId,
    pub(super) person_id: PersonId,
    pub(super) account_id: AccountId,
    pub(super) role: Role,
    is_operator: bool,
    expires_at: UnixMillis,
    revoked: bool,
}

/// What is known of an API key.
pub(super) struct KeyState {
    pub(super) api_key_id: ApiKeyId,
    account_id: AccountId,
    mode: KeyMode,
    scopes: Vec<Scope>,
    expires_at: Option<UnixMillis>,
    revoked: bool,
    /// The minute of its use that was last noted.
    pub(super) noted_minute: AtomicI64,
}

impl Credential for SessionState {
    fn account_id(&self) -> AccountId {
        self.account_id
    }

    fn is_revoked(&self) -> bool {
        self.revoked
    }

    fn has_rights_of(&self, earlier: &Self) -> bool {
        self.role == earlier.role && self.is_operator == earlier.is_operator
    }
}

impl Credential for KeyState {
    fn account_id(&self) -> AccountId {
        self.account_id
    }

    fn is_revoked(&self) -> bool {
        self.revoked
    }

    fn has_rights_of(&self, earlier: &Self) -> bool {
        self.scopes == earlier.scopes
    }
}

impl IdentityService {
    /// Who presents `credential` (an API key or an access token, without `Bearer`); nobody in
    /// particular without one.
    ///
    /// # Errors
    /// [`Failed::Unauthenticated`] if it is malformed, unknown, expired or revoked, or its account
    /// is closed; else the store's own.
    pub async fn authenticate(&self, credential: Option<&str>) -> Result<Authenticated, Failed> {
        let Some(credential) = credential else {
            let standing = Arc::<Standing>::default();
            return Ok(authenticated(Actor::Anonymous, None, standing));
        };
        if key_text::looks_like_key(credential) {
            let key = KeyText::parse(credential).ok_or(Failed::Unauthenticated)?;
            self.by_key(key).await
        } else {
            self.by_token(credential).await
        }
    }

    async fn by_key(&self, key: KeyText<'_>) -> Result<Authenticated, Failed> {
        let platform = &*self.0.platform;
        let hash = hash_key(platform, key);
        let load = || load_key(platform, key, hash);
        let known = self.0.keys.get(platform, hash, load).await?.ok_or(Failed::Unauthenticated)?;
        let now = platform.clock.now();
        let state = &known.state;
        if state.revoked || state.expires_at.is_some_and(|end| end <= now) {
            return Err(Failed::Unauthenticated);
        }
        self.0.used_keys.note(state, now);
        let actor = Actor::Key(KeyActor {
            api_key_id: state.api_key_id,
            account_id: state.account_id,
            mode: state.mode,
            scopes: state.scopes.clone(),
        });
        Ok(authenticated(actor, state.expires_at, known.standing))
    }

    async fn by_token(&self, token: &str) -> Result<Authenticated, Failed> {
        let platform = &*self.0.platform;
        let kid = tokens::key_id(token).ok_or(Failed::Unauthenticated)?;
        let keys = self.0.keyring.for_kid(platform, &kid).await?;
        let now = platform.clock.now();
        let claims = tokens::verify(token, &kid, &keys, &parties(platform), now)
            .ok_or(Failed::Unauthenticated)?;
        let load = || load_session(platform, claims.sid);
        let known = self.0.sessions.get(platform, claims.sid, load).await?;
        let known = known.ok_or(Failed::Unauthenticated)?;
        let state = &known.state;
        let same = state.person_id == claims.sub && state.account_id == claims.acct;
        if !same || state.revoked || state.expires_at <= now {
            return Err(Failed::Unauthenticated);
        }
        let expires_at = claims.expires_at().min(state.expires_at);
        let actor = Actor::Person(PersonActor {
            person_id: state.person_id,
            session_id: state.session_id,
            account_id: state.account_id,
            role: state.role,
            is_operator: state.is_operator,
        });
        Ok(authenticated(actor, Some(expires_at), known.standing))
    }
}

fn authenticated(
    actor: Actor,
    expires_at: Option<UnixMillis>,
    standing: Arc<Standing>,
) -> Authenticated {
    Authenticated { actor, expires_at, revoked: standing.revoked.clone(), standing }
}

impl Authenticated {
    /// Waits until the credential is revoked; forever if it never is.
    pub async fn until_revoked(&self) {
        self.standing.revoked.cancelled().await;
    }
}

/// Who makes access tokens, and for whom.
pub(super) fn parties(platform: &Platform) -> Parties {
    let issuer = platform.settings.public_url();
    Parties { audience: format!("{issuer}/graphql"), issuer }
}

/// The hash under which a key is stored.
pub(super) fn hash_key(platform: &Platform, key: KeyText<'_>) -> [u8; 32] {
    platform.master_key.hash(Purpose::ApiKey, key.expose().as_bytes())
}

async fn load_key(
    platform: &Platform,
    key: KeyText<'_>,
    hash: [u8; 32],
) -> Result<Option<KeyState>, Failed> {
    let db = platform.db.reader();
    let Some(row) = store::api_keys::by_lookup(db, key.lookup()).await? else { return Ok(None) };
    if !bool::from(row.hash.as_slice().ct_eq(&hash)) {
        return Ok(None);
    }
    let Some(account) = store::accounts::account(db, row.account_id).await? else {
        return Ok(None);
    };
    Ok(Some(KeyState {
        api_key_id: row.id,
        account_id: row.account_id,
        mode: row.mode,
        scopes: scopes_from_text(&row.scopes),
        expires_at: row.expires_at_ms,
        revoked: row.revoked_at_ms.is_some() || account.status == AccountStatus::Closed,
        noted_minute: AtomicI64::new(row.last_used_at_ms.map_or(0, |used| used.0)),
    }))
}

async fn load_session(platform: &Platform, id: SessionId) -> Result<Option<SessionState>, Failed> {
    let db = platform.db.reader();
    let Some(row) = store::sessions::session(db, id).await? else { return Ok(None) };
    let member = store::accounts::membership(db, row.account_id, row.person_id).await?;
    let account = store::accounts::account(db, row.account_id).await?;
    let (Some(member), Some(account)) = (member, account) else { return Ok(None) };
    Ok(Some(SessionState {
        session_id: row.id,
        person_id: row.person_id,
        account_id: row.account_id,
        role: member.role,
        is_operator: account.kind == AccountKind::Operator,
        expires_at: row.expires_at_ms,
        revoked: row.revoked_at_ms.is_some() || account.status == AccountStatus::Closed,
    }))
}
