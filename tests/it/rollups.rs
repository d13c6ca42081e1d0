//! Roll-ups: that they say what the list, the usage and the ledger say, whatever happens to those
//! who fold them.

mod api;
mod engagement;
mod story;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::enums::{KeyMode, MessageClass, MessageStatus};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use futures::FutureExt;
use heliograph::billing::{self, UsageQuestion};
use heliograph::ctx::{Ctx, Platform};
use heliograph::messages::{queries, sweeps};
use heliograph::rollups::{
    self, Filter, Folder, Interval, Measure, Metrics, MetricsQuestion, Mode, Whose,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use self::story::{Story, Told};
use crate::billing::{PART, Payer, accepted, of_three_parts, real_numbers, scripted_carrier};
use crate::graphql_api::{account, key};
use crate::messages::{subscribe, until_all};
use crate::support::{TestHouse, both_stores};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Figures of a range.
async fn figures(ctx: &Ctx, from: UnixMillis, to: UnixMillis, filter: Filter) -> Metrics {
    let question = MetricsQuestion {
        from,
        to,
        interval: Some(Interval::Hour),
        time_zone: "UTC".to_owned(),
        filter,
        with_previous: false,
        with_latencies: true,
    };
    rollups::metrics(ctx, Whose::Own, &question).await.unwrap()
}

async fn fold(house: &TestHouse) -> u64 {
    Folder::default().fold(&house.system()).await.unwrap()
}

/// What the list of messages counts of the same time and class, by outcome.
async fn listed(
    ctx: &Ctx,
    from: UnixMillis,
    to: UnixMillis,
    class: Option<MessageClass>,
    statuses: &[MessageStatus],
) -> i64 {
    let filter = queries::MessageFilter {
        statuses: Some(statuses.to_vec()),
        classes: class.map(|class| vec![class]),
        created_from: Some(from),
        created_before: Some(to),
        ..queries::MessageFilter::default()
    };
    let count = queries::count(ctx, &filter).await.unwrap();
    i64::try_from(count.expect("fewer than are counted")).unwrap()
}

/// Live and test together, as the list has them.
async fn charted(
    ctx: &Ctx,
    from: UnixMillis,
    to: UnixMillis,
    class: Option<MessageClass>,
) -> rollups::Counts {
    let mut sum = rollups::Counts::default();
    for mode in [Mode::Live, Mode::Test] {
        let classes = class.map(|class| vec![class]);
        let filter = Filter { mode, classes, ..Filter::default() };
        let metrics = figures(ctx, from, to, filter).await;
        let mut points = rollups::Counts::default();
        for point in &metrics.series.points {
            points.merge(&point.figures.counts);
        }
        assert_eq!(points, metrics.series.total.counts, "points add up to their total");
        sum.merge(&metrics.series.total.counts);
    }
    sum
}

/// Each outcome of a time is counted as the list counts it.
async fn assert_charts_are_lists(
    ctx: &Ctx,
    from: UnixMillis,
    to: UnixMillis,
    class: Option<MessageClass>,
) {
    let counts = charted(ctx, from, to, class).await;
    let accepted = listed(ctx, from, to, class, MessageStatus::ALL).await;
    assert_eq!(counts.get(Measure::Accepted), accepted, "{from:?} to {to:?} {class:?}");
    for measure in Measure::ALL {
        let of = |status: &&MessageStatus| Measure::of_outcome(**status) == Some(*measure);
        let statuses: Vec<_> = MessageStatus::ALL.iter().filter(of).copied().collect();
        if !statuses.is_empty() {
            let listed = listed(ctx, from, to, class, &statuses).await;
            assert_eq!(counts.get(*measure), listed, "{measure:?}, {from:?} to {to:?} {class:?}");
        }
    }
}

async fn random_messages(
    house: &TestHouse,
    account_id: AccountId,
    random: &mut ChaCha20Rng,
    count: usize,
) -> Story {
    let mut story = Story::new(account_id);
    let from = house.now().plus_ms(-5 * HOUR_MS);
    let told: Vec<_> = (0..count).map(|_| Told::random(random, from, 4 * HOUR_MS)).collect();
    story.add(house, &told).await;
    story
}

both_stores! {
    async fn a_chart_s_totals_are_the_list_s(house: TestHouse) {
        house.hand.advance(Duration::from_secs(20 * 3_600));
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let mut stories = Vec::new();
        for name in ["Acme", "Other"] {
            let account_id = account(&house, name).await;
            let story = random_messages(&house, account_id, &mut random, 250).await;
            stories.push((key(&house, account_id, KeyMode::Live), story));
        }
        let folders = [Folder::default(), Folder::default(), Folder::default()];
        loop {
            let mut told = false;
            for (_, story) in &mut stories {
                let count = random.random_range(1..120);
                told |= story.tell(&house, &mut random, count).await;
            }
            if !told {
                break;
            }
            // Two workers at once, as when a lease has run out under one of them; or one of three,
            // so that what the others remember does not hold any more.
            let ctx = house.system();
            let (one, other) = match random.random_range(0..5) {
                0 => (folders[2].fold(&ctx).await, Ok(0)),
                n @ (1 | 2) => (folders[n - 1].fold(&ctx).await, Ok(0)),
                _ => tokio::join!(folders[0].fold(&ctx), folders[1].fold(&ctx)),
            };
            one.unwrap();
            other.unwrap();
        }
        assert_eq!(fold(&house).await, 0, "all was folded");
        let start = house.now().plus_ms(-6 * HOUR_MS);
        for (ctx, _) in &stories {
            assert_charts_are_lists(ctx, start, house.now(), None).await;
            for _ in 0..12 {
                let from = start.plus_ms(random.random_range(0..300) * MINUTE_MS);
                let to = from.plus_ms(random.random_range(1..200) * MINUTE_MS);
                let class = MessageClass::ALL[random.random_range(0..3)];
                assert_charts_are_lists(ctx, from, to, Some(class)).await;
            }
            let counts = charted(ctx, start, house.now().plus_ms(HOUR_MS), None).await;
            let account_id = ctx.actor.account_id().unwrap();
            let charged: i64 = house.value(
                "SELECT CAST(SUM(charged_micros) AS BIGINT) FROM message WHERE account_id = $1",
                [account_id.into()],
            ).await;
            assert!(charged > 0);
            assert_eq!(counts.get(Measure::Cost), charged);
            let taken: i64 = house.value(
                "SELECT COUNT(DISTINCT subject_id) FROM event WHERE account_id = $1 \
                 AND status IN (30, 35, 100, 101, 102, 103)",
                [account_id.into()],
            ).await;
            assert_eq!(counts.get(Measure::Sent), taken);
        }
        for resolution_s in [60, 900, 3_600, 86_400] {
            for detail in [0, 1] {
                let accepted: i64 = house.value(
                    "SELECT CAST(SUM(accepted) AS BIGINT) FROM rollup \
                     WHERE resolution_s = $1 AND detail = $2",
                    [resolution_s.into(), detail.into()],
                ).await;
                assert_eq!(accepted, 500, "each has all, at {resolution_s} s and {detail}");
            }
        }
    }

    async fn a_crash_after_any_statement_counts_nothing_twice(house: TestHouse) {
        house.hand.advance(Duration::from_secs(20 * 3_600));
        let mut random = ChaCha20Rng::seed_from_u64(8);
        let mut crashes = 0;
        for crash_after in 1..100 {
            let account_id = account(&house, "Acme").await;
            let ctx = key(&house, account_id, KeyMode::Live);
            let mut story = random_messages(&house, account_id, &mut random, 30).await;
            story.tell(&house, &mut random, 45).await;
            // In turns with all remembered, and with nothing.
            let folder = Folder::default();
            if crash_after % 2 == 0 {
                folder.fold(&house.system()).await.unwrap();
            } else {
                fold(&house).await;
            }
            story.tell_all(&house).await;
            let count = Arc::new(AtomicUsize::new(0));
            let db = house.platform.db.clone().observed({
                let count = Arc::clone(&count);
                move |_| {
                    let run = count.fetch_add(1, Ordering::Relaxed) + 1;
                    assert!(run != crash_after, "the process dies here");
                }
            });
            let platform = Arc::new(Platform { db, ..Platform::clone(&house.platform) });
            let dying = Ctx::system(platform, "test");
            let crashed = AssertUnwindSafe(folder.fold(&dying)).catch_unwind().await.is_err();
            fold(&house).await;
            assert_charts_are_lists(&ctx, house.now().plus_ms(-6 * HOUR_MS), house.now(), None).await;
            if !crashed {
                break;
            }
            crashes += 1;
        }
        assert!((6..99).contains(&crashes), "{crashes} crashes");
    }

    async fn what_was_charged_is_what_usage_and_the_ledger_have(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        let start = house.now();
        for day in 0..3 {
            let mut messages = real_numbers(2);
            messages.push(of_three_parts());
            let outcome = payer.send(&house, &format!("day {day}"), messages).await;
            until_all(&mut events, &accepted(&outcome), &[MessageStatus::Sent]).await;
            house.hand.advance(Duration::from_secs(24 * 3_600));
        }
        carrier.stop().await;
        let before = figures(&payer.ctx, start, house.now(), Filter::default()).await;
        assert_eq!(before.series.total.counts.get(Measure::Accepted), 0);
        assert_eq!(before.as_of, start, "nothing is folded, and it says so");
        fold(&house).await;
        let question = UsageQuestion {
            from: "2026-01-05".parse().unwrap(),
            to: "2026-01-07".parse().unwrap(),
            group_by: [billing::Dimension::Day].into_iter().collect(),
            currency: None,
        };
        let usage = billing::usage(&payer.ctx, billing::Whose::Own, &question).await.unwrap();
        let total = figures(&payer.ctx, start, house.now(), Filter::default()).await;
        assert_eq!(total.as_of, house.now());
        let counts = total.series.total.counts;
        assert_eq!(total.series.total.cost, Some(usage.total.amount));
        assert_eq!(counts.get(Measure::Parts), usage.total.parts);
        assert_eq!((counts.get(Measure::Sent), usage.total.messages), (9, 9));
        assert_eq!(usage.total.amount.0, 15 * PART);
        for (day, group) in usage.groups.values().enumerate() {
            let from = start.plus_ms(day as i64 * DAY_MS);
            let day = figures(&payer.ctx, from, from.plus_ms(DAY_MS), Filter::default()).await;
            assert_eq!(day.series.total.cost, Some(group.amount));
        }
        let latency = total.series.latencies.to_sent;
        assert_eq!(latency.count(), 9);
    }

    async fn what_is_old_is_kept_by_less(house: TestHouse) {
        house.hand.advance(Duration::from_secs(20 * 3_600));
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let mut random = ChaCha20Rng::seed_from_u64(9);
        let mut story = random_messages(&house, account_id, &mut random, 100).await;
        story.tell_all(&house).await;
        let (from, to) = (house.now().plus_ms(-20 * HOUR_MS), house.now().plus_ms(4 * HOUR_MS));
        // What nobody folded stays in the log, however old it is.
        house.hand.advance(Duration::from_secs(40 * 86_400));
        sweeps::purge(&house.system()).await.unwrap();
        let count = "SELECT COUNT(*) FROM event WHERE account_id = $1";
        let kept: i64 = house.value(count, [account_id.into()]).await;
        assert!(kept >= 100);
        fold(&house).await;
        let minutes = "SELECT COUNT(*) FROM rollup WHERE resolution_s = 60";
        assert_eq!(house.value::<i64>(minutes, []).await, 0, "too old to be kept by the minute");
        assert_charts_are_lists(&ctx, from, to, None).await;
        sweeps::purge(&house.system()).await.unwrap();
        assert_eq!(house.value::<i64>(count, [account_id.into()]).await, 0);

        // Something new is kept by the minute, until it is old.
        let now = house.now();
        story.add(&house, &[Told::delivered(now)]).await;
        story.tell_all(&house).await;
        fold(&house).await;
        assert_eq!(house.value::<i64>(minutes, []).await, 2, "in all, and by kind");
        assert_eq!(rollups::purge(&house.system()).await.unwrap(), 0);
        house.hand.advance(Duration::from_secs(10 * 86_400));
        assert_eq!(rollups::purge(&house.system()).await.unwrap(), 2);
        assert_eq!(rollups::purge(&house.system()).await.unwrap(), 0, "once is enough");
        assert_eq!(house.value::<i64>(minutes, []).await, 0);
        let hour = figures(&ctx, now, now.plus_ms(HOUR_MS), Filter::default()).await;
        assert_eq!(hour.series.total.counts.get(Measure::Delivered), 1);

        // Beyond 400 days only days of UTC are left, and nothing else is answered.
        house.hand.advance(Duration::from_secs(420 * 86_400));
        assert!(rollups::purge(&house.system()).await.unwrap() > 0);
        let days = "SELECT COUNT(*) FROM rollup WHERE resolution_s <> 86400";
        assert_eq!(house.value::<i64>(days, []).await, 0);
        let day = UnixMillis(from.0 - from.0 % DAY_MS);
        let question = MetricsQuestion {
            from: day,
            to: day.plus_ms(DAY_MS),
            interval: Some(Interval::Day),
            time_zone: "UTC".to_owned(),
            filter: Filter::default(),
            with_previous: false,
            with_latencies: true,
        };
        let whole = rollups::metrics(&ctx, Whose::Own, &question).await.unwrap();
        assert!(whole.series.total.counts.get(Measure::Accepted) > 0);
        assert!(whole.series.latencies.to_sent.count() > 0);
        let local = MetricsQuestion { time_zone: "Asia/Kolkata".to_owned(), ..question };
        assert!(rollups::metrics(&ctx, Whose::Own, &local).await.is_err());
    }

    async fn a_late_receipt_corrects_what_is_still_kept(house: TestHouse) {
        use MessageStatus::{Delivered, Queued, Sent, Unknown};
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Live);
        house.hand.advance(Duration::from_secs(3_600));
        let at = house.now();
        let late = vec![
            (Queued, 0, None),
            (Sent, 10, None),
            (Unknown, 3 * DAY_MS, Some("NO_FINAL_RECEIPT")),
            (Delivered, 6 * DAY_MS, None),
        ];
        let mut story = Story::new(account_id);
        story.add(&house, &[Told { steps: late, ..Told::delivered(at) }]).await;
        let mut random = ChaCha20Rng::seed_from_u64(1);
        let total = async |house: &TestHouse| {
            let to = at.plus_ms(HOUR_MS);
            let metrics = figures(&ctx, at, to, Filter::default()).await;
            let counts = metrics.series.total.counts;
            let at_minute = "SELECT COUNT(*) FROM rollup WHERE resolution_s = 60";
            let minutes: i64 = house.value(at_minute, []).await;
            (counts.get(Measure::Unknown), counts.get(Measure::Delivered), minutes)
        };
        story.tell(&house, &mut random, 3).await;
        fold(&house).await;
        assert_eq!(total(&house).await, (1, 0, 3), "in all, and by kind with and without the error");
        house.hand.advance(Duration::from_secs(10 * 86_400));
        rollups::purge(&house.system()).await.unwrap();
        story.tell_all(&house).await;
        fold(&house).await;
        assert_eq!(total(&house).await, (0, 1, 0), "moved, and no minute came back");
    }
}
