//! The receiving half of a session: answers, receipts, messages from phones, keep-alive and
//! time-outs.
//!
//! Time-outs are looked for only when nothing is left to be read: an answer that has arrived is
//! never overtaken by its own time-out, however long the house took to drain the events.

use std::time::Duration;

use rusmpp::{CommandId, CommandStatus, Pdu};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::acks::Unacknowledged;
use super::encode::Delivered;
use super::in_flight::Flight;
use super::pace::Throttle;
use super::queue::Run;
use super::session::{Phase, Retry, Session};
use super::wire::{self, Delivery, Frame, Frames};
use super::{inbound, receipt};
use crate::carriers::{Ack, CarrierError, CarrierErrorKind, CarrierEvent, PartOutcome};

/// enquire_link without an answer before the link is given up.
const ENQUIRES_MAX: u32 = 2;
/// How long a carrier that has unbound may take to close the connection.
const UNBOUND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a broken stream's last answer may take to be written.
const BROKEN_TIMEOUT: Duration = Duration::from_secs(1);
/// After the events were not drained for a while: time to read what has piled up, before parts
/// are declared unanswered.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Bounds of how often time-outs are looked for.
const TICK_RANGE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error("closed by the carrier")]
    Closed,
    #[error("unbound by the carrier")]
    Unbound,
    #[error("no answer to enquire_link")]
    Silent,
    #[error("an impossible PDU length")]
    Garbage,
    #[error("the connection failed")]
    Failed,
    #[error("unbound by us")]
    Shutdown,
}

/// Reads until the session ends.
pub(super) async fn read(
    session: &Session,
    mut io: impl AsyncRead + Unpin,
    mut frames: Frames,
    unacknowledged: mpsc::UnboundedSender<Unacknowledged>,
) -> End {
    let now = Instant::now();
    let tick = tick_of(session);
    let mut reader = Reader {
        session,
        unacknowledged,
        last_received: now,
        enquired: 0,
        sweep_from: now,
        wake: false,
        closes_at: None,
        order: 0,
    };
    let mut next_tick = now + tick;
    loop {
        loop {
            match frames.next() {
                Ok(Some(frame)) => {
                    if let Some(end) = reader.handle(frame).await {
                        return end;
                    }
                }
                Ok(None) => break,
                Err(error) => return reader.give_up(error).await,
            }
        }
        if std::mem::take(&mut reader.wake) {
            session.wake.notify_one();
        }
        // Under a flood of answers the ticks would starve; a late one is made up for here.
        let overdue = Instant::now() >= next_tick + tick * 4;
        let ticked = overdue
            || tokio::select! {
                biased;
                filled = frames.fill(&mut io) => match filled {
                    Ok(()) => {
                        reader.last_received = Instant::now();
                        reader.enquired = 0;
                        false
                    }
                    Err(error) => return reader.end_of(&error),
                },
                () = tokio::time::sleep_until(next_tick) => true,
                () = session.down.cancelled() => return reader.end_of_ours(),
            };
        if ticked {
            next_tick = Instant::now() + tick;
            if let Some(end) = reader.tick().await {
                return end;
            }
        }
    }
}

/// Often enough that a time-out is at most an eighth late.
fn tick_of(session: &Session) -> Duration {
    let config = &session.hub.config;
    let shortest = config.response_timeout().min(config.enquire_link());
    (shortest / 8).clamp(TICK_RANGE.0, TICK_RANGE.1)
}

struct Reader<'a> {
    session: &'a Session,
    unacknowledged: mpsc::UnboundedSender<Unacknowledged>,
    last_received: Instant,
    /// enquire_link sent since.
    enquired: u32,
    /// No part is declared unanswered before.
    sweep_from: Instant,
    /// The writer has something to do.
    wake: bool,
    /// Set when the carrier has unbound.
    closes_at: Option<Instant>,
    order: u64,
}

impl Reader<'_> {
    async fn handle(&mut self, frame: Frame) -> Option<End> {
        match frame.id {
            CommandId::QuerySmResp => {
                self.queried(&frame).await;
            }
            CommandId::SubmitSmResp => self.answered(frame).await,
            // Carriers that do not know query_sm answer it so.
            CommandId::GenericNack if self.queried(&frame).await => {}
            CommandId::GenericNack => self.answered(frame).await,
            CommandId::DeliverSm => {
                let read = wire::deliver_sm(&frame.body);
                self.delivered(read, Delivered::DeliverSm, frame.sequence_number).await;
            }
            CommandId::DataSm => {
                let read = wire::data_sm(&frame.body);
                self.delivered(read, Delivered::DataSm, frame.sequence_number).await;
            }
            CommandId::EnquireLink => {
                self.answer(CommandStatus::EsmeRok, frame.sequence_number, Pdu::EnquireLinkResp);
            }
            CommandId::Unbind => {
                self.answer(CommandStatus::EsmeRok, frame.sequence_number, Pdu::UnbindResp);
                self.session.traffic().phase = Phase::Unbound;
                self.closes_at = Some(Instant::now() + UNBOUND_TIMEOUT);
            }
            CommandId::UnbindResp => return Some(End::Shutdown),
            // Have no answers.
            CommandId::AlertNotification | CommandId::Outbind => {}
            id if id.is_response() => {}
            CommandId::BindTransceiver | CommandId::BindTransmitter | CommandId::BindReceiver => {
                // A bind is ours to send.
                self.answer(CommandStatus::EsmeRinvbndsts, frame.sequence_number, Pdu::GenericNack);
            }
            _ => self.answer(CommandStatus::EsmeRinvcmdid, frame.sequence_number, Pdu::GenericNack),
        }
        None
    }

    fn answer(&mut self, status: CommandStatus, sequence_number: u32, pdu: impl Into<Pdu>) {
        self.session.traffic().answer(status, sequence_number, pdu);
        self.wake = true;
    }

    async fn answered(&mut self, frame: Frame) {
        let hub = &self.session.hub;
        let now = Instant::now();
        let flight = {
            let mut traffic = self.session.traffic();
            let flight = traffic.in_flight.answer(frame.sequence_number);
            if let Some(flight) = &flight {
                let took = now.saturating_duration_since(flight.sent_at);
                traffic.learn(hub, took, now);
            }
            flight
        };
        let Some(flight) = flight else {
            hub.meters.late.increment(1);
            tracing::debug!(smpp.status = frame.status, "an answer that nothing waits for");
            return;
        };
        self.wake = true;
        hub.meters.answer_s.record(now.saturating_duration_since(flight.sent_at).as_secs_f64());
        if frame.status == 0 && frame.id == CommandId::SubmitSmResp {
            hub.meters.accepted.increment(1);
            hub.pace.answered(flight.sent_at, now);
            let carrier_message_id = wire::message_id(&frame.body);
            self.settle(flight, PartOutcome::Accepted { carrier_message_id }).await;
            return;
        }
        hub.meters.refused(frame.status);
        match CommandStatus::from(frame.status) {
            CommandStatus::EsmeRthrottled => self.throttled(flight, Throttle::Rate, now),
            CommandStatus::EsmeRmsgqful => self.throttled(flight, Throttle::QueueFull, now),
            _ => {
                hub.pace.answered(flight.sent_at, now);
                let kind = CarrierErrorKind::CommandStatus;
                let error = CarrierError { kind, code: frame.status };
                self.settle(flight, PartOutcome::Refused(error)).await;
            }
        }
    }

    /// Whether the frame answers a `query_sm`; passes on what it says.
    async fn queried(&mut self, frame: &Frame) -> bool {
        let hub = &self.session.hub;
        let Some(told) = self.session.traffic().asked.answer(hub, frame) else { return false };
        self.wake = true;
        if let Some(receipt) = told {
            self.emit(CarrierEvent::Queried(receipt)).await;
        }
        true
    }

    /// Back to the head: it leaves again before anything new, once its time has come.
    fn throttled(&mut self, flight: Flight, why: Throttle, now: Instant) {
        let pause = self.session.hub.pace.throttled(flight.sent_at, now, why);
        self.order += 1;
        let hub = &self.session.hub;
        let retry = Retry {
            due: now + pause,
            order: self.order,
            _pause: hub.waiting.count(&flight.message),
            run: Run::part(flight.message, flight.part),
        };
        self.session.traffic().retries.push(retry);
        hub.publish();
    }

    async fn settle(&mut self, flight: Flight, outcome: PartOutcome) {
        if let Some(result) = flight.message.settle(flight.part, outcome) {
            self.emit(CarrierEvent::Result(result)).await;
        }
    }

    async fn delivered(
        &mut self,
        delivery: Option<Delivery>,
        what: Delivered,
        sequence_number: u32,
    ) {
        let hub = &self.session.hub;
        let Some(delivery) = delivery else {
            hub.meters.unreadable.increment(1);
            tracing::warn!("a delivery whose fields cannot be read was refused");
            return self.answer_delivery(what, CommandStatus::EsmeRinvcmdlen, sequence_number);
        };
        let (ack, done) = Ack::pair();
        let event = if receipt::is_receipt(&delivery) {
            let Some(receipt) = receipt::read(&delivery) else {
                hub.meters.unreadable.increment(1);
                tracing::warn!("a receipt that names no message or no state was dropped");
                // Delivered again it would be no more readable.
                return self.answer_delivery(what, CommandStatus::EsmeRok, sequence_number);
            };
            hub.meters.receipts.increment(1);
            CarrierEvent::Receipt(receipt, ack)
        } else {
            hub.meters.inbound.increment(1);
            CarrierEvent::Inbound(inbound::read(&delivery, hub.config.default_alphabet), ack)
        };
        let Some(permit) = self.permit().await else { return };
        // Fails only if the session is down: then the carrier delivers it again.
        let _ = self.unacknowledged.send(Unacknowledged { what, sequence_number, done, permit });
        self.emit(event).await;
    }

    fn answer_delivery(&mut self, what: Delivered, status: CommandStatus, sequence_number: u32) {
        let mut traffic = self.session.traffic();
        super::encode::delivered(&mut traffic.control, what, status, sequence_number);
        self.wake = true;
    }

    /// Waits while too many deliveries are unacknowledged.
    async fn permit(&mut self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let permits = &self.session.unacknowledged;
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return Some(permit);
        }
        if std::mem::take(&mut self.wake) {
            self.session.wake.notify_one();
        }
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit.ok(),
            () = self.session.down.cancelled() => None,
        };
        self.stalled();
        permit
    }

    /// Passes an event on; waits while the events are not drained.
    async fn emit(&mut self, event: CarrierEvent) {
        match self.session.hub.events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(event)) => {
                if std::mem::take(&mut self.wake) {
                    self.session.wake.notify_one();
                }
                // An error means that nobody is left to be told; likewise below.
                let _ = self.session.hub.events.send(event).await;
                self.stalled();
            }
            Err(TrySendError::Closed(_)) => {}
        }
    }

    /// Nothing was read for a while, and that is not the carrier's doing.
    fn stalled(&mut self) {
        let now = Instant::now();
        self.last_received = now;
        self.sweep_from = now + CATCH_UP;
    }

    /// Declares what is unanswered for too long, and keeps the link alive.
    async fn tick(&mut self) -> Option<End> {
        let now = Instant::now();
        if now >= self.sweep_from {
            let timeout = self.session.hub.config.response_timeout();
            let expired = {
                let mut traffic = self.session.traffic();
                traffic.asked.expire(&self.session.hub, now, timeout);
                traffic.in_flight.expired(now, timeout)
            };
            if !expired.is_empty() {
                tracing::warn!(smpp.parts = expired.len(), "submit_sm without an answer in time");
                self.session.hub.meters.uncertain.increment(expired.len() as u64);
                self.session.wake.notify_one();
            }
            for flight in expired {
                self.settle(flight, PartOutcome::Uncertain).await;
            }
        }
        if self.closes_at.is_some_and(|closes_at| now >= closes_at) {
            return Some(End::Unbound);
        }
        let silent = now.saturating_duration_since(self.last_received);
        let interval = self.session.hub.config.enquire_link();
        if silent < interval * (self.enquired + 1) {
            return None;
        }
        if self.enquired >= ENQUIRES_MAX {
            return Some(End::Silent);
        }
        self.enquired += 1;
        self.session.traffic().request(Pdu::EnquireLink);
        self.session.wake.notify_one();
        None
    }

    /// Says what is wrong, if the writer can still say it, and ends.
    async fn give_up(&mut self, error: wire::FrameError) -> End {
        tracing::warn!(smpp.command_length = error.command_length, "an impossible PDU length");
        {
            let mut traffic = self.session.traffic();
            traffic.phase = Phase::Broken;
            let status = CommandStatus::EsmeRinvcmdlen;
            traffic.answer(status, error.sequence_number, Pdu::GenericNack);
        }
        self.session.wake.notify_one();
        // Elapsed or not, the session ends.
        let _ = tokio::time::timeout(BROKEN_TIMEOUT, self.session.down.cancelled()).await;
        End::Garbage
    }

    fn end_of(&self, error: &std::io::Error) -> End {
        match (self.closes_at, self.session.hub.shutdown.is_cancelled(), error.kind()) {
            (Some(_), _, _) => End::Unbound,
            (None, true, _) => End::Shutdown,
            (None, false, std::io::ErrorKind::UnexpectedEof) => End::Closed,
            (None, false, _) => End::Failed,
        }
    }

    fn end_of_ours(&self) -> End {
        if self.session.hub.shutdown.is_cancelled() { End::Shutdown } else { End::Failed }
    }
}
