//! Accounts: the operator's, those it makes, those that sign up; owners and their links.

use std::time::Duration;

use entity::enums::{AccountKind, Role};
use heliograph::db::page::PageRequest;
use heliograph::identity::{
    self, AcceptOwnerLink, AcceptRejection, CreateAccountRejection, NewAccount, OneTimeLink,
    PasswordFault, SignUpRejection, UpdateAccount, UpdateAccountRejection, create_account,
    ensure_operator, update_account,
};

use super::*;
use crate::support::both_stores;

fn accept(link: &OneTimeLink, email: Option<&str>, password: &str) -> AcceptOwnerLink {
    let (_, token) = link.url.expose().split_once("/welcome#").unwrap();
    AcceptOwnerLink {
        token: secret(token),
        password: secret(password),
        name: "Grace".to_owned(),
        email: email.map(str::to_owned),
        client_address: None,
    }
}

fn new_account(email: &str) -> NewAccount {
    NewAccount {
        name: " Bells & Co ".to_owned(),
        owner_email: email.to_owned(),
        default_region: Some("de".to_owned()),
    }
}

both_stores! {
    async fn the_first_start_makes_the_operator_and_a_link_to_its_owner(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let link = ensure_operator(&house.system()).await.unwrap().unwrap();
        let signed_in = identity
            .accept_owner_link(&ctx, accept(&link, Some("op@example.com"), PASSWORD))
            .await
            .unwrap();
        assert_eq!(signed_in.account.kind, AccountKind::Operator);
        assert_eq!(signed_in.role, Role::Owner);
        let operator = ctx_of(&house, &identity, &signed_in).await;
        let made = create_account(&operator, new_account(EMAIL)).await.unwrap();
        let all = identity::accounts(&operator, &PageRequest::default()).await.unwrap();
        let ids: Vec<_> = all.items.iter().map(|account| account.id).collect();
        assert_eq!(ids, [made.account.id, signed_in.account.id]);
        assert!(ensure_operator(&house.system()).await.unwrap().is_none());
    }

    async fn until_there_is_an_owner_each_start_gives_a_new_link(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let lost = ensure_operator(&house.system()).await.unwrap().unwrap();
        let link = ensure_operator(&house.system()).await.unwrap().unwrap();
        let email = Some("op@example.com");
        let outcome = identity.accept_owner_link(&ctx, accept(&lost, email, PASSWORD)).await;
        assert_eq!(rejection(outcome), AcceptRejection::InvalidLink);
        identity.accept_owner_link(&ctx, accept(&link, email, PASSWORD)).await.unwrap();
        let count = house.value::<i64>("SELECT COUNT(*) FROM account WHERE kind = 1", []).await;
        assert_eq!(count, 1);
    }

    async fn an_account_is_made_with_a_link_and_two_keys(house: TestHouse) {
        let identity = service(&house);
        let ctx = house.ctx_as(Actor::CommandLine);
        let made = create_account(&ctx, new_account("Grace@Example.com")).await.unwrap();
        assert_eq!(made.account.name, "Bells & Co");
        assert_eq!(made.account.default_region.as_deref(), Some("DE"));
        for (key, mode) in [(&made.api_key, KeyMode::Live), (&made.test_api_key, KeyMode::Test)] {
            let actor = authenticated(&identity, &key.text).await.unwrap().actor;
            let Actor::Key(actor) = actor else { panic!("a key") };
            assert_eq!(actor.account_id, made.account.id);
            assert_eq!(actor.mode, mode);
            assert_eq!(actor.scopes.len(), Scope::ALL.len());
        }
        let ctx = nobody(&house);
        let signed_in =
            identity.accept_owner_link(&ctx, accept(&made.owner_link, None, PASSWORD)).await;
        let signed_in = signed_in.unwrap();
        assert_eq!(signed_in.person.email, "grace@example.com");
        assert_eq!(signed_in.account.id, made.account.id);
        identity.log_in(&ctx, log_in("grace@example.com", PASSWORD)).await.unwrap();
    }

    async fn a_link_works_once_for_whom_it_was_made_and_for_a_week(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let operator = house.ctx_as(Actor::CommandLine);
        let made = create_account(&operator, new_account("grace@example.com")).await.unwrap();
        let link = &made.owner_link;
        for (email, password, expected) in [
            (Some("eve@example.com"), PASSWORD, AcceptRejection::InvalidEmail),
            (None, "too short", AcceptRejection::BadPassword(PasswordFault::TooShort)),
            (None, "qwertyqwerty", AcceptRejection::BadPassword(PasswordFault::TooCommon)),
        ] {
            let outcome = identity.accept_owner_link(&ctx, accept(link, email, password)).await;
            assert_eq!(rejection(outcome), expected);
        }
        let late = create_account(&operator, new_account("late@example.com")).await.unwrap();
        identity.accept_owner_link(&ctx, accept(link, None, PASSWORD)).await.unwrap();
        let again = identity.accept_owner_link(&ctx, accept(link, None, PASSWORD)).await;
        assert_eq!(rejection(again), AcceptRejection::InvalidLink);
        house.hand.advance(Duration::from_secs(7 * 24 * 60 * 60));
        let outcome =
            identity.accept_owner_link(&ctx, accept(&late.owner_link, None, PASSWORD)).await;
        assert_eq!(rejection(outcome), AcceptRejection::InvalidLink);
    }

    async fn of_two_who_use_a_link_at_once_one_comes_in(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let link = ensure_operator(&house.system()).await.unwrap().unwrap();
        let (a, b) = tokio::join!(
            identity.accept_owner_link(&ctx, accept(&link, Some("a@example.com"), PASSWORD)),
            identity.accept_owner_link(&ctx, accept(&link, Some("b@example.com"), PASSWORD)),
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
        let lost = if a.is_ok() { b } else { a };
        assert_eq!(rejection(lost), AcceptRejection::InvalidLink);
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM person", []).await, 1);
    }

    async fn a_link_does_not_set_the_password_of_somebody_who_has_one(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let grace = signed_up(&house, &identity, "grace@example.com").await;
        let operator = house.ctx_as(Actor::CommandLine);
        let made = create_account(&operator, new_account("grace@example.com")).await.unwrap();
        let link = &made.owner_link;
        let outcome =
            identity.accept_owner_link(&ctx, accept(link, None, "another good one")).await;
        assert_eq!(rejection(outcome), AcceptRejection::WrongPassword);
        let signed_in =
            identity.accept_owner_link(&ctx, accept(link, None, PASSWORD)).await.unwrap();
        assert_eq!(signed_in.person.id, grace.person.id);
        assert_eq!(signed_in.account.id, made.account.id);
    }

    async fn bad_wishes_for_an_account_are_rejected(house: TestHouse) {
        let ctx = house.ctx_as(Actor::CommandLine);
        let wish = || new_account("grace@example.com");
        let unnamed = NewAccount { name: "  ".to_owned(), ..wish() };
        let rejected = rejection(create_account(&ctx, unnamed).await);
        assert!(matches!(rejected, CreateAccountRejection::InvalidName(_)));
        let outcome = create_account(&ctx, new_account("grace")).await;
        assert_eq!(rejection(outcome), CreateAccountRejection::InvalidEmail);
        let nowhere = NewAccount { default_region: Some("QQ".to_owned()), ..wish() };
        let outcome = create_account(&ctx, nowhere).await;
        assert_eq!(rejection(outcome), CreateAccountRejection::UnknownRegion);
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM account", []).await, 0);
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM api_key", []).await, 0);
    }

    async fn signing_up_makes_an_account_and_its_owner(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        assert_eq!(signed_in.role, Role::Owner);
        assert_eq!(signed_in.account.kind, AccountKind::Customer);
        assert_eq!(signed_in.account.default_region.as_deref(), Some("GB"));
        let ctx = ctx_of(&house, &identity, &signed_in).await;
        let viewer = identity::viewer(&ctx).await.unwrap();
        assert_eq!(viewer.account, signed_in.account);
        let taken = identity.sign_up(&nobody(&house), sign_up("ADA@example.com")).await;
        assert_eq!(rejection(taken), SignUpRejection::EmailTaken);
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM account", []).await, 1);
    }

    async fn sign_up_can_be_closed(house: TestHouse) {
        let closed = house.platform_with(|settings| settings.identity.sign_up_open = false);
        let ctx = Ctx::new(closed.clone(), Actor::Anonymous, std::sync::Arc::from("test"));
        let outcome = IdentityService::new(closed).sign_up(&ctx, sign_up(EMAIL)).await;
        assert_eq!(rejection(outcome), SignUpRejection::Closed);
    }

    async fn trying_which_addresses_are_taken_is_slowed(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        let from = || SignUp {
            client_address: Some("192.0.2.7".parse().unwrap()),
            ..sign_up(EMAIL)
        };
        for _ in 0..20 {
            let outcome = identity.sign_up(&nobody(&house), from()).await;
            assert_eq!(rejection(outcome), SignUpRejection::EmailTaken);
        }
        assert_eq!(wait_ms(identity.sign_up(&nobody(&house), from()).await), 1_000);
    }

    async fn an_account_is_changed_field_by_field(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        let ctx = ctx_of(&house, &identity, &signed_in).await;
        let unchanged = update_account(&ctx, UpdateAccount::default()).await.unwrap();
        assert_eq!(unchanged, signed_in.account);
        let name = UpdateAccount { name: Some("Lanterns".to_owned()), ..Default::default() };
        let renamed = update_account(&ctx, name).await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.version), ("Lanterns", 2));
        assert_eq!(renamed.default_region.as_deref(), Some("GB"));
        let nowhere = UpdateAccount { default_region: Some(None), ..Default::default() };
        let moved = update_account(&ctx, nowhere).await.unwrap();
        assert_eq!((moved.default_region, moved.version), (None, 3));
        let region = UpdateAccount { default_region: Some(Some("??".into())), name: None };
        let outcome = update_account(&ctx, region).await;
        assert_eq!(rejection(outcome), UpdateAccountRejection::UnknownRegion);
    }

    async fn what_is_another_accounts_is_not_seen(house: TestHouse) {
        let identity = service(&house);
        let mine = signed_up(&house, &identity, EMAIL).await;
        let other = signed_up(&house, &identity, "bob@example.com").await;
        let ctx = ctx_of(&house, &identity, &mine).await;
        let ids = [other.account.id, mine.account.id];
        assert_eq!(identity::find_accounts(&ctx, &ids).await.unwrap(), [mine.account]);
        let ids = [other.person.id, mine.person.id];
        assert_eq!(identity::find_people(&ctx, &ids).await.unwrap(), [mine.person]);
        let all = identity::accounts(&ctx, &PageRequest::default()).await;
        assert!(matches!(all, Err(Failed::Forbidden(_))));
    }
}
