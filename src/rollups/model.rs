//! What is counted, of which messages, for how long: pure.

use entity::enums::{MessageClass, MessageStatus, Purse};
use entity::ids::{AccountId, CampaignId, CarrierId, RouteId};
use entity::time::UnixMillis;
use uuid::Uuid;

use super::histogram::Histogram;
use super::timeline::Minute;
use crate::config::Metrics as Settings;

/// The length of a stretch of time that is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// A minute.
    Minute,
    /// Fifteen minutes: time zones differ from UTC by whole quarters of an hour.
    Quarter,
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
}

/// Seconds of a day.
pub(super) const DAY_S: i64 = 86_400;

impl Resolution {
    /// All, the finest first.
    pub const ALL: &'static [Self] = &[Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    /// Seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Quarter => 900,
            Self::Hour => 3_600,
            Self::Day => DAY_S,
        }
    }

    /// The start of the stretch that a time (in seconds) lies in.
    pub const fn start_of(self, time_s: i64) -> i64 {
        time_s - time_s.rem_euclid(self.seconds())
    }

    /// From when on it is kept, in seconds; a midnight of UTC, so that what is older is made of
    /// whole days. None: forever.
    pub(super) fn kept_from(self, settings: &Settings, now: UnixMillis) -> Option<i64> {
        let retention_s = match self {
            Self::Minute => settings.minute_retention_s,
            Self::Quarter | Self::Hour => settings.hour_retention_s,
            Self::Day => return None,
        };
        Some(Self::Day.start_of(now.0.div_euclid(1_000) - retention_s))
    }

    /// From when on it is written: a day more than what is shown, so that no clock shows a stretch
    /// of which another has begun to forget some.
    pub(super) fn written_from(self, settings: &Settings, now: UnixMillis) -> Option<i64> {
        Some(self.kept_from(settings, now)? - DAY_S)
    }
}

/// What the rows are told apart by: each message counts in one row of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Detail {
    /// By nothing but live and test, and what they are charged in.
    Total,
    /// By all of [`Kind`], and the error.
    Kinds,
}

impl Detail {
    pub(super) const ALL: &'static [Self] = &[Self::Total, Self::Kinds];

    /// As stored.
    pub(super) const fn code(self) -> i16 {
        match self {
            Self::Total => 0,
            Self::Kinds => 1,
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Messages accepted.
    Accepted,
    /// Those that a carrier took.
    Sent,
    /// Those on the phone.
    Delivered,
    /// Those that the carrier could not deliver.
    Undelivered,
    /// Those that could not be handed over.
    Failed,
    /// Those whose validity ended.
    Expired,
    /// Those that the carrier refused after taking them.
    Rejected,
    /// Those canceled before they left.
    Canceled,
    /// Those whose recipients do not want them.
    Suppressed,
    /// Those of which nobody knows.
    Unknown,
    /// Parts that carriers took.
    Parts,
    /// What was charged, in micro-units.
    Cost,
    /// People who objected.
    OptOuts,
    /// Messages from phones that answer.
    Replies,
    /// Clicks of persons on short links.
    Clicks,
    /// Recipients who clicked, each once a message.
    UniqueClicks,
}

impl Measure {
    /// All, in the order of the columns.
    pub const ALL: &'static [Self] = &[
        Self::Accepted,
        Self::Sent,
        Self::Delivered,
        Self::Undelivered,
        Self::Failed,
        Self::Expired,
        Self::Rejected,
        Self::Canceled,
        Self::Suppressed,
        Self::Unknown,
        Self::Parts,
        Self::Cost,
        Self::OptOuts,
        Self::Replies,
        Self::Clicks,
        Self::UniqueClicks,
    ];

    /// The column of the table.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Canceled => "canceled",
            Self::Suppressed => "suppressed",
            Self::Unknown => "unknown",
            Self::Parts => "parts",
            Self::Cost => "cost_micros",
            Self::OptOuts => "opt_outs",
            Self::Replies => "replies",
            Self::Clicks => "clicks",
            Self::UniqueClicks => "unique_clicks",
        }
    }

    /// Whether it counts messages whose fate is decided.
    pub const fn is_outcome(self) -> bool {
        match self {
            Self::Accepted
            | Self::Sent
            | Self::Parts
            | Self::Cost
            | Self::OptOuts
            | Self::Replies
            | Self::Clicks
            | Self::UniqueClicks => false,
            Self::Delivered
            | Self::Undelivered
            | Self::Failed
            | Self::Expired
            | Self::Rejected
            | Self::Canceled
            | Self::Suppressed
            | Self::Unknown => true,
        }
    }

    /// What a message in `status` counts as beside accepted and sent; none while it is under way.
    pub const fn of_outcome(status: MessageStatus) -> Option<Self> {
        use MessageStatus as Status;
        match status {
            Status::Scheduled
            | Status::Held
            | Status::Queued
            | Status::Sending
            | Status::Sent
            | Status::Enroute => None,
            Status::Unknown => Some(Self::Unknown),
            Status::ExpiredHere | Status::Expired => Some(Self::Expired),
            Status::Delivered => Some(Self::Delivered),
            Status::Undelivered => Some(Self::Undelivered),
            Status::Rejected => Some(Self::Rejected),
            Status::Failed => Some(Self::Failed),
            Status::Canceled => Some(Self::Canceled),
            Status::Suppressed => Some(Self::Suppressed),
        }
    }
}

/// A number for each measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([i64; Measure::ALL.len()]);

impl Counts {
    /// How many.
    pub const fn get(&self, measure: Measure) -> i64 {
        self.0[measure as usize]
    }

    /// Adds so many; negative takes away.
    pub fn add(&mut self, measure: Measure, count: i64) {
        let sum = &mut self.0[measure as usize];
        *sum = sum.saturating_add(count);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for measure in Measure::ALL {
            self.add(*measure, other.get(*measure));
        }
    }

    /// These without those of `other`.
    pub fn without(mut self, other: &Self) -> Self {
        for measure in Measure::ALL {
            self.add(*measure, -other.get(*measure));
        }
        self
    }

    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// The share of those delivered among those whose fate is decided, canceled and suppressed ones
    /// apart; none if there are none.
    pub fn delivery_rate(&self) -> Option<f64> {
        use Measure::{Delivered, Expired, Failed, Rejected, Undelivered, Unknown};
        let decided: i64 = [Delivered, Undelivered, Failed, Expired, Rejected, Unknown]
            .into_iter()
            .map(|measure| self.get(measure))
            .sum();
        (decided > 0).then(|| self.get(Delivered) as f64 / decided as f64)
    }
}

/// What is added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Numbers.
    pub counts: Counts,
    /// Milliseconds from QUEUED to SENT.
    pub to_sent: Histogram,
    /// Milliseconds from SENT to DELIVERED.
    pub to_delivered: Histogram,
}

impl Measures {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.to_sent.merge(&other.to_sent);
        self.to_delivered.merge(&other.to_delivered);
    }
}

/// What messages are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// Accepted under a test key.
    pub is_test: bool,
    /// The recipient's country, two letters or empty.
    pub country: String,
    /// Where the route led.
    pub carrier_id: CarrierId,
    /// Which route; none for the simulator.
    pub route_id: Option<RouteId>,
    /// As the phone shows it.
    pub sender: String,
    /// Its class.
    pub class: MessageClass,
    /// What it is charged in.
    pub currency: String,
    /// Which purse it is charged to.
    pub purse: Purse,
    /// The campaign that it is part of.
    pub campaign_id: Option<CampaignId>,
}

impl Kind {
    /// What people did about no message that is known: nothing is known of its kind but, perhaps, the
    /// campaign.
    pub(super) fn unknown(campaign_id: Option<CampaignId>) -> Self {
        Self {
            is_test: false,
            country: String::new(),
            carrier_id: CarrierId(Uuid::nil()),
            route_id: None,
            sender: String::new(),
            class: MessageClass::Marketing,
            currency: "XXX".to_owned(),
            purse: Purse::Parts,
            campaign_id,
        }
    }

    /// What is left of it in the rows of [`Detail::Total`]; the rest is blank.
    fn of_total(&self) -> Self {
        Self {
            is_test: self.is_test,
            country: String::new(),
            carrier_id: CarrierId(Uuid::nil()),
            route_id: None,
            sender: String::new(),
            class: MessageClass::Otp,
            currency: self.currency.clone(),
            purse: self.purse,
            campaign_id: None,
        }
    }

    /// The route as it stands in the key of a table, which cannot be null.
    pub(super) fn stored_route(&self) -> Uuid {
        self.route_id.map_or(Uuid::nil(), |id| id.0)
    }

    /// The campaign, likewise.
    pub(super) fn stored_campaign(&self) -> Uuid {
        self.campaign_id.map_or(Uuid::nil(), |id| id.0)
    }
}

/// A row's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) account_id: AccountId,
    pub(super) resolution: Resolution,
    pub(super) detail: Detail,
    pub(super) starts_at_s: i64,
    pub(super) kind: Kind,
    pub(super) error_code: String,
}

impl Key {
    /// The row that a minute's sums are added to.
    pub(super) fn of(minute: &Minute, resolution: Resolution, detail: Detail) -> Self {
        let (kind, error_code) = match detail {
            Detail::Total => (minute.kind.of_total(), String::new()),
            Detail::Kinds => ((*minute.kind).clone(), minute.error_code.clone()),
        };
        Self {
            account_id: minute.account_id,
            resolution,
            detail,
            starts_at_s: resolution.start_of(minute.starts_at_s),
            kind,
            error_code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_begin_where_all_finer_ones_do() {
        for time_s in [0, 59, 60, 899, 900, 86_399, 86_400, -1, 1_782_000_123] {
            for pair in Resolution::ALL.windows(2) {
                let start = pair[1].start_of(time_s);
                assert!(start <= time_s && time_s < start + pair[1].seconds());
                assert_eq!(pair[0].start_of(start), start, "{pair:?} {time_s}");
            }
        }
    }

    #[test]
    fn every_status_that_nothing_follows_is_an_outcome() {
        for status in MessageStatus::ALL {
            let decided = status.code() >= MessageStatus::Unknown.code();
            assert_eq!(Measure::of_outcome(*status).is_some(), decided, "{status:?}");
        }
    }

    #[test]
    fn the_delivery_rate_is_of_those_whose_fate_is_decided() {
        let mut counts = Counts::default();
        counts.add(Measure::Accepted, 10);
        counts.add(Measure::Canceled, 2);
        assert_eq!(counts.delivery_rate(), None);
        counts.add(Measure::Delivered, 3);
        counts.add(Measure::Unknown, 1);
        assert_eq!(counts.delivery_rate(), Some(0.75));
    }

    #[test]
    fn measures_stand_in_the_order_of_their_columns() {
        for (index, measure) in Measure::ALL.iter().enumerate() {
            assert_eq!(*measure as usize, index);
        }
    }
}
