//! `heliograph admin set-role` and `remove-person`: who belongs to an account, from a shell. A
//! server beside it ends the person's streams within a second.

use std::sync::Arc;

use clap::Args;
use entity::enums::Role;
use entity::ids::AccountId;
use serde_json::json;

use super::failure::Failure;
use crate::ctx::{Ctx, Platform};
use crate::error::Error;
use crate::identity::{IdentityService, Member, MemberRejection};

/// Give a person who belongs to an account another role there
#[derive(Args, Clone, Debug)]
pub(super) struct SetRoleArgs {
    #[command(flatten)]
    person: PersonArgs,
    /// owner, admin, developer, billing, support or viewer
    #[arg(long, value_parser = role)]
    role: Role,
}

/// Take a person out of an account; their log-ins there end
#[derive(Args, Clone, Debug)]
pub(super) struct RemovePersonArgs {
    #[command(flatten)]
    person: PersonArgs,
}

#[derive(Args, Clone, Debug)]
struct PersonArgs {
    /// The account, acct_…
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// The person's e-mail address
    #[arg(long, value_name = "MAIL")]
    email: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

fn role(text: &str) -> Result<Role, String> {
    let mut roles = Role::ALL.iter().copied();
    let found = roles.find(|role| name(*role) == text);
    found.ok_or_else(|| "a role is owner, admin, developer, billing, support or viewer".to_owned())
}

fn name(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

/// Changes a role, and returns what to print.
///
/// # Errors
/// No such account or member, or its last owner; the store's own.
pub(super) async fn set_role(ctx: &Ctx, args: &SetRoleArgs) -> Result<String, Failure> {
    let PersonArgs { account, email, json } = &args.person;
    let outcome = identity(ctx).set_role(ctx, *account, email, args.role).await;
    let member = member(outcome)?;
    if *json {
        return Ok(in_json(&member));
    }
    Ok(format!("{} is {} of {account} now\n", member.person.email, name(member.role)))
}

/// Removes a person, and returns what to print.
///
/// # Errors
/// As [`set_role`].
pub(super) async fn remove_person(ctx: &Ctx, args: &RemovePersonArgs) -> Result<String, Failure> {
    let PersonArgs { account, email, json } = &args.person;
    let member = member(identity(ctx).remove_person(ctx, *account, email).await)?;
    if *json {
        return Ok(in_json(&member));
    }
    Ok(format!("{} does not belong to {account} any more\n", member.person.email))
}

fn identity(ctx: &Ctx) -> IdentityService {
    IdentityService::new(Arc::new(Platform::clone(ctx)))
}

fn member(outcome: Result<Member, Error<MemberRejection>>) -> Result<Member, Failure> {
    outcome.map_err(|error| match error {
        Error::Rejected(rejection) => Failure::usage(rejection),
        Error::Failed(failed) => Failure::new(failed),
    })
}

/// The role is the one that the person has, or had until now.
fn in_json(member: &Member) -> String {
    let answer = json!({
        "accountId": member.account_id,
        "personId": member.person.id,
        "email": member.person.email,
        "role": name(member.role),
    });
    format!("{answer}\n")
}
