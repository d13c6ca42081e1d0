//! Quiet hours: when marketing may reach a phone, by the law of its country and the clock of where
//! it may be. Pure: no store, no clock. Built from settings by `config`, asked by `messages`.
//!
//! Rules are dated data, each with its source (`rules.toml`, or the operator's own file). Where a
//! phone may be in several zones, a time must be legal in all of them. A country without a rule
//! follows the operator's default, which is off at first: then any time will do.

mod easter;
mod rules;
mod windows;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use entity::time::UnixMillis;

pub use rules::QuietHours;
pub use windows::Window;
pub use zones::Zones;

/// How many days ahead a window is looked for: the longest run of days without any (a weekend and
/// holidays around it) is shorter.
pub const AHEAD_DAYS_MAX: i64 = 14;
/// What must be left of a window, in ms: a minute, so that a carrier has time to take a message.
const ROOM_MIN_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// When a message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The time now.
    pub now: UnixMillis,
    /// Not before this time.
    pub from: UnixMillis,
    /// How long it is worth sending, in ms.
    pub validity_ms: i64,
    /// How far it stands behind the first of those that wait for the same time, in ms; for what need
    /// not wait it counts nothing.
    pub behind_ms: i64,
}

/// When a message may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From when on.
    pub due_at: UnixMillis,
    /// Until when: the end of its validity, or of the window.
    pub expires_at: UnixMillis,
    /// The end of its validity, where the window ends before it.
    pub valid_until: Option<UnixMillis>,
}

/// There is no time within [`AHEAD_DAYS_MAX`] that is legal wherever the phone may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no time within {AHEAD_DAYS_MAX} days at which marketing may be sent to this recipient"
)]
pub struct NoSlot;

/// Finds times for many messages: what is found once is remembered by country, zones and day.
pub struct Planner<'a> {
    hours: &'a QuietHours,
    known: HashMap<(String, String, i64), Arc<[Window]>>,
}

impl<'a> Planner<'a> {
    /// By these rules.
    pub fn new(hours: &'a QuietHours) -> Self {
        Self { hours, known: HashMap::new() }
    }

    /// The first time at which a message to a number of `country` (two letters, or empty) may leave.
    ///
    /// # Errors
    /// [`NoSlot`].
    pub fn slot(&mut self, country: &str, zones: &Zones, wanted: Wanted) -> Result<Slot, NoSlot> {
        let Wanted { now, from, validity_ms, behind_ms } = wanted;
        if !self.hours.apply_to(country) {
            let due_at = if from > now { from.plus_ms(behind_ms) } else { from };
            return Ok(Slot { due_at, expires_at: due_at.plus_ms(validity_ms), valid_until: None });
        }
        let mut behind_ms = behind_ms;
        let until = from.plus_ms(AHEAD_DAYS_MAX * DAY_MS);
        for window in self.windows(country, zones, from).iter() {
            let opens_at = window.opens_at.max(from);
            if opens_at > until {
                break;
            }
            let room_ms = window.closes_at.since(opens_at) - ROOM_MIN_MS;
            if room_ms < 0 {
                continue;
            }
            let due_at = if opens_at <= now { opens_at } else { opens_at.plus_ms(behind_ms) };
            if due_at.since(opens_at) > room_ms {
                behind_ms -= room_ms;
                continue;
            }
            let valid_until = due_at.plus_ms(validity_ms);
            let is_cut = valid_until > window.closes_at;
            return Ok(Slot {
                due_at,
                expires_at: valid_until.min(window.closes_at),
                valid_until: is_cut.then_some(valid_until),
            });
        }
        Err(NoSlot)
    }

    fn windows(&mut self, country: &str, zones: &Zones, from: UnixMillis) -> Arc<[Window]> {
        let day = from.0.div_euclid(DAY_MS);
        let key = (country.to_owned(), zones.key().to_owned(), day);
        let hours = self.hours;
        let found = self.known.entry(key);
        Arc::clone(found.or_insert_with(|| {
            // Two days more than are looked ahead: the last window is told whole.
            let (from, to) = (day - 1, day + AHEAD_DAYS_MAX + 2);
            windows::common(hours, country, zones, from..=to).into()
        }))
    }
}
