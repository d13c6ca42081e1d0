//! Campaigns that start by each recipient's own clock.

use std::time::Duration;

use entity::campaign::Model as Campaign;
use entity::enums::{AttributeKind, CampaignStatus, MessageStatus};
use entity::time::UnixMillis;
use heliograph::campaigns::{self, NewCampaign, SendTime, WriteCampaignRejection};
use heliograph::contacts::{self, AttributeValue, ContactChange, NewAttribute};
use heliograph::error::Error;
use heliograph::messages::sweeps;

use super::{World, by_status, fold_and_work, work};
use crate::support::{TestHouse, both_stores};

/// Contacts in New York, Kathmandu, and where their number is: Berlin.
async fn world_over_the_world(house: &TestHouse) -> World {
    let world = World::new(house, 3).await;
    let ctx = &world.payer.ctx;
    let zone = NewAttribute { key: "time_zone".to_owned(), kind: AttributeKind::Text };
    contacts::create_attribute(ctx, zone).await.unwrap();
    for (contact, zone) in world.contacts.iter().zip(["America/New_York", "Asia/Kathmandu"]) {
        let zone = Some(AttributeValue::Text(zone.to_owned()));
        let attributes = vec![("time_zone".to_owned(), zone)];
        let change = ContactChange { attributes, ..ContactChange::default() };
        contacts::update(ctx, *contact, change).await.unwrap();
    }
    world
}

async fn created(world: &World, at_local: &str) -> Campaign {
    let new = NewCampaign { send_at_local: Some(at_local.to_owned()), ..world.new_campaign() };
    campaigns::create(&world.payer.ctx, new).await.unwrap()
}

/// When messages are due, in minutes after a time, by contact.
async fn due(house: &TestHouse, campaign: &Campaign, start: UnixMillis) -> Vec<i64> {
    let sql = "SELECT due_at_ms FROM message WHERE campaign_id = $1 ORDER BY contact_id";
    let rows = house.rows(sql, [campaign.id.0.into()]).await;
    let minutes = |at: UnixMillis| at.since(start) / 60_000;
    rows.iter().map(|row| minutes(row.try_get("", "due_at_ms").unwrap())).collect()
}

both_stores! {
    async fn each_is_written_to_by_their_own_clock(house: TestHouse) {
        let start = house.now();
        let world = world_over_the_world(&house).await;
        let ctx = &world.payer.ctx;
        let campaign = created(&world, "2026-01-05T20:00").await;
        assert_eq!(campaign.status, CampaignStatus::Scheduled);
        assert_eq!(campaign.scheduled_at_ms, Some(start.plus_ms(6 * 3_600_000)), "in Kiribati");
        work(&house).await;
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Scheduled);
        house.hand.advance(Duration::from_secs(6 * 3_600));
        work(&house).await;
        assert_eq!(by_status(&house, &campaign).await, [(MessageStatus::Scheduled, 3)].into());
        assert_eq!(due(&house, &campaign, start).await, [25 * 60, 14 * 60 + 15, 19 * 60]);
        fold_and_work(&house).await;
        let totals = campaigns::totals(ctx, &[campaign.id]).await.unwrap();
        assert_eq!((totals[0].scheduled, totals[0].queued), (3, 0));
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Running, "they wait");
        // Paused, what becomes due is held, and goes on when it does.
        house.hand.advance(Duration::from_secs(8 * 3_600 + 15 * 60));
        assert_eq!(sweeps::queue_scheduled(&house.system()).await.unwrap(), 1);
        campaigns::pause(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let stands = [(MessageStatus::Scheduled, 2), (MessageStatus::Held, 1)].into();
        assert_eq!(by_status(&house, &campaign).await, stands);
        campaigns::resume(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let stands = [(MessageStatus::Scheduled, 2), (MessageStatus::Queued, 1)].into();
        assert_eq!(by_status(&house, &campaign).await, stands);
        campaigns::cancel(ctx, campaign.id).await.unwrap();
        work(&house).await;
        assert_eq!(by_status(&house, &campaign).await, [(MessageStatus::Canceled, 3)].into());
        assert_eq!(world.payer.has().await.1, 0);
    }

    async fn who_is_past_it_is_written_to_at_once_and_so_are_all_when_it_is_started(house: TestHouse) {
        let start = house.now();
        let world = world_over_the_world(&house).await;
        let ctx = &world.payer.ctx;
        let campaign = created(&world, "2026-01-05T02:00").await;
        work(&house).await;
        work(&house).await;
        // 05:45 in Kathmandu, 01:00 in Berlin, still Sunday in New York.
        assert_eq!(due(&house, &campaign, start).await, [7 * 60, 0, 60]);
        let campaign = created(&world, "2026-01-09T09:00:00").await;
        let started = campaigns::start(ctx, campaign.id).await.unwrap();
        assert_eq!(started.send_at_local, None);
        work(&house).await;
        assert_eq!(by_status(&house, &campaign).await, [(MessageStatus::Queued, 3)].into());
    }

    async fn what_is_no_local_time_is_refused(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let campaign = world.create().await;
        use WriteCampaignRejection::{InvalidSendAtLocal, SendAtInPast, SendAtTooFar, TwoTimes};
        let at = Some(house.now().plus_ms(60_000));
        for (at, local, why) in [
            (None, "tomorrow", InvalidSendAtLocal),
            (None, "2026-01-09T09:00Z", InvalidSendAtLocal),
            (None, "2026-01-04T11:59", SendAtInPast),
            (None, "2027-02-04T11:59", SendAtTooFar),
            (at, "2026-01-09T09:00", TwoTimes),
        ] {
            let at_local = Some(local.to_owned());
            let new = NewCampaign { send_at: at, send_at_local: at_local.clone(), ..world.new_campaign() };
            let refused = campaigns::create(ctx, new).await.unwrap_err();
            assert!(matches!(&refused, Error::Rejected(it) if *it == why), "{local}: {refused:?}");
            let refused = campaigns::schedule(ctx, campaign.id, SendTime { at, at_local }).await;
            let is_why = matches!(
                &refused,
                Err(Error::Rejected(campaigns::LifecycleRejection::Schedule(it))) if *it == why
            );
            assert!(is_why, "{local}: {refused:?}");
        }
        let at_local = Some("2026-01-04T12:01".to_owned());
        let scheduled = campaigns::schedule(ctx, campaign.id, SendTime { at: None, at_local }).await;
        let scheduled = scheduled.unwrap();
        assert_eq!(scheduled.send_at_local.as_deref(), Some("2026-01-04T12:01:00"));
        let draft = campaigns::schedule(ctx, campaign.id, campaigns::SendTime::default()).await.unwrap();
        assert_eq!((draft.status, draft.send_at_local), (CampaignStatus::Draft, None));
    }
}
