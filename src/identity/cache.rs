//! What is known of credentials, held in memory so that a request costs no statement.
//!
//! An entry is believed for at most [`BELIEVED_MS`], and not after its account's
//! [`Topic::Credentials`] rang, so a revocation holds at once on the node that made it. What is
//! known not to exist is held too, in a bounded number.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use entity::ids::AccountId;
use entity::time::UnixMillis;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ctx::Platform;
use crate::error::Failed;
use crate::events::Topic;

/// How long an entry is believed without a look at the store, in milliseconds.
pub(super) const BELIEVED_MS: i64 = 5_000;
/// Entries; about 300 bytes each. When there are more, those that nobody uses go.
const ENTRIES_MAX: usize = 100_000;
/// Entries for what does not exist; about 100 bytes each.
const ABSENT_MAX: usize = 10_000;
/// Loads from the store at a time.
const LOADERS: usize = 32;

/// A credential's state.
pub(super) trait Credential: Send + Sync + 'static {
    fn account_id(&self) -> AccountId;
    /// Whether it was ended for good before its time.
    fn is_revoked(&self) -> bool;
    /// Whether it allows what `earlier` allowed, no more and no less.
    fn has_rights_of(&self, earlier: &Self) -> bool;
}

/// Shared by all that rely on one credential.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Canceled when the credential is revoked, or allows something else from now on.
    pub(super) revoked: CancellationToken,
}

/// A credential as it was read, and its standing.
pub(super) struct Known<V> {
    pub(super) state: Arc<V>,
    pub(super) standing: Arc<Standing>,
}

impl<V> Clone for Known<V> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), standing: Arc::clone(&self.standing) }
    }
}

struct Entry<V> {
    known: Known<V>,
    read_at: UnixMillis,
    bell: watch::Receiver<u64>,
}

struct Entries<K, V> {
    present: HashMap<K, Entry<V>>,
    absent: HashMap<K, UnixMillis>,
}

/// Credentials by key.
pub(super) struct Cache<K, V> {
    entries: RwLock<Entries<K, V>>,
    /// A loader a slice of keys: one load for any number of requests that wait for it.
    loaders: [tokio::sync::Mutex<()>; LOADERS],
}

/// What the cache says without the store.
enum Held<V> {
    Present(Known<V>),
    Absent,
    Unknown,
}

impl<K: Hash + Eq + Copy, V: Credential> Cache<K, V> {
    pub(super) fn new() -> Self {
        let entries = Entries { present: HashMap::new(), absent: HashMap::new() };
        Self { entries: RwLock::new(entries), loaders: std::array::from_fn(|_| <_>::default()) }
    }

    /// The credential of `key`, from memory or by `load`; `None` if there is none.
    pub(super) async fn get<F>(
        &self,
        platform: &Platform,
        key: K,
        load: impl Fn() -> F,
    ) -> Result<Option<Known<V>>, Failed>
    where
        F: Future<Output = Result<Option<V>, Failed>>,
    {
        match self.held(&key, platform.clock.now()) {
            Held::Present(known) => return Ok(Some(known)),
            Held::Absent => return Ok(None),
            Held::Unknown => {}
        }
        let _one = self.loaders[self.slot(&key)].lock().await;
        match self.held(&key, platform.clock.now()) {
            Held::Present(known) => return Ok(Some(known)),
            Held::Absent => return Ok(None),
            Held::Unknown => {}
        }
        self.load(platform, key, load).await
    }

    async fn load<F>(
        &self,
        platform: &Platform,
        key: K,
        load: impl Fn() -> F,
    ) -> Result<Option<Known<V>>, Failed>
    where
        F: Future<Output = Result<Option<V>, Failed>>,
    {
        let read_at = platform.clock.now();
        // The bell is listened to before the read: a ring between the two is seen.
        if let Some(mut bell) = self.bell(&key) {
            bell.borrow_and_update();
            return Ok(self.keep(key, load().await?, read_at, bell));
        }
        let Some(first) = load().await? else {
            self.keep_absent(key, read_at);
            return Ok(None);
        };
        // Only now the account is known; what was read before listening is read again.
        let bell = platform.doorbell.listen(Topic::Credentials(first.account_id()));
        Ok(self.keep(key, load().await?, read_at, bell))
    }

    fn slot(&self, key: &K) -> usize {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        usize::try_from(hash % LOADERS as u64).expect("a number below LOADERS")
    }

    fn held(&self, key: &K, now: UnixMillis) -> Held<V> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.present.get(key) {
            // An error means that the bell is gone, which it cannot be while we hold a receiver.
            let rung = entry.bell.has_changed().unwrap_or(true);
            let fresh = !rung && now.since(entry.read_at) < BELIEVED_MS;
            return if fresh { Held::Present(entry.known.clone()) } else { Held::Unknown };
        }
        match entries.absent.get(key) {
            Some(read_at) if now.since(*read_at) < BELIEVED_MS => Held::Absent,
            _ => Held::Unknown,
        }
    }

    fn bell(&self, key: &K) -> Option<watch::Receiver<u64>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.present.get(key).map(|entry| entry.bell.clone())
    }

    fn keep(
        &self,
        key: K,
        state: Option<V>,
        read_at: UnixMillis,
        bell: watch::Receiver<u64>,
    ) -> Option<Known<V>> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let earlier = entries.present.remove(&key).map(|entry| entry.known);
        let stands = |earlier: &Known<V>| {
            let unchanged = |state: &V| !state.is_revoked() && state.has_rights_of(&earlier.state);
            state.as_ref().is_some_and(unchanged)
        };
        // What began with other rights ends; what begins from now on has a standing of its own.
        let standing = match earlier {
            Some(earlier) if stands(&earlier) => earlier.standing,
            Some(earlier) => {
                earlier.standing.revoked.cancel();
                Arc::default()
            }
            None => Arc::default(),
        };
        let state = state?;
        if state.is_revoked() {
            standing.revoked.cancel();
        }
        make_room(&mut entries.present, read_at);
        let known = Known { state: Arc::new(state), standing };
        entries.present.insert(key, Entry { known: known.clone(), read_at, bell });
        Some(known)
    }

    fn keep_absent(&self, key: K, read_at: UnixMillis) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.absent.len() >= ABSENT_MAX {
            entries.absent.retain(|_, kept_at| read_at.since(*kept_at) < BELIEVED_MS);
        }
        if entries.absent.len() < ABSENT_MAX {
            entries.absent.insert(key, read_at);
        }
    }

    /// Ends the streams of those credentials that `ended` picks, and has them read anew.
    pub(super) fn end(&self, ended: impl Fn(&V) -> bool) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.present.retain(|_, entry| {
            let goes = ended(&entry.known.state);
            if goes {
                entry.known.standing.revoked.cancel();
            }
            !goes
        });
    }
}

/// Drops entries if there are too many: those that no stream holds and that would be read again
/// anyway; if that is not enough, all that no stream holds.
fn make_room<K: Hash + Eq, V>(present: &mut HashMap<K, Entry<V>>, now: UnixMillis) {
    if present.len() < ENTRIES_MAX {
        return;
    }
    let in_use = |entry: &Entry<V>| Arc::strong_count(&entry.known.standing) > 1;
    present.retain(|_, entry| in_use(entry) || now.since(entry.read_at) < BELIEVED_MS);
    if present.len() >= ENTRIES_MAX {
        present.retain(|_, entry| in_use(entry));
    }
}
