//! The test harness: a fresh house for each test, on each store.
//!
//! ```ignore
//! both_stores! {
//!     async fn a_sender_is_registered_once(house: TestHouse) {
//!         …
//!     }
//! }
//! ```
//!
//! makes the tests `a_sender_is_registered_once::sqlite` and `…::postgres`. A house has a database
//! and a directory of its own, a clock that only the test moves and randomness that repeats. Do not
//! sleep or poll in a test: move [`TestHouse::hand`], and await a signal [`within`] a time.

mod house;
mod postgres;
mod served;

use std::time::Duration;

pub use house::{TestHouse, run};
pub use postgres::EmptyDatabase;
pub use served::Served;

/// How long a test may wait for a thing that takes milliseconds, before it is called missing. Long,
/// since it is only ever waited for in full by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Makes one test on SQLite and one on PostgreSQL of each function.
macro_rules! both_stores {
    ($($(#[$attribute:meta])* async fn $name:ident($house:ident: TestHouse) $body:block)+) => {$(
        $(#[$attribute])*
        async fn $name($house: $crate::support::TestHouse) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let name = concat!(module_path!(), "::sqlite");
                $crate::support::run(heliograph::db::Store::Sqlite, name, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let name = concat!(module_path!(), "::postgres");
                $crate::support::run(heliograph::db::Store::Postgres, name, super::$name).await;
            }
        }
    )+};
}
pub(crate) use both_stores;

/// The output of `future`, which is awaited at most `limit`.
///
/// # Panics
/// If it takes longer.
#[track_caller]
pub fn within<F: Future>(limit: Duration, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(limit, future).await {
            Ok(output) => output,
            Err(_) => panic!("waited {limit:?} in vain at {caller}"),
        }
    }
}
