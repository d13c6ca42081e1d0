//! Slowing down those who guess passwords: a delay that grows with each failure, per e-mail and
//! per network address. Never a hard lock, which would let anybody shut anybody out.
//!
//! A try is counted before the password is looked at and taken back if it was right, so that many
//! tries at once get no more guesses than one after the other. A try that comes too early is
//! refused and not counted. Only keyed hashes of e-mails and addresses are stored.

use std::net::IpAddr;

use entity::time::UnixMillis;

use super::model::Email;
use super::store::throttle as store;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Failed;
use crate::keys::Purpose;

/// Failures that cost no delay, of one e-mail.
const FREE_OF_EMAIL: i32 = 5;
/// Failures that cost no delay, of one address: an office may share it.
const FREE_OF_ADDRESS: i32 = 20;
/// The first delay; doubled by each further failure.
const DELAY_MS: i64 = 1_000;
/// The longest delay: 288 guesses a day, and an owner who waits five minutes at worst.
const DELAY_MS_MAX: i64 = 5 * 60 * 1_000;
/// Failures are forgotten after a day without one.
pub(super) const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;

/// Who or where a try counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Email,
    Address,
}

/// What one try counts against.
pub(super) struct Attempt {
    keys: Vec<(Kind, [u8; 32])>,
}

impl Attempt {
    /// Counts a try.
    ///
    /// # Errors
    /// [`Failed::RateLimited`] if it comes too early; then nothing is counted.
    pub(super) async fn begin(
        ctx: &Ctx,
        email: Option<&Email>,
        address: Option<IpAddr>,
    ) -> Result<Self, Failed> {
        let attempt = Self::of(ctx, email, address);
        let (now, keys) = (ctx.clock.now(), &attempt.keys);
        ctx.db_of_platform().write(|tx| async move { count(&tx, keys, now).await }).await?;
        Ok(attempt)
    }

    fn of(ctx: &Ctx, email: Option<&Email>, address: Option<IpAddr>) -> Self {
        let hash = |text: String| ctx.master_key.hash(Purpose::LoginThrottle, text.as_bytes());
        let email = email.map(|email| (Kind::Email, hash(format!("email:{}", email.as_str()))));
        let address =
            address.map(|address| (Kind::Address, hash(format!("address:{}", network(address)))));
        let mut keys: Vec<_> = email.into_iter().chain(address).collect();
        // Locks are taken in one order.
        keys.sort_unstable_by_key(|(_, key)| *key);
        Self { keys }
    }

    /// Takes the try back: it was right. Forgets the e-mail's failures; the address keeps those
    /// that others made from it.
    pub(super) async fn succeeded(&self, tx: &Tx, now: UnixMillis) -> Result<(), Failed> {
        for (kind, key) in &self.keys {
            match kind {
                Kind::Email => store::forget(tx, key).await?,
                Kind::Address => {
                    let failures = store::failures_for_update(tx, key).await?;
                    let failures = failures.map_or(0, |row| row.failures - 1).max(0);
                    let allowed_at = now.plus_ms(delay_ms(*kind, failures));
                    store::set(tx, key, failures, allowed_at, now).await?;
                }
            }
        }
        Ok(())
    }
}

async fn count(tx: &Tx, keys: &[(Kind, [u8; 32])], now: UnixMillis) -> Result<(), Failed> {
    for (kind, key) in keys {
        store::insert_if_new(tx, key, now).await?;
        let row = store::failures_for_update(tx, key).await?;
        let row = row.ok_or_else(|| Failed::internal("a throttle row vanished under its lock"))?;
        let wait_ms = row.allowed_at_ms.since(now);
        if wait_ms > 0 {
            return Err(Failed::RateLimited { retry_after_ms: wait_ms.unsigned_abs() });
        }
        let forgotten = now.since(row.updated_at_ms) > FORGOTTEN_AFTER_MS;
        let failures = if forgotten { 1 } else { row.failures.saturating_add(1) };
        store::set(tx, key, failures, now.plus_ms(delay_ms(*kind, failures)), now).await?;
    }
    Ok(())
}

/// How long to wait after so many failures in a row.
fn delay_ms(kind: Kind, failures: i32) -> i64 {
    let free = match kind {
        Kind::Email => FREE_OF_EMAIL,
        Kind::Address => FREE_OF_ADDRESS,
    };
    match u32::try_from(failures - free) {
        Ok(doublings) => DELAY_MS.saturating_mul(1 << doublings.min(32)).min(DELAY_MS_MAX),
        Err(_) => 0,
    }
}

/// The network that an address stands for: one subscriber has a whole /64 of IPv6 (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_from_nothing_to_five_minutes_and_no_further() {
        for (kind, failures, expected_ms) in [
            (Kind::Email, 0, 0),
            (Kind::Email, 4, 0),
            (Kind::Email, 5, 1_000),
            (Kind::Email, 6, 2_000),
            (Kind::Email, 13, 256_000),
            (Kind::Email, 14, DELAY_MS_MAX),
            (Kind::Email, i32::MAX, DELAY_MS_MAX),
            (Kind::Address, 19, 0),
            (Kind::Address, 20, 1_000),
            (Kind::Address, 1_000, DELAY_MS_MAX),
        ] {
            assert_eq!(delay_ms(kind, failures), expected_ms, "{kind:?} {failures}");
        }
    }

    #[test]
    fn addresses_count_by_subscriber() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
