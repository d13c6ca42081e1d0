//! What metrics are asked by.

use async_graphql::{Enum, ID, InputObject};
use entity::ids::{CampaignId, CarrierId, RouteId};

use crate::graphql::errors::{Answer, Fault};
use crate::graphql::ids::parse_id;
use crate::graphql::messages::enums::MessageClass;
use crate::graphql::scalars::DateTime;
use crate::rollups::{self, Measure};

/// How long a point of a series is, by the clocks of the time zone.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsInterval {
    /// What suits the range: at most some hundred points.
    Auto,
    /// A minute.
    Minute,
    /// From full hour to full hour.
    Hour,
    /// From midnight to midnight: 23 to 25 hours where clocks change.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

impl MetricsInterval {
    /// What was chosen; none: what suits the range.
    pub(super) const fn chosen(self) -> Option<rollups::Interval> {
        match self {
            Self::Auto => None,
            Self::Minute => Some(rollups::Interval::Minute),
            Self::Hour => Some(rollups::Interval::Hour),
            Self::Day => Some(rollups::Interval::Day),
            Self::Week => Some(rollups::Interval::Week),
            Self::Month => Some(rollups::Interval::Month),
        }
    }
}

impl From<rollups::Interval> for MetricsInterval {
    fn from(interval: rollups::Interval) -> Self {
        match interval {
            rollups::Interval::Minute => Self::Minute,
            rollups::Interval::Hour => Self::Hour,
            rollups::Interval::Day => Self::Day,
            rollups::Interval::Week => Self::Week,
            rollups::Interval::Month => Self::Month,
        }
    }
}

/// Which keys' messages are counted; test keys' never together with others.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "rollups::Mode")]
pub enum MetricsMode {
    /// Those that were sent.
    Live,
    /// Those of test keys.
    Test,
}

/// What messages are told apart by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "rollups::Dimension")]
pub enum MetricsDimension {
    /// The recipients' country.
    Country,
    /// The carrier; for the operator's staff.
    Carrier,
    /// The route; for the operator's staff.
    Route,
    /// The sender.
    Sender,
    /// The class.
    Class,
    /// What went wrong. Messages without an error are left out of groups and totals.
    ErrorCode,
    /// The campaign. Messages of none are left out of groups and totals.
    Campaign,
}

/// What is counted.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Measure")]
pub enum MetricsMeasure {
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
    /// What was charged; for those who may read billing.
    Cost,
    /// People who objected to being written to.
    OptOuts,
    /// Messages from phones that answer.
    Replies,
    /// Clicks of persons on short links.
    Clicks,
    /// Recipients who clicked, each once a message.
    UniqueClicks,
}

/// Which messages are counted. Conditions are joined by AND; an absent or null one does not matter,
/// an empty list finds none. At most 100 values each.
#[derive(InputObject, Clone, Debug, Default)]
pub struct MetricsFilter {
    /// Live or test; absent or null: live.
    pub mode: Option<MetricsMode>,
    /// Only those to these countries: two letters of ISO 3166-1, or an empty text for numbers of
    /// none.
    pub countries: Option<Vec<String>>,
    /// Only those from these senders, exactly as registered.
    pub senders: Option<Vec<String>>,
    /// Only those of these classes.
    pub classes: Option<Vec<MessageClass>>,
    /// Only those by these carriers, `carr_…`, at most 100; for the operator's staff.
    pub carrier_ids: Option<Vec<ID>>,
    /// Only those by these routes, `route_…`, at most 100; for the operator's staff.
    pub route_ids: Option<Vec<ID>>,
    /// Only those of these campaigns, `camp_…`, at most 100.
    pub campaign_ids: Option<Vec<ID>>,
}

impl TryFrom<MetricsFilter> for rollups::Filter {
    type Error = Fault;

    fn try_from(filter: MetricsFilter) -> Answer<Self> {
        let carriers = filter.carrier_ids.map(|ids| ids.iter().map(parse_id).collect());
        let routes = filter.route_ids.map(|ids| ids.iter().map(parse_id).collect());
        let carriers: Option<Answer<Vec<CarrierId>>> = carriers;
        let routes: Option<Answer<Vec<RouteId>>> = routes;
        let campaigns = filter.campaign_ids.map(|ids| ids.iter().map(parse_id).collect());
        let campaigns: Option<Answer<Vec<CampaignId>>> = campaigns;
        Ok(Self {
            mode: filter.mode.map(Into::into).unwrap_or_default(),
            countries: filter.countries,
            carriers: carriers.transpose()?,
            routes: routes.transpose()?,
            campaigns: campaigns.transpose()?,
            senders: filter.senders,
            classes: filter.classes.map(|all| all.into_iter().map(Into::into).collect()),
        })
    }
}

/// What series are wanted of.
#[derive(InputObject, Clone, Debug)]
pub struct MetricsInput {
    /// The start, from 1970 on. It is taken back to a full minute; of what is older than 7 days to a
    /// quarter of an hour, and older than 400 days to midnight UTC.
    pub from: DateTime,
    /// The end, which does not belong to it, at most 3,660 days later; taken on in the same way.
    pub to: DateTime,
    /// How long a point is; absent or null: `AUTO`. A series has at most 1,500 points.
    pub interval: Option<MetricsInterval>,
    /// By whose clocks points begin: a name of the IANA time zone database, `Europe/Berlin`. Absent
    /// or null: `UTC`.
    pub time_zone: Option<String>,
    /// Which messages; absent or null: all that were sent live.
    pub filter: Option<MetricsFilter>,
    /// Whether the range before, just as long, is wanted too. Absent or null: no.
    pub compare_to_previous: Option<bool>,
}

/// What a breakdown is wanted of.
#[derive(InputObject, Clone, Debug)]
pub struct BreakdownInput {
    /// The start; as in `MetricsInput`.
    pub from: DateTime,
    /// The end, which does not belong to it; as in `MetricsInput`.
    pub to: DateTime,
    /// What messages are told apart by.
    pub by: MetricsDimension,
    /// What groups are ordered by, the largest first; absent or null: `ACCEPTED`.
    pub measure: Option<MetricsMeasure>,
    /// How many groups, 1 to 100; the rest is `other`. Absent or null: 10.
    pub top: Option<i32>,
    /// Which messages; absent or null: all that were sent live.
    pub filter: Option<MetricsFilter>,
}
