//! Which variant a contact gets: pure. A keyed hash of the contact decides, so it is the same in a
//! preview, after a crash and in a retry, nothing of it is stored, and nobody outside can tell or
//! choose it. Another campaign splits the same contacts differently.

use entity::ids::{CampaignId, ContactId};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::keys::{MasterKey, Purpose};

/// A split of contacts into shares, by weights.
pub(super) struct Split {
    /// The campaign's own key.
    key: Zeroizing<[u8; 32]>,
    /// The sum of the weights up to each share.
    ends: Vec<u64>,
}

impl Split {
    /// The split that began with a campaign, into as many shares as there are weights.
    pub(super) fn new(
        master_key: &MasterKey,
        campaign_id: CampaignId,
        weights: impl IntoIterator<Item = i16>,
    ) -> Self {
        let key = master_key.hash(Purpose::CampaignSplit, campaign_id.0.as_bytes());
        let mut end = 0;
        let ends = weights.into_iter().map(|weight| {
            end += u64::try_from(weight).unwrap_or_default();
            end
        });
        let ends = ends.collect();
        Self { key: Zeroizing::new(key), ends }
    }

    /// The contact's share, from 0; the first where there are none.
    pub(super) fn share(&self, contact_id: ContactId) -> usize {
        let Some(total) = self.ends.last().filter(|_| self.ends.len() > 1) else { return 0 };
        // Key and id are of a fixed length, and fill one block: this is a keyed hash already.
        let mut hash = Sha256::new();
        hash.update(self.key.as_slice());
        hash.update(contact_id.0.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        let point = (u128::from(u64::from_be_bytes(first)) * u128::from(*total)) >> 64;
        self.ends.partition_point(|end| u128::from(*end) <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn split(key: u8, campaign: u128, weights: &[i16]) -> Split {
        let key = MasterKey::parse(&STANDARD.encode([key; 32])).unwrap();
        Split::new(&key, CampaignId(Uuid::from_u128(campaign)), weights.iter().copied())
    }

    fn contact(n: u128) -> ContactId {
        ContactId(Uuid::from_u128(n))
    }

    /// How many of so many contacts have each share.
    fn counts(split: &Split, contacts: u128) -> Vec<u32> {
        let mut counts = vec![0; split.ends.len()];
        (0..contacts).for_each(|n| counts[split.share(contact(n))] += 1);
        counts
    }

    #[test]
    fn shares_are_as_large_as_their_weights_say() {
        const CONTACTS: u32 = 100_000;
        for weights in [&[1, 1][..], &[50, 50], &[1, 99], &[100, 1], &[3, 2, 1], &[7, 7, 7, 7, 7]] {
            let total: i16 = weights.iter().sum();
            let counts = counts(&split(1, 7, weights), u128::from(CONTACTS));
            for (weight, count) in weights.iter().zip(counts) {
                let share = f64::from(*weight) / f64::from(total);
                let expected = f64::from(CONTACTS) * share;
                // Six standard deviations: one in a billion.
                let tolerance = 6.0 * (expected * (1.0 - share)).sqrt();
                let is_near = (f64::from(count) - expected).abs() <= tolerance;
                assert!(is_near, "{weights:?}: {count} of {expected}");
            }
        }
    }

    #[test]
    fn campaigns_and_installations_split_contacts_differently() {
        let one = split(1, 1, &[1, 1]);
        for other in [split(1, 2, &[1, 1]), split(2, 1, &[1, 1])] {
            let same = (0..10_000).filter(|n| one.share(contact(*n)) == other.share(contact(*n)));
            let same = same.count();
            assert!((4_700..5_300).contains(&same), "{same} of 10,000 have the same share");
        }
    }

    #[test]
    fn the_split_is_what_it_was_when_it_was_released() {
        // Contacts of campaigns that run while a node is replaced keep their variants.
        let split = split(1, 7, &[3, 2, 1]);
        let shares: Vec<usize> = (0..16).map(|n| split.share(contact(n))).collect();
        assert_eq!(shares, RELEASED);
    }

    /// What [`Split::share`] said of 16 contacts on its first day.
    const RELEASED: [usize; 16] = [0, 1, 0, 1, 1, 1, 1, 0, 1, 2, 0, 1, 0, 0, 0, 0];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 300, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn a_contact_always_has_the_same_of_the_shares_there_are(
            campaign in any::<u128>(),
            id in any::<u128>(),
            weights in proptest::collection::vec(1..=100_i16, 1..=5),
        ) {
            let share = split(1, campaign, &weights).share(contact(id));
            prop_assert!(share < weights.len());
            prop_assert_eq!(share, split(1, campaign, &weights).share(contact(id)));
            // What counts is how weights stand to each other.
            let doubled: Vec<i16> = weights.iter().map(|weight| weight * 2).collect();
            prop_assert_eq!(share, split(1, campaign, &doubled).share(contact(id)));
        }

        #[test]
        fn a_larger_weight_takes_no_contact_away_from_its_share(
            id in any::<u128>(),
            weight in 1..100_i16,
        ) {
            if split(1, 7, &[weight, 50]).share(contact(id)) == 0 {
                prop_assert_eq!(split(1, 7, &[weight + 1, 50]).share(contact(id)), 0);
            }
        }
    }
}
