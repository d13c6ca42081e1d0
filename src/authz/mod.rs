//! Who is asking, and what they may do. The only place that decides.

mod actor;
mod policy;

pub use actor::{Actor, KeyActor, PersonActor};
pub use policy::{Action, Scope, Subject, policy_table};
