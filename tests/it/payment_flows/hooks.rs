//! Webhooks over HTTP: what is answered, and what is kept.

use entity::enums::{BookKind, WebhookState};
use entity::ids::{PaymentId, ProcessorId};
use heliograph::authz::Actor;
use heliograph::payments;
use heliograph::payments::raw_body::RAW_BODY_BYTES_MAX;
use heliograph::types::secret::SecretText;
use serde_json::{Value, json};

use super::world::{SECRET, add_stripe, event, life, make_account, signature, sums_about};
use crate::support::{PATIENCE, Served, TestHouse, both_stores, within};

async fn post(node: &Served, path: &str, body: Vec<u8>, signature: Option<&str>) -> u16 {
    answer(node, path, body, signature).await.0
}

async fn answer(node: &Served, path: &str, body: Vec<u8>, signature: Option<&str>) -> (u16, Value) {
    let mut request = node.http.post(format!("{}{path}", node.url)).body(body);
    if let Some(signature) = signature {
        request = request.header("stripe-signature", signature);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

fn now_s(node: &Served) -> i64 {
    node.platform().clock.now().0 / 1_000
}

/// Signs now, and posts.
async fn send(node: &Served, path: &str, body: &[u8]) -> u16 {
    let signature = signature(SECRET, body, now_s(node));
    post(node, path, body.to_vec(), Some(&signature)).await
}

async fn kept(house: &TestHouse) -> Vec<(String, WebhookState, Option<String>)> {
    let sql = "SELECT event_type, state, reason FROM webhook_event ORDER BY id";
    let rows = house.rows(sql, Vec::<sea_orm::Value>::new()).await;
    let read = rows.iter().map(|row| {
        let event_type = row.try_get("", "event_type").expect("a type");
        let state = row.try_get("", "state").expect("a state");
        (event_type, state, row.try_get("", "reason").expect("a reason"))
    });
    read.collect()
}

both_stores! {
    async fn only_what_is_genuine_is_kept(house: TestHouse) {
        let node = house.serve().await;
        let row = add_stripe(&node.ctx_as(Actor::CommandLine), None).await;
        let path = payments::path(&row);
        let body = event("evt_1", "customer.created", json!({ "id": "cus_1" })).to_string();
        let body = body.into_bytes();
        let good = signature(SECRET, &body, now_s(&node));
        let mut flipped = body.clone();
        flipped[10] ^= 1;
        let stale = signature(SECRET, &body, now_s(&node) - 301);
        let ahead = signature(SECRET, &body, now_s(&node) + 301);
        let other = signature("whsec_other", &body, now_s(&node));
        for (what, body, signature, status) in [
            ("unsigned", body.clone(), None, 401),
            ("tampered", flipped, Some(good.as_str()), 401),
            ("stale", body.clone(), Some(stale.as_str()), 401),
            ("from the future", body.clone(), Some(ahead.as_str()), 401),
            ("of another secret", body.clone(), Some(other.as_str()), 401),
            ("oversized", vec![b' '; RAW_BODY_BYTES_MAX + 1], Some(good.as_str()), 413),
            ("empty", Vec::new(), Some(good.as_str()), 401),
        ] {
            assert_eq!(post(&node, &path, body, signature).await, status, "{what}");
        }
        assert_eq!(kept(&house).await, []);
        assert_eq!(send(&node, &path, &vec![b' '; RAW_BODY_BYTES_MAX]).await, 200, "the limit");
        assert_eq!(post(&node, &path, body.clone(), Some(&good)).await, 200, "good");
        assert_eq!(post(&node, &path, body, Some(&good)).await, 200, "again");
        let parked = ("unreadable".to_owned(), WebhookState::Parked, Some("NOT_JSON".to_owned()));
        let ignored = ("unknown".to_owned(), WebhookState::Ignored, None);
        assert_eq!(kept(&house).await, [parked, ignored]);
        node.stop().await;
    }

    async fn an_unknown_address_is_answered_like_any_other_path(house: TestHouse) {
        let node = house.serve().await;
        let row = add_stripe(&node.ctx_as(Actor::CommandLine), None).await;
        let (_, mut nothing) = answer(&node, "/nothing/here", Vec::new(), None).await;
        nothing["errors"][0]["extensions"]["requestId"] = Value::Null;
        for path in [
            format!("/hooks/stripe/{}", "0".repeat(32)),
            format!("/hooks/xendit/{}", row.path_key),
            format!("/hooks/unheard/{}", row.path_key),
        ] {
            let (status, mut body) = answer(&node, &path, b"{}".to_vec(), None).await;
            body["errors"][0]["extensions"]["requestId"] = Value::Null;
            assert_eq!((status, &body), (404, &nothing), "{path}");
        }
        let (status, _) = node.get(&payments::path(&row)).await;
        assert_eq!(status, 405);
        node.stop().await;
    }

    async fn the_first_body_of_an_event_stays(house: TestHouse) {
        let node = house.serve().await;
        let row = add_stripe(&node.ctx_as(Actor::CommandLine), None).await;
        let path = payments::path(&row);
        let id: PaymentId = node.platform().ids.next();
        let first = life("First", id)[0].clone();
        let mut other = first.clone();
        other["data"]["object"]["amount_received"] = json!(999_999);
        assert_eq!(send(&node, &path, first.to_string().as_bytes()).await, 200);
        assert_eq!(send(&node, &path, other.to_string().as_bytes()).await, 200);
        let facts: String = house
            .value("SELECT facts FROM webhook_event", Vec::<sea_orm::Value>::new())
            .await;
        assert!(facts.contains("25000000") && !facts.contains("9999990000"), "{facts}");
        node.stop().await;
    }

    async fn a_rotated_secret_and_the_one_before_it_are_taken(house: TestHouse) {
        let node = house.serve().await;
        let operator = node.ctx_as(Actor::CommandLine);
        let row = add_stripe(&operator, None).await;
        let path = payments::path(&row);
        let rotate = |secret: &str| {
            payments::rotate_secret(&operator, row.id, SecretText::new(secret.to_owned()))
        };
        rotate("whsec_second").await.expect("rotates");
        let body = event("evt_1", "customer.created", json!({ "id": "cus_1" })).to_string();
        let status = |secret: &'static str| {
            let signature = signature(secret, body.as_bytes(), now_s(&node));
            let (node, path, body) = (&node, &path, body.clone().into_bytes());
            async move { post(node, path, body, Some(&signature)).await }
        };
        assert_eq!((status(SECRET).await, status("whsec_second").await), (200, 200));
        rotate("whsec_third").await.expect("rotates");
        assert_eq!(status(SECRET).await, 401);
        assert_eq!((status("whsec_second").await, status("whsec_third").await), (200, 200));
        let unknown: ProcessorId = node.platform().ids.next();
        let refused =
            payments::rotate_secret(&operator, unknown, SecretText::new("x".to_owned())).await;
        assert!(refused.is_err());
        node.stop().await;
    }

    async fn a_store_that_is_down_is_told(house: TestHouse) {
        let node = house.serve().await;
        let row = add_stripe(&node.ctx_as(Actor::CommandLine), None).await;
        let path = payments::path(&row);
        house.execute("ALTER TABLE webhook_event RENAME TO gone", Vec::<sea_orm::Value>::new()).await;
        let body = event("evt_1", "customer.created", json!({ "id": "cus_1" })).to_string();
        assert_eq!(send(&node, &path, body.as_bytes()).await, 503);
        house.execute("ALTER TABLE gone RENAME TO webhook_event", Vec::<sea_orm::Value>::new()).await;
        assert_eq!(send(&node, &path, body.as_bytes()).await, 200);
        node.stop().await;
    }

    async fn a_storm_of_replays_is_booked_once_and_by_the_doorbell(house: TestHouse) {
        let node = house.serve().await;
        let row = add_stripe(&node.ctx_as(Actor::CommandLine), None).await;
        let path = payments::path(&row);
        let account_id = make_account(node.platform()).await;
        let id: PaymentId = node.platform().ids.next();
        house
            .execute(
                "INSERT INTO payment (account_id, id, purpose, endpoint_id, amount_micros, \
                 currency, status, facts, posted, polls, stale, version, created_at_ms, \
                 updated_at_ms) VALUES ($1, $2, 0, $3, 25000000, 'USD', 0, '{}', '{}', 0, \
                 FALSE, 1, 0, 0)",
                vec![account_id.0.into(), id.0.into(), row.id.0.into()],
            )
            .await;
        let mut bell = node.platform().doorbell.listen(heliograph::events::Topic::Events(account_id));
        let body = life("Storm", id)[0].to_string().into_bytes();
        let posts = (0..100).map(|_| send(&node, &path, &body));
        let statuses = futures::future::join_all(posts).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        within(PATIENCE, bell.changed()).await.expect("the account is told");
        let sums = sums_about(&house, id).await;
        assert_eq!(sums.get(&BookKind::Customer), Some(&25_000_000), "{sums:?}");
        let rows: i64 =
            house.value("SELECT COUNT(*) FROM webhook_event", Vec::<sea_orm::Value>::new()).await;
        assert_eq!(rows, 1);
        node.stop().await;
    }

    async fn hints_are_put_aside(house: TestHouse) {
        let node = house.serve().await;
        let operator = node.ctx_as(Actor::CommandLine);
        let new = payments::NewProcessor {
            kind: entity::enums::ProcessorKind::MPesa,
            secret: SecretText::new("token-in-the-path".to_owned()),
            api_key: None,
            base_url: None,
        };
        let row = payments::add_processor(&operator, new).await.expect("connects");
        let events: Vec<Value> =
            serde_json::from_str(include_str!("../payments/shapes/mpesa.json")).expect("shapes");
        let path = payments::path(&row);
        let body = |event: &Value| event.to_string().into_bytes();
        assert_eq!(post(&node, &path, body(&events[0]), None).await, 401, "no token");
        let with_token = format!("{path}/token-in-the-path");
        assert_eq!(post(&node, &with_token, body(&events[0]), None).await, 200);
        let kept = kept(&house).await;
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].1, kept[0].2.as_deref()), (WebhookState::Parked, Some("HINT_ONLY")));
        let id: entity::ids::WebhookEventId = house
            .value("SELECT id FROM webhook_event", Vec::<sea_orm::Value>::new())
            .await;
        assert!(payments::retry_webhook(&operator, id).await.is_err(), "nothing would be different");
        node.stop().await;
    }
}
