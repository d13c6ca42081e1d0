//! Logging in, and the throttle.

use std::time::Duration;

use heliograph::identity::{IdentityService, LogInRejection};

use super::*;
use crate::support::{TestHouse, both_stores};

const WRONG: &str = "not the password";
/// Wrong passwords of one e-mail before the first delay.
const FREE: usize = 5;

async fn fail(house: &TestHouse, identity: &IdentityService, email: &str) {
    let outcome = identity.log_in(&nobody(house), log_in(email, WRONG)).await;
    assert_eq!(rejection(outcome), LogInRejection::InvalidCredentials);
}

both_stores! {
    async fn whoever_knows_the_password_comes_in(house: TestHouse) {
        let identity = service(&house);
        let signed_up = signed_up(&house, &identity, EMAIL).await;
        let signed_in =
            identity.log_in(&nobody(&house), log_in(" ADA@Example.com", PASSWORD)).await.unwrap();
        assert_eq!(signed_in.person.id, signed_up.person.id);
        assert_ne!(signed_in.session.id, signed_up.session.id);
        let actor = authenticated(&identity, &signed_in.tokens.access_token).await.unwrap().actor;
        assert_eq!(actor.account_id(), Some(signed_up.account.id));
    }

    async fn a_wrong_password_and_an_unknown_person_are_told_alike(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        fail(&house, &identity, EMAIL).await;
        fail(&house, &identity, "nobody@example.com").await;
        fail(&house, &identity, "not an address").await;
        let long = "x".repeat(129);
        let outcome = identity.log_in(&nobody(&house), log_in(EMAIL, &long)).await;
        assert_eq!(rejection(outcome), LogInRejection::InvalidCredentials);
    }

    async fn failures_of_one_email_cost_a_growing_delay_and_success_forgets_them(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        for _ in 0..FREE {
            fail(&house, &identity, EMAIL).await;
        }
        for delay_s in [1, 2, 4] {
            let early = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await;
            assert_eq!(wait_ms(early), delay_s * 1_000);
            house.hand.advance(Duration::from_millis(delay_s * 1_000 - 1));
            let early = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await;
            assert_eq!(wait_ms(early), 1, "what comes too early does not prolong the wait");
            house.hand.advance(Duration::from_millis(1));
            fail(&house, &identity, EMAIL).await;
        }
        // Somebody else is not slowed.
        signed_up(&house, &identity, "bob@example.com").await;
        identity.log_in(&nobody(&house), log_in("bob@example.com", PASSWORD)).await.unwrap();
        // Never a hard lock: after the wait the owner comes in, and all is forgotten.
        house.hand.advance(Duration::from_secs(8));
        identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        fail(&house, &identity, EMAIL).await;
        identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
    }

    async fn an_unknown_person_is_throttled_alike(house: TestHouse) {
        let identity = service(&house);
        for _ in 0..FREE {
            fail(&house, &identity, "nobody@example.com").await;
        }
        let early = identity.log_in(&nobody(&house), log_in("nobody@example.com", WRONG)).await;
        assert_eq!(wait_ms(early), 1_000);
    }

    async fn one_address_guessing_at_many_people_is_slowed(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        let (guesser, home) = ("192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap());
        for person in 0..20 {
            let email = format!("person{person}@example.com");
            let outcome =
                identity.log_in(&nobody(&house), log_in_from(&email, WRONG, guesser)).await;
            assert_eq!(rejection(outcome), LogInRejection::InvalidCredentials);
        }
        let early = identity.log_in(&nobody(&house), log_in_from(EMAIL, PASSWORD, guesser)).await;
        assert_eq!(wait_ms(early), 1_000);
        identity.log_in(&nobody(&house), log_in_from(EMAIL, PASSWORD, home)).await.unwrap();
    }

    async fn many_guesses_at_once_are_no_more_than_one_after_the_other(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        let ctx = nobody(&house);
        let guesses = (0..20).map(|_| identity.log_in(&ctx, log_in(EMAIL, WRONG)));
        let outcomes = futures::future::join_all(guesses).await;
        let looked_at = outcomes
            .into_iter()
            .filter(|outcome| matches!(outcome, Err(Error::Rejected(_))))
            .count();
        assert_eq!(looked_at, FREE);
    }

    async fn failures_are_forgotten_after_a_day(house: TestHouse) {
        let identity = service(&house);
        for _ in 0..FREE {
            fail(&house, &identity, EMAIL).await;
        }
        house.hand.advance(Duration::from_secs(24 * 60 * 60 + 1));
        for _ in 0..FREE {
            fail(&house, &identity, EMAIL).await;
        }
        identity.sweep().await.unwrap();
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM login_throttle", []).await, 1);
        house.hand.advance(Duration::from_secs(24 * 60 * 60 + 1));
        identity.sweep().await.unwrap();
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM login_throttle", []).await, 0);
    }

    async fn a_hash_with_old_parameters_is_renewed_at_log_in(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        let hash = "SELECT password_hash FROM person";
        let old: String = house.value(hash, []).await;
        let stronger = house.platform_with(|settings| settings.identity.argon2_memory_kib = 16);
        let identity = IdentityService::new(stronger);
        identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        let new: String = house.value(hash, []).await;
        assert!(old.contains("m=8,") && new.contains("m=16,"), "{old} {new}");
        identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        assert_eq!(house.value::<String>(hash, []).await, new);
    }

    async fn a_person_of_two_accounts_chooses_one(house: TestHouse) {
        let identity = service(&house);
        let mine = signed_up(&house, &identity, EMAIL).await;
        let other = signed_up(&house, &identity, "bob@example.com").await;
        let foreign = LogIn { account_id: Some(other.account.id), ..log_in(EMAIL, PASSWORD) };
        let outcome = identity.log_in(&nobody(&house), foreign).await;
        assert_eq!(rejection(outcome), LogInRejection::AccountNotFound);
        let sql = "INSERT INTO membership (account_id, person_id, role, created_at_ms, \
                   updated_at_ms) SELECT account_id, $1, 5, created_at_ms + 1, 0 FROM membership \
                   WHERE person_id = $2";
        house.execute(sql, [mine.person.id.into(), other.person.id.into()]).await;
        let both = LogIn { account_id: Some(other.account.id), ..log_in(EMAIL, PASSWORD) };
        let signed_in = identity.log_in(&nobody(&house), both).await.unwrap();
        assert_eq!(signed_in.account.id, other.account.id);
        assert_eq!(signed_in.role, entity::enums::Role::Viewer);
        let first = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        assert_eq!(first.account.id, mine.account.id);
    }

    async fn nobody_comes_into_a_closed_account(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        house.execute("UPDATE account SET status = 2", []).await;
        house.hand.advance(Duration::from_secs(5));
        assert!(refused(&authenticated(&identity, &signed_in.tokens.access_token).await));
        let outcome = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await;
        assert_eq!(rejection(outcome), LogInRejection::AccountNotFound);
    }
}
