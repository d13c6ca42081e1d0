//! The life of a log-in: refresh, reuse, end.

use std::time::Duration;

use heliograph::db::page::PageRequest;
use heliograph::identity::{self, LogOutRejection, RefreshRejection};

use super::*;
use crate::support::{PATIENCE, both_stores, within};

both_stores! {
    async fn a_refresh_token_is_good_for_one_use(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let first = signed_up(&house, &identity, EMAIL).await;
        let second = identity.refresh_session(&ctx, &first.tokens.refresh_token).await.unwrap();
        assert_eq!(second.session.id, first.session.id);
        assert_ne!(second.tokens.refresh_token, first.tokens.refresh_token);
        let third = identity.refresh_session(&ctx, &second.tokens.refresh_token).await.unwrap();
        authenticated(&identity, &third.tokens.access_token).await.unwrap();
    }

    async fn a_second_use_ends_the_log_in(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let first = signed_up(&house, &identity, EMAIL).await;
        let other = identity.log_in(&ctx, log_in(EMAIL, PASSWORD)).await.unwrap();
        let second = identity.refresh_session(&ctx, &first.tokens.refresh_token).await.unwrap();
        let alive = authenticated(&identity, &second.tokens.access_token).await.unwrap();
        let reused = identity.refresh_session(&ctx, &first.tokens.refresh_token).await;
        assert_eq!(rejection(reused), RefreshRejection::Reused);
        within(PATIENCE, alive.until_revoked()).await;
        assert!(refused(&authenticated(&identity, &second.tokens.access_token).await));
        let winner = identity.refresh_session(&ctx, &second.tokens.refresh_token).await;
        assert_eq!(rejection(winner), RefreshRejection::Ended);
        // The person's other log-in has nothing to do with it.
        authenticated(&identity, &other.tokens.access_token).await.unwrap();
        identity.refresh_session(&ctx, &other.tokens.refresh_token).await.unwrap();
    }

    async fn of_many_refreshes_at_once_one_wins(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let first = signed_up(&house, &identity, EMAIL).await;
        let token = &first.tokens.refresh_token;
        let outcomes =
            futures::future::join_all((0..8).map(|_| identity.refresh_session(&ctx, token))).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7));
        for outcome in lost {
            assert_eq!(rejection(outcome), RefreshRejection::InProgress);
        }
        let won = won.into_iter().next().unwrap().unwrap();
        identity.refresh_session(&ctx, &won.tokens.refresh_token).await.unwrap();
    }

    async fn two_nodes_never_both_refresh(house: TestHouse) {
        let (here, there) = (service(&house), service(&house));
        let ctx = nobody(&house);
        let first = signed_up(&house, &here, EMAIL).await;
        let token = &first.tokens.refresh_token;
        let (a, b) =
            tokio::join!(here.refresh_session(&ctx, token), there.refresh_session(&ctx, token));
        let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
        assert!(won.is_ok());
        assert_eq!(rejection(lost), RefreshRejection::Reused);
    }

    async fn what_is_no_refresh_token_is_refused(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        let made_up = format!("hg_refresh_{}", "A".repeat(43));
        for token in
            ["", "hg_refresh_", &made_up, signed_in.tokens.access_token.expose(), "x"]
        {
            let outcome = identity.refresh_session(&nobody(&house), &secret(token)).await;
            assert_eq!(rejection(outcome), RefreshRejection::InvalidToken, "{token}");
        }
    }

    async fn a_log_in_that_is_not_used_ends_and_a_used_one_goes_on(house: TestHouse) {
        let identity = service(&house);
        let ctx = nobody(&house);
        let ttl = Duration::from_secs(2_592_000);
        let idle = signed_up(&house, &identity, EMAIL).await;
        let used = identity.log_in(&ctx, log_in(EMAIL, PASSWORD)).await.unwrap();
        house.hand.advance(ttl - Duration::from_secs(1));
        let used = identity.refresh_session(&ctx, &used.tokens.refresh_token).await.unwrap();
        house.hand.advance(Duration::from_secs(1));
        let outcome = identity.refresh_session(&ctx, &idle.tokens.refresh_token).await;
        assert_eq!(rejection(outcome), RefreshRejection::Ended);
        house.hand.advance(ttl - Duration::from_secs(2));
        identity.refresh_session(&ctx, &used.tokens.refresh_token).await.unwrap();
    }

    async fn logging_out_ends_this_log_in_only_and_at_once(house: TestHouse) {
        let identity = service(&house);
        let first = signed_up(&house, &identity, EMAIL).await;
        let second = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        let live = authenticated(&identity, &first.tokens.access_token).await.unwrap();
        let ctx = ctx_of(&house, &identity, &first).await;
        identity.log_out(&ctx, None).await.unwrap();
        within(PATIENCE, live.until_revoked()).await;
        assert!(refused(&authenticated(&identity, &first.tokens.access_token).await));
        let token = &first.tokens.refresh_token;
        let outcome = identity.refresh_session(&nobody(&house), token).await;
        assert_eq!(rejection(outcome), RefreshRejection::Ended);
        authenticated(&identity, &second.tokens.access_token).await.unwrap();
        // Again: the same answer.
        identity.log_out(&ctx, None).await.unwrap();
    }

    async fn a_log_in_on_another_device_is_ended_by_its_id_and_a_foreign_one_is_not(
        house: TestHouse
    ) {
        let identity = service(&house);
        let first = signed_up(&house, &identity, EMAIL).await;
        let second = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        let foreign = signed_up(&house, &identity, "bob@example.com").await;
        let ctx = ctx_of(&house, &identity, &first).await;
        identity.log_out(&ctx, Some(second.session.id)).await.unwrap();
        assert!(refused(&authenticated(&identity, &second.tokens.access_token).await));
        let outcome = identity.log_out(&ctx, Some(foreign.session.id)).await;
        assert_eq!(rejection(outcome), LogOutRejection::NotFound);
        authenticated(&identity, &foreign.tokens.access_token).await.unwrap();
        let seen = identity::sessions(&ctx, &PageRequest::default()).await.unwrap();
        let ids: Vec<_> = seen.items.iter().map(|session| session.id).collect();
        assert_eq!(ids, [first.session.id]);
        assert_eq!(identity::sessions_count(&ctx).await.unwrap(), 1);
        let foreign = identity::find_session(&ctx, foreign.session.id).await.unwrap();
        assert_eq!(foreign, None);
    }

    async fn logging_out_everywhere_ends_all_of_a_person_and_nobody_elses(house: TestHouse) {
        let identity = service(&house);
        let first = signed_up(&house, &identity, EMAIL).await;
        let second = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        let other = signed_up(&house, &identity, "bob@example.com").await;
        let ctx = ctx_of(&house, &identity, &first).await;
        assert_eq!(identity.log_out_everywhere(&ctx).await.unwrap(), 2);
        for ended in [&first, &second] {
            assert!(refused(&authenticated(&identity, &ended.tokens.access_token).await));
        }
        authenticated(&identity, &other.tokens.access_token).await.unwrap();
        assert_eq!(identity.log_out_everywhere(&ctx).await.unwrap(), 0);
    }

    async fn another_node_ends_streams_when_it_looks_and_refuses_within_five_seconds(
        house: TestHouse
    ) {
        let (here, there) = (service(&house), service(&house));
        // A node that hears no ring: its own doorbell.
        let deaf = house.platform_with(|_| ());
        let deaf = heliograph::ctx::Platform {
            doorbell: heliograph::events::Doorbell::default(),
            ..heliograph::ctx::Platform::clone(&deaf)
        };
        let deaf = IdentityService::new(std::sync::Arc::new(deaf));
        let signed_in = signed_up(&house, &here, EMAIL).await;
        let token = &signed_in.tokens.access_token;
        let heard = authenticated(&there, token).await.unwrap();
        let unheard = authenticated(&deaf, token).await.unwrap();
        here.log_out(&ctx_of(&house, &here, &signed_in).await, None).await.unwrap();
        assert!(refused(&authenticated(&there, token).await));
        within(PATIENCE, heard.until_revoked()).await;
        authenticated(&deaf, token).await.unwrap();
        deaf.end_revoked(house.now()).await.unwrap();
        within(PATIENCE, unheard.until_revoked()).await;
        assert!(refused(&authenticated(&deaf, token).await));
    }

    async fn log_ins_that_are_long_over_are_deleted(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        house.hand.advance(Duration::from_secs(2 * 2_592_000));
        identity.sweep().await.unwrap();
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM session", []).await, 1);
        house.hand.advance(Duration::from_secs(1));
        identity.sweep().await.unwrap();
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM session", []).await, 0);
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM refresh_token", []).await, 0);
    }
}
