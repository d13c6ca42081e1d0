//! What ends a command that cannot be done: one clear line, and what caused it below.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use crate::config::SettingsError;

/// Causes shown below a fault; a longer chain would be a loop.
const CAUSES_MAX: usize = 10;

/// Why a command ended without its result.
#[derive(Debug)]
pub(super) struct Failure {
    error: Box<dyn StdError + Send + Sync>,
    code: u8,
}

impl Failure {
    /// It was tried and failed: exit code 1.
    pub(super) fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { error: error.into(), code: 1 }
    }

    /// It was not tried, since what was asked for makes no sense: exit code 2.
    pub(super) fn usage(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { error: error.into(), code: 2 }
    }

    /// Prints it and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        // If nobody listens there is still the exit code.
        let _ = std::io::stderr().write_all(self.text().as_bytes());
        ExitCode::from(self.code)
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.error);
        let mut said = self.error.to_string();
        let mut cause = self.error.source();
        for _ in 0..CAUSES_MAX {
            let Some(error) = cause else { break };
            let line = error.to_string();
            // Transparent errors and drivers repeat what was said one level up.
            if !said.contains(&line) {
                let _ = writeln!(text, "  because: {line}");
                said = line;
            }
            cause = error.source();
        }
        text
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::StartError;

    #[test]
    fn a_fault_is_one_line_with_its_causes_below_each_said_once() {
        let failure = Failure::new(StartError::DataDir {
            path: "/nowhere".into(),
            source: std::io::Error::other("read-only file system"),
        });
        assert_eq!(
            failure.text(),
            "error: cannot use /nowhere: choose another place with --data-dir\n  \
             because: read-only file system\n"
        );
    }
}
