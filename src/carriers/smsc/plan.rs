//! What happens to one submission: the answer it gets and the receipts that follow, from the
//! recipient's script (magic numbers) or from the settings' shares and chance. Pure decisions;
//! `smsc::center` carries them out.

use super::config::{EARLY_RECEIPT_LEAD_MS, Shares, SmscConfig};
use super::wire::status;
use crate::carriers::ReceiptState;
use crate::sys::Randomness;
use crate::types::magic::{ReceiptTime, Script, SubmitPlan};

/// What happens to one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub answer: Answer,
    /// Beyond the delay of every answer.
    pub answer_delay_ms: u64,
    /// Empty for what is not taken.
    pub receipts: Vec<PlannedReceipt>,
    /// What became of the message where no receipt tells: `query_sm` alone does.
    pub unreported: Option<PlannedReceipt>,
}

/// How a submission is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Taken, with an id.
    Taken,
    /// Refused with a `command_status`.
    Refused(u32),
    /// Taken, and never answered.
    Lost,
    /// The connection is dropped.
    Dropped(BeforeDrop),
}

/// What became of the submission before the connection was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BeforeDrop {
    /// It was taken: receipts will come.
    Taken,
    /// It was lost with the connection.
    NotTaken,
}

/// A receipt that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlannedReceipt {
    /// From now, the delay of the answer included.
    pub after_ms: u64,
    pub state: ReceiptState,
    /// The `err` field, three digits.
    pub error: u16,
}

/// `err` of a receipt by chance UNDELIV: GSM "absent subscriber" (27) as many carriers write it.
const UNDELIVERED_ERROR: u16 = 27;

/// The dice of one connection.
pub(super) struct Dice {
    /// Whose they are.
    pub connection: u64,
    randomness: Randomness,
}

impl Dice {
    /// Dice that fall the same way for the same seed and connection.
    pub(super) fn new(seed: u64, connection: u64) -> Self {
        // An odd multiplier keeps the seeds of different connections apart.
        let seed = seed ^ connection.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self { connection, randomness: Randomness::seeded(seed) }
    }

    fn hit(&self, share: f64) -> bool {
        share > 0.0 && self.randomness.unit() < share
    }
}

impl Plan {
    /// A refusal.
    pub(super) fn refused(status: u32) -> Self {
        Self {
            answer: Answer::Refused(status),
            answer_delay_ms: 0,
            receipts: Vec::new(),
            unreported: None,
        }
    }

    /// What a magic recipient's script says. `refusals` is how often this recipient was refused
    /// since it was last accepted.
    pub(super) fn by_script(script: &Script, config: &SmscConfig, refusals: u8) -> Self {
        let answer = match script.submit {
            SubmitPlan::Accept => Answer::Taken,
            SubmitPlan::Refuse(error) => return Self::refused(error.command_status()),
            SubmitPlan::RefuseThenAccept { error, times } if refusals < times => {
                return Self::refused(error.command_status());
            }
            SubmitPlan::RefuseThenAccept { .. } => Answer::Taken,
            SubmitPlan::NoAnswer => Answer::Lost,
            SubmitPlan::DropConnection => Answer::Dropped(BeforeDrop::Taken),
        };
        let is_early =
            script.receipts.iter().any(|receipt| receipt.when == ReceiptTime::BeforeAnswer);
        let receipts = script.receipts.iter().map(|receipt| PlannedReceipt {
            after_ms: match receipt.when {
                ReceiptTime::BeforeAnswer => 0,
                ReceiptTime::AfterAnswer { delay_ms } => config.delay_ms + u64::from(delay_ms),
            },
            state: receipt.state.into(),
            error: receipt.error.unwrap_or(0),
        });
        Self {
            answer,
            answer_delay_ms: if is_early { EARLY_RECEIPT_LEAD_MS } else { 0 },
            receipts: receipts.collect(),
            unreported: None,
        }
    }

    /// What chance decides.
    pub(super) fn by_chance(config: &SmscConfig, shares: &Shares, dice: &Dice) -> Self {
        let answer = answer_by_chance(shares, dice);
        let mut plan = Self { answer, answer_delay_ms: 0, receipts: Vec::new(), unreported: None };
        match answer {
            Answer::Refused(_) | Answer::Dropped(BeforeDrop::NotTaken) => {}
            Answer::Taken | Answer::Lost | Answer::Dropped(BeforeDrop::Taken) => {
                plan.plan_receipts(config, shares, dice);
            }
        }
        plan
    }

    fn plan_receipts(&mut self, config: &SmscConfig, shares: &Shares, dice: &Dice) {
        if dice.hit(shares.receipt_missing) {
            let after_ms = config.delay_ms + config.receipt_delay_ms;
            let state = ReceiptState::Delivered;
            self.unreported = Some(PlannedReceipt { after_ms, state, error: 0 });
            return;
        }
        let (state, error) = match dice.hit(shares.undelivered) {
            true => (ReceiptState::Undeliverable, UNDELIVERED_ERROR),
            false => (ReceiptState::Delivered, 0),
        };
        let mut after_ms = config.delay_ms + config.receipt_delay_ms;
        if dice.hit(shares.receipt_early) {
            self.answer_delay_ms = EARLY_RECEIPT_LEAD_MS;
            after_ms = 0;
        } else if dice.hit(shares.receipt_late) {
            after_ms += shares.receipt_late_ms;
        }
        let last = PlannedReceipt { after_ms, state, error };
        self.receipts.push(last);
        if dice.hit(shares.receipt_duplicated) {
            self.receipts.push(last);
        }
        if dice.hit(shares.receipt_reordered) {
            let state = ReceiptState::Enroute;
            self.receipts.push(PlannedReceipt { after_ms, state, error: 0 });
        }
    }

    /// The last word of the receipts on the message: what `query_sm` answers once it is due.
    pub(super) fn outcome(&self) -> Option<PlannedReceipt> {
        self.receipts.iter().copied().find(|receipt| is_final(receipt.state)).or(self.unreported)
    }
}

fn answer_by_chance(shares: &Shares, dice: &Dice) -> Answer {
    if dice.hit(shares.throttled) {
        Answer::Refused(status::ESME_RTHROTTLED)
    } else if dice.hit(shares.refused) {
        Answer::Refused(status::ESME_RSUBMITFAIL)
    } else if dice.hit(shares.dropped) {
        Answer::Dropped(match dice.hit(0.5) {
            true => BeforeDrop::Taken,
            false => BeforeDrop::NotTaken,
        })
    } else if dice.hit(shares.answer_lost) {
        Answer::Lost
    } else {
        Answer::Taken
    }
}

/// Whether no other state follows (SMPP 3.4, section 5.2.28).
pub(super) const fn is_final(state: ReceiptState) -> bool {
    match state {
        ReceiptState::Enroute | ReceiptState::Accepted => false,
        ReceiptState::Delivered
        | ReceiptState::Expired
        | ReceiptState::Deleted
        | ReceiptState::Undeliverable
        | ReceiptState::Unknown
        | ReceiptState::Rejected => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(shares: Shares, seed: u64, count: usize) -> Vec<Plan> {
        let (config, dice) = (SmscConfig::default(), Dice::new(seed, 1));
        (0..count).map(|_| Plan::by_chance(&config, &shares, &dice)).collect()
    }

    #[test]
    fn without_shares_everything_is_taken_and_delivered_once() {
        let delivered = PlannedReceipt { after_ms: 0, state: ReceiptState::Delivered, error: 0 };
        for plan in plans(Shares::default(), 1, 100) {
            assert_eq!((plan.answer, plan.receipts), (Answer::Taken, vec![delivered]));
        }
    }

    #[test]
    fn a_share_of_one_always_hits() {
        let sure = |set: fn(&mut Shares)| {
            let mut shares = Shares::default();
            set(&mut shares);
            plans(shares, 2, 20)
        };
        let status = |plan: &Plan| matches!(plan.answer, Answer::Refused(_));
        assert!(sure(|s| s.throttled = 1.0).iter().all(status));
        assert!(sure(|s| s.refused = 1.0).iter().all(status));
        assert!(sure(|s| s.answer_lost = 1.0).iter().all(|plan| plan.answer == Answer::Lost));
        assert!(sure(|s| s.receipt_missing = 1.0).iter().all(|plan| plan.receipts.is_empty()));
        assert!(sure(|s| s.receipt_duplicated = 1.0).iter().all(|plan| plan.receipts.len() == 2));
        let dropped = sure(|s| s.dropped = 1.0);
        assert!(dropped.iter().all(|plan| matches!(plan.answer, Answer::Dropped(_))));
        let taken = dropped.iter().filter(|plan| !plan.receipts.is_empty()).count();
        assert!((1..20).contains(&taken), "some are taken before the drop and some are not");
    }

    #[test]
    fn the_same_seed_decides_the_same_way_and_another_differently() {
        let shares = Shares { refused: 0.5, undelivered: 0.5, ..Shares::default() };
        assert_eq!(plans(shares, 3, 200), plans(shares, 3, 200));
        assert_ne!(plans(shares, 3, 200), plans(shares, 4, 200));
    }
}
