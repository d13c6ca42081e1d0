//! Logging in by password.

use std::net::IpAddr;

use entity::enums::Role;
use entity::ids::AccountId;
use entity::{account, person};

use super::sessions::{self, new_session};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::identity::hasher::Verdict;
use crate::identity::model::{Email, SignedIn};
use crate::identity::password::may_be_password;
use crate::identity::throttle::Attempt;
use crate::identity::{IdentityService, store};
use crate::types::secret::SecretText;

/// Who wants to log in.
#[derive(Debug)]
pub struct LogIn {
    /// As typed.
    pub email: String,
    /// As typed.
    pub password: SecretText,
    /// Which of the person's accounts to act in; the one they belong to longest if `None`.
    pub account_id: Option<AccountId>,
    /// From where, for the throttle.
    pub client_address: Option<IpAddr>,
}

/// Why nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogInRejection {
    /// Which of the two is wrong is not told.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The password is right, and the person belongs to no such open account.
    #[error("you do not belong to such an account, or it is closed")]
    AccountNotFound,
}

impl IdentityService {
    /// Opens a log-in for whoever knows the password. Open to everybody. Takes as long for a
    /// person who does not exist.
    ///
    /// # Errors
    /// [`LogInRejection`]; [`Failed::RateLimited`] after failures, or while too many log in;
    /// another failure.
    pub async fn log_in(
        &self,
        ctx: &Ctx,
        log_in: LogIn,
    ) -> Result<SignedIn, Error<LogInRejection>> {
        let email = Email::parse(&log_in.email).ok();
        let attempt = Attempt::begin(ctx, email.as_ref(), log_in.client_address).await?;
        let found = match &email {
            Some(email) => {
                store::accounts::person_by_email(ctx.db_of_platform().reader(), email).await?
            }
            None => None,
        };
        let (person, rehashed) = self.proven(found, &log_in.password).await?;
        let (role, account) = self.account_for(ctx, &person, log_in.account_id).await?;
        let session = new_session(ctx, person.id, account.id);
        let tokens = self.fresh_tokens(ctx).await?;
        let (opened, fresh, rehashed) = (&session, &tokens, &rehashed);
        let (attempt, known, now) = (&attempt, &person, ctx.clock.now());
        ctx.db_of_platform()
            .write(|tx| async move {
                attempt.succeeded(&tx, now).await?;
                if let (Some(new), Some(old)) = (rehashed, &known.password_hash) {
                    store::accounts::replace_hash(&tx, known.id, old, new).await?;
                }
                Ok::<_, Failed>(sessions::open(&tx, opened, fresh).await?)
            })
            .await?;
        Ok(tokens.signed_in(session, person, account, role)?)
    }

    /// The person, if the password is theirs; and a new hash of it, if the old one is outdated.
    async fn proven(
        &self,
        found: Option<person::Model>,
        password: &SecretText,
    ) -> Result<(person::Model, Option<String>), Error<LogInRejection>> {
        let wrong = Error::Rejected(LogInRejection::InvalidCredentials);
        if !may_be_password(password) {
            return Err(wrong);
        }
        let stored = found.as_ref().and_then(|person| person.password_hash.as_deref());
        let verdict = self.0.hasher.verify(password, stored).await?;
        let Some(person) = found else { return Err(wrong) };
        match verdict {
            Verdict::Wrong => Err(wrong),
            Verdict::Right => Ok((person, None)),
            Verdict::RightButOutdated => Ok((person, Some(self.0.hasher.hash(password).await?))),
        }
    }

    async fn account_for(
        &self,
        ctx: &Ctx,
        person: &person::Model,
        wanted: Option<AccountId>,
    ) -> Result<(Role, account::Model), Error<LogInRejection>> {
        let open =
            store::accounts::open_memberships(ctx.db_of_platform().reader(), person.id).await?;
        let chosen =
            open.into_iter().find(|(_, account)| wanted.is_none_or(|wanted| wanted == account.id));
        let (membership, account) =
            chosen.ok_or(Error::Rejected(LogInRejection::AccountNotFound))?;
        Ok((membership.role, account))
    }
}
