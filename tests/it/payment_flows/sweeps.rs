//! Webhooks that never came are made up for.

use std::time::Duration;

use entity::enums::{BookKind, PaymentStatus};
use heliograph::payments;
use serde_json::json;

use super::fake_stripe::StripeFake;
use super::world::{World, life, sums_about, sums_of_life};
use crate::support::both_stores;

both_stores! {
    async fn lost_webhooks_and_a_sweep_give_the_same_books(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        for kept in 0..6_usize {
            let id = world.start(25_000_000, "USD").await;
            let events = life(&format!("Lost{kept}"), id);
            // One webhook came of six, the others were lost; Stripe lists the newest first.
            world.take(&events[kept]).await;
            world.fold().await;
            let listed: Vec<_> = events.iter().rev().cloned().collect();
            stripe.answers("/v1/events", 200, json!({ "data": listed, "has_more": false }));
            payments::sweep_events(&world.system()).await.expect("sweeps");
            world.fold().await;
            assert_eq!(sums_about(&house, id).await, sums_of_life(), "kept {kept}");
            payments::sweep_events(&world.system()).await.expect("sweeps");
            assert_eq!(world.fold().await, 0, "nothing new");
        }
    }

    async fn a_listed_event_that_cannot_be_read_is_put_aside_once(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let id = world.start(25_000_000, "USD").await;
        let mut events = life("Torn", id);
        events[0]["data"]["object"]["amount"] = json!("2500");
        events[1]["id"] = json!("evt_4242424242424242");
        let listed = || json!({ "data": events, "has_more": false });
        stripe.answers("/v1/events", 200, listed());
        for _ in 0..2 {
            assert_eq!(payments::sweep_events(&world.system()).await.expect("sweeps"), 4);
            world.fold().await;
        }
        let parked = "SELECT event_id, reason FROM webhook_event WHERE state = 2 ORDER BY reason";
        let parked = house.rows(parked, Vec::<sea_orm::Value>::new()).await;
        let parked: Vec<(String, String)> = parked
            .iter()
            .map(|row| {
                let text = |column| row.try_get("", column).expect("a text");
                (text("event_id"), text("reason"))
            })
            .collect();
        assert_eq!(parked.len(), 2, "{parked:?}");
        assert_eq!(parked[0].1, "BAD_ID");
        assert!(!parked[0].0.contains("4242"), "{parked:?}");
        let torn = ("unreadable:evt_Tornx1".to_owned(), "FIELD_OF_OTHER_TYPE".to_owned());
        assert_eq!(parked[1], torn);
        // The next version reads it, and the rest of the life follows.
        stripe.answers("/v1/events", 200, json!({ "data": life("Torn", id), "has_more": false }));
        payments::sweep_events(&world.system()).await.expect("sweeps");
        world.fold().await;
        assert_eq!(sums_about(&house, id).await, sums_of_life());
    }

    async fn a_sweep_that_fails_begins_at_the_same_place(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let until = || async {
            let sql = "SELECT swept_until_ms FROM processor_endpoint";
            house.value::<i64>(sql, Vec::<sea_orm::Value>::new()).await
        };
        let before = until().await;
        house.hand.advance(Duration::from_secs(300));
        stripe.answers("/v1/events", 503, json!({}));
        payments::sweep_events(&world.system()).await.expect("is logged");
        assert_eq!(until().await, before);
        stripe.answers("/v1/events", 200, json!({ "data": [], "has_more": false }));
        payments::sweep_events(&world.system()).await.expect("sweeps");
        assert_eq!(until().await, house.now().0);
    }

    async fn a_payment_is_asked_for_until_its_fees_are_known(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let id = world.start(25_000_000, "USD").await;
        // Only the page is known, by a webhook that says nothing of money.
        let page = super::world::event("evt_P", "checkout.session.completed", json!({
            "id": "cs_P", "amount_total": 2500, "currency": "usd", "payment_status": "unpaid",
            "status": "complete", "payment_intent": "pi_P",
            "metadata": { "heliograph_payment_id": id.to_string() },
        }));
        world.take(&page).await;
        world.fold().await;
        assert_eq!(world.payment(id).await.status, PaymentStatus::Processing, "unpaid is no payment");
        stripe.answers("/v1/checkout/sessions/cs_P", 200, json!({
            "id": "cs_P", "amount_total": 2500, "currency": "usd", "payment_status": "paid",
            "status": "complete", "payment_intent": "pi_P",
        }));
        stripe.answers("/v1/payment_intents/pi_P", 200, json!({
            "id": "pi_P", "amount": 2500, "amount_received": 2500, "amount_capturable": 0,
            "currency": "usd", "status": "succeeded",
            "latest_charge": {
                "id": "ch_P", "amount": 2500, "amount_captured": 2500, "amount_refunded": 0,
                "currency": "usd", "payment_intent": "pi_P", "status": "succeeded",
                "captured": true, "balance_transaction": "txn_P",
            },
        }));
        stripe.answers("/v1/refunds", 200, json!({ "data": [], "has_more": false }));
        stripe.answers("/v1/balance_transactions/txn_P", 200, json!({
            "id": "txn_P", "amount": 2500, "fee": 103, "net": 2397, "currency": "usd",
            "reporting_category": "charge",
        }));
        assert_eq!(payments::poll_payments(&world.system()).await.expect("polls"), 0, "not yet");
        house.hand.advance(Duration::from_secs(121));
        assert_eq!(payments::poll_payments(&world.system()).await.expect("polls"), 1);
        world.fold().await;
        let sums = sums_about(&house, id).await;
        assert_eq!(sums.get(&BookKind::Customer), Some(&25_000_000), "{sums:?}");
        assert_eq!(sums.get(&BookKind::ProcessorFees), Some(&-1_030_000), "{sums:?}");
        let row = world.payment(id).await;
        assert_eq!((row.status, row.next_poll_at_ms), (PaymentStatus::Paid, None));
    }

    async fn the_inbox_forgets_what_is_done_with(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "USD").await;
        let events = life("Old", id);
        for event in &events[..3] {
            world.take(event).await;
        }
        world.fold().await;
        let parked = "UPDATE webhook_event SET state = 2 WHERE event_id = 'evt_Oldx1'";
        house.execute(parked, Vec::<sea_orm::Value>::new()).await;
        let day = Duration::from_secs(24 * 3_600);
        house.hand.advance(90 * day);
        assert_eq!(payments::purge_inbox(&world.system()).await.expect("purges"), 0, "not yet");
        house.hand.advance(day);
        world.take(&events[4]).await;
        assert_eq!(payments::purge_inbox(&world.system()).await.expect("purges"), 2);
        let kept = house.rows("SELECT event_id FROM webhook_event", Vec::<sea_orm::Value>::new()).await;
        assert_eq!(kept.len(), 2, "the parked one and the new one");
        // What comes again after that changes nothing.
        world.fold().await;
        let before = sums_about(&house, id).await;
        world.take(&events[1]).await;
        assert_eq!(world.fold().await, 1);
        assert_eq!(sums_about(&house, id).await, before);
    }

    async fn after_a_week_in_vain_a_person_looks(house: TestHouse) {
        let stripe = StripeFake::start().await;
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let id = world.start(25_000_000, "USD").await;
        let mut asked = Vec::new();
        let began_at = house.now();
        while let Some(due) = world.payment(id).await.next_poll_at_ms {
            let wait_ms = u64::try_from(due.since(house.now())).expect("a time ahead");
            house.hand.advance(Duration::from_millis(wait_ms));
            assert_eq!(payments::poll_payments(&world.system()).await.expect("polls"), 1);
            asked.push(house.now().since(began_at) / 60_000);
        }
        let day = 24 * 60;
        let expected = [2, 5, 15, 60, 360, day, 2 * day, 3 * day, 4 * day, 5 * day, 6 * day, 7 * day];
        assert_eq!(asked, expected);
        assert!(world.payment(id).await.stale);
        assert_eq!(payments::poll_payments(&world.system()).await.expect("polls"), 0);
    }
}
