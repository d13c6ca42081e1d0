//! Clock, randomness and id generation. Everything else takes them from here (through `Ctx`), so
//! that a test can hold time still and repeat chance.

mod clock;
mod ids;
mod randomness;

pub use clock::{Clock, ManualClock};
pub use ids::IdGenerator;
pub use randomness::Randomness;
