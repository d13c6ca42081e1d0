//! One connection of the simulated SMSC: bind state, answers and their delays, deliveries within
//! their window. One task reads, answers and writes; a batch of what was read is handled under
//! one lock and answered with one write. Started by `smsc::Smsc`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::center::{AccountKey, Center, State, Verdict};
use super::delivery::{self, Delivery, DeliveryWriter, IdText};
use super::link::{Link, Moved, OUTPUT_OCTETS_MAX, Reading};
use super::plan::Dice;
use super::wire::{
    self, Fields, HEADER_OCTETS, Header, Malformed, PDU_OCTETS_MAX, Submit, command, status,
};

/// How long a connection may stay unbound (`session_init_timer`, section 7.2).
const BIND_TIMEOUT_MS: u64 = 30_000;
/// How long the answer to our `unbind` is waited for at shutdown.
const UNBIND_TIMEOUT_MS: u64 = 1_000;
/// Delayed answers above which nothing more is read.
const ANSWERS_MAX: usize = 20_000;

/// One connection.
pub(super) struct Connection<S> {
    link: Link<S>,
    center: Arc<Center>,
    dice: Dice,
    writer: DeliveryWriter,
    session: Option<Session>,
    phase: Phase,
    answers: BinaryHeap<Reverse<PendingAnswer>>,
    answer_order: u64,
    /// Deliveries that are not answered yet, by sequence number.
    in_flight: BTreeMap<u32, Delivery>,
    /// When each of them is given up, in order.
    timeouts: VecDeque<(u64, u32)>,
    next_sequence: u32,
    /// When the next delivery is due that has room in the window.
    next_delivery_ms: Option<u64>,
    opened_ms: u64,
}

/// A bound connection.
#[derive(Clone, Copy)]
struct Session {
    account: AccountKey,
    kind: BindKind,
}

/// SMPP 3.4, section 2.2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BindKind {
    Transmitter,
    Receiver,
    Transceiver,
}

impl BindKind {
    fn of(command: u32) -> Option<Self> {
        match command {
            command::BIND_TRANSMITTER => Some(Self::Transmitter),
            command::BIND_RECEIVER => Some(Self::Receiver),
            command::BIND_TRANSCEIVER => Some(Self::Transceiver),
            _ => None,
        }
    }

    const fn submits(self) -> bool {
        match self {
            Self::Transmitter | Self::Transceiver => true,
            Self::Receiver => false,
        }
    }

    const fn receives(self) -> bool {
        match self {
            Self::Receiver | Self::Transceiver => true,
            Self::Transmitter => false,
        }
    }
}

/// How far the connection's life has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our `unbind` is out; the answer is waited for until then.
    Unbinding {
        until_ms: u64,
    },
    /// What is written still goes out, then it ends.
    Closing,
    /// It ends at once, and what was to be written with it.
    Dropped,
}

/// The answer to a submission, waiting for its time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PendingAnswer {
    due_ms: u64,
    order: u64,
    command: u32,
    status: u32,
    sequence: u32,
    id: IdText,
}

/// What the connection obeys beside its peer.
pub(super) struct Orders {
    /// Ends it in good order.
    pub shutdown: CancellationToken,
    /// Each change drops it.
    pub drop_all: watch::Receiver<u64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, center: Arc<Center>, number: u64) -> Self {
        let opened_ms = center.now_ms();
        Self {
            link: Link::new(stream),
            dice: Dice::new(center.seed, number),
            writer: DeliveryWriter::new(&center.config),
            center,
            session: None,
            phase: Phase::Open,
            answers: BinaryHeap::new(),
            answer_order: 0,
            in_flight: BTreeMap::new(),
            timeouts: VecDeque::new(),
            next_sequence: 0,
            next_delivery_ms: None,
            opened_ms,
        }
    }

    /// Serves the connection to its end, and gives back what it had not delivered.
    pub(super) async fn run(mut self, orders: Orders) {
        if let Err(error) = self.serve(orders).await {
            tracing::debug!(error = %error, "the connection broke");
        }
        self.leave();
    }

    async fn serve(&mut self, mut orders: Orders) -> io::Result<()> {
        let mut wake = Arc::new(Notify::new());
        loop {
            // Made before looking at what is due, so that no ring in between is missed.
            let ring = Arc::clone(&wake);
            let rung = ring.notified();
            self.handle_batch(&mut wake);
            match self.phase {
                Phase::Dropped => return Ok(()),
                Phase::Closing if self.link.unwritten() == 0 => return Ok(()),
                Phase::Closing | Phase::Open | Phase::Unbinding { .. } => {}
            }
            if !Arc::ptr_eq(&ring, &wake) {
                continue;
            }
            let reading = self.reading();
            let next_ms = self.next_due_ms();
            let due = self.center.instant(next_ms.unwrap_or(u64::MAX >> 24));
            tokio::select! {
                moved = self.link.progress(reading) => {
                    if moved? == Moved::Ended {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep_until(due), if next_ms.is_some() => {}
                () = rung => {}
                () = orders.shutdown.cancelled(), if self.phase == Phase::Open => self.unbind(),
                Ok(()) = orders.drop_all.changed() => self.phase = Phase::Dropped,
            }
        }
    }

    fn reading(&self) -> Reading {
        let is_full = self.link.unwritten() > OUTPUT_OCTETS_MAX || self.answers.len() > ANSWERS_MAX;
        match self.phase {
            Phase::Open | Phase::Unbinding { .. } if !is_full => Reading::On,
            Phase::Open | Phase::Unbinding { .. } | Phase::Closing | Phase::Dropped => Reading::Off,
        }
    }

    /// Everything that can be done without waiting.
    fn handle_batch(&mut self, wake: &mut Arc<Notify>) {
        let center = Arc::clone(&self.center);
        let now_ms = center.now_ms();
        let mut state = center.lock();
        self.handle_input(&mut state);
        self.put_due_answers(now_ms);
        self.check_timers(&mut state, now_ms);
        self.put_due_deliveries(&mut state, now_ms);
        if let Some(session) = self.session.filter(|session| session.kind.receives()) {
            *wake = state.wake(session.account);
        }
        center.publish(state);
    }

    fn handle_input(&mut self, state: &mut State) {
        while matches!(self.phase, Phase::Open | Phase::Unbinding { .. })
            && self.link.unwritten() <= OUTPUT_OCTETS_MAX
            && let Some(header) = Header::read(self.link.unread())
        {
            if !(HEADER_OCTETS..=PDU_OCTETS_MAX).contains(&header.length) {
                state.stats.nacked += 1;
                self.put_nack(status::ESME_RINVCMDLEN, header.sequence);
                self.phase = Phase::Closing;
                return;
            }
            if self.link.unread().len() < header.length {
                return;
            }
            self.handle_pdu(state, header);
            self.link.consume(header.length);
        }
    }

    fn handle_pdu(&mut self, state: &mut State, header: Header) {
        let response = header.command | command::RESPONSE;
        match (header.command, self.session) {
            (command::ENQUIRE_LINK, _) => self.put_plain(response, status::ESME_ROK, header),
            (command::ENQUIRE_LINK_RESP | command::GENERIC_NACK, _) => {}
            (command::UNBIND_RESP, _) => self.phase = Phase::Closing,
            (
                command::BIND_RECEIVER | command::BIND_TRANSMITTER | command::BIND_TRANSCEIVER,
                None,
            ) => self.bind(state, header),
            (
                command::BIND_RECEIVER | command::BIND_TRANSMITTER | command::BIND_TRANSCEIVER,
                Some(_),
            ) => self.put_plain(response, status::ESME_RALYBND, header),
            (command::UNBIND, Some(_)) => {
                self.put_plain(response, status::ESME_ROK, header);
                self.phase = Phase::Closing;
            }
            (command::SUBMIT_SM | command::DATA_SM, Some(session)) if session.kind.submits() => {
                self.submit(state, session, header);
            }
            (command::DELIVER_SM_RESP, Some(session)) => self.delivered(state, session, header),
            (command::QUERY_SM, Some(session)) => self.query(state, session, header),
            (command::CANCEL_SM, Some(session)) => self.cancel(state, session, header),
            (
                command::SUBMIT_SM
                | command::DATA_SM
                | command::DELIVER_SM_RESP
                | command::QUERY_SM
                | command::CANCEL_SM
                | command::UNBIND,
                _,
            ) => self.put_plain(response, status::ESME_RINVBNDSTS, header),
            _ => {
                state.stats.nacked += 1;
                self.put_nack(status::ESME_RINVCMDID, header.sequence);
            }
        }
    }

    fn bind(&mut self, state: &mut State, header: Header) {
        let response = header.command | command::RESPONSE;
        let admitted = self.admit(self.body(header));
        let (status, system_id) = match &admitted {
            Ok(system_id) => (status::ESME_ROK, Some(system_id)),
            Err(status) => (*status, None),
        };
        if let (Some(kind), Some(system_id)) = (BindKind::of(header.command), system_id) {
            let account = state.account(system_id);
            self.session = Some(Session { account, kind });
            state.stats.bound += 1;
            state.stats.binds += 1;
            if kind.receives() {
                state.add_receiver(account);
            }
        }
        wire::put_bind_resp(&mut self.link.output, response, status, header.sequence);
        if status != status::ESME_ROK {
            self.phase = Phase::Closing;
        }
    }

    /// The system id that may bind, or the status of the refusal.
    fn admit(&self, body: &[u8]) -> Result<String, u32> {
        let mut fields = Fields::new(body);
        let malformed = |_: Malformed| status::ESME_RINVCMDLEN;
        let system_id = fields.text(15).map_err(malformed)?;
        let password = fields.text(8).map_err(malformed)?;
        let system_id = String::from_utf8_lossy(system_id).into_owned();
        let logins = &self.center.config.logins;
        if logins.is_empty() {
            return Ok(system_id);
        }
        let login = logins.iter().find(|login| login.system_id == system_id);
        match login.ok_or(status::ESME_RINVSYSID)?.password.as_deref() {
            Some(expected) if expected.as_bytes() != password => Err(status::ESME_RINVPASWD),
            Some(_) | None => Ok(system_id),
        }
    }

    fn submit(&mut self, state: &mut State, session: Session, header: Header) {
        let response = header.command | command::RESPONSE;
        let (unread, output) = self.link.split();
        let body = &unread[HEADER_OCTETS..header.length];
        let submit = match header.command {
            command::DATA_SM => Submit::read_data_sm(body),
            _ => Submit::read_submit_sm(body),
        };
        let Ok(submit) = submit else {
            return wire::put_plain(output, response, status::ESME_RINVMSGLEN, header.sequence);
        };
        match self.center.submit(state, session.account, &submit, &self.dice) {
            Verdict::Silence => {}
            Verdict::Drop => self.phase = Phase::Dropped,
            Verdict::Answer { status, id, delay_ms } => {
                let id = id.unwrap_or_default();
                let (command, sequence) = (response, header.sequence);
                if delay_ms == 0 {
                    return put_answer(output, command, status, sequence, &id);
                }
                self.answer_order += 1;
                let order = self.answer_order;
                let due_ms = self.center.now_ms() + delay_ms;
                let answer = PendingAnswer { due_ms, order, command, status, sequence, id };
                self.answers.push(Reverse(answer));
            }
        }
    }

    fn query(&mut self, state: &State, session: Session, header: Header) {
        let response = header.command | command::RESPONSE;
        let (unread, output) = self.link.split();
        let id = Fields::new(&unread[HEADER_OCTETS..header.length]).text(64).unwrap_or_default();
        let Some(found) = self.center.query(state, session.account, id) else {
            return wire::put_plain(output, response, status::ESME_RQUERYFAIL, header.sequence);
        };
        wire::put_pdu(output, response, status::ESME_ROK, header.sequence, |out| {
            wire::put_text(out, id);
            if let Some(at) = found.final_at {
                delivery::put_absolute_time(out, at);
            }
            out.extend_from_slice(&[0, delivery::message_state(found.state), found.error]);
        });
    }

    fn cancel(&mut self, state: &mut State, session: Session, header: Header) {
        let mut fields = Fields::new(self.body(header));
        let id = fields.text(5).and_then(|_| fields.text(64)).unwrap_or_default();
        let status = match self.center.cancel(state, session.account, id) {
            true => status::ESME_ROK,
            false => status::ESME_RCANCELFAIL,
        };
        self.put_plain(header.command | command::RESPONSE, status, header);
    }

    fn delivered(&mut self, state: &mut State, session: Session, header: Header) {
        let Some(delivery) = self.in_flight.remove(&header.sequence) else { return };
        if header.status == status::ESME_ROK {
            state.stats.delivers_acknowledged += 1;
            return;
        }
        state.stats.delivers_repeated += 1;
        let again_ms = self.center.now_ms() + self.center.config.redelivery_delay_ms;
        state.schedule(session.account, again_ms, delivery);
    }

    fn put_due_answers(&mut self, now_ms: u64) {
        while self.answers.peek().is_some_and(|Reverse(first)| first.due_ms <= now_ms) {
            let Some(Reverse(answer)) = self.answers.pop() else { return };
            let PendingAnswer { command, status, sequence, id, .. } = answer;
            put_answer(&mut self.link.output, command, status, sequence, &id);
        }
    }

    fn put_due_deliveries(&mut self, state: &mut State, now_ms: u64) {
        self.next_delivery_ms = None;
        let Some(session) = self.delivering() else { return };
        let now = self.center.platform.clock.now();
        let until_ms = now_ms + self.center.config.deliver_timeout_ms;
        while self.in_flight.len() < self.center.config.window
            && self.link.unwritten() <= OUTPUT_OCTETS_MAX
            && let Some(delivery) = state.next_due(session.account, now_ms)
        {
            // 1 to 0x7FFFFFFF (section 3.2).
            self.next_sequence = self.next_sequence % 0x7FFF_FFFF + 1;
            let sequence = self.next_sequence;
            self.writer.put(&mut self.link.output, sequence, &delivery, now);
            self.in_flight.insert(sequence, delivery);
            self.timeouts.push_back((until_ms, sequence));
            state.stats.delivers_sent += 1;
        }
        if self.in_flight.len() < self.center.config.window {
            self.next_delivery_ms = state.next_due_ms(session.account);
        }
    }

    /// The session, if it may be delivered to now.
    fn delivering(&self) -> Option<Session> {
        self.session.filter(|session| session.kind.receives() && self.phase == Phase::Open)
    }

    fn check_timers(&mut self, state: &mut State, now_ms: u64) {
        while let Some(&(until_ms, sequence)) = self.timeouts.front() {
            let is_answered = !self.in_flight.contains_key(&sequence);
            if until_ms > now_ms && !is_answered {
                break;
            }
            self.timeouts.pop_front();
            if let (Some(delivery), Some(session)) =
                (self.in_flight.remove(&sequence), self.session)
            {
                state.stats.delivers_repeated += 1;
                state.schedule(session.account, now_ms, delivery);
            }
        }
        let is_over = |limit_ms: Option<u64>| limit_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if is_over(self.drop_at_ms()) {
            state.stats.drops += 1;
            self.phase = Phase::Dropped;
        } else if is_over(self.close_at_ms()) {
            self.phase = Phase::Closing;
        }
    }

    /// When the settings drop this connection.
    fn drop_at_ms(&self) -> Option<u64> {
        self.center.config.drop_every_ms.map(|every_ms| self.opened_ms + every_ms)
    }

    /// When patience with the peer ends.
    fn close_at_ms(&self) -> Option<u64> {
        match (self.phase, self.session) {
            (Phase::Open, None) => Some(self.opened_ms + BIND_TIMEOUT_MS),
            (Phase::Unbinding { until_ms }, _) => Some(until_ms),
            (Phase::Open | Phase::Closing | Phase::Dropped, _) => None,
        }
    }

    fn next_due_ms(&self) -> Option<u64> {
        let answer_ms = self.answers.peek().map(|Reverse(first)| first.due_ms);
        let timeout_ms = self.timeouts.front().map(|&(until_ms, _)| until_ms);
        let ends = [self.drop_at_ms(), self.close_at_ms()];
        [self.next_delivery_ms, answer_ms, timeout_ms].into_iter().chain(ends).flatten().min()
    }

    fn unbind(&mut self) {
        if self.session.is_none() {
            self.phase = Phase::Closing;
            return;
        }
        self.next_sequence = self.next_sequence % 0x7FFF_FFFF + 1;
        let sequence = self.next_sequence;
        wire::put_plain(&mut self.link.output, command::UNBIND, status::ESME_ROK, sequence);
        self.phase = Phase::Unbinding { until_ms: self.center.now_ms() + UNBIND_TIMEOUT_MS };
    }

    /// Takes leave of the center: what was not acknowledged is delivered elsewhere, or later.
    fn leave(&mut self) {
        let center = Arc::clone(&self.center);
        let now_ms = center.now_ms();
        let mut state = center.lock();
        state.stats.connections -= 1;
        if let Some(Session { account, kind }) = self.session.take() {
            state.stats.bound -= 1;
            if kind.receives() {
                state.remove_receiver(account);
            }
            for (_, delivery) in std::mem::take(&mut self.in_flight) {
                state.stats.delivers_repeated += 1;
                state.schedule(account, now_ms, delivery);
            }
        }
        center.publish(state);
    }

    fn body(&self, header: Header) -> &[u8] {
        &self.link.unread()[HEADER_OCTETS..header.length]
    }

    fn put_plain(&mut self, command: u32, status: u32, header: Header) {
        wire::put_plain(&mut self.link.output, command, status, header.sequence);
    }

    fn put_nack(&mut self, status: u32, sequence: u32) {
        wire::put_plain(&mut self.link.output, command::GENERIC_NACK, status, sequence);
    }
}

/// Writes a `submit_sm_resp` or `data_sm_resp`; a refusal has no body (section 4.4.2).
fn put_answer(out: &mut Vec<u8>, command: u32, status: u32, sequence: u32, id: &IdText) {
    wire::put_pdu(out, command, status, sequence, |out| {
        if status == status::ESME_ROK {
            wire::put_text(out, id.as_bytes());
        }
    });
}
