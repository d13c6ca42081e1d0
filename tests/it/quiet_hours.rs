//! Quiet hours: marketing leaves when it is legal where its recipient may be, and not a moment later.

use std::sync::Arc;
use std::time::Duration;

use entity::enums::{AttributeKind, MessageClass, MessageStatus};
use entity::ids::MessageId;
use entity::message::Model as Message;
use entity::time::UnixMillis;
use heliograph::campaigns;
use heliograph::contacts::{self, AttributeValue, ContactChange, NewAttribute};
use heliograph::ctx::Ctx;
use heliograph::messages::commands::{self, SendInput};
use heliograph::messages::{ItemErrorCode, NewMessage, estimate, sweeps};
use heliograph::types::quiet_hours::QuietHours;

use crate::billing::{Payer, scripted_carrier};
use crate::campaigns::{World, fold_and_work, work_as};
use crate::messages::{batch, ids, stored, to};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const HOUR_MS: i64 = 3_600_000;
const BERLIN: &str = "+4915112345678";

/// The platform with hours for Germany; tests begin on a Monday at 01:00 there.
fn with_hours(house: &TestHouse, hours: &str) -> Arc<heliograph::ctx::Platform> {
    let text = format!(
        "[[rule]]\ncountry = \"DE\"\nsource = \"a test\"\nvalid_from = \"2000-01-01\"\n\
         hours = [{hours:?}]\nholidays = [\"2026-01-06\"]\n"
    );
    let rules = Arc::new(QuietHours::parse(&text).unwrap());
    house.platform_with(|settings| settings.quiet_hours.rules = rules)
}

struct Night {
    payer: Payer,
    ctx: Ctx,
    system: Ctx,
    tables: heliograph::messages::commands::Tables,
}

impl Night {
    async fn new(house: &TestHouse, hours: &str) -> Self {
        let payer = Payer::with(house, 10_000 * crate::billing::PART).await;
        let platform = with_hours(house, hours);
        let ctx = Ctx::new(Arc::clone(&platform), payer.ctx.actor.clone(), Arc::from("test"));
        let system = Ctx::system(platform, "test");
        Self { payer, ctx, system, tables: Payer::tables(house).await }
    }

    async fn send(&self, key: &str, messages: Vec<NewMessage>) -> Vec<MessageId> {
        ids(&self.try_send(batch(key, messages)).await)
    }

    async fn try_send(&self, input: SendInput) -> commands::SendOutcome {
        commands::send(&self.ctx, &self.tables, input).await.unwrap()
    }

    async fn message(&self, house: &TestHouse, id: MessageId) -> Message {
        stored(house, &self.payer.ctx, id).await
    }
}

fn marketing(recipient: &str) -> NewMessage {
    NewMessage { class: Some(MessageClass::Marketing), ..to(recipient) }
}

/// Hours and minutes after the test's beginning, which is midnight in UTC.
fn clock(start: UnixMillis, hours: i64, minutes: i64) -> UnixMillis {
    start.plus_ms(hours * HOUR_MS + minutes * 60_000)
}

both_stores! {
    async fn marketing_waits_for_its_window_and_nothing_else_does(house: TestHouse) {
        let night = Night::new(&house, "daily 08:00-20:00").await;
        let start = house.now();
        let sent = night.send("a", vec![marketing(BERLIN), to(BERLIN), marketing("+447400123456")]).await;
        let waits = night.message(&house, sent[0]).await;
        assert_eq!(waits.status, MessageStatus::Scheduled);
        assert_eq!(waits.due_at_ms, clock(start, 7, 0), "08:00 in Berlin");
        assert_eq!(waits.expires_at_ms, clock(start, 19, 0), "20:00 in Berlin");
        assert_eq!(waits.valid_until_ms, Some(clock(start, 31, 0)));
        for id in &sent[1..] {
            let free = night.message(&house, *id).await;
            assert_eq!((free.status, free.valid_until_ms), (MessageStatus::Queued, None));
        }
        // A time of its own counts from there; a holiday has none.
        let at = |hours| NewMessage { send_at: Some(clock(start, hours, 0)), ..marketing(BERLIN) };
        let sent = night.send("b", vec![at(12), at(20), at(30)]).await;
        for (id, due) in sent.iter().zip([12, 55, 55]) {
            let message = night.message(&house, *id).await;
            assert_eq!(message.due_at_ms, clock(start, due, 0));
        }
        house.hand.advance(Duration::from_secs(7 * 3_600 - 1));
        assert_eq!(sweeps::queue_scheduled(&night.system).await.unwrap(), 0);
        house.hand.advance(Duration::from_secs(1));
        assert_eq!(sweeps::queue_scheduled(&night.system).await.unwrap(), 1);
    }

    async fn the_contacts_own_zone_counts_before_its_number(house: TestHouse) {
        let night = Night::new(&house, "daily 08:00-20:00").await;
        let ctx = &night.payer.ctx;
        let zone = NewAttribute { key: "time_zone".to_owned(), kind: AttributeKind::Text };
        contacts::create_attribute(ctx, zone).await.unwrap();
        let in_zone = |name: &str| contacts::NewContact {
            number: BERLIN.to_owned(),
            attributes: vec![("time_zone".to_owned(), Some(AttributeValue::Text(name.to_owned())))],
            tags: Vec::new(),
        };
        for wrong in ["Berlin", "Mars/Base", "+01:00", ""] {
            assert!(contacts::create(ctx, in_zone(wrong)).await.is_err(), "{wrong}");
        }
        let contact = contacts::create(ctx, in_zone("Asia/Kathmandu")).await.unwrap();
        let start = house.now();
        // 00:00 in UTC is 05:45 in Kathmandu.
        let sent = night.send("a", vec![marketing(BERLIN), marketing("+4915112345679")]).await;
        assert_eq!(night.message(&house, sent[0]).await.due_at_ms, clock(start, 2, 15));
        assert_eq!(night.message(&house, sent[1]).await.due_at_ms, clock(start, 7, 0));
        let none = vec![("time_zone".to_owned(), None)];
        let change = ContactChange { attributes: none, ..ContactChange::default() };
        contacts::update(ctx, contact.id, change).await.unwrap();
        let sent = night.send("b", vec![marketing(BERLIN)]).await;
        assert_eq!(night.message(&house, sent[0]).await.due_at_ms, clock(start, 7, 0));
    }

    async fn where_no_time_is_legal_it_is_refused_and_an_estimate_says_so_before(house: TestHouse) {
        let night = Night::new(&house, "daily 08:00-20:00").await;
        let text = "[[rule]]\ncountry = \"RU\"\nsource = \"a test\"\nvalid_from = \"2000-01-01\"\n\
            hours = [\"daily 10:00-12:00\"]\n[[rule]]\ncountry = \"DE\"\nsource = \"a test\"\n\
            valid_from = \"2000-01-01\"\nhours = [\"daily 08:00-20:00\"]\n";
        let rules = Arc::new(QuietHours::parse(text).unwrap());
        let platform = house.platform_with(|settings| settings.quiet_hours.rules = rules);
        let ctx = Ctx::new(platform, night.payer.ctx.actor.clone(), Arc::from("test"));
        let messages = vec![marketing("+79161234567"), marketing(BERLIN), to(BERLIN)];
        let estimates = estimate(&ctx, &night.tables, messages.clone()).await.unwrap();
        let release = |index: usize| estimates.items[index].as_ref().map(|it| it.release_at);
        assert_eq!(release(0).unwrap_err().code, ItemErrorCode::NoSendingTime);
        assert_eq!(release(1).unwrap(), Some(clock(house.now(), 7, 0)));
        assert_eq!(release(2).unwrap(), None);
        let sent = commands::send(&ctx, &night.tables, batch("a", messages)).await.unwrap();
        assert_eq!(sent.results[0].as_ref().unwrap_err().code, ItemErrorCode::NoSendingTime);
        assert!(sent.results[1].is_ok() && sent.results[2].is_ok());
    }

    async fn what_no_carrier_took_in_its_window_goes_on_in_the_next(house: TestHouse) {
        let night = Night::new(&house, "daily 00:30-02:00").await;
        let start = house.now();
        let short = NewMessage { validity_period_seconds: Some(3_600 * 3), ..marketing(BERLIN) };
        let long = NewMessage { validity_period_seconds: Some(172_800), ..marketing(BERLIN) };
        let sent = night.send("a", vec![short, long]).await;
        for id in &sent {
            let message = night.message(&house, *id).await;
            assert_eq!(message.status, MessageStatus::Queued, "it is 01:00 there");
            assert_eq!(message.expires_at_ms, clock(start, 1, 0), "02:00");
        }
        // A carrier that comes at the end of the window gets nothing, before any sweep.
        house.hand.advance(Duration::from_secs(3_600));
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        let free = night.send("b", vec![to("+4915112999999")]).await;
        assert_eq!(carrier.submission().await.message_id, free[0]);
        carrier.stop().await;
        for _ in 0..2 {
            sweeps::expire_queued(&night.system).await.unwrap();
        }
        let gone = night.message(&house, sent[0]).await;
        assert_eq!(gone.status, MessageStatus::ExpiredHere, "worth nothing by the next window");
        let held = night.message(&house, sent[1]).await;
        // The next day is a holiday, the one after is within two days.
        assert_eq!(held.status, MessageStatus::Scheduled);
        assert_eq!(held.due_at_ms, clock(start, 47, 30));
        assert_eq!(held.expires_at_ms, clock(start, 48, 0), "its validity comes before 02:00");
        assert_eq!((held.valid_until_ms, held.version), (None, 2));
        assert_eq!((gone.charged_micros, held.charged_micros), (Some(0), None), "one hold is left");
    }

    async fn what_a_carrier_refuses_for_now_at_the_end_of_its_window_goes_on_in_the_next(house: TestHouse) {
        let night = Night::new(&house, "daily 00:30-02:00").await;
        let start = house.now();
        let short = NewMessage { validity_period_seconds: Some(3_600 * 3), ..marketing(BERLIN) };
        let long = NewMessage { validity_period_seconds: Some(172_800), ..marketing(BERLIN) };
        let sent = night.send("a", vec![short, long]).await;
        // A second before the end, so that the next try is behind it.
        house.hand.advance(Duration::from_secs(3_599));
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::says_later);
        carrier.submission().await;
        carrier.submission().await;
        let answered = async {
            while house.value::<i64>("SELECT count(*) FROM message WHERE status = 20", []).await > 0
                || house.value::<i64>("SELECT count(*) FROM message WHERE attempt = 0", []).await > 0
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(PATIENCE, answered).await;
        carrier.stop().await;
        house.hand.advance(Duration::from_secs(1));
        for _ in 0..2 {
            sweeps::expire_queued(&night.system).await.unwrap();
        }
        let gone = night.message(&house, sent[0]).await;
        assert_eq!(gone.status, MessageStatus::ExpiredHere, "worth nothing by the next window");
        assert_eq!(gone.charged_micros, Some(0));
        let held = night.message(&house, sent[1]).await;
        assert_eq!((held.status, held.attempt), (MessageStatus::Scheduled, 1));
        assert_eq!(held.due_at_ms, clock(start, 47, 30));
        assert_eq!((held.valid_until_ms, held.charged_micros), (None, None));
    }

    async fn a_paused_campaign_goes_on_in_a_window(house: TestHouse) {
        let world = World::new(&house, 3).await;
        let platform = with_hours(&house, "daily 00:30-02:00");
        let worker = Ctx::system(Arc::clone(&platform), "test");
        let ctx = Ctx::new(platform, world.payer.ctx.actor.clone(), Arc::from("test"));
        let start = house.now();
        let campaign = world.started().await;
        work_as(&house, &worker).await;
        campaigns::pause(&ctx, campaign.id).await.unwrap();
        work_as(&house, &worker).await;
        let stands = crate::campaigns::by_status(&house, &campaign).await;
        assert_eq!(stands, [(MessageStatus::Held, 3)].into());
        house.hand.advance(Duration::from_secs(2 * 3_600));
        campaigns::resume(&ctx, campaign.id).await.unwrap();
        work_as(&house, &worker).await;
        let stands = crate::campaigns::by_status(&house, &campaign).await;
        assert_eq!(stands, [(MessageStatus::Scheduled, 3)].into());
        let rows = house.rows("SELECT due_at_ms FROM message", []).await;
        for row in rows {
            let due: UnixMillis = row.try_get("", "due_at_ms").unwrap();
            assert_eq!(due, clock(start.plus_ms(-1_000), 47, 30), "behind the holiday");
        }
        fold_and_work(&house).await;
        let stands = world.stands(&campaign).await.0;
        assert_eq!(stands, entity::enums::CampaignStatus::Running, "they wait");
        campaigns::cancel(&ctx, campaign.id).await.unwrap();
        work_as(&house, &worker).await;
        let stands = crate::campaigns::by_status(&house, &campaign).await;
        assert_eq!(stands, [(MessageStatus::Canceled, 3)].into());
        assert_eq!(world.payer.has().await.1, 0);
    }

    async fn a_campaign_at_night_waits_spread_by_its_rate_and_its_preview_tells(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let platform = with_hours(&house, "daily 08:00-20:00");
        let worker = Ctx::system(Arc::clone(&platform), "test");
        let ctx = Ctx::new(platform, world.payer.ctx.actor.clone(), Arc::from("test"));
        let open = clock(house.now().plus_ms(-1_000), 7, 0);
        let new = campaigns::NewCampaign { rate_per_s: Some(2), ..world.new_campaign() };
        let campaign = campaigns::create(&ctx, new).await.unwrap();
        let tables = Payer::tables(&house).await;
        let one = campaigns::Examples { count: 1, variant: None };
        let preview = campaigns::preview(&ctx, &tables, campaign.id, &one).await.unwrap();
        assert_eq!((preview.waiting, preview.released), (5, Some((open, open.plus_ms(2_000)))));
        campaigns::start(&ctx, campaign.id).await.unwrap();
        for _ in 0..4 {
            work_as(&house, &worker).await;
            work_as(&house, &worker).await;
            house.hand.advance(Duration::from_secs(1));
        }
        let rows = house.rows("SELECT due_at_ms FROM message ORDER BY contact_id", []).await;
        let due: Vec<i64> =
            rows.iter().map(|row| row.try_get::<i64>("", "due_at_ms").unwrap() - open.0).collect();
        assert_eq!(due, [0, 0, 1_000, 1_000, 2_000], "two a second, as it was asked");
    }
}
