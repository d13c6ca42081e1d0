//! One running carrier: claims and hands over, takes what comes back, keeps the lease.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::enums::SenderKind;
use entity::ids::CarrierId;
use entity::message::Model as Message;
use sea_orm::DbErr;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::claim::{Claimed, Claimer, Turns};
use super::in_flight::{InFlight, Room};
use super::lease::{Lease, RENEW_INTERVAL};
use super::receipt_ids::ReceiptIds;
use super::settle::{Group, Settler};
use super::verdict::{Circumstances, InFlightMessage, verdict};
use super::{parked, recover};
use crate::carriers::registry::Conventions;
use crate::carriers::{
    Ack, Address, Carrier, CarrierEvent, CarrierHandle, LinkState, NotSubmitted, PartOutcome,
    PartPayload, Platform as CarrierPlatform, Submission, SubmissionResult,
};
use crate::ctx::Platform;
use crate::events::{self, POLL_INTERVAL, Topic};
use crate::messages::model::reference_of;
use crate::messages::{store, text_store};
use crate::types::sms_text::{
    self, NationalLanguages, Reference16, SegmentOptions, SmsText, segment,
};

/// Claimed and not settled, in batches: what a crash makes uncertain, and enough to keep a fast
/// carrier busy while results are being committed.
const IN_FLIGHT_BATCHES_MAX: usize = 4;
/// Wait after the store failed.
const STORE_RETRY_DELAY: Duration = Duration::from_millis(500);

/// How often receipts that were put aside are looked at once more.
const LOOK_AGAIN_INTERVAL: Duration = Duration::from_secs(30);
/// How long after they were put aside, in ms: twice the time that an answer may take by default.
const LOOK_AGAIN_AGE_MS: i64 = 60_000;
/// How far back the first look goes, in ms: over a restart of the node, or another's taking over.
const LOOK_BACK_MS: i64 = 600_000;

/// Runs `carrier` under `lease` until `stop`, until the lease is lost, or until the carrier ends.
/// Returns after everything in flight is settled.
pub(super) async fn run(
    platform: Arc<Platform>,
    carrier: Box<dyn Carrier>,
    conventions: Conventions,
    lease: Lease,
    stop: CancellationToken,
) {
    let carrier_id = lease.carrier_id;
    let shared = Arc::new(Shared {
        receipt_ids: ReceiptIds::new(&conventions.carrier, conventions.receipt_id_form),
        platform,
        carrier_id,
        token: lease.token,
        conventions,
        in_flight: InFlight::default(),
        lease: watch::Sender::new(lease),
        turns: Mutex::default(),
    });
    match shared.recover_until_done(&stop).await {
        Some(0) => {}
        Some(messages) => tracing::warn!(
            carrier.id = %carrier_id, messages,
            "messages were being handed over when a node ended; they are now uncertain"
        ),
        None => return,
    }
    let carrier_stop = CancellationToken::new();
    let platform = &shared.platform;
    let parts =
        CarrierPlatform { clock: platform.clock.clone(), randomness: platform.randomness.clone() };
    let CarrierHandle { submissions, queries, events, link, task } =
        carrier.start(parts, carrier_stop.clone());
    let settling = tokio::spawn(Arc::clone(&shared).settle_all(events));
    tokio::select! {
        () = stop.cancelled() => {}
        () = shared.keep_lease(&link) => {
            tracing::warn!(carrier.id = %carrier_id, "another node took this carrier over");
        }
        () = shared.claim_all(&submissions, link.clone()) => {}
        () = shared.look_again_at_parked() => {}
        () = shared.query_overdue(queries, link.clone()) => {}
    }
    // The carrier answers what it holds, then closes its events, which ends the settling.
    drop(submissions);
    carrier_stop.cancel();
    if let Err(error) = settling.await {
        tracing::error!(carrier.id = %carrier_id, %error, "settling ended before its time");
    }
    let _ = task.await;
    let lease = *shared.lease.borrow();
    if let Err(error) = lease.release(&shared.platform).await {
        tracing::warn!(carrier.id = %carrier_id, %error, "cannot release the lease; it will expire");
    }
}

/// What the loops of one carrier share.
pub(super) struct Shared {
    pub(super) platform: Arc<Platform>,
    pub(super) carrier_id: CarrierId,
    token: i64,
    conventions: Conventions,
    receipt_ids: ReceiptIds,
    in_flight: InFlight,
    lease: watch::Sender<Lease>,
    turns: Mutex<Turns>,
}

impl Shared {
    /// Settles what an earlier holder of the lease left; `None` if the carrier is to stop first.
    async fn recover_until_done(&self, stop: &CancellationToken) -> Option<usize> {
        loop {
            match recover::left_behind(self.settler()).await {
                Ok(settled) => return Some(settled),
                Err(error) => {
                    tracing::warn!(carrier.id = %self.carrier_id, %error, "cannot recover yet");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = self.platform.clock.sleep(STORE_RETRY_DELAY) => {}
            }
        }
    }

    /// Renews the lease until another node has it.
    async fn keep_lease(&self, link: &watch::Receiver<LinkState>) {
        loop {
            self.platform.clock.sleep(RENEW_INTERVAL).await;
            let mut lease = *self.lease.borrow();
            let link = *link.borrow();
            match lease.renew(&self.platform, link).await {
                Ok(true) => {
                    self.lease.send_replace(lease);
                }
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(carrier.id = %self.carrier_id, %error, "cannot renew the lease");
                }
            }
        }
    }

    /// Waits until the lease is good for a while: at once, or after its next renewal.
    async fn wait_for_safe_lease(&self) {
        let mut renewed = self.lease.subscribe();
        // An error means the sender is gone; `self` holds it.
        let _ = renewed.wait_for(|lease| lease.is_safe(self.platform.clock.now())).await;
    }

    /// Claims and hands over for as long as the carrier takes submissions.
    async fn claim_all(
        &self,
        submissions: &mpsc::Sender<Submission>,
        mut link: watch::Receiver<LinkState>,
    ) {
        let mut bell = self.platform.doorbell.listen(Topic::Queue(self.carrier_id));
        let mut doubtful = false;
        loop {
            if link.wait_for(|link| link.bound > 0).await.is_err() {
                return;
            }
            let room = self.wait_for_room(&mut link).await;
            bell.borrow_and_update();
            self.wait_for_safe_lease().await;
            let (claimed, has_withheld) = match self.claim(&mut doubtful, room).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    doubtful = true;
                    tracing::warn!(carrier.id = %self.carrier_id, %error, "cannot claim; trying again");
                    self.platform.clock.sleep(STORE_RETRY_DELAY).await;
                    continue;
                }
            };
            // Behind what was withheld there may be more.
            if claimed.is_empty() && !has_withheld {
                tokio::select! {
                    _ = bell.changed() => {}
                    () = self.platform.clock.sleep(POLL_INTERVAL) => {}
                }
                continue;
            }
            for submission in claimed {
                if submissions.send(submission).await.is_err() {
                    return;
                }
            }
        }
    }

    fn batch(&self) -> usize {
        self.platform.settings.messages.claim_batch as usize
    }

    /// Waits until the carrier may be handed more, and returns what. A slow one is handed little
    /// ahead: what is claimed can no longer be canceled, nor overtaken by a one-time password.
    async fn wait_for_room(&self, link: &mut watch::Receiver<LinkState>) -> Room {
        let most = self.batch() * IN_FLIGHT_BATCHES_MAX;
        loop {
            let shrunk = self.in_flight.shrunk.notified();
            let now = *link.borrow_and_update();
            let room = self.in_flight.room(&now, self.platform.clock.now(), most);
            if room.is_free {
                return room;
            }
            tokio::select! {
                () = shrunk => {}
                // An error means that the carrier ends, and settles what it holds.
                Ok(()) = link.changed() => {}
            }
        }
    }

    async fn claim(
        &self,
        doubtful: &mut bool,
        room: Room,
    ) -> Result<(Vec<Submission>, bool), DbErr> {
        if *doubtful {
            self.release_unheard_claims().await?;
            *doubtful = false;
        }
        let claimer = Claimer {
            master_key: &self.platform.master_key,
            carrier_id: self.carrier_id,
            token: self.token,
            now: self.platform.clock.now(),
            limit: self.batch().min(room.step),
        };
        let turns = &self.turns;
        let (claimed, texts, withheld_of) = self
            .platform
            .db
            .write(|tx| async move {
                // Taken out for the time of the attempt: a retry starts without the memory.
                let mut taken =
                    std::mem::take(&mut *turns.lock().unwrap_or_else(PoisonError::into_inner));
                let Claimed { messages, withheld } = claimer.claim(&tx, &mut taken).await?;
                let keys = messages.iter().map(|message| (message.account_id, message.text_id));
                let texts = text_store::read_for_dispatch(&tx, keys).await?;
                *turns.lock().unwrap_or_else(PoisonError::into_inner) = taken;
                let accounts: BTreeSet<_> = withheld.iter().map(|it| it.account_id).collect();
                events::append(&tx, withheld).await?;
                Ok::<_, DbErr>((messages, texts, accounts))
            })
            .await?;
        let has_withheld = !withheld_of.is_empty();
        for account_id in withheld_of {
            self.platform.doorbell.ring(Topic::Events(account_id));
        }
        self.in_flight.add(&claimed);
        let claimed = claimed.into_iter().map(|message| submission(message, &texts)).collect();
        Ok((claimed, has_withheld))
    }

    /// After a claim whose commit was not heard of: what it marked never left, and goes back.
    async fn release_unheard_claims(&self) -> Result<(), DbErr> {
        let connection = self.platform.db.migrator();
        let marked =
            store::claimed(connection, self.carrier_id, "claim_token = $2", self.token).await?;
        let unheard = marked.into_iter().filter(|message| self.in_flight.get(message.id).is_none());
        let errors = &self.conventions.errors;
        let results = unheard.map(|message| {
            let in_flight = InFlightMessage::of(&message);
            let outcome = PartOutcome::NotSubmitted(NotSubmitted::Disconnected);
            let verdict =
                verdict(&in_flight, &[outcome], errors, Circumstances::of(&self.platform));
            (in_flight, verdict)
        });
        let group = Group { results: results.collect(), ..Group::default() };
        self.settler().settle(&group, false).await?;
        Ok(())
    }

    fn settler(&self) -> Settler<'_> {
        Settler {
            platform: &self.platform,
            carrier_id: self.carrier_id,
            token: self.token,
            conventions: &self.conventions,
            receipt_ids: &self.receipt_ids,
        }
    }

    /// Writes what the carrier reports until it closes its events.
    async fn settle_all(self: Arc<Self>, mut events: mpsc::Receiver<CarrierEvent>) {
        let settle_max = self.platform.settings.messages.settle_batch;
        let mut look_for_parked = true;
        let mut taken = Vec::with_capacity(settle_max);
        while events.recv_many(&mut taken, settle_max).await > 0 {
            let (group, acks) = self.group(taken.drain(..));
            let parked = self.settle_until_done(&group, look_for_parked).await;
            for ack in acks {
                ack.done();
            }
            let ids = group.results.iter().map(|(message, _)| message.id);
            self.in_flight.remove(ids, self.platform.clock.now());
            look_for_parked = parked || self.may_have_parked(look_for_parked).await;
        }
    }

    /// Looks once more, in every form of id, for the messages of receipts that were put aside a
    /// while ago: no answer that they could have overtaken is on its way any more.
    async fn look_again_at_parked(&self) {
        if self.receipt_ids.is_pinned() {
            return std::future::pending().await;
        }
        let mut after = self.platform.clock.now().plus_ms(-LOOK_BACK_MS);
        loop {
            self.platform.clock.sleep(LOOK_AGAIN_INTERVAL).await;
            let until = self.platform.clock.now().plus_ms(-LOOK_AGAIN_AGE_MS);
            if until <= after {
                continue;
            }
            match self.look_again(parked::Span::new(after, until)).await {
                Ok(()) => after = until,
                Err(error) => {
                    tracing::warn!(
                        carrier.id = %self.carrier_id, %error,
                        "cannot look at the receipts put aside; trying again"
                    );
                }
            }
        }
    }

    async fn look_again(&self, mut span: parked::Span) -> Result<(), DbErr> {
        loop {
            let kept = parked::in_span(self.platform.db.reader(), self.carrier_id, span).await?;
            if kept.is_empty() {
                return Ok(());
            }
            span = span.behind(&kept);
            let group = Group { second_looks: kept, ..Group::default() };
            self.settler().settle(&group, false).await?;
        }
    }

    /// Whether receipts may still be waiting; asks the store only while it last said yes.
    async fn may_have_parked(&self, before: bool) -> bool {
        if !before {
            return false;
        }
        parked::any(self.platform.db.reader(), self.carrier_id).await.unwrap_or(true)
    }

    fn group(&self, taken: impl Iterator<Item = CarrierEvent>) -> (Group, Vec<Ack>) {
        let mut group = Group::default();
        let mut acks = Vec::new();
        let at = Circumstances::of(&self.platform);
        for event in taken {
            match event {
                CarrierEvent::Result(result) => self.push_result(&mut group, &result, at),
                CarrierEvent::Receipt(receipt, ack) => {
                    group.receipts.push(receipt);
                    acks.push(ack);
                }
                CarrierEvent::Queried(receipt) => group.queried.push(receipt),
                CarrierEvent::Inbound(message, ack) => {
                    group.push_inbound(&self.platform, message);
                    acks.push(ack);
                }
            }
        }
        (group, acks)
    }

    fn push_result(&self, group: &mut Group, result: &SubmissionResult, at: Circumstances) {
        let Some(message) = self.in_flight.get(result.message_id) else {
            tracing::error!(message.id = %result.message_id, "a result for what was not submitted");
            return;
        };
        let verdict = verdict(&message, &result.parts, &self.conventions.errors, at);
        group.results.push((message, verdict));
    }

    /// Nothing that a carrier reported may be lost: it is written as soon as the store is back.
    async fn settle_until_done(&self, group: &Group, look_for_parked: bool) -> bool {
        loop {
            match self.settler().settle(group, look_for_parked).await {
                Ok(settled) => return settled.parked,
                Err(error) => {
                    tracing::warn!(
                        carrier.id = %self.carrier_id, %error,
                        "cannot write results and receipts; trying again"
                    );
                    self.platform.clock.sleep(STORE_RETRY_DELAY).await;
                }
            }
        }
    }
}

/// A claimed message as the carrier takes it. A text that is gone or unreadable cannot have been
/// accepted so, but the message must not hang: an empty one is refused by the carrier.
fn submission(message: Message, texts: &HashMap<entity::ids::TextId, String>) -> Submission {
    let text = texts.get(&message.text_id).cloned().unwrap_or_default();
    let reference = reference_of(message.id);
    let languages = message.national_language.into_iter().collect();
    let parts = payloads(text, languages, reference).unwrap_or_else(|| {
        tracing::error!(message.id = %message.id, "the text of a message is missing");
        vec![PartPayload { octets: bytes::Bytes::new(), data_coding: 0, has_header: false }]
    });
    Submission {
        message_id: message.id,
        attempt: message.attempt,
        from: address(message.sender, message.sender_kind),
        to: message.recipient.trim_start_matches('+').to_owned(),
        parts,
        expires_at: message.expires_at_ms,
        reference,
        wants_receipt: true,
    }
}

/// The parts as they were counted when the message was accepted: by the tables of the language
/// that was chosen then, whatever its route allows by now.
fn payloads(
    text: String,
    languages: NationalLanguages,
    reference: u16,
) -> Option<Vec<PartPayload>> {
    let text = SmsText::with_languages(text, languages).ok()?;
    let options = SegmentOptions::with_reference(Reference16(reference));
    let segments = segment(&text, options).ok()?;
    let data_coding = segments.encoding.data_coding();
    let payload = |segment: sms_text::Segment| PartPayload {
        octets: segment.octets.into(),
        data_coding,
        has_header: segment.has_header,
    };
    Some(segments.segments.into_iter().map(payload).collect())
}

pub(super) fn address(sender: String, kind: SenderKind) -> Address {
    match kind {
        SenderKind::Alphanumeric => Address::Alphanumeric(sender),
        SenderKind::International => {
            Address::International(sender.trim_start_matches('+').to_owned())
        }
        SenderKind::ShortCode => Address::ShortCode(sender),
    }
}
