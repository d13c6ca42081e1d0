//! Mutations of API keys.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{ApiKey, ApiKeyMode, ApiKeyScope, service};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::DateTime;
use crate::identity::{
    self, CreateApiKey, CreateApiKeyRejection, RevokeRejection, RotateApiKey, RotateRejection,
};

/// What `createApiKey` takes.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// What to call it, 1 to 100 characters.
    pub name: String,
    /// Whether it moves real messages.
    pub mode: ApiKeyMode,
    /// What it may do; at least one. One that is named twice counts once.
    pub scopes: Vec<ApiKeyScope>,
    /// It is refused from then on; absent or null: it does not expire.
    pub expires_at: Option<DateTime>,
}

/// What `createApiKey` answers.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The new key; null if none was made.
    api_key: Option<ApiKey>,
    /// The key itself, for `Authorization: Bearer`. It is shown here and never again. Null if none
    /// was made.
    secret: Option<String>,
    /// Why not; empty if it was made.
    user_errors: Vec<CreateApiKeyError>,
}

user_error! {
    /// Why a key was not made.
    CreateApiKeyError,
    /// Why a key was not made, for a program to read.
    CreateApiKeyErrorCode {
        /// The name is empty, longer than 100 characters, or of several lines.
        InvalidName,
        /// No scope was named.
        NoScopes,
        /// The expiry is not in the future.
        ExpiryInPast,
        /// The account has as many active keys as an account may have: 100.
        TooManyKeys,
    }
}

impl From<CreateApiKeyRejection> for CreateApiKeyError {
    fn from(rejection: CreateApiKeyRejection) -> Self {
        use CreateApiKeyErrorCode as Code;
        let (code, path): (_, &[&str]) = match rejection {
            CreateApiKeyRejection::InvalidName(_) => (Code::InvalidName, &["name"]),
            CreateApiKeyRejection::NoScopes => (Code::NoScopes, &["scopes"]),
            CreateApiKeyRejection::ExpiryInPast => (Code::ExpiryInPast, &["expiresAt"]),
            CreateApiKeyRejection::TooManyKeys => (Code::TooManyKeys, &[]),
        };
        Self::new(code, path, rejection)
    }
}

/// What `rotateApiKey` takes.
#[derive(InputObject)]
pub struct RotateApiKeyInput {
    /// The key to replace, `key_…`.
    pub api_key_id: ID,
    /// For how many seconds the old key still works, 0 to 2,592,000 (30 days); absent or null: until
    /// it is revoked, or its own expiry.
    pub overlap_seconds: Option<i32>,
    /// When the new key expires; absent or null: it does not.
    pub expires_at: Option<DateTime>,
}

/// What `rotateApiKey` answers.
#[derive(SimpleObject, Default)]
pub struct RotateApiKeyPayload {
    /// The new key; null if none was made.
    api_key: Option<ApiKey>,
    /// The new key itself, for `Authorization: Bearer`. It is shown here and never again. Null if
    /// none was made.
    secret: Option<String>,
    /// The old key as it is now; null if it was not replaced.
    replaced_api_key: Option<ApiKey>,
    /// Why not; empty if it was.
    user_errors: Vec<RotateApiKeyError>,
}

user_error! {
    /// Why a key was not replaced.
    RotateApiKeyError,
    /// Why a key was not replaced, for a program to read.
    RotateApiKeyErrorCode {
        /// There is no such key.
        ApiKeyNotFound,
        /// It is revoked or expired: make a new one.
        ApiKeyNotActive,
        /// It was replaced by a key that is active: rotate that one.
        AlreadyRotated,
        /// The overlap is out of range.
        InvalidOverlap,
        /// The expiry is not in the future.
        ExpiryInPast,
    }
}

impl From<RotateRejection> for RotateApiKeyError {
    fn from(rejection: RotateRejection) -> Self {
        use RotateApiKeyErrorCode as Code;
        let (code, field) = match rejection {
            RotateRejection::NotFound => (Code::ApiKeyNotFound, "apiKeyId"),
            RotateRejection::NotActive => (Code::ApiKeyNotActive, "apiKeyId"),
            RotateRejection::AlreadyRotated => (Code::AlreadyRotated, "apiKeyId"),
            RotateRejection::InvalidOverlap => (Code::InvalidOverlap, "overlapSeconds"),
            RotateRejection::ExpiryInPast => (Code::ExpiryInPast, "expiresAt"),
        };
        Self::new(code, &[field], rejection)
    }
}

/// What `revokeApiKey` takes.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// The key, `key_…`.
    pub api_key_id: ID,
}

/// What `revokeApiKey` answers.
#[derive(SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The key as it is now; null if it was not revoked.
    api_key: Option<ApiKey>,
    /// Why not; empty if it was.
    user_errors: Vec<RevokeApiKeyError>,
}

user_error! {
    /// Why a key was not revoked.
    RevokeApiKeyError,
    /// Why a key was not revoked, for a program to read.
    RevokeApiKeyErrorCode {
        /// There is no such key.
        ApiKeyNotFound,
    }
}

/// Writes.
#[derive(Default)]
pub struct ApiKeysMutation;

#[Object]
impl ApiKeysMutation {
    /// Makes an API key for the caller's account. For owners, admins and developers. Not
    /// idempotent: each call makes a key.
    async fn create_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateApiKeyInput,
    ) -> Answer<CreateApiKeyPayload> {
        let new = CreateApiKey {
            name: input.name,
            mode: input.mode.into(),
            scopes: input.scopes.into_iter().map(Into::into).collect(),
            expires_at: input.expires_at.map(|time| time.0),
        };
        let outcome = identity::create_api_key(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(new) => CreateApiKeyPayload {
                api_key: Some(ApiKey(new.api_key)),
                secret: Some(new.text.expose().to_owned()),
                user_errors: Vec::new(),
            },
            Err(rejection) => CreateApiKeyPayload {
                api_key: None,
                secret: None,
                user_errors: vec![rejection.into()],
            },
        })
    }

    /// Replaces an API key by one of the same name, mode and scopes. Both work for the overlap; a
    /// key that the old one had itself replaced is revoked, so that two are active at most. For
    /// owners, admins and developers. Not idempotent.
    async fn rotate_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which key, and how.")] input: RotateApiKeyInput,
    ) -> Answer<RotateApiKeyPayload> {
        let rotation = RotateApiKey {
            api_key_id: parse_id(&input.api_key_id)?,
            overlap_s: input.overlap_seconds.map(i64::from),
            expires_at: input.expires_at.map(|time| time.0),
        };
        let outcome = service(context)?.rotate_api_key(call(context)?, rotation).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(rotated) => RotateApiKeyPayload {
                api_key: Some(ApiKey(rotated.new.api_key)),
                secret: Some(rotated.new.text.expose().to_owned()),
                replaced_api_key: Some(ApiKey(rotated.old)),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                RotateApiKeyPayload { user_errors: vec![rejection.into()], ..Default::default() }
            }
        })
    }

    /// Revokes an API key for good: it is refused at once, and its streams end. For owners, admins
    /// and developers. Idempotent.
    async fn revoke_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which key.")] input: RevokeApiKeyInput,
    ) -> Answer<RevokeApiKeyPayload> {
        let id = parse_id(&input.api_key_id)?;
        let outcome = service(context)?.revoke_api_key(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(key) => RevokeApiKeyPayload { api_key: Some(ApiKey(key)), user_errors: Vec::new() },
            Err(rejection @ RevokeRejection::NotFound) => RevokeApiKeyPayload {
                api_key: None,
                user_errors: vec![RevokeApiKeyError::new(
                    RevokeApiKeyErrorCode::ApiKeyNotFound,
                    &["apiKeyId"],
                    rejection,
                )],
            },
        })
    }
}
