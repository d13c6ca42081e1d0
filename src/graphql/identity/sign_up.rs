//! Mutations by which new owners come.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::sessions::{Authentication, parts};
use super::{client_address, service};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::identity::{AcceptOwnerLink, AcceptRejection, PasswordFault, SignUp, SignUpRejection};
use crate::types::secret::SecretText;

/// What `signUp` takes.
#[derive(InputObject)]
pub struct SignUpInput {
    /// The account's name, 1 to 200 characters.
    pub account_name: String,
    /// The region of phone numbers that are written without a country code, as two letters of ISO
    /// 3166-1.
    pub default_region: Option<String>,
    /// The owner's e-mail address, to log in by.
    pub email: String,
    /// The owner's password, 12 to 128 characters, and none that is guessed first.
    pub password: String,
    /// The owner's name, 1 to 200 characters.
    pub name: String,
}

/// What `signUp` answers.
#[derive(SimpleObject)]
pub struct SignUpPayload {
    /// The owner's first log-in; null if no account was made.
    authentication: Option<Authentication>,
    /// Why not; empty if it was made.
    user_errors: Vec<SignUpError>,
}

user_error! {
    /// Why an account was not made.
    SignUpError,
    /// Why an account was not made, for a program to read.
    SignUpErrorCode {
        /// Only the operator makes accounts here.
        SignUpClosed,
        /// The account's or the owner's name is empty, longer than 200 characters, or of several
        /// lines.
        InvalidName,
        /// It is not an e-mail address.
        InvalidEmail,
        /// Somebody has this e-mail address already.
        EmailTaken,
        /// The password has fewer than 12 characters.
        PasswordTooShort,
        /// The password has more than 128 characters.
        PasswordTooLong,
        /// The password is among those that are guessed first.
        PasswordTooCommon,
        /// It is not a region with a numbering plan.
        UnknownRegion,
    }
}

impl From<SignUpRejection> for SignUpError {
    fn from(rejection: SignUpRejection) -> Self {
        use SignUpErrorCode as Code;
        let (code, path): (_, &[&str]) = match rejection {
            SignUpRejection::Closed => (Code::SignUpClosed, &[]),
            SignUpRejection::InvalidAccountName(_) => (Code::InvalidName, &["accountName"]),
            SignUpRejection::InvalidName(_) => (Code::InvalidName, &["name"]),
            SignUpRejection::InvalidEmail => (Code::InvalidEmail, &["email"]),
            SignUpRejection::EmailTaken => (Code::EmailTaken, &["email"]),
            SignUpRejection::UnknownRegion => (Code::UnknownRegion, &["defaultRegion"]),
            SignUpRejection::BadPassword(fault) => {
                let code = match fault {
                    PasswordFault::TooShort => Code::PasswordTooShort,
                    PasswordFault::TooLong => Code::PasswordTooLong,
                    PasswordFault::TooCommon => Code::PasswordTooCommon,
                };
                (code, &["password"])
            }
        };
        Self::new(code, path, rejection)
    }
}

/// What `acceptOwnerLink` takes.
#[derive(InputObject)]
pub struct AcceptOwnerLinkInput {
    /// What stands behind the `#` of the link.
    pub token: String,
    /// The password to set, 12 to 128 characters, and none that is guessed first; for somebody who
    /// has a password here already, that one.
    pub password: String,
    /// The owner's name, 1 to 200 characters.
    pub name: String,
    /// The e-mail address to log in by: needed for the link of the operator's first owner, else
    /// absent or the one that the link was made for.
    pub email: Option<String>,
}

/// What `acceptOwnerLink` answers.
#[derive(SimpleObject)]
pub struct AcceptOwnerLinkPayload {
    /// The owner's log-in; null if the link was not accepted.
    authentication: Option<Authentication>,
    /// Why not; empty if it was.
    user_errors: Vec<AcceptOwnerLinkError>,
}

user_error! {
    /// Why a link was not accepted.
    AcceptOwnerLinkError,
    /// Why a link was not accepted, for a program to read.
    AcceptOwnerLinkErrorCode {
        /// The link is unknown, used or expired, or the account has an owner by now.
        InvalidLink,
        /// The link is for nobody in particular: name an e-mail address.
        EmailNeeded,
        /// It is not an e-mail address, or not the one that the link was made for.
        InvalidEmail,
        /// The name is empty, longer than 200 characters, or of several lines.
        InvalidName,
        /// The password has fewer than 12 characters.
        PasswordTooShort,
        /// The password has more than 128 characters.
        PasswordTooLong,
        /// The password is among those that are guessed first.
        PasswordTooCommon,
        /// The person has a password here already, and this is another.
        WrongPassword,
    }
}

impl From<AcceptRejection> for AcceptOwnerLinkError {
    fn from(rejection: AcceptRejection) -> Self {
        use AcceptOwnerLinkErrorCode as Code;
        let (code, field) = match rejection {
            AcceptRejection::InvalidLink => (Code::InvalidLink, "token"),
            AcceptRejection::EmailNeeded => (Code::EmailNeeded, "email"),
            AcceptRejection::InvalidEmail => (Code::InvalidEmail, "email"),
            AcceptRejection::InvalidName(_) => (Code::InvalidName, "name"),
            AcceptRejection::WrongPassword => (Code::WrongPassword, "password"),
            AcceptRejection::BadPassword(fault) => {
                let code = match fault {
                    PasswordFault::TooShort => Code::PasswordTooShort,
                    PasswordFault::TooLong => Code::PasswordTooLong,
                    PasswordFault::TooCommon => Code::PasswordTooCommon,
                };
                (code, "password")
            }
        };
        Self::new(code, &[field], rejection)
    }
}

/// Writes.
#[derive(Default)]
pub struct SignUpMutation;

#[Object]
impl SignUpMutation {
    /// Makes an account with its first owner, and logs that person in. For everybody, unless
    /// the operator closed it. Not idempotent.
    async fn sign_up(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who wants an account.")] input: SignUpInput,
    ) -> Answer<SignUpPayload> {
        let sign_up = SignUp {
            account_name: input.account_name,
            default_region: input.default_region,
            email: input.email,
            password: SecretText::new(input.password),
            name: input.name,
            client_address: client_address(context),
        };
        let outcome = service(context)?.sign_up(call(context)?, sign_up).await;
        let (authentication, user_errors) = parts(value_or_rejection(outcome)?);
        Ok(SignUpPayload { authentication, user_errors })
    }

    /// Makes whoever has an owner's link the first owner of its account, and logs them in. For
    /// everybody who has such a link. Not idempotent: a link works once.
    async fn accept_owner_link(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The link, and who comes by it.")] input: AcceptOwnerLinkInput,
    ) -> Answer<AcceptOwnerLinkPayload> {
        let accept = AcceptOwnerLink {
            token: SecretText::new(input.token),
            password: SecretText::new(input.password),
            name: input.name,
            email: input.email,
            client_address: client_address(context),
        };
        let outcome = service(context)?.accept_owner_link(call(context)?, accept).await;
        let (authentication, user_errors) = parts(value_or_rejection(outcome)?);
        Ok(AcceptOwnerLinkPayload { authentication, user_errors })
    }
}
