//! Rate limits by cost: how many points each credential, account and address may spend on this
//! node. A bucket a payer, which drains at a steady rate and holds a burst. Not the caps on what is
//! open at a time, which `open` counts, and not the delay of log-ins, which is identity's.
//!
//! Known callers pay with their credential and their account, strangers with their address: so
//! nobody spends what is another's, also from behind the same address.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use entity::ids::AccountId;
use entity::time::UnixMillis;
use uuid::Uuid;

use super::auth::Tenant;
use super::peer::Peer;
use super::settings::{Rate, RateLimits};
use crate::sys::Clock;

/// Buckets are exact to a thousandth of a point: what a rate of one a second drains in 1 ms.
const PARTS: u64 = 1_000;

/// Between two removals of buckets that are empty again, in milliseconds: they hold nothing that a
/// fresh one would not.
const SWEEP_INTERVAL_MS: i64 = 10_000;

/// Addresses with a bucket of their own, about 6 MiB of them. Those that come when there are so
/// many share one.
const ADDRESSES_MAX: usize = 65_536;

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    /// An API key or a log-in.
    Credential(Uuid),
    /// All credentials of an account together.
    Account(AccountId),
    /// Strangers from one address; of IPv6, from one network of 64 bits, which is what one
    /// customer of a provider gets.
    Address(IpAddr),
    /// Strangers without an address, or beyond those that are told apart.
    Strangers,
}

/// Those who pay for one operation, each in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payers {
    Known(Tenant),
    Stranger(Peer),
}

impl Payers {
    /// The credential and account of a known caller, the address of a stranger.
    pub(super) fn of(tenant: Option<Tenant>, peer: Peer) -> Self {
        tenant.map_or(Self::Stranger(peer), Self::Known)
    }

    fn each(self) -> impl Iterator<Item = Payer> {
        let (first, second) = match self {
            Self::Known(tenant) => {
                (Payer::Credential(tenant.credential), Some(Payer::Account(tenant.account)))
            }
            Self::Stranger(peer) => (Payer::of_peer(peer), None),
        };
        std::iter::once(first).chain(second)
    }

    /// The one whose open streams are counted.
    pub(super) fn holder(self) -> Payer {
        match self {
            Self::Known(tenant) => Payer::Account(tenant.account),
            Self::Stranger(peer) => Payer::of_peer(peer),
        }
    }
}

impl Payer {
    pub(super) fn of_peer(peer: Peer) -> Self {
        peer.0.map_or(Self::Strangers, |address| Self::Address(network(address)))
    }

    fn rate(self, limits: &RateLimits) -> Rate {
        match self {
            Self::Credential(_) => limits.credential,
            Self::Account(_) => limits.account,
            Self::Address(_) | Self::Strangers => limits.address,
        }
    }

    /// The name of the policy, as `RateLimit-Policy` tells it.
    const fn policy(self) -> &'static str {
        match self {
            Self::Credential(_) => "credential",
            Self::Account(_) => "account",
            Self::Address(_) | Self::Strangers => "address",
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// What a payer has left after an operation was charged or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Balance {
    payer: Payer,
    rate: Rate,
    /// Points that may be spent now.
    remaining: u64,
    /// Seconds until the whole burst may be spent again, rounded up.
    reset_s: u64,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Points of the operation.
    pub(super) requested: u64,
    /// If it was refused, and nothing taken: milliseconds until it would not be.
    pub(super) retry_after_ms: Option<u64>,
    balances: [Option<Balance>; 2],
}

impl Receipt {
    fn balances(&self) -> impl Iterator<Item = &Balance> {
        self.balances.iter().flatten()
    }

    /// Points that the caller may spend now: the least of its balances.
    pub(super) fn remaining(&self) -> u64 {
        self.balances().map(|balance| balance.remaining).min().unwrap_or(0)
    }

    /// `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, section 3): what is left.
    pub(super) fn rate_limit(&self) -> String {
        let mut text = String::with_capacity(64);
        for balance in self.balances() {
            let separator = if text.is_empty() { "" } else { ", " };
            let name = balance.payer.policy();
            let _ =
                write!(text, "{separator}\"{name}\";r={};t={}", balance.remaining, balance.reset_s);
        }
        text
    }

    /// `RateLimit-Policy` (the same, section 2): the burst, and the seconds in which it comes back.
    pub(super) fn policy(&self) -> String {
        let mut text = String::with_capacity(64);
        for Balance { payer, rate, .. } in self.balances() {
            let separator = if text.is_empty() { "" } else { ", " };
            let (name, burst) = (payer.policy(), rate.points_burst);
            let window_s = burst.div_ceil(rate.points_per_s);
            let _ = write!(text, "{separator}\"{name}\";q={burst};w={window_s}");
        }
        text
    }
}

/// The buckets of this node.
pub(super) struct Budgets {
    clock: Clock,
    limits: RateLimits,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    by_payer: HashMap<Payer, Bucket>,
    /// How many of them are addresses'.
    addresses: usize,
    swept_at: UnixMillis,
}

/// What was spent and has not drained yet, in thousandths of a point, at a time.
#[derive(Clone, Copy)]
struct Bucket {
    spent: u64,
    at: UnixMillis,
}

impl Bucket {
    const fn empty(at: UnixMillis) -> Self {
        Self { spent: 0, at }
    }

    /// A clock that was set back drains nothing, once.
    fn drained(self, now: UnixMillis, rate: Rate) -> Self {
        let elapsed_ms = now.since(self.at).max(0).unsigned_abs();
        let drained = elapsed_ms.saturating_mul(rate.points_per_s);
        Self { spent: self.spent.saturating_sub(drained), at: now }
    }
}

impl Budgets {
    /// Nobody has spent anything.
    pub(super) fn new(clock: Clock, limits: RateLimits) -> Self {
        let swept_at = clock.now();
        let buckets = Buckets { by_payer: HashMap::new(), addresses: 0, swept_at };
        Self { clock, limits, buckets: Mutex::new(buckets) }
    }

    /// Takes `points` from each of the payers, or from none if one has not as many. What costs more
    /// than a burst waits for the whole burst and takes that.
    pub(super) fn charge(&self, payers: Payers, points: u64) -> Receipt {
        let now = self.clock.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now, &self.limits);
        let mut drawn = [None; 2];
        let mut retry_after_ms = 0;
        for (place, payer) in drawn.iter_mut().zip(payers.each()) {
            let payer = buckets.told_apart(payer);
            let rate = payer.rate(&self.limits);
            let bucket = buckets.by_payer.get(&payer).copied().unwrap_or(Bucket::empty(now));
            let bucket = bucket.drained(now, rate);
            let price = points.min(rate.points_burst) * PARTS;
            let above = (bucket.spent + price).saturating_sub(rate.points_burst * PARTS);
            retry_after_ms = retry_after_ms.max(above.div_ceil(rate.points_per_s));
            *place = Some((payer, rate, bucket, price));
        }
        let refused = retry_after_ms > 0;
        let balances = drawn.map(|drawn| {
            let (payer, rate, mut bucket, price) = drawn?;
            if !refused {
                bucket.spent += price;
                buckets.put(payer, bucket);
            }
            let whole = rate.points_burst * PARTS;
            Some(Balance {
                payer,
                rate,
                remaining: whole.saturating_sub(bucket.spent) / PARTS,
                reset_s: bucket.spent.div_ceil(rate.points_per_s * PARTS),
            })
        });
        let retry_after_ms = refused.then_some(retry_after_ms);
        Receipt { requested: points, retry_after_ms, balances }
    }
}

impl Buckets {
    /// The payer's own bucket, or the one that addresses beyond the limit share.
    fn told_apart(&self, payer: Payer) -> Payer {
        let is_new_address =
            matches!(payer, Payer::Address(_)) && !self.by_payer.contains_key(&payer);
        if is_new_address && self.addresses >= ADDRESSES_MAX { Payer::Strangers } else { payer }
    }

    fn put(&mut self, payer: Payer, bucket: Bucket) {
        let replaced = self.by_payer.insert(payer, bucket);
        if replaced.is_none() && matches!(payer, Payer::Address(_)) {
            self.addresses += 1;
        }
    }

    fn sweep(&mut self, now: UnixMillis, limits: &RateLimits) {
        if now.since(self.swept_at).abs() < SWEEP_INTERVAL_MS {
            return;
        }
        self.swept_at = now;
        self.by_payer.retain(|payer, bucket| bucket.drained(now, payer.rate(limits)).spent > 0);
        self.by_payer.shrink_to(self.by_payer.len() * 2);
        let addresses = self.by_payer.keys().filter(|payer| matches!(payer, Payer::Address(_)));
        self.addresses = addresses.count();
    }
}

#[cfg(test)]
mod tests;
