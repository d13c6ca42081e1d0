//! Made-up recipients: numbers that mobile phones in several countries could have. Whether anybody
//! has one does not matter, since the simulated SMSC sends nothing anywhere.

/// What mobile numbers begin with, and how many digits follow.
const RANGES: &[(&str, u32)] = &[
    ("+4915123", 6),
    ("+33612", 6),
    ("+34612", 6),
    ("+31612", 6),
    ("+39331", 7),
    ("+46701", 6),
    ("+48512", 6),
    ("+447400", 6),
    ("+351912", 6),
    ("+61412", 6),
];

/// The `index`-th recipient of the `round`-th demo on a store: different for different ones.
pub(super) fn recipient(round: u32, index: u32) -> String {
    let (prefix, digits) = RANGES[index as usize % RANGES.len()];
    // A large odd step walks through all numbers of a range before it comes back to one.
    let number = u64::from(index).wrapping_mul(7_654_321) + u64::from(round).wrapping_mul(104_729);
    let number = number % 10u64.pow(digits);
    format!("{prefix}{number:0width$}", width = digits as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::types::phone::PhoneNumber;

    #[test]
    fn recipients_are_mobile_numbers_and_all_different() {
        let mut seen = HashSet::new();
        for index in 0..2_000 {
            let recipient = recipient(3, index);
            let number = PhoneNumber::parse(&recipient, None);
            let number = number.unwrap_or_else(|error| panic!("{recipient}: {error}"));
            number.ensure_mobile(&[]).unwrap_or_else(|error| panic!("{recipient}: {error}"));
            assert!(seen.insert(recipient));
        }
    }
}
