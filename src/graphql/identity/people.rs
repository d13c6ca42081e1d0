//! Mutations by which the operator changes who belongs to an account.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Person, Role, service};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::identity::MemberRejection;

/// What `setRole` takes.
#[derive(InputObject)]
pub struct SetRoleInput {
    /// The account, by its id `acct_…`.
    pub account_id: ID,
    /// The e-mail address of a person who belongs to it.
    pub email: String,
    /// As what from now on.
    pub role: Role,
}

/// What `setRole` answers.
#[derive(SimpleObject)]
pub struct SetRolePayload {
    /// The person; null if nothing was changed.
    person: Option<Person>,
    /// The person's role in the account now; null if nothing was changed.
    role: Option<Role>,
    /// Why not; empty if the person has the role.
    user_errors: Vec<SetRoleError>,
}

user_error! {
    /// Why a person was not given a role.
    SetRoleError,
    /// Why a person was not given a role, for a program to read.
    SetRoleErrorCode {
        /// There is no such account.
        AccountNotFound,
        /// Nobody with this e-mail address belongs to the account.
        PersonNotFound,
        /// The account would be left without an owner.
        LastOwner,
    }
}

impl From<MemberRejection> for SetRoleError {
    fn from(rejection: MemberRejection) -> Self {
        use SetRoleErrorCode as Code;
        let (code, field) = match rejection {
            MemberRejection::AccountNotFound => (Code::AccountNotFound, "accountId"),
            MemberRejection::PersonNotFound => (Code::PersonNotFound, "email"),
            MemberRejection::LastOwner => (Code::LastOwner, "role"),
        };
        Self::new(code, &[field], rejection)
    }
}

/// What `removePerson` takes.
#[derive(InputObject)]
pub struct RemovePersonInput {
    /// The account, by its id `acct_…`.
    pub account_id: ID,
    /// The e-mail address of a person who belongs to it.
    pub email: String,
}

/// What `removePerson` answers.
#[derive(SimpleObject)]
pub struct RemovePersonPayload {
    /// The person, who does not belong to the account any more; null if nothing was changed.
    person: Option<Person>,
    /// Why not; empty if the person was removed.
    user_errors: Vec<RemovePersonError>,
}

user_error! {
    /// Why a person was not removed.
    RemovePersonError,
    /// Why a person was not removed, for a program to read.
    RemovePersonErrorCode {
        /// There is no such account.
        AccountNotFound,
        /// Nobody with this e-mail address belongs to the account.
        PersonNotFound,
        /// The account would be left without an owner.
        LastOwner,
    }
}

impl From<MemberRejection> for RemovePersonError {
    fn from(rejection: MemberRejection) -> Self {
        use RemovePersonErrorCode as Code;
        let (code, field) = match rejection {
            MemberRejection::AccountNotFound => (Code::AccountNotFound, "accountId"),
            MemberRejection::PersonNotFound => (Code::PersonNotFound, "email"),
            MemberRejection::LastOwner => (Code::LastOwner, "email"),
        };
        Self::new(code, &[field], rejection)
    }
}

/// Writes.
#[derive(Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Gives a person who belongs to an account another role there. Their log-ins stay and have the
    /// new role at once; their streams end. For the operator's owners and admins; in the operator's
    /// own account owners are made and unmade by owners alone. Idempotent.
    async fn set_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who, where, and as what.")] input: SetRoleInput,
    ) -> Answer<SetRolePayload> {
        let account_id = parse_id(&input.account_id)?;
        let (identity, ctx) = (service(context)?, call(context)?);
        let outcome = identity.set_role(ctx, account_id, &input.email, input.role.into()).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(member) => SetRolePayload {
                person: Some(Person(member.person)),
                role: Some(member.role.into()),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                SetRolePayload { person: None, role: None, user_errors: vec![rejection.into()] }
            }
        })
    }

    /// Takes a person out of an account: ends their log-ins and streams there at once. The person
    /// stays in other accounts, and API keys that they made stay the account's. For the operator's
    /// owners and admins; owners leave the operator's own account by owners alone. Not idempotent:
    /// somebody who was removed is not found.
    async fn remove_person(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who, and from where.")] input: RemovePersonInput,
    ) -> Answer<RemovePersonPayload> {
        let account_id = parse_id(&input.account_id)?;
        let (identity, ctx) = (service(context)?, call(context)?);
        let outcome = identity.remove_person(ctx, account_id, &input.email).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(member) => {
                RemovePersonPayload { person: Some(Person(member.person)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                RemovePersonPayload { person: None, user_errors: vec![rejection.into()] }
            }
        })
    }
}
