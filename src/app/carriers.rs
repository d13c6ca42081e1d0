//! From a carrier's row to the carrier that it describes.

use std::sync::Arc;

use crate::carriers::Carrier;
use crate::carriers::registry::{self, CarrierAccess};
use crate::carriers::simulator::{SimulatorCarrier, SimulatorConfig};
use crate::carriers::smpp::SmppCarrier;
use crate::ctx::Platform;
use crate::messages::dispatch::CarrierFactory;

/// Makes carriers of rows, with their passwords opened.
pub(super) fn factory(platform: Arc<Platform>) -> CarrierFactory {
    Arc::new(move |row| {
        let access = registry::access(&platform, row).map_err(|fault| fault.to_string())?;
        let carrier: Box<dyn Carrier> = match access {
            CarrierAccess::Simulator => Box::new(SimulatorCarrier::new(SimulatorConfig::default())),
            CarrierAccess::Smpp(config) => {
                Box::new(SmppCarrier::new(*config).map_err(|fault| fault.to_string())?)
            }
        };
        Ok(carrier)
    })
}
