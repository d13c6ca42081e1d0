//! Kills the built program under load and looks whether anything was lost, doubled or left hanging.
//! The short form of the load program's scenarios: `cargo bench --bench load -- crash`,
//! `webhook-crash`, `campaign` and `import` are the long ones. Here also: that its audit finds what it looks for.

use std::collections::HashMap;

use crate::kit::audit::Audit;
use crate::kit::drive::api::{Accepted, Api};
use crate::kit::drive::journal::Takings;
use crate::kit::drive::record::{Seen, Status};
use crate::kit::report::Report;
use crate::kit::rig::StoreKind;
use crate::kit::scenarios::HouseArgs;
use crate::kit::scenarios::campaign;
use crate::kit::scenarios::crash::{self, Args, Victim};
use crate::kit::scenarios::import;
use crate::kit::scenarios::webhook_crash;

async fn survives(victim: Victim, store: StoreKind) {
    let house = HouseArgs {
        store,
        carrier_delay_ms: 20,
        window: 100,
        binds: 1,
        postgres_setting: Vec::new(),
    };
    let args = Args {
        house,
        kills: 3,
        victim,
        rate: 300,
        batch: 20,
        otp_every: 10,
        pause_ms_max: 900,
        seed: 1,
    };
    let report = crash::run(args).await;
    report.print(false);
    assert!(!report.failed());
}

#[tokio::test]
async fn a_killed_server_loses_nothing_on_sqlite() {
    survives(Victim::Server, StoreKind::Sqlite).await;
}

#[tokio::test]
async fn a_killed_server_loses_nothing_on_postgres() {
    survives(Victim::Server, StoreKind::Postgres).await;
}

#[tokio::test]
async fn a_server_whose_postgres_restarts_loses_nothing() {
    survives(Victim::Postgres, StoreKind::Postgres).await;
}

async fn keeps_webhooks(store: StoreKind) {
    let args = webhook_crash::Args { store, kills: 3, rate: 100, pause_ms_max: 900, seed: 1 };
    let report = webhook_crash::run(args).await;
    report.print(false);
    assert!(!report.failed());
}

#[tokio::test]
async fn a_killed_server_loses_and_doubles_no_webhook_on_sqlite() {
    keeps_webhooks(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn a_killed_server_loses_and_doubles_no_webhook_on_postgres() {
    keeps_webhooks(StoreKind::Postgres).await;
}

async fn writes_to_each_once(store: StoreKind) {
    let house = HouseArgs {
        store,
        carrier_delay_ms: 20,
        window: 10,
        binds: 1,
        postgres_setting: Vec::new(),
    };
    let args = campaign::Args { house, contacts: 6_000, kills: 3, seed: 1 };
    let report = campaign::run(args).await;
    report.print(false);
    assert!(!report.failed());
}

#[tokio::test]
async fn a_killed_server_writes_to_each_contact_once_on_sqlite() {
    writes_to_each_once(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn a_killed_server_writes_to_each_contact_once_on_postgres() {
    writes_to_each_once(StoreKind::Postgres).await;
}

async fn imports_each_row_once(store: StoreKind) {
    let args = import::Args { store, rows: 12_000, kills: 3, kill_upload: false, seed: 1 };
    let report = import::run(args).await;
    report.print(false);
    assert!(!report.failed());
}

#[tokio::test]
async fn a_killed_server_imports_each_row_once_on_sqlite() {
    imports_each_row_once(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn a_killed_server_imports_each_row_once_on_postgres() {
    imports_each_row_once(StoreKind::Postgres).await;
}

/// What the audit says of two messages, which the log tells of by `(message, number, status)` and
/// the SMSC took so many times.
async fn audited(log: &[(u128, u64, Status)], taken: [usize; 2]) -> bool {
    let call = Accepted { first: 0, ids: vec![10, 11], called_us: 1, answered_us: 2 };
    let mut audit = Audit::new(&[call]);
    for (id, seq, status) in log.iter().copied() {
        audit.take(&Seen { id, seq, status, at_us: 3 });
    }
    let takings: HashMap<u32, Takings> = (0..)
        .zip(taken)
        .filter(|(_, times)| *times > 0)
        .map(|(number, times)| (number, Takings { at_ms: vec![1; times] }))
        .collect();
    let mut report = Report::new("audit");
    // Nobody is asked: only a doubled message that the log calls certain would need the API.
    audit.check(&Api::new("http://127.0.0.1:9", "none"), &takings, &mut report).await;
    !report.failed()
}

#[tokio::test]
async fn the_audit_finds_what_it_looks_for() {
    use Status::{Delivered, Queued, Sent, Unknown};
    let good = [(10, 1, Queued), (11, 2, Queued), (10, 3, Delivered), (11, 4, Unknown)];
    assert!(audited(&good, [1, 1]).await);
    assert!(audited(&good, [1, 0]).await, "an uncertain one may not have arrived");
    assert!(audited(&good, [1, 2]).await, "or twice, which is said");
    assert!(!audited(&good, [0, 1]).await, "delivered without the SMSC");
    assert!(!audited(&good[..3], [1, 1]).await, "one is not settled");
    let gap = [(10, 1, Queued), (11, 2, Queued), (10, 4, Delivered), (11, 5, Unknown)];
    assert!(!audited(&gap, [1, 1]).await, "the log jumps");
    let hanging = [(10, 1, Queued), (11, 2, Queued), (10, 3, Delivered), (11, 4, Sent)];
    assert!(!audited(&hanging, [1, 1]).await, "sent is no end");
    let stranger = [(10, 1, Delivered), (11, 2, Delivered), (12, 3, Delivered)];
    assert!(!audited(&stranger, [1, 1]).await, "a message that no call was told of");
}
