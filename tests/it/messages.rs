//! The main job at the level of the domain: accept, hand over, settle; on both stores, through the
//! in-process simulator and through SMPP over TCP.

mod asking;
mod backlog;
mod conventions;
mod inbound_parts;
mod national;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use entity::carrier;
use entity::enums::{
    AccountKind, AccountStatus, CarrierKind, EventKind, KeyMode, MessageClass, MessageStatus,
};
use entity::event::Model as Event;
use entity::ids::{AccountId, CarrierId, MessageId};
use entity::{account, message};
use heliograph::authz::{Actor, KeyActor, Scope};
use heliograph::billing;
use heliograph::carriers::Carrier;
use heliograph::carriers::registry::SIMULATOR_CARRIER_ID;
use heliograph::carriers::simulator::{SimulatorCarrier, SimulatorConfig};
use heliograph::carriers::smpp::{SmppCarrier, SmppConfig};
use heliograph::carriers::smsc::config::{Shares, SmscConfig};
use heliograph::carriers::smsc::{Smsc, SmscHandle};
use heliograph::ctx::Ctx;
use heliograph::db::Tx;
use heliograph::error::Error;
use heliograph::events::{Hub, Subscription, Topic};
use heliograph::identity;
use heliograph::messages::commands::{
    self, BatchRejection, CancelResult, SendInput, SendOutcome, SentMessage, Tables,
};
use heliograph::messages::dispatch::{self, CarrierFactory};
use heliograph::messages::{ItemErrorCode, NewMessage, sweeps};
use heliograph::routing::RouteTable;
use heliograph::senders;
use heliograph::types::money::Micros;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Set, Statement};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, TestHouse, both_stores, within};

/// An account and a key of it.
async fn account(house: &TestHouse, mode: KeyMode) -> Ctx {
    let id: AccountId = house.platform.ids.next();
    insert(house, &|tx| async move {
        account::ActiveModel {
            id: Set(id),
            name: Set("Acme".to_owned()),
            kind: Set(AccountKind::Customer),
            status: Set(AccountStatus::Active),
            default_region: Set(Some("DE".to_owned())),
            version: Set(1),
            created_at_ms: Set(house.now()),
            updated_at_ms: Set(house.now()),
        }
        .insert(&*tx)
        .await
        .map(drop)
    })
    .await;
    house.ctx_as(Actor::Key(KeyActor {
        api_key_id: house.platform.ids.next(),
        account_id: id,
        mode,
        scopes: Scope::ALL.to_vec(),
    }))
}

async fn insert<F, Fut>(house: &TestHouse, body: &F)
where
    F: Fn(Tx) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), DbErr>> + Send,
{
    house.platform.db.write(body).await.unwrap();
}

async fn add_carrier(house: &TestHouse, id: CarrierId, kind: CarrierKind) {
    if carrier::Entity::find_by_id(id).one(house.platform.db.reader()).await.unwrap().is_some() {
        return;
    }
    insert(house, &|tx| async move {
        carrier::ActiveModel {
            id: Set(id),
            name: Set(format!("carrier {id}")),
            kind: Set(kind),
            settings: Set("{}".to_owned()),
            sealed_password: Set(None),
            enabled: Set(true),
            version: Set(1),
            created_at_ms: Set(house.now()),
            updated_at_ms: Set(house.now()),
        }
        .insert(&*tx)
        .await
        .map(drop)
    })
    .await;
}

pub fn to(recipient: &str) -> NewMessage {
    NewMessage {
        to: recipient.to_owned(),
        from: "Acme".to_owned(),
        text: "Hello there".to_owned(),
        class: None,
        client_reference: None,
        send_at: None,
        validity_period_seconds: None,
        topic: None,
    }
}

pub fn batch(key: &str, messages: Vec<NewMessage>) -> SendInput {
    SendInput { idempotency_key: key.to_owned(), messages }
}

/// `count` different test recipients with the given script.
fn test_numbers(script: &str, count: usize) -> Vec<NewMessage> {
    (0..count).map(|n| to(&format!("+999{script}{n:07}"))).collect()
}

async fn send(ctx: &Ctx, input: SendInput) -> SendOutcome {
    commands::send(ctx, &Tables::default(), input).await.unwrap()
}

pub fn ids(outcome: &SendOutcome) -> Vec<MessageId> {
    outcome.results.iter().map(|result| result.as_ref().unwrap().id).collect()
}

pub async fn stored(house: &TestHouse, ctx: &Ctx, id: MessageId) -> message::Model {
    let account_id = ctx.actor.account_id().unwrap();
    let found = message::Entity::find_by_id((account_id, id)).one(house.platform.db.reader()).await;
    found.unwrap().unwrap()
}

/// Dispatch of one carrier, until dropped or stopped.
pub struct Running {
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub fn start(
        house: &TestHouse,
        make: impl Fn() -> Box<dyn Carrier> + Send + Sync + 'static,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let factory: CarrierFactory = Arc::new(move |_| Ok(make()));
        let platform = Arc::clone(&house.platform);
        let task = tokio::spawn(dispatch::run(platform, factory, shutdown.clone()));
        Self { shutdown, task }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        within(PATIENCE, self.task).await.unwrap();
    }
}

fn simulator(house: &TestHouse) -> Running {
    Running::start(house, || {
        let config = SimulatorConfig { receipt_delay_ms: 0, ..SimulatorConfig::default() };
        Box::new(SimulatorCarrier::new(config))
    })
}

pub async fn subscribe(house: &TestHouse, ctx: &Ctx) -> Subscription {
    let platform = &house.platform;
    let hub = Hub::new(platform.db.clone(), platform.clock.clone(), platform.doorbell.clone());
    hub.subscribe(ctx.actor.account_id().unwrap(), Some(0)).await.unwrap()
}

/// Reads events, which must be dense, until each of `ids` has had one of `last`.
pub async fn until_all(
    subscription: &mut Subscription,
    ids: &[MessageId],
    last: &[MessageStatus],
) -> Vec<Event> {
    let mut open: HashSet<MessageId> = ids.iter().copied().collect();
    let mut events: Vec<Event> = Vec::new();
    while !open.is_empty() {
        let event = within(PATIENCE, subscription.next()).await.unwrap();
        if let Some(before) = events.last() {
            assert_eq!(event.seq, before.seq + 1, "the log has no gap");
        }
        let status = MessageStatus::from_code(event.status);
        let is_of_message = event.kind == EventKind::MessageStatusChanged;
        if is_of_message && last.contains(&status.unwrap()) {
            open.remove(&MessageId(event.subject_id));
        }
        events.push(event);
    }
    events
}

/// The statuses that the log tells of each message, in order.
fn told(events: &[Event]) -> BTreeMap<MessageId, Vec<MessageStatus>> {
    let mut told: BTreeMap<MessageId, Vec<MessageStatus>> = BTreeMap::new();
    for event in events {
        let status = MessageStatus::from_code(event.status).unwrap();
        told.entry(MessageId(event.subject_id)).or_default().push(status);
    }
    told
}

both_stores! {
    async fn a_batch_is_delivered_and_its_log_tells_each_step(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let mut events = subscribe(&house, &ctx).await;
        let outcome = send(&ctx, batch("k", test_numbers("000", 300))).await;
        let running = simulator(&house);
        let log = until_all(&mut events, &ids(&outcome), &[MessageStatus::Delivered]).await;
        running.stop().await;
        assert_eq!(log.first().unwrap().seq, 1);
        for (id, told) in told(&log) {
            use MessageStatus::{Delivered, Queued, Sent};
            assert_eq!(told, [Queued, Sent, Delivered], "{id}");
        }
        let row = stored(&house, &ctx, ids(&outcome)[0]).await;
        assert_eq!(row.status, MessageStatus::Delivered);
        assert_eq!((row.attempt, row.parts_delivered, row.version), (1, 1, 4));
        assert_eq!(row.claim_token, None);
        assert!(row.submitted_at_ms.is_some() && row.sent_at_ms.is_some());
    }

    async fn a_message_of_several_parts_is_delivered_when_all_are(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let mut events = subscribe(&house, &ctx).await;
        let long = NewMessage { text: "x".repeat(400), ..to("+9990000000001") };
        let outcome = send(&ctx, batch("k", vec![long])).await;
        let running = simulator(&house);
        until_all(&mut events, &ids(&outcome), &[MessageStatus::Delivered]).await;
        running.stop().await;
        let row = stored(&house, &ctx, ids(&outcome)[0]).await;
        assert_eq!((row.parts, row.parts_delivered), (3, 3));
        let parts: i64 = house
            .value("SELECT COUNT(*) FROM submission WHERE state = 4", Vec::new())
            .await;
        assert_eq!(parts, 3);
    }

    async fn each_item_of_a_batch_stands_for_itself(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        let bad = |change: fn(&mut NewMessage)| {
            let mut message = to("+9990000000001");
            change(&mut message);
            message
        };
        let items = vec![
            to("+9990000000001"),
            bad(|it| it.to = "not a number".to_owned()),
            bad(|it| it.to = "+49301234567".to_owned()),
            bad(|it| it.text = String::new()),
            bad(|it| it.text = "x".repeat(2_000)),
            bad(|it| it.text = "a\0b".to_owned()),
            bad(|it| it.from = "far too long a name".to_owned()),
            bad(|it| it.client_reference = Some(String::new())),
            bad(|it| it.client_reference = Some("x".repeat(101))),
            bad(|it| it.validity_period_seconds = Some(29)),
            bad(|it| it.validity_period_seconds = Some(172_801)),
            bad(|it| it.send_at = Some(entity::time::UnixMillis(i64::MAX))),
            to("0151 23456789"),
        ];
        let outcome = send(&ctx, batch("k", items)).await;
        let codes: Vec<_> = outcome
            .results
            .iter()
            .map(|result| result.as_ref().map_err(|error| error.code).map(|_| ()))
            .collect();
        use ItemErrorCode::*;
        assert_eq!(
            codes,
            [
                Ok(()),
                Err(InvalidRecipient),
                Err(UnsupportedRecipient),
                Err(EmptyText),
                Err(TextTooLong),
                Err(InvalidText),
                Err(InvalidSender),
                Err(InvalidClientReference),
                Err(InvalidClientReference),
                Err(InvalidValidityPeriod),
                Err(InvalidValidityPeriod),
                Err(SendAtTooFar),
                Ok(()),
            ]
        );
        let rows: i64 = house.value("SELECT COUNT(*) FROM message", Vec::new()).await;
        let texts: i64 = house.value("SELECT COUNT(*) FROM message_text", Vec::new()).await;
        assert_eq!((rows, texts), (2, 1), "two accepted messages share one text");
    }

    async fn a_live_key_needs_an_approved_sender_and_a_route(house: TestHouse) {
        let ctx = account(&house, KeyMode::Live).await;
        let outcome = send(&ctx, batch("k", vec![to("+4915123456789"), to("+9990000000001")])).await;
        let codes: Vec<_> =
            outcome.results.iter().map(|result| result.as_ref().unwrap_err().code).collect();
        assert_eq!(codes, [ItemErrorCode::SenderNotApproved, ItemErrorCode::TestRecipient]);
    }

    async fn the_same_key_gives_the_same_answer_once_more_and_at_once(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        let mut input = test_numbers("000", 3);
        input.push(to("nonsense"));
        let first = send(&ctx, batch("k", input.clone())).await;
        let again = send(&ctx, batch("k", input.clone())).await;
        assert_eq!((first.replayed, again.replayed), (false, true));
        assert_eq!(first.results, again.results);
        let other = commands::send(&ctx, &Tables::default(), batch("k", test_numbers("000", 2))).await;
        assert!(matches!(other, Err(Error::Rejected(BatchRejection::IdempotencyKeyReused))));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (ctx, input) = (ctx.clone(), batch("race", input.clone()));
                tokio::spawn(async move { send(&ctx, input).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(within(PATIENCE, task).await.unwrap());
        }
        assert_eq!(outcomes.iter().filter(|outcome| !outcome.replayed).count(), 1);
        assert!(outcomes.windows(2).all(|pair| pair[0].results == pair[1].results));
        let rows: i64 = house.value("SELECT COUNT(*) FROM message", Vec::new()).await;
        assert_eq!(rows, 6);
    }

    async fn batches_out_of_bounds_are_refused_whole(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        let send = |input| {
            let ctx = ctx.clone();
            async move {
                match commands::send(&ctx, &Tables::default(), input).await {
                    Err(Error::Rejected(rejection)) => rejection,
                    other => panic!("not rejected: {other:?}"),
                }
            }
        };
        assert_eq!(send(batch("k", Vec::new())).await, BatchRejection::Empty);
        assert_eq!(send(batch("k", test_numbers("000", 1_001))).await, BatchRejection::TooMany);
        let one = || test_numbers("000", 1);
        assert_eq!(send(batch("", one())).await, BatchRejection::InvalidIdempotencyKey);
        assert_eq!(send(batch(&"k".repeat(256), one())).await, BatchRejection::InvalidIdempotencyKey);
        house.execute("UPDATE account SET status = 1", Vec::new()).await;
        assert_eq!(send(batch("k", one())).await, BatchRejection::AccountSuspended);
        let rows: i64 = house.value("SELECT COUNT(*) FROM idempotency", Vec::new()).await;
        assert_eq!(rows, 0);
    }

    async fn a_thousand_messages_are_accepted_in_one_call(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        let outcome = send(&ctx, batch("k", test_numbers("000", 1_000))).await;
        let ids = ids(&outcome);
        assert!(ids.is_sorted(), "ids ascend in the order of the input");
        let last: i64 = house.value("SELECT last_seq FROM event_counter", Vec::new()).await;
        assert_eq!(last, 1_000);
    }

    async fn what_has_not_left_can_be_canceled_and_nothing_else(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        let stranger = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let sent = ids(&send(&ctx, batch("a", test_numbers("000", 1))).await);
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        running.stop().await;
        let waiting = ids(&send(&ctx, batch("b", test_numbers("000", 2))).await);
        let foreign = ids(&send(&stranger, batch("c", test_numbers("000", 1))).await);
        let wish = [waiting[0], sent[0], foreign[0], waiting[0]];
        use CancelResult::{Canceled, NotFound, TooLate};
        let results = commands::cancel(&ctx, &wish).await.unwrap();
        assert_eq!(results, [Canceled, TooLate, NotFound, Canceled]);
        assert_eq!(commands::cancel(&ctx, &wish).await.unwrap(), results, "again is the same");
        let row = stored(&house, &ctx, waiting[0]).await;
        assert_eq!((row.status, row.version), (MessageStatus::Canceled, 2));
        // The other one still goes, the canceled one never does.
        let running = simulator(&house);
        until_all(&mut events, &waiting[1..], &[MessageStatus::Delivered]).await;
        running.stop().await;
        assert_eq!(stored(&house, &ctx, waiting[0]).await.status, MessageStatus::Canceled);
    }

    async fn what_a_suspended_account_has_waiting_stays_and_then_goes(house: TestHouse) {
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let operator = house.ctx_as(Actor::CommandLine);
        // More than one turn serves, so that they would fill it.
        let mut suspended = Vec::new();
        for n in 0..33 {
            let ctx = account(&house, KeyMode::Test).await;
            let waiting = ids(&send(&ctx, batch("k", test_numbers("000", 2))).await);
            let account_id = ctx.actor.account_id().unwrap();
            identity::suspend_account(&operator, account_id).await.unwrap();
            let later = batch("later", vec![to(&format!("+999000{n:07}"))]);
            let refused = commands::send(&ctx, &Tables::default(), later).await;
            assert!(matches!(refused, Err(Error::Rejected(BatchRejection::AccountSuspended))));
            suspended.push((ctx, account_id, waiting));
        }
        let active = account(&house, KeyMode::Test).await;
        let sent = ids(&send(&active, batch("k", test_numbers("000", 3))).await);
        let mut events = subscribe(&house, &active).await;
        let running = simulator(&house);
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        for (ctx, _, waiting) in &suspended {
            assert_eq!(stored(&house, ctx, waiting[1]).await.status, MessageStatus::Queued);
        }
        let (ctx, account_id, waiting) = &suspended[0];
        // What waits can be called off, and what is not leaves with the account's return.
        let called_off = commands::cancel(ctx, &waiting[..1]).await.unwrap();
        assert_eq!(called_off, [CancelResult::Canceled]);
        identity::reactivate_account(&operator, *account_id).await.unwrap();
        house.platform.doorbell.ring(Topic::Queue(SIMULATOR_CARRIER_ID));
        let mut events = subscribe(&house, ctx).await;
        until_all(&mut events, &waiting[1..], &[MessageStatus::Delivered]).await;
        running.stop().await;
        assert_eq!(stored(&house, ctx, waiting[0]).await.status, MessageStatus::Canceled);
    }

    async fn a_scheduled_message_leaves_when_its_time_comes(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let later = house.now().plus_ms(3_600_000);
        let message = NewMessage { send_at: Some(later), ..to("+9990000000001") };
        let outcome = send(&ctx, batch("k", vec![message])).await;
        let SentMessage { id, status } = *outcome.results[0].as_ref().unwrap();
        assert_eq!(status, MessageStatus::Scheduled);
        assert_eq!(sweeps::queue_scheduled(&house.system()).await.unwrap(), 0);
        house.hand.advance(Duration::from_secs(3_600));
        assert_eq!(sweeps::queue_scheduled(&house.system()).await.unwrap(), 1);
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        let log = until_all(&mut events, &[id], &[MessageStatus::Delivered]).await;
        running.stop().await;
        use MessageStatus::{Delivered, Queued, Scheduled, Sent};
        assert_eq!(told(&log)[&id], [Scheduled, Queued, Sent, Delivered]);
    }

    async fn validities_and_receipts_end_by_the_clock(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        // 305: no receipt ever comes.
        let silent = ids(&send(&ctx, batch("a", test_numbers("305", 1))).await);
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        until_all(&mut events, &silent, &[MessageStatus::Sent]).await;
        running.stop().await;
        let queued = ids(&send(&ctx, batch("b", test_numbers("000", 1))).await);
        house.hand.advance(Duration::from_secs(72 * 3_600 + 1));
        let system = house.system();
        assert_eq!(sweeps::expire_queued(&system).await.unwrap(), 1);
        assert_eq!(sweeps::time_out_receipts(&system).await.unwrap(), 1);
        assert_eq!(sweeps::expire_queued(&system).await.unwrap(), 0, "twice changes nothing");
        let expired = stored(&house, &ctx, queued[0]).await;
        assert_eq!(expired.status, MessageStatus::ExpiredHere);
        assert_eq!(expired.error_code.as_deref(), Some("EXPIRED_BEFORE_SUBMISSION"));
        let unknown = stored(&house, &ctx, silent[0]).await;
        assert_eq!(unknown.status, MessageStatus::Unknown);
        assert_eq!(unknown.error_code.as_deref(), Some("NO_FINAL_RECEIPT"));
    }

    async fn what_a_crash_left_in_the_middle_is_uncertain_never_sent_twice(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let mut otp = to("+9990000000009");
        otp.class = Some(MessageClass::Otp);
        let mut items = test_numbers("000", 2);
        items.push(otp);
        let sent = ids(&send(&ctx, batch("k", items)).await);
        // As an earlier holder of the lease left them.
        house
            .execute(
                "UPDATE message SET status = 20, attempt = 1, claim_token = 0, \
                 submitted_at_ms = created_at_ms",
                Vec::new(),
            )
            .await;
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        use MessageStatus::{Delivered, Queued, Sent, Unknown};
        let log = until_all(&mut events, &sent, &[Unknown, Delivered]).await;
        running.stop().await;
        let told = told(&log);
        assert_eq!(told[&sent[0]], [Queued, Unknown]);
        assert_eq!(told[&sent[1]], [Queued, Unknown]);
        assert_eq!(told[&sent[2]], [Queued, Queued, Sent, Delivered], "an OTP is tried once more");
        let uncertain: i64 = house
            .value("SELECT COUNT(*) FROM submission WHERE state = 2 AND attempt = 1", Vec::new())
            .await;
        assert_eq!(uncertain, 1, "and says that its first try is uncertain");
    }
}

/// The peer lives by the real clock.
fn outside_world() -> heliograph::carriers::Platform {
    let randomness = heliograph::sys::Randomness::seeded(1);
    heliograph::carriers::Platform { clock: heliograph::sys::Clock::system(), randomness }
}

/// Where each magic recipient's message ends.
const LIVES: &[(&str, MessageStatus, Option<&str>)] = &[
    ("100", MessageStatus::Delivered, None),
    ("105", MessageStatus::Delivered, None),
    ("201", MessageStatus::Undelivered, Some("RECEIPT_ABSENT_SUBSCRIBER")),
    ("202", MessageStatus::Expired, Some("RECEIPT_EXPIRED")),
    ("203", MessageStatus::Rejected, Some("RECEIPT_REJECTED")),
    ("204", MessageStatus::Unknown, Some("RECEIPT_UNKNOWN")),
    ("205", MessageStatus::Undelivered, Some("RECEIPT_DELETED")),
    ("216", MessageStatus::Undelivered, Some("RECEIPT_UNDELIVERED")),
    ("301", MessageStatus::Delivered, None),
    ("302", MessageStatus::Delivered, None),
    ("303", MessageStatus::Delivered, None),
    ("304", MessageStatus::Delivered, None),
    ("305", MessageStatus::Sent, None),
    ("306", MessageStatus::Delivered, None),
    ("307", MessageStatus::Undelivered, Some("RECEIPT_UNDELIVERED")),
    ("308", MessageStatus::Delivered, None),
    ("309", MessageStatus::Enroute, None),
    ("401", MessageStatus::Failed, None),
    ("403", MessageStatus::Failed, None),
    ("406", MessageStatus::Failed, Some("CARRIER_REFUSED")),
    ("503", MessageStatus::Delivered, None),
    ("512", MessageStatus::Delivered, None),
    ("521", MessageStatus::Delivered, None),
    ("601", MessageStatus::Unknown, Some("SUBMISSION_UNCERTAIN")),
    ("602", MessageStatus::Unknown, Some("SUBMISSION_UNCERTAIN")),
    ("603", MessageStatus::Delivered, None),
    ("604", MessageStatus::Delivered, None),
];

/// SQLite counts the rows that its one writing connection inserted, updated and deleted.
async fn rows_written(house: &TestHouse) -> i64 {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT total_changes() AS n");
    let row = house.platform.db.migrator().query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

/// The budget of the hot path, over a message's whole life: message, text, event; claim; answer,
/// event; receipt, event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_costs_eight_row_writes() {
    async fn test(house: TestHouse) {
        const MESSAGES: usize = 1_000;
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let before = rows_written(&house).await;
        let distinct = |(n, message)| NewMessage { text: format!("Number {n}"), ..message };
        let items = test_numbers("000", MESSAGES).into_iter().enumerate().map(distinct).collect();
        let sent = ids(&send(&ctx, batch("k", items)).await);
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        running.stop().await;
        let written = rows_written(&house).await - before;
        // Beside the messages: the idempotency key, the lease, the event counter once a group.
        let most = i64::try_from(8 * MESSAGES + 200).unwrap();
        assert!(written <= most, "{written} rows for {MESSAGES} messages");
    }
    crate::support::run(heliograph::db::Store::Sqlite, "a_message_costs_eight_row_writes", test)
        .await;
}

/// Charging adds rows to each group of messages, and none to each message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charging_costs_no_row_a_message() {
    async fn test(house: TestHouse) {
        const MESSAGES: usize = 1_000;
        let ctx = account(&house, KeyMode::Live).await;
        let account_id = ctx.actor.account_id().unwrap();
        house.give_credit(account_id).await;
        senders::approve_value(&house.system(), account_id, "Acme").await.unwrap();
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let tables = Tables {
            routes: Arc::new(RouteTable::new([("", SIMULATOR_CARRIER_ID.into())])),
            prices: house.prices().current().await.unwrap(),
        };
        let before = rows_written(&house).await;
        let text = |n| NewMessage { text: format!("Number {n}"), ..to(&format!("+4915112{n:06}")) };
        let input = batch("k", (0..MESSAGES).map(text).collect());
        let sent = ids(&commands::send(&ctx, &tables, input).await.unwrap());
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        running.stop().await;
        let written = rows_written(&house).await - before;
        // Beside what test messages cost: transfer, legs, book, wallet and usage once a group.
        let most = i64::try_from(8 * MESSAGES + 400).unwrap();
        assert!(written <= most, "{written} rows for {MESSAGES} messages");
        let owner = house.ctx_as(ctx.actor.clone());
        let balance = billing::balance(&owner).await.unwrap();
        let price = i64::try_from(MESSAGES).unwrap() * 10_000;
        assert_eq!((balance.posted, balance.held), (Micros(-price), Micros(0)));
        let verified = billing::verify(&house.system()).await.unwrap();
        assert_eq!(verified.faults, []);
        assert!(verified.transfers > 0);
    }
    crate::support::run(heliograph::db::Store::Sqlite, "charging_costs_no_row_a_message", test)
        .await;
}

/// Lets the hand of the clock turn, 20 s at a time, until dropped.
fn turning(house: &TestHouse) -> tokio_util::sync::DropGuard {
    let stop = CancellationToken::new();
    let (hand, stopped) = (house.hand.clone(), stop.clone());
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        while !stopped.is_cancelled() {
            beat.tick().await;
            hand.advance(Duration::from_secs(20));
        }
    });
    stop.drop_guard()
}

both_stores! {
    async fn each_magic_recipient_lives_its_life(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let items = LIVES.iter().map(|(script, ..)| to(&format!("+999{script}0000001")));
        let sent = ids(&send(&ctx, batch("k", items.collect())).await);
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        let turning = turning(&house);
        let mut open: BTreeMap<MessageId, MessageStatus> =
            sent.iter().zip(LIVES).map(|(id, (_, status, _))| (*id, *status)).collect();
        let all = async {
            while !open.is_empty() {
                let event = events.next().await.unwrap();
                let id = MessageId(event.subject_id);
                if open.get(&id).is_some_and(|status| status.code() == event.status) {
                    open.remove(&id);
                }
            }
        };
        let done = tokio::time::timeout(PATIENCE, all).await;
        drop(turning);
        if done.is_err() {
            let number = |id: &MessageId| LIVES[sent.iter().position(|sent| sent == id).unwrap()];
            panic!("still open: {:?}", open.keys().map(number).collect::<Vec<_>>());
        }
        running.stop().await;
        for (id, (script, status, error)) in sent.iter().zip(LIVES) {
            let row = stored(&house, &ctx, *id).await;
            assert_eq!(row.status, *status, "{script}");
            let told = row.error_code.as_deref();
            match status {
                MessageStatus::Failed => assert!(told.is_some(), "{script}"),
                _ => assert_eq!(told, *error, "{script}"),
            }
        }
        let refused_often = stored(&house, &ctx, sent[17]).await;
        assert_eq!(refused_often.attempt, 6, "a first try and five more");
        let recovered = stored(&house, &ctx, sent[21]).await;
        assert_eq!(recovered.attempt, 3, "two temporary refusals, then accepted");
    }

    async fn one_time_passwords_go_first(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let class = |class: MessageClass, count: usize| {
            test_numbers("000", count)
                .into_iter()
                .map(move |message| NewMessage { class: Some(class), ..message })
                .collect::<Vec<_>>()
        };
        let marketing = ids(&send(&ctx, batch("a", class(MessageClass::Marketing, 300))).await);
        let otp = ids(&send(&ctx, batch("b", class(MessageClass::Otp, 20))).await);
        let mut events = subscribe(&house, &ctx).await;
        let running = simulator(&house);
        let all: Vec<_> = marketing.iter().chain(&otp).copied().collect();
        let log = until_all(&mut events, &all, &[MessageStatus::Delivered]).await;
        running.stop().await;
        let sent: Vec<_> = log
            .iter()
            .filter(|event| event.status == MessageStatus::Sent.code())
            .map(|event| MessageId(event.subject_id))
            .collect();
        assert!(sent[..20].iter().all(|id| otp.contains(id)), "accepted last, sent first");
    }

    async fn what_no_link_could_take_waits_in_the_queue(house: TestHouse) {
        let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        let sent = ids(&send(&ctx, batch("k", test_numbers("000", 5))).await);
        let mut events = subscribe(&house, &ctx).await;
        let config = move || {
            let password = secrecy::SecretString::from("secret");
            let mut config = SmppConfig::new("test", &address.to_string(), "heliograph", password);
            config.reconnect.first_ms = 20;
            config.reconnect.max_ms = 50;
            Box::new(SmppCarrier::new(config).unwrap()) as Box<dyn Carrier>
        };
        let running = Running::start(&house, config);
        let status = stored(&house, &ctx, sent[0]).await.status;
        assert_eq!(status, MessageStatus::Queued);
        let stop = CancellationToken::new();
        let smsc = SmscConfig { listen: address, ..SmscConfig::default() };
        let smsc = Smsc::start(smsc, outside_world(), stop.clone()).await.unwrap();
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        assert_eq!(stored(&house, &ctx, sent[0]).await.attempt, 1);
        running.stop().await;
        smsc.stop().await;
    }
}

fn smpp_to(smsc: &SmscHandle) -> impl Fn() -> Box<dyn Carrier> + Send + Sync + 'static {
    let address = smsc.local_addr().to_string();
    move || {
        let password = secrecy::SecretString::from("secret");
        let config = SmppConfig::new("test", &address, "heliograph", password);
        Box::new(SmppCarrier::new(config).unwrap())
    }
}

both_stores! {
    async fn messages_go_over_smpp_and_every_one_is_settled(house: TestHouse) {
        let stop = CancellationToken::new();
        let config = SmscConfig {
            shares: Shares {
                receipt_early: 0.1,
                receipt_duplicated: 0.1,
                undelivered: 0.1,
                throttled: 0.02,
                ..Default::default()
            },
            journal_entries_max: 1,
            seed: Some(1),
            ..SmscConfig::default()
        };
        let smsc = Smsc::start(config, outside_world(), stop.clone()).await.unwrap();
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        let mut events = subscribe(&house, &ctx).await;
        let mut all = Vec::new();
        for call in 0..4 {
            let items = (0..250).map(|n| to(&format!("+4915123{:06}", call * 250 + n))).collect();
            all.extend(ids(&send(&ctx, batch(&format!("k{call}"), items)).await));
        }
        let running = Running::start(&house, smpp_to(&smsc));
        use MessageStatus::{Delivered, Undelivered};
        let log = until_all(&mut events, &all, &[Delivered, Undelivered]).await;
        running.stop().await;
        let told = told(&log);
        let delivered = told.values().filter(|told| told.last() == Some(&Delivered)).count();
        assert!((850..950).contains(&delivered), "{delivered} of 1,000 delivered");
        assert!(told.values().all(|told| told.len() == 3), "no duplicate made an event");
        let summary = smsc.journal_summary();
        assert_eq!((summary.taken, summary.repeated), (1_000, 0), "none was submitted twice");
        smsc.stop().await;
    }
}
