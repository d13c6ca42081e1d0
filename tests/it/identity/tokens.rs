//! Access tokens and the keys that sign them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::*;
use crate::support::both_stores;

fn part(token: &SecretText, index: usize) -> Value {
    let part = token.expose().split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

both_stores! {
    async fn a_token_says_who_where_and_until_when(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        let token = &signed_in.tokens.access_token;
        let header = part(token, 0);
        assert_eq!(header["alg"], "EdDSA");
        assert_eq!(header["typ"], "at+jwt");
        let claims = part(token, 1);
        assert_eq!(claims["sub"], signed_in.person.id.to_string());
        assert_eq!(claims["acct"], signed_in.account.id.to_string());
        assert_eq!(claims["sid"], signed_in.session.id.to_string());
        assert_eq!(claims["iss"], house.platform.settings.public_url());
        assert_eq!(claims["iat"], house.now().0 / 1_000);
        assert_eq!(claims["exp"], house.now().0 / 1_000 + 600);
        let jwks = identity.jwks().await.unwrap();
        assert_eq!(jwks["keys"][0]["kid"], header["kid"]);
        assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    }

    async fn a_token_is_refused_after_ten_minutes(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        let token = &signed_in.tokens.access_token;
        let seen = authenticated(&identity, token).await.unwrap();
        assert_eq!(seen.expires_at, Some(house.now().plus_ms(600_000)));
        assert_eq!(seen.expires_at, Some(signed_in.tokens.access_expires_at));
        house.hand.advance(Duration::from_secs(599));
        authenticated(&identity, token).await.unwrap();
        // Five seconds of leeway between the clocks of nodes.
        house.hand.advance(Duration::from_secs(6));
        assert!(refused(&authenticated(&identity, token).await));
    }

    async fn a_changed_token_is_refused(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        let token = signed_in.tokens.access_token.expose();
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        let mut claims = part(&signed_in.tokens.access_token, 1);
        claims["exp"] = (house.now().0 / 1_000 + 1_000_000).into();
        parts[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
        assert!(refused(&identity.authenticate(Some(&parts.join("."))).await));
        for text in ["", "a.b.c", &token[..token.len() - 2], "hg_live_", "🔥"] {
            assert!(refused(&identity.authenticate(Some(text)).await), "{text}");
        }
    }

    async fn a_token_of_another_installation_is_refused(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        let elsewhere = house.platform_with(|settings| {
            settings.server.public_url = "https://other.example".to_owned();
        });
        let elsewhere = IdentityService::new(elsewhere);
        let signed_in = elsewhere.log_in(&house.system(), log_in(EMAIL, PASSWORD)).await;
        assert!(signed_in.is_ok());
        let other = IdentityService::new(house.platform_with(|settings| {
            settings.server.public_url = "https://other.example".to_owned();
        }));
        let ctx = heliograph::ctx::Ctx::new(
            house.platform_with(|settings| {
                settings.server.public_url = "https://other.example".to_owned();
            }),
            Actor::Anonymous,
            std::sync::Arc::from("test"),
        );
        let signed_in = other.log_in(&ctx, log_in(EMAIL, PASSWORD)).await.unwrap();
        authenticated(&other, &signed_in.tokens.access_token).await.unwrap();
        assert!(refused(&authenticated(&identity, &signed_in.tokens.access_token).await));
    }

    async fn after_a_rotation_old_tokens_stay_good_and_old_keys_go(house: TestHouse) {
        let (here, there) = (service(&house), service(&house));
        let old = signed_up(&house, &here, EMAIL).await;
        authenticated(&there, &old.tokens.access_token).await.unwrap();
        let new_kid = here.rotate_signing_key(&house.system()).await.unwrap();
        let new = here.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        assert_eq!(part(&new.tokens.access_token, 0)["kid"], new_kid);
        assert_ne!(part(&old.tokens.access_token, 0)["kid"], new_kid);
        authenticated(&here, &old.tokens.access_token).await.unwrap();
        // Another node learns the new key from the token that names it.
        house.hand.advance(Duration::from_secs(1));
        authenticated(&there, &new.tokens.access_token).await.unwrap();
        let kids = |jwks: Value| jwks["keys"].as_array().unwrap().len();
        assert_eq!(kids(there.jwks().await.unwrap()), 2);
        // Ten minutes of life, one in which a node may not know of the rotation, five seconds.
        house.hand.advance(Duration::from_secs(665));
        assert_eq!(kids(here.jwks().await.unwrap()), 1);
        here.sweep().await.unwrap();
        assert_eq!(house.value::<i64>("SELECT COUNT(*) FROM signing_key", []).await, 1);
    }

    async fn private_keys_are_sealed_in_the_store(house: TestHouse) {
        let identity = service(&house);
        signed_up(&house, &identity, EMAIL).await;
        let sealed: Vec<u8> = house.value("SELECT sealed_private FROM signing_key", []).await;
        // PKCS #8 of Ed25519 names the algorithm (1.3.101.112) in the clear.
        assert!(!sealed.windows(3).any(|bytes| bytes == [0x2b, 0x65, 0x70]));
        let stranger = heliograph::keys::MasterKey::in_directory(
            &house.directory().join("other"),
            &house.platform.randomness,
        );
        let stranger = heliograph::ctx::Platform {
            master_key: std::sync::Arc::new(stranger.unwrap()),
            ..heliograph::ctx::Platform::clone(&house.platform)
        };
        assert!(IdentityService::new(std::sync::Arc::new(stranger)).jwks().await.is_err());
    }
}
