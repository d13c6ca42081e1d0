//! Top-ups and refunds: what is kept before Stripe is asked, and what is asked of it.

use entity::enums::{PaymentStatus, ProcessorKind};
use heliograph::error::{Error, Failed};
use heliograph::payments::{
    self, NewRefund, NewTopUp, RefundRejection, TopUpRejection, refund, start_top_up,
};
use heliograph::types::money::Micros;
use serde_json::json;

use super::fake_stripe::StripeFake;
use super::world::{World, life, make_account, payer};
use crate::support::both_stores;

fn top_up(key: &str, amount: i64) -> NewTopUp {
    NewTopUp {
        idempotency_key: key.to_owned(),
        amount: Micros(amount),
        currency: "USD".parse().expect("a currency"),
        processor: ProcessorKind::Stripe,
        flow: None,
        phone: None,
        saves_method: false,
    }
}

fn page(id: &str) -> serde_json::Value {
    json!({
        "id": id, "object": "checkout.session", "amount_total": 2500, "currency": "usd",
        "payment_status": "unpaid", "status": "open", "url": "https://checkout.example/pay",
    })
}

both_stores! {
    async fn a_top_up_leads_to_a_page_and_is_made_once(house: TestHouse) {
        let stripe = StripeFake::start().await;
        stripe.answers("/v1/checkout/sessions", 200, page("cs_1"));
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let ctx = payer(&world.platform, world.account_id);
        let first = start_top_up(&ctx, top_up("k", 25_000_000)).await.expect("starts").row;
        assert_eq!(first.redirect_url.as_deref(), Some("https://checkout.example/pay"));
        assert_eq!(first.status, PaymentStatus::Open);
        let again = start_top_up(&ctx, top_up("k", 25_000_000)).await.expect("starts").row;
        assert_eq!((again.id, again.redirect_url), (first.id, first.redirect_url));
        let asked = stripe.asked();
        assert_eq!(asked.len(), 1, "a replay asks nobody");
        assert_eq!(asked[0].idempotency_key, Some(first.id.to_string()));
        assert_eq!(asked[0].authorization, "Bearer sk_test_of_the_tests");
        let told = [
            format!("metadata[heliograph_payment_id]={}", first.id),
            format!("payment_intent_data[metadata][heliograph_payment_id]={}", first.id),
            "line_items[0][price_data][unit_amount]=2500".to_owned(),
            "line_items[0][price_data][currency]=usd".to_owned(),
            "mode=payment".to_owned(),
        ];
        let body = asked[0].body.replace("%5B", "[").replace("%5D", "]");
        for part in told {
            assert!(body.contains(&part), "{part} is not in {body}");
        }
        // The page is an object of the payment now: a webhook about it finds it without our id.
        world.fold().await;
        let paid = super::world::event("evt_1", "checkout.session.completed", json!({
            "id": "cs_1", "amount_total": 2500, "currency": "usd", "payment_status": "paid",
            "status": "complete",
        }));
        world.take(&paid).await;
        world.fold().await;
        assert_eq!(world.payment(first.id).await.status, PaymentStatus::Paid);
    }

    async fn a_top_up_that_cannot_be_is_refused(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let ctx = payer(&world.platform, world.account_id);
        let other = |change: fn(&mut NewTopUp)| {
            let mut new = top_up("k", 25_000_000);
            change(&mut new);
            new
        };
        use TopUpRejection as No;
        for (new, expected) in [
            (top_up("", 25_000_000), No::InvalidKey),
            (top_up(&"k".repeat(101), 25_000_000), No::InvalidKey),
            (top_up("k", 0), No::InvalidAmount),
            (top_up("k", -1_000_000), No::InvalidAmount),
            (top_up("k", 1_005_000), No::InvalidAmount),
            (top_up("k", payments::TOP_UP_MICROS_MAX + 10_000), No::InvalidAmount),
            (other(|new| new.currency = "EUR".parse().expect("a currency")), No::OtherCurrency),
            (other(|new| new.processor = ProcessorKind::Xendit), No::NoProcessor),
        ] {
            match start_top_up(&ctx, new.clone()).await {
                Err(Error::Rejected(rejection)) => assert_eq!(rejection, expected, "{new:?}"),
                other => panic!("{new:?}: {other:?}"),
            }
        }
        assert!(stripe.asked().is_empty());
        let stranger = house.ctx_as(heliograph::authz::Actor::Anonymous);
        let refused = start_top_up(&stranger, top_up("k", 25_000_000)).await;
        assert!(matches!(refused, Err(Error::Failed(Failed::Unauthenticated))));
    }

    async fn a_crash_before_stripe_answers_leaves_a_payment_that_goes_on(house: TestHouse) {
        let stripe = StripeFake::start().await;
        stripe.answers("/v1/checkout/sessions", 500, json!({ "error": { "type": "api_error" } }));
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let ctx = payer(&world.platform, world.account_id);
        let failed = start_top_up(&ctx, top_up("k", 25_000_000)).await;
        assert!(matches!(failed, Err(Error::Failed(Failed::Unavailable(_)))), "{failed:?}");
        stripe.answers("/v1/checkout/sessions", 200, page("cs_1"));
        house.hand.advance(std::time::Duration::from_secs(121));
        payments::poll_payments(&world.system()).await.expect("polls");
        let row = start_top_up(&ctx, top_up("k", 25_000_000)).await.expect("goes on").row;
        assert_eq!(row.redirect_url.as_deref(), Some("https://checkout.example/pay"));
        let keys: Vec<_> = stripe.asked().into_iter().map(|asked| asked.idempotency_key).collect();
        assert_eq!(keys, vec![Some(row.id.to_string()); 2], "the same key both times");
        let reused = start_top_up(&ctx, top_up("k", 30_000_000)).await;
        assert!(matches!(reused, Err(Error::Rejected(TopUpRejection::KeyReused))), "{reused:?}");
        let other = payer(&world.platform, make_account(&world.platform).await);
        let own = start_top_up(&other, top_up("k", 30_000_000)).await.expect("a key of its own").row;
        assert_ne!(own.id, row.id);
        assert!(payments::payment(&other, row.id).await.expect("reads").is_none(), "a stranger");
    }

    async fn a_refund_is_asked_for_once_and_booked_from_its_answer(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let id = world.start(25_000_000, "USD").await;
        let new = |amount: Option<i64>| NewRefund {
            idempotency_key: "r".to_owned(),
            payment_id: id,
            amount: amount.map(Micros),
        };
        let system = world.system();
        let early = refund(&system, new(None)).await;
        assert!(matches!(early, Err(Error::Rejected(RefundRejection::NotRefundable))));
        world.take(&life("Back", id)[0]).await;
        world.fold().await;
        for amount in [0, -1, 25_010_000, 5_000] {
            let refused = refund(&system, new(Some(amount))).await;
            assert!(
                matches!(refused, Err(Error::Rejected(RefundRejection::InvalidAmount))),
                "{amount}"
            );
        }
        stripe.answers("/v1/refunds", 200, json!({
            "id": "re_Back", "amount": 1000, "currency": "usd", "charge": "ch_Back",
            "payment_intent": "pi_Back", "status": "succeeded",
            "metadata": { "heliograph_payment_id": id.to_string() },
        }));
        for _ in 0..2 {
            refund(&system, new(Some(10_000_000))).await.expect("gives back");
            world.fold().await;
        }
        let asked = stripe.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].idempotency_key, asked[1].idempotency_key);
        assert!(asked[0].body.contains("amount=1000"), "{asked:?}");
        let row = world.payment(id).await;
        assert_eq!(row.status, PaymentStatus::PartlyRefunded);
        let facts = payments::facts(&row).expect("facts");
        assert_eq!(facts.refunded_micros(), 10_000_000);
        let ctx = payer(&world.platform, world.account_id);
        let forbidden = refund(&ctx, new(None)).await;
        assert!(matches!(forbidden, Err(Error::Failed(Failed::Forbidden(_)))));
    }
}
