//! The clock: the system's, or one that a test moves by hand.

use std::sync::Arc;
use std::time::Duration;

use entity::time::UnixMillis;
use tokio::sync::watch;

/// Tells the time and waits. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Inner);

#[derive(Clone)]
enum Inner {
    System,
    Manual(Arc<watch::Sender<UnixMillis>>),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Inner::System)
    }

    /// The time now, in whole milliseconds.
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Inner::System => system_now(),
            Inner::Manual(time) => *time.borrow(),
        }
    }

    /// Waits until the clock shows `deadline` or later; at once if it does already.
    pub async fn sleep_until(&self, deadline: UnixMillis) {
        match &self.0 {
            Inner::System => {
                let wait_ms = deadline.since(system_now()).max(0);
                tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
            }
            Inner::Manual(time) => {
                let mut time = time.subscribe();
                // An error means the sender is gone; `self` holds one, so it cannot be.
                let _ = time.wait_for(|now| *now >= deadline).await;
            }
        }
    }

    /// Waits for `duration` on this clock.
    pub async fn sleep(&self, duration: Duration) {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.sleep_until(self.now().plus_ms(ms)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_now() -> UnixMillis {
    UnixMillis(chrono::Utc::now().timestamp_millis())
}

/// The hand on a manual clock. Sleepers wake when it passes their deadline.
#[derive(Clone)]
pub struct ManualClock(Arc<watch::Sender<UnixMillis>>);

impl ManualClock {
    /// A clock that stands at `start` until it is moved.
    pub fn starting_at(start: UnixMillis) -> Self {
        Self(Arc::new(watch::Sender::new(start)))
    }

    /// The clock to hand out.
    pub fn clock(&self) -> Clock {
        Clock(Inner::Manual(Arc::clone(&self.0)))
    }

    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.send_modify(|now| *now = now.plus_ms(ms));
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
