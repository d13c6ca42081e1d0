//! How long a carrier takes to answer: the measure that an automatic window is chosen by.

use std::time::Duration;

use tokio::time::Instant;

/// Answers that make up one measurement.
const SAMPLES: usize = 128;

/// Collects answer times of one link.
#[derive(Default)]
pub(super) struct AnswerTimes {
    since: Option<Instant>,
    took: Vec<Duration>,
}

/// What [`SAMPLES`] answers said.
#[derive(Debug, PartialEq)]
pub(super) struct Measured {
    /// 95 of 100 answers took at most this long.
    pub p95: Duration,
    /// Of this link.
    pub answers_per_s: f64,
}

impl AnswerTimes {
    /// Adds one; every so many, yields a measurement and starts afresh.
    pub fn add(&mut self, took: Duration, now: Instant) -> Option<Measured> {
        let since = *self.since.get_or_insert(now);
        self.took.push(took);
        if self.took.len() < SAMPLES {
            return None;
        }
        self.took.sort_unstable();
        let p95 = self.took[SAMPLES * 95 / 100];
        let elapsed_s = now.saturating_duration_since(since).as_secs_f64().max(0.001);
        self.took.clear();
        self.since = Some(now);
        Some(Measured { p95, answers_per_s: SAMPLES as f64 / elapsed_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_so_many_answers_yield_the_percentile_and_the_rate() {
        let (mut times, start) = (AnswerTimes::default(), Instant::now());
        let mut measured = Vec::new();
        for index in 0..2 * SAMPLES as u32 {
            let now = start + Duration::from_millis(10) * index;
            let slow = index % 10 == 0;
            let took = Duration::from_millis(if slow { 80 } else { 8 });
            measured.extend(times.add(took, now));
        }
        assert_eq!(measured.len(), 2);
        assert!(measured.iter().all(|measured| measured.p95 == Duration::from_millis(80)));
        assert!((measured[1].answers_per_s - 100.0).abs() < 1.0, "{measured:?}");
    }
}
