//! Making and changing accounts.

use entity::enums::{AccountKind, AccountStatus, KeyMode, LinkPurpose};
use entity::ids::AccountId;
use entity::{account, one_time_link};

use super::api_keys::{NewKey, prepare_key};
use crate::authz::{Action, Scope};
use crate::ctx::{Ctx, Platform};
use crate::error::Error;
use crate::identity::model::{DisplayName, Email, InvalidName, KeyName, NewApiKey, OneTimeLink};
use crate::identity::store;
use crate::keys::Purpose;
use crate::types::phone::Region;
use crate::types::secret::SecretText;

/// How long a one-time link can be used, in milliseconds: a week, since a person has to get to it.
pub(in crate::identity) const LINK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// What an account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name, 1 to 200 characters.
    pub name: String,
    /// Who may set the first owner's password.
    pub owner_email: String,
    /// Two letters (ISO 3166-1): numbers without a country code are read as of this region.
    pub default_region: Option<String>,
}

/// A new account. Its secrets are never shown again.
#[derive(Debug)]
pub struct CreatedAccount {
    /// The account.
    pub account: account::Model,
    /// For its first owner.
    pub owner_link: OneTimeLink,
    /// A live key with all scopes.
    pub api_key: NewApiKey,
    /// A test key with all scopes.
    pub test_api_key: NewApiKey,
}

/// Why an account cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateAccountRejection {
    /// The name.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The owner's address.
    #[error("not an e-mail address")]
    InvalidEmail,
    /// The region.
    #[error("not a two-letter country code with a numbering plan")]
    UnknownRegion,
}

/// Makes an account with a link for its first owner, a live and a test key. Not idempotent.
///
/// # Errors
/// [`CreateAccountRejection`], or a failure.
pub async fn create_account(
    ctx: &Ctx,
    new: NewAccount,
) -> Result<CreatedAccount, Error<CreateAccountRejection>> {
    ctx.actor.require(Action::CreateAccounts)?;
    let rejected = Error::Rejected;
    let name = DisplayName::parse(&new.name).map_err(|fault| rejected(fault.into()))?;
    let email = Email::parse(&new.owner_email)
        .map_err(|_| Error::Rejected(CreateAccountRejection::InvalidEmail))?;
    let region = parse_region(new.default_region.as_deref())
        .map_err(|UnknownRegion| Error::Rejected(CreateAccountRejection::UnknownRegion))?;
    let account = new_account(ctx, AccountKind::Customer, name, region);
    let (link_row, owner_link) = new_link(ctx, account.id, Some(&email));
    let (live_row, live) = prepare_key(ctx, first_key(account.id, KeyMode::Live));
    let (test_row, test) = prepare_key(ctx, first_key(account.id, KeyMode::Test));
    let rows = (&account, &link_row, &live_row, &test_row);
    ctx.db
        .write(|tx| async move {
            let (account, link, live, test) = rows;
            store::accounts::insert_account(&tx, account).await?;
            store::links::insert(&tx, link).await?;
            store::api_keys::insert(&tx, live).await?;
            store::api_keys::insert(&tx, test).await
        })
        .await?;
    tracing::info!(account.id = %account.id, "made an account");
    let api_key = NewApiKey { api_key: live_row.into(), text: live };
    let test_api_key = NewApiKey { api_key: test_row.into(), text: test };
    Ok(CreatedAccount { account, owner_link, api_key, test_api_key })
}

fn first_key(account_id: AccountId, mode: KeyMode) -> NewKey {
    let name = match mode {
        KeyMode::Live => "First live key",
        KeyMode::Test => "First test key",
    };
    let name = KeyName::parse(name).expect("a short text on one line is a name");
    let scopes = Scope::ALL.to_vec();
    NewKey { account_id, name, mode, scopes, expires_at: None, created_by: None, replaces: None }
}

/// What to change of an account.
#[derive(Clone, Debug, Default)]
pub struct UpdateAccount {
    /// Another name; `None` leaves it.
    pub name: Option<String>,
    /// Another region, or none; `None` leaves it.
    pub default_region: Option<Option<String>>,
}

/// Why an account cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAccountRejection {
    /// The name.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The region.
    #[error("not a two-letter country code with a numbering plan")]
    UnknownRegion,
}

/// Changes the caller's account. Idempotent; what changes nothing leaves the version.
///
/// # Errors
/// [`UpdateAccountRejection`], or a failure.
pub async fn update_account(
    ctx: &Ctx,
    change: UpdateAccount,
) -> Result<account::Model, Error<UpdateAccountRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageAccount)?;
    let name = match &change.name {
        Some(name) => Some(
            DisplayName::parse(name).map_err(|fault| Error::Rejected(fault.into()))?.into_string(),
        ),
        None => None,
    };
    let region = match &change.default_region {
        Some(region) => Some(
            parse_region(region.as_deref())
                .map_err(|UnknownRegion| Error::Rejected(UpdateAccountRejection::UnknownRegion))?,
        ),
        None => None,
    };
    let (now, change) = (ctx.clock.now(), (&name, &region));
    ctx.db
        .write(|tx| async move {
            let found = store::accounts::account_for_update(&tx, account_id).await?;
            let before = found.ok_or(crate::error::Failed::Unauthenticated)?;
            let (name, region) = change;
            let after = account::Model {
                name: name.clone().unwrap_or_else(|| before.name.clone()),
                default_region: region.clone().unwrap_or_else(|| before.default_region.clone()),
                ..before.clone()
            };
            if after == before {
                return Ok(before);
            }
            let after = account::Model { version: before.version + 1, updated_at_ms: now, ..after };
            Ok(store::accounts::update_account(&tx, after).await?)
        })
        .await
}

/// The text is not a region.
pub(super) struct UnknownRegion;

/// The region, in upper case.
pub(super) fn parse_region(text: Option<&str>) -> Result<Option<String>, UnknownRegion> {
    match text {
        Some(text) => {
            let region: Region = text.trim().parse().map_err(|_| UnknownRegion)?;
            Ok(Some(region.to_string()))
        }
        None => Ok(None),
    }
}

/// The row of an account that is about to be made.
pub(super) fn new_account(
    platform: &Platform,
    kind: AccountKind,
    name: DisplayName,
    default_region: Option<String>,
) -> account::Model {
    let now = platform.clock.now();
    account::Model {
        id: platform.ids.next(),
        name: name.into_string(),
        kind,
        status: AccountStatus::Active,
        default_region,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    }
}

/// A link for the first owner, and its row; without `email` the owner names one.
pub(super) fn new_link(
    platform: &Platform,
    account_id: AccountId,
    email: Option<&Email>,
) -> (one_time_link::Model, OneTimeLink) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let token = SecretText::new(URL_SAFE_NO_PAD.encode(platform.randomness.bytes::<32>()));
    let now = platform.clock.now();
    let row = one_time_link::Model {
        hash: hash_link(platform, token.expose()).to_vec(),
        purpose: LinkPurpose::FirstOwner,
        account_id,
        email: email.map(|email| email.as_str().to_owned()),
        created_at_ms: now,
        expires_at_ms: now.plus_ms(LINK_MS),
        used_at_ms: None,
    };
    let url = format!("{}/welcome#{}", platform.settings.public_url(), token.expose());
    let link = OneTimeLink { url: SecretText::new(url), expires_at: row.expires_at_ms };
    (row, link)
}

/// The hash under which a link's token is stored.
pub(super) fn hash_link(platform: &Platform, token: &str) -> [u8; 32] {
    platform.master_key.hash(Purpose::OneTimeLink, token.as_bytes())
}
