//! The buckets, on a clock that is moved by hand.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::sys::ManualClock;

const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// A credential has 100 points and 10 a second, its account twice that, an address 5 and one.
const LIMITS: RateLimits = RateLimits {
    credential: Rate { points_per_s: 10, points_burst: 100 },
    account: Rate { points_per_s: 20, points_burst: 200 },
    address: Rate { points_per_s: 1, points_burst: 5 },
};

fn budgets() -> (ManualClock, Budgets) {
    let hand = ManualClock::starting_at(START);
    let budgets = Budgets::new(hand.clock(), LIMITS);
    (hand, budgets)
}

fn known(credential: u128, account: u128) -> Payers {
    Payers::Known(Tenant {
        credential: Uuid::from_u128(credential),
        account: AccountId(Uuid::from_u128(account)),
    })
}

fn stranger(address: &str) -> Payers {
    Payers::Stranger(Peer(Some(address.parse().unwrap())))
}

#[test]
fn a_burst_is_taken_to_the_point_and_comes_back_at_its_rate() {
    let (hand, budgets) = budgets();
    let me = known(1, 1);
    assert_eq!(budgets.charge(me, 99).retry_after_ms, None);
    assert_eq!(budgets.charge(me, 2).retry_after_ms, Some(100), "one point is missing");
    let last = budgets.charge(me, 1);
    assert_eq!((last.retry_after_ms, last.remaining()), (None, 0));
    assert_eq!(budgets.charge(me, 1).retry_after_ms, Some(100));
    hand.advance(Duration::from_millis(99));
    assert_eq!(budgets.charge(me, 1).retry_after_ms, Some(1), "asking costs nothing");
    hand.advance(Duration::from_millis(1));
    assert_eq!(budgets.charge(me, 1).retry_after_ms, None);
    hand.advance(Duration::from_secs(3_600));
    assert_eq!(budgets.charge(me, 0).remaining(), 100, "no more than the burst");
}

#[test]
fn what_costs_more_than_a_burst_takes_the_whole() {
    let (hand, budgets) = budgets();
    let me = known(1, 1);
    assert_eq!(budgets.charge(me, 1_000).remaining(), 0);
    assert_eq!(budgets.charge(me, 1_000).retry_after_ms, Some(10_000));
    hand.advance(Duration::from_secs(10));
    assert_eq!(budgets.charge(me, 1_000).retry_after_ms, None);
}

#[test]
fn an_account_bounds_its_credentials_together_and_nobody_else() {
    let (_hand, budgets) = budgets();
    assert_eq!(budgets.charge(known(1, 1), 100).retry_after_ms, None);
    assert_eq!(budgets.charge(known(2, 1), 90).retry_after_ms, None);
    let third = budgets.charge(known(3, 1), 11);
    assert_eq!(third.retry_after_ms, Some(50), "one point of the account's is missing");
    assert_eq!(budgets.charge(known(3, 1), 10).remaining(), 0);
    assert_eq!(third.remaining(), 10, "the refused one took nothing of its own");
    assert_eq!(budgets.charge(known(4, 2), 100).retry_after_ms, None);
}

#[test]
fn strangers_pay_by_address_and_ipv6_by_network() {
    let (_hand, budgets) = budgets();
    let spent = |address| budgets.charge(stranger(address), 5).retry_after_ms.is_some();
    for (address, is_refused) in [
        ("192.0.2.1", false),
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
        ("192.0.2.2", false),
        ("2001:db8:0:1::1", false),
        ("2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:2::1", false),
    ] {
        assert_eq!(spent(address), is_refused, "{address}");
    }
    assert_eq!(budgets.charge(known(1, 1), 100).retry_after_ms, None, "from the same address");
}

#[test]
fn a_clock_that_steps_back_stops_nobody_for_longer_than_it_takes() {
    let (hand, budgets) = budgets();
    hand.advance(Duration::from_secs(3_600));
    budgets.charge(known(1, 1), 100);
    let rate = LIMITS.credential;
    let bucket = Bucket { spent: 100 * PARTS, at: START.plus_ms(3_600_000) };
    let back = bucket.drained(START, rate);
    assert_eq!((back.spent, back.at), (100 * PARTS, START));
    assert_eq!(back.drained(START.plus_ms(1_000), rate).spent, 90 * PARTS);
}

#[test]
fn the_headers_tell_every_bucket() {
    let (_hand, budgets) = budgets();
    let receipt = budgets.charge(known(1, 1), 15);
    assert_eq!(receipt.rate_limit(), "\"credential\";r=85;t=2, \"account\";r=185;t=1");
    assert_eq!(receipt.policy(), "\"credential\";q=100;w=10, \"account\";q=200;w=10");
    let receipt = budgets.charge(stranger("192.0.2.1"), 1);
    assert_eq!(receipt.rate_limit(), "\"address\";r=4;t=1");
    assert_eq!(receipt.policy(), "\"address\";q=5;w=5");
}

#[test]
fn what_is_full_again_is_forgotten() {
    let (hand, budgets) = budgets();
    let count = || budgets.buckets.lock().unwrap().by_payer.len();
    for n in 0..1_000u32 {
        let address = Ipv4Addr::from(0xc000_0000 + n).to_string();
        budgets.charge(stranger(&address), 1);
    }
    budgets.charge(known(1, 1), 100);
    assert_eq!(count(), 1_002);
    hand.advance(Duration::from_millis(9_999));
    budgets.charge(known(1, 1), 1);
    assert_eq!(count(), 1_002, "not all the time");
    hand.advance(Duration::from_millis(1));
    budgets.charge(known(1, 1), 1);
    assert_eq!(count(), 2, "the addresses are whole again, the credential and its account not");
    let buckets = budgets.buckets.lock().unwrap();
    assert_eq!(buckets.addresses, 0);
    assert!(buckets.by_payer.capacity() < 100, "{}", buckets.by_payer.capacity());
}

#[test]
fn addresses_beyond_the_limit_share_one_bucket() {
    let (_hand, budgets) = budgets();
    for n in 0..ADDRESSES_MAX as u32 {
        let address = Payers::Stranger(Peer(Some(Ipv4Addr::from(n).into())));
        assert_eq!(budgets.charge(address, 1).retry_after_ms, None);
    }
    assert_eq!(budgets.charge(stranger("192.0.2.1"), 5).retry_after_ms, None);
    assert!(budgets.charge(stranger("192.0.2.2"), 1).retry_after_ms.is_some());
    assert_eq!(budgets.charge(stranger("0.0.0.1"), 4).retry_after_ms, None, "it has its own");
    assert_eq!(budgets.charge(known(1, 1), 100).retry_after_ms, None);
    assert_eq!(budgets.buckets.lock().unwrap().by_payer.len(), ADDRESSES_MAX + 3);
}
