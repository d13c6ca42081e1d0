//! Long messages from phones, joined of their parts.

use entity::enums::{EventKind, SenderKind, SenderStatus};
use entity::{inbound_message, sender};
use heliograph::carriers::{
    Ack, CarrierEvent, CarrierHandle, Concatenation, Inbound, LinkState, Submission,
};
use heliograph::messages::inbound_parts;
use tokio::sync::{mpsc, watch};

use super::*;

/// A carrier that passes on what phones sent, and waits for each to be taken.
struct Phones(mpsc::UnboundedReceiver<(Inbound, tokio::sync::oneshot::Sender<()>)>);

impl Carrier for Phones {
    fn start(
        mut self: Box<Self>,
        _: heliograph::carriers::Platform,
        shutdown: CancellationToken,
    ) -> CarrierHandle {
        let (submissions, mut submitted) = mpsc::channel::<Submission>(1);
        let (reported, events) = mpsc::channel(1);
        let (up, link) = watch::channel(LinkState::default());
        let task = tokio::spawn(async move {
            while let Some(Some((message, taken))) =
                shutdown.run_until_cancelled(self.0.recv()).await
            {
                let (ack, done) = Ack::pair();
                reported.send(CarrierEvent::Inbound(message, ack)).await.unwrap();
                done.await.unwrap();
                taken.send(()).unwrap();
            }
            shutdown.cancelled().await;
            submitted.close();
            drop(up);
        });
        CarrierHandle { submissions, queries: None, events, link, task }
    }
}

/// Phones, a carrier that they write over, and an account that owns the number 12345.
struct Handset {
    phones: mpsc::UnboundedSender<(Inbound, tokio::sync::oneshot::Sender<()>)>,
    running: Running,
    account_id: AccountId,
}

impl Handset {
    async fn new(house: &TestHouse) -> Self {
        let ctx = account(house, KeyMode::Live).await;
        let account_id = ctx.actor.account_id().unwrap();
        add_carrier(house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        let id = house.platform.ids.next();
        insert(house, &|tx| async move {
            sender::ActiveModel {
                account_id: Set(account_id),
                id: Set(id),
                value: Set("12345".to_owned()),
                kind: Set(SenderKind::ShortCode),
                status: Set(SenderStatus::Approved),
                reason: Set(None),
                version: Set(1),
                created_at_ms: Set(house.now()),
                updated_at_ms: Set(house.now()),
            }
            .insert(&*tx)
            .await
            .map(drop)
        })
        .await;
        let (phones, sent) = mpsc::unbounded_channel();
        let carrier = std::sync::Mutex::new(Some(Phones(sent)));
        let running = Running::start(house, move || {
            Box::new(carrier.lock().unwrap().take().expect("it is started once"))
        });
        Self { phones, running, account_id }
    }

    /// Sends one part, `(reference, total, number)`, and returns when it is stored.
    async fn part(&self, from: &str, place: (u16, u8, u8), text: &str) {
        let (reference, total, number) = place;
        let message = Inbound {
            from: from.to_owned(),
            to: "12345".to_owned(),
            text: text.to_owned(),
            concatenation: Some(Concatenation { reference, total, number }),
        };
        let (taken, done) = tokio::sync::oneshot::channel();
        self.phones.send((message, taken)).unwrap();
        within(PATIENCE, done).await.unwrap();
    }

    /// What is shown: text, parts received, parts; in the order of arrival.
    async fn shown(&self, house: &TestHouse) -> Vec<(String, i16, i16)> {
        use sea_orm::QueryOrder;
        let rows = inbound_message::Entity::find()
            .order_by_asc(inbound_message::Column::Id)
            .all(house.platform.db.reader())
            .await
            .unwrap();
        assert!(rows.iter().all(|row| row.account_id == Some(self.account_id)));
        rows.into_iter()
            .map(|row| (String::from_utf8(row.body).unwrap(), row.parts_received, row.parts))
            .collect()
    }
}

fn whole(text: &str, parts: i16) -> (String, i16, i16) {
    (text.to_owned(), parts, parts)
}

const PHONE: &str = "4915123456789";

both_stores! {
    async fn parts_in_any_order_and_twice_make_one_message_and_one_event(house: TestHouse) {
        let handset = Handset::new(&house).await;
        for (number, text) in [(3, "three"), (1, "one "), (1, "one "), (3, "three")] {
            handset.part(PHONE, (7, 3, number), text).await;
        }
        // The same reference from another phone, and of another total, is another message.
        handset.part("4915198765432", (7, 3, 2), "other").await;
        handset.part(PHONE, (7, 2, 2), "other").await;
        assert_eq!(handset.shown(&house).await, []);
        handset.part(PHONE, (7, 3, 2), "two ").await;
        assert_eq!(handset.shown(&house).await, [whole("one two three", 3)]);
        // What the carrier delivers again when all is joined already changes nothing.
        handset.part(PHONE, (7, 3, 2), "two ").await;
        house.hand.advance(Duration::from_secs(1_800));
        handset.part(PHONE, (7, 3, 1), "one ").await;
        assert_eq!(handset.shown(&house).await.len(), 1);
        let events = house
            .rows(
                "SELECT kind FROM event WHERE account_id = $1 ORDER BY seq",
                vec![handset.account_id.0.into()],
            )
            .await;
        let kinds: Vec<i16> = events.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        assert_eq!(kinds, [EventKind::MessageReceived, EventKind::Replied].map(EventKind::code));
        handset.running.stop().await;
    }

    async fn a_reference_that_is_used_again_begins_another_message(house: TestHouse) {
        let handset = Handset::new(&house).await;
        handset.part(PHONE, (7, 2, 1), "first ").await;
        // Before the first message is whole: its second part is still due, and goes to it.
        handset.part(PHONE, (7, 2, 1), "second ").await;
        handset.part(PHONE, (7, 2, 2), "message").await;
        handset.part(PHONE, (7, 2, 2), "one").await;
        let shown = handset.shown(&house).await;
        assert_eq!(shown, [whole("first message", 2), whole("second one", 2)]);
        // After the first ones are whole.
        handset.part(PHONE, (7, 2, 1), "third ").await;
        handset.part(PHONE, (7, 2, 2), "time").await;
        assert_eq!(handset.shown(&house).await[2..], [whole("third time", 2)]);
        handset.running.stop().await;
    }

    async fn a_message_that_lacks_parts_is_shown_when_its_time_is_over(house: TestHouse) {
        let handset = Handset::new(&house).await;
        let system = house.system();
        handset.part(PHONE, (7, 3, 3), "end").await;
        handset.part(PHONE, (7, 3, 1), "begin ").await;
        handset.part(PHONE, (8, 2, 1), "a ").await;
        handset.part(PHONE, (8, 2, 2), "whole").await;
        house.hand.advance(Duration::from_secs(3_600));
        assert_eq!(inbound_parts::give_up(&system).await.unwrap(), 0, "not yet");
        house.hand.advance(Duration::from_secs(61));
        assert_eq!(inbound_parts::give_up(&system).await.unwrap(), 1);
        assert_eq!(inbound_parts::give_up(&system).await.unwrap(), 0, "once");
        let shown = handset.shown(&house).await;
        assert_eq!(shown, [whole("a whole", 2), ("begin end".to_owned(), 2, 3)]);
        let kept: i64 = house.value("SELECT COUNT(*) FROM inbound_part", Vec::new()).await;
        assert_eq!(kept, 0, "what was joined is forgotten too");
        let count = "SELECT COUNT(*) FROM event WHERE kind = $1";
        for kind in [EventKind::MessageReceived, EventKind::Replied] {
            let events: i64 = house.value(count, vec![kind.code().into()]).await;
            assert_eq!(events, 2, "{kind:?}");
        }
        // The reference is free again, also for the same text.
        handset.part(PHONE, (8, 2, 2), "whole").await;
        handset.part(PHONE, (8, 2, 1), "a ").await;
        assert_eq!(handset.shown(&house).await[2..], [whole("a whole", 2)]);
        handset.running.stop().await;
    }
}
