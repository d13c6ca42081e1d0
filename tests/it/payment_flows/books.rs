//! The same facts give the same books, in whatever order, however often, and across a crash.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity::enums::{BookKind, EventKind, PaymentStatus};
use futures::FutureExt;
use futures::future::join_all;
use heliograph::ctx::{Ctx, Platform};
use heliograph::payments;
use serde_json::{Value, json};

use super::world::{World, event, life, sums_about, sums_of_all, sums_of_life, verify_ledger};
use crate::support::{TestHouse, both_stores};

/// The orders of six events.
const ORDERS: usize = 720;
/// Payments whose webhooks come at the same time, each in an order of its own.
const ORDERS_AT_ONCE: usize = 60;

/// The `n`-th order of a list.
pub fn nth_order<T: Clone>(items: &[T], mut n: usize) -> Vec<T> {
    let mut left = items.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        let at = n % left.len();
        n /= left.len();
        order.push(left.remove(at));
    }
    order
}

async fn suspense_rows(house: &TestHouse) -> i64 {
    house
        .value("SELECT COUNT(*) FROM payment WHERE purpose = 2", Vec::<sea_orm::Value>::new())
        .await
}

/// Webhooks that a person would have to look at.
async fn put_aside(house: &TestHouse) -> i64 {
    let sql = "SELECT COUNT(*) FROM webhook_event WHERE state IN (2, 3)";
    house.value(sql, Vec::<sea_orm::Value>::new()).await
}

both_stores! {
    async fn every_order_gives_the_same_books(house: TestHouse) {
        let world = World::new(&house).await;
        for first in (0..ORDERS).step_by(ORDERS_AT_ONCE) {
            let mut lives = Vec::new();
            for n in first..first + ORDERS_AT_ONCE {
                let id = world.start(25_000_000, "USD").await;
                lives.push((n, id, nth_order(&life(&format!("Order{n}"), id), n)));
            }
            for at in 0..6 {
                let world = &world;
                join_all(lives.iter().map(|(_, _, events)| async move {
                    world.take(&events[at]).await;
                    // Twice, and an old one again.
                    world.take(&events[at]).await;
                    world.take(&events[at / 2]).await;
                }))
                .await;
                // Some are folded one by one, some together.
                if !(first / ORDERS_AT_ONCE + at).is_multiple_of(3) {
                    world.fold().await;
                }
            }
            world.fold().await;
            for (n, id, _) in lives {
                assert_eq!(sums_about(&house, id).await, sums_of_life(), "order {n}");
                assert_eq!(world.payment(id).await.status, PaymentStatus::Disputed, "order {n}");
            }
        }
        assert_eq!(suspense_rows(&house).await, 0, "all that was unmatched was absorbed");
        verify_ledger(&world).await;
    }

    async fn money_of_nobody_waits_goes_to_suspense_and_is_cleared(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "USD").await;
        let events = life("Late", id);
        // The charge, the refund and the dispute name no payment of ours.
        for at in [1, 4, 5] {
            world.take(&events[at]).await;
        }
        world.fold().await;
        assert_eq!(sums_of_all(&house).await.len(), 0, "it waits first");
        house.hand.advance(std::time::Duration::from_secs(3_700));
        payments::settle_unmatched(&world.system()).await.expect("settles");
        let sums = sums_of_all(&house).await;
        assert_eq!(sums.get(&BookKind::Suspense), Some(&10_000_000), "{sums:?}");
        assert_eq!(sums.get(&BookKind::Customer), None, "{sums:?}");
        payments::settle_unmatched(&world.system()).await.expect("settles");
        assert_eq!(sums_of_all(&house).await, sums, "once is enough");
        for at in [0, 2, 3] {
            world.take(&events[at]).await;
        }
        world.fold().await;
        assert_eq!(sums_of_all(&house).await, sums_of_life());
        assert_eq!(suspense_rows(&house).await, 0);
        verify_ledger(&world).await;
    }

    async fn money_of_nobody_that_proves_to_be_of_one_payment_is_booked_once(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "USD").await;
        let intent = |number: u8, metadata: Value| {
            event(&format!("evt_Joined{number}"), "payment_intent.succeeded", json!({
                "id": "pi_Joined", "amount": 2500, "amount_received": 2500,
                "amount_capturable": 0, "currency": "usd", "status": "succeeded",
                "metadata": metadata,
            }))
        };
        // Nothing in these says that they belong together.
        world.take(&intent(1, json!({}))).await;
        world.take(&event("evt_Joined2", "refund.created", json!({
            "id": "re_Joined", "amount": 500, "currency": "usd", "charge": "ch_Joined",
            "status": "succeeded",
        }))).await;
        world.fold().await;
        house.hand.advance(std::time::Duration::from_secs(3_700));
        payments::settle_unmatched(&world.system()).await.expect("settles");
        let suspense = std::collections::BTreeMap::from([
            (BookKind::Suspense, 20_000_000), (BookKind::Clearing, -20_000_000),
        ]);
        assert_eq!(sums_of_all(&house).await, suspense);
        assert_eq!(suspense_rows(&house).await, 2);
        world.take(&event("evt_Joined3", "charge.succeeded", json!({
            "id": "ch_Joined", "amount": 2500, "amount_captured": 2500, "amount_refunded": 500,
            "currency": "usd", "payment_intent": "pi_Joined", "status": "succeeded",
        }))).await;
        world.fold().await;
        assert_eq!(put_aside(&house).await, 0);
        assert_eq!(suspense_rows(&house).await, 1, "one absorbed the other");
        assert_eq!(sums_of_all(&house).await, suspense);
        world.take(&intent(4, json!({ "heliograph_payment_id": id.to_string() }))).await;
        world.fold().await;
        assert_eq!((put_aside(&house).await, suspense_rows(&house).await), (0, 0));
        let customer = sums_of_all(&house).await.get(&BookKind::Customer).copied();
        assert_eq!(customer, Some(20_000_000));
        assert_eq!(sums_about(&house, id).await, sums_of_all(&house).await);
        verify_ledger(&world).await;
    }

    async fn an_amount_that_comes_back_to_what_it_was_is_booked_again(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "USD").await;
        // Of two accounts of a line the greater stays, and its fee need not be greater.
        for (number, gross, fee) in [(1, -1_000, 1_500), (2, -900, 0), (3, -800, 1_500)] {
            let told = event(&format!("evt_Turn{number}"), "charge.dispute.updated", json!({
                "id": "dp_Turn", "amount": 1000, "currency": "usd", "status": "needs_response",
                "payment_intent": "pi_Turn",
                "metadata": { "heliograph_payment_id": id.to_string() },
                "balance_transactions": [{
                    "id": "txn_Turn", "amount": gross, "fee": fee, "net": gross - fee,
                    "currency": "usd", "reporting_category": "dispute",
                }],
            }));
            world.take(&told).await;
            world.fold().await;
            assert_eq!(put_aside(&house).await, 0);
            let fees = sums_about(&house, id).await.get(&BookKind::ProcessorFees).copied();
            assert_eq!(fees.unwrap_or_default(), i64::from(-fee) * 10_000, "turn {number}");
        }
        verify_ledger(&world).await;
    }

    async fn one_that_cannot_be_folded_holds_up_no_other(house: TestHouse) {
        let world = World::new(&house).await;
        let mut ids = Vec::new();
        for n in 0..9 {
            let id = world.start(25_000_000, "USD").await;
            world.take(&life(&format!("Many{n}"), id)[0]).await;
            ids.push(id);
        }
        // Its facts were written by a program that knew more than this one.
        let broken = "UPDATE webhook_event SET facts = '[{\"what\":\"is this\"}]' \
            WHERE event_id = 'evt_Many4x1'";
        house.execute(broken, Vec::<sea_orm::Value>::new()).await;
        assert_eq!(world.fold().await, 9);
        for (n, id) in ids.iter().enumerate() {
            let customer = sums_about(&house, *id).await.get(&BookKind::Customer).copied();
            assert_eq!(customer, (n != 4).then_some(25_000_000), "payment {n}");
        }
        let attempts = "SELECT attempts FROM webhook_event WHERE state = 0";
        let no_values = Vec::<sea_orm::Value>::new;
        assert_eq!(house.value::<i32>(attempts, no_values()).await, 1);
        assert_eq!(world.fold().await, 0, "it waits");
        for _ in 0..20 {
            house.hand.advance(std::time::Duration::from_secs(3_600));
            world.fold().await;
        }
        assert_eq!(put_aside(&house).await, 1);
        let dead = "SELECT attempts FROM webhook_event WHERE state = 3";
        assert_eq!(house.value::<i32>(dead, no_values()).await, 10);
    }

    async fn a_crash_after_any_statement_changes_nothing(house: TestHouse) {
        let world = World::new(&house).await;
        let mut crashes = 0;
        for crash_after in 1..200 {
            let id = world.start(25_000_000, "USD").await;
            for event in life(&format!("Crash{crash_after}"), id) {
                world.take(&event).await;
            }
            let count = Arc::new(AtomicUsize::new(0));
            let crashed = {
                let db = house.platform.db.clone().observed({
                    let count = Arc::clone(&count);
                    move |_| {
                        let run = count.fetch_add(1, Ordering::Relaxed) + 1;
                        assert!(run != crash_after, "the process dies here");
                    }
                });
                let platform = Arc::new(Platform { db, ..Platform::clone(&house.platform) });
                let ctx = Ctx::system(platform, "test");
                AssertUnwindSafe(payments::fold(&ctx)).catch_unwind().await.is_err()
            };
            world.fold().await;
            assert_eq!(sums_about(&house, id).await, sums_of_life(), "after {crash_after}");
            if !crashed {
                break;
            }
            crashes += 1;
        }
        assert!((10..199).contains(&crashes), "{crashes} crashes");
        verify_ledger(&world).await;
    }

    async fn a_refund_that_fails_is_taken_back(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "USD").await;
        let mut events = life("Fail", id);
        events.truncate(5);
        for event in &events {
            world.take(event).await;
        }
        world.fold().await;
        assert_eq!(world.payment(id).await.status, PaymentStatus::PartlyRefunded);
        let failed = event("evt_FailLater", "refund.failed", json!({
            "id": "re_Fail", "amount": 500, "currency": "usd", "charge": "ch_Fail",
            "payment_intent": "pi_Fail", "status": "failed",
        }));
        world.take(&failed).await;
        world.fold().await;
        // What it said before comes late, under another event: nothing changes.
        let mut late = events[4].clone();
        late["id"] = json!("evt_FailLate");
        late["type"] = json!("refund.updated");
        world.take(&late).await;
        world.fold().await;
        let sums = sums_about(&house, id).await;
        assert_eq!(sums.get(&BookKind::Customer), Some(&25_000_000), "{sums:?}");
        assert_eq!(world.payment(id).await.status, PaymentStatus::Paid);
    }

    async fn currencies_without_subunits_are_counted_as_stripe_counts_them(house: TestHouse) {
        let world = World::new(&house).await;
        // Stripe sends yen in whole units, and shillings of Uganda in hundredths.
        for (currency, units, micros) in
            [("JPY", 2_500, 2_500_000_000_i64), ("UGX", 250_000, 2_500_000_000)]
        {
            let id = world.start(micros, currency).await;
            let name = format!("Zero{currency}");
            let paid = event(&format!("evt_{name}"), "payment_intent.succeeded", json!({
                "id": format!("pi_{name}"), "amount": units, "amount_received": units,
                "amount_capturable": 0, "currency": currency.to_lowercase(),
                "metadata": { "heliograph_payment_id": id.to_string() },
            }));
            world.take(&paid).await;
            world.fold().await;
            let sums = sums_about(&house, id).await;
            assert_eq!(sums.get(&BookKind::Customer), Some(&micros), "{currency}");
        }
    }

    async fn another_currency_than_the_payment_s_is_a_conflict(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "EUR").await;
        world.take(&life("Other", id)[0]).await;
        world.fold().await;
        assert_eq!(world.payment(id).await.status, PaymentStatus::Conflicting);
        assert_eq!(sums_about(&house, id).await.len(), 0);
    }

    async fn payouts_leave_the_clearing_and_come_back(house: TestHouse) {
        let world = World::new(&house).await;
        let payout = |id: &str, kind: &str, status: &str| {
            event(id, kind, json!({
                "id": "po_1", "amount": 7_000, "currency": "usd", "status": status,
            }))
        };
        let (paid, failed) = (
            payout("evt_po2", "payout.paid", "paid"),
            payout("evt_po3", "payout.failed", "failed"),
        );
        world.take(&payout("evt_po1", "payout.created", "pending")).await;
        world.fold().await;
        let left = sums_of_all(&house).await;
        assert_eq!(left.get(&BookKind::Bank), Some(&-70_000_000), "{left:?}");
        world.take(&paid).await;
        world.fold().await;
        assert_eq!(sums_of_all(&house).await, left, "it left when it was made");
        let sums = sums_of_all(&house).await;
        assert_eq!(sums.get(&BookKind::Bank), Some(&-70_000_000), "{sums:?}");
        assert_eq!(sums.get(&BookKind::Clearing), Some(&70_000_000), "{sums:?}");
        world.take(&failed).await;
        world.fold().await;
        assert_eq!(sums_of_all(&house).await.len(), 0);
        verify_ledger(&world).await;
    }

    async fn the_account_is_told_once_of_each_turn(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.start(25_000_000, "USD").await;
        for _ in 0..2 {
            for event in life("Told", id) {
                world.take(&event).await;
                world.fold().await;
            }
        }
        let rows = house
            .rows(
                "SELECT kind FROM event WHERE account_id = $1 AND subject_id = $2 ORDER BY seq",
                vec![world.account_id.0.into(), id.0.into()],
            )
            .await;
        let kinds: Vec<EventKind> =
            rows.iter().map(|row| row.try_get("", "kind").expect("a kind")).collect();
        let expected = [
            EventKind::PaymentSucceeded,
            EventKind::PaymentRefunded,
            EventKind::PaymentDisputed,
        ];
        assert_eq!(kinds, expected);
    }

    async fn two_payments_that_share_an_object_are_left_to_a_person(house: TestHouse) {
        let world = World::new(&house).await;
        let (one, other) = (world.start(25_000_000, "USD").await, world.start(25_000_000, "USD").await);
        world.take(&life("Shared", one)[0]).await;
        let mut second: Value = life("Shared", other)[0].clone();
        second["id"] = json!("evt_SharedSecond");
        world.take(&second).await;
        world.fold().await;
        let reason: String = house
            .value("SELECT reason FROM webhook_event WHERE state = 2", Vec::<sea_orm::Value>::new())
            .await;
        assert_eq!(reason, "TWO_PAYMENTS");
        assert_eq!(sums_about(&house, one).await.get(&BookKind::Customer), Some(&25_000_000));
        assert_eq!(sums_about(&house, other).await.len(), 0);
    }
}

#[test]
fn orders_are_all_different() {
    let orders: std::collections::BTreeSet<_> =
        (0..720).map(|n| nth_order(&[1, 2, 3, 4, 5, 6], n)).collect();
    assert_eq!(orders.len(), 720);
}
