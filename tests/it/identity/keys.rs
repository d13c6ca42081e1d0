//! API keys: making, using, rotating, revoking.

use std::time::Duration;

use entity::ids::ApiKeyId;
use heliograph::db::page::{PageEnd, PageRequest};
use heliograph::identity::{
    self, API_KEYS_PER_ACCOUNT_MAX, CreateApiKeyRejection, RevokeRejection, RotateApiKey,
    RotateRejection,
};

use super::*;
use crate::support::{PATIENCE, TestHouse, both_stores, within};

/// A service, an account, and its owner's context.
async fn owner(house: &TestHouse) -> (IdentityService, Ctx) {
    let identity = service(house);
    let signed_in = signed_up(house, &identity, EMAIL).await;
    let ctx = ctx_of(house, &identity, &signed_in).await;
    (identity, ctx)
}

fn rotation(api_key_id: ApiKeyId, overlap_s: Option<i64>) -> RotateApiKey {
    RotateApiKey { api_key_id, overlap_s, expires_at: None }
}

both_stores! {
    async fn a_key_acts_for_its_account_within_its_scopes(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let live = live_key(&ctx).await;
        let test = create_api_key(&ctx, new_key(KeyMode::Test)).await.unwrap();
        assert!(live.text.expose().starts_with("hg_live_"));
        assert!(test.text.expose().starts_with("hg_test_"));
        assert_eq!(live.api_key.lookup, live.text.expose()[..16]);
        for (key, mode) in [(live, KeyMode::Live), (test, KeyMode::Test)] {
            let seen = authenticated(&identity, &key.text).await.unwrap();
            assert_eq!(seen.expires_at, None);
            let Actor::Key(actor) = seen.actor else { panic!("a key") };
            assert_eq!(actor.api_key_id, key.api_key.id);
            assert_eq!(Some(actor.account_id), ctx.actor.account_id());
            assert_eq!(actor.mode, mode);
            assert_eq!(actor.scopes, [Scope::MessagesRead, Scope::MessagesSend]);
        }
    }

    async fn the_store_does_not_hold_the_key(house: TestHouse) {
        let (_, ctx) = owner(&house).await;
        let key = live_key(&ctx).await;
        let rows = house.rows("SELECT lookup, hash FROM api_key", []).await;
        let lookup: String = rows[0].try_get_by_index(0).unwrap();
        let hash: Vec<u8> = rows[0].try_get_by_index(1).unwrap();
        assert_eq!(lookup.len(), 16);
        assert_eq!(hash.len(), 32);
        let secret = &key.text.expose().as_bytes()[16..];
        assert!(!hash.windows(4).any(|bytes| secret.starts_with(bytes)));
    }

    async fn wrong_keys_are_refused_and_a_wrong_checksum_without_the_store(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let key = live_key(&ctx).await;
        let text = key.text.expose();
        // The lookup part of a real key, another secret, a right checksum.
        let mut forged = format!("{}{}", &text[..16], "A".repeat(22));
        forged.push_str(&checksum(&forged));
        assert_eq!(forged.len(), text.len());
        assert!(refused(&identity.authenticate(Some(&forged)).await));
        authenticated(&identity, &key.text).await.unwrap();
        // With the store gone, what cannot be a key is still refused, not unavailable.
        house.execute("ALTER TABLE api_key RENAME TO api_key_gone", []).await;
        let wrong = format!("{}0", &text[..text.len() - 1]);
        let wrong = if wrong == text { format!("{}1", &text[..text.len() - 1]) } else { wrong };
        assert!(refused(&identity.authenticate(Some(&wrong)).await));
        // And a key that was seen a moment ago costs no statement.
        authenticated(&identity, &key.text).await.unwrap();
        assert!(refused(&identity.authenticate(Some(&forged)).await));
    }

    async fn an_expired_key_is_refused_to_the_millisecond(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let expires_at = Some(house.now().plus_ms(60_000));
        let new = CreateApiKey { expires_at, ..new_key(KeyMode::Live) };
        let key = create_api_key(&ctx, new).await.unwrap();
        let seen = authenticated(&identity, &key.text).await.unwrap();
        assert_eq!(seen.expires_at, expires_at);
        house.hand.advance(Duration::from_millis(59_999));
        authenticated(&identity, &key.text).await.unwrap();
        house.hand.advance(Duration::from_millis(1));
        assert!(refused(&authenticated(&identity, &key.text).await));
    }

    async fn a_revoked_key_is_refused_at_once_and_its_streams_end(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let key = live_key(&ctx).await;
        let other = live_key(&ctx).await;
        let live = authenticated(&identity, &key.text).await.unwrap();
        let untouched = authenticated(&identity, &other.text).await.unwrap();
        let revoked = identity.revoke_api_key(&ctx, key.api_key.id).await.unwrap();
        assert_eq!(revoked.revoked_at, Some(house.now()));
        assert_eq!(revoked.version, 2);
        within(PATIENCE, live.until_revoked()).await;
        assert!(refused(&authenticated(&identity, &key.text).await));
        assert!(!untouched.revoked.is_cancelled());
        authenticated(&identity, &other.text).await.unwrap();
        // Idempotent: the first time stays.
        house.hand.advance(Duration::from_secs(1));
        let again = identity.revoke_api_key(&ctx, key.api_key.id).await.unwrap();
        assert_eq!(again, revoked);
    }

    async fn a_rotation_leaves_two_keys_for_the_overlap(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let first = live_key(&ctx).await;
        let rotated =
            identity.rotate_api_key(&ctx, rotation(first.api_key.id, Some(60))).await.unwrap();
        assert_eq!(rotated.new.api_key.rotated_from, Some(first.api_key.id));
        assert_eq!(rotated.new.api_key.name, first.api_key.name);
        assert_eq!(rotated.new.api_key.scopes, first.api_key.scopes);
        assert_eq!(rotated.old.expires_at, Some(house.now().plus_ms(60_000)));
        let stream = authenticated(&identity, &first.text).await.unwrap();
        authenticated(&identity, &rotated.new.text).await.unwrap();
        let again = identity.rotate_api_key(&ctx, rotation(first.api_key.id, None)).await;
        assert_eq!(rejection(again), RotateRejection::AlreadyRotated);
        house.hand.advance(Duration::from_secs(60));
        assert!(refused(&authenticated(&identity, &first.text).await));
        authenticated(&identity, &rotated.new.text).await.unwrap();
        identity.end_revoked(house.now()).await.unwrap();
        within(PATIENCE, stream.until_revoked()).await;
        let over = identity.rotate_api_key(&ctx, rotation(first.api_key.id, None)).await;
        assert_eq!(rejection(over), RotateRejection::NotActive);
    }

    async fn a_chain_of_rotations_never_leaves_three_active(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let first = live_key(&ctx).await;
        let second = identity.rotate_api_key(&ctx, rotation(first.api_key.id, None)).await.unwrap();
        authenticated(&identity, &first.text).await.unwrap();
        let stream = authenticated(&identity, &first.text).await.unwrap();
        let second_id = second.new.api_key.id;
        let third = identity.rotate_api_key(&ctx, rotation(second_id, Some(0))).await.unwrap();
        within(PATIENCE, stream.until_revoked()).await;
        assert!(refused(&authenticated(&identity, &first.text).await));
        assert!(refused(&authenticated(&identity, &second.new.text).await));
        authenticated(&identity, &third.new.text).await.unwrap();
    }

    async fn bad_wishes_are_rejected(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let wish = || new_key(KeyMode::Live);
        let no_scopes = create_api_key(&ctx, CreateApiKey { scopes: Vec::new(), ..wish() }).await;
        assert_eq!(rejection(no_scopes), CreateApiKeyRejection::NoScopes);
        let expires_at = Some(house.now());
        let past = create_api_key(&ctx, CreateApiKey { expires_at, ..wish() }).await;
        assert_eq!(rejection(past), CreateApiKeyRejection::ExpiryInPast);
        for name in ["", " ", &"x".repeat(101), "a\nb"] {
            let named = CreateApiKey { name: name.to_owned(), ..wish() };
            let rejected = rejection(create_api_key(&ctx, named).await);
            assert!(matches!(rejected, CreateApiKeyRejection::InvalidName(_)), "{name:?}");
        }
        let key = live_key(&ctx).await.api_key.id;
        for overlap_s in [-1, identity::OVERLAP_S_MAX + 1] {
            let outcome = identity.rotate_api_key(&ctx, rotation(key, Some(overlap_s))).await;
            assert_eq!(rejection(outcome), RotateRejection::InvalidOverlap);
        }
        let rotate = RotateApiKey { expires_at, ..rotation(key, None) };
        let outcome = identity.rotate_api_key(&ctx, rotate).await;
        assert_eq!(rejection(outcome), RotateRejection::ExpiryInPast);
    }

    async fn an_account_has_at_most_a_hundred_active_keys(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let first = live_key(&ctx).await;
        for _ in 1..API_KEYS_PER_ACCOUNT_MAX {
            live_key(&ctx).await;
        }
        let outcome = create_api_key(&ctx, new_key(KeyMode::Live)).await;
        assert_eq!(rejection(outcome), CreateApiKeyRejection::TooManyKeys);
        identity.revoke_api_key(&ctx, first.api_key.id).await.unwrap();
        live_key(&ctx).await;
    }

    async fn a_foreign_key_is_as_one_that_does_not_exist(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let stranger = signed_up(&house, &identity, "bob@example.com").await;
        let stranger = ctx_of(&house, &identity, &stranger).await;
        let key = live_key(&ctx).await;
        let id = key.api_key.id;
        assert_eq!(identity::find_api_keys(&stranger, &[id]).await.unwrap(), []);
        let outcome = identity.revoke_api_key(&stranger, id).await;
        assert_eq!(rejection(outcome), RevokeRejection::NotFound);
        let outcome = identity.rotate_api_key(&stranger, rotation(id, None)).await;
        assert_eq!(rejection(outcome), RotateRejection::NotFound);
        let theirs = identity::api_keys(&stranger, &PageRequest::default()).await.unwrap();
        assert!(theirs.items.is_empty());
        authenticated(&identity, &key.text).await.unwrap();
    }

    async fn keys_are_listed_newest_first_page_by_page(house: TestHouse) {
        let (_, ctx) = owner(&house).await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.insert(0, live_key(&ctx).await.api_key.id);
        }
        let page = |after, size| PageRequest { size, end: PageEnd::Start, after, before: None };
        let first = identity::api_keys(&ctx, &page(None, 2)).await.unwrap();
        assert!(first.has_next);
        let rest = identity::api_keys(&ctx, &page(Some(ids[1]), 10)).await.unwrap();
        assert!(!rest.has_next);
        let listed: Vec<_> =
            first.items.iter().chain(&rest.items).map(|key| key.id).collect();
        assert_eq!(listed, ids);
        assert_eq!(identity::api_keys_count(&ctx).await.unwrap(), 5);
    }

    async fn the_last_use_is_written_late_and_to_the_minute(house: TestHouse) {
        let (identity, ctx) = owner(&house).await;
        let key = live_key(&ctx).await;
        house.hand.advance(Duration::from_secs(90));
        for _ in 0..3 {
            authenticated(&identity, &key.text).await.unwrap();
        }
        let last_used = async || {
            identity::find_api_keys(&ctx, &[key.api_key.id]).await.unwrap()[0].last_used_at
        };
        assert_eq!(last_used().await, None);
        identity.flush_used_keys().await.unwrap();
        let minute = last_used().await.unwrap();
        assert_eq!(minute.0 % 60_000, 0);
        assert!((0..60_000).contains(&house.now().since(minute)));
        house.hand.advance(Duration::from_secs(60));
        authenticated(&identity, &key.text).await.unwrap();
        identity.flush_used_keys().await.unwrap();
        assert_eq!(last_used().await, Some(minute.plus_ms(60_000)));
    }
}

/// The checksum of a key's text, computed apart from the code under test.
fn checksum(text: &str) -> String {
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let crc = u64::from(crc32fast::hash(text.as_bytes()));
    let digits = (0..6).rev().map(|place| crc / 62u64.pow(place) % 62);
    digits.map(|digit| char::from(alphabet[digit as usize])).collect()
}
