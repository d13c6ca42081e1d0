//! How fast a carrier's links may send together, and how they slow down when it throttles.
//!
//! A token bucket in *parts*, with a small burst, and a controller over its rate. It holds no
//! parts and wakes nobody: writers ask it, readers tell it.
//!
//! # Slowing down
//!
//! The plain rule is: on `ESME_RTHROTTLED` (0x58) pause one second, halve the rate (not under
//! 10 % of the configured one), win back 5 % of it for each ten seconds without throttling; on
//! `ESME_RMSGQFUL` (0x14) the same, the first pause being 30 seconds. It is right for a carrier
//! that refuses everything, and ruinous for one that refuses two parts of a hundred at a thousand
//! a second: twenty pauses of one second, each second. So the rule is applied *in proportion*:
//!
//! - The refused **part** always waits the full second (30 s for a full queue, at first) before
//!   it leaves again. Nothing else waits for it.
//! - The **carrier** takes at most one step a second, for the share `s` of refusals among the
//!   answers to what was sent *since the last step* (at most ten seconds back): answers to
//!   earlier parts tell of the rate that was already given up. A step pauses everything for
//!   `s` × 1 s and multiplies the rate by `1 - s/2`: all refused is the plain rule, two of a
//!   hundred cost 20 ms and 1 %.
//! - A step never goes below what the carrier demonstrably takes: 1.05 × the rate at which parts
//!   were sent × `(1 - s)`. Against a fixed limit this settles just above that limit; against
//!   refusals at random, which no slowing down can cure, it does not slow down at all as long as
//!   they are fewer than 5 %. Without this floor, a steady 2 % would sink the rate to its minimum.
//! - When eight of the last sixteen answers are refusals, a step is taken at once, without waiting
//!   for the second to end, and pauses for the full second: a carrier that refuses everything is
//!   not hammered meanwhile. It halves the rate, but not below 0.95 × what the carrier took within
//!   the last second or two: carriers that count per clock second refuse everything at a second's
//!   end, and halving each time would leave much of their rate unused.
//!
//! Without a configured rate there is no bucket until the first step, which starts from the
//! measured rate of what the carrier took; that is then the one that the 10 % and the 5 % are of.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::lock;

/// The pause when everything is throttled, and what one throttled part waits.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);
/// The same for the first refusal for a full queue.
const QUEUE_FULL_PAUSE: Duration = Duration::from_secs(30);
/// So long after a refusal for a full queue, the next one counts as the first again.
const QUEUE_FULL_FORGOTTEN: Duration = Duration::from_secs(60);
/// The least time between two steps.
const STEP: Duration = Duration::from_secs(1);
/// How far back answers count, and how long it must be quiet to win back a step.
const QUIET: Duration = Duration::from_secs(10);
/// Of the configured rate: the rate never sinks lower.
const RATE_SHARE_MIN: f64 = 0.1;
/// Of the configured rate: won back for each [`QUIET`].
const RECOVERY_SHARE: f64 = 0.05;
/// Times the rate that the carrier takes: a step does not go below it.
const PROBE: f64 = 1.05;
/// The same where refusals came in a row.
const RETREAT: f64 = 0.95;
/// Seconds of the rate that may leave in one burst.
const BURST_S: f64 = 0.05;
/// Of the last 16 answers: so many refusals are a wall.
const WALL: u32 = 8;

/// Why a carrier says "slower".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Throttle {
    /// `ESME_RTHROTTLED`.
    Rate,
    /// `ESME_RMSGQFUL`.
    QueueFull,
}

/// The refusals for a full queue that belong together.
#[derive(Clone, Copy)]
struct QueueFull {
    first: Instant,
    last: Instant,
}

/// The pace of one carrier account, shared by its links.
pub(super) struct Pace(Mutex<State>);

struct State {
    configured: Option<f64>,
    /// What the minimum and the recovery are shares of; none while unlimited.
    reference: Option<f64>,
    /// Parts a second; infinite while unlimited.
    rate: f64,
    tokens: f64,
    refilled_at: Instant,
    paused_until: Option<Instant>,
    queue_full: Option<QueueFull>,
    recovered_at: Instant,
    epoch: Epoch,
    /// The same without regard to steps.
    lately: Epoch,
    /// The last sixteen answers, 1: throttled.
    recent: u16,
}

/// What was sent and answered since the last step: one entry a second, ten seconds at most.
struct Epoch {
    started_at: Instant,
    seconds: VecDeque<Second>,
}

struct Second {
    at: Instant,
    sent: u32,
    answered: u32,
    throttled: u32,
}

impl Pace {
    /// `rate_parts_per_s`: none for as fast as the windows allow.
    pub fn new(rate_parts_per_s: Option<f64>, now: Instant) -> Self {
        Self(Mutex::new(State {
            configured: rate_parts_per_s,
            reference: rate_parts_per_s,
            rate: rate_parts_per_s.unwrap_or(f64::INFINITY),
            tokens: 1.0,
            refilled_at: now,
            paused_until: None,
            queue_full: None,
            recovered_at: now,
            epoch: Epoch::starting(now),
            lately: Epoch::starting(now),
            recent: 0,
        }))
    }

    /// Takes the right to send one part.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut state = lock(&self.0);
        if let Some(until) = state.paused_until {
            if now < until {
                return Err(until);
            }
            state.paused_until = None;
        }
        state.recover(now);
        state.refill(now)?;
        state.epoch.second(now).sent += 1;
        Ok(())
    }

    /// The parts a second it now allows; infinite while there is no limit.
    pub fn rate(&self) -> f64 {
        lock(&self.0).rate
    }

    /// A part was answered, and not with "slower".
    pub fn answered(&self, sent_at: Instant, now: Instant) {
        let mut state = lock(&self.0);
        state.recent <<= 1;
        state.epoch.count(sent_at, now, 0);
        state.lately.count(sent_at, now, 0);
    }

    /// A part was answered with "slower". Returns how long that part has to wait.
    pub fn throttled(&self, sent_at: Instant, now: Instant, why: Throttle) -> Duration {
        let mut state = lock(&self.0);
        state.recovered_at = now;
        let pause = state.pause_for(why, sent_at, now);
        if sent_at < state.epoch.started_at {
            return pause;
        }
        state.recent = state.recent << 1 | 1;
        state.epoch.count(sent_at, now, 1);
        let elapsed = now.saturating_duration_since(state.epoch.started_at);
        if state.recent.count_ones() >= WALL {
            let floor = RETREAT * state.lately.taken_lately_per_s(now);
            state.step(1.0, floor, pause, now);
        } else if elapsed >= STEP {
            let share = state.epoch.throttled_share();
            let floor = PROBE * state.epoch.sent_per_s(now) * (1.0 - share);
            state.step(share, floor, pause, now);
        }
        pause
    }
}

impl State {
    fn refill(&mut self, now: Instant) -> Result<(), Instant> {
        if self.rate.is_infinite() {
            return Ok(());
        }
        let burst = (self.rate * BURST_S).max(1.0);
        let elapsed_s = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed_s * self.rate).min(burst);
        self.refilled_at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - self.tokens) / self.rate))
    }

    /// The first full queue in a while is given more time than the next ones. What was sent
    /// before the first refusal came back meets the same full queue and waits as long.
    fn pause_for(&mut self, why: Throttle, sent_at: Instant, now: Instant) -> Duration {
        match why {
            Throttle::Rate => THROTTLED_PAUSE,
            Throttle::QueueFull => {
                let fresh = QueueFull { first: now, last: now };
                let known = self.queue_full.get_or_insert(fresh);
                if now.saturating_duration_since(known.last) >= QUEUE_FULL_FORGOTTEN {
                    *known = fresh;
                }
                known.last = now;
                if sent_at <= known.first { QUEUE_FULL_PAUSE } else { THROTTLED_PAUSE }
            }
        }
    }

    fn step(&mut self, share: f64, floor: f64, pause: Duration, now: Instant) {
        let measured = self.lately.taken_lately_per_s(now).max(1.0);
        let reference = *self.reference.get_or_insert(measured);
        let rate = if self.rate.is_infinite() { reference } else { self.rate };
        let most = self.configured.unwrap_or(f64::INFINITY);
        let least = RATE_SHARE_MIN * reference;
        self.rate = (rate * (1.0 - share / 2.0)).max(floor).min(most).max(least);
        let resume = now + pause.mul_f64(share);
        self.paused_until = Some(self.paused_until.map_or(resume, |until| until.max(resume)));
        // No burst after the pause.
        self.tokens = self.tokens.min(1.0);
        self.refilled_at = resume;
        self.epoch = Epoch::starting(resume);
        self.recent = 0;
    }

    fn recover(&mut self, now: Instant) {
        let Some(reference) = self.reference else { return };
        while now.saturating_duration_since(self.recovered_at) >= QUIET {
            self.recovered_at += QUIET;
            let most = self.configured.unwrap_or(f64::INFINITY);
            self.rate = (self.rate + RECOVERY_SHARE * reference).min(most);
            if self.rate >= most {
                self.recovered_at = now;
            }
        }
    }
}

impl Epoch {
    fn starting(started_at: Instant) -> Self {
        Self { started_at, seconds: VecDeque::new() }
    }

    /// The entry of the second that `now` is in.
    fn second(&mut self, now: Instant) -> &mut Second {
        let fresh = self
            .seconds
            .back()
            .is_none_or(|second| now.saturating_duration_since(second.at) >= STEP);
        if fresh {
            while self
                .seconds
                .front()
                .is_some_and(|second| now.saturating_duration_since(second.at) >= QUIET)
            {
                self.seconds.pop_front();
            }
            self.seconds.push_back(Second { at: now, sent: 0, answered: 0, throttled: 0 });
        }
        self.seconds.back_mut().expect("an entry is there or was just made")
    }

    fn count(&mut self, sent_at: Instant, now: Instant, throttled: u32) {
        if sent_at >= self.started_at {
            let second = self.second(now);
            second.answered += 1;
            second.throttled += throttled;
        }
    }

    fn throttled_share(&self) -> f64 {
        let (answered, throttled) = self.seconds.iter().fold((0, 0), |(answered, throttled), s| {
            (answered + s.answered, throttled + s.throttled)
        });
        f64::from(throttled) / f64::from(answered.max(1))
    }

    /// Parts a second that were not refused, in the entry of this second and the one before.
    fn taken_lately_per_s(&self, now: Instant) -> f64 {
        let lately = self.seconds.len().saturating_sub(2);
        let taken: u32 =
            self.seconds.range(lately..).map(|second| second.answered - second.throttled).sum();
        let since = self.seconds.get(lately).map_or(now, |second| second.at);
        f64::from(taken) / now.saturating_duration_since(since).max(STEP).as_secs_f64()
    }

    fn sent_per_s(&self, now: Instant) -> f64 {
        let sent: u32 = self.seconds.iter().map(|second| second.sent).sum();
        let since = self.seconds.front().map_or(now, |second| second.at);
        // Shorter than a tenth of a second says nothing about a rate.
        f64::from(sent) / now.saturating_duration_since(since).as_secs_f64().max(0.1)
    }
}

#[cfg(test)]
mod tests;
