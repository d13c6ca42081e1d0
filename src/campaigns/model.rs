//! The life of a campaign and how fast it goes: pure.
//!
//! | from | may become |
//! |---|---|
//! | DRAFT | SCHEDULED, RUNNING, CANCELED |
//! | SCHEDULED | DRAFT (taken back), SCHEDULED (another time), RUNNING, CANCELED, FAILED (could not start) |
//! | RUNNING | PAUSED (by a person, or by itself), FINISHED, CANCELED |
//! | PAUSED | RUNNING, CANCELED |
//! | FINISHED, CANCELED, FAILED | nothing |

use entity::campaign::Model;
use entity::campaign_total::Model as Total;
use entity::enums::{CampaignReason, CampaignStatus, MessageClass};
use entity::ids::{AccountId, CampaignId};
use entity::time::UnixMillis;
use jiff::civil::DateTime;

use crate::contacts::AudienceFault;

/// Whether a campaign may come from one status into another.
pub const fn may_become(from: CampaignStatus, to: CampaignStatus) -> bool {
    use CampaignStatus::{Canceled, Draft, Failed, Finished, Paused, Running, Scheduled};
    matches!(
        (from, to),
        (Draft, Scheduled | Running | Canceled)
            | (Scheduled, Draft | Scheduled | Running | Canceled | Failed)
            | (Running, Paused | Finished | Canceled)
            | (Paused, Running | Canceled)
    )
}

/// Whether what a person set can still be changed.
pub const fn is_editable(status: CampaignStatus) -> bool {
    matches!(status, CampaignStatus::Draft | CampaignStatus::Scheduled)
}

/// Whether nothing becomes of a campaign any more.
pub const fn is_over(status: CampaignStatus) -> bool {
    matches!(status, CampaignStatus::Finished | CampaignStatus::Canceled | CampaignStatus::Failed)
}

/// A draft of which nothing is written yet.
pub fn draft(account_id: AccountId, id: CampaignId, now: UnixMillis) -> Model {
    Model {
        account_id,
        id,
        name: String::new(),
        sender: String::new(),
        class: MessageClass::Marketing,
        topic: None,
        template: String::new(),
        audience: String::new(),
        condition: None,
        status: CampaignStatus::Draft,
        reason: None,
        is_test: false,
        scheduled_at_ms: None,
        rate_per_s: None,
        frozen_after: None,
        frozen_at_ms: None,
        recipients: 0,
        expanded_after: None,
        expanded_at_ms: None,
        expanded: 0,
        accepted: 0,
        suppressed: 0,
        refused: 0,
        price_micros: 0,
        paced_from_ms: None,
        paced_after: 0,
        failed_before: 0,
        decided_before: 0,
        needs_sweep: false,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
        started_at_ms: None,
        finished_at_ms: None,
        send_at_local: None,
        parent_id: None,
        retries_unknown: false,
        split_from: None,
        link_domain_id: None,
    }
}

/// Why a campaign cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRejection {
    /// The account may not send.
    #[error("the account is suspended")]
    AccountSuspended,
    /// An invoice is overdue.
    #[error("an invoice is overdue: the account may send again as soon as it is paid")]
    PaymentOverdue,
    /// The sender is not there, or not approved.
    #[error("the sender is not registered with the account, or not approved yet")]
    SenderNotApproved,
    /// Nobody is in the audience.
    #[error("there is nobody in the audience")]
    EmptyAudience,
    /// Nobody in the audience may be written to.
    #[error("everybody in the audience has objected or is suppressed")]
    AllSuppressed,
    /// A list or segment is gone.
    #[error(transparent)]
    Audience(#[from] AudienceFault),
    /// The domain of its links is not the account's, or not verified.
    #[error("the domain of the campaign's links is not verified, or not any more")]
    LinkDomainNotVerified,
}

impl StartRejection {
    /// What a campaign is told that could not start at its time.
    pub const fn reason(self) -> CampaignReason {
        match self {
            Self::AccountSuspended => CampaignReason::AccountSuspended,
            Self::PaymentOverdue => CampaignReason::PaymentOverdue,
            Self::SenderNotApproved => CampaignReason::SenderNotApproved,
            Self::EmptyAudience => CampaignReason::EmptyAudience,
            Self::AllSuppressed => CampaignReason::AllSuppressed,
            Self::Audience(_) => CampaignReason::AudienceGone,
            Self::LinkDomainNotVerified => CampaignReason::LinkDomainNotVerified,
        }
    }
}

/// The easternmost and the westernmost clocks on Earth, in ms from UTC: Kiribati's, and those of
/// ships west of the date line.
const CLOCKS_MS: (i64, i64) = (14 * 3_600_000, -12 * 3_600_000);

/// A time by each recipient's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(pub DateTime);

impl LocalTime {
    /// Reads 2026-12-31T09:00, with seconds or without; none for what has an offset or is no time.
    pub fn parse(text: &str) -> Option<Self> {
        let (_, time) = text.split_once('T')?;
        let is_plain = time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        if is_plain { text.parse().ok().map(Self) } else { None }
    }

    /// When the first clock on Earth shows it, and when the last one does.
    pub fn moments(self) -> Option<(UnixMillis, UnixMillis)> {
        let in_utc = jiff::tz::Offset::UTC.to_timestamp(self.0).ok()?.as_millisecond();
        Some((UnixMillis(in_utc - CLOCKS_MS.0), UnixMillis(in_utc - CLOCKS_MS.1)))
    }
}

/// How long a campaign that fell behind its rate catches up, in ms: what was missed before is not
/// made up for, so that a node that comes back does not send a burst.
const CATCH_UP_MS: i64 = 2_000;

/// A campaign's rate, and from when it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages a second.
    pub per_s: i32,
    /// From when.
    pub from: UnixMillis,
    /// How many recipients were expanded then.
    pub after: i64,
}

impl Rate {
    /// How many recipients may be expanded now, with `expanded` of them done: those of each second
    /// at its beginning. Counts anew from where it stands if it has fallen behind.
    pub fn allowance(self, expanded: i64, now: UnixMillis) -> (Self, i64) {
        let per_s = i64::from(self.per_s);
        let due_by = |rate: Self| {
            let seconds = now.since(rate.from).max(0) / 1_000 + 1;
            rate.after.saturating_add(seconds.saturating_mul(per_s))
        };
        let behind = due_by(self) - expanded;
        if behind <= per_s * (CATCH_UP_MS / 1_000) {
            return (self, behind.max(0));
        }
        let anew = Self { from: now, after: expanded, ..self };
        (anew, due_by(anew) - expanded)
    }
}

/// How many of a campaign's messages failed, and of how many the fate is decided.
pub fn decided(total: &Total) -> (i64, i64) {
    let failed = total.undelivered + total.expired + total.rejected + total.failed;
    (failed, failed + total.delivered)
}

/// Messages that have not left yet.
pub const fn waiting(total: &Total) -> i64 {
    total.scheduled + total.held + total.queued
}

/// Messages that a carrier has or had.
pub const fn left(total: &Total) -> i64 {
    total.sent
        + total.enroute
        + total.delivered
        + total.undelivered
        + total.expired
        + total.rejected
        + total.failed
        + total.unknown
}

/// All messages that are counted.
pub const fn counted(total: &Total) -> i64 {
    waiting(total) + left(total) + total.canceled
}

#[cfg(test)]
mod tests {
    use super::*;
    use CampaignStatus::{Canceled, Draft, Failed, Finished, Paused, Running, Scheduled};

    #[test]
    fn a_campaign_goes_its_way_and_ends() {
        let rows: &[(CampaignStatus, &[CampaignStatus])] = &[
            (Draft, &[Scheduled, Running, Canceled]),
            (Scheduled, &[Draft, Scheduled, Running, Canceled, Failed]),
            (Running, &[Paused, Finished, Canceled]),
            (Paused, &[Running, Canceled]),
            (Finished, &[]),
            (Canceled, &[]),
            (Failed, &[]),
        ];
        for (from, next) in rows {
            for to in CampaignStatus::ALL {
                assert_eq!(may_become(*from, *to), next.contains(to), "{from:?} → {to:?}");
            }
            assert_eq!(is_over(*from), next.is_empty(), "{from:?}");
        }
    }

    #[test]
    fn local_times_are_read_without_an_offset() {
        for (text, is_time) in [
            ("2026-12-31T09:00", true),
            ("2026-12-31T09:00:30", true),
            ("2026-12-31", false),
            ("2026-12-31 09:00", false),
            ("2026-12-31T09:00Z", false),
            ("2026-12-31T09:00+01:00", false),
            ("2026-12-31T09:00-01", false),
            ("2026-12-31T", false),
            ("2026-02-30T09:00", false),
            ("", false),
        ] {
            assert_eq!(LocalTime::parse(text).is_some(), is_time, "{text}");
        }
        let (first, last) = LocalTime::parse("1970-01-02T00:00").unwrap().moments().unwrap();
        assert_eq!((first.0, last.0), (10 * 3_600_000, 36 * 3_600_000));
    }

    #[test]
    fn a_rate_is_kept_and_what_was_missed_is_not_made_up_for() {
        let rate = Rate { per_s: 10, from: UnixMillis(0), after: 100 };
        for (expanded, at_ms, allowed) in
            [(100, 0, 10), (110, 0, 0), (110, 999, 0), (110, 1_000, 10), (105, 1_000, 15)]
        {
            assert_eq!(rate.allowance(expanded, UnixMillis(at_ms)), (rate, allowed), "{at_ms}");
        }
        let (anew, allowed) = rate.allowance(100, UnixMillis(60_000));
        assert_eq!(anew, Rate { per_s: 10, from: UnixMillis(60_000), after: 100 });
        assert_eq!(allowed, 10);
    }
}
