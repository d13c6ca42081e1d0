//! Mutations by which the operator suspends and reactivates accounts, and lets their first owners in.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Account;
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::DateTime;
use crate::identity::{self, OwnerLinkRejection, StatusRejection};

/// What `suspendAccount` takes.
#[derive(InputObject)]
pub struct SuspendAccountInput {
    /// The account, by its id `acct_…`.
    pub account_id: ID,
}

/// What `suspendAccount` answers.
#[derive(SimpleObject)]
pub struct SuspendAccountPayload {
    /// The account as it is now; null if it was not suspended.
    account: Option<Account>,
    /// Why not; empty if it was.
    user_errors: Vec<SuspendAccountError>,
}

user_error! {
    /// Why an account was not suspended.
    SuspendAccountError,
    /// Why an account was not suspended, for a program to read.
    SuspendAccountErrorCode {
        /// There is no such account.
        NotFound,
        /// It is the operator's own, without which nobody could reactivate it.
        Operator,
        /// It is closed for good.
        Closed,
    }
}

impl From<StatusRejection> for SuspendAccountError {
    fn from(rejection: StatusRejection) -> Self {
        let code = match rejection {
            StatusRejection::NotFound => SuspendAccountErrorCode::NotFound,
            StatusRejection::Operator => SuspendAccountErrorCode::Operator,
            StatusRejection::Closed => SuspendAccountErrorCode::Closed,
        };
        Self::new(code, &["accountId"], rejection)
    }
}

/// What `reactivateAccount` takes.
#[derive(InputObject)]
pub struct ReactivateAccountInput {
    /// The account, by its id `acct_…`.
    pub account_id: ID,
}

/// What `reactivateAccount` answers.
#[derive(SimpleObject)]
pub struct ReactivateAccountPayload {
    /// The account as it is now; null if it was not reactivated.
    account: Option<Account>,
    /// Why not; empty if it is active.
    user_errors: Vec<ReactivateAccountError>,
}

user_error! {
    /// Why an account was not reactivated.
    ReactivateAccountError,
    /// Why an account was not reactivated, for a program to read.
    ReactivateAccountErrorCode {
        /// There is no such account.
        NotFound,
        /// It is the operator's own, which is always active.
        Operator,
        /// It is closed for good.
        Closed,
    }
}

impl From<StatusRejection> for ReactivateAccountError {
    fn from(rejection: StatusRejection) -> Self {
        let code = match rejection {
            StatusRejection::NotFound => ReactivateAccountErrorCode::NotFound,
            StatusRejection::Operator => ReactivateAccountErrorCode::Operator,
            StatusRejection::Closed => ReactivateAccountErrorCode::Closed,
        };
        Self::new(code, &["accountId"], rejection)
    }
}

/// What `reissueOwnerLink` takes.
#[derive(InputObject)]
pub struct ReissueOwnerLinkInput {
    /// The account, by its id `acct_…`.
    pub account_id: ID,
    /// The e-mail address of the first owner; absent or null: that of the link before.
    pub owner_email: Option<String>,
}

/// What `reissueOwnerLink` answers.
#[derive(SimpleObject)]
pub struct ReissueOwnerLinkPayload {
    /// The address that the first owner opens to set a password. It works once and for a week, and
    /// is shown here and never again. Null if none was made.
    owner_link: Option<String>,
    /// When the link stops working; null if none was made.
    owner_link_expires_at: Option<DateTime>,
    /// Why not; empty if it was made.
    user_errors: Vec<ReissueOwnerLinkError>,
}

user_error! {
    /// Why there is no new link.
    ReissueOwnerLinkError,
    /// Why there is no new link, for a program to read.
    ReissueOwnerLinkErrorCode {
        /// There is no such account, or it is closed.
        NotFound,
        /// The account has an owner already.
        HasOwner,
        /// No earlier link of the account says for whom: name an e-mail address.
        EmailNeeded,
        /// It is not an e-mail address.
        InvalidEmail,
    }
}

impl From<OwnerLinkRejection> for ReissueOwnerLinkError {
    fn from(rejection: OwnerLinkRejection) -> Self {
        use ReissueOwnerLinkErrorCode as Code;
        let (code, field) = match rejection {
            OwnerLinkRejection::NotFound => (Code::NotFound, "accountId"),
            OwnerLinkRejection::HasOwner => (Code::HasOwner, "accountId"),
            OwnerLinkRejection::EmailNeeded => (Code::EmailNeeded, "ownerEmail"),
            OwnerLinkRejection::InvalidEmail => (Code::InvalidEmail, "ownerEmail"),
        };
        Self::new(code, &[field], rejection)
    }
}

/// Writes.
#[derive(Default)]
pub struct StandingMutation;

#[Object]
impl StandingMutation {
    /// Stops an account from sending: what it asks for from now on is refused, and what waits does
    /// not leave until the account is reactivated; it can be canceled, and expires in its time.
    /// What a carrier was handed before is not called back. The account still reads. For the
    /// operator's owners and admins. Idempotent.
    async fn suspend_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which.")] input: SuspendAccountInput,
    ) -> Answer<SuspendAccountPayload> {
        let account_id = parse_id(&input.account_id)?;
        let outcome = identity::suspend_account(call(context)?, account_id).await;
        let (account, user_errors) = match value_or_rejection(outcome)? {
            Ok(row) => (Some(Account(row)), Vec::new()),
            Err(rejection) => (None, vec![rejection.into()]),
        };
        Ok(SuspendAccountPayload { account, user_errors })
    }

    /// Lets a suspended account send again; what waited and has not expired leaves. For the
    /// operator's owners and admins. Idempotent.
    async fn reactivate_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which.")] input: ReactivateAccountInput,
    ) -> Answer<ReactivateAccountPayload> {
        let account_id = parse_id(&input.account_id)?;
        let outcome = identity::reactivate_account(call(context)?, account_id).await;
        let (account, user_errors) = match value_or_rejection(outcome)? {
            Ok(row) => (Some(Account(row)), Vec::new()),
            Err(rejection) => (None, vec![rejection.into()]),
        };
        Ok(ReactivateAccountPayload { account, user_errors })
    }

    /// Makes another link for the first owner of an account that has none yet; links made before
    /// stop working. For the operator's owners and admins. Not idempotent.
    async fn reissue_owner_link(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "For which account, and for whom.")] input: ReissueOwnerLinkInput,
    ) -> Answer<ReissueOwnerLinkPayload> {
        let account_id = parse_id(&input.account_id)?;
        let email = input.owner_email.as_deref();
        let outcome = identity::reissue_owner_link(call(context)?, account_id, email).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(link) => ReissueOwnerLinkPayload {
                owner_link: Some(link.url.expose().to_owned()),
                owner_link_expires_at: Some(link.expires_at.into()),
                user_errors: Vec::new(),
            },
            Err(rejection) => ReissueOwnerLinkPayload {
                owner_link: None,
                owner_link_expires_at: None,
                user_errors: vec![rejection.into()],
            },
        })
    }
}
