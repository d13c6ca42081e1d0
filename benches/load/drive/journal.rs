//! The simulated SMSC's own record of what it took, a line of JSON each.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::number_of;

/// What the SMSC took for one message.
#[derive(Clone, Debug, Default)]
pub struct Takings {
    /// When, milliseconds since 1970, in order.
    pub at_ms: Vec<u64>,
}

#[derive(Deserialize)]
struct Line {
    at_ms: u64,
    to: String,
}

/// What was taken, by the number of the message. A line that a kill cut short is left out: it was
/// not answered.
pub fn read(path: &Path) -> HashMap<u32, Takings> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut takings: HashMap<u32, Takings> = HashMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
        let Some(number) = number_of(&line.to) else { continue };
        takings.entry(number).or_default().at_ms.push(line.at_ms);
    }
    takings
}
