//! New owners: by signing up, or by a link that the operator gave them.

use std::net::IpAddr;

use entity::enums::{AccountKind, AccountStatus, LinkPurpose, Role};
use entity::time::UnixMillis;
use entity::{account, membership, one_time_link, person, session};

use super::accounts::{hash_link, new_account, parse_region};
use super::sessions::{self, FreshTokens, new_session};
use crate::ctx::{Ctx, Platform};
use crate::db::Tx;
use crate::error::Error;
use crate::identity::hasher::Verdict;
use crate::identity::model::{DisplayName, Email, InvalidName, SignedIn};
use crate::identity::password::{NewPassword, PasswordFault, may_be_password};
use crate::identity::throttle::Attempt;
use crate::identity::{IdentityService, store};
use crate::types::secret::SecretText;

/// Longest token of a link, in characters; ours have 43.
const LINK_TOKEN_CHARS_MAX: usize = 64;

/// Who wants an account.
#[derive(Debug)]
pub struct SignUp {
    /// The account's name, 1 to 200 characters.
    pub account_name: String,
    /// Two letters (ISO 3166-1), or none.
    pub default_region: Option<String>,
    /// The owner's address; nobody else may have it.
    pub email: String,
    /// The owner's password, 12 to 128 characters.
    pub password: SecretText,
    /// The owner's name, 1 to 200 characters.
    pub name: String,
    /// From where, for the throttle.
    pub client_address: Option<IpAddr>,
}

/// Why an account is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignUpRejection {
    /// A setting closes sign-up.
    #[error("accounts are made by the operator here: ask for one")]
    Closed,
    /// The account's name.
    #[error("{0}")]
    InvalidAccountName(InvalidName),
    /// The owner's name.
    #[error("{0}")]
    InvalidName(InvalidName),
    /// The address.
    #[error("not an e-mail address")]
    InvalidEmail,
    /// The password.
    #[error(transparent)]
    BadPassword(#[from] PasswordFault),
    /// The region.
    #[error("not a two-letter country code with a numbering plan")]
    UnknownRegion,
    /// Somebody has the address.
    #[error("somebody has this e-mail address already: log in")]
    EmailTaken,
}

/// Who comes by a link.
#[derive(Debug)]
pub struct AcceptOwnerLink {
    /// What stands behind the `#` of the link.
    pub token: SecretText,
    /// The owner's password: a new one, or the present one of a person who exists.
    pub password: SecretText,
    /// The owner's name, 1 to 200 characters.
    pub name: String,
    /// The owner's address: needed if the link was made for nobody in particular, else absent or
    /// the one that the link was made for.
    pub email: Option<String>,
    /// From where, for the throttle.
    pub client_address: Option<IpAddr>,
}

/// Why a link does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRejection {
    /// Unknown, used, expired, or the account has an owner by now.
    #[error("this link does not work any more: ask for a new one")]
    InvalidLink,
    /// The link is for nobody in particular: an address is needed.
    #[error("an e-mail address is needed to log in by")]
    EmailNeeded,
    /// The address is malformed, or not the one that the link was made for.
    #[error("not an e-mail address, or not the one that the link was made for")]
    InvalidEmail,
    /// The owner's name.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The new password.
    #[error(transparent)]
    BadPassword(#[from] PasswordFault),
    /// The person exists, and this is not their password.
    #[error("you have a password here already, and this is another")]
    WrongPassword,
}

impl IdentityService {
    /// Makes an account with its first owner, and logs that person in. Open to everybody while
    /// `identity.sign_up_open` is set. Not idempotent.
    ///
    /// # Errors
    /// [`SignUpRejection`]; [`Failed::RateLimited`](crate::error::Failed::RateLimited); another failure.
    pub async fn sign_up(
        &self,
        ctx: &Ctx,
        sign_up: SignUp,
    ) -> Result<SignedIn, Error<SignUpRejection>> {
        if !ctx.settings.identity.sign_up_open {
            return Err(Error::Rejected(SignUpRejection::Closed));
        }
        let address = sign_up.client_address;
        let wanted = Wanted::parse(sign_up).map_err(Error::Rejected)?;
        let attempt = Attempt::begin(ctx, None, address).await?;
        let hash = self.0.hasher.hash(wanted.password.secret()).await?;
        let account = new_account(ctx, AccountKind::Customer, wanted.account_name, wanted.region);
        let person = new_person(ctx, &wanted.email, wanted.name, hash);
        let session = new_session(ctx, person.id, account.id);
        let tokens = self.fresh_tokens(ctx).await?;
        let now = ctx.clock.now();
        let (attempt, fresh) = (&attempt, &tokens);
        let (new_account, owner, opened) = (&account, &person, &session);
        ctx.db_of_platform()
            .write(|tx| async move {
                store::accounts::insert_account(&tx, new_account).await?;
                insert_new_person(&tx, owner).await?;
                insert_owner(&tx, opened, now).await?;
                attempt.succeeded(&tx, now).await?;
                Ok::<_, Error<SignUpRejection>>(sessions::open(&tx, opened, fresh).await?)
            })
            .await?;
        tracing::info!(account.id = %account.id, "an account signed up");
        Ok(tokens.signed_in(session, person, account, Role::Owner)?)
    }

    /// Makes the person that a link was given to the first owner of its account, and logs them in.
    /// Open to everybody who has the link; it works once.
    ///
    /// # Errors
    /// [`AcceptRejection`]; [`Failed::RateLimited`](crate::error::Failed::RateLimited); another failure.
    pub async fn accept_owner_link(
        &self,
        ctx: &Ctx,
        accept: AcceptOwnerLink,
    ) -> Result<SignedIn, Error<AcceptRejection>> {
        let name =
            DisplayName::parse(&accept.name).map_err(|fault| Error::Rejected(fault.into()))?;
        let hash =
            link_hash(ctx, &accept.token).ok_or(Error::Rejected(AcceptRejection::InvalidLink))?;
        // Looked at before anything is hashed, so that a made-up link costs us little.
        let link = store::links::find(ctx.db_of_platform().reader(), &hash).await?;
        let link = usable(link, ctx.clock.now())?;
        let email = owner_email(&link, accept.email.as_deref()).map_err(Error::Rejected)?;
        let attempt = Attempt::begin(ctx, Some(&email), accept.client_address).await?;
        let owner = self.owner(ctx, &email, name, accept.password).await?;
        let session = new_session(ctx, owner.row().id, link.account_id);
        let tokens = self.fresh_tokens(ctx).await?;
        let acceptance = Acceptance { hash, owner: &owner, session: &session, tokens: &tokens };
        let (acceptance, attempt) = (&acceptance, &attempt);
        let account = ctx
            .db_of_platform()
            .write(|tx| async move { acceptance.write(&tx, attempt).await })
            .await?;
        tracing::info!(account.id = %account.id, "the first owner came in");
        Ok(tokens.signed_in(session, owner.into_row(), account, Role::Owner)?)
    }

    /// The person that a link makes an owner: a new one, or one who exists and proves it.
    async fn owner(
        &self,
        ctx: &Ctx,
        email: &Email,
        name: DisplayName,
        password: SecretText,
    ) -> Result<Owner, Error<AcceptRejection>> {
        let known = store::accounts::person_by_email(ctx.db_of_platform().reader(), email).await?;
        if let Some(person) = known.as_ref().filter(|person| person.password_hash.is_some()) {
            let right = may_be_password(&password)
                && self.0.hasher.verify(&password, person.password_hash.as_deref()).await?
                    != Verdict::Wrong;
            // Not its owner: a link must not set the password of somebody who has one.
            return match right {
                true => Ok(Owner::Known(person.clone())),
                false => Err(Error::Rejected(AcceptRejection::WrongPassword)),
            };
        }
        let password =
            NewPassword::parse(password, email).map_err(|fault| Error::Rejected(fault.into()))?;
        let hash = self.0.hasher.hash(password.secret()).await?;
        Ok(match known {
            Some(person) => Owner::Activated(person::Model {
                name: Some(name.into_string()),
                password_hash: Some(hash),
                version: person.version + 1,
                updated_at_ms: ctx.clock.now(),
                ..person
            }),
            None => Owner::New(new_person(ctx, email, name, hash)),
        })
    }
}

/// What a sign-up asks for, parsed.
struct Wanted {
    account_name: DisplayName,
    region: Option<String>,
    email: Email,
    password: NewPassword,
    name: DisplayName,
}

impl Wanted {
    fn parse(sign_up: SignUp) -> Result<Self, SignUpRejection> {
        let email = Email::parse(&sign_up.email).map_err(|_| SignUpRejection::InvalidEmail)?;
        Ok(Self {
            account_name: DisplayName::parse(&sign_up.account_name)
                .map_err(SignUpRejection::InvalidAccountName)?,
            region: parse_region(sign_up.default_region.as_deref())
                .map_err(|_| SignUpRejection::UnknownRegion)?,
            password: NewPassword::parse(sign_up.password, &email)?,
            name: DisplayName::parse(&sign_up.name).map_err(SignUpRejection::InvalidName)?,
            email,
        })
    }
}

/// Who becomes the owner.
enum Owner {
    New(person::Model),
    /// A person without a password until now.
    Activated(person::Model),
    Known(person::Model),
}

impl Owner {
    const fn row(&self) -> &person::Model {
        match self {
            Self::New(row) | Self::Activated(row) | Self::Known(row) => row,
        }
    }

    fn into_row(self) -> person::Model {
        match self {
            Self::New(row) | Self::Activated(row) | Self::Known(row) => row,
        }
    }
}

/// What the use of a link writes.
struct Acceptance<'a> {
    hash: [u8; 32],
    owner: &'a Owner,
    session: &'a session::Model,
    tokens: &'a FreshTokens,
}

impl Acceptance<'_> {
    async fn write(
        &self,
        tx: &Tx,
        attempt: &Attempt,
    ) -> Result<account::Model, Error<AcceptRejection>> {
        let now = self.session.created_at_ms;
        let invalid = || Error::Rejected(AcceptRejection::InvalidLink);
        // The account's lock makes one of two links the first.
        let account_id = self.session.account_id;
        let account = store::accounts::account_for_update(tx, account_id).await?;
        let account = account.filter(|account| account.status != AccountStatus::Closed);
        let account = account.ok_or_else(invalid)?;
        usable(store::links::find_for_update(tx, &self.hash).await?, now)?;
        if store::accounts::has_owner(&**tx, account_id).await? {
            return Err(invalid());
        }
        store::links::mark_used(tx, &self.hash, now).await?;
        match self.owner {
            // Two links for one address at once: the second finds that person now.
            Owner::New(row) => store::accounts::insert_person(tx, row).await.map_err(|error| {
                match store::accounts::is_email_taken(&error) {
                    true => Error::Rejected(AcceptRejection::WrongPassword),
                    false => error.into(),
                }
            })?,
            Owner::Activated(row) => {
                store::accounts::update_person(tx, row.clone()).await?;
            }
            Owner::Known(_) => {}
        }
        insert_owner(tx, self.session, now).await?;
        attempt.succeeded(tx, now).await?;
        sessions::open(tx, self.session, self.tokens).await?;
        Ok(account)
    }
}

fn link_hash(platform: &Platform, token: &SecretText) -> Option<[u8; 32]> {
    let token = token.expose();
    (token.len() <= LINK_TOKEN_CHARS_MAX).then(|| hash_link(platform, token))
}

fn usable(
    link: Option<one_time_link::Model>,
    now: UnixMillis,
) -> Result<one_time_link::Model, Error<AcceptRejection>> {
    let usable = |link: &one_time_link::Model| {
        let LinkPurpose::FirstOwner = link.purpose;
        link.used_at_ms.is_none() && link.expires_at_ms > now
    };
    link.filter(usable).ok_or(Error::Rejected(AcceptRejection::InvalidLink))
}

fn owner_email(link: &one_time_link::Model, given: Option<&str>) -> Result<Email, AcceptRejection> {
    let parse = |text: &str| Email::parse(text).map_err(|_| AcceptRejection::InvalidEmail);
    let given = given.map(parse).transpose()?;
    let Some(meant) = &link.email else { return given.ok_or(AcceptRejection::EmailNeeded) };
    let meant = parse(meant)?;
    match given {
        Some(given) if given != meant => Err(AcceptRejection::InvalidEmail),
        Some(_) | None => Ok(meant),
    }
}

fn new_person(
    platform: &Platform,
    email: &Email,
    name: DisplayName,
    password_hash: String,
) -> person::Model {
    let now = platform.clock.now();
    person::Model {
        id: platform.ids.next(),
        email: email.as_str().to_owned(),
        name: Some(name.into_string()),
        password_hash: Some(password_hash),
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    }
}

async fn insert_new_person(tx: &Tx, row: &person::Model) -> Result<(), Error<SignUpRejection>> {
    store::accounts::insert_person(tx, row).await.map_err(|error| {
        match store::accounts::is_email_taken(&error) {
            true => Error::Rejected(SignUpRejection::EmailTaken),
            false => error.into(),
        }
    })
}

/// Makes the person of a log-in the owner of the account that it acts in.
async fn insert_owner(
    tx: &Tx,
    session: &session::Model,
    now: UnixMillis,
) -> Result<(), sea_orm::DbErr> {
    let row = membership::Model {
        account_id: session.account_id,
        person_id: session.person_id,
        role: Role::Owner,
        created_at_ms: now,
        updated_at_ms: now,
    };
    store::accounts::insert_membership(tx, &row).await
}
