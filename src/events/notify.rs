//! The doorbell between nodes over PostgreSQL: `LISTEN/NOTIFY`, coalesced.
//!
//! A notification takes a global lock at commit, so none is sent from a business transaction:
//! each node sends at most one every [`COALESCE`], with all topics rung since.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use tokio_util::sync::CancellationToken;

use super::Doorbell;
use crate::db::{Db, Store};

const CHANNEL: &str = "heliograph_doorbell";
/// At most one notification a node in this time.
const COALESCE: Duration = Duration::from_millis(10);
/// PostgreSQL refuses payloads of 8,000 bytes and more.
const PAYLOAD_BYTES_MAX: usize = 7_900;
/// Wait before connecting again.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Connects this node's doorbell with those of the other nodes until `shutdown`. On SQLite there
/// are no other nodes, and it returns at once.
pub async fn connect_nodes(db: Db, doorbell: Doorbell, shutdown: CancellationToken) {
    if db.store() == Store::Sqlite {
        return;
    }
    doorbell.collect_outgoing();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = send(&db, &doorbell) => {}
        () = receive(&db, &doorbell) => {}
    }
}

async fn send(db: &Db, doorbell: &Doorbell) {
    loop {
        let topics = doorbell.next_outgoing().await;
        for payload in payloads(&topics) {
            if let Err(error) = notify(db, &payload).await {
                tracing::warn!(%error, "cannot ring the other nodes; they will look by themselves");
            }
        }
        tokio::time::sleep(COALESCE).await;
    }
}

async fn notify(db: &Db, payload: &str) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(
        db.store().backend(),
        "SELECT pg_notify($1, $2)",
        [CHANNEL.into(), payload.into()],
    );
    db.reader().query_one_raw(statement).await?;
    Ok(())
}

fn payloads(topics: &BTreeSet<super::Topic>) -> Vec<String> {
    let mut payloads = vec![String::new()];
    for topic in topics {
        let text = topic.to_string();
        let last = payloads.last_mut().expect("the list starts with one payload");
        if last.len() + text.len() + 1 > PAYLOAD_BYTES_MAX {
            payloads.push(text);
        } else {
            last.push_str(&text);
            last.push(' ');
        }
    }
    payloads
}

async fn receive(db: &Db, doorbell: &Doorbell) {
    loop {
        if let Err(error) = receive_until_lost(db, doorbell).await {
            tracing::warn!(%error, "the doorbell's connection is lost; connecting again");
        }
        // Whatever rang in the meantime was not heard.
        doorbell.ring_all_here();
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

async fn receive_until_lost(db: &Db, doorbell: &Doorbell) -> Result<(), sea_orm::SqlxError> {
    let mut listener = PgListener::connect(db.url().expose()).await?;
    listener.listen(CHANNEL).await?;
    doorbell.ring_all_here();
    while let Some(notification) = listener.try_recv().await? {
        for topic in notification.payload().split_whitespace() {
            if let Ok(topic) = topic.parse() {
                doorbell.ring_here(topic);
            }
        }
    }
    Ok(())
}
