//! Identity: accounts, people and their roles, log-ins, access tokens, API keys.
//!
//! Invariants: a secret (password, API key, refresh token, one-time link) is stored only as a hash
//! and shown at most once; no password is hashed inside a transaction; a credential that was
//! revoked is refused at once on the node that revoked it and within `events::POLL_INTERVAL`
//! elsewhere, and so is a right that went with a role; an account that has an owner keeps one;
//! whoever changes a role or closes an account rings `Topic::Credentials` after the
//! commit.
//!
//! Not here: what a role or scope may do (`authz`), cookies and headers (`http`). To come, each on
//! a seam that exists: mail flows (a `LinkPurpose` more, and a job that sends the link), invitations
//! (the same, with a role in the link), TOTP and recovery codes (a step between the password and
//! `sessions::open`), OpenID Connect (another way to `sessions::open`).

mod authenticate;
mod base62;
mod cache;
mod commands;
mod hasher;
mod jobs;
mod key_text;
mod keyring;
mod model;
mod password;
mod queries;
mod store;
mod throttle;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;

pub use authenticate::Authenticated;
pub use commands::accounts::{
    CreateAccountRejection, CreatedAccount, NewAccount, UpdateAccount, UpdateAccountRejection,
    create_account, update_account,
};
pub use commands::api_keys::{
    API_KEYS_PER_ACCOUNT_MAX, CreateApiKey, CreateApiKeyRejection, OVERLAP_S_MAX, RevokeRejection,
    RotateApiKey, RotateRejection, RotatedApiKey, create_api_key,
};
pub use commands::log_in::{LogIn, LogInRejection};
pub use commands::operator::ensure_operator;
pub use commands::people::{Member, MemberRejection};
pub use commands::sessions::{LogOutRejection, RefreshRejection};
pub use commands::sign_up::{AcceptOwnerLink, AcceptRejection, SignUp, SignUpRejection};
pub use commands::standing::{
    OwnerLinkRejection, StatusRejection, reactivate_account, reissue_owner_link, suspend_account,
};
pub use model::{
    ApiKey, EMAIL_CHARS_MAX, Email, InvalidEmail, InvalidName, KEY_NAME_CHARS_MAX, NAME_CHARS_MAX,
    NewApiKey, OneTimeLink, Person, SignedIn, Tokens,
};
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordFault};
pub use queries::{
    Viewer, ViewerIdentity, account_of_caller, accounts, accounts_count, api_keys, api_keys_count,
    find_accounts, find_api_keys, find_people, find_session, sessions, sessions_count, viewer,
};

use self::cache::Cache;
use self::hasher::Hasher;
use self::jobs::UsedKeys;
use self::keyring::Keyring;
use crate::authz::Action;
use crate::ctx::{Ctx, Platform};
use crate::error::Failed;

/// Where a request comes from, as the edge sees it. Attached to requests by the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// What identity holds in memory: hashing turns, decoded keys, credentials seen lately. One per
/// process; cheap to clone.
#[derive(Clone)]
pub struct IdentityService(Arc<Inner>);

struct Inner {
    platform: Arc<Platform>,
    hasher: Hasher,
    keyring: Keyring,
    sessions: Cache<entity::ids::SessionId, authenticate::SessionState>,
    keys: Cache<[u8; 32], authenticate::KeyState>,
    used_keys: UsedKeys,
    refreshing: commands::sessions::Refreshing,
}

impl IdentityService {
    /// A service with nothing in memory yet.
    pub fn new(platform: Arc<Platform>) -> Self {
        let memory_kib = platform.settings.identity.argon2_memory_kib;
        Self(Arc::new(Inner {
            hasher: Hasher::new(memory_kib, platform.randomness.clone()),
            platform,
            keyring: Keyring::default(),
            sessions: Cache::new(),
            keys: Cache::new(),
            used_keys: UsedKeys::default(),
            refreshing: commands::sessions::Refreshing::default(),
        }))
    }

    /// The keys that verify access tokens, as a JWK set (RFC 7517), for anybody.
    ///
    /// # Errors
    /// [`Failed`]: the store's own.
    pub async fn jwks(&self) -> Result<serde_json::Value, Failed> {
        self.0.keyring.jwks(&self.0.platform).await
    }

    /// Makes a new key to sign with and returns its `kid`. Tokens signed before stay good until
    /// they expire. Not idempotent.
    ///
    /// # Errors
    /// [`Failed`]: not allowed, or the store's own.
    pub async fn rotate_signing_key(&self, ctx: &Ctx) -> Result<String, Failed> {
        ctx.actor.require(Action::RotateSigningKeys)?;
        self.0.keyring.rotate(ctx).await
    }
}

impl std::fmt::Debug for IdentityService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityService")
    }
}
