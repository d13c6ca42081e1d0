//! The books: nothing in them is changed or removed, and who does it all the same is found out.

use heliograph::billing;
use heliograph::db::Store;
use sea_orm::{ConnectionTrait, Statement};

use super::{PART, Payer, accepted, assert_in_order, real_numbers, scripted_carrier};
use crate::messages::{subscribe, until_all};
use crate::support::{TestHouse, both_stores};

const TABLES: [&str; 2] = ["ledger_transfer", "ledger_entry"];

/// An account whose journal has some transfers.
async fn with_transfers(house: &TestHouse) -> Payer {
    let payer = Payer::with(house, 100 * PART).await;
    let mut events = subscribe(house, &payer.ctx).await;
    let carrier = scripted_carrier::start(house, scripted_carrier::takes_all);
    for call in 0..3 {
        let sent = accepted(&payer.send(house, &format!("k{call}"), real_numbers(2)).await);
        until_all(&mut events, &sent, &[entity::enums::MessageStatus::Sent]).await;
    }
    carrier.stop().await;
    assert_in_order(house).await;
    payer
}

/// Takes the lock off the tables, as somebody could who has the database's password.
async fn unlock(house: &TestHouse) {
    for table in TABLES {
        match house.store() {
            Store::Sqlite => {
                for verb in ["update", "delete"] {
                    house.execute(&format!("DROP TRIGGER {table}_no_{verb}"), []).await;
                }
            }
            Store::Postgres => {
                house.execute(&format!("ALTER TABLE {table} DISABLE TRIGGER USER"), []).await;
            }
        }
    }
}

/// The only fault that a check finds: at which transfer, and what.
async fn fault(house: &TestHouse) -> (i64, String) {
    let verified = billing::verify(&house.system()).await.unwrap();
    let [fault] = verified.faults.as_slice() else { panic!("{:?}", verified.faults) };
    (fault.seq, fault.what.clone())
}

both_stores! {
    async fn the_store_refuses_to_change_or_remove_what_is_booked(house: TestHouse) {
        with_transfers(&house).await;
        let db = &house.platform.db;
        for table in TABLES {
            let mut statements =
                vec![format!("UPDATE {table} SET seq = seq + 0"), format!("DELETE FROM {table}")];
            if house.store() == Store::Postgres {
                statements.push(format!("TRUNCATE {table}"));
            }
            for sql in statements {
                let statement = Statement::from_string(db.store().backend(), sql.as_str());
                let refused = db.migrator().execute_raw(statement).await.expect_err(&sql);
                assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
            }
        }
        assert_in_order(&house).await;
    }

    async fn a_changed_amount_is_found(house: TestHouse) {
        with_transfers(&house).await;
        unlock(&house).await;
        house.execute(
            "UPDATE ledger_entry SET amount_micros = amount_micros * 2 WHERE seq = 2", [],
        ).await;
        assert_eq!(fault(&house).await, (
            2, "the hash does not follow from the transfer and the one before it".to_owned()
        ));
    }

    async fn a_changed_time_is_found(house: TestHouse) {
        with_transfers(&house).await;
        unlock(&house).await;
        house.execute("UPDATE ledger_transfer SET occurred_at_ms = 0 WHERE seq = 3", []).await;
        assert_eq!(fault(&house).await.0, 3);
    }

    async fn a_removed_transfer_is_found(house: TestHouse) {
        with_transfers(&house).await;
        unlock(&house).await;
        for table in TABLES {
            house.execute(&format!("DELETE FROM {table} WHERE seq = 2"), []).await;
        }
        assert_eq!(fault(&house).await, (2, "the transfer is missing".to_owned()));
    }

    async fn a_removed_last_transfer_is_found(house: TestHouse) {
        let payer = with_transfers(&house).await;
        unlock(&house).await;
        let last: i64 = house.value(
            "SELECT max(seq) FROM ledger_transfer WHERE account_id = $1", [payer.account_id.into()],
        ).await;
        for table in TABLES {
            house.execute(&format!("DELETE FROM {table} WHERE seq = $1"), [last.into()]).await;
        }
        assert_eq!(fault(&house).await, (last, "the transfer is missing".to_owned()));
    }

    async fn an_inserted_transfer_is_found(house: TestHouse) {
        with_transfers(&house).await;
        // A copy of the last one with a number, an id and a key of its own, and the wallet told of it.
        let last: i64 = house.value("SELECT max(last_seq) FROM wallet", []).await;
        house.execute(
            "INSERT INTO ledger_transfer (account_id, currency, purse, seq, id, code, key, \
             request_mac, subject_id, occurred_at_ms, posted_at_ms, hash) SELECT account_id, \
             currency, purse, seq + 1, account_id, code, 'slipped in', request_mac, subject_id, \
             occurred_at_ms, posted_at_ms, hash FROM ledger_transfer WHERE seq = $1", [last.into()],
        ).await;
        house.execute(
            "INSERT INTO ledger_entry (account_id, currency, purse, seq, leg, kind, detail, \
             amount_micros, balance_micros) SELECT account_id, currency, purse, seq + 1, leg, kind, \
             detail, amount_micros, balance_micros + amount_micros FROM ledger_entry WHERE seq = $1",
            [last.into()],
        ).await;
        house.execute("UPDATE wallet SET last_seq = last_seq + 1", []).await;
        assert_eq!(fault(&house).await.0, last + 1);
    }

    async fn a_changed_balance_or_hold_is_found(house: TestHouse) {
        let payer = with_transfers(&house).await;
        payer.send(&house, "held", real_numbers(1)).await;
        for (change, back, what) in [
            (
                "UPDATE wallet SET balance_micros = balance_micros + 1",
                "UPDATE wallet SET balance_micros = balance_micros - 1",
                "the wallet's balance is not the journal's",
            ),
            (
                "UPDATE wallet SET held_micros = held_micros - 1",
                "UPDATE wallet SET held_micros = held_micros + 1",
                "what the wallet holds is not the sum of its messages' holds",
            ),
            (
                "UPDATE ledger_book SET balance_micros = balance_micros + 1 WHERE kind = 1",
                "UPDATE ledger_book SET balance_micros = balance_micros - 1 WHERE kind = 1",
                "a book's balance is not the journal's",
            ),
        ] {
            house.execute(change, []).await;
            assert_eq!(fault(&house).await.1, what);
            house.execute(back, []).await;
            assert_in_order(&house).await;
        }
    }
}
