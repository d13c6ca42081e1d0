//! The carriers that the operator set up: their names, settings and sealed passwords, and whether
//! messages are handed to them. Not the running connections, which `messages::dispatch` starts,
//! and not the routes (`routing`).
//!
//! Invariants: a name is unique; a password is stored sealed and never given out again; the
//! built-in simulator always exists, under [`SIMULATOR_CARRIER_ID`], for test keys.

mod commands;
mod queries;
mod settings;

use entity::ids::CarrierId;
use uuid::Uuid;

pub use commands::{
    AddRejection, CarrierChange, ChangeRejection, NewCarrier, add, change, disable, enable,
    ensure_simulator,
};
pub use queries::{
    CarrierAccess, UnusableCarrier, access, by_name, conventions, count, find, find_many, leases,
    page, smpp_settings,
};
pub use settings::{Conventions, SettingsFault, SmppSettings};

/// The simulator inside the process: the same row in every installation, a UUIDv7 of time 0.
pub const SIMULATOR_CARRIER_ID: CarrierId =
    CarrierId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
/// The simulator's name.
pub const SIMULATOR_NAME: &str = "simulator";
/// Characters of a carrier's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Carriers of a platform: each has connections and queues of its own.
pub const CARRIERS_MAX: u64 = 500;
