//! Who belongs to an account, as the operator changes it: the rights that go with a role go at once.

use std::sync::Arc;

use entity::enums::{AccountKind, Role};
use entity::ids::AccountId;
use heliograph::authz::{Action, PersonActor};
use heliograph::ctx::Platform;
use heliograph::events::{Doorbell, POLL_INTERVAL};
use heliograph::identity::{MemberRejection, RefreshRejection};

use super::*;
use crate::support::{PATIENCE, both_stores, within};

const BOB: &str = "bob@example.com";

fn operator(house: &TestHouse) -> Ctx {
    house.ctx_as(Actor::CommandLine)
}

/// Somebody of the operator's account.
fn staff(house: &TestHouse, account_id: AccountId, role: Role) -> Ctx {
    let (person_id, session_id) = (house.platform.ids.next(), house.platform.ids.next());
    let is_operator = true;
    let person = PersonActor { person_id, session_id, account_id, role, is_operator };
    house.ctx_as(Actor::Person(person))
}

/// A second person in the account, logged in there.
async fn joined(
    house: &TestHouse,
    identity: &IdentityService,
    account_id: AccountId,
    role: Role,
) -> SignedIn {
    let bob = signed_up(house, identity, BOB).await.person;
    let sql = "INSERT INTO membership (account_id, person_id, role, created_at_ms, updated_at_ms) \
               VALUES ($1, $2, $3, $4, $4)";
    let later = house.now().plus_ms(1);
    let values = [account_id.into(), bob.id.into(), role.code().into(), later.into()];
    house.execute(sql, values).await;
    let log_in = LogIn { account_id: Some(account_id), ..log_in(BOB, PASSWORD) };
    identity.log_in(&nobody(house), log_in).await.unwrap()
}

fn role_of(authenticated: &Authenticated) -> Role {
    let Actor::Person(person) = &authenticated.actor else { panic!("a person") };
    person.role
}

both_stores! {
    async fn another_role_holds_at_once_and_ends_streams_but_no_log_in(house: TestHouse) {
        let identity = service(&house);
        let account_id = signed_up(&house, &identity, EMAIL).await.account.id;
        let bob = joined(&house, &identity, account_id, Role::Admin).await;
        let token = &bob.tokens.access_token;
        let before = authenticated(&identity, token).await.unwrap();
        assert!(before.actor.require(Action::ManageAccount).is_ok());

        let (ctx, email) = (operator(&house), " Bob@example.com");
        let set = || identity.set_role(&ctx, account_id, email, Role::Viewer);
        let member = set().await.unwrap();
        assert_eq!((member.person.id, member.role), (bob.person.id, Role::Viewer));
        within(PATIENCE, before.until_revoked()).await;
        let after = authenticated(&identity, token).await.unwrap();
        assert_eq!(role_of(&after), Role::Viewer);
        assert!(after.actor.require(Action::ManageAccount).is_err());

        // Once more: nothing changes, so nothing ends.
        let again = set().await.unwrap();
        assert_eq!(again.role, Role::Viewer);
        assert!(!after.revoked.is_cancelled());
        identity.refresh_session(&nobody(&house), &bob.tokens.refresh_token).await.unwrap();
    }

    async fn another_process_hears_of_a_role_within_a_second(house: TestHouse) {
        let here = service(&house);
        // A process of its own has a doorbell of its own.
        let platform = Platform { doorbell: Doorbell::default(), ..Platform::clone(&house.platform) };
        let command_line = Arc::new(platform);
        let there = IdentityService::new(Arc::clone(&command_line));
        let account_id = signed_up(&house, &here, EMAIL).await.account.id;
        let bob = joined(&house, &here, account_id, Role::Admin).await;
        let token = &bob.tokens.access_token;
        let stream = authenticated(&here, token).await.unwrap();
        let ctx = Ctx::new(command_line, Actor::CommandLine, Arc::from("test"));
        there.set_role(&ctx, account_id, BOB, Role::Support).await.unwrap();

        let looked = house.now();
        house.hand.advance(POLL_INTERVAL);
        here.end_revoked(looked).await.unwrap();
        within(PATIENCE, stream.until_revoked()).await;
        let after = authenticated(&here, token).await.unwrap();
        assert_eq!(role_of(&after), Role::Support);
        // It goes on looking back a minute, and leaves alone what has the present role.
        here.end_revoked(house.now()).await.unwrap();
        assert!(!after.revoked.is_cancelled());

        there.remove_person(&ctx, account_id, BOB).await.unwrap();
        here.end_revoked(house.now()).await.unwrap();
        within(PATIENCE, after.until_revoked()).await;
        assert!(refused(&authenticated(&here, token).await));
    }

    async fn who_is_removed_is_out_at_once_and_stays_elsewhere(house: TestHouse) {
        let identity = service(&house);
        let account_id = signed_up(&house, &identity, EMAIL).await.account.id;
        let bob = joined(&house, &identity, account_id, Role::Developer).await;
        let elsewhere = identity.log_in(&nobody(&house), log_in(BOB, PASSWORD)).await.unwrap();
        assert_ne!(elsewhere.account.id, account_id);
        let ctx = ctx_of(&house, &identity, &bob).await;
        let key = live_key(&ctx).await;
        let live = authenticated(&identity, &bob.tokens.access_token).await.unwrap();

        let removed = identity.remove_person(&operator(&house), account_id, BOB).await.unwrap();
        assert_eq!((removed.person.id, removed.role), (bob.person.id, Role::Developer));
        within(PATIENCE, live.until_revoked()).await;
        assert!(refused(&authenticated(&identity, &bob.tokens.access_token).await));
        let outcome = identity.refresh_session(&nobody(&house), &bob.tokens.refresh_token).await;
        assert_eq!(rejection(outcome), RefreshRejection::Ended);
        let again = LogIn { account_id: Some(account_id), ..log_in(BOB, PASSWORD) };
        assert!(identity.log_in(&nobody(&house), again).await.is_err());
        // Their own account, and the key that they made here, go on.
        authenticated(&identity, &elsewhere.tokens.access_token).await.unwrap();
        authenticated(&identity, &key.text).await.unwrap();
        let replayed = identity.remove_person(&operator(&house), account_id, BOB).await;
        assert_eq!(rejection(replayed), MemberRejection::PersonNotFound);
    }

    async fn an_account_keeps_an_owner(house: TestHouse) {
        let identity = service(&house);
        let account_id = signed_up(&house, &identity, EMAIL).await.account.id;
        joined(&house, &identity, account_id, Role::Owner).await;
        let ctx = operator(&house);
        // Two owners unmake each other at once: one stays.
        let (ada, bob) = tokio::join!(
            identity.set_role(&ctx, account_id, EMAIL, Role::Admin),
            identity.remove_person(&ctx, account_id, BOB),
        );
        assert_ne!(ada.is_ok(), bob.is_ok(), "{ada:?} {bob:?}");
        let last = if ada.is_ok() { BOB } else { EMAIL };
        let demoted = identity.set_role(&ctx, account_id, last, Role::Admin).await;
        assert_eq!(rejection(demoted), MemberRejection::LastOwner);
        let removed = identity.remove_person(&ctx, account_id, last).await;
        assert_eq!(rejection(removed), MemberRejection::LastOwner);
        identity.set_role(&ctx, account_id, last, Role::Owner).await.unwrap();
    }

    async fn strangers_and_what_is_not_there_are_told_apart_from_nothing(house: TestHouse) {
        let identity = service(&house);
        let account_id = signed_up(&house, &identity, EMAIL).await.account.id;
        signed_up(&house, &identity, BOB).await;
        for email in [BOB, "nobody@example.com", "no address"] {
            let ctx = operator(&house);
            let outcome = identity.set_role(&ctx, account_id, email, Role::Viewer).await;
            assert_eq!(rejection(outcome), MemberRejection::PersonNotFound, "{email}");
        }
        let unknown = house.platform.ids.next();
        let outcome = identity.remove_person(&operator(&house), unknown, EMAIL).await;
        assert_eq!(rejection(outcome), MemberRejection::AccountNotFound);
    }

    async fn the_operators_admins_do_not_make_themselves_owners(house: TestHouse) {
        let identity = service(&house);
        let account_id = signed_up(&house, &identity, EMAIL).await.account.id;
        joined(&house, &identity, account_id, Role::Admin).await;
        let customers = staff(&house, house.platform.ids.next(), Role::Admin);
        identity.set_role(&customers, account_id, BOB, Role::Owner).await.unwrap();
        identity.set_role(&customers, account_id, BOB, Role::Admin).await.unwrap();

        let operators = AccountKind::Operator.code();
        let set = "UPDATE account SET kind = $1 WHERE id = $2";
        house.execute(set, [operators.into(), account_id.into()]).await;
        let (admin, owner) = (
            staff(&house, account_id, Role::Admin),
            staff(&house, account_id, Role::Owner),
        );
        let promoted = identity.set_role(&admin, account_id, BOB, Role::Owner).await;
        assert!(matches!(promoted, Err(Error::Failed(Failed::Forbidden(_)))), "{promoted:?}");
        let removed = identity.remove_person(&admin, account_id, EMAIL).await;
        assert!(matches!(removed, Err(Error::Failed(Failed::Forbidden(_)))), "{removed:?}");
        identity.set_role(&admin, account_id, BOB, Role::Support).await.unwrap();
        identity.set_role(&owner, account_id, BOB, Role::Owner).await.unwrap();
    }
}
