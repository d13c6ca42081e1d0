//! Pacing in simulated time: no clock runs here.

use super::*;
use crate::sys::Randomness;

const MS: Duration = Duration::from_millis(1);

/// What came of it in simulated time.
#[derive(Debug)]
struct Outcome {
    accepted_per_s: f64,
    throttled_share: f64,
    rate: f64,
}

/// Offers parts without end for `seconds` to a carrier that answers after 10 ms; `refuses`
/// decides from the time and what it accepted in the current second.
fn drive(
    rate: Option<f64>,
    seconds: u64,
    mut refuses: impl FnMut(Duration, u32) -> bool,
) -> Outcome {
    let start = Instant::now();
    let pace = Pace::new(rate, start);
    let mut answers: VecDeque<(Instant, bool)> = VecDeque::new();
    let (mut accepted, mut throttled, mut this_second, mut second) = (0u64, 0u64, 0u32, 0u64);
    for ms in 0..seconds * 1_000 {
        let now = start + MS * u32::try_from(ms).unwrap();
        if ms / 1_000 != second {
            (second, this_second) = (ms / 1_000, 0);
        }
        while answers.front().is_some_and(|(at, _)| *at + MS * 10 <= now) {
            let (sent_at, refused) = answers.pop_front().unwrap();
            if refused {
                pace.throttled(sent_at, now, Throttle::Rate);
            } else {
                pace.answered(sent_at, now);
            }
        }
        // A window of 50.
        while answers.len() < 50 && pace.take(now).is_ok() {
            let refused = refuses(now - start, this_second);
            if refused {
                throttled += 1;
            } else {
                accepted += 1;
                this_second += 1;
            }
            answers.push_back((now, refused));
        }
    }
    Outcome {
        accepted_per_s: accepted as f64 / seconds as f64,
        throttled_share: throttled as f64 / (accepted + throttled) as f64,
        rate: pace.rate(),
    }
}

#[test]
fn the_configured_rate_is_kept_with_a_small_burst() {
    for rate in [1.0, 20.0, 500.0, 3_000.0] {
        let outcome = drive(Some(rate), 20, |_, _| false);
        let share = outcome.accepted_per_s / rate;
        assert!((0.97..=1.06).contains(&share), "{rate}: {outcome:?}");
    }
}

#[test]
fn two_percent_of_refusals_at_random_hardly_slow_it_down() {
    for rate in [20.0, 100.0, 1_000.0, 3_000.0] {
        let chance = Randomness::seeded(rate as u64);
        let outcome = drive(Some(rate), 120, |_, _| chance.unit() < 0.02);
        assert!(outcome.accepted_per_s > rate * 0.85, "{rate}: {outcome:?}");
    }
}

#[test]
fn two_percent_of_refusals_without_a_configured_rate_hardly_slow_it_down() {
    let chance = Randomness::seeded(1);
    // 50 in the window and 10 ms an answer: 5,000 a second.
    let outcome = drive(None, 120, |_, _| chance.unit() < 0.02);
    assert!(outcome.accepted_per_s > 5_000.0 * 0.85, "{outcome:?}");
}

#[test]
fn against_a_fixed_limit_it_settles_at_the_limit_with_few_refusals() {
    for (rate, limit) in [(Some(1_000.0), 300), (Some(200.0), 100), (None, 400)] {
        let outcome = drive(rate, 120, |_, accepted| accepted >= limit);
        let share = outcome.accepted_per_s / f64::from(limit);
        assert!(share > 0.75, "{rate:?} against {limit}: {outcome:?}");
        assert!(outcome.throttled_share < 0.15, "{rate:?} against {limit}: {outcome:?}");
    }
}

#[test]
fn a_wall_sinks_the_rate_to_a_tenth_and_it_comes_back() {
    let outcome = drive(Some(100.0), 60, |_, _| true);
    assert!((outcome.rate - 10.0).abs() < 0.001, "{outcome:?}");
    let wall = Duration::from_secs(30);
    let outcome = drive(Some(100.0), 300, |at, _| at < wall);
    assert!((outcome.rate - 100.0).abs() < 0.001, "{outcome:?}");
}

#[test]
fn refused_throughout_it_pauses_a_second_and_halves() {
    let now = Instant::now();
    let pace = Pace::new(Some(1_000.0), now);
    for _ in 0..WALL {
        assert_eq!(pace.throttled(now, now, Throttle::Rate), THROTTLED_PAUSE);
    }
    assert_eq!(pace.take(now), Err(now + THROTTLED_PAUSE));
    assert!((pace.rate() - 500.0).abs() < 0.001);
    // Answers to what was sent before are not held against the new rate.
    for _ in 0..50 {
        pace.throttled(now, now + MS, Throttle::Rate);
    }
    assert!((pace.rate() - 500.0).abs() < 0.001);
    assert!(pace.take(now + THROTTLED_PAUSE).is_ok());
}

#[test]
fn a_full_queue_is_given_thirty_seconds_first_and_one_then() {
    let now = Instant::now();
    let pace = Pace::new(Some(1_000.0), now);
    for _ in 0..WALL {
        assert_eq!(pace.throttled(now, now, Throttle::QueueFull), QUEUE_FULL_PAUSE);
    }
    assert_eq!(pace.take(now), Err(now + QUEUE_FULL_PAUSE));
    let later = now + QUEUE_FULL_PAUSE;
    assert_eq!(pace.throttled(later, later, Throttle::QueueFull), THROTTLED_PAUSE);
    let much_later = later + QUEUE_FULL_FORGOTTEN;
    let pause = pace.throttled(much_later, much_later, Throttle::QueueFull);
    assert_eq!(pause, QUEUE_FULL_PAUSE);
}
