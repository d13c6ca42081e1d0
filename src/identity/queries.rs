//! Reads of identity. What a caller may not see is answered like what does not exist.

use entity::account::Model as Account;
use entity::enums::Role;
use entity::ids::{AccountId, ApiKeyId, PersonId, SessionId};
use entity::session::Model as Session;

use super::model::{ApiKey, Person};
use super::store;
use crate::authz::{Action, Actor, PersonActor, Scope};
use crate::ctx::Ctx;
use crate::db::page::{Page, PageRequest};
use crate::error::Failed;

/// Who is asking.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The account acted in.
    pub account: Account,
    /// A person, or a key.
    pub identity: ViewerIdentity,
}

/// A person, or a key.
#[derive(Clone, Debug)]
pub enum ViewerIdentity {
    /// Somebody signed in.
    Person {
        /// Who.
        person: Person,
        /// As what.
        role: Role,
        /// By which log-in.
        session: Session,
    },
    /// A program.
    Key(ApiKey),
}

impl Viewer {
    /// What the key may do; nothing for people, who have a role.
    pub fn scopes(&self) -> &[Scope] {
        match &self.identity {
            ViewerIdentity::Person { .. } => &[],
            ViewerIdentity::Key(key) => &key.scopes,
        }
    }
}

/// Who is asking.
///
/// # Errors
/// [`Failed`]: nobody, or the store's own.
pub async fn viewer(ctx: &Ctx) -> Result<Viewer, Failed> {
    let account = account_of_caller(ctx).await?;
    let db = ctx.db.reader();
    // The credential was good a moment ago: its rows are there.
    let gone = || Failed::Unauthenticated;
    let identity = match &ctx.actor {
        Actor::Person(actor) => ViewerIdentity::Person {
            person: store::accounts::person(db, actor.person_id).await?.ok_or_else(gone)?.into(),
            role: actor.role,
            session: store::sessions::session(db, actor.session_id).await?.ok_or_else(gone)?,
        },
        Actor::Key(actor) => {
            let key = store::api_keys::of_account(db, actor.account_id, actor.api_key_id).await?;
            ViewerIdentity::Key(key.ok_or_else(gone)?.into())
        }
        Actor::Anonymous | Actor::CommandLine | Actor::System => {
            return Err(Failed::Unauthenticated);
        }
    };
    Ok(Viewer { account, identity })
}

/// The account that the caller acts in.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn account_of_caller(ctx: &Ctx) -> Result<Account, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadAccount)?;
    let account = store::accounts::account(ctx.db.reader(), account_id).await?;
    account.ok_or(Failed::Unauthenticated)
}

/// Those of `ids` that the caller may see, in no order: its own account, or any for the operator's
/// staff.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_accounts(ctx: &Ctx, ids: &[AccountId]) -> Result<Vec<Account>, Failed> {
    if ctx.actor.require(Action::ReadAllAccounts).is_ok() {
        return Ok(store::accounts::accounts(ctx.db.reader(), ids).await?);
    }
    let own = ctx.actor.require_in_account(Action::ReadAccount)?;
    let visible: Vec<_> = ids.iter().copied().filter(|id| *id == own).collect();
    Ok(store::accounts::accounts(ctx.db.reader(), &visible).await?)
}

/// A page of all accounts, newest first, for the operator's staff.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn accounts(
    ctx: &Ctx,
    request: &PageRequest<AccountId>,
) -> Result<Page<Account>, Failed> {
    ctx.actor.require(Action::ReadAllAccounts)?;
    Ok(store::accounts::account_page(ctx.db.reader(), request).await?)
}

/// How many accounts there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn accounts_count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ReadAllAccounts)?;
    Ok(store::accounts::account_count(ctx.db.reader()).await?)
}

/// Those of `ids` that are keys of the caller's account, in no order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_api_keys(ctx: &Ctx, ids: &[ApiKeyId]) -> Result<Vec<ApiKey>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadApiKeys)?;
    let rows = store::api_keys::of_account_many(ctx.db.reader(), account_id, ids).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A page of the account's keys, newest first, with those that are over.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn api_keys(ctx: &Ctx, request: &PageRequest<ApiKeyId>) -> Result<Page<ApiKey>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadApiKeys)?;
    let page = store::api_keys::page(ctx.db.reader(), account_id, request).await?;
    Ok(page.map(Into::into))
}

/// How many keys the account has, with those that are over.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn api_keys_count(ctx: &Ctx) -> Result<u64, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadApiKeys)?;
    Ok(store::api_keys::count(ctx.db.reader(), account_id).await?)
}

/// Those of `ids` who belong to the caller's account, in no order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_people(ctx: &Ctx, ids: &[PersonId]) -> Result<Vec<Person>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadAccount)?;
    let rows = store::accounts::members(ctx.db.reader(), account_id, ids).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The caller as a person with rights over their own log-ins.
pub(super) fn person_of(ctx: &Ctx) -> Result<&PersonActor, Failed> {
    ctx.actor.require(Action::ManageOwnSessions)?;
    match &ctx.actor {
        Actor::Person(person) => Ok(person),
        Actor::Anonymous | Actor::Key(_) | Actor::CommandLine | Actor::System => {
            Err(Failed::Forbidden(Action::ManageOwnSessions.refusal()))
        }
    }
}

/// A log-in of the caller, also one that is over.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_session(ctx: &Ctx, id: SessionId) -> Result<Option<Session>, Failed> {
    let person_id = person_of(ctx)?.person_id;
    let session = store::sessions::session(ctx.db_of_platform().reader(), id).await?;
    Ok(session.filter(|session| session.person_id == person_id))
}

/// A page of the caller's log-ins that are not over, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn sessions(
    ctx: &Ctx,
    request: &PageRequest<SessionId>,
) -> Result<Page<Session>, Failed> {
    let (person_id, now) = (person_of(ctx)?.person_id, ctx.clock.now());
    Ok(store::sessions::live_page(ctx.db_of_platform().reader(), person_id, now, request).await?)
}

/// How many log-ins of the caller are not over.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn sessions_count(ctx: &Ctx) -> Result<u64, Failed> {
    let (person_id, now) = (person_of(ctx)?.person_id, ctx.clock.now());
    Ok(store::sessions::live_count(ctx.db_of_platform().reader(), person_id, now).await?)
}
