//! The operator's hold on who belongs to an account: another role, or none any more.

use entity::account;
use entity::enums::{AccountKind, Role};
use entity::ids::{AccountId, PersonId};
use entity::{membership, person};

use crate::authz::{Action, Actor};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::Topic;
use crate::identity::model::{Email, Person};
use crate::identity::{IdentityService, store};

/// A person in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account_id: AccountId,
    /// Who.
    pub person: Person,
    /// As what.
    pub role: Role,
}

/// Why a member cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberRejection {
    /// There is no such account.
    #[error("there is no such account")]
    AccountNotFound,
    /// Malformed, unknown, or of somebody who belongs elsewhere: which is not told.
    #[error("nobody with this e-mail address belongs to the account")]
    PersonNotFound,
    /// The account would be left without an owner.
    #[error("this is the account's last owner: make another person an owner first")]
    LastOwner,
}

/// A member found and locked, with the account locked before.
struct Locked {
    member: membership::Model,
    person: person::Model,
}

impl IdentityService {
    /// Gives a member of an account another role. The person's log-ins there stay and have the new
    /// role from the commit on; their streams end. Idempotent.
    ///
    /// # Errors
    /// [`MemberRejection`]; [`Failed::Forbidden`], also for whoever is no owner of the operator's
    /// account and wants to make or unmake one there; another failure.
    pub async fn set_role(
        &self,
        ctx: &Ctx,
        account_id: AccountId,
        email: &str,
        role: Role,
    ) -> Result<Member, Error<MemberRejection>> {
        ctx.actor.require(Action::ManageAccounts)?;
        let email = &parse(email)?;
        let now = ctx.clock.now();
        let (before, person) = ctx
            .db
            .write(|tx| async move {
                let Locked { member, person } = lock(&tx, ctx, account_id, email, role).await?;
                if member.role == role {
                    return Ok((role, person));
                }
                keep_an_owner(&tx, &member).await?;
                let before = member.role;
                let changed = membership::Model { role, updated_at_ms: now, ..member };
                store::accounts::update_membership(&tx, changed).await?;
                Ok::<_, Error<MemberRejection>>((before, person))
            })
            .await?;
        if before != role {
            self.member_changed(ctx, account_id, person.id);
            tracing::info!(
                account.id = %account_id, person.id = %person.id, ?before, ?role,
                "gave a person another role"
            );
        }
        Ok(Member { account_id, person: person.into(), role })
    }

    /// Takes a person out of an account: ends their log-ins and streams there. The person stays in
    /// other accounts, and keys that they made stay the account's. Once done, the person is not
    /// found any more. Answers with the role that the person had.
    ///
    /// # Errors
    /// As [`set_role`](Self::set_role).
    pub async fn remove_person(
        &self,
        ctx: &Ctx,
        account_id: AccountId,
        email: &str,
    ) -> Result<Member, Error<MemberRejection>> {
        ctx.actor.require(Action::ManageAccounts)?;
        let email = &parse(email)?;
        let now = ctx.clock.now();
        let Locked { member, person } = ctx
            .db
            .write(|tx| async move {
                let found = lock(&tx, ctx, account_id, email, Role::Viewer).await?;
                keep_an_owner(&tx, &found.member).await?;
                store::accounts::delete_membership(&tx, &found.member).await?;
                let person_id = found.person.id;
                store::sessions::revoke_in_account(&tx, account_id, person_id, now).await?;
                Ok::<_, Error<MemberRejection>>(found)
            })
            .await?;
        self.member_changed(ctx, account_id, person.id);
        tracing::info!(
            account.id = %account_id, person.id = %person.id, "took a person out of an account"
        );
        Ok(Member { account_id, person: person.into(), role: member.role })
    }

    /// Makes this and the other nodes look again, and ends the streams of the person's log-ins.
    fn member_changed(&self, ctx: &Ctx, account_id: AccountId, person_id: PersonId) {
        ctx.doorbell.ring(Topic::Credentials(account_id));
        self.0.sessions.end(|state| state.account_id == account_id && state.person_id == person_id);
    }
}

/// What is no address belongs to nobody.
fn parse(email: &str) -> Result<Email, Error<MemberRejection>> {
    Email::parse(email).map_err(|_| Error::Rejected(MemberRejection::PersonNotFound))
}

/// Finds a member who is to become `role`. The account's lock makes changes of its people go one
/// after the other, so that two owners cannot unmake each other at once.
async fn lock(
    tx: &Tx,
    ctx: &Ctx,
    account_id: AccountId,
    email: &Email,
    role: Role,
) -> Result<Locked, Error<MemberRejection>> {
    let account = store::accounts::account_for_update(tx, account_id).await?;
    let account = account.ok_or(Error::Rejected(MemberRejection::AccountNotFound))?;
    let found = store::accounts::member_by_email(tx, account_id, email).await?;
    let (member, person) = found.ok_or(Error::Rejected(MemberRejection::PersonNotFound))?;
    if role == Role::Owner || member.role == Role::Owner {
        may_touch_owners(&ctx.actor, &account)?;
    }
    Ok(Locked { member, person })
}

/// The operator's admins run other accounts, owners and all, but do not make themselves owners of
/// the platform, nor unmake those who are.
fn may_touch_owners(actor: &Actor, account: &account::Model) -> Result<(), Failed> {
    match (account.kind, actor) {
        (AccountKind::Operator, Actor::Person(person)) if person.role != Role::Owner => {
            Err(Failed::Forbidden(Action::ManageAccounts.refusal()))
        }
        (AccountKind::Operator | AccountKind::Customer, _) => Ok(()),
    }
}

/// Passes unless `member`, who is about to go or to have less, is the account's only owner.
async fn keep_an_owner(tx: &Tx, member: &membership::Model) -> Result<(), Error<MemberRejection>> {
    if member.role == Role::Owner && store::accounts::owners(&**tx, member.account_id).await? <= 1 {
        return Err(Error::Rejected(MemberRejection::LastOwner));
    }
    Ok(())
}
