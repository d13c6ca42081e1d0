//! Messages with a story, written straight into the store: the rows as they are at last, and the log
//! in any order that keeps each message's own.

use std::collections::VecDeque;

use entity::enums::{Encoding, EventKind, MessageClass, MessageStatus, Purse, SenderKind};
use entity::ids::{AccountId, CarrierId, MessageId, RouteId, TextId};
use entity::time::UnixMillis;
use entity::{event, message};
use heliograph::carriers::registry::SIMULATOR_CARRIER_ID;
use heliograph::events::Topic;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::support::TestHouse;

/// What a part costs.
const PART_MICROS: i64 = 12_500;

/// Which message, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Told {
    pub accepted_at: UnixMillis,
    pub is_test: bool,
    pub country: &'static str,
    pub sender: &'static str,
    pub class: MessageClass,
    pub parts: i16,
    pub route_id: Option<RouteId>,
    pub carrier_id: CarrierId,
    /// The status taken, how long after the one before, and what went wrong.
    pub steps: Vec<(MessageStatus, i64, Option<&'static str>)>,
}

impl Told {
    /// Delivered after a second.
    pub fn delivered(accepted_at: UnixMillis) -> Self {
        use MessageStatus::{Delivered, Queued, Sent};
        Self {
            accepted_at,
            is_test: false,
            country: "DE",
            sender: "Acme",
            class: MessageClass::Transactional,
            parts: 1,
            route_id: None,
            carrier_id: SIMULATOR_CARRIER_ID,
            steps: vec![(Queued, 0, None), (Sent, 100, None), (Delivered, 900, None)],
        }
    }

    /// Any of what can become of a message.
    pub fn random(random: &mut ChaCha20Rng, from: UnixMillis, within_ms: i64) -> Self {
        use MessageStatus::*;
        let lives: &[&[(MessageStatus, Option<&'static str>)]] = &[
            &[(Queued, None)],
            &[(Scheduled, None), (Queued, None), (Sent, None)],
            &[(Queued, None), (Sent, None), (Enroute, None), (Delivered, None)],
            &[(Queued, None), (Sent, None), (Undelivered, Some("ABSENT_SUBSCRIBER"))],
            &[(Queued, None), (Queued, Some("THROTTLED")), (Sent, None), (Delivered, None)],
            &[(Queued, None), (Failed, Some("INVALID_RECIPIENT"))],
            &[(Scheduled, None), (Canceled, Some("CANCELED"))],
            &[(Queued, None), (ExpiredHere, Some("EXPIRED_BEFORE_SUBMISSION"))],
            &[(Queued, None), (Sent, None), (Expired, Some("EXPIRED"))],
            &[(Queued, None), (Sent, None), (Rejected, Some("REJECTED"))],
            &[(Queued, None), (Unknown, Some("SUBMISSION_UNCERTAIN"))],
            &[(Queued, None), (Unknown, Some("SUBMISSION_UNCERTAIN")), (Delivered, None)],
            &[
                (Queued, None),
                (Sent, None),
                (Unknown, Some("NO_FINAL_RECEIPT")),
                (Undelivered, Some("ABSENT_SUBSCRIBER")),
            ],
            &[(Queued, None), (ExpiredHere, Some("EXPIRED_BEFORE_SUBMISSION")), (Delivered, None)],
        ];
        let life = lives[random.random_range(0..lives.len())];
        let steps = life
            .iter()
            .enumerate()
            .map(|(n, (status, error))| {
                let delay_ms = if n == 0 { 0 } else { random.random_range(0..400_000) };
                (*status, delay_ms, *error)
            })
            .collect();
        let classes = MessageClass::ALL;
        Self {
            accepted_at: from.plus_ms(random.random_range(0..within_ms)),
            is_test: random.random_range(0..5) == 0,
            country: ["DE", "GB", "IN", ""][random.random_range(0..4)],
            sender: ["Acme", "Bells"][random.random_range(0..2)],
            class: classes[random.random_range(0..classes.len())],
            parts: random.random_range(1..4),
            steps,
            ..Self::delivered(from)
        }
    }

    fn id(&self, n: u64) -> MessageId {
        let ms = u64::try_from(self.accepted_at.0).unwrap();
        MessageId(Uuid::from_u64_pair(ms << 16 | 0x7000, 0x8000_0000_0000_0000 | n))
    }

    /// Which step ends the hold, if one does.
    fn charged_step(&self) -> Option<usize> {
        use MessageStatus::{Held, Queued, Scheduled, Unknown};
        let open = |status| matches!(status, Scheduled | Held | Queued | Unknown);
        self.steps.iter().position(|(status, _, _)| !open(*status))
    }

    fn charged(&self) -> Option<i64> {
        use MessageStatus::{Canceled, ExpiredHere, Failed};
        let (status, _, _) = self.steps[self.charged_step()?];
        let never_left = matches!(status, Canceled | ExpiredHere | Failed);
        Some(if never_left { 0 } else { i64::from(self.parts) * PART_MICROS })
    }

    fn row(&self, account_id: AccountId, n: u64) -> message::Model {
        let (status, _, error) = self.steps[self.steps.len() - 1];
        let charged_version = self.charged_step().map(|step| step as i32 + 1);
        message::Model {
            account_id,
            id: self.id(n),
            class: self.class,
            status,
            version: self.steps.len() as i32,
            is_test: self.is_test,
            recipient: "+4915112345678".to_owned(),
            sender: self.sender.to_owned(),
            sender_kind: SenderKind::Alphanumeric,
            text_id: TextId(Uuid::from_u128(1)),
            encoding: Encoding::Gsm7,
            national_language: None,
            parts: self.parts,
            client_reference: None,
            country: self.country.to_owned(),
            currency: "USD".to_owned(),
            purse: Purse::Money,
            unit_price_nanos: if self.is_test { 0 } else { PART_MICROS * 1_000 },
            price_micros: if self.is_test { 0 } else { i64::from(self.parts) * PART_MICROS },
            charged_micros: if self.is_test { Some(0) } else { self.charged() },
            charged_version: if self.is_test { Some(1) } else { charged_version },
            carrier_id: self.carrier_id,
            due_at_ms: self.accepted_at,
            expires_at_ms: self.accepted_at.plus_ms(86_400_000),
            attempt: 1,
            claim_token: None,
            submitted_at_ms: None,
            carrier_message_id: None,
            sent_at_ms: None,
            finished_at_ms: None,
            parts_delivered: 0,
            error_code: error.map(str::to_owned),
            created_at_ms: self.accepted_at,
            route_id: self.route_id,
            granted_package_id: None,
            topic: None,
            campaign_id: None,
            contact_id: None,
            valid_until_ms: None,
            place: None,
            variant: None,
        }
    }

    fn events(&self, account_id: AccountId, n: u64) -> VecDeque<event::Model> {
        let mut at = self.accepted_at;
        let steps = self.steps.iter().zip(1..);
        steps
            .map(|((status, delay_ms, error), version)| {
                at = at.plus_ms(*delay_ms);
                event::Model {
                    account_id,
                    seq: 0,
                    kind: EventKind::MessageStatusChanged,
                    subject_id: self.id(n).0,
                    status: status.code(),
                    version,
                    error_code: error.map(str::to_owned),
                    occurred_at_ms: at,
                }
            })
            .collect()
    }
}

/// An account's messages, whose log is told bit by bit.
pub struct Story {
    account_id: AccountId,
    seq: i64,
    messages: u64,
    untold: Vec<VecDeque<event::Model>>,
}

impl Story {
    pub fn new(account_id: AccountId) -> Self {
        Self { account_id, seq: 0, messages: 0, untold: Vec::new() }
    }

    /// Writes the messages' rows; nothing is told yet.
    pub async fn add(&mut self, house: &TestHouse, told: &[Told]) {
        let mut rows = Vec::new();
        for message in told {
            rows.push(message.row(self.account_id, self.messages).into_active_model());
            self.untold.push(message.events(self.account_id, self.messages));
            self.messages += 1;
        }
        let rows = &rows;
        let written = house.platform.db.write(|tx| async move {
            message::Entity::insert_many(rows.clone()).exec(&*tx).await?;
            Ok::<_, DbErr>(())
        });
        written.await.unwrap();
    }

    /// Appends up to `count` events to the log, of messages by chance, and says whether there were
    /// any.
    pub async fn tell(
        &mut self,
        house: &TestHouse,
        random: &mut ChaCha20Rng,
        count: usize,
    ) -> bool {
        let mut events = Vec::new();
        while events.len() < count && !self.untold.is_empty() {
            let chosen = random.random_range(0..self.untold.len());
            match self.untold[chosen].pop_front() {
                Some(event) => {
                    self.seq += 1;
                    events.push(event::Model { seq: self.seq, ..event });
                }
                None => drop(self.untold.swap_remove(chosen)),
            }
        }
        self.append(house, events).await
    }

    /// Appends all that is left, each message's story after the other's.
    pub async fn tell_all(&mut self, house: &TestHouse) {
        let mut events = Vec::new();
        for event in std::mem::take(&mut self.untold).into_iter().flatten() {
            self.seq += 1;
            events.push(event::Model { seq: self.seq, ..event });
        }
        self.append(house, events).await;
    }

    async fn append(&self, house: &TestHouse, events: Vec<event::Model>) -> bool {
        if events.is_empty() {
            return false;
        }
        let rows: &Vec<_> = &events.into_iter().map(IntoActiveModel::into_active_model).collect();
        let written = house.platform.db.write(|tx| async move {
            event::Entity::insert_many(rows.clone()).exec(&*tx).await?;
            Ok::<_, DbErr>(())
        });
        written.await.unwrap();
        let counted = "INSERT INTO event_counter (account_id, last_seq) VALUES ($1, $2) \
            ON CONFLICT (account_id) DO UPDATE SET last_seq = excluded.last_seq";
        house.execute(counted, [self.account_id.into(), self.seq.into()]).await;
        house.platform.doorbell.ring(Topic::Events(self.account_id));
        true
    }
}
