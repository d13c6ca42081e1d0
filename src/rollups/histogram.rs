//! Times as a histogram that can be merged: a count for each of 256 bins.
//!
//! Up to 8 ms each millisecond is a bin; from there on each power of two is cut into 8 (the
//! log-linear form of HdrHistogram). A percentile is answered with the middle of its bin, which is
//! at most 6.25 % from any value in it. Nothing is lost by merging. The last bin begins at 186 days.

use std::collections::BTreeMap;

/// Bits of a value that tell bins of one power of two apart.
const SUB_BITS: u32 = 3;
/// Bins of a power of two.
const SUB_BINS: i64 = 1 << SUB_BITS;
/// Longer times count as this one: 199 days, the last that has a bin, in milliseconds.
const VALUE_MAX: i64 = (1 << 34) - 1;

/// How many values lie in each bin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u8, u64>);

/// The bin of a value in milliseconds; negative ones count as 0.
fn bin_of(value_ms: i64) -> u8 {
    let value = value_ms.clamp(0, VALUE_MAX);
    if value < SUB_BINS {
        return value as u8;
    }
    let exponent = 63 - value.leading_zeros();
    let sub = (value >> (exponent - SUB_BITS)) - SUB_BINS;
    (i64::from(exponent - SUB_BITS + 1) * SUB_BINS + sub) as u8
}

/// The first value of a bin, and how many values it has.
const fn bounds_of(bin: u8) -> (i64, i64) {
    let bin = bin as i64;
    if bin < SUB_BINS {
        return (bin, 1);
    }
    let shift = bin / SUB_BINS - 1;
    ((SUB_BINS + bin % SUB_BINS) << shift, 1 << shift)
}

impl Histogram {
    /// Counts a value in milliseconds; negative ones, of clocks that differ, count as 0.
    pub fn record(&mut self, value_ms: i64) {
        *self.0.entry(bin_of(value_ms)).or_default() += 1;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.0 {
            *self.0.entry(*bin).or_default() += count;
        }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that `percent` of all do not exceed (nearest rank), within 6.25 %, in
    /// milliseconds; none without values.
    pub fn percentile(&self, percent: f64) -> Option<i64> {
        let count = self.count();
        let rank = ((percent / 100.0 * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (bin, count) in &self.0 {
            seen += count;
            if seen >= rank {
                let (first, width) = bounds_of(*bin);
                return Some(first + width / 2);
            }
        }
        None
    }

    /// As stored: each bin that is not empty, a byte, and its count in the variable length of
    /// LEB128. None if all are empty.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.0.len() * 2);
        for (bin, count) in &self.0 {
            bytes.push(*bin);
            let mut rest = *count;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Reads [`to_bytes`](Self::to_bytes); none if it is not from there.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bins = BTreeMap::new();
        let mut bytes = bytes.iter();
        while let Some(bin) = bytes.next() {
            let mut count = 0u64;
            for shift in (0..).step_by(7) {
                let byte = *bytes.next()?;
                count |= u64::from(byte & 0x7F).checked_shl(shift)?;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            *bins.entry(*bin).or_default() += count;
        }
        Some(Self(bins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_each_other_without_gap_or_overlap() {
        let mut next = 0;
        for bin in 0..=u8::MAX {
            let (first, width) = bounds_of(bin);
            assert_eq!(first, next, "bin {bin}");
            assert_eq!(bin_of(first), bin);
            assert_eq!(bin_of(first + width - 1), bin);
            next = first + width;
        }
        assert_eq!(next, VALUE_MAX + 1);
        assert_eq!(bin_of(i64::MAX), u8::MAX);
        assert_eq!(bin_of(-5), 0);
    }

    #[test]
    fn a_percentile_is_within_a_sixteenth() {
        let values: Vec<i64> = (0..2_000).map(|n| n * n / 7 + 3).collect();
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        for (percent, rank) in [(50.0, 1_000), (95.0, 1_900), (99.0, 1_980), (100.0, 2_000)] {
            let told = histogram.percentile(percent).unwrap() as f64;
            let exact = values[rank - 1] as f64;
            assert!((told - exact).abs() <= exact * 0.0625, "{percent}: {told} for {exact}");
        }
        assert_eq!(Histogram::default().percentile(50.0), None);
    }

    #[test]
    fn merging_loses_nothing_in_any_order() {
        let of = |values: &[i64]| {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            histogram
        };
        let (a, b, all) = (of(&[1, 200, 5_000]), of(&[1, 90]), of(&[1, 1, 90, 200, 5_000]));
        let merged = |first: &Histogram, second: &Histogram| {
            let mut merged = first.clone();
            merged.merge(second);
            merged
        };
        assert_eq!(merged(&a, &b), all);
        assert_eq!(merged(&b, &a), all);
    }

    #[test]
    fn bytes_read_back_and_others_are_refused() {
        let mut histogram = Histogram::default();
        for value in [0, 1, 12, 1_000, 1_000, 86_400_000] {
            histogram.record(value);
        }
        histogram.0.insert(7, u64::from(u32::MAX) + 300);
        let bytes = histogram.to_bytes().unwrap();
        assert_eq!(Histogram::from_bytes(&bytes), Some(histogram));
        assert_eq!(Histogram::default().to_bytes(), None);
        assert_eq!(Histogram::from_bytes(&[3]), None);
        assert_eq!(Histogram::from_bytes(&[3, 0x80]), None);
        let endless = [&[3][..], &[0x81; 11], &[1]].concat();
        assert_eq!(Histogram::from_bytes(&endless), None);
    }
}
