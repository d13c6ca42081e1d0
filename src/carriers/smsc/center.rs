//! The heart of the simulated SMSC, shared by its connections: system ids, message ids and
//! states, what is still to be delivered, counters and journal. One lock, taken once for each
//! batch that a connection reads; no network here. Called by `smsc::connection`.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::time::UnixMillis;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::allowance::Allowance;
use super::config::{Shares, SmscConfig};
use super::delivery::{self, Delivery, IdText, PendingReceipt};
use super::inbox::Inbox;
use super::journal::{AnswerFate, Journal, Taken};
use super::plan::{Answer, BeforeDrop, Dice, Plan, is_final};
use super::records::{Record, Records};
use super::stats::Stats;
use super::wire::{Address, Digits, Submit, status};
use crate::carriers::{Platform, ReceiptState};
use crate::types::magic::Script;
use crate::types::sms_text::Reference16;

/// Receipts and inbound messages that may wait for one system id; beyond it submissions are
/// refused with ESME_RMSGQFUL. At about 140 octets each, under 300 MiB.
pub const OUTBOX_MAX: usize = 2_000_000;
/// Magic recipients whose refusals are counted; one more, and the count begins anew.
const REFUSED_RECIPIENTS_MAX: usize = 100_000;
/// What all connections share.
pub(super) struct Center {
    pub config: SmscConfig,
    pub platform: Platform,
    pub seed: u64,
    started: Instant,
    state: Mutex<State>,
    stats: watch::Sender<Stats>,
}

/// What is behind the lock.
pub(super) struct State {
    pub stats: Stats,
    pub shares: Shares,
    pub journal: Journal,
    pub inbox: Inbox,
    accounts: Vec<Account>,
    by_system_id: HashMap<String, AccountKey>,
    records: Records,
    /// Of magic recipients that are accepted after some refusals.
    refusals: HashMap<Digits, u8>,
    order: u64,
}

/// Which system id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountKey(usize);

/// One system id.
struct Account {
    system_id: String,
    outbox: BinaryHeap<Reverse<Due>>,
    /// Rings when something is due earlier than what was.
    wake: Arc<Notify>,
    receivers: u32,
    last_source: Option<Address>,
    allowance: Allowance,
}

/// A delivery and when it is due, in milliseconds since the start.
struct Due {
    at_ms: u64,
    order: u64,
    delivery: Delivery,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// How one submission is to be answered by its connection.
pub(super) enum Verdict {
    /// With this status and, if taken, this id, after the delay.
    Answer { status: u32, id: Option<IdText>, delay_ms: u64 },
    /// Not at all.
    Silence,
    /// By dropping the connection.
    Drop,
}

/// What `query_sm` tells.
pub(super) struct Queried {
    pub state: ReceiptState,
    pub final_at: Option<UnixMillis>,
    pub error: u8,
}

impl Center {
    /// An empty center.
    ///
    /// # Errors
    /// If the journal file cannot be opened.
    pub(super) fn new(config: SmscConfig, platform: Platform) -> io::Result<Self> {
        let seed = config.seed.unwrap_or_else(|| platform.randomness.u64());
        // A second has room for a million ids before it meets those of a later start.
        let clock_id = || platform.clock.now().0.unsigned_abs() / 1_000 * 1_000_000;
        let state = State {
            stats: Stats::default(),
            shares: config.shares,
            journal: Journal::open(&config, seed)?,
            inbox: Inbox::new(config.inbox_messages_max),
            accounts: Vec::new(),
            by_system_id: HashMap::new(),
            records: Records::starting_at(config.first_message_id.unwrap_or_else(clock_id)),
            refusals: HashMap::new(),
            order: 0,
        };
        Ok(Self {
            config,
            platform,
            seed,
            started: Instant::now(),
            state: Mutex::new(state),
            stats: watch::Sender::new(Stats::default()),
        })
    }

    /// The shared state, for one batch.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    pub(super) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The moment that `ms` since the start stands for.
    pub(super) fn instant(&self, ms: u64) -> Instant {
        self.started + Duration::from_millis(ms)
    }

    /// Ends a batch: journal lines go to the file, and the counters to whoever watches.
    pub(super) fn publish(&self, mut state: MutexGuard<'_, State>) {
        if let Err(error) = state.journal.flush() {
            tracing::error!(error = %error, "cannot write the journal");
        }
        let now = state.stats;
        drop(state);
        self.stats.send_if_modified(|stats| std::mem::replace(stats, now) != now);
    }

    /// The counters as they change.
    pub(super) fn watch_stats(&self) -> watch::Receiver<Stats> {
        self.stats.subscribe()
    }

    /// Decides about one submission and does everything but the answer.
    pub(super) fn submit(
        &self,
        state: &mut State,
        key: AccountKey,
        submit: &Submit<'_>,
        dice: &Dice,
    ) -> Verdict {
        state.stats.submitted += 1;
        let now_ms = self.now_ms();
        let plan = self.plan(state, key, submit, (dice, now_ms));
        let fate = match plan.answer {
            Answer::Refused(status) => {
                if status == status::ESME_RTHROTTLED {
                    state.stats.throttled += 1;
                } else {
                    state.stats.refused += 1;
                }
                let delay_ms = self.config.delay_ms + plan.answer_delay_ms;
                return Verdict::Answer { status, id: None, delay_ms };
            }
            Answer::Dropped(BeforeDrop::NotTaken) => {
                state.stats.drops += 1;
                return Verdict::Drop;
            }
            Answer::Dropped(BeforeDrop::Taken) => AnswerFate::Dropped,
            Answer::Lost => AnswerFate::Lost,
            Answer::Taken => AnswerFate::Answered,
        };
        let id = self.take(state, key, submit, (&plan, fate, now_ms, dice.connection));
        match fate {
            AnswerFate::Answered => Verdict::Answer {
                status: status::ESME_ROK,
                id: Some(id),
                delay_ms: self.config.delay_ms + plan.answer_delay_ms,
            },
            AnswerFate::Lost => {
                state.stats.answers_lost += 1;
                Verdict::Silence
            }
            AnswerFate::Dropped => {
                state.stats.drops += 1;
                Verdict::Drop
            }
        }
    }

    fn plan(
        &self,
        state: &mut State,
        AccountKey(index): AccountKey,
        submit: &Submit<'_>,
        (dice, now_ms): (&Dice, u64),
    ) -> Plan {
        let account = &mut state.accounts[index];
        if submit.destination.digits.as_bytes().is_empty() {
            return Plan::refused(status::ESME_RINVDSTADR);
        }
        if account.outbox.len() >= OUTBOX_MAX {
            return Plan::refused(status::ESME_RMSGQFUL);
        }
        if let Some(parts_per_s_max) = self.config.parts_per_s_max
            && !account.allowance.take_one(parts_per_s_max, now_ms)
        {
            return Plan::refused(status::ESME_RTHROTTLED);
        }
        let digits = submit.destination.digits;
        let Some(script) = digits.as_str().and_then(Script::for_recipient) else {
            return Plan::by_chance(&self.config, &state.shares, dice);
        };
        let refusals = state.refusals.get(&digits).copied().unwrap_or(0);
        let plan = Plan::by_script(&script, &self.config, refusals);
        match plan.answer {
            Answer::Refused(_) => state.count_refusal(digits, refusals),
            Answer::Taken | Answer::Lost | Answer::Dropped(_) => {
                state.refusals.remove(&digits);
            }
        }
        plan
    }

    fn take(
        &self,
        state: &mut State,
        key: AccountKey,
        submit: &Submit<'_>,
        (plan, fate, now_ms, connection): (&Plan, AnswerFate, u64, u64),
    ) -> IdText {
        let now = self.platform.clock.now();
        let outcome = plan.outcome();
        let id = state.records.add(Record {
            account: key,
            outcome: outcome.map_or(ReceiptState::Enroute, |receipt| receipt.state),
            error: outcome.map_or(0, |receipt| receipt.error),
            due_ms: now_ms + outcome.map_or(0, |receipt| receipt.after_ms),
            canceled: false,
        });
        let text = delivery::answer_id(self.config.id_form, id);
        state.stats.taken += 1;
        let account = &mut state.accounts[key.0];
        account.last_source = Some(submit.source);
        if state.journal.is_kept() {
            let taken = Taken {
                at: now,
                system_id: &account.system_id,
                connection,
                message_id: text.as_str(),
                answer: fate,
            };
            state.journal.note(&taken, submit);
        }
        state.inbox.take(submit);
        for planned in &plan.receipts {
            if !wants_receipt(submit.registered_delivery, planned.state) {
                continue;
            }
            let receipt = PendingReceipt {
                message_id: id,
                recipient: submit.destination,
                sender: submit.source,
                state: planned.state,
                error: planned.error,
                submitted_at: now,
                reference: submit.reference,
                text: match submit.data_coding {
                    0 | 1 => Digits::new(submit.text),
                    _ => Digits::default(),
                },
            };
            state.schedule(key, now_ms + planned.after_ms, Delivery::Receipt(receipt));
        }
        text
    }

    /// The state of a message, if `text` names one of this system id.
    pub(super) fn query(&self, state: &State, key: AccountKey, text: &[u8]) -> Option<Queried> {
        let id = delivery::parse_id(self.config.id_form, text)?;
        let record = state.records.get(id).filter(|record| record.account == key)?;
        let is_due = record.canceled || record.due_ms <= self.now_ms();
        if !is_due || !is_final(record.outcome) {
            return Some(Queried { state: ReceiptState::Enroute, final_at: None, error: 0 });
        }
        let ago_ms = self.now_ms().saturating_sub(record.due_ms);
        let final_at = self.platform.clock.now().plus_ms(-(ago_ms as i64));
        let state = match record.canceled {
            true => ReceiptState::Deleted,
            false => record.outcome,
        };
        Some(Queried { state, final_at: Some(final_at), error: record.error.min(255) as u8 })
    }

    /// Cancels a message that has no final state yet; tells whether it did.
    pub(super) fn cancel(&self, state: &mut State, key: AccountKey, text: &[u8]) -> bool {
        let now_ms = self.now_ms();
        let record = delivery::parse_id(self.config.id_form, text)
            .and_then(|id| state.records.get_mut(id))
            .filter(|record| record.account == key && !record.canceled)
            .filter(|record| record.due_ms > now_ms || !is_final(record.outcome));
        let Some(record) = record else { return false };
        record.canceled = true;
        true
    }
}

impl State {
    /// The system id's key, new or known.
    pub(super) fn account(&mut self, system_id: &str) -> AccountKey {
        if let Some(&key) = self.by_system_id.get(system_id) {
            return key;
        }
        let key = AccountKey(self.accounts.len());
        self.by_system_id.insert(system_id.to_owned(), key);
        self.accounts.push(Account {
            system_id: system_id.to_owned(),
            outbox: BinaryHeap::new(),
            wake: Arc::new(Notify::new()),
            receivers: 0,
            last_source: None,
            allowance: Allowance::default(),
        });
        key
    }

    /// The key of a system id that has been bound before.
    pub(super) fn known_account(&self, system_id: &str) -> Option<AccountKey> {
        self.by_system_id.get(system_id).copied()
    }

    /// System ids with a receiver, and the address that each last sent from.
    pub(super) fn receiving(&self) -> Vec<(AccountKey, Option<Address>)> {
        let accounts = self.accounts.iter().enumerate();
        accounts
            .filter(|(_, account)| account.receivers > 0)
            .map(|(index, account)| (AccountKey(index), account.last_source))
            .collect()
    }

    fn count_refusal(&mut self, recipient: Digits, before: u8) {
        if self.refusals.len() >= REFUSED_RECIPIENTS_MAX {
            self.refusals.clear();
        }
        self.refusals.insert(recipient, before.saturating_add(1));
    }

    /// The reference of the parts of the next message from a phone.
    pub(super) fn next_reference(&self) -> Reference16 {
        Reference16(self.order as u16)
    }

    /// What rings when there is something new to deliver.
    pub(super) fn wake(&self, AccountKey(index): AccountKey) -> Arc<Notify> {
        Arc::clone(&self.accounts[index].wake)
    }

    /// Counts a connection that receives in or out.
    pub(super) fn add_receiver(&mut self, AccountKey(index): AccountKey) {
        self.accounts[index].receivers += 1;
    }

    /// The opposite of [`Self::add_receiver`].
    pub(super) fn remove_receiver(&mut self, AccountKey(index): AccountKey) {
        self.accounts[index].receivers -= 1;
    }

    /// Has `delivery` sent at `at_ms` or later, by whichever connection can.
    pub(super) fn schedule(
        &mut self,
        AccountKey(index): AccountKey,
        at_ms: u64,
        delivery: Delivery,
    ) {
        let account = &mut self.accounts[index];
        let is_earliest = account.outbox.peek().is_none_or(|Reverse(first)| at_ms < first.at_ms);
        self.order += 1;
        self.stats.waiting += 1;
        account.outbox.push(Reverse(Due { at_ms, order: self.order, delivery }));
        if is_earliest {
            account.wake.notify_waiters();
        }
    }

    /// The next delivery that is due, with its cancellation taken into account.
    pub(super) fn next_due(
        &mut self,
        AccountKey(index): AccountKey,
        now_ms: u64,
    ) -> Option<Delivery> {
        let outbox = &mut self.accounts[index].outbox;
        while outbox.peek().is_some_and(|Reverse(first)| first.at_ms <= now_ms) {
            let Reverse(Due { mut delivery, .. }) = outbox.pop()?;
            self.stats.waiting -= 1;
            if let Delivery::Receipt(receipt) = &mut delivery
                && self.records.get(receipt.message_id).is_some_and(|record| record.canceled)
            {
                if !is_final(receipt.state) {
                    continue;
                }
                (receipt.state, receipt.error) = (ReceiptState::Deleted, 0);
            }
            return Some(delivery);
        }
        None
    }

    /// When the next delivery is due.
    pub(super) fn next_due_ms(&self, AccountKey(index): AccountKey) -> Option<u64> {
        self.accounts[index].outbox.peek().map(|Reverse(first)| first.at_ms)
    }
}

/// Whether `registered_delivery` asks for a receipt of this state (section 5.2.17).
fn wants_receipt(registered_delivery: u8, state: ReceiptState) -> bool {
    match registered_delivery & 0b11 {
        1 => true,
        2 => is_final(state) && state != ReceiptState::Delivered,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_sent_as_registered_delivery_asks() {
        let table = [
            (0, ReceiptState::Delivered, false),
            (1, ReceiptState::Delivered, true),
            (1, ReceiptState::Enroute, true),
            (2, ReceiptState::Delivered, false),
            (2, ReceiptState::Rejected, true),
            (2, ReceiptState::Enroute, false),
        ];
        for (asked, state, expected) in table {
            assert_eq!(wants_receipt(asked, state), expected, "{asked} {state:?}");
        }
    }
}
