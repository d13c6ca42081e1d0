//! Kept means of payment, and automatic top-up: what is asked of Stripe, how often, and what comes of
//! it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::automatic_top_up;
use entity::enums::{AutomaticTopUpEnd, EventKind, PaymentStatus, ProcessorKind};
use entity::ids::{AccountId, PaymentId, PaymentMethodId};
use futures::FutureExt;
use heliograph::billing;
use heliograph::ctx::{Ctx, Platform};
use heliograph::error::Error;
use heliograph::payments::{
    self, AutomaticTopUpRejection, NewAutomaticTopUp, NewTopUp, RemoveMethodRejection,
    set_automatic_top_up, start_top_up, top_up_accounts,
};
use heliograph::types::money::Micros;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::fake_stripe::{Asked, StripeFake};
use super::world::{World, event, make_account, payer, verify_ledger};
use crate::support::{TestHouse, both_stores};

const INTENTS: &str = "/v1/payment_intents";
const HOUR: Duration = Duration::from_secs(3_600);

/// An intent of 25.00 in dollars.
fn intent(name: &str, status: &str, payment_id: Option<PaymentId>) -> Value {
    let received = if status == "succeeded" { 2500 } else { 0 };
    let mut intent = json!({
        "id": format!("pi_{name}"), "object": "payment_intent", "amount": 2500,
        "amount_received": received, "amount_capturable": 0, "currency": "usd", "status": status,
        "customer": "cus_Own",
    });
    if let Some(id) = payment_id {
        intent["metadata"] = json!({ "heliograph_payment_id": id.to_string() });
    }
    if status == "requires_payment_method" {
        intent["last_payment_error"] =
            json!({ "code": "authentication_required", "charge": format!("ch_{name}") });
    }
    intent
}

fn declined() -> Value {
    json!({ "error": { "type": "card_error", "code": "card_declined" } })
}

/// The webhook of a payment whose means of payment Stripe kept.
fn kept(name: &str, id: PaymentId) -> Value {
    let mut object = intent(&format!("Kept{name}"), "succeeded", Some(id));
    object["customer"] = json!(format!("cus_{name}"));
    object["payment_method"] = json!(format!("pm_{name}"));
    object["setup_future_usage"] = json!("off_session");
    event(&format!("evt_Kept{name}"), "payment_intent.succeeded", object)
}

/// A Stripe, a world, and its payer.
async fn open(house: &TestHouse) -> (StripeFake, World, Ctx) {
    let stripe = StripeFake::start().await;
    let world = World::with_api(house, Some(stripe.url.clone())).await;
    let ctx = payer(&world.platform, world.account_id);
    (stripe, world, ctx)
}

/// A means of payment of an account, kept with a payment that is no part of its balance any more.
async fn keep(house: &TestHouse, world: &World, account_id: AccountId) -> PaymentMethodId {
    let id: PaymentMethodId = world.platform.ids.next();
    let name = id.to_string().replace('_', "");
    let row = entity::payment_method::Model {
        account_id,
        id,
        endpoint_id: world.endpoint.id,
        customer_id: format!("cus_{name}"),
        method_id: format!("pm_{name}"),
        added_at_ms: house.now(),
        removed_at_ms: None,
        detached_at_ms: None,
    };
    let row = &row;
    let insert = |tx: heliograph::db::Tx| async move {
        let row = entity::payment_method::ActiveModel::from(row.clone());
        entity::payment_method::Entity::insert(row).exec_without_returning(&*tx).await
    };
    world.platform.db.write(insert).await.expect("keeps a means of payment");
    id
}

fn wish(payment_method_id: PaymentMethodId) -> NewAutomaticTopUp {
    NewAutomaticTopUp {
        threshold: Micros(10_000_000),
        amount: Micros(25_000_000),
        currency: "USD".parse().expect("a currency"),
        payment_method_id,
    }
}

async fn stored(house: &TestHouse, account_id: AccountId) -> automatic_top_up::Model {
    let found = automatic_top_up::Entity::find_by_id(account_id).one(house.platform.db.reader());
    found.await.expect("reads it").expect("it is set")
}

async fn top_up(world: &World) -> u64 {
    top_up_accounts(&world.system()).await.expect("tops up")
}

async fn posted(world: &World, account_id: AccountId) -> i64 {
    let found = billing::balance_of_account(&world.system(), account_id).await;
    found.expect("reads a balance").expect("the account is there").1.posted.0
}

/// Payments that were charged without the payer.
async fn charges(house: &TestHouse, account_id: AccountId) -> i64 {
    let sql =
        "SELECT COUNT(*) FROM payment WHERE account_id = $1 AND payment_method_id IS NOT NULL";
    house.value(sql, [account_id.into()]).await
}

async fn times_told_of_the_end(house: &TestHouse, account_id: AccountId) -> i64 {
    let sql = "SELECT COUNT(*) FROM event WHERE account_id = $1 AND kind = $2";
    house.value(sql, [account_id.into(), EventKind::AutomaticTopUpEnded.code().into()]).await
}

/// The charges that Stripe was asked for.
fn posts(stripe: &StripeFake) -> Vec<Asked> {
    let asked = stripe.asked().into_iter();
    asked.filter(|asked| asked.method == "POST" && asked.path == INTENTS).collect()
}

both_stores! {
    async fn a_means_of_payment_is_kept_where_the_payer_agreed(house: TestHouse) {
        let (stripe, world, ctx) = open(&house).await;
        stripe.answers("/v1/checkout/sessions", 200, json!({
            "id": "cs_1", "amount_total": 2500, "currency": "usd", "payment_status": "unpaid",
            "status": "open", "url": "https://checkout.example/pay",
        }));
        let new = NewTopUp {
            idempotency_key: "k".to_owned(),
            amount: Micros(25_000_000),
            currency: "USD".parse().expect("a currency"),
            processor: ProcessorKind::Stripe,
            saves_method: true,
            flow: None,
            phone: None,
        };
        let agreed = start_top_up(&ctx, new).await.expect("starts").row.id;
        let body = stripe.asked()[0].body.replace("%5B", "[").replace("%5D", "]");
        for part in ["payment_intent_data[setup_future_usage]=off_session", "customer_creation=always"] {
            assert!(body.contains(part), "{part} is not in {body}");
        }
        let silent = world.start(25_000_000, "USD").await;
        for event in [kept("Agreed", agreed), kept("Silent", silent)] {
            world.take(&event).await;
            world.fold().await;
        }
        let methods = payments::methods(&ctx).await.expect("lists");
        let [method] = methods.as_slice() else { panic!("{methods:?}") };
        assert_eq!(method.processor, ProcessorKind::Stripe);
        assert_eq!(
            (method.row.customer_id.as_str(), method.row.method_id.as_str()),
            ("cus_Agreed", "pm_Agreed")
        );
        let stranger = payer(&world.platform, make_account(&world.platform).await);
        assert!(payments::methods(&stranger).await.expect("lists").is_empty());
        let foreign = payments::remove_method(&stranger, method.row.id).await;
        assert!(matches!(foreign, Err(Error::Rejected(RemoveMethodRejection::NotFound))));

        // Stripe cannot be reached: it is told later, and asked for nothing meanwhile.
        let detach = "/v1/payment_methods/pm_Agreed/detach";
        stripe.answers(detach, 500, json!({ "error": { "type": "api_error" } }));
        payments::remove_method(&ctx, method.row.id).await.expect("removes");
        assert!(payments::methods(&ctx).await.expect("lists").is_empty());
        assert_eq!(payments::detach_removed(&world.system()).await.expect("tries"), 0);
        stripe.answers(detach, 200, json!({ "id": "pm_Agreed" }));
        assert_eq!(payments::detach_removed(&world.system()).await.expect("tells"), 1);
        assert_eq!(payments::detach_removed(&world.system()).await.expect("tells"), 0, "once");
        payments::remove_method(&ctx, method.row.id).await.expect("removes again");
        // What is told again does not bring it back.
        let mut again = kept("Agreed", agreed);
        again["id"] = json!("evt_Again");
        world.take(&again).await;
        world.fold().await;
        assert!(payments::methods(&ctx).await.expect("lists").is_empty());
    }

    async fn a_low_balance_is_topped_up_once(house: TestHouse) {
        let (stripe, world, ctx) = open(&house).await;
        let account_id = world.account_id;
        let method = keep(&house, &world, account_id).await;
        set_automatic_top_up(&ctx, wish(method)).await.expect("sets it");
        stripe.answers(INTENTS, 200, intent("Auto", "succeeded", None));
        // Many nodes at once.
        let nodes = (0..64).map(|_| top_up(&world));
        let started: u64 = futures::future::join_all(nodes).await.into_iter().sum();
        assert_eq!((started, charges(&house, account_id).await), (1, 1));
        let asked = posts(&stripe);
        let row = stored(&house, account_id).await;
        let pending = row.pending_payment_id.expect("it waits");
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].idempotency_key, Some(pending.to_string()));
        let name = method.to_string().replace('_', "");
        let body = asked[0].body.replace("%5B", "[").replace("%5D", "]");
        for part in [
            "amount=2500".to_owned(),
            "currency=usd".to_owned(),
            "off_session=true".to_owned(),
            "confirm=true".to_owned(),
            format!("customer=cus_{name}"),
            format!("payment_method=pm_{name}"),
            format!("metadata[heliograph_payment_id]={pending}"),
        ] {
            assert!(body.contains(&part), "{part} is not in {body}");
        }
        assert_eq!(top_up(&world).await, 0, "one is pending");
        // The webhook says the same as the answer did.
        world.take(&event("evt_Auto", "payment_intent.succeeded", intent("Auto", "succeeded", Some(pending)))).await;
        world.fold().await;
        assert_eq!(posted(&world, account_id).await, 25_000_000);
        assert_eq!(stored(&house, account_id).await.pending_payment_id, None);
        assert_eq!(top_up(&world).await, 0, "there is enough");
        assert_eq!(posts(&stripe).len(), 1);
        verify_ledger(&world).await;
    }

    async fn three_failures_in_a_row_end_it(house: TestHouse) {
        let (stripe, world, ctx) = open(&house).await;
        let account_id = world.account_id;
        let method = keep(&house, &world, account_id).await;
        set_automatic_top_up(&ctx, wish(method)).await.expect("sets it");
        stripe.answers_to("POST", INTENTS, 402, declined());
        stripe.answers_to("GET", INTENTS, 200, json!({ "data": [], "has_more": false }));
        for failure in 1..=3_i16 {
            assert_eq!(top_up(&world).await, 1, "try {failure}");
            let pending = stored(&house, account_id).await.pending_payment_id.expect("it waits");
            let failed = intent(&format!("Auto{failure}"), "requires_payment_method", Some(pending));
            if failure == 2 {
                // The webhook is lost: the sweep finds it.
                stripe.answers_to("GET", INTENTS, 200, json!({ "data": [failed], "has_more": false }));
                house.hand.advance(HOUR);
                payments::poll_payments(&world.system()).await.expect("polls");
            } else {
                let name = format!("evt_Failed{failure}");
                world.take(&event(&name, "payment_intent.payment_failed", failed)).await;
            }
            world.fold().await;
            let row = stored(&house, account_id).await;
            assert_eq!((row.failures, row.pending_payment_id), (failure, None));
            assert_eq!(row.ended, (failure == 3).then_some(AutomaticTopUpEnd::PaymentsFailed));
            assert_eq!(world.payment(pending).await.status, PaymentStatus::AttemptFailed);
            assert_eq!(top_up(&world).await, 0, "it waits a while");
            house.hand.advance(6 * HOUR);
        }
        assert_eq!(top_up(&world).await, 0, "it has ended");
        assert_eq!(times_told_of_the_end(&house, account_id).await, 1);
        // What failed is called off, so that nothing is collected by it later.
        stripe.answers(&format!("{INTENTS}/pi_Auto3/cancel"), 200, intent("Auto3", "canceled", None));
        payments::poll_payments(&world.system()).await.expect("polls");
        world.fold().await;
        let canceled = "SELECT COUNT(*) FROM payment WHERE payment_method_id IS NOT NULL AND status = $1";
        let canceled: i64 = house.value(canceled, [PaymentStatus::Canceled.code().into()]).await;
        assert_eq!(canceled, 1);
        // The account sets it again, and a success counts from the beginning.
        set_automatic_top_up(&ctx, wish(method)).await.expect("sets it");
        stripe.answers_to("POST", INTENTS, 200, intent("Auto4", "succeeded", None));
        assert_eq!(top_up(&world).await, 1);
        world.fold().await;
        let row = stored(&house, account_id).await;
        assert_eq!((row.failures, row.ended, row.pending_payment_id), (0, None, None));
        assert_eq!(posted(&world, account_id).await, 25_000_000);
    }

    async fn no_more_a_day_than_allowed(house: TestHouse) {
        let (stripe, world, ctx) = open(&house).await;
        let method = keep(&house, &world, world.account_id).await;
        let greedy = NewAutomaticTopUp { threshold: Micros(900_000_000_000), ..wish(method) };
        set_automatic_top_up(&ctx, greedy).await.expect("sets it");
        let mut started = 0;
        for n in 0..12 {
            stripe.answers(INTENTS, 200, intent(&format!("Day{n}"), "succeeded", None));
            started += top_up(&world).await;
            world.fold().await;
            // Setting it again does not begin the day anew.
            set_automatic_top_up(&ctx, greedy).await.expect("sets it");
        }
        assert_eq!(started, u64::from(world.platform.settings.payments.automatic_top_ups_per_day));
        house.hand.advance(24 * HOUR);
        stripe.answers(INTENTS, 200, intent("Tomorrow", "succeeded", None));
        assert_eq!(top_up(&world).await, 1);
    }

    async fn what_stripe_may_have_forgotten_is_not_asked_again(house: TestHouse) {
        let (stripe, world, ctx) = open(&house).await;
        let account_id = world.account_id;
        let method = keep(&house, &world, account_id).await;
        set_automatic_top_up(&ctx, wish(method)).await.expect("sets it");
        stripe.answers_to("POST", INTENTS, 500, json!({ "error": { "type": "api_error" } }));
        stripe.answers_to("GET", INTENTS, 200, json!({ "data": [], "has_more": false }));
        assert_eq!(top_up(&world).await, 1);
        let pending = stored(&house, account_id).await.pending_payment_id.expect("it waits");
        house.hand.advance(HOUR);
        payments::poll_payments(&world.system()).await.expect("polls");
        let asked = posts(&stripe);
        assert!(asked.len() >= 2, "{asked:?}");
        assert!(asked.iter().all(|it| it.idempotency_key == Some(pending.to_string())), "{asked:?}");
        world.fold().await;
        assert_eq!(stored(&house, account_id).await.pending_payment_id, Some(pending));
        house.hand.advance(23 * HOUR);
        payments::poll_payments(&world.system()).await.expect("polls");
        assert_eq!(posts(&stripe).len(), asked.len(), "it is looked for, not asked for");
        world.fold().await;
        assert_eq!(world.payment(pending).await.status, PaymentStatus::Canceled);
        let row = stored(&house, account_id).await;
        assert_eq!((row.failures, row.pending_payment_id), (1, None));
        assert_eq!(charges(&house, account_id).await, 1);
    }

    async fn a_crash_after_any_statement_charges_once(house: TestHouse) {
        let (stripe, world, _) = open(&house).await;
        stripe.answers_to("POST", INTENTS, 500, json!({ "error": { "type": "api_error" } }));
        let mut crashes = 0;
        for crash_after in 1..100 {
            let account_id = make_account(&world.platform).await;
            let method = keep(&house, &world, account_id).await;
            let ctx = payer(&world.platform, account_id);
            set_automatic_top_up(&ctx, wish(method)).await.expect("sets it");
            let run = Arc::new(AtomicUsize::new(0));
            let crashed = {
                let db = house.platform.db.clone().observed({
                    let run = Arc::clone(&run);
                    move |_| {
                        let run = run.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(run != crash_after, "the process dies here");
                    }
                });
                let platform = Arc::new(Platform { db, ..Platform::clone(&house.platform) });
                let ctx = Ctx::system(platform, "test");
                AssertUnwindSafe(top_up_accounts(&ctx)).catch_unwind().await.is_err()
            };
            top_up(&world).await;
            assert_eq!(charges(&house, account_id).await, 1, "after {crash_after}");
            let row = stored(&house, account_id).await;
            assert!(row.pending_payment_id.is_some() && row.started_in_day == 1, "{row:?}");
            if !crashed {
                break;
            }
            crashes += 1;
        }
        assert!((5..99).contains(&crashes), "{crashes} crashes");
    }

    async fn it_ends_when_it_is_disabled_or_its_means_of_payment_goes(house: TestHouse) {
        use AutomaticTopUpRejection as No;
        let (stripe, world, ctx) = open(&house).await;
        let account_id = world.account_id;
        stripe.answers(INTENTS, 200, intent("Auto", "succeeded", None));
        assert!(payments::disable_automatic_top_up(&ctx).await.is_err(), "it was never set");
        let method = keep(&house, &world, account_id).await;
        let foreign = keep(&house, &world, make_account(&world.platform).await).await;
        let wish = wish(method);
        for (new, expected) in [
            (NewAutomaticTopUp { threshold: Micros(-1), ..wish }, No::InvalidThreshold),
            (NewAutomaticTopUp { amount: Micros(0), ..wish }, No::InvalidAmount),
            (NewAutomaticTopUp { amount: Micros(1_005_000), ..wish }, No::InvalidAmount),
            (
                NewAutomaticTopUp { currency: "EUR".parse().expect("a currency"), ..wish },
                No::OtherCurrency,
            ),
            (NewAutomaticTopUp { payment_method_id: foreign, ..wish }, No::MethodNotFound),
        ] {
            match set_automatic_top_up(&ctx, new).await {
                Err(Error::Rejected(rejection)) => assert_eq!(rejection, expected, "{new:?}"),
                other => panic!("{new:?}: {other:?}"),
            }
        }
        set_automatic_top_up(&ctx, wish).await.expect("sets it");
        for _ in 0..2 {
            let row = payments::disable_automatic_top_up(&ctx).await.expect("disables it");
            assert_eq!(row.ended, Some(AutomaticTopUpEnd::Disabled));
        }
        assert_eq!(top_up(&world).await, 0);
        set_automatic_top_up(&ctx, wish).await.expect("sets it");
        // The payer removed it at Stripe.
        let name = method.to_string().replace('_', "");
        let detached = json!({ "id": format!("pm_{name}"), "object": "payment_method", "customer": null });
        world.take(&event("evt_Gone", "payment_method.detached", detached)).await;
        world.fold().await;
        assert_eq!(stored(&house, account_id).await.ended, Some(AutomaticTopUpEnd::MethodRemoved));
        assert_eq!(payments::detach_removed(&world.system()).await.expect("tells"), 0, "Stripe knows");
        let gone = set_automatic_top_up(&ctx, wish).await;
        assert!(matches!(gone, Err(Error::Rejected(No::MethodNotFound))), "{gone:?}");
        assert_eq!(top_up(&world).await, 0);
        assert_eq!(times_told_of_the_end(&house, account_id).await, 2);
        assert!(posts(&stripe).is_empty());
    }
}
