//! Settings of quiet hours, and the rules that they name.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::types::quiet_hours as rules;

/// Bytes of a file of rules.
const RULES_FILE_BYTES_MAX: u64 = 10_000_000;

/// When marketing is not sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Local hours for countries without a rule; empty: at any time.
    pub default_hours: Vec<String>,
    /// Rules in place of those that come with the program; empty: those.
    pub rules_path: PathBuf,
    /// What these come to.
    #[serde(skip, default = "built_in")]
    pub rules: Arc<rules::QuietHours>,
}

fn built_in() -> Arc<rules::QuietHours> {
    Arc::new(rules::QuietHours::built_in())
}

impl QuietHours {
    /// Reads the rules. Returns all that is wrong with them, a line each.
    pub(super) fn read(&mut self) -> Vec<String> {
        let rules = match self.file() {
            Ok(rules) => rules,
            Err(faults) => {
                let named = |fault| format!("quiet_hours.rules_path: {fault}");
                return faults.into_iter().map(named).collect();
            }
        };
        match rules.with_default(&self.default_hours) {
            Ok(rules) => self.rules = Arc::new(rules),
            Err(fault) => return vec![format!("quiet_hours.default_hours: {fault}")],
        }
        Vec::new()
    }

    fn file(&self) -> Result<rules::QuietHours, Vec<String>> {
        let path = &self.rules_path;
        if path.as_os_str().is_empty() {
            return Ok(rules::QuietHours::built_in());
        }
        let unreadable = |why: String| vec![format!("cannot read {}: {why}", path.display())];
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > RULES_FILE_BYTES_MAX {
            return Err(unreadable(format!("it has more than {RULES_FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        rules::QuietHours::parse(&text)
    }
}
