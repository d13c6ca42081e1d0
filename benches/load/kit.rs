//! The parts of the load program, apart from its command line: the crash test (`tests/it/crash.rs`)
//! runs a short form of one scenario, and includes this file for it.
//!
//! | module | holds |
//! |---|---|
//! | `rig` | the processes, and what `/proc` says about them |
//! | `drive` | the client: sending, subscribing, the record of what was seen |
//! | `audit` | what must hold after crashes |
//! | `scenarios` | what is done and measured |
//! | `report` | what was found |
//! | `audience` | contacts on a list, written straight into a store |
//! | `seed` | months of messages, written straight into a store |

pub mod audience;
pub mod audit;
pub mod drive;
pub mod report;
pub mod rig;
pub mod scenarios;
pub mod seed;
