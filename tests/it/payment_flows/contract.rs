//! Payments as the contract shows them.

use entity::enums::Role;
use heliograph::payments;
use serde_json::{Value, json};

use super::fake_stripe::StripeFake;
use super::world::{World, life, payer};
use crate::graphql_api::{Api, operator};
use crate::support::both_stores;

const START: &str = "mutation($input: StartTopUpInput!) { startTopUp(input: $input) \
    { payment { id status amount { amount currency } } redirectUrl userErrors { code path } } }";
const PAYMENT: &str = "query($id: ID!) { payment(id: $id) { status isStale captured { amount } \
    refunded { amount } fees { amount currency } \
    disputes { reference status amount { amount } withdrawn { amount } reinstated { amount } } } }";
const ADD: &str = "mutation($input: AddProcessorInput!) { addProcessor(input: $input) \
    { processor { id kind webhookPath hasApiKey hasOtherSecret baseUrl isEnabled } \
    userErrors { code path } } }";
const ROTATE: &str = "mutation($input: RotateProcessorSecretInput!) \
    { rotateProcessorSecret(input: $input) { processor { hasOtherSecret version } \
    userErrors { code path } } }";
const WEBHOOKS: &str = "query($state: WebhookEventState) { webhookEvents(state: $state) \
    { nodes { id state reason eventType reference attempts processor { id } } totalCount } }";
const RETRY: &str = "mutation($id: ID!) { retryWebhookEvent(input: { webhookEventId: $id }) \
    { webhookEvent { state } userErrors { code } } }";

both_stores! {
    async fn a_payment_is_shown_with_all_that_became_of_it(house: TestHouse) {
        let stripe = StripeFake::start().await;
        stripe.answers("/v1/checkout/sessions", 200, json!({
            "id": "cs_Shown", "amount_total": 2500, "currency": "usd", "payment_status": "unpaid",
            "status": "open", "url": "https://checkout.example/pay",
        }));
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let api = Api::new(&house).await;
        let ctx = payer(&world.platform, world.account_id);
        let input = json!({
            "idempotencyKey": "k", "amount": "25.00", "currency": "USD", "processor": "STRIPE",
        });
        let started = api.data(&ctx, START, json!({ "input": input })).await["startTopUp"].clone();
        assert_eq!(started["userErrors"], json!([]));
        assert_eq!(started["redirectUrl"], json!("https://checkout.example/pay"));
        assert_eq!(started["payment"]["amount"], json!({ "amount": "25.00", "currency": "USD" }));
        let id = started["payment"]["id"].as_str().expect("an id").to_owned();
        for event in life("Shown", id.parse().expect("an id")) {
            world.take(&event).await;
        }
        world.fold().await;
        let shown = api.data(&ctx, PAYMENT, json!({ "id": id })).await["payment"].clone();
        assert_eq!(shown, json!({
            "status": "DISPUTED", "isStale": false,
            "captured": { "amount": "25.00" }, "refunded": { "amount": "5.00" },
            "fees": [{ "amount": "15.00", "currency": "USD" }],
            "disputes": [{
                "reference": "dp_Shown", "status": "NEEDS_RESPONSE",
                "amount": { "amount": "10.00" }, "withdrawn": { "amount": "10.00" },
                "reinstated": null,
            }],
        }));
        let list = "{ payments { nodes { id } totalCount } }";
        let listed = api.data(&ctx, list, json!({})).await["payments"].clone();
        assert_eq!(listed, json!({ "nodes": [{ "id": id }], "totalCount": 1 }));
        for (field, value, code) in [
            ("amount", "0.001", "INVALID_AMOUNT"),
            ("currency", "EUR", "OTHER_CURRENCY"),
            ("processor", "PAYMONGO", "PROCESSOR_NOT_CONNECTED"),
            ("idempotencyKey", "", "INVALID_IDEMPOTENCY_KEY"),
        ] {
            let mut input = input.clone();
            input["idempotencyKey"] = json!("other");
            input[field] = json!(value);
            let refused = api.data(&ctx, START, json!({ "input": input })).await;
            let errors = &refused["startTopUp"]["userErrors"];
            assert_eq!(errors, &json!([{ "code": code, "path": [field] }]), "{field}");
        }
    }

    async fn a_processor_s_secrets_go_in_and_never_out(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Admin).await;
        let input = |secret: &str, url: Value| json!({ "input": {
            "kind": "STRIPE", "webhookSecret": secret, "apiKey": "sk_live_1", "baseUrl": url,
        } });
        let added = api.data(&staff, ADD, input("whsec_1", Value::Null)).await;
        let processor = &added["addProcessor"]["processor"];
        assert_eq!((&processor["kind"], &processor["hasApiKey"]), (&json!("STRIPE"), &json!(true)));
        let path = processor["webhookPath"].as_str().expect("a path");
        assert!(path.starts_with("/hooks/stripe/") && path.len() == 46, "{path}");
        let rotated = json!({ "input": {
            "processorId": processor["id"], "webhookSecret": "whsec_2",
        } });
        let rotated = api.data(&staff, ROTATE, rotated).await["rotateProcessorSecret"].clone();
        assert_eq!(rotated["processor"], json!({ "hasOtherSecret": true, "version": 2 }));
        for (secret, url, code, field) in [
            ("", Value::Null, "INVALID_SECRET", "webhookSecret"),
            ("with blank", Value::Null, "INVALID_SECRET", "webhookSecret"),
            ("whsec", json!("ftp://x"), "INVALID_BASE_URL", "baseUrl"),
            ("whsec", json!("https://x/?y=z"), "INVALID_BASE_URL", "baseUrl"),
        ] {
            let refused = api.data(&staff, ADD, input(secret, url)).await;
            let errors = &refused["addProcessor"]["userErrors"];
            assert_eq!(errors, &json!([{ "code": code, "path": [field] }]), "{secret}");
        }
        let rows = house
            .rows(
                "SELECT sealed_secret, sealed_other_secret, sealed_api_key FROM processor_endpoint",
                Vec::<sea_orm::Value>::new(),
            )
            .await;
        assert_eq!(rows.len(), 1);
        for column in ["sealed_secret", "sealed_other_secret", "sealed_api_key"] {
            let sealed: Vec<u8> = rows[0].try_get("", column).expect("sealed");
            assert!(!sealed.windows(6).any(|part| part == b"whsec_" || part == b"sk_liv"));
        }
    }

    async fn what_was_put_aside_is_listed_and_tried_again(house: TestHouse) {
        let world = World::new(&house).await;
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let id = world.start(25_000_000, "USD").await;
        world.take(&life("Aside", id)[0]).await;
        // As if it had failed ten times.
        house
            .execute(
                "UPDATE webhook_event SET state = 3, attempts = 10, reason = 'FOLD_FAILED'",
                Vec::<sea_orm::Value>::new(),
            )
            .await;
        assert_eq!(world.fold().await, 0);
        let dead = api.data(&staff, WEBHOOKS, json!({ "state": "DEAD" })).await;
        let dead = &dead["webhookEvents"];
        assert_eq!((&dead["totalCount"], dead["nodes"].as_array().map(Vec::len)), (&json!(1), Some(1)));
        assert_eq!(dead["nodes"][0]["reference"], json!("evt_Asidex1"));
        assert_eq!(dead["nodes"][0]["processor"], Value::Null, "for those who connect them");
        let admin = operator(&house, Role::Admin).await;
        let shown = api.data(&admin, WEBHOOKS, json!({ "state": "DEAD" })).await;
        let processor = &shown["webhookEvents"]["nodes"][0]["processor"]["id"];
        assert_eq!(processor, &json!(world.endpoint.id.to_string()));
        let id = json!({ "id": dead["nodes"][0]["id"] });
        let retried = api.data(&staff, RETRY, id.clone()).await["retryWebhookEvent"].clone();
        assert_eq!(retried["webhookEvent"]["state"], json!("RECEIVED"));
        assert_eq!(world.fold().await, 1);
        let refused = api.data(&staff, RETRY, id).await["retryWebhookEvent"].clone();
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_RETRYABLE" }]));
        let listed = payments::webhooks(&world.system(), None, &Default::default()).await;
        assert_eq!(listed.expect("lists").items.len(), 1);
    }
}
