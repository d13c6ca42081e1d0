//! What the result of a submission means for its message: pure.

use entity::enums::{MessageClass, MessageStatus, PartState};
use entity::ids::{AccountId, MessageId};
use entity::time::UnixMillis;

use crate::carriers::errors::{ErrorClass, ErrorTable, codes};
use crate::carriers::{NotSubmitted, PartOutcome};
use crate::ctx::Platform;
use crate::messages::model::{RETRY_JITTER, retry_delay_ms, uncertain_attempts_max};
use crate::types::money::Micros;
use crate::types::price::PartPrice;

/// A message that was handed to a carrier and not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InFlightMessage {
    pub(super) account_id: AccountId,
    pub(super) id: MessageId,
    pub(super) class: MessageClass,
    pub(super) attempt: i16,
    pub(super) parts: i16,
    /// The price of a part.
    pub(super) unit_price: PartPrice,
    pub(super) submitted_at: UnixMillis,
    /// Until when it may be handed over.
    pub(super) expires_at: UnixMillis,
    /// Until when it is worth sending, where quiet hours come in between.
    pub(super) valid_until: Option<UnixMillis>,
}

impl InFlightMessage {
    /// A claimed message.
    pub(super) fn of(message: &entity::message::Model) -> Self {
        Self {
            account_id: message.account_id,
            id: message.id,
            class: message.class,
            attempt: message.attempt,
            parts: message.parts,
            unit_price: message_price(message),
            submitted_at: message.submitted_at_ms.unwrap_or(message.due_at_ms),
            expires_at: message.expires_at_ms,
            valid_until: message.valid_until_ms,
        }
    }

    /// Whether it is worth trying again then. Queued beyond its window it is scheduled for the next
    /// one.
    fn is_valid_at(&self, time: UnixMillis) -> bool {
        time < self.valid_until.unwrap_or(self.expires_at)
    }
}

fn message_price(message: &entity::message::Model) -> PartPrice {
    PartPrice::from_nanos(message.unit_price_nanos).unwrap_or_default()
}

/// What becomes of the message row, and what is kept of the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: MessageStatus,
    pub(super) due_at: UnixMillis,
    /// Of a single part that was accepted.
    pub(super) carrier_message_id: Option<String>,
    pub(super) error_code: Option<String>,
    /// Tries begun, after this one; one that never left does not count.
    pub(super) attempt: i16,
    /// What the message costs, if that is known now; else its price stays held.
    pub(super) charged: Option<Micros>,
    /// Rows for `submission`, if the message row cannot tell.
    pub(super) parts: Vec<PartRecord>,
}

/// One part of the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartRecord {
    pub(super) state: PartState,
    pub(super) carrier_message_id: Option<String>,
    pub(super) error_code: Option<String>,
}

/// The clock's and chance's share in a verdict, drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) now: UnixMillis,
    pub(super) receipt_timeout_ms: i64,
    /// Multiplies a retry's delay: 0.8 to 1.2.
    pub(super) jitter: f64,
}

impl Circumstances {
    /// Those of this moment.
    pub(super) fn of(platform: &Platform) -> Self {
        Self {
            now: platform.clock.now(),
            receipt_timeout_ms: platform.settings.messages.receipt_timeout_s * 1_000,
            jitter: 1.0 + RETRY_JITTER * (2.0 * platform.randomness.unit() - 1.0),
        }
    }
}

/// Decides what the result means.
pub(super) fn verdict(
    message: &InFlightMessage,
    outcomes: &[PartOutcome],
    errors: &ErrorTable,
    at: Circumstances,
) -> Verdict {
    let accepted = outcomes.iter().filter(|part| is_accepted(part)).count();
    let uncertain = outcomes.iter().any(|part| matches!(part, PartOutcome::Uncertain));
    let refusal = outcomes.iter().find_map(|part| match part {
        PartOutcome::Refused(error) => Some(errors.classify(error)),
        _ => None,
    });
    let stop = outcomes.iter().find_map(|part| match part {
        PartOutcome::NotSubmitted(why) => Some(*why),
        _ => None,
    });
    let decided = if let Some(refusal) = refusal {
        let temporary = refusal.class == ErrorClass::Temporary && !refusal.permanent;
        // What arrived in part cannot be tried again as a whole: the phone would get parts twice.
        match retry_at(message, at).filter(|_| temporary && accepted == 0 && !uncertain) {
            Some(due_at) => (MessageStatus::Queued, due_at, Some(refusal.code.as_str())),
            None => (MessageStatus::Failed, at.now, Some(refusal.code.as_str())),
        }
    } else if uncertain {
        let again = message.attempt < uncertain_attempts_max(message.class);
        if again && accepted == 0 && message.is_valid_at(at.now) {
            (MessageStatus::Queued, at.now, Some(codes::SUBMISSION_UNCERTAIN))
        } else {
            (MessageStatus::Unknown, at.now, Some(codes::SUBMISSION_UNCERTAIN))
        }
    } else if let Some(stop) = stop {
        not_submitted(message, stop, accepted, at)
    } else {
        (MessageStatus::Sent, at.now.plus_ms(at.receipt_timeout_ms), None)
    };
    let (status, due_at, error_code) = decided;
    let charged = match status {
        // Held on for the next try, or until a late receipt tells.
        MessageStatus::Queued | MessageStatus::Unknown => None,
        _ => Some(message.unit_price.of_parts(i16::try_from(accepted).unwrap_or(i16::MAX))),
    };
    let never_left = stop.is_some() && accepted == 0 && !uncertain && refusal.is_none();
    // Of one part that nothing followed the message row itself tells.
    let is_recorded = !never_left && (message.parts > 1 || status == MessageStatus::Queued);
    Verdict {
        status,
        due_at,
        carrier_message_id: single_id(outcomes),
        error_code: error_code.map(str::to_owned),
        attempt: if never_left { message.attempt - 1 } else { message.attempt },
        charged,
        parts: if is_recorded {
            outcomes.iter().map(|part| record(part, errors)).collect()
        } else {
            Vec::new()
        },
    }
}

fn is_accepted(part: &PartOutcome) -> bool {
    matches!(part, PartOutcome::Accepted { .. })
}

fn retry_at(message: &InFlightMessage, at: Circumstances) -> Option<UnixMillis> {
    let delay_ms = retry_delay_ms(message.attempt)? as f64 * at.jitter;
    let due_at = at.now.plus_ms(delay_ms.round() as i64);
    message.is_valid_at(due_at).then_some(due_at)
}

fn not_submitted(
    message: &InFlightMessage,
    why: NotSubmitted,
    accepted: usize,
    at: Circumstances,
) -> (MessageStatus, UnixMillis, Option<&'static str>) {
    match why {
        NotSubmitted::Expired if accepted == 0 && !message.is_valid_at(at.now) => {
            (MessageStatus::ExpiredHere, at.now, Some(codes::EXPIRED_BEFORE_SUBMISSION))
        }
        // Some parts are with the carrier and the rest will never follow.
        _ if accepted > 0 => (MessageStatus::Failed, at.now, Some(codes::SUBMISSION_INCOMPLETE)),
        NotSubmitted::Disconnected
        | NotSubmitted::ShuttingDown
        | NotSubmitted::EarlierPart
        | NotSubmitted::Expired => (MessageStatus::Queued, at.now, None),
    }
}

fn single_id(outcomes: &[PartOutcome]) -> Option<String> {
    match outcomes {
        [PartOutcome::Accepted { carrier_message_id }] => Some(carrier_message_id.clone()),
        _ => None,
    }
}

fn record(outcome: &PartOutcome, errors: &ErrorTable) -> PartRecord {
    let (state, carrier_message_id, error_code) = match outcome {
        PartOutcome::Accepted { carrier_message_id } => {
            (PartState::Accepted, Some(carrier_message_id.clone()), None)
        }
        PartOutcome::Refused(error) => {
            (PartState::Refused, None, Some(errors.classify(error).code.as_str()))
        }
        PartOutcome::Uncertain => (PartState::Uncertain, None, Some(codes::SUBMISSION_UNCERTAIN)),
        PartOutcome::NotSubmitted(_) => (PartState::NotSubmitted, None, None),
    };
    PartRecord { state, carrier_message_id, error_code: error_code.map(str::to_owned) }
}
