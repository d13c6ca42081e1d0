//! Randomness: the operating system's, or a seeded stream for tests.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::SysRng;
use rand::{Rng, SeedableRng, TryRng};
use rand_chacha::ChaCha20Rng;

/// A source of random bytes, fit for keys and tokens. Cheap to clone.
///
/// ChaCha20 seeded once from the operating system (or from a test's seed): one system call at
/// start instead of one a draw.
#[derive(Clone)]
pub struct Randomness(Arc<Mutex<ChaCha20Rng>>);

impl Randomness {
    /// Seeded by the operating system.
    ///
    /// # Panics
    /// If the operating system has no randomness to give, as nothing may run without it.
    pub fn system() -> Self {
        let mut seed = [0u8; 32];
        SysRng.try_fill_bytes(&mut seed).expect("the operating system gives randomness");
        Self(Arc::new(Mutex::new(ChaCha20Rng::from_seed(seed))))
    }

    /// The same stream for the same seed: for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random number of 64 bits.
    pub fn u64(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A number in `[0, 1)`.
    pub fn unit(&self) -> f64 {
        // 53 bits fill the mantissa of an f64 exactly.
        (self.u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `ms` changed by a uniform share of at most ± `share` (0.2: ± 20 %).
    pub fn jittered_ms(&self, ms: i64, share: f64) -> i64 {
        let factor = 1.0 + share * (2.0 * self.unit() - 1.0);
        (ms as f64 * factor).round() as i64
    }
}

impl std::fmt::Debug for Randomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Randomness")
    }
}
