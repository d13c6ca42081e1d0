//! Plans: what an account pays each month, and the prices that it gets for it.
//!
//! - An account has one plan or none. Its months begin on the day on which it was subscribed, or on
//!   the last day of a month that has no such day.
//! - A month is charged once, in advance, from the money or credit that is there: the transfer's key
//!   names the plan and the day on which the month began. Months that were missed are made up for in
//!   their order.
//! - A plan may include a package: it is granted with each month, once, and its time counts from the
//!   day on which the month began. What would be over already is not granted any more.
//! - What the money does not reach to is tried again each day, and the subscription says since when.
//!   Nothing else happens to the account.

mod charges;
mod commands;
mod queries;
mod subscriptions;

pub use charges::charge_due;
pub(in crate::billing) use charges::month_after;
pub use commands::{
    ChangePlanRejection, CreatePlanRejection, DeletePlanRejection, NewPlan, PlanChange, change,
    create, delete,
};
pub use queries::{Subscribed, count, find, page, subscription};
pub use subscriptions::{SubscribeRejection, UnsubscribeRejection, subscribe, unsubscribe};

/// Characters of a plan's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Plans of a platform: one a customer of a large one.
pub const PLANS_MAX: u64 = 1_000;
