//! The harness keeps its word: a fresh store for each test, time by hand, chance that repeats.

use std::time::Duration;

use heliograph::authz::Actor;
use heliograph::db::Store;

use crate::support::{PATIENCE, both_stores, within};

both_stores! {
    async fn a_house_starts_empty_and_keeps_what_is_written(house: TestHouse) {
        let count = "SELECT count(*) FROM event_counter";
        assert_eq!(house.value::<i64>(count, []).await, 0);
        let account_id = house.platform.ids.next::<entity::ids::AccountId>();
        let written = house
            .execute(
                "INSERT INTO event_counter (account_id, last_seq) VALUES ($1, $2)",
                [account_id.into(), 7i64.into()],
            )
            .await;
        assert_eq!(written, 1);
        assert_eq!(house.value::<i64>(count, []).await, 1);
        let rows = house
            .rows("SELECT last_seq FROM event_counter WHERE account_id = $1", [account_id.into()])
            .await;
        assert_eq!(rows[0].try_get::<i64>("", "last_seq").unwrap(), 7);
    }

    async fn a_second_house_is_as_empty_as_the_first(house: TestHouse) {
        assert_eq!(house.value::<i64>("SELECT count(*) FROM event_counter", []).await, 0);
        assert!(house.directory().join("master.key").is_file());
        let file = house.directory().join("heliograph.db");
        assert_eq!(file.is_file(), house.store() == Store::Sqlite);
    }

    async fn time_moves_by_hand_and_wakes_sleepers(house: TestHouse) {
        let start = house.now();
        let clock = house.platform.clock.clone();
        let sleeper = tokio::spawn(async move {
            clock.sleep_until(start.plus_ms(60_000)).await;
            clock.now()
        });
        house.hand.advance(Duration::from_secs(60));
        let woken_at = within(PATIENCE, sleeper).await.unwrap();
        assert_eq!(woken_at, start.plus_ms(60_000));
    }

    async fn settings_change_over_the_same_store(house: TestHouse) {
        let closed = house.platform_with(|settings| settings.identity.sign_up_open = false);
        assert!(house.platform.settings.identity.sign_up_open);
        assert!(!closed.settings.identity.sign_up_open);
        assert_eq!(closed.db.url(), house.platform.db.url());
        assert_eq!(house.system().actor, Actor::System);
    }
}

#[tokio::test]
#[should_panic(expected = "waited 1ms in vain at tests/it/harness.rs")]
async fn what_never_comes_is_not_waited_for_longer_than_said() {
    within(Duration::from_millis(1), std::future::pending::<()>()).await;
}
