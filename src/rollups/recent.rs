//! What a worker remembers of messages between two folds, so that it need not read their rows and
//! their earlier events again with each event. Never needed for the result: a message that is not
//! remembered is read.
//!
//! What is remembered of an account holds as long as its cursor stands where this worker left it.
//! If another worker folded in between, all of the account is forgotten.

use std::collections::HashMap;

use entity::ids::AccountId;
use entity::time::UnixMillis;
use uuid::Uuid;

use super::store::Behind;
use super::timeline::{Facts, Life};

/// Messages remembered at most, over all accounts: measured, some 20 MiB.
const MESSAGES_MAX: usize = 32_768;
/// When there is no room, what nothing was heard of for this long is forgotten.
const SILENCE_MS_MAX: i64 = 10 * 60_000;
/// How often room is made at most.
const PAUSE_MS_MIN: i64 = 60_000;

/// A message, as far as its account's log is folded.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) facts: Facts,
    pub(super) life: Life,
    /// The last event's time.
    pub(super) told_at: UnixMillis,
}

impl Known {
    /// Whether more is expected soon.
    fn is_under_way(&self) -> bool {
        self.life.is_queued() && !self.life.is_over()
    }
}

#[derive(Debug, Default)]
struct Account {
    /// Where its cursor stood.
    folded: i64,
    messages: HashMap<Uuid, Known>,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Recent {
    accounts: HashMap<AccountId, Account>,
    count: usize,
    made_room_at: UnixMillis,
}

impl Recent {
    /// Forgets what no longer holds of the accounts of a batch.
    pub(super) fn check(&mut self, batch: &[Behind]) {
        for it in batch {
            if self.accounts.get(&it.account_id).is_some_and(|known| known.folded != it.folded) {
                self.forget(it.account_id);
            }
        }
    }

    /// Forgets an account.
    fn forget(&mut self, account_id: AccountId) {
        if let Some(account) = self.accounts.remove(&account_id) {
            self.count -= account.messages.len();
        }
    }

    /// What is remembered of a message.
    pub(super) fn get(&self, account_id: AccountId, id: Uuid) -> Option<&Known> {
        self.accounts.get(&account_id)?.messages.get(&id)
    }

    /// Takes in what was learned from a batch, after it was committed.
    pub(super) fn learn(
        &mut self,
        batch: &[Behind],
        learned: impl IntoIterator<Item = (Uuid, Known)>,
        now: UnixMillis,
    ) {
        if self.count >= MESSAGES_MAX && now.since(self.made_room_at) >= PAUSE_MS_MIN {
            self.make_room(now);
        }
        for (id, known) in learned {
            let account_id = known.facts.account_id;
            if known.is_under_way() {
                let is_full = self.count >= MESSAGES_MAX;
                let account = self.accounts.entry(account_id).or_default();
                if !is_full || account.messages.contains_key(&id) {
                    self.count += usize::from(account.messages.insert(id, known).is_none());
                }
            } else if let Some(account) = self.accounts.get_mut(&account_id) {
                self.count -= usize::from(account.messages.remove(&id).is_some());
            }
        }
        for it in batch {
            if let Some(account) = self.accounts.get_mut(&it.account_id) {
                account.folded = it.last;
                if account.messages.is_empty() {
                    self.accounts.remove(&it.account_id);
                }
            }
        }
    }

    fn make_room(&mut self, now: UnixMillis) {
        self.made_room_at = now;
        self.accounts.retain(|_, account| {
            account.messages.retain(|_, known| now.since(known.told_at) < SILENCE_MS_MAX);
            !account.messages.is_empty()
        });
        self.count = self.accounts.values().map(|account| account.messages.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::facts;
    use super::*;
    use entity::enums::MessageStatus::{self, Delivered, Queued, Scheduled};

    const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

    fn known(status: MessageStatus, at: i64) -> Known {
        let facts = facts();
        let mut life = Life::default();
        let step = super::super::timeline::Step {
            status,
            version: 1,
            error_code: None,
            at: UnixMillis(at),
        };
        life.take(&facts, &step);
        Known { facts, life, told_at: UnixMillis(at) }
    }

    fn batch(folded: i64, last: i64) -> [Behind; 1] {
        [Behind { account_id: ACCOUNT, folded, last }]
    }

    fn remembers(recent: &Recent, id: u128) -> bool {
        recent.get(ACCOUNT, Uuid::from_u128(id)).is_some()
    }

    #[test]
    fn what_another_worker_folded_makes_it_forget() {
        let mut recent = Recent::default();
        recent.learn(&batch(0, 5), [(Uuid::from_u128(1), known(Queued, 0))], UnixMillis(0));
        recent.check(&batch(5, 9));
        assert!(remembers(&recent, 1));
        recent.learn(&batch(5, 9), [], UnixMillis(0));
        recent.check(&batch(5, 12));
        assert!(!remembers(&recent, 1));
        assert_eq!((recent.count, recent.accounts.len()), (0, 0));
    }

    #[test]
    fn only_what_is_under_way_is_remembered() {
        let mut recent = Recent::default();
        let learned = [
            (Uuid::from_u128(1), known(Scheduled, 0)),
            (Uuid::from_u128(2), known(Queued, 0)),
            (Uuid::from_u128(3), known(Delivered, 0)),
        ];
        recent.learn(&batch(0, 3), learned, UnixMillis(0));
        assert_eq!([1, 2, 3].map(|id| remembers(&recent, id)), [false, true, false]);
        recent.learn(&batch(3, 4), [(Uuid::from_u128(2), known(Delivered, 1))], UnixMillis(1));
        assert_eq!((recent.count, recent.accounts.len()), (0, 0));
    }

    #[test]
    fn a_full_memory_keeps_what_it_has_until_nothing_is_heard_of_it() {
        let mut recent = Recent::default();
        let all = (0..MESSAGES_MAX as u128).map(|id| (Uuid::from_u128(id), known(Queued, 0)));
        recent.learn(&batch(0, 1), all, UnixMillis(0));
        assert_eq!(recent.count, MESSAGES_MAX);
        let late = MESSAGES_MAX as u128;
        let learn = |recent: &mut Recent, at| {
            recent.learn(
                &batch(1, 2),
                [(Uuid::from_u128(late), known(Queued, at))],
                UnixMillis(at),
            );
        };
        learn(&mut recent, PAUSE_MS_MIN);
        assert_eq!((remembers(&recent, late), recent.count), (false, MESSAGES_MAX));
        learn(&mut recent, SILENCE_MS_MAX + PAUSE_MS_MIN);
        assert_eq!((remembers(&recent, late), recent.count), (true, 1));
    }
}
