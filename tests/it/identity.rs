//! Identity through its public functions: who may come in, for how long, and how they are thrown
//! out. Through GraphQL: `identity/graphql.rs`; who may do what: `authorization.rs`.

mod accounts;
mod command_line;
mod graphql;
mod keys;
mod log_in;
mod operator_api;
mod people;
mod sessions;
mod standing;
mod tokens;

use std::net::IpAddr;

use entity::enums::KeyMode;
use heliograph::authz::{Actor, Scope};
use heliograph::ctx::Ctx;
use heliograph::error::{Error, Failed};
use heliograph::identity::{
    Authenticated, CreateApiKey, IdentityService, LogIn, NewApiKey, SignUp, SignedIn,
    create_api_key,
};
use heliograph::types::secret::SecretText;

use crate::support::TestHouse;

/// A password that the rules take.
pub const PASSWORD: &str = "a lamp on the hill";
/// The owner whom [`signed_up`] makes.
pub const EMAIL: &str = "ada@example.com";

pub fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

pub fn service(house: &TestHouse) -> IdentityService {
    IdentityService::new(house.platform.clone())
}

pub fn nobody(house: &TestHouse) -> Ctx {
    house.ctx_as(Actor::Anonymous)
}

pub fn sign_up(email: &str) -> SignUp {
    SignUp {
        account_name: "Lamps Ltd".to_owned(),
        default_region: Some("gb".to_owned()),
        email: email.to_owned(),
        password: secret(PASSWORD),
        name: "Ada".to_owned(),
        client_address: None,
    }
}

pub fn log_in(email: &str, password: &str) -> LogIn {
    LogIn {
        email: email.to_owned(),
        password: secret(password),
        account_id: None,
        client_address: None,
    }
}

pub fn log_in_from(email: &str, password: &str, address: IpAddr) -> LogIn {
    LogIn { client_address: Some(address), ..log_in(email, password) }
}

/// An account with an owner, who is logged in.
pub async fn signed_up(house: &TestHouse, identity: &IdentityService, email: &str) -> SignedIn {
    identity.sign_up(&nobody(house), sign_up(email)).await.unwrap()
}

/// The context of whoever holds the access token of `signed_in`.
pub async fn ctx_of(house: &TestHouse, identity: &IdentityService, signed_in: &SignedIn) -> Ctx {
    house.ctx_as(authenticated(identity, &signed_in.tokens.access_token).await.unwrap().actor)
}

pub async fn authenticated(
    identity: &IdentityService,
    credential: &SecretText,
) -> Result<Authenticated, Failed> {
    identity.authenticate(Some(credential.expose())).await
}

pub fn refused<T>(outcome: &Result<T, Failed>) -> bool {
    matches!(outcome, Err(Failed::Unauthenticated))
}

/// What a command was rejected for.
#[track_caller]
pub fn rejection<T, R>(outcome: Result<T, Error<R>>) -> R {
    match outcome {
        Err(Error::Rejected(rejection)) => rejection,
        Err(Error::Failed(failed)) => panic!("failed: {failed:?}"),
        Ok(_) => panic!("not rejected"),
    }
}

/// How long somebody who came too early has to wait, in milliseconds.
#[track_caller]
pub fn wait_ms<T, R>(outcome: Result<T, Error<R>>) -> u64 {
    match outcome {
        Err(Error::Failed(Failed::RateLimited { retry_after_ms })) => retry_after_ms,
        Err(Error::Failed(failed)) => panic!("failed otherwise: {failed:?}"),
        Err(Error::Rejected(_)) => panic!("rejected"),
        Ok(_) => panic!("let in"),
    }
}

pub fn new_key(mode: KeyMode) -> CreateApiKey {
    CreateApiKey {
        name: "Shop".to_owned(),
        mode,
        scopes: vec![Scope::MessagesSend, Scope::MessagesRead],
        expires_at: None,
    }
}

pub async fn live_key(ctx: &Ctx) -> NewApiKey {
    create_api_key(ctx, new_key(KeyMode::Live)).await.unwrap()
}
