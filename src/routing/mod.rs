//! Routing: which carrier a number's messages leave through. The longest matching prefix wins.
//!
//! Invariants: a prefix has one route; a carrier that is disabled has no routes (the next shorter
//! prefix takes over), and a number without a route is refused when its message is accepted. A
//! message keeps the carrier it was accepted for. Beside the routes stands an estimate of how long
//! each carrier's queue would take. Not here: tiers, health and fallback.

mod backlog;
mod commands;
mod queries;
mod snapshot;
mod table;

pub use commands::{
    CreateRejection, DeleteRejection, NewRoute, UpdateRejection, create, delete, prefix_digits,
    update,
};
pub use queries::{count, find, find_many, page};
pub use snapshot::Routes;
pub use table::{RouteChoice, RouteTable};

/// Routes of a platform: all prefixes of all countries' networks are some 3,000.
pub const ROUTES_MAX: u64 = 20_000;
/// Digits of a prefix: a whole E.164 number (ITU-T E.164, 6.1).
pub const PREFIX_DIGITS_MAX: usize = 15;
