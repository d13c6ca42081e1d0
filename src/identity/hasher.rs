//! Argon2id, off the async threads and few at a time, so that log-ins cannot eat the machine.
//! What may be a password is said in `password.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OnceCell, Semaphore};

use crate::error::Failed;
use crate::sys::Randomness;
use crate::types::secret::SecretText;

/// Passes over the memory, with 19 MiB (OWASP Password Storage Cheat Sheet, Argon2id).
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Log-ins that wait for their turn; more are told to come again. At about 30 ms a hash the last
/// one waits two seconds on two cores.
const WAITING_MAX: usize = 64;
/// What those are told, in milliseconds.
const RETRY_AFTER_MS: u64 = 2_000;

/// Whether a password is the one of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, and the hash was made with other parameters than today's.
    RightButOutdated,
}

/// Hashes and compares.
pub(super) struct Hasher {
    params: Params,
    randomness: Randomness,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The hash of nothing anybody knows: compared with where there is no person, so that the
    /// answer takes as long.
    decoy: OnceCell<String>,
}

impl Hasher {
    pub(super) fn new(memory_kib: u32, randomness: Randomness) -> Self {
        let params = Params::new(memory_kib, PASSES, LANES, None)
            .expect("the settings' range of argon2_memory_kib is within Argon2's");
        // One core of two stays free for everything else.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Arc::new(Semaphore::new((cores / 2).max(1)));
        Self { params, randomness, turns, waiting: AtomicUsize::new(0), decoy: OnceCell::new() }
    }

    /// The hash of a password, in PHC form.
    pub(super) async fn hash(&self, password: &SecretText) -> Result<String, Failed> {
        let (params, password) = (self.params.clone(), password.clone());
        let salt = self.randomness.bytes::<SALT_BYTES>();
        self.in_turn(move || hash(params, &password, &salt)).await?
    }

    /// Compares. Takes as long for no hash at all.
    pub(super) async fn verify(
        &self,
        password: &SecretText,
        stored: Option<&str>,
    ) -> Result<Verdict, Failed> {
        let against = match stored {
            Some(stored) => stored.to_owned(),
            None => self.decoy().await?,
        };
        let (params, secret) = (self.params.clone(), password.clone());
        let verdict = self.in_turn(move || verify(&params, &secret, &against)).await?;
        Ok(if stored.is_some() { verdict } else { Verdict::Wrong })
    }

    async fn decoy(&self) -> Result<String, Failed> {
        let nobody = || async {
            let unknown: String = self.randomness.bytes::<16>().map(char::from).iter().collect();
            self.hash(&SecretText::new(unknown)).await
        };
        self.decoy.get_or_try_init(nobody).await.cloned()
    }

    /// Runs `work` on a thread that may block, when it is its turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failed> {
        let _place = Place::take(&self.waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.expect("the semaphore is never closed");
        // The turn is held by the work itself: a caller that goes away does not free the core.
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        task.await.map_err(Failed::internal)
    }
}

/// A place in the queue; given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Failed> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(Failed::RateLimited { retry_after_ms: RETRY_AFTER_MS });
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(params: Params, password: &SecretText, salt: &[u8]) -> Result<String, Failed> {
    argon2(params.clone())
        .hash_password_customized(password.expose().as_bytes(), salt, None, None, params)
        .map(|hash| hash.to_string())
        .map_err(|error| Failed::internal(error.to_string()))
}

fn verify(params: &Params, password: &SecretText, stored: &str) -> Verdict {
    let password = password.expose().as_bytes();
    let Ok(stored) = PasswordHash::new(stored) else { return Verdict::Wrong };
    // The parameters are taken from the stored hash.
    if argon2(params.clone()).verify_password(password, &stored).is_err() {
        return Verdict::Wrong;
    }
    let current = Params::try_from(&stored).is_ok_and(|made_with| {
        made_with.m_cost() == params.m_cost()
            && made_with.t_cost() == params.t_cost()
            && made_with.p_cost() == params.p_cost()
    });
    let algorithm = stored.algorithm.as_str() == Algorithm::Argon2id.as_str();
    if current && algorithm { Verdict::Right } else { Verdict::RightButOutdated }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretText {
        SecretText::new(text.to_owned())
    }

    #[tokio::test]
    async fn tells_right_from_wrong_and_notices_old_parameters() {
        let old = Hasher::new(8, Randomness::seeded(1));
        let new = Hasher::new(16, Randomness::seeded(2));
        let stored = old.hash(&secret("one two three")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=2,p=1$"), "{stored}");
        let right = secret("one two three");
        assert_eq!(old.verify(&right, Some(&stored)).await.unwrap(), Verdict::Right);
        assert_eq!(new.verify(&right, Some(&stored)).await.unwrap(), Verdict::RightButOutdated);
        let wrong = secret("one two four");
        assert_eq!(new.verify(&wrong, Some(&stored)).await.unwrap(), Verdict::Wrong);
        assert_eq!(new.verify(&right, None).await.unwrap(), Verdict::Wrong);
        assert_eq!(new.verify(&right, Some("damaged")).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn the_same_password_has_another_hash_each_time() {
        let hasher = Hasher::new(8, Randomness::seeded(1));
        let password = secret("one two three");
        let (first, second) =
            (hasher.hash(&password).await.unwrap(), hasher.hash(&password).await.unwrap());
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn a_queue_that_is_full_turns_callers_away() {
        let hasher = Hasher::new(8, Randomness::seeded(1));
        hasher.waiting.store(WAITING_MAX, Ordering::Relaxed);
        let refused = hasher.hash(&secret("one two three")).await;
        assert!(matches!(refused, Err(Failed::RateLimited { .. })));
        assert_eq!(hasher.waiting.load(Ordering::Relaxed), WAITING_MAX);
    }
}
