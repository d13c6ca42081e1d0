//! Which carriers run on this node: all enabled ones whose lease it gets.

use std::collections::HashMap;
use std::sync::Arc;

use entity::carrier::{self, Model as CarrierRow};
use entity::ids::{CarrierId, NodeId};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::runner;
use crate::carriers::{Carrier, registry};
use crate::ctx::Platform;
use crate::events::{POLL_INTERVAL, Topic};

/// Makes the carrier that a row describes.
pub type CarrierFactory =
    Arc<dyn Fn(&CarrierRow) -> Result<Box<dyn Carrier>, String> + Send + Sync>;

struct Running {
    version: i32,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Runs the platform's carriers until `shutdown`, and returns when all of them have ended and what
/// they had in flight is settled. A changed carrier is stopped and started anew.
pub async fn run(platform: Arc<Platform>, factory: CarrierFactory, shutdown: CancellationToken) {
    let node_id: NodeId = platform.ids.next();
    let mut bell = platform.doorbell.listen(Topic::Carriers);
    let mut running: HashMap<CarrierId, Running> = HashMap::new();
    while !shutdown.is_cancelled() {
        bell.borrow_and_update();
        if let Err(error) = reconcile(&platform, node_id, &factory, &mut running).await {
            tracing::warn!(%error, "cannot read the carriers; trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = bell.changed() => {}
            () = platform.clock.sleep(POLL_INTERVAL) => {}
        }
    }
    for carrier in running.values() {
        carrier.stop.cancel();
    }
    for (carrier_id, carrier) in running {
        if let Err(error) = carrier.task.await {
            tracing::error!(carrier.id = %carrier_id, %error, "a carrier ended before its time");
        }
    }
}

async fn reconcile(
    platform: &Arc<Platform>,
    node_id: NodeId,
    factory: &CarrierFactory,
    running: &mut HashMap<CarrierId, Running>,
) -> Result<(), DbErr> {
    let wanted: HashMap<CarrierId, CarrierRow> = carrier::Entity::find()
        .filter(carrier::Column::Enabled.eq(true))
        .all(platform.db.reader())
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    for (carrier_id, carrier) in running.iter() {
        let same = wanted.get(carrier_id).is_some_and(|row| row.version == carrier.version);
        if !same {
            carrier.stop.cancel();
        }
    }
    running.retain(|_, carrier| !carrier.task.is_finished());
    for (carrier_id, row) in wanted {
        if running.contains_key(&carrier_id) {
            continue;
        }
        if let Some(started) = start(platform, node_id, factory, &row).await? {
            running.insert(carrier_id, started);
        }
    }
    Ok(())
}

async fn start(
    platform: &Arc<Platform>,
    node_id: NodeId,
    factory: &CarrierFactory,
    row: &CarrierRow,
) -> Result<Option<Running>, DbErr> {
    let conventions = registry::conventions(row).map_err(|fault| fault.to_string());
    let (carrier, conventions) = match factory(row).and_then(|it| Ok((it, conventions?))) {
        Ok(usable) => usable,
        Err(fault) => {
            tracing::error!(carrier.id = %row.id, fault, "a carrier's settings cannot be used");
            return Ok(None);
        }
    };
    let Some(lease) = Lease::acquire(platform, row.id, node_id).await? else { return Ok(None) };
    tracing::info!(carrier.id = %row.id, carrier.name = row.name, "running a carrier");
    let stop = CancellationToken::new();
    let task =
        tokio::spawn(runner::run(Arc::clone(platform), carrier, conventions, lease, stop.clone()));
    Ok(Some(Running { version: row.version, stop, task }))
}
