//! Identity in the contract: accounts, people, API keys, log-ins. Behaviour: `crate::identity`.

/// Mutations of accounts.
pub mod accounts;
/// Mutations of API keys.
pub mod api_keys;
/// Mutations of who belongs to an account.
pub mod people;
/// Reads.
pub mod queries;
/// Mutations by which people come and go.
pub mod sessions;
/// Mutations by which new owners come.
pub mod sign_up;
/// Mutations of whether an account may act.
pub mod standing;

use std::net::IpAddr;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::account::Model as AccountRow;
use entity::enums;
use entity::session::Model as SessionRow;

use super::call;
use super::errors::Answer;
use super::ids::show_id;
use super::loaders::{self, load};
use super::scalars::DateTime;
use crate::authz;
use crate::error::Failed;
use crate::identity::{self, ClientAddress, IdentityService};

/// Whose account it is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::AccountKind")]
pub enum AccountKind {
    /// A customer's.
    Customer,
    /// The operator's own: its people run the platform.
    Operator,
}

/// Whether an account may act.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::AccountStatus")]
pub enum AccountStatus {
    /// It may.
    Active,
    /// It may read, and not send; what waits does not leave.
    Suspended,
    /// Nobody may sign in to it, and its keys are refused.
    Closed,
}

/// What a person may do in an account.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::Role")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but what concerns owners.
    Admin,
    /// Messages, senders, API keys.
    Developer,
    /// Money; reads messages without their text.
    Billing,
    /// Reads messages with their text, to answer questions about them.
    Support,
    /// Reads, without the text of messages.
    Viewer,
}

/// Whether a key moves real messages.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::KeyMode")]
pub enum ApiKeyMode {
    /// It does. Such keys begin with `hg_live_`.
    Live,
    /// Messages play their whole life and nothing is sent. Such keys begin with `hg_test_`.
    Test,
}

/// What an API key may do.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "authz::Scope")]
pub enum ApiKeyScope {
    /// Send, estimate and cancel messages.
    MessagesSend,
    /// Read messages with their text, and their events.
    MessagesRead,
    /// Read and register senders.
    SendersManage,
    /// Read the account. Every other scope includes this.
    AccountRead,
    /// Read the balance, the ledger, usage, payments and invoices.
    BillingRead,
    /// Read and change contacts, lists, segments and consent.
    ContactsManage,
    /// Read, make and run campaigns.
    CampaignsManage,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account(pub AccountRow);

/// An organization that sends messages, or the operator. Read by those who belong to it, by its
/// keys, and by the operator's staff.
#[Object]
impl Account {
    /// The account's id, `acct_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, 1 to 200 characters.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose it is.
    async fn kind(&self) -> AccountKind {
        self.0.kind.into()
    }

    /// Whether it may act.
    async fn status(&self) -> AccountStatus {
        self.0.status.into()
    }

    /// The region of phone numbers that are written without a country code, as two letters of ISO
    /// 3166-1; null: such numbers are refused.
    async fn default_region(&self) -> Option<&str> {
        self.0.default_region.as_deref()
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person(pub identity::Person);

/// Somebody who signs in. Read by those who belong to the same account.
#[Object]
impl Person {
    /// The person's id, `user_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The e-mail address to log in by, in lower case.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// The name, 1 to 200 characters; null until it is given.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When the person first came.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// An API key.
#[derive(Clone, Debug)]
pub struct ApiKey(pub identity::ApiKey);

/// A key that a program calls by. The key itself is shown once, where it is made. Read by owners,
/// admins and developers; a key reads itself as `viewer.apiKey`.
#[Object]
impl ApiKey {
    /// The key's id, `key_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, 1 to 100 characters.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The first 16 characters of the key itself, by which people tell keys apart.
    async fn start(&self) -> &str {
        &self.0.lookup
    }

    /// Whether it moves real messages.
    async fn mode(&self) -> ApiKeyMode {
        self.0.mode.into()
    }

    /// What it may do; at most one of each.
    async fn scopes(&self) -> Vec<ApiKeyScope> {
        self.0.scopes.iter().map(|scope| (*scope).into()).collect()
    }

    /// Whether it is accepted now: neither revoked nor expired.
    async fn is_active(&self, context: &Context<'_>) -> Answer<bool> {
        Ok(self.0.is_active(call(context)?.clock.now()))
    }

    /// Who made it; null if it was made with the account, or by somebody who left.
    async fn created_by(&self, context: &Context<'_>) -> Answer<Option<Person>> {
        let Some(id) = self.0.created_by else { return Ok(None) };
        Ok(load(context, loaders::PersonRow(id)).await?.map(Person))
    }

    /// The key that this one replaces; null if it replaces none, or the caller may not see it.
    async fn rotated_from(&self, context: &Context<'_>) -> Answer<Option<ApiKey>> {
        let Some(id) = self.0.rotated_from else { return Ok(None) };
        Ok(load(context, loaders::ApiKeyRow(id)).await?.map(ApiKey))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// It is refused from then on; null: it does not expire.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(Into::into)
    }

    /// It is refused since; null: it was not revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(Into::into)
    }

    /// When it was last used, to the minute and up to a minute late; null: never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(Into::into)
    }

    /// Grows by one with every change, uses aside: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// A log-in.
#[derive(Clone, Debug)]
pub struct Session(pub SessionRow);

/// A log-in of the caller on one device. Read by the person alone.
#[Object]
impl Session {
    /// The log-in's id, `sess_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Whether the caller calls by it.
    async fn is_current(&self, context: &Context<'_>) -> Answer<bool> {
        Ok(match &call(context)?.actor {
            authz::Actor::Person(person) => person.session_id == self.0.id,
            authz::Actor::Anonymous
            | authz::Actor::Key(_)
            | authz::Actor::CommandLine
            | authz::Actor::System => false,
        })
    }

    /// The account that it acts in; null if the caller may not read that account now.
    async fn account(&self, context: &Context<'_>) -> Answer<Option<Account>> {
        Ok(load(context, loaders::AccountRow(self.0.account_id)).await?.map(Account))
    }

    /// When the person logged in.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it was last refreshed.
    async fn last_used_at(&self) -> DateTime {
        self.0.last_used_at_ms.into()
    }

    /// When it ends unless it is refreshed before.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at_ms.into()
    }

    /// When it was ended; null: it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at_ms.map(Into::into)
    }
}

/// Who is asking: a person, or a program with an API key.
#[derive(SimpleObject)]
pub struct Viewer {
    /// The account that the caller acts in.
    pub account: Account,
    /// The person; null for a program.
    pub person: Option<Person>,
    /// What the person may do in the account; null for a program, which has scopes.
    pub role: Option<Role>,
    /// The log-in that the person calls by; null for a program.
    pub session: Option<Session>,
    /// The key; null for a person.
    pub api_key: Option<ApiKey>,
    /// What the key may do, at most one of each; empty for a person, who has a role.
    pub scopes: Vec<ApiKeyScope>,
}

impl From<identity::Viewer> for Viewer {
    fn from(viewer: identity::Viewer) -> Self {
        let account = Account(viewer.account);
        match viewer.identity {
            identity::ViewerIdentity::Person { person, role, session } => Self {
                account,
                person: Some(Person(person)),
                role: Some(role.into()),
                session: Some(Session(session)),
                api_key: None,
                scopes: Vec::new(),
            },
            identity::ViewerIdentity::Key(key) => Self {
                account,
                person: None,
                role: None,
                session: None,
                scopes: key.scopes.iter().map(|scope| (*scope).into()).collect(),
                api_key: Some(ApiKey(key)),
            },
        }
    }
}

/// A key just made, with its text.
#[derive(SimpleObject)]
pub struct NewApiKey {
    /// The key's description.
    pub api_key: ApiKey,
    /// The key itself, for `Authorization: Bearer`. It is shown here and never again.
    pub secret: String,
}

impl From<identity::NewApiKey> for NewApiKey {
    fn from(new: identity::NewApiKey) -> Self {
        Self { api_key: ApiKey(new.api_key), secret: new.text.expose().to_owned() }
    }
}

/// The service that the composition root put into the schema.
fn service<'a>(context: &Context<'a>) -> Result<&'a IdentityService, Failed> {
    let service = context.data_opt::<IdentityService>();
    service.ok_or_else(|| Failed::internal("the schema was built without identity"))
}

/// Where the request comes from, if the edge knows.
fn client_address(context: &Context<'_>) -> Option<IpAddr> {
    context.data_opt::<ClientAddress>().map(|address| address.0)
}
