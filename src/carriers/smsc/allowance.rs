//! How many parts a system id may submit: the rate above which the simulated SMSC throttles.
//! Kept by `smsc::center`.

/// Parts that may pass at once above the steady rate, as a share of one second's.
const BURST_SHARE: f64 = 0.25;

/// A token bucket of parts.
#[derive(Default)]
pub(super) struct Allowance {
    spent: f64,
    at_ms: u64,
}

impl Allowance {
    /// Whether one part may pass now; if so, it is counted.
    pub(super) fn take_one(&mut self, parts_per_s: f64, now_ms: u64) -> bool {
        let passed_s = now_ms.saturating_sub(self.at_ms) as f64 / 1_000.0;
        self.at_ms = now_ms;
        self.spent = (self.spent - passed_s * parts_per_s).max(0.0);
        if self.spent + 1.0 > (parts_per_s * BURST_SHARE).max(1.0) {
            return false;
        }
        self.spent += 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_passes_the_steady_rate_and_a_quarter_second_of_burst() {
        let mut allowance = Allowance::default();
        let at_once = (0..100).filter(|_| allowance.take_one(40.0, 0)).count();
        assert_eq!(at_once, 10);
        let in_one_s = (1..=1_000).filter(|&ms| allowance.take_one(40.0, ms)).count();
        assert!((39..=40).contains(&in_one_s), "{in_one_s}");
    }
}
