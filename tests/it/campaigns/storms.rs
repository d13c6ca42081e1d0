//! Crashes, two workers, pauses and resumes, objections: all at once, and one message a contact.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use entity::enums::{CampaignStatus, KeyMode, MessageStatus};
use futures::FutureExt;
use heliograph::campaigns;
use heliograph::error::{Error, Failed};
use heliograph::sys::Randomness;
use sea_orm::ConnectionTrait;

use super::{World, assert_one_each, by_status, dying, fold_and_work, number, opt_out_of, work};
use crate::billing::{PART, Payer, assert_in_order, scripted_carrier};
use crate::messages::{subscribe, until_all};
use crate::support::{PATIENCE, both_stores, within};

both_stores! {
    async fn a_crash_after_any_statement_makes_no_message_twice(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let mut crashes = 0;
        for after in 1.. {
            let campaign = world.started().await;
            let before = world.payer.has().await.1;
            let tables = Payer::tables(&house).await;
            let worker = dying(&house, after);
            let run = AssertUnwindSafe(campaigns::run(&worker, &tables)).catch_unwind().await;
            let died = run.is_err();
            work(&house).await;
            assert_one_each(&house, &world, &campaign).await;
            assert_eq!(world.payer.has().await.1, before + 5 * PART, "after {after} statements");
            campaigns::cancel(&world.payer.ctx, campaign.id).await.unwrap();
            work(&house).await;
            assert_eq!(world.payer.has().await.1, before, "after {after} statements");
            if !died {
                break;
            }
            crashes += 1;
        }
        assert!((10..200).contains(&crashes), "{crashes} crashes");
        assert_in_order(&house).await;
    }

    async fn two_workers_at_once_make_each_message_once(house: TestHouse) {
        for _ in 0..3 {
            let world = World::new(&house, 40).await;
            let campaign = world.started().await;
            let tables = Arc::new(Payer::tables(&house).await);
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    let (ctx, tables) = (house.system(), Arc::clone(&tables));
                    tokio::spawn(async move { campaigns::run(&ctx, &tables).await.unwrap() })
                })
                .collect();
            for worker in workers {
                within(PATIENCE, worker).await.unwrap();
            }
            work(&house).await;
            assert_one_each(&house, &world, &campaign).await;
            assert_eq!(world.payer.has().await.1, 40 * PART);
        }
        assert_in_order(&house).await;
    }

    async fn pauses_and_resumes_beside_the_worker_lose_and_double_nothing(house: TestHouse) {
        let world = Arc::new(World::new(&house, 30).await);
        let campaign = world.started().await;
        let tables = Arc::new(Payer::tables(&house).await);
        let chance = Randomness::seeded(5);
        let storm = {
            let (ctx, id) = (world.payer.ctx.clone(), campaign.id);
            tokio::spawn(async move {
                for _ in 0..12 {
                    for _ in 0..u32::from(chance.bytes::<1>()[0]) * 4 {
                        tokio::task::yield_now().await;
                    }
                    campaigns::pause(&ctx, id).await.unwrap();
                    tokio::task::yield_now().await;
                    campaigns::resume(&ctx, id).await.unwrap();
                }
            })
        };
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (ctx, tables) = (house.system(), Arc::clone(&tables));
                tokio::spawn(async move {
                    for _ in 0..20 {
                        campaigns::run(&ctx, &tables).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        within(PATIENCE, storm).await.unwrap();
        for worker in workers {
            within(PATIENCE, worker).await.unwrap();
        }
        work(&house).await;
        assert_one_each(&house, &world, &campaign).await;
        let stands = by_status(&house, &campaign).await;
        assert_eq!(stands, HashMap::from([(MessageStatus::Queued, 30)]), "none is held any more");
        assert!(!world.read(&campaign).await.needs_sweep);
        fold_and_work(&house).await;
        let totals = campaigns::totals(&world.payer.ctx, &[campaign.id]).await.unwrap();
        assert_eq!((totals[0].queued, totals[0].held), (30, 0));
        assert_in_order(&house).await;
    }

    async fn a_cancel_finds_what_was_held_before_what_is_queued(house: TestHouse) {
        // Two full batches, and one message before them.
        let world = World::new(&house, 1).await;
        world.add_contacts(&house, 2_000).await;
        let campaign = world.started().await;
        work(&house).await;
        campaigns::pause(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        // As if the pause had only come to the first of them.
        let queue = "UPDATE message SET status = 10 WHERE campaign_id = $1 \
            AND id > (SELECT id FROM message WHERE campaign_id = $1 ORDER BY id LIMIT 1)";
        house.execute(queue, [campaign.id.0.into()]).await;
        let stands = by_status(&house, &campaign).await;
        assert_eq!(stands, HashMap::from([(MessageStatus::Held, 1), (MessageStatus::Queued, 2_000)]));
        campaigns::cancel(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        let stands = by_status(&house, &campaign).await;
        assert_eq!(stands, HashMap::from([(MessageStatus::Canceled, 2_001)]));
        assert_eq!(world.payer.has().await.1, 0, "nothing is held any more");
        assert_in_order(&house).await;
    }

    async fn a_pause_may_outlast_the_log(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let campaign = world.started().await;
        work(&house).await;
        campaigns::pause(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        fold_and_work(&house).await;
        house.hand.advance(std::time::Duration::from_secs(31 * 24 * 3_600));
        heliograph::messages::sweeps::purge(&house.system()).await.unwrap();
        let told = "SELECT COUNT(*) FROM event WHERE subject_id IN \
            (SELECT id FROM message WHERE campaign_id = $1)";
        assert_eq!(house.value::<i64>(told, [campaign.id.0.into()]).await, 0, "all is forgotten");
        campaigns::resume(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        fold_and_work(&house).await;
        let totals = campaigns::totals(&world.payer.ctx, &[campaign.id]).await.unwrap();
        assert_eq!((totals[0].queued, totals[0].held), (2, 0));
    }

    async fn a_test_key_lets_nothing_be_sent(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let campaign = world.create().await;
        let test = crate::graphql_api::key(&house, campaign.account_id, KeyMode::Test);
        let started = campaigns::start(&test, campaign.id).await;
        assert!(matches!(started, Err(Error::Failed(Failed::Forbidden(_)))), "{started:?}");
        let at = Some(house.now().plus_ms(60_000));
        let scheduled = campaigns::schedule(&test, campaign.id, at).await;
        assert!(matches!(scheduled, Err(Error::Failed(Failed::Forbidden(_)))), "{scheduled:?}");
        let change = campaigns::CampaignChange { text: Some("x".to_owned()), ..Default::default() };
        let changed = campaigns::update(&test, campaign.id, campaign.version, change).await;
        assert!(matches!(changed, Err(Error::Failed(Failed::Forbidden(_)))), "{changed:?}");
        assert_eq!(world.stands(&campaign).await, (CampaignStatus::Draft, None));
    }

    async fn nothing_leaves_once_a_pause_is_committed(house: TestHouse) {
        let world = World::new(&house, 20).await;
        let campaign = world.started().await;
        work(&house).await;
        campaigns::pause(&world.payer.ctx, campaign.id).await.unwrap();
        // The carrier comes before the sweep: claims hold back what they chose.
        let other = Payer::with(&house, 10 * PART).await;
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        let outcome = other.send(&house, "k", vec![crate::messages::to("+4915112345671")]).await;
        let sent = crate::billing::accepted(&outcome);
        assert_eq!(carrier.submission().await.message_id, sent[0], "another account's leaves");
        work(&house).await;
        assert!(carrier.is_idle());
        let held = HashMap::from([(MessageStatus::Held, 20)]);
        assert_eq!(by_status(&house, &campaign).await, held);
        assert_eq!(world.payer.has().await.1, 20 * PART, "what is held back stays paid for");
        // Two days later it goes on, and is worth sending for a day again.
        house.hand.advance(std::time::Duration::from_secs(2 * 86_400));
        let mut events = subscribe(&house, &world.payer.ctx).await;
        campaigns::resume(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        heliograph::messages::sweeps::expire_queued(&house.system()).await.unwrap();
        let mut left = Vec::new();
        for _ in 0..20 {
            left.push(carrier.submission().await.message_id);
        }
        until_all(&mut events, &left, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        fold_and_work(&house).await;
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Finished);
        assert_one_each(&house, &world, &campaign).await;
        assert_in_order(&house).await;
    }

    async fn canceling_gives_back_what_was_held(house: TestHouse) {
        let world = World::new(&house, 12).await;
        let campaign = world.started().await;
        work(&house).await;
        campaigns::pause(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        campaigns::cancel(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        let canceled = HashMap::from([(MessageStatus::Canceled, 12)]);
        assert_eq!(by_status(&house, &campaign).await, canceled);
        assert_eq!(world.payer.has().await, (10_000 * PART, 0));
        fold_and_work(&house).await;
        let totals = campaigns::totals(&world.payer.ctx, &[campaign.id]).await.unwrap();
        assert_eq!((totals[0].canceled, totals[0].cost_micros), (12, 0));
        assert_in_order(&house).await;
    }

    async fn a_carrier_that_comes_before_the_sweep_sends_nothing_of_a_canceled_campaign(
        house: TestHouse
    ) {
        let world = World::new(&house, 6).await;
        let campaign = world.started().await;
        work(&house).await;
        let mut events = subscribe(&house, &world.payer.ctx).await;
        campaigns::cancel(&world.payer.ctx, campaign.id).await.unwrap();
        let ids = house.rows("SELECT id FROM message", []).await;
        let ids: Vec<_> = ids.iter().map(|row| row.try_get("", "id").unwrap()).collect();
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        until_all(&mut events, &ids, &[MessageStatus::Canceled]).await;
        assert!(carrier.is_idle());
        carrier.stop().await;
        assert_eq!(world.payer.has().await.1, 0);
        assert_in_order(&house).await;
    }

    async fn who_objects_while_messages_are_made_is_sent_nothing(house: TestHouse) {
        let world = Arc::new(World::new(&house, 24).await);
        let campaign = world.started().await;
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        let tables = Arc::new(Payer::tables(&house).await);
        let worker = {
            let (ctx, tables) = (house.system(), Arc::clone(&tables));
            tokio::spawn(async move { campaigns::run(&ctx, &tables).await.unwrap() })
        };
        let stop = {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                for n in 0..12 {
                    opt_out_of(&world, &number(2 * n)).await;
                }
            })
        };
        within(PATIENCE, worker).await.unwrap();
        within(PATIENCE, stop).await.unwrap();
        let claimed = "SELECT COUNT(*) FROM message WHERE submitted_at_ms IS NOT NULL \
            AND recipient = $1";
        let mut at_objection = Vec::new();
        for n in 0..12 {
            let claimed: i64 = house.value(claimed, [number(2 * n).into()]).await;
            at_objection.push(claimed);
        }
        // The others all leave.
        let mut left = 0;
        while left < 12 {
            let to = carrier.submission().await.to;
            let n: usize = to[6..].parse().unwrap();
            left += usize::from(n % 2 == 1);
        }
        carrier.stop().await;
        for (n, before) in at_objection.iter().enumerate() {
            let after: i64 = house.value(claimed, [number(2 * n).into()]).await;
            assert_eq!(after, *before, "{n} was sent to after the objection");
        }
        let read = world.read(&campaign).await;
        assert_eq!((read.recipients, read.accepted + read.suppressed), (24, 24));
        assert_in_order(&house).await;
    }

    async fn the_store_itself_refuses_a_second_message(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let campaign = world.started().await;
        work(&house).await;
        let columns = "account_id, class, status, version, is_test, recipient, sender, \
            sender_kind, text_id, encoding, parts, country, currency, purse, unit_price_nanos, \
            price_micros, carrier_id, due_at_ms, expires_at_ms, attempt, parts_delivered, \
            created_at_ms, campaign_id, contact_id";
        let sql = format!(
            "INSERT INTO message (id, {columns}) SELECT account_id, {columns} FROM message"
        );
        let error = house.platform.db.migrator().execute_unprepared(&sql).await.unwrap_err();
        assert!(error.sql_err().is_some(), "{error}");
        assert_one_each(&house, &world, &campaign).await;
    }
}
