//! The life of a log-in: opening, refreshing with rotation, logging out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::enums::{AccountStatus, Role};
use entity::ids::{AccountId, PersonId, SessionId};
use entity::time::UnixMillis;
use entity::{account, person, refresh_token, session};

use crate::ctx::{Ctx, Platform};
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::Topic;
use crate::identity::authenticate::parties;
use crate::identity::keyring::SigningKey;
use crate::identity::model::{SignedIn, Tokens};
use crate::identity::queries::person_of;
use crate::identity::tokens::{self, Claims, Parties};
use crate::identity::{IdentityService, store};
use crate::keys::Purpose;
use crate::types::secret::SecretText;

/// What refresh tokens begin with, so that scanners of leaked secrets know them.
const REFRESH_PREFIX: &str = "hg_refresh_";
/// 32 bytes in base64url without padding.
const REFRESH_CHARS: usize = REFRESH_PREFIX.len() + 43;

/// Why a log-in cannot be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshRejection {
    /// Not a refresh token of ours.
    #[error("this is not a refresh token")]
    InvalidToken,
    /// It was used before: somebody else has it. The log-in was ended.
    #[error("this refresh token was used before, so the log-in was ended: log in again")]
    Reused,
    /// The same token is being used at this moment; that call has the new one.
    #[error("this refresh token is being used by another call at this moment")]
    InProgress,
    /// Logged out, or not used for too long.
    #[error("the log-in is over: log in again")]
    Ended,
}

/// Why a log-in cannot be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogOutRejection {
    /// The caller has no such log-in.
    #[error("you have no such log-in")]
    NotFound,
}

/// The refresh tokens that are being used on this node at this moment.
///
/// Two tabs of one browser that refresh at once are no theft: one wins, the other is told so.
/// Between two nodes the second is taken for a reuse, which errs on the safe side.
#[derive(Default)]
pub(in crate::identity) struct Refreshing(Mutex<HashSet<[u8; 32]>>);

struct RefreshTurn<'a> {
    refreshing: &'a Refreshing,
    hash: [u8; 32],
}

impl Refreshing {
    fn claim(&self, hash: [u8; 32]) -> Option<RefreshTurn<'_>> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
        // A turn is made only where it was won: dropping it frees the token.
        first.then(|| RefreshTurn { refreshing: self, hash })
    }
}

impl Drop for RefreshTurn<'_> {
    fn drop(&mut self) {
        let mut hashes = self.refreshing.0.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.remove(&self.hash);
    }
}

/// New tokens for a log-in: everything drawn before the transaction.
pub(super) struct FreshTokens {
    refresh_token: SecretText,
    refresh_hash: [u8; 32],
    signing: Arc<SigningKey>,
    parties: Parties,
    access_ttl_s: i64,
    now: UnixMillis,
}

impl FreshTokens {
    /// The row of the refresh token.
    fn row(&self, session_id: SessionId) -> refresh_token::Model {
        refresh_token::Model {
            hash: self.refresh_hash.to_vec(),
            session_id,
            created_at_ms: self.now,
            used_at_ms: None,
        }
    }

    /// The answer, with a signed access token.
    pub(super) fn signed_in(
        self,
        session: session::Model,
        person: person::Model,
        account: account::Model,
        role: Role,
    ) -> Result<SignedIn, Failed> {
        let iat = self.now.0.div_euclid(1_000);
        let claims = Claims {
            iss: self.parties.issuer,
            aud: self.parties.audience,
            sub: session.person_id,
            sid: session.id,
            acct: session.account_id,
            iat,
            exp: iat + self.access_ttl_s,
        };
        let tokens = Tokens {
            access_token: tokens::sign(&self.signing, &claims)?,
            access_expires_at: claims.expires_at(),
            refresh_token: self.refresh_token,
        };
        Ok(SignedIn { session, tokens, person: person.into(), account, role })
    }
}

/// The row of a new log-in.
pub(super) fn new_session(
    platform: &Platform,
    person_id: PersonId,
    account_id: AccountId,
) -> session::Model {
    let now = platform.clock.now();
    session::Model {
        id: platform.ids.next(),
        person_id,
        account_id,
        created_at_ms: now,
        last_used_at_ms: now,
        expires_at_ms: session_end(platform, now),
        revoked_at_ms: None,
    }
}

/// Writes a new log-in with its first refresh token.
pub(super) async fn open(
    tx: &Tx,
    session: &session::Model,
    tokens: &FreshTokens,
) -> Result<(), sea_orm::DbErr> {
    store::sessions::insert(tx, session).await?;
    store::sessions::insert_token(tx, &tokens.row(session.id)).await
}

impl IdentityService {
    /// Draws new tokens.
    pub(super) async fn fresh_tokens(&self, platform: &Platform) -> Result<FreshTokens, Failed> {
        let random = URL_SAFE_NO_PAD.encode(platform.randomness.bytes::<32>());
        let refresh_token = SecretText::new(format!("{REFRESH_PREFIX}{random}"));
        Ok(FreshTokens {
            refresh_hash: hash_refresh(platform, &refresh_token),
            refresh_token,
            signing: self.0.keyring.signing(platform).await?,
            parties: parties(platform),
            access_ttl_s: platform.settings.identity.access_token_ttl_s,
            now: platform.clock.now(),
        })
    }

    /// Takes a refresh token for a new pair of tokens; the old one is used up. Open to everybody.
    /// Using a token twice ends the log-in, as one of the two users stole it (RFC 9700, 4.14.2).
    ///
    /// # Errors
    /// [`RefreshRejection`], or a failure.
    pub async fn refresh_session(
        &self,
        ctx: &Ctx,
        token: &SecretText,
    ) -> Result<SignedIn, Error<RefreshRejection>> {
        let text = token.expose();
        if text.len() != REFRESH_CHARS || !text.starts_with(REFRESH_PREFIX) {
            return Err(Error::Rejected(RefreshRejection::InvalidToken));
        }
        let hash = hash_refresh(ctx, token);
        let _turn =
            self.0.refreshing.claim(hash).ok_or(Error::Rejected(RefreshRejection::InProgress))?;
        let fresh = self.fresh_tokens(ctx).await?;
        let (new, end) = (&fresh, session_end(ctx, fresh.now));
        let outcome: Refreshed = ctx
            .db_of_platform()
            .write(|tx| async move { use_refresh_token(&tx, &hash, new, end).await })
            .await?;
        match outcome {
            Refreshed::Yes(session) => {
                let (person, account, role) = self.standing_of(ctx, &session).await?;
                Ok(fresh.signed_in(session, person, account, role)?)
            }
            Refreshed::Unknown => Err(Error::Rejected(RefreshRejection::InvalidToken)),
            Refreshed::Ended => Err(Error::Rejected(RefreshRejection::Ended)),
            Refreshed::Reused(session_id, account_id) => {
                self.session_ended(ctx, session_id, account_id);
                tracing::warn!(
                    session.id = %session_id, account.id = %account_id,
                    "a refresh token was used twice; the log-in was ended"
                );
                Err(Error::Rejected(RefreshRejection::Reused))
            }
        }
    }

    /// Who a log-in stands for. Nobody, if the person left the account meanwhile.
    async fn standing_of(
        &self,
        ctx: &Ctx,
        session: &session::Model,
    ) -> Result<(person::Model, account::Model, Role), Error<RefreshRejection>> {
        let ended = || Error::Rejected(RefreshRejection::Ended);
        let db = ctx.db_of_platform().reader();
        let (account_id, person_id) = (session.account_id, session.person_id);
        let member = store::accounts::membership(db, account_id, person_id).await?;
        let role = member.ok_or_else(ended)?.role;
        let person = store::accounts::person(db, person_id).await?.ok_or_else(ended)?;
        let account = store::accounts::account(db, account_id).await?;
        let account = account.filter(|account| account.status != AccountStatus::Closed);
        Ok((person, account.ok_or_else(ended)?, role))
    }

    /// Ends a log-in of the caller: the one it calls by, or the one named. Its tokens are refused
    /// from the commit on. Idempotent. Answers the log-in as it is then.
    ///
    /// # Errors
    /// [`LogOutRejection`], or a failure.
    pub async fn log_out(
        &self,
        ctx: &Ctx,
        session_id: Option<SessionId>,
    ) -> Result<session::Model, Error<LogOutRejection>> {
        let person = person_of(ctx)?;
        let id = session_id.unwrap_or(person.session_id);
        let session = store::sessions::session(ctx.db_of_platform().reader(), id).await?;
        let session = session.filter(|session| session.person_id == person.person_id);
        let session = session.ok_or(Error::Rejected(LogOutRejection::NotFound))?;
        let now = ctx.clock.now();
        ctx.db_of_platform()
            .write(|tx| async move { store::sessions::revoke(&tx, id, now).await })
            .await?;
        self.session_ended(ctx, id, session.account_id);
        let revoked_at_ms = session.revoked_at_ms.or(Some(now));
        Ok(session::Model { revoked_at_ms, ..session })
    }

    /// Ends all log-ins of the caller, in all accounts. Idempotent. Answers how many there were.
    ///
    /// # Errors
    /// [`Failed`]: not allowed, or the store's own.
    pub async fn log_out_everywhere(&self, ctx: &Ctx) -> Result<usize, Failed> {
        let person_id = person_of(ctx)?.person_id;
        let now = ctx.clock.now();
        let ended = ctx
            .db_of_platform()
            .write(|tx| async move { store::sessions::revoke_all(&tx, person_id, now).await })
            .await?;
        for (session_id, account_id) in &ended {
            self.session_ended(ctx, *session_id, *account_id);
        }
        Ok(ended.len())
    }

    /// Makes this and the other nodes look again, and ends the log-in's streams.
    fn session_ended(&self, ctx: &Ctx, id: SessionId, account_id: AccountId) {
        ctx.doorbell.ring(Topic::Credentials(account_id));
        self.0.sessions.end(|state| state.session_id == id);
    }
}

/// What became of a refresh token.
enum Refreshed {
    Yes(session::Model),
    Unknown,
    Ended,
    Reused(SessionId, AccountId),
}

async fn use_refresh_token(
    tx: &Tx,
    hash: &[u8; 32],
    new: &FreshTokens,
    end: UnixMillis,
) -> Result<Refreshed, sea_orm::DbErr> {
    let now = new.now;
    let Some(token) = store::sessions::token_for_update(tx, hash).await? else {
        return Ok(Refreshed::Unknown);
    };
    let Some(session) = store::sessions::session(&**tx, token.session_id).await? else {
        return Ok(Refreshed::Unknown);
    };
    if token.used_at_ms.is_some() {
        store::sessions::revoke(tx, session.id, now).await?;
        return Ok(Refreshed::Reused(session.id, session.account_id));
    }
    if session.revoked_at_ms.is_some() || session.expires_at_ms <= now {
        return Ok(Refreshed::Ended);
    }
    store::sessions::use_token(tx, hash, now).await?;
    store::sessions::insert_token(tx, &new.row(session.id)).await?;
    store::sessions::prolong(tx, session.id, now, end).await?;
    Ok(Refreshed::Yes(session::Model { last_used_at_ms: now, expires_at_ms: end, ..session }))
}

fn session_end(platform: &Platform, now: UnixMillis) -> UnixMillis {
    now.plus_ms(platform.settings.identity.session_ttl_s.saturating_mul(1_000))
}

fn hash_refresh(platform: &Platform, token: &SecretText) -> [u8; 32] {
    platform.master_key.hash(Purpose::RefreshToken, token.expose().as_bytes())
}
