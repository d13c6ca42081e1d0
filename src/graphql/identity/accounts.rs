//! Mutations of accounts.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{Account, NewApiKey};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::scalars::DateTime;
use crate::identity::{
    self, CreateAccountRejection, NewAccount, UpdateAccount, UpdateAccountRejection,
};

/// What `createAccount` takes.
#[derive(InputObject)]
pub struct CreateAccountInput {
    /// The account's name, 1 to 200 characters.
    pub name: String,
    /// The e-mail address of the first owner.
    pub owner_email: String,
    /// The region of phone numbers that are written without a country code, as two letters of ISO
    /// 3166-1.
    pub default_region: Option<String>,
}

/// What `createAccount` answers.
#[derive(SimpleObject, Default)]
pub struct CreateAccountPayload {
    /// The new account; null if none was made.
    account: Option<Account>,
    /// The address that the first owner opens to set a password. It works once and for a week, and
    /// is shown here and never again. Null if no account was made.
    owner_link: Option<String>,
    /// When the owner's link stops working; null if no account was made.
    owner_link_expires_at: Option<DateTime>,
    /// A live key with all scopes; null if no account was made.
    live_key: Option<NewApiKey>,
    /// A test key with all scopes; null if no account was made.
    test_key: Option<NewApiKey>,
    /// Why not; empty if it was made.
    user_errors: Vec<CreateAccountError>,
}

user_error! {
    /// Why an account was not made.
    CreateAccountError,
    /// Why an account was not made, for a program to read.
    CreateAccountErrorCode {
        /// The name is empty, longer than 200 characters, or of several lines.
        InvalidName,
        /// It is not an e-mail address.
        InvalidEmail,
        /// It is not a region with a numbering plan.
        UnknownRegion,
    }
}

impl From<CreateAccountRejection> for CreateAccountError {
    fn from(rejection: CreateAccountRejection) -> Self {
        use CreateAccountErrorCode as Code;
        let (code, field) = match rejection {
            CreateAccountRejection::InvalidName(_) => (Code::InvalidName, "name"),
            CreateAccountRejection::InvalidEmail => (Code::InvalidEmail, "ownerEmail"),
            CreateAccountRejection::UnknownRegion => (Code::UnknownRegion, "defaultRegion"),
        };
        Self::new(code, &[field], rejection)
    }
}

/// What `updateAccount` takes.
#[derive(InputObject)]
pub struct UpdateAccountInput {
    /// Another name, 1 to 200 characters; absent or null leaves it.
    pub name: Option<String>,
    /// Another region, as two letters of ISO 3166-1; absent leaves it, null removes it.
    pub default_region: MaybeUndefined<String>,
}

/// What `updateAccount` answers.
#[derive(SimpleObject)]
pub struct UpdateAccountPayload {
    /// The account as it is now; null if it was not changed.
    account: Option<Account>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateAccountError>,
}

user_error! {
    /// Why an account was not changed.
    UpdateAccountError,
    /// Why an account was not changed, for a program to read.
    UpdateAccountErrorCode {
        /// The name is empty, longer than 200 characters, or of several lines.
        InvalidName,
        /// It is not a region with a numbering plan.
        UnknownRegion,
    }
}

impl From<UpdateAccountRejection> for UpdateAccountError {
    fn from(rejection: UpdateAccountRejection) -> Self {
        use UpdateAccountErrorCode as Code;
        let (code, field) = match rejection {
            UpdateAccountRejection::InvalidName(_) => (Code::InvalidName, "name"),
            UpdateAccountRejection::UnknownRegion => (Code::UnknownRegion, "defaultRegion"),
        };
        Self::new(code, &[field], rejection)
    }
}

/// Writes.
#[derive(Default)]
pub struct AccountsMutation;

#[Object]
impl AccountsMutation {
    /// Makes an account with a link for its first owner, a live and a test key. For the operator's
    /// owners and admins. Not idempotent.
    async fn create_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateAccountInput,
    ) -> Answer<CreateAccountPayload> {
        let new = NewAccount {
            name: input.name,
            owner_email: input.owner_email,
            default_region: input.default_region,
        };
        let outcome = identity::create_account(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(created) => CreateAccountPayload {
                account: Some(Account(created.account)),
                owner_link: Some(created.owner_link.url.expose().to_owned()),
                owner_link_expires_at: Some(created.owner_link.expires_at.into()),
                live_key: Some(created.api_key.into()),
                test_key: Some(created.test_api_key.into()),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                CreateAccountPayload { user_errors: vec![rejection.into()], ..Default::default() }
            }
        })
    }

    /// Changes the account that the caller acts in. For owners and admins. Idempotent.
    async fn update_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateAccountInput,
    ) -> Answer<UpdateAccountPayload> {
        let default_region = match input.default_region {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(region) => Some(Some(region)),
        };
        let change = UpdateAccount { name: input.name, default_region };
        let outcome = identity::update_account(call(context)?, change).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                UpdateAccountPayload { account: Some(Account(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                UpdateAccountPayload { account: None, user_errors: vec![rejection.into()] }
            }
        })
    }
}
