//! What moves packages is whole or not at all, at whichever statement it ends.

use std::time::Duration;

use heliograph::billing::packages;
use heliograph::db::Store;
use heliograph::messages::commands;
use heliograph::types::money::Micros;

use super::{buyer, of_parts, offer};
use crate::billing::{PART, Payer, accepted, assert_in_order, real_numbers};
use crate::messages::batch;
use crate::support::{TestHouse, both_stores};

/// Every table that buying, sending, canceling, revoking and expiring write, and what of it is
/// compared.
const TABLES: &[(&str, &str)] = &[
    ("billing_account", "COALESCE(packages_until_ms, 0)"),
    ("event", "seq"),
    ("event_counter", "last_seq"),
    ("granted_package", "balance_micros * 2 + held_micros + state"),
    ("idempotency", "1"),
    ("ledger_book", "balance_micros"),
    ("ledger_entry", "amount_micros"),
    ("ledger_transfer", "seq"),
    ("message", "status"),
    ("message_text", "1"),
    ("wallet", "balance_micros + held_micros + last_seq"),
];

async fn refuse(house: &TestHouse, table: &str, verb: &str) {
    let statements: &[&str] = match house.store() {
        Store::Sqlite => &["CREATE TRIGGER broken BEFORE {verb} ON {table} \
            BEGIN SELECT RAISE(ABORT, 'broken'); END"],
        Store::Postgres => &[
            "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'broken'; END $$",
            "CREATE TRIGGER broken BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION broken()",
        ],
    };
    for statement in statements {
        let statement = statement.replace("{verb}", verb).replace("{table}", table);
        house.execute(&statement, []).await;
    }
}

async fn allow(house: &TestHouse, table: &str) {
    let sql = match house.store() {
        Store::Sqlite => "DROP TRIGGER broken".to_owned(),
        Store::Postgres => format!("DROP TRIGGER broken ON {table}"),
    };
    house.execute(&sql, []).await;
}

async fn state(house: &TestHouse) -> Vec<(i64, i64)> {
    let mut state = Vec::new();
    for (table, sum) in TABLES {
        let sql = format!("SELECT count(*), CAST(COALESCE(SUM({sum}), 0) AS BIGINT) FROM {table}");
        let rows = house.rows(&sql, []).await;
        let column = |index| rows[0].try_get_by_index::<i64>(index).unwrap();
        state.push((column(0), column(1)));
    }
    state
}

both_stores! {
    async fn each_step_ends_whole_at_every_statement(house: TestHouse) {
        let payer = Payer::with(&house, 100_000 * PART).await;
        let package = offer(&house, of_parts("Parts", 3)).await;
        let (buyer, system) = (buyer(&house, &payer), house.system());
        let tables = Payer::tables(&house).await;
        let mut stopped = [0; 5];
        for (turn, (table, verb)) in TABLES
            .iter()
            .flat_map(|(table, _)| ["INSERT", "UPDATE"].map(|verb| (*table, verb)))
            .enumerate()
        {
            let key = format!("k{turn}");
            // Of each of the five steps: it ends at this statement and changes nothing, or it does not
            // come to it; and then it is done.
            for (step, stopped) in stopped.iter_mut().enumerate() {
                let before = state(&house).await;
                refuse(&house, table, verb).await;
                let went = |step: usize| {
                    let (payer, tables, buyer, system) = (&payer, &tables, &buyer, &system);
                    let house = &house;
                    let key = key.as_str();
                    async move {
                        let own = "SELECT id FROM granted_package WHERE idempotency_key = $1";
                        match step {
                            0 => packages::buy(buyer, package.id, key).await.is_ok(),
                            1 => {
                                let input = batch(key, real_numbers(2));
                                commands::send(&payer.ctx, tables, input).await.is_ok()
                            }
                            2 => {
                                let input = batch(key, real_numbers(2));
                                let sent = commands::send(&payer.ctx, tables, input).await.unwrap();
                                let sent = accepted(&sent);
                                commands::cancel(&payer.ctx, &sent[..1]).await.is_ok()
                            }
                            3 => {
                                let id = house.value(own, [key.into()]).await;
                                packages::revoke(system, id, Micros(PART)).await.is_ok()
                            }
                            _ => packages::close_due(system).await.is_ok(),
                        }
                    }
                };
                if step == 4 {
                    // Another one, which is left to expire.
                    allow(&house, table).await;
                    packages::buy(&buyer, package.id, &format!("{key} more")).await.unwrap();
                    house.hand.advance(Duration::from_secs(30 * 24 * 3_600));
                    let before = state(&house).await;
                    refuse(&house, table, verb).await;
                    let is_done = went(step).await;
                    allow(&house, table).await;
                    if !is_done {
                        *stopped += 1;
                        assert_eq!(state(&house).await, before, "{verb} {table}, step {step}");
                        assert!(went(step).await);
                    }
                    continue;
                }
                let is_done = went(step).await;
                allow(&house, table).await;
                if !is_done {
                    *stopped += 1;
                    assert_eq!(state(&house).await, before, "{verb} {table}, step {step}");
                    assert!(went(step).await, "{verb} {table}, step {step}");
                }
            }
            assert_in_order(&house).await;
        }
        assert!(stopped.iter().all(|count| *count >= 4), "{stopped:?}");
    }
}
