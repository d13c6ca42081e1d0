//! Periodic work: on the platform's clock, on one node at a time, never overlapping itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heliograph::ctx::Platform;
use heliograph::db::Store;
use heliograph::jobs::{JobError, Jobs, Outcome, Schedule};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, both_stores, within};

const MINUTE: Duration = Duration::from_secs(60);
/// A minute's job is taken over after this: its period, and the margin for slow stores and clocks.
const TAKEN_OVER_AFTER: Duration = Duration::from_secs(76);

/// A job that counts its runs, and the counter.
fn counting(platform: &Arc<Platform>) -> (Jobs, watch::Receiver<u64>) {
    let (runs, counted) = watch::channel(0);
    let runs = Arc::new(runs);
    let schedule = Schedule::new("count", MINUTE, move |_| {
        let runs = Arc::clone(&runs);
        async move {
            runs.send_modify(|count| *count += 1);
            Ok::<_, std::io::Error>(1)
        }
    });
    (Jobs::new(Arc::clone(platform), vec![schedule]), counted)
}

both_stores! {
    async fn a_job_runs_at_the_start_and_then_each_period(house: TestHouse) {
        let (jobs, mut counted) = counting(&house.platform);
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { jobs.run(stop).await }
        });
        within(PATIENCE, counted.wait_for(|count| *count == 1)).await.unwrap();
        for expected in 2..=4 {
            house.hand.advance(MINUTE);
            within(PATIENCE, counted.wait_for(|count| *count == expected)).await.unwrap();
        }
        stop.cancel();
        within(PATIENCE, running).await.unwrap();
        // What was missed while time jumped is one run, not many.
        assert_eq!(*counted.borrow(), 4);
    }

    async fn a_run_waits_for_the_one_before(house: TestHouse) {
        let inside = Arc::new(AtomicU64::new(0));
        let most = Arc::new(AtomicU64::new(0));
        let (entered, mut entering) = watch::channel(0u64);
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let schedule = Schedule::new("slow", MINUTE, {
            let (inside, most, gate) = (Arc::clone(&inside), Arc::clone(&most), Arc::clone(&gate));
            let entered = Arc::new(entered);
            move |_| {
                let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
                let (gate, entered) = (Arc::clone(&gate), Arc::clone(&entered));
                async move {
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    entered.send_modify(|count| *count += 1);
                    gate.acquire().await?.forget();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, tokio::sync::AcquireError>(0)
                }
            }
        });
        let jobs = Jobs::new(Arc::clone(&house.platform), vec![schedule]);
        let first = tokio::spawn({
            let jobs = jobs.clone();
            async move { jobs.run_now("slow").await }
        });
        within(PATIENCE, entering.wait_for(|count| *count == 1)).await.unwrap();
        let second = tokio::spawn({
            let jobs = jobs.clone();
            async move { jobs.run_now("slow").await }
        });
        gate.add_permits(2);
        for run in [first, second] {
            let outcome = within(PATIENCE, run).await.unwrap().unwrap();
            assert_eq!(outcome, Outcome::Done(0));
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }

    async fn a_failure_is_told_and_the_next_run_goes_on(house: TestHouse) {
        let tries = Arc::new(AtomicU64::new(0));
        let schedule = Schedule::new("weak", MINUTE, move |_| {
            let tried = tries.fetch_add(1, Ordering::SeqCst);
            async move {
                if tried == 0 { Err(std::io::Error::other("not today")) } else { Ok(5) }
            }
        });
        let jobs = Jobs::new(Arc::clone(&house.platform), vec![schedule]);
        assert!(matches!(jobs.run_now("weak").await, Err(JobError::Failed(_))));
        assert_eq!(jobs.run_now("weak").await.unwrap(), Outcome::Done(5));
        assert!(matches!(jobs.run_now("unheard of").await, Err(JobError::Unknown)));
    }

    async fn one_node_of_two_does_the_work_until_it_is_gone(house: TestHouse) {
        let (mine, mine_counted) = counting(&house.platform);
        let (other, other_counted) = counting(&house.platform);
        assert_eq!(mine.run_now("count").await.unwrap(), Outcome::Done(1));
        if house.store() == Store::Sqlite {
            // A second node is kept away by the lock on the file, and no lease is written.
            let leases = house.value::<i64>("SELECT count(*) FROM job_lease", []).await;
            assert_eq!(leases, 0);
            return;
        }
        assert_eq!(other.run_now("count").await.unwrap(), Outcome::Elsewhere);
        house.hand.advance(MINUTE);
        assert_eq!(mine.run_now("count").await.unwrap(), Outcome::Done(1), "renewed");
        assert_eq!(other.run_now("count").await.unwrap(), Outcome::Elsewhere);
        // The first node is gone without a word.
        house.hand.advance(TAKEN_OVER_AFTER);
        assert_eq!(other.run_now("count").await.unwrap(), Outcome::Done(1));
        assert_eq!(mine.run_now("count").await.unwrap(), Outcome::Elsewhere);
        assert_eq!((*mine_counted.borrow(), *other_counted.borrow()), (2, 1));
        // The second stops in good order, and the first need not wait.
        let stop = CancellationToken::new();
        stop.cancel();
        within(PATIENCE, other.run(stop)).await;
        assert_eq!(mine.run_now("count").await.unwrap(), Outcome::Done(1));
    }

    async fn a_run_that_was_taken_over_is_dropped(house: TestHouse) {
        if house.store() == Store::Sqlite {
            // There is nobody to take it over.
            return;
        }
        let (entered, mut entering) = watch::channel(false);
        let entered = Arc::new(entered);
        let schedule = Schedule::new("count", MINUTE, move |_| {
            let entered = Arc::clone(&entered);
            async move {
                entered.send_replace(true);
                std::future::pending::<Result<u64, std::io::Error>>().await
            }
        });
        let stuck = Jobs::new(Arc::clone(&house.platform), vec![schedule]);
        let run = tokio::spawn(async move { stuck.run_now("count").await });
        within(PATIENCE, entering.wait_for(|entered| *entered)).await.unwrap();
        // Another node takes the lease, as it may when this one was asleep for long.
        let node_id = house.platform.ids.next::<entity::ids::NodeId>();
        let later = entity::time::UnixMillis(i64::MAX);
        let taken = house
            .execute("UPDATE job_lease SET node_id = $1, expires_at_ms = $2", [
                node_id.into(),
                later.0.into(),
            ])
            .await;
        assert_eq!(taken, 1);
        let outcome = within(PATIENCE, async {
            // The renewal's sleep may begin after a step: time goes on until it has been passed.
            loop {
                house.hand.advance(Duration::from_secs(5));
                tokio::task::yield_now().await;
                if run.is_finished() {
                    break run.await.unwrap();
                }
            }
        })
        .await;
        assert!(matches!(outcome, Err(JobError::TakenOver)));
    }
}
