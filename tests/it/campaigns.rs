//! Campaigns: exactly one message a contact, whatever is paused, killed or done at once.

mod api;
mod local_time;
mod preferences;
mod retry;
mod storms;
mod stream;
mod variants;

use std::collections::HashMap;
use std::sync::Arc;

use entity::campaign::Model as Campaign;
use entity::enums::{CampaignReason, CampaignStatus, MessageClass, MessageStatus};
use entity::ids::{ContactId, ListId};
use heliograph::billing::CreditChange;
use heliograph::campaigns::{self, LifecycleRejection, NewCampaign, StartRejection};
use heliograph::contacts::{self, AttributeValue, Audience, NewAttribute, NewContact, ScopeRef};
use heliograph::ctx::{Ctx, Platform};
use heliograph::error::Error;
use heliograph::messages::opt_out;
use heliograph::rollups;
use heliograph::types::money::Micros;

use crate::billing::{PART, Payer, assert_in_order, scripted_carrier};
use crate::messages::{subscribe, until_all};
use crate::support::{TestHouse, both_stores};

/// An account with money, contacts on a list, and what it takes to run campaigns.
pub struct World {
    pub payer: Payer,
    pub list: ListId,
    pub contacts: Vec<ContactId>,
}

impl World {
    /// With so many contacts on a list, who are `number(0)` and so on.
    pub async fn new(house: &TestHouse, contacts: usize) -> Self {
        let payer = Payer::with(house, 10_000 * PART).await;
        let ctx = &payer.ctx;
        let list = contacts::create_list(ctx, "All").await.unwrap().id;
        let name =
            NewAttribute { key: "name".to_owned(), kind: entity::enums::AttributeKind::Text };
        contacts::create_attribute(ctx, name).await.unwrap();
        let mut ids = Vec::new();
        for n in 0..contacts {
            let name = AttributeValue::Text(format!("N{n}"));
            // Every third has no name.
            let attributes =
                if n % 3 == 2 { Vec::new() } else { vec![("name".to_owned(), Some(name))] };
            let new = NewContact { number: number(n), attributes, tags: Vec::new() };
            ids.push(contacts::create(ctx, new).await.unwrap().id);
        }
        if !ids.is_empty() {
            contacts::add_to_list(ctx, list, &ids).await.unwrap();
        }
        // The audience is of contacts made before the start, which time tells.
        house.hand.advance(std::time::Duration::from_secs(1));
        Self { payer, list, contacts: ids }
    }

    /// More contacts on the list, straight into the store; `contacts` leaves them out.
    pub async fn add_contacts(&self, house: &TestHouse, count: u64) {
        let now = house.now().plus_ms(-1_000);
        for n in 0..count {
            let id: ContactId = house.platform.ids.next();
            let contact = "INSERT INTO contact (account_id, id, number, number_mac, country, \
                version, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, 'DE', 1, $5, $5)";
            let number = format!("+491512{n:07}");
            let values: [sea_orm::Value; 5] = [
                self.payer.account_id.0.into(),
                id.0.into(),
                number.clone().into(),
                format!("{number:0>32}").into_bytes().into(),
                now.0.into(),
            ];
            house.execute(contact, values).await;
            let member = "INSERT INTO list_member (account_id, list_id, contact_id, added_at_ms) \
                VALUES ($1, $2, $3, $4)";
            let values: [sea_orm::Value; 4] =
                [self.payer.account_id.0.into(), self.list.0.into(), id.0.into(), now.0.into()];
            house.execute(member, values).await;
        }
        house.hand.advance(std::time::Duration::from_secs(1));
    }

    pub fn new_campaign(&self) -> NewCampaign {
        NewCampaign {
            name: "Spring".to_owned(),
            sender: "Acme".to_owned(),
            class: MessageClass::Marketing,
            topic: None,
            text: Some("Hi {{name|you}}".to_owned()),
            variants: None,
            audience: Audience { lists: vec![self.list], ..Audience::default() },
            send_at: None,
            send_at_local: None,
            rate_per_s: None,
            link_domain_id: None,
        }
    }

    pub async fn create(&self) -> Campaign {
        campaigns::create(&self.payer.ctx, self.new_campaign()).await.unwrap()
    }

    /// A campaign that has been started.
    pub async fn started(&self) -> Campaign {
        let campaign = self.create().await;
        campaigns::start(&self.payer.ctx, campaign.id).await.unwrap()
    }

    pub async fn read(&self, campaign: &Campaign) -> Campaign {
        let found = campaigns::by_ids(&self.payer.ctx, &[campaign.id]).await.unwrap();
        found.into_iter().next().unwrap()
    }

    pub async fn stands(&self, campaign: &Campaign) -> (CampaignStatus, Option<CampaignReason>) {
        let campaign = self.read(campaign).await;
        (campaign.status, campaign.reason)
    }
}

pub fn number(n: usize) -> String {
    format!("+491511{n:07}")
}

/// What the worker does in one run.
pub async fn work(house: &TestHouse) {
    work_as(house, &house.system()).await;
}

pub async fn work_as(house: &TestHouse, ctx: &Ctx) {
    let tables = Payer::tables(house).await;
    campaigns::run(ctx, &tables).await.unwrap();
}

/// The worker, and what it goes by of messages' fates.
pub async fn fold_and_work(house: &TestHouse) {
    rollups::Folder::default().fold(&house.system()).await.unwrap();
    work(house).await;
}

/// Messages of a campaign by status.
pub async fn by_status(house: &TestHouse, campaign: &Campaign) -> HashMap<MessageStatus, i64> {
    let sql = "SELECT status, COUNT(*) AS n FROM message WHERE account_id = $1 \
        AND campaign_id = $2 GROUP BY status";
    let rows = house.rows(sql, [campaign.account_id.0.into(), campaign.id.0.into()]).await;
    rows.iter()
        .map(|row| (row.try_get("", "status").unwrap(), row.try_get("", "n").unwrap()))
        .collect()
}

/// Each contact has just one message, and what is held is their price.
pub async fn assert_one_each(house: &TestHouse, world: &World, campaign: &Campaign) {
    let sql = "SELECT contact_id FROM message WHERE account_id = $1 AND campaign_id = $2 \
        ORDER BY contact_id";
    let rows = house.rows(sql, [campaign.account_id.0.into(), campaign.id.0.into()]).await;
    let written: Vec<ContactId> =
        rows.iter().map(|row| row.try_get("", "contact_id").unwrap()).collect();
    assert_eq!(written, world.contacts, "one message a contact");
    let read = world.read(campaign).await;
    let all = world.contacts.len() as i64;
    assert_eq!((read.recipients, read.expanded, read.accepted), (all, all, all));
    assert_eq!(read.price_micros, all * PART);
}

async fn opt_out_of(world: &World, number: &str) {
    let numbers = opt_out::Numbers {
        numbers: vec![number.to_owned()],
        scope: Some(ScopeRef::Account),
        note: None,
    };
    let reason = entity::enums::SuppressionReason::OptedOut;
    opt_out::suppress(&world.payer.ctx, numbers, reason).await.unwrap();
}

fn status(error: Error<LifecycleRejection>) -> CampaignStatus {
    match error {
        Error::Rejected(LifecycleRejection::WrongStatus(status)) => status,
        other => panic!("{other:?}"),
    }
}

both_stores! {
    async fn a_campaign_writes_to_each_contact_once_and_ends(house: TestHouse) {
        let world = World::new(&house, 7).await;
        let campaign = world.started().await;
        work(&house).await;
        assert_one_each(&house, &world, &campaign).await;
        assert_eq!(world.payer.has().await.1, 7 * PART);
        let texts = house.rows(
            "SELECT t.body FROM message m JOIN message_text t ON t.account_id = m.account_id \
             AND t.id = m.text_id ORDER BY m.contact_id",
            [],
        ).await;
        let texts: Vec<String> = texts
            .iter()
            .map(|row| String::from_utf8(row.try_get("", "body").unwrap()).unwrap())
            .collect();
        assert_eq!(texts, ["Hi N0", "Hi N1", "Hi you", "Hi N3", "Hi N4", "Hi you", "Hi N6"]);
        fold_and_work(&house).await;
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Running, "they wait to leave");
        let mut events = subscribe(&house, &world.payer.ctx).await;
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        let mut left = Vec::new();
        for _ in 0..7 {
            left.push(carrier.submission().await.message_id);
        }
        until_all(&mut events, &left, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        fold_and_work(&house).await;
        assert_eq!(world.stands(&campaign).await, (CampaignStatus::Finished, None));
        let totals = campaigns::totals(&world.payer.ctx, &[campaign.id]).await.unwrap();
        assert_eq!((totals[0].sent, totals[0].queued, totals[0].parts), (7, 0, 7));
        assert_eq!(totals[0].cost_micros, 7 * PART);
        work(&house).await;
        assert_one_each(&house, &world, &campaign).await;
        assert_in_order(&house).await;
    }

    async fn what_is_done_twice_or_too_late_is_told_so(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let ctx = &world.payer.ctx;
        let campaign = world.create().await;
        use CampaignStatus::{Canceled, Draft, Paused, Running, Scheduled};
        assert_eq!(status(campaigns::pause(ctx, campaign.id).await.unwrap_err()), Draft);
        assert_eq!(status(campaigns::resume(ctx, campaign.id).await.unwrap_err()), Draft);
        let at = house.now().plus_ms(60_000);
        let scheduled = campaigns::schedule(ctx, campaign.id, Some(at)).await.unwrap();
        assert_eq!((scheduled.status, scheduled.scheduled_at_ms), (Scheduled, Some(at)));
        assert_eq!(campaigns::schedule(ctx, campaign.id, campaigns::SendTime::default()).await.unwrap().status, Draft);
        let change = || campaigns::CampaignChange { name: Some("X".into()), ..Default::default() };
        let version = world.read(&campaign).await.version;
        campaigns::update(ctx, campaign.id, version, change()).await.unwrap();
        let stale = campaigns::update(ctx, campaign.id, version, change()).await.unwrap_err();
        use campaigns::WriteCampaignRejection::{NotEditable, VersionConflict};
        assert!(matches!(stale, Error::Rejected(VersionConflict)), "{stale:?}");
        campaigns::start(ctx, campaign.id).await.unwrap();
        assert_eq!(status(campaigns::start(ctx, campaign.id).await.unwrap_err()), Running);
        let running = campaigns::update(ctx, campaign.id, version + 2, change()).await.unwrap_err();
        assert!(matches!(running, Error::Rejected(NotEditable)), "{running:?}");
        assert_eq!(status(campaigns::schedule(ctx, campaign.id, campaigns::SendTime::default()).await.unwrap_err()), Running);
        campaigns::pause(ctx, campaign.id).await.unwrap();
        assert_eq!(status(campaigns::pause(ctx, campaign.id).await.unwrap_err()), Paused);
        assert_eq!(status(campaigns::start(ctx, campaign.id).await.unwrap_err()), Paused);
        campaigns::resume(ctx, campaign.id).await.unwrap();
        assert_eq!(status(campaigns::resume(ctx, campaign.id).await.unwrap_err()), Running);
        campaigns::cancel(ctx, campaign.id).await.unwrap();
        for error in [
            campaigns::cancel(ctx, campaign.id).await.unwrap_err(),
            campaigns::start(ctx, campaign.id).await.unwrap_err(),
            campaigns::resume(ctx, campaign.id).await.unwrap_err(),
        ] {
            assert_eq!(status(error), Canceled);
        }
        work(&house).await;
        assert_eq!(by_status(&house, &campaign).await, HashMap::new(), "none was made");
    }

    async fn who_cannot_be_written_to_keeps_a_campaign_from_starting(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let ctx = &world.payer.ctx;
        let empty = contacts::create_list(ctx, "Empty").await.unwrap().id;
        let audience = Audience { lists: vec![empty], ..Audience::default() };
        let new = NewCampaign { audience, ..world.new_campaign() };
        let nobody = campaigns::create(ctx, new).await.unwrap();
        let refused = |error| match error {
            Error::Rejected(LifecycleRejection::Start(why)) => why,
            other => panic!("{other:?}"),
        };
        let why = refused(campaigns::start(ctx, nobody.id).await.unwrap_err());
        assert_eq!(why, StartRejection::EmptyAudience);
        let new = NewCampaign { sender: "Other".to_owned(), ..world.new_campaign() };
        let stranger = campaigns::create(ctx, new).await.unwrap();
        let why = refused(campaigns::start(ctx, stranger.id).await.unwrap_err());
        assert_eq!(why, StartRejection::SenderNotApproved);
        opt_out_of(&world, &number(0)).await;
        opt_out_of(&world, &number(1)).await;
        let all = world.create().await;
        let why = refused(campaigns::start(ctx, all.id).await.unwrap_err());
        assert_eq!(why, StartRejection::AllSuppressed);
        // The same, when nobody is there to be told.
        let send_at = Some(house.now().plus_ms(1_000));
        let new = NewCampaign { send_at, ..world.new_campaign() };
        let scheduled = campaigns::create(ctx, new).await.unwrap();
        work(&house).await;
        assert_eq!(world.stands(&scheduled).await.0, CampaignStatus::Scheduled, "not yet");
        house.hand.advance(std::time::Duration::from_secs(1));
        work(&house).await;
        let failed = (CampaignStatus::Failed, Some(CampaignReason::AllSuppressed));
        assert_eq!(world.stands(&scheduled).await, failed);
    }

    async fn who_objects_or_is_gone_gets_nothing(house: TestHouse) {
        let mut world = World::new(&house, 4).await;
        let ctx = &world.payer.ctx;
        opt_out_of(&world, &number(1)).await;
        let campaign = world.started().await;
        // Frozen, and then gone.
        let tables = Payer::tables(&house).await;
        let paused = campaigns::pause(ctx, campaign.id).await.unwrap();
        work(&house).await;
        campaigns::resume(ctx, paused.id).await.unwrap();
        contacts::delete(ctx, world.contacts[3]).await.unwrap();
        campaigns::run(&house.system(), &tables).await.unwrap();
        let read = world.read(&campaign).await;
        // Deleting came before freezing, since nothing runs while it is paused.
        assert_eq!((read.recipients, read.accepted, read.suppressed, read.refused), (3, 2, 1, 0));
        world.contacts.truncate(3);
        // An objection that comes behind the expansion cancels at once.
        opt_out_of(&world, &number(2)).await;
        let stands = by_status(&house, &campaign).await;
        assert_eq!(stands, HashMap::from([(MessageStatus::Queued, 1), (MessageStatus::Canceled, 1)]));
        assert_eq!(world.payer.has().await.1, PART);
        assert_in_order(&house).await;
    }

    async fn it_pauses_when_the_money_ends_and_goes_on_with_more(house: TestHouse) {
        let world = World::new(&house, 10).await;
        let take = CreditChange {
            add_balance: Some(Micros(-9_993 * PART)),
            ..CreditChange::default()
        };
        world.payer.change(&house, take).await;
        let campaign = world.started().await;
        work(&house).await;
        let paused = (CampaignStatus::Paused, Some(CampaignReason::InsufficientCredit));
        assert_eq!(world.stands(&campaign).await, paused);
        assert_eq!(world.read(&campaign).await.accepted, 7, "to the last message");
        assert_eq!(world.payer.has().await, (7 * PART, 7 * PART));
        let more = CreditChange { add_balance: Some(Micros(3 * PART)), ..CreditChange::default() };
        world.payer.change(&house, more).await;
        campaigns::resume(&world.payer.ctx, campaign.id).await.unwrap();
        work(&house).await;
        assert_one_each(&house, &world, &campaign).await;
        assert_eq!(world.payer.has().await, (10 * PART, 10 * PART));
        assert_in_order(&house).await;
    }

    async fn it_pauses_when_too_many_fail_and_counts_anew_when_it_is_resumed(house: TestHouse) {
        let world = World::new(&house, 6).await;
        let platform = house.platform_with(|settings| settings.campaigns.failure_samples_min = 3);
        let worker = Ctx::system(platform, "test");
        let campaign = world.started().await;
        work_as(&house, &worker).await;
        let fail = "UPDATE message SET status = 104, version = version + 1 WHERE id = $1";
        let ids = house.rows("SELECT id FROM message ORDER BY id", []).await;
        let ids: Vec<entity::ids::MessageId> =
            ids.iter().map(|row| row.try_get("", "id").unwrap()).collect();
        assert_eq!(MessageStatus::Failed.code(), 104);
        let told = |status: MessageStatus, ids: &[entity::ids::MessageId]| {
            let account_id = world.payer.account_id;
            let events: Vec<_> = ids
                .iter()
                .map(|id| heliograph::events::NewEvent {
                    account_id,
                    kind: entity::enums::EventKind::MessageStatusChanged,
                    subject_id: id.0,
                    status: status.code(),
                    version: 2,
                    error_code: None,
                    occurred_at: house.now(),
                })
                .collect();
            let db = house.platform.db.clone();
            async move {
                let events = &events;
                db.write(|tx| async move { heliograph::events::append(&tx, events.clone()).await })
                    .await
                    .unwrap();
            }
        };
        for id in &ids[..3] {
            house.execute(fail, [id.0.into()]).await;
        }
        told(MessageStatus::Failed, &ids[..2]).await;
        rollups::Folder::default().fold(&house.system()).await.unwrap();
        work_as(&house, &worker).await;
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Running, "too few to tell");
        told(MessageStatus::Failed, &ids[2..3]).await;
        rollups::Folder::default().fold(&house.system()).await.unwrap();
        work_as(&house, &worker).await;
        let paused = (CampaignStatus::Paused, Some(CampaignReason::FailureRatio));
        assert_eq!(world.stands(&campaign).await, paused);
        campaigns::resume(&world.payer.ctx, campaign.id).await.unwrap();
        work_as(&house, &worker).await;
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Running, "counted anew");
    }

    async fn a_rate_spreads_messages_over_time(house: TestHouse) {
        let world = World::new(&house, 10).await;
        let new = NewCampaign { rate_per_s: Some(3), ..world.new_campaign() };
        let campaign = campaigns::create(&world.payer.ctx, new).await.unwrap();
        campaigns::start(&world.payer.ctx, campaign.id).await.unwrap();
        for made in [3, 6, 9, 10, 10] {
            work(&house).await;
            work(&house).await;
            assert_eq!(world.read(&campaign).await.accepted, made);
            house.hand.advance(std::time::Duration::from_secs(1));
        }
        assert_one_each(&house, &world, &campaign).await;
    }

    async fn an_audience_is_frozen_with_what_its_segments_say(house: TestHouse) {
        let mut world = World::new(&house, 5).await;
        let ctx = &world.payer.ctx;
        let named = contacts::Condition::Attribute {
            key: "name".to_owned(),
            test: contacts::AttributeTest::IsSet,
        };
        let segment = contacts::NewSegment { name: "Named".to_owned(), condition: named };
        let segment = contacts::create_segment(ctx, segment).await.unwrap();
        let out = contacts::create_list(ctx, "Out").await.unwrap().id;
        contacts::add_to_list(ctx, out, &world.contacts[3..4]).await.unwrap();
        let audience = Audience {
            segments: vec![segment.id],
            exclude_lists: vec![out],
            ..Audience::default()
        };
        let new = NewCampaign { audience, ..world.new_campaign() };
        let campaign = campaigns::create(ctx, new).await.unwrap();
        campaigns::start(ctx, campaign.id).await.unwrap();
        contacts::delete_segment(ctx, segment.id).await.unwrap();
        // Who comes later is not in it.
        house.hand.advance(std::time::Duration::from_secs(1));
        let late = NewContact {
            number: number(77),
            attributes: vec![("name".to_owned(), Some(AttributeValue::Boolean(true)))],
            tags: Vec::new(),
        };
        assert!(contacts::create(ctx, late.clone()).await.is_err(), "a name is a text");
        let name = Some(AttributeValue::Text("Late".to_owned()));
        let late = NewContact { attributes: vec![("name".to_owned(), name)], ..late };
        contacts::create(ctx, late).await.unwrap();
        work(&house).await;
        // 0, 1 and 4 have names and are not left out.
        world.contacts = vec![world.contacts[0], world.contacts[1], world.contacts[4]];
        assert_one_each(&house, &world, &campaign).await;
    }
}

/// A worker that dies after so many statements.
pub fn dying(house: &TestHouse, after: usize) -> Ctx {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let count = Arc::new(AtomicUsize::new(0));
    let db = house.platform.db.clone().observed(move |_| {
        let run = count.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(run != after, "the process dies here");
    });
    let platform = Arc::new(Platform { db, ..Platform::clone(&house.platform) });
    Ctx::system(platform, "test")
}
