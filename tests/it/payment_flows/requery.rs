//! What the processors besides Stripe are asked: because of hints, and by the clock.

use std::time::Duration;

use entity::enums::{BookKind, PaymentFlow, PaymentStatus, ProcessorKind, WebhookState};
use entity::ids::{PaymentId, WebhookEventId};
use heliograph::authz::Actor;
use heliograph::error::{Error, Failed};
use heliograph::payments::{self, NewProcessor, NewTopUp, Reception, TopUpRejection, start_top_up};
use heliograph::types::money::Micros;
use heliograph::types::secret::SecretText;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::fake_stripe::StripeFake;
use super::world::{SECRET, Sums, World, payer, processor, sums_about, sums_of_all, verify_ledger};
use crate::support::{TestHouse, both_stores};

async fn world(house: &TestHouse, kind: ProcessorKind, api: &StripeFake) -> World {
    let base_url = Some(format!("{}/", api.url));
    World::with_processor(&house.platform, NewProcessor { base_url, ..processor(kind) }).await
}

/// What a payment leaves of which nothing was given back or kept.
fn collected(micros: i64) -> Sums {
    Sums::from([(BookKind::Customer, micros), (BookKind::Clearing, -micros)])
}

async fn ask(world: &World) -> u64 {
    let asked = payments::ask_hints(&world.system()).await.expect("asks");
    world.fold().await;
    asked
}

/// State, reason and tries of what came as webhooks, in the order of arrival.
async fn hints(house: &TestHouse) -> Vec<(WebhookState, Option<String>, i32)> {
    let sql = "SELECT state, reason, attempts FROM webhook_event WHERE body_mac IS NOT NULL \
        ORDER BY id";
    let rows = house.rows(sql, Vec::<sea_orm::Value>::new()).await;
    let read = rows.iter().map(|row| {
        let (state, reason) = (row.try_get("", "state"), row.try_get("", "reason"));
        (
            state.expect("a state"),
            reason.expect("a reason"),
            row.try_get("", "attempts").expect("a count"),
        )
    });
    read.collect()
}

fn invoice(id: PaymentId, status: &str, paid: Option<i64>) -> Value {
    json!({
        "id": "579c8d61f23fa4ca35e52da4", "external_id": id.to_string(), "status": status,
        "amount": 150_000, "paid_amount": paid, "currency": "IDR",
    })
}

/// Posts as Xendit does; `name` tells the webhook from others.
async fn post_xendit(world: &World, name: &str, body: &Value) {
    let mut headers = HeaderMap::new();
    headers.insert("x-callback-token", HeaderValue::from_static(SECRET));
    headers.insert("webhook-id", HeaderValue::from_str(name).expect("a value"));
    let taken = world.post_with(&headers, None, body.to_string().into_bytes()).await;
    assert_eq!(taken, Reception::Taken);
}

const INVOICE: &str = "/v2/invoices/579c8d61f23fa4ca35e52da4";

fn due_in(house: &TestHouse, seconds: u64) {
    house.hand.advance(Duration::from_secs(seconds));
}

async fn poll(house: &TestHouse, world: &World) {
    due_in(house, 121);
    payments::poll_payments(&world.system()).await.expect("polls");
    world.fold().await;
}

fn top_up(amount: i64, currency: &str, processor: ProcessorKind, phone: Option<&str>) -> NewTopUp {
    NewTopUp {
        idempotency_key: "k".to_owned(),
        amount: Micros(amount),
        currency: currency.parse().expect("a currency"),
        processor,
        flow: None,
        phone: phone.map(str::to_owned),
        saves_method: false,
    }
}

fn callback(request: &str, code: u16, amount: i64) -> Value {
    json!({ "Body": { "stkCallback": {
        "MerchantRequestID": "1-2-3", "CheckoutRequestID": request, "ResultCode": code,
        "ResultDesc": "…",
        "CallbackMetadata": { "Item": [
            { "Name": "Amount", "Value": amount },
            { "Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV" },
            { "Name": "PhoneNumber", "Value": 254_708_374_149_i64 },
        ] },
    } } })
}

async fn post_mpesa(world: &World, token: &str, body: &Value) -> Reception {
    world.post_with(&HeaderMap::new(), Some(token), body.to_string().into_bytes()).await
}

/// A house where M-Pesa's customers are charged in shillings.
async fn kenya(house: &TestHouse, api: &StripeFake) -> World {
    let platform = house.platform_with(|settings| {
        settings.billing.currency = "KES".parse().expect("a currency");
    });
    let key = Some(SecretText::new("key:secret:174379:passkey".to_owned()));
    let base_url = Some(format!("{}/", api.url));
    let new = NewProcessor { api_key: key, base_url, ..processor(ProcessorKind::MPesa) };
    api.answers("/oauth/v1/generate", 200, json!({ "access_token": "t", "expires_in": "3599" }));
    World::with_processor(&platform, new).await
}

/// The token at the end of the address that the last push gave for its callback.
fn token_of_last_push(api: &StripeFake) -> String {
    let asked = api.asked();
    let push = asked.iter().rev().find(|it| it.path.contains("processrequest")).expect("a push");
    let body: Value = serde_json::from_str(&push.body).expect("JSON");
    let url = body["CallBackURL"].as_str().expect("an address");
    url.rsplit_once('/').expect("a path").1.to_owned()
}

const PUSH: &str = "/mpesa/stkpush/v1/processrequest";
const QUERY: &str = "/mpesa/stkpushquery/v1/query";

both_stores! {
    async fn a_hint_is_worth_what_the_processor_says(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Xendit, &api).await;
        let id = world.start(150_000_000_000, "IDR").await;
        api.answers(INVOICE, 200, invoice(id, "PENDING", None));
        post_xendit(&world, "wh-forged", &invoice(id, "PAID", Some(150_000))).await;
        assert_eq!(world.fold().await, 0, "a hint is not folded");
        assert_eq!(ask(&world).await, 1);
        assert_eq!(hints(&house).await, [(WebhookState::Folded, None, 0)]);
        assert_eq!(world.payment(id).await.status, PaymentStatus::Open);
        assert_eq!(sums_of_all(&house).await, Sums::new());
        // Then it is paid, for less than the hints say; they come in a storm, and are one question.
        api.answers(INVOICE, 200, invoice(id, "PAID", Some(150_000)));
        for number in 0..30 {
            let body = invoice(id, "PAID", Some(900_000 + number));
            post_xendit(&world, &format!("wh-{number}"), &body).await;
        }
        let before = api.asked().len();
        assert_eq!(ask(&world).await, 30);
        assert_eq!(api.asked().len() - before, 1);
        assert_eq!(world.payment(id).await.status, PaymentStatus::Paid);
        assert_eq!(sums_about(&house, id).await, collected(150_000_000_000));
        assert_eq!(ask(&world).await, 0, "nothing is left to ask");
        assert!(api.asked()[0].authorization.starts_with("Basic "));
        verify_ledger(&world).await;
    }

    async fn what_a_processor_does_not_know_waits_for_a_person(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Xendit, &api).await;
        let id = world.start(150_000_000_000, "IDR").await;
        post_xendit(&world, "wh-unknown", &invoice(id, "PAID", Some(150_000))).await;
        assert_eq!((ask(&world).await, ask(&world).await), (1, 0), "not again at once");
        for _ in 1..5 {
            due_in(&house, 3_600);
            assert_eq!(ask(&world).await, 1);
        }
        due_in(&house, 100_000);
        assert_eq!(ask(&world).await, 0);
        let parked = (WebhookState::Parked, Some("NOT_CONFIRMED".to_owned()), 5);
        assert_eq!(hints(&house).await, [parked]);
        assert_eq!(world.payment(id).await.status, PaymentStatus::Open);
        // A person has it asked again, and never folded as it is.
        let system = world.system();
        let sql = "SELECT id FROM webhook_event";
        let event: WebhookEventId = house.value(sql, Vec::<sea_orm::Value>::new()).await;
        payments::retry_webhook(&system, event).await.expect("tries again");
        assert_eq!(world.fold().await, 0);
        assert!(payments::retry_webhook(&system, event).await.is_err(), "it is being asked");
        api.answers(INVOICE, 200, invoice(id, "PAID", Some(150_000)));
        assert_eq!(ask(&world).await, 1);
        assert_eq!(world.payment(id).await.status, PaymentStatus::Paid);
    }

    async fn a_processor_that_is_down_is_asked_again(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Xendit, &api).await;
        let id = world.start(150_000_000_000, "IDR").await;
        api.answers(INVOICE, 503, json!({}));
        post_xendit(&world, "wh-1", &invoice(id, "PAID", Some(150_000))).await;
        let mut other = invoice(id, "PAID", Some(150_000));
        other["id"] = json!("579c8d61f23fa4ca35e52da5");
        post_xendit(&world, "wh-2", &other).await;
        assert_eq!(ask(&world).await, 1);
        assert_eq!(api.asked().len(), 1, "the other hint waits for it to be up again");
        for _ in 0..12 {
            due_in(&house, 10_000);
            ask(&world).await;
        }
        let dead = (WebhookState::Dead, Some("UNANSWERED".to_owned()), 10);
        assert_eq!(hints(&house).await[0], dead);
        api.answers(INVOICE, 200, invoice(id, "PAID", Some(150_000)));
        let sql = "SELECT id FROM webhook_event WHERE state = 3 ORDER BY id LIMIT 1";
        let event: WebhookEventId = house.value(sql, Vec::<sea_orm::Value>::new()).await;
        payments::retry_webhook(&world.system(), event).await.expect("tries again");
        ask(&world).await;
        assert_eq!(sums_about(&house, id).await, collected(150_000_000_000));
    }

    async fn money_of_nobody_is_suspense_after_a_hint_too(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Xendit, &api).await;
        let mut stray = invoice(world.platform.ids.next(), "PAID", Some(150_000));
        stray["external_id"] = json!("an order of the shop's");
        api.answers(INVOICE, 200, stray.clone());
        post_xendit(&world, "wh-stray", &stray).await;
        assert_eq!(ask(&world).await, 1);
        due_in(&house, 3_601);
        payments::settle_unmatched(&world.system()).await.expect("settles");
        let suspense = Sums::from([
            (BookKind::Suspense, 150_000_000_000),
            (BookKind::Clearing, -150_000_000_000),
        ]);
        assert_eq!(sums_of_all(&house).await, suspense);
    }

    async fn xendit_is_polled_by_our_own_id(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Xendit, &api).await;
        let id = world.start(150_000_000_000, "IDR").await;
        let mut other = invoice(id, "PAID", Some(7));
        other["external_id"] = json!("another");
        api.answers("/v2/invoices", 200, json!([other, invoice(id, "PAID", Some(150_000))]));
        poll(&house, &world).await;
        assert_eq!(sums_about(&house, id).await, collected(150_000_000_000));
    }

    async fn xendit_s_requests_lead_to_their_payments(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Xendit, &api).await;
        let id = world.start(150_000_000_000, "IDR").await;
        let (request, paid) = ("pr-1fdaf346-dd2e", "py-1fdaf346-dd2e");
        let hint = json!({ "event": "payment.failure", "created": "2026-11-22T10:00:21.566Z",
            "data": {
                "payment_id": "py-0000000a-dd2e", "payment_request_id": request,
                "status": "FAILED", "request_amount": 150_000, "currency": "IDR",
                "reference_id": id.to_string(),
            } });
        post_xendit(&world, "wh-1", &hint).await;
        api.answers(&format!("/v3/payment_requests/{request}"), 200, json!({
            "payment_request_id": request, "reference_id": id.to_string(), "status": "SUCCEEDED",
            "request_amount": 150_000, "currency": "IDR", "latest_payment_id": paid,
        }));
        api.answers(&format!("/v3/payments/{paid}"), 200, json!({
            "payment_id": paid, "payment_request_id": request, "reference_id": id.to_string(),
            "status": "SUCCEEDED", "request_amount": 150_000, "currency": "IDR",
        }));
        assert_eq!(ask(&world).await, 1);
        assert_eq!(sums_about(&house, id).await, collected(150_000_000_000));
    }

    async fn paystack_is_polled_by_the_reference_that_is_our_id(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::Paystack, &api).await;
        let ctx = payer(&world.platform, world.account_id);
        let new = top_up(25_000_000, "USD", ProcessorKind::Paystack, None);
        let started = start_top_up(&ctx, new.clone()).await.expect("starts");
        assert_eq!(started.row.flow, PaymentFlow::Reference);
        assert!(started.row.redirect_url.is_none() && api.asked().is_empty());
        let phone = NewTopUp { phone: Some("+254708374149".to_owned()), ..new.clone() };
        let refused = start_top_up(&ctx, phone).await;
        assert!(matches!(refused, Err(Error::Rejected(TopUpRejection::InvalidPhone))));
        let page = NewTopUp { flow: Some(PaymentFlow::HostedPage), ..new };
        let refused = start_top_up(&ctx, page).await;
        assert!(matches!(refused, Err(Error::Rejected(TopUpRejection::OtherFlow))));
        let id = started.row.id;
        let reference = id.to_string().replacen('_', "-", 1);
        let path = format!("/transaction/verify/{reference}");
        let transaction = |status: &str| json!({ "status": true, "data": {
            "id": 4_099_260_516_i64, "reference": reference, "status": status, "amount": 2500,
            "currency": "USD", "customer": { "customer_code": "CUS_1" },
        } });
        let refund = json!({ "id": 3_018_284, "amount": 500, "currency": "USD",
            "status": "processed", "transaction": 4_099_260_516_i64 });
        api.answers("/refund", 200, json!({ "status": true, "data": [refund] }));
        for (answer, status) in [
            (None, PaymentStatus::Open),
            (Some("abandoned"), PaymentStatus::Open),
            (Some("ongoing"), PaymentStatus::Processing),
            (Some("success"), PaymentStatus::PartlyRefunded),
        ] {
            match answer {
                Some(answer) => api.answers(&path, 200, transaction(answer)),
                None => api.answers(&path, 400, json!({ "status": false })),
            }
            // Every plan of the next poll is within the day.
            due_in(&house, 86_400);
            poll(&house, &world).await;
            assert_eq!(world.payment(id).await.status, status, "{answer:?}");
        }
        assert_eq!(sums_about(&house, id).await, collected(20_000_000));
        assert!(api.asked().iter().all(|it| it.authorization == "Bearer sk_test_of_the_tests"));
    }

    async fn a_paymongo_intent_is_asked_for_until_it_is_known(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = world(&house, ProcessorKind::PayMongo, &api).await;
        let id = world.start(1_500_000_000, "PHP").await;
        let paid = |name: &str, status: &str| json!({ "id": name, "type": "payment",
            "attributes": {
                "amount": 150_000, "currency": "PHP", "status": status,
                "payment_intent_id": "pi_Asked", "fee": 3_000, "net_amount": 147_000,
                "balance_transaction_id": format!("bal_txn_{name}"),
                "metadata": { "heliograph_payment_id": id.to_string() },
            } });
        let failed = json!({ "data": { "id": "evt_1", "type": "event", "attributes": {
            "type": "payment.failed", "livemode": false, "created_at": 1_767_571_200,
            "data": paid("pay_Failed", "failed"),
        } } });
        let body = failed.to_string().into_bytes();
        let time_s = world.platform.clock.now().0 / 1_000;
        let signed = super::world::signature(SECRET, &body, time_s).replace("v1=", "te=");
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("{signed},li=")).expect("a value");
        headers.insert("paymongo-signature", value);
        assert_eq!(world.post_with(&headers, None, body).await, Reception::Taken);
        world.fold().await;
        assert_eq!(world.payment(id).await.status, PaymentStatus::AttemptFailed);
        // The payer tried again, and that webhook was lost.
        api.answers("/v1/payment_intents/pi_Asked", 200, json!({ "data": {
            "id": "pi_Asked", "type": "payment_intent", "attributes": {
                "amount": 150_000, "currency": "PHP", "status": "succeeded",
                "payments": [paid("pay_Failed", "failed"), paid("pay_Paid", "paid")],
            },
        } }));
        poll(&house, &world).await;
        assert_eq!(world.payment(id).await.status, PaymentStatus::Paid);
        let sums = Sums::from([
            (BookKind::Customer, 1_500_000_000),
            (BookKind::Clearing, -1_440_000_000),
            (BookKind::ProcessorFees, -60_000_000),
        ]);
        assert_eq!(sums_about(&house, id).await, sums, "both attempts cost their fee");
    }

    async fn mpesa_asks_the_phone_once_and_is_asked_what_came_of_it(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = kenya(&house, &api).await;
        let ctx = payer(&world.platform, world.account_id);
        let request = "ws_CO_191220191020363925";
        api.answers(PUSH, 200, json!({ "ResponseCode": "0", "CheckoutRequestID": request }));
        let new = top_up(100_000_000, "KES", ProcessorKind::MPesa, Some("+254 708 374149"));
        for refused in [
            NewTopUp { phone: None, ..new.clone() },
            NewTopUp { phone: Some("0".to_owned()), ..new.clone() },
        ] {
            let refused = start_top_up(&ctx, refused).await;
            assert!(matches!(refused, Err(Error::Rejected(TopUpRejection::InvalidPhone))));
        }
        let started = start_top_up(&ctx, new.clone()).await.expect("starts");
        let id = started.row.id;
        let again = start_top_up(&ctx, new).await.expect("is the same");
        assert_eq!(again.row.id, id);
        let pushes = api.asked().into_iter().filter(|it| it.path == PUSH).collect::<Vec<_>>();
        assert_eq!(pushes.len(), 1, "the phone is asked once");
        assert_eq!(pushes[0].authorization, "Bearer t");
        let push: Value = serde_json::from_str(&pushes[0].body).expect("JSON");
        assert_eq!((&push["Amount"], &push["PartyA"]), (&json!(100), &json!("254708374149")));
        world.fold().await;
        // Not ours: signed for another payment, by another secret, or not at all.
        let token = token_of_last_push(&api);
        let (_, mac) = token.split_once('.').expect("an id and a MAC");
        let stranger: PaymentId = world.platform.ids.next();
        for forged in [format!("{stranger}.{mac}"), format!("{id}."), mac.to_owned()] {
            let refused = post_mpesa(&world, &forged, &callback(request, 0, 100)).await;
            assert_eq!(refused, Reception::Refused, "{forged}");
        }
        // What it says of the amount counts for nothing.
        let taken = post_mpesa(&world, &token, &callback(request, 0, 70_000)).await;
        assert_eq!((taken, world.fold().await), (Reception::Taken, 0));
        api.answers(QUERY, 200, json!({ "ResponseCode": "0", "ResultCode": "0",
            "CheckoutRequestID": request }));
        assert_eq!(ask(&world).await, 1);
        assert_eq!(sums_about(&house, id).await, collected(100_000_000));
        let sql = "SELECT COUNT(*) FROM payment WHERE facts LIKE '%254708374149%'";
        let numbers: i64 = house.value(sql, Vec::<sea_orm::Value>::new()).await;
        assert_eq!(numbers, 0, "the payer's number is not kept");
    }

    async fn a_push_whose_answer_was_lost_is_known_by_its_callback(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = kenya(&house, &api).await;
        let ctx = payer(&world.platform, world.account_id);
        api.answers(PUSH, 503, json!({}));
        let new = top_up(100_000_000, "KES", ProcessorKind::MPesa, Some("+254708374149"));
        let lost = start_top_up(&ctx, new).await;
        assert!(matches!(lost, Err(Error::Failed(Failed::Unavailable(_)))));
        let token = token_of_last_push(&api);
        let request = "ws_CO_191220191020363925";
        api.answers(QUERY, 200, json!({ "ResultCode": "1032", "CheckoutRequestID": request }));
        let taken = post_mpesa(&world, &token, &callback(request, 1032, 0)).await;
        assert_eq!((taken, ask(&world).await), (Reception::Taken, 1));
        let id: PaymentId =
            house.value("SELECT id FROM payment", Vec::<sea_orm::Value>::new()).await;
        assert_eq!(world.payment(id).await.status, PaymentStatus::AttemptFailed);
        assert_eq!(sums_of_all(&house).await, Sums::new());
    }

    async fn a_push_that_was_not_made_here_says_nothing(house: TestHouse) {
        let api = StripeFake::start().await;
        let world = kenya(&house, &api).await;
        let request = "ws_CO_191220191020363925";
        api.answers(QUERY, 200, json!({ "ResultCode": "0", "CheckoutRequestID": request }));
        let taken = post_mpesa(&world, SECRET, &callback(request, 0, 100)).await;
        assert_eq!(taken, Reception::Taken, "the endpoint's own token");
        for _ in 0..5 {
            ask(&world).await;
            due_in(&house, 3_600);
        }
        assert!(api.asked().is_empty(), "it would not say how much");
        let parked = (WebhookState::Parked, Some("NOT_CONFIRMED".to_owned()), 5);
        assert_eq!(hints(&house).await, [parked]);
        assert_eq!(sums_of_all(&house).await, Sums::new());
    }

    async fn mpesa_s_keys_are_looked_at_when_they_are_given(house: TestHouse) {
        let operator = house.ctx_as(Actor::CommandLine);
        for (key, is_taken) in [("not-four-parts", false), ("key:secret:174379:passkey", true)] {
            let api_key = Some(SecretText::new(key.to_owned()));
            let new = NewProcessor { api_key, ..processor(ProcessorKind::MPesa) };
            let added = payments::add_processor(&operator, new).await;
            assert_eq!(added.is_ok(), is_taken, "{key}");
        }
    }
}
