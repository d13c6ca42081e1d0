//! From what the log tells of a message to what is counted of it: pure.
//!
//! Of a message whose state is not remembered, the story is walked from its start: first what was
//! counted before, for its state, then what is new, for what it adds. So nothing has to be stored of
//! messages between two runs.

use std::collections::HashMap;
use std::sync::Arc;

use entity::enums::{MessageStatus, Purse};
use entity::ids::{AccountId, MessageId};
use entity::time::UnixMillis;

use super::campaigns::{CampaignChanges, Portion};
use super::model::{Kind, Measure, Measures, Resolution};
use crate::billing::parts_paid;
use crate::types::money::Micros;
use crate::types::price::PartPrice;

/// What an event tells of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The status taken.
    pub status: MessageStatus,
    /// The message's version after it.
    pub version: i32,
    /// What went wrong.
    pub error_code: Option<String>,
    /// When.
    pub at: UnixMillis,
}

/// What the message's row tells, and never changes once an event is told of it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whose.
    pub account_id: AccountId,
    /// When it was accepted: the time in its id, by which lists are filtered.
    pub accepted_at: UnixMillis,
    /// What it is told apart by.
    pub kind: Arc<Kind>,
    /// The variant of its campaign's text that it is.
    pub variant: Option<i16>,
    /// On the air.
    pub parts: i16,
    /// Of a part.
    pub unit_price: PartPrice,
    /// What was held for it.
    pub price: Micros,
    /// What was charged, if that is known.
    pub charged: Option<Micros>,
    /// The version in which that came to be known; the first for what is not charged for at all.
    pub charged_version: Option<i32>,
}

impl Facts {
    fn is_free_of_charge(&self) -> bool {
        self.charged_version == Some(1)
    }

    /// With which messages of its campaign it counts, if it is of one.
    fn portion(&self) -> Option<Portion> {
        let (account_id, variant) = (self.account_id, self.variant);
        self.kind.campaign_id.map(|campaign_id| Portion { account_id, campaign_id, variant })
    }
}

/// The time in a message's id: the first 48 bits of a UUIDv7, in milliseconds.
pub(super) fn accepted_at(id: MessageId) -> UnixMillis {
    UnixMillis((id.0.as_u128() >> 80) as i64)
}

/// What a person can do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engagement {
    /// Objected.
    OptOut,
    /// Answered.
    Reply,
    /// Followed a link, not for the first time.
    Click,
    /// Followed a link of the message for the first time.
    FirstClick,
}

/// What a person did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    pub(super) account_id: AccountId,
    /// The message that it answers, as far as that is known.
    pub(super) subject_id: uuid::Uuid,
    pub(super) what: Engagement,
    pub(super) at: UnixMillis,
}

impl Deed {
    /// Where the message is found.
    pub(super) const fn subject(&self) -> (AccountId, uuid::Uuid) {
        (self.account_id, self.subject_id)
    }
}

/// Sums by minute, before they are written.
#[derive(Debug, Default)]
pub struct Tally {
    minutes: HashMap<Minute, Measures>,
    campaigns: CampaignChanges,
}

/// What a minute's sums are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Minute {
    pub(super) account_id: AccountId,
    pub(super) starts_at_s: i64,
    pub(super) kind: Arc<Kind>,
    pub(super) error_code: String,
}

impl Tally {
    /// Adds what `new` tells of a message of which `before` was told already; both in order.
    pub fn add<'a>(
        &mut self,
        facts: &Facts,
        before: impl IntoIterator<Item = &'a Step>,
        new: impl IntoIterator<Item = &'a Step>,
    ) {
        self.go_on(facts, &mut Life::of(facts, before), new);
    }

    /// Adds what `new` tells of a message that was in this state before, and brings the state along.
    pub(super) fn go_on<'a>(
        &mut self,
        facts: &Facts,
        life: &mut Life,
        new: impl IntoIterator<Item = &'a Step>,
    ) {
        for step in new {
            // What the log has forgotten of a campaign's message was HELD: nothing else outlives
            // its retention.
            let forgotten = (step.version > 1).then_some(MessageStatus::Held);
            let from = life.status.or(forgotten);
            let change = life.take(facts, step);
            if let Some(portion) = facts.portion() {
                let campaign = self.campaigns.entry(portion).or_default();
                campaign.moved(from, step.status);
                if let Some((parts, cost)) = change.charged {
                    campaign.parts += i64::from(parts);
                    if facts.kind.purse == Purse::Money {
                        campaign.cost_micros += cost.0;
                    }
                }
            }
            self.count(facts, step, change);
        }
    }

    fn count(&mut self, facts: &Facts, step: &Step, change: Change) {
        if change.accepted {
            self.at(facts, facts.accepted_at, "").counts.add(Measure::Accepted, 1);
        }
        if change.sent {
            self.at(facts, facts.accepted_at, "").counts.add(Measure::Sent, 1);
        }
        if let Some((measure, code)) = change.left {
            self.at(facts, facts.accepted_at, &code).counts.add(measure, -1);
        }
        if let Some((measure, code)) = change.reached {
            self.at(facts, facts.accepted_at, &code).counts.add(measure, 1);
        }
        if let Some(ms) = change.to_sent_ms {
            self.at(facts, facts.accepted_at, "").to_sent.record(ms);
        }
        if let Some(ms) = change.to_delivered_ms {
            self.at(facts, facts.accepted_at, "").to_delivered.record(ms);
        }
        if let Some((parts, cost)) = change.charged.filter(|charged| *charged != (0, Micros::ZERO))
        {
            let counts = &mut self.at(facts, step.at, "").counts;
            counts.add(Measure::Parts, i64::from(parts));
            counts.add(Measure::Cost, cost.0);
        }
    }

    /// Adds what people did: it counts when they did it, with the kind of the message that it
    /// answers, if that is known.
    pub(super) fn engage(&mut self, answered: Option<&Facts>, deed: &Deed) {
        let measure = match deed.what {
            Engagement::OptOut => Measure::OptOuts,
            Engagement::Reply => Measure::Replies,
            Engagement::Click | Engagement::FirstClick => Measure::Clicks,
        };
        let is_unique = i64::from(deed.what == Engagement::FirstClick);
        let kind = answered.map_or_else(|| Arc::new(Kind::unknown(None)), |it| it.kind.clone());
        let counts = &mut self.minute(deed.account_id, &kind, deed.at, "").counts;
        counts.add(measure, 1);
        counts.add(Measure::UniqueClicks, is_unique);
        let Some(portion) = answered.and_then(Facts::portion) else { return };
        let campaign = self.campaigns.entry(portion).or_default();
        match deed.what {
            Engagement::OptOut => campaign.opt_outs += 1,
            Engagement::Reply => campaign.replies += 1,
            Engagement::Click | Engagement::FirstClick => {
                campaign.clicks += 1;
                campaign.unique_clicks += is_unique;
            }
        }
    }

    fn at(&mut self, facts: &Facts, time: UnixMillis, error_code: &str) -> &mut Measures {
        self.minute(facts.account_id, &facts.kind, time, error_code)
    }

    fn minute(
        &mut self,
        account_id: AccountId,
        kind: &Arc<Kind>,
        time: UnixMillis,
        error_code: &str,
    ) -> &mut Measures {
        let minute = Minute {
            account_id,
            starts_at_s: Resolution::Minute.start_of(time.0.div_euclid(1_000)),
            kind: Arc::clone(kind),
            error_code: error_code.to_owned(),
        };
        self.minutes.entry(minute).or_default()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    pub(super) fn minutes(&self) -> impl Iterator<Item = (&Minute, &Measures)> {
        self.minutes.iter()
    }

    pub(super) const fn campaigns(&self) -> &CampaignChanges {
        &self.campaigns
    }
}

/// What is known of a message after some of its story.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    status: Option<MessageStatus>,
    queued_at: Option<UnixMillis>,
    sent_at: Option<UnixMillis>,
    is_sent: bool,
    outcome: Option<(Measure, String)>,
}

/// What a step of its story adds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    accepted: bool,
    sent: bool,
    /// An outcome that turned out not to be the last.
    left: Option<(Measure, String)>,
    reached: Option<(Measure, String)>,
    to_sent_ms: Option<i64>,
    to_delivered_ms: Option<i64>,
    /// Parts, and what they cost.
    charged: Option<(i16, Micros)>,
}

impl Life {
    /// The state after these steps.
    pub(super) fn of<'a>(facts: &Facts, steps: impl IntoIterator<Item = &'a Step>) -> Self {
        let mut life = Self::default();
        for step in steps {
            life.take(facts, step);
        }
        life
    }

    /// Whether it waits for its carrier or was with it.
    pub(super) const fn is_queued(&self) -> bool {
        self.queued_at.is_some()
    }

    /// Whether nothing more is expected: of an unknown outcome, for days.
    pub(super) const fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(super) fn take(&mut self, facts: &Facts, step: &Step) -> Change {
        let mut change = Change { accepted: step.version == 1, ..Change::default() };
        self.status = Some(step.status);
        if step.status == MessageStatus::Queued {
            self.queued_at.get_or_insert(step.at);
        }
        if step.status == MessageStatus::Sent && self.sent_at.is_none() {
            self.sent_at = Some(step.at);
            change.to_sent_ms = self.queued_at.map(|queued_at| step.at.since(queued_at));
        }
        if was_taken(step.status) && !self.is_sent {
            self.is_sent = true;
            change.sent = true;
            if facts.is_free_of_charge() {
                change.charged = Some((facts.parts, Micros::ZERO));
            }
        }
        if !facts.is_free_of_charge()
            && facts.charged_version == Some(step.version)
            && let Some(charged) = facts.charged
        {
            let parts =
                parts_paid(step.status, facts.unit_price, facts.parts, facts.price, charged);
            change.charged = Some((parts, charged));
        }
        if let Some(measure) = Measure::of_outcome(step.status) {
            let code = step.error_code.clone().unwrap_or_default();
            let reached = (measure, code);
            change.left = self.outcome.replace(reached.clone());
            change.reached = Some(reached);
            if measure == Measure::Delivered {
                change.to_delivered_ms = self.sent_at.map(|sent_at| step.at.since(sent_at));
            }
        }
        change
    }
}

/// Whether a status says that a carrier took the message.
const fn was_taken(status: MessageStatus) -> bool {
    use MessageStatus::{Delivered, Enroute, Expired, Rejected, Sent, Undelivered};
    matches!(status, Sent | Enroute | Delivered | Undelivered | Expired | Rejected)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use MessageStatus::{Delivered, Enroute, ExpiredHere, Queued, Scheduled, Sent, Unknown};
    use entity::enums::MessageClass;
    use entity::ids::CarrierId;
    use uuid::Uuid;

    pub(in crate::rollups) fn facts() -> Facts {
        Facts {
            account_id: AccountId(Uuid::from_u128(1)),
            accepted_at: UnixMillis(61_000),
            kind: Arc::new(Kind {
                is_test: false,
                country: "DE".to_owned(),
                carrier_id: CarrierId(Uuid::from_u128(2)),
                route_id: None,
                sender: "Acme".to_owned(),
                class: MessageClass::Otp,
                currency: "USD".to_owned(),
                purse: Purse::Money,
                campaign_id: None,
            }),
            variant: None,
            parts: 2,
            unit_price: PartPrice::from_nanos(10_000_000).unwrap(),
            price: Micros(20_000),
            charged: Some(Micros(20_000)),
            charged_version: Some(3),
        }
    }

    /// `(status, version, error, seconds)`
    fn steps(told: &[(MessageStatus, i32, Option<&str>, i64)]) -> Vec<Step> {
        told.iter()
            .map(|(status, version, error, s)| Step {
                status: *status,
                version: *version,
                error_code: error.map(str::to_owned),
                at: UnixMillis(s * 1_000),
            })
            .collect()
    }

    /// What a message of two parts counts as that was delivered in the end.
    fn once_delivered() -> [(Measure, i64); 5] {
        use Measure::{Accepted, Cost, Delivered, Parts, Sent};
        [(Accepted, 1), (Sent, 1), (Delivered, 1), (Parts, 2), (Cost, 20_000)]
    }

    fn total(tally: &Tally) -> Measures {
        let mut total = Measures::default();
        tally.minutes().for_each(|(_, measures)| total.merge(measures));
        total
    }

    fn counted(tally: &Tally) -> Vec<(Measure, i64)> {
        let counts = total(tally).counts;
        let all = Measure::ALL.iter().map(|measure| (*measure, counts.get(*measure)));
        all.filter(|(_, count)| *count != 0).collect()
    }

    #[test]
    fn a_message_counts_where_it_was_accepted_and_costs_when_it_was_charged() {
        let story = steps(&[
            (Scheduled, 1, None, 61),
            (Queued, 2, None, 119),
            (Sent, 3, None, 121),
            (Enroute, 4, None, 123),
            (Delivered, 5, None, 130),
        ]);
        let mut tally = Tally::default();
        tally.add(&facts(), [], &story);
        let mut minutes: Vec<_> = tally.minutes().map(|(minute, _)| minute.starts_at_s).collect();
        minutes.sort_unstable();
        assert_eq!(minutes, [60, 120]);
        let cost = |starts_at_s| {
            let found = tally.minutes().find(|(minute, _)| minute.starts_at_s == starts_at_s);
            found.unwrap().1.counts.get(Measure::Cost)
        };
        assert_eq!((cost(60), cost(120)), (0, 20_000));
        let all = once_delivered();
        assert_eq!(counted(&tally), all);
        let total = total(&tally);
        assert_eq!(total.to_sent.percentile(50.0), Some(1_984), "2 s from QUEUED, not SCHEDULED");
        assert_eq!(total.to_delivered.percentile(50.0), Some(8_704));
    }

    #[test]
    fn late_truth_moves_a_message_to_where_it_belongs() {
        let story = steps(&[
            (Queued, 1, None, 61),
            (Unknown, 3, Some("NO_FINAL_RECEIPT"), 70),
            (Delivered, 4, None, 900),
        ]);
        let facts = Facts { charged_version: Some(4), ..facts() };
        let mut tally = Tally::default();
        tally.add(&facts, [], &story);
        let all = once_delivered();
        assert_eq!(counted(&tally), all);
        for (minute, measures) in tally.minutes() {
            assert_eq!(measures.counts.get(Measure::Unknown), 0, "{minute:?}");
        }
        let expired = steps(&[(Queued, 1, None, 61), (ExpiredHere, 2, Some("E"), 70)]);
        let mut tally = Tally::default();
        tally.add(
            &Facts { charged: Some(Micros(0)), charged_version: Some(2), ..facts },
            [],
            &expired,
        );
        assert_eq!(counted(&tally), [(Measure::Accepted, 1), (Measure::Expired, 1)]);
    }

    #[test]
    fn a_story_told_in_pieces_counts_as_the_whole() {
        let story = steps(&[
            (Queued, 1, None, 61),
            (Queued, 3, Some("THROTTLED"), 62),
            (Sent, 5, None, 70),
            (Unknown, 6, Some("NO_FINAL_RECEIPT"), 80),
            (Delivered, 7, None, 90),
        ]);
        let facts = Facts { charged_version: Some(5), ..facts() };
        let mut whole = Tally::default();
        whole.add(&facts, [], &story);
        for mask in 0..1u32 << (story.len() - 1) {
            let mut pieces = Tally::default();
            let mut done = 0;
            for end in 1..=story.len() {
                if end == story.len() || mask >> (end - 1) & 1 == 1 {
                    pieces.add(&facts, &story[..done], &story[done..end]);
                    done = end;
                }
            }
            assert_eq!(total(&pieces), total(&whole), "{mask:b}");
        }
    }

    #[test]
    fn what_is_not_charged_for_has_parts_and_no_cost() {
        let story = steps(&[(Queued, 1, None, 61), (Sent, 3, None, 70), (Delivered, 4, None, 71)]);
        let free = Facts { charged: Some(Micros(0)), charged_version: Some(1), ..facts() };
        let mut tally = Tally::default();
        tally.add(&free, [], &story);
        let counts = total(&tally).counts;
        assert_eq!((counts.get(Measure::Parts), counts.get(Measure::Cost)), (2, 0));
    }
}
