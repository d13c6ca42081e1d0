//! Who is asking.

use entity::enums::{KeyMode, Role};
use entity::ids::{AccountId, ApiKeyId, PersonId, SessionId};

use super::policy::{Action, Scope, Subject};
use crate::error::Failed;

/// Who is asking. Made by `identity` from a credential, or by the program for its own work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// No credential.
    Anonymous,
    /// A signed-in person, acting in one account.
    Person(PersonActor),
    /// A program with an API key.
    Key(KeyActor),
    /// Somebody with a shell on the machine: the command line.
    CommandLine,
    /// The program itself: sweeps and dispatch.
    System,
}

/// A signed-in person, acting in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonActor {
    /// Who.
    pub person_id: PersonId,
    /// The log-in.
    pub session_id: SessionId,
    /// The account.
    pub account_id: AccountId,
    /// The person's role in it.
    pub role: Role,
    /// Whether the account is the operator's own.
    pub is_operator: bool,
}

/// A program with an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyActor {
    /// The key.
    pub api_key_id: ApiKeyId,
    /// Its account.
    pub account_id: AccountId,
    /// Live or test.
    pub mode: KeyMode,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Actor {
    /// The account acted in, if there is one.
    pub const fn account_id(&self) -> Option<AccountId> {
        match self {
            Self::Person(person) => Some(person.account_id),
            Self::Key(key) => Some(key.account_id),
            Self::Anonymous | Self::CommandLine | Self::System => None,
        }
    }

    /// The account beyond which this actor has no business: the one acted in, but for the
    /// operator's people, who see to all.
    pub const fn walled_account(&self) -> Option<AccountId> {
        match self {
            Self::Person(person) if person.is_operator => None,
            Self::Person(_) | Self::Key(_) => self.account_id(),
            Self::Anonymous | Self::CommandLine | Self::System => None,
        }
    }

    /// Whether what this actor sends is played, not sent.
    pub fn is_test(&self) -> bool {
        matches!(self, Self::Key(key) if key.mode == KeyMode::Test)
    }

    /// Passes if the policy lets this actor do `action`.
    ///
    /// # Errors
    /// [`Failed::Unauthenticated`] for nobody, [`Failed::Forbidden`] for somebody who may not.
    pub fn require(&self, action: Action) -> Result<(), Failed> {
        let allowed = match self {
            Self::Anonymous => return Err(Failed::Unauthenticated),
            Self::Person(person) if person.is_operator => {
                action.allows(Subject::OperatorRole(person.role))
                    || action.allows(Subject::Role(person.role))
            }
            Self::Person(person) => action.allows(Subject::Role(person.role)),
            Self::Key(key) => key.scopes.iter().any(|scope| action.allows(Subject::Scope(*scope))),
            Self::CommandLine => action.allows(Subject::CommandLine),
            Self::System => true,
        };
        if allowed { Ok(()) } else { Err(Failed::Forbidden(action.refusal())) }
    }

    /// [`require`](Self::require), and the account that the actor acts in.
    ///
    /// # Errors
    /// As `require`; [`Failed::Forbidden`] too where the actor has no account.
    pub fn require_in_account(&self, action: Action) -> Result<AccountId, Failed> {
        self.require(action)?;
        self.account_id().ok_or_else(|| Failed::Forbidden(action.refusal()))
    }
}
