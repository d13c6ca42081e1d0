//! Whether the enabled carriers can be reached: a connection is opened and closed, nothing is said.

use std::time::Duration;

use entity::carrier::{Column, Entity, Model};
use futures::future::join_all;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokio::net::TcpStream;

use super::checks::Finding;
use crate::carriers::registry;
use crate::db::Db;

/// How long a carrier may take to accept a connection; the client itself waits 10 s.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);

/// A finding for each enabled carrier that is reached over the network.
pub(super) async fn all(db: &Db) -> Vec<Finding> {
    let enabled = Entity::find().filter(Column::Enabled.eq(true)).order_by_asc(Column::Name);
    match enabled.all(db.reader()).await {
        Ok(rows) => join_all(rows.iter().map(check)).await.into_iter().flatten().collect(),
        Err(error) => {
            vec![Finding::fault("carriers", error.to_string(), "see that the store is whole")]
        }
    }
}

/// `None` for a carrier inside the process.
async fn check(row: &Model) -> Option<Finding> {
    let name = "carrier";
    let settings = match registry::smpp_settings(row) {
        Ok(settings) => settings?,
        Err(_) => {
            let text = format!("{}: its settings cannot be read", row.name);
            return Some(Finding::fault(name, text, "set them again"));
        }
    };
    let address = settings.address;
    let text = format!("{} at {address}", row.name);
    let connecting = tokio::time::timeout(CONNECT_TIME_MAX, TcpStream::connect(&address));
    let fault = match connecting.await {
        Ok(Ok(_)) => return Some(Finding::good(name, format!("{text} accepts connections"))),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", CONNECT_TIME_MAX.as_secs()),
    };
    let fix = "see its address, and that this machine may reach it; messages wait meanwhile";
    Some(Finding::warning(name, format!("{text}: {fault}"), fix))
}
