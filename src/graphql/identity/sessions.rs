//! Mutations by which people come and go.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Account, Person, Role, Session, client_address, service};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::DateTime;
use crate::identity::{LogIn, LogInRejection, LogOutRejection, RefreshRejection, SignedIn};
use crate::types::secret::SecretText;

/// The tokens of a log-in.
#[derive(SimpleObject)]
pub struct Tokens {
    /// A JWT for `Authorization: Bearer`.
    access_token: String,
    /// When the access token expires: refresh the log-in before.
    access_token_expires_at: DateTime,
    /// What `refreshSession` takes. It is good for one use, until the log-in expires.
    refresh_token: String,
}

/// A log-in just made or refreshed.
#[derive(SimpleObject)]
pub struct Authentication {
    /// The log-in.
    session: Session,
    /// Its tokens. They are shown here and never again.
    tokens: Tokens,
    /// Who signed in.
    person: Person,
    /// The account that the person acts in.
    account: Account,
    /// What the person may do there.
    role: Role,
}

impl From<SignedIn> for Authentication {
    fn from(signed_in: SignedIn) -> Self {
        let tokens = signed_in.tokens;
        Self {
            session: Session(signed_in.session),
            tokens: Tokens {
                access_token: tokens.access_token.expose().to_owned(),
                access_token_expires_at: tokens.access_expires_at.into(),
                refresh_token: tokens.refresh_token.expose().to_owned(),
            },
            person: Person(signed_in.person),
            account: Account(signed_in.account),
            role: signed_in.role.into(),
        }
    }
}

/// Splits what a mutation of this file answers into the two fields of its payload.
pub(super) fn parts<R, E: From<R>>(
    outcome: Result<SignedIn, R>,
) -> (Option<Authentication>, Vec<E>) {
    match outcome {
        Ok(signed_in) => (Some(signed_in.into()), Vec::new()),
        Err(rejection) => (None, vec![rejection.into()]),
    }
}

/// What `logIn` takes.
#[derive(InputObject)]
pub struct LogInInput {
    /// The e-mail address. Its case does not matter.
    pub email: String,
    /// The password.
    pub password: String,
    /// Which of one's accounts to act in, `acct_…`; absent or null: the one that one belongs to
    /// longest.
    pub account_id: Option<ID>,
}

/// What `logIn` answers.
#[derive(SimpleObject)]
pub struct LogInPayload {
    /// The new log-in; null if nobody was logged in.
    authentication: Option<Authentication>,
    /// Why not; empty if somebody was.
    user_errors: Vec<LogInError>,
}

user_error! {
    /// Why nobody was logged in.
    LogInError,
    /// Why nobody was logged in, for a program to read.
    LogInErrorCode {
        /// The e-mail address or the password is wrong; which of them is not told.
        InvalidCredentials,
        /// One belongs to no such account, or it is closed.
        AccountNotFound,
    }
}

impl From<LogInRejection> for LogInError {
    fn from(rejection: LogInRejection) -> Self {
        use LogInErrorCode as Code;
        let (code, path): (_, &[&str]) = match rejection {
            LogInRejection::InvalidCredentials => (Code::InvalidCredentials, &[]),
            LogInRejection::AccountNotFound => (Code::AccountNotFound, &["accountId"]),
        };
        Self::new(code, path, rejection)
    }
}

/// What `refreshSession` takes.
#[derive(InputObject)]
pub struct RefreshSessionInput {
    /// The refresh token of the last log-in or refresh.
    pub refresh_token: String,
}

/// What `refreshSession` answers.
#[derive(SimpleObject)]
pub struct RefreshSessionPayload {
    /// The log-in with new tokens; null if it was not refreshed.
    authentication: Option<Authentication>,
    /// Why not; empty if it was.
    user_errors: Vec<RefreshSessionError>,
}

user_error! {
    /// Why a log-in was not refreshed.
    RefreshSessionError,
    /// Why a log-in was not refreshed, for a program to read.
    RefreshSessionErrorCode {
        /// It is not a refresh token of this installation.
        InvalidRefreshToken,
        /// The token was used before. Somebody else has it, so the log-in was ended: log in again.
        RefreshTokenReused,
        /// Another call is using the token at this moment, and gets the new one.
        RefreshInProgress,
        /// The log-in is over: log in again.
        SessionEnded,
    }
}

impl From<RefreshRejection> for RefreshSessionError {
    fn from(rejection: RefreshRejection) -> Self {
        use RefreshSessionErrorCode as Code;
        let code = match rejection {
            RefreshRejection::InvalidToken => Code::InvalidRefreshToken,
            RefreshRejection::Reused => Code::RefreshTokenReused,
            RefreshRejection::InProgress => Code::RefreshInProgress,
            RefreshRejection::Ended => Code::SessionEnded,
        };
        Self::new(code, &["refreshToken"], rejection)
    }
}

/// What `logOut` takes.
#[derive(InputObject)]
pub struct LogOutInput {
    /// The log-in to end, `sess_…`; absent or null: the one that the caller calls by.
    pub session_id: Option<ID>,
}

/// What `logOut` answers.
#[derive(SimpleObject)]
pub struct LogOutPayload {
    /// The log-in that is over; null if none was ended.
    session: Option<Session>,
    /// Why not; empty if it was.
    user_errors: Vec<LogOutError>,
}

user_error! {
    /// Why a log-in was not ended.
    LogOutError,
    /// Why a log-in was not ended, for a program to read.
    LogOutErrorCode {
        /// The caller has no such log-in.
        SessionNotFound,
    }
}

/// What `logOutEverywhere` answers.
#[derive(SimpleObject)]
pub struct LogOutEverywherePayload {
    /// How many log-ins were ended, the caller's own among them.
    ended_session_count: i32,
}

/// Writes.
#[derive(Default)]
pub struct SessionsMutation;

#[Object]
impl SessionsMutation {
    /// Logs a person in by password. For everybody. After some failures of one e-mail address
    /// or from one network each further try has to wait (`RATE_LIMITED` with `retryAfterMs`), at
    /// most five minutes. Not idempotent: each call opens a log-in.
    async fn log_in(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who wants to log in.")] input: LogInInput,
    ) -> Answer<LogInPayload> {
        let log_in = LogIn {
            email: input.email,
            password: SecretText::new(input.password),
            account_id: input.account_id.as_ref().map(parse_id).transpose()?,
            client_address: client_address(context),
        };
        let outcome = service(context)?.log_in(call(context)?, log_in).await;
        let (authentication, user_errors) = parts(value_or_rejection(outcome)?);
        Ok(LogInPayload { authentication, user_errors })
    }

    /// Takes a refresh token for new tokens. For everybody who has one. Not idempotent: a token
    /// is good for one use, and a second use ends the log-in, as one of the two users must have
    /// stolen it.
    async fn refresh_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which log-in.")] input: RefreshSessionInput,
    ) -> Answer<RefreshSessionPayload> {
        let token = SecretText::new(input.refresh_token);
        let outcome = service(context)?.refresh_session(call(context)?, &token).await;
        let (authentication, user_errors) = parts(value_or_rejection(outcome)?);
        Ok(RefreshSessionPayload { authentication, user_errors })
    }

    /// Ends one of the caller's log-ins: its tokens are refused at once, and its streams end. For
    /// everybody who is signed in. Idempotent.
    async fn log_out(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which log-in.")] input: LogOutInput,
    ) -> Answer<LogOutPayload> {
        let id = input.session_id.as_ref().map(parse_id).transpose()?;
        let outcome = service(context)?.log_out(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => LogOutPayload { session: Some(Session(row)), user_errors: Vec::new() },
            Err(rejection @ LogOutRejection::NotFound) => LogOutPayload {
                session: None,
                user_errors: vec![LogOutError::new(
                    LogOutErrorCode::SessionNotFound,
                    &["sessionId"],
                    rejection,
                )],
            },
        })
    }

    /// Ends all log-ins of the caller, on all devices and in all accounts. For everybody who is
    /// signed in. Idempotent. Takes nothing that could be wrong, so it answers no user errors.
    async fn log_out_everywhere(&self, context: &Context<'_>) -> Answer<LogOutEverywherePayload> {
        let ended = service(context)?.log_out_everywhere(call(context)?).await?;
        let ended_session_count = i32::try_from(ended).unwrap_or(i32::MAX);
        Ok(LogOutEverywherePayload { ended_session_count })
    }
}
