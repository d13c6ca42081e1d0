//! Payments of invoices: by a processor's page, and from what the account has.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity::enums::{EventKind, InvoiceStatus, PaymentStatus, ProcessorKind};
use entity::ids::{AccountId, InvoiceId, PaymentId};
use entity::invoice;
use futures::FutureExt;
use heliograph::billing::invoices::{self, NewLine, PayRejection};
use heliograph::billing::{self, CreditChange};
use heliograph::ctx::{Ctx, Platform};
use heliograph::error::Error;
use heliograph::payments::{
    self, InvoicePaymentRejection, NewInvoicePayment, start_invoice_payment,
};
use heliograph::types::money::Micros;
use sea_orm::EntityTrait;
use serde_json::json;

use super::books::nth_order;
use super::fake_stripe::StripeFake;
use super::world::{World, life, make_account, payer, sums_about, sums_of_life, verify_ledger};
use crate::support::{TestHouse, both_stores};

/// Of the 720 orders of six events, every so many is tried.
const ORDERS_STEP: usize = 72;

fn page(id: &str) -> serde_json::Value {
    json!({
        "id": id, "object": "checkout.session", "amount_total": 2500, "currency": "usd",
        "payment_status": "unpaid", "status": "open", "url": "https://checkout.example/pay",
    })
}

fn pays(key: &str, invoice_id: InvoiceId) -> NewInvoicePayment {
    NewInvoicePayment {
        idempotency_key: key.to_owned(),
        invoice_id,
        amount: None,
        processor: ProcessorKind::Stripe,
        saves_method: false,
    }
}

/// An open invoice over this amount.
async fn open_invoice(world: &World, account_id: AccountId, micros: i64) -> invoice::Model {
    let system = world.system();
    let draft = invoices::create(&system, account_id, None).await.expect("makes a draft");
    let line = NewLine {
        description: "Setup".to_owned(),
        quantity: Micros(1_000_000),
        amount: Micros(micros),
    };
    invoices::add_line(&system, draft.id, line).await.expect("adds a line");
    invoices::finalize(&system, draft.id).await.expect("finalizes")
}

async fn stored(house: &TestHouse, row: &invoice::Model) -> invoice::Model {
    let id = (row.account_id, row.id);
    let found = invoice::Entity::find_by_id(id).one(house.platform.db.reader()).await;
    found.expect("reads an invoice").expect("the invoice is there")
}

/// Where an invoice stands, and what was paid of it.
async fn standing(house: &TestHouse, row: &invoice::Model) -> (InvoiceStatus, i64) {
    let row = stored(house, row).await;
    (row.status, row.paid_micros)
}

async fn posted(world: &World, account_id: AccountId) -> i64 {
    let found = billing::balance_of_account(&world.system(), account_id).await;
    found.expect("reads a balance").expect("the account is there").1.posted.0
}

async fn add_balance(world: &World, account_id: AccountId, micros: i64) {
    let change = CreditChange { add_balance: Some(Micros(micros)), ..Default::default() };
    billing::set_credit(&world.system(), account_id, change).await.expect("adds to the balance");
}

/// How often an account was told this of an invoice.
async fn told(house: &TestHouse, row: &invoice::Model, kind: EventKind) -> i64 {
    let sql = "SELECT COUNT(*) FROM event WHERE account_id = $1 AND kind = $2 AND subject_id = $3";
    house.value(sql, [row.account_id.into(), kind.code().into(), row.id.0.into()]).await
}

/// A payment of an invoice that was started, as its command keeps it.
async fn started(world: &World, house: &TestHouse, row: &invoice::Model) -> PaymentId {
    let id = world.start(row.total_micros, "USD").await;
    let sql = "UPDATE payment SET purpose = 1, invoice_id = $1 WHERE id = $2";
    assert_eq!(house.execute(sql, [row.id.0.into(), id.0.into()]).await, 1);
    id
}

both_stores! {
    async fn a_page_pays_an_invoice_and_what_goes_back_is_due_again(house: TestHouse) {
        let stripe = StripeFake::start().await;
        stripe.answers("/v1/checkout/sessions", 200, page("cs_Own"));
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let invoice = open_invoice(&world, world.account_id, 25_000_000).await;
        let ctx = payer(&world.platform, world.account_id);
        let payment = start_invoice_payment(&ctx, pays("k", invoice.id)).await.expect("starts");
        assert_eq!(payment.redirect_url.as_deref(), Some("https://checkout.example/pay"));
        assert_eq!(payment.amount_micros, 25_000_000, "all that is due");
        let asked = stripe.asked();
        let title = format!("Invoice+{}", invoice.number.as_deref().expect("a number"));
        assert!(asked[0].body.contains(&title), "{title} is not in {}", asked[0].body);
        assert!(!asked[0].body.contains("setup_future_usage"), "{}", asked[0].body);
        assert_eq!(posted(&world, world.account_id).await, -25_000_000);

        let events = life("Own", payment.id);
        for event in [&events[0], &events[1], &events[2], &events[0]] {
            world.take(event).await;
            world.fold().await;
        }
        assert_eq!(standing(&house, &invoice).await, (InvoiceStatus::Paid, 25_000_000));
        assert_eq!(posted(&world, world.account_id).await, 0);
        assert_eq!(told(&house, &invoice, EventKind::InvoicePaid).await, 1);
        // The same key goes on to tell of the payment, now that nothing is due any more.
        let again = start_invoice_payment(&ctx, pays("k", invoice.id)).await.expect("finds it");
        assert_eq!((again.id, again.status), (payment.id, PaymentStatus::Paid));
        assert_eq!(stripe.asked().len(), 1);

        world.take(&events[4]).await;
        world.take(&events[4]).await;
        world.fold().await;
        assert_eq!(standing(&house, &invoice).await, (InvoiceStatus::Open, 20_000_000));
        assert_eq!(posted(&world, world.account_id).await, -5_000_000);
        assert_eq!(told(&house, &invoice, EventKind::InvoiceReopened).await, 1);
        let rest = start_invoice_payment(&ctx, pays("rest", invoice.id)).await.expect("starts");
        assert_eq!(rest.amount_micros, 5_000_000);
        verify_ledger(&world).await;
    }

    async fn every_order_pays_an_invoice_the_same(house: TestHouse) {
        let world = World::new(&house).await;
        for n in (0..720).step_by(ORDERS_STEP) {
            let invoice = open_invoice(&world, world.account_id, 25_000_000).await;
            let id = started(&world, &house, &invoice).await;
            for (at, event) in nth_order(&life(&format!("Order{n}"), id), n).iter().enumerate() {
                world.take(event).await;
                if !(n / ORDERS_STEP + at).is_multiple_of(3) {
                    world.fold().await;
                }
                world.take(event).await;
            }
            world.fold().await;
            // Of 25.00 paid, 5.00 was refunded and 10.00 is disputed.
            assert_eq!(standing(&house, &invoice).await, (InvoiceStatus::Open, 10_000_000), "{n}");
            assert_eq!(sums_about(&house, id).await, sums_of_life(), "order {n}");
        }
        verify_ledger(&world).await;
    }

    async fn a_crash_after_any_statement_pays_an_invoice_once(house: TestHouse) {
        let world = World::new(&house).await;
        let mut crashes = 0;
        for crash_after in 1..200 {
            let invoice = open_invoice(&world, world.account_id, 25_000_000).await;
            let id = started(&world, &house, &invoice).await;
            let before = posted(&world, world.account_id).await;
            for event in &life(&format!("Crash{crash_after}"), id)[..3] {
                world.take(event).await;
            }
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
                AssertUnwindSafe(payments::fold(&ctx)).catch_unwind().await.is_err()
            };
            world.fold().await;
            assert_eq!(
                standing(&house, &invoice).await,
                (InvoiceStatus::Paid, 25_000_000),
                "after {crash_after}"
            );
            assert_eq!(posted(&world, world.account_id).await, before + 25_000_000);
            assert_eq!(told(&house, &invoice, EventKind::InvoicePaid).await, 1);
            if !crashed {
                break;
            }
            crashes += 1;
        }
        assert!((10..199).contains(&crashes), "{crashes} crashes");
        verify_ledger(&world).await;
    }

    async fn what_comes_too_late_is_the_accounts_credit(house: TestHouse) {
        let world = World::new(&house).await;
        let account_id = world.account_id;
        // Made out before there is credit, which would pay them by itself.
        let twice = open_invoice(&world, account_id, 25_000_000).await;
        let void = open_invoice(&world, account_id, 25_000_000).await;
        let small = open_invoice(&world, account_id, 1_000_000).await;
        // Two payments of one invoice, both collected.
        for name in ["First", "Second"] {
            let id = started(&world, &house, &twice).await;
            world.take(&life(name, id)[0]).await;
        }
        world.fold().await;
        assert_eq!(standing(&house, &twice).await, (InvoiceStatus::Paid, 25_000_000));
        assert_eq!(posted(&world, account_id).await, -1_000_000);
        // One that was made void meanwhile.
        let id = started(&world, &house, &void).await;
        invoices::void(&world.system(), void.id, "a mistake").await.expect("makes it void");
        world.take(&life("Void", id)[0]).await;
        world.fold().await;
        assert_eq!(standing(&house, &void).await, (InvoiceStatus::Void, 0));
        assert_eq!(posted(&world, account_id).await, 49_000_000);
        // Less was due than was paid.
        let id = started(&world, &house, &small).await;
        world.take(&life("Small", id)[0]).await;
        world.fold().await;
        assert_eq!(standing(&house, &small).await, (InvoiceStatus::Paid, 1_000_000));
        assert_eq!(posted(&world, account_id).await, 74_000_000);
        verify_ledger(&world).await;
    }

    async fn a_payment_of_an_invoice_that_cannot_be_is_refused(house: TestHouse) {
        use InvoicePaymentRejection as No;
        let stripe = StripeFake::start().await;
        stripe.answers("/v1/checkout/sessions", 200, page("cs_Own"));
        let world = World::with_api(&house, Some(stripe.url.clone())).await;
        let ctx = payer(&world.platform, world.account_id);
        let own = open_invoice(&world, world.account_id, 25_000_000).await;
        let stranger = make_account(&world.platform).await;
        let foreign = open_invoice(&world, stranger, 25_000_000).await;
        let draft = invoices::create(&world.system(), world.account_id, None).await.expect("drafts");
        let of = |amount| NewInvoicePayment { amount: Some(Micros(amount)), ..pays("k", own.id) };
        for (new, expected) in [
            (pays("", own.id), No::InvalidKey),
            (pays(&"k".repeat(101), own.id), No::InvalidKey),
            (pays("k", foreign.id), No::InvoiceNotFound),
            (pays("k", draft.id), No::InvoiceNotFound),
            (of(0), No::InvalidAmount),
            (of(-10_000), No::InvalidAmount),
            (of(1_005_000), No::InvalidAmount),
            (of(25_010_000), No::InvalidAmount),
            (NewInvoicePayment { processor: ProcessorKind::MPesa, ..pays("k", own.id) }, No::NoProcessor),
        ] {
            match start_invoice_payment(&ctx, new.clone()).await {
                Err(Error::Rejected(rejection)) => assert_eq!(rejection, expected, "{new:?}"),
                other => panic!("{new:?}: {other:?}"),
            }
        }
        assert!(stripe.asked().is_empty());
        let part = start_invoice_payment(&ctx, of(10_000_000)).await.expect("starts");
        assert_eq!(part.amount_micros, 10_000_000);
        let other = start_invoice_payment(&ctx, of(9_000_000)).await;
        assert!(matches!(other, Err(Error::Rejected(No::KeyReused))), "{other:?}");
        add_balance(&world, world.account_id, 25_000_000).await;
        invoices::pay(&ctx, own.id, "p").await.expect("pays");
        let late = start_invoice_payment(&ctx, pays("late", own.id)).await;
        assert!(matches!(late, Err(Error::Rejected(No::NotPayable))), "{late:?}");
    }

    async fn an_account_pays_with_its_credit_once(house: TestHouse) {
        let world = World::new(&house).await;
        let account_id = world.account_id;
        let ctx = payer(&world.platform, account_id);
        let rejected = |outcome: Result<invoice::Model, Error<PayRejection>>| match outcome {
            Err(Error::Rejected(rejection)) => rejection,
            other => panic!("{other:?}"),
        };
        let first = open_invoice(&world, account_id, 10_000_000).await;
        let second = open_invoice(&world, account_id, 10_000_000).await;
        let broke = rejected(invoices::pay(&ctx, first.id, "k").await);
        assert_eq!(broke, PayRejection::InsufficientBalance);
        // A credit limit is no credit.
        let limit = CreditChange { limit: Some(Micros(90_000_000)), ..Default::default() };
        billing::set_credit(&world.system(), account_id, limit).await.expect("sets a limit");
        let broke = rejected(invoices::pay(&ctx, first.id, "k").await);
        assert_eq!(broke, PayRejection::InsufficientBalance);
        add_balance(&world, account_id, 10_000_000).await;
        // 64 at once, of which each wants to pay one of two with what reaches for one.
        let tasks = (0..64).map(|n| {
            let (ctx, invoice) = (ctx.clone(), if n % 2 == 0 { &first } else { &second });
            async move { invoices::pay(&ctx, invoice.id, &format!("task {n}")).await.is_ok() }
        });
        let paid = futures::future::join_all(tasks).await.into_iter().filter(|paid| *paid).count();
        assert_eq!(paid, 1);
        let mut standings = [standing(&house, &first).await, standing(&house, &second).await];
        standings.sort_unstable();
        assert_eq!(standings, [(InvoiceStatus::Open, 0), (InvoiceStatus::Paid, 10_000_000)]);
        assert_eq!(posted(&world, account_id).await, -10_000_000, "nothing is posted");

        add_balance(&world, account_id, 15_000_000).await;
        let is_first_open = standing(&house, &first).await.0 == InvoiceStatus::Open;
        let (open, done) = if is_first_open { (first, second) } else { (second, first) };
        let row = invoices::pay(&ctx, open.id, "k").await.expect("pays");
        assert_eq!((row.status, row.paid_micros), (InvoiceStatus::Paid, 10_000_000));
        let again = invoices::pay(&ctx, open.id, "k").await.expect("replays");
        assert_eq!(again, row, "the same key pays nothing more");
        assert_eq!(rejected(invoices::pay(&ctx, done.id, "k").await), PayRejection::IdempotencyKeyReused);
        assert_eq!(rejected(invoices::pay(&ctx, done.id, "l").await), PayRejection::NotPayable);
        assert_eq!(rejected(invoices::pay(&ctx, done.id, "").await), PayRejection::InvalidIdempotencyKey);
        let stranger = payer(&world.platform, make_account(&world.platform).await);
        assert_eq!(rejected(invoices::pay(&stranger, open.id, "s").await), PayRejection::InvoiceNotFound);
        assert_eq!(told(&house, &open, EventKind::InvoicePaid).await, 1);
        assert_eq!(posted(&world, account_id).await, 5_000_000);
        verify_ledger(&world).await;
    }
}
