//! The flags of every command that uses the store.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Overrides, Settings, SettingsError};

/// Where the settings and the store are.
#[derive(Args, Clone, Debug)]
pub(super) struct StoreArgs {
    /// A file of settings; see `config/default.toml` for all of them
    #[arg(long, value_name = "FILE", env = "HELIOGRAPH_CONFIG")]
    config: Option<PathBuf>,
    /// Where SQLite's file and the generated keys live
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// sqlite:<path> or postgres://user@host/database. A password is better given by the
    /// environment (HELIOGRAPH__STORE__DATABASE_URL or …_FILE): other users see the command line
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl StoreArgs {
    /// The settings, with these flags over them.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn settings(&self) -> Result<Settings, SettingsError> {
        self.settings_with(Overrides::default())
    }

    /// The same with the flags of a command too.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn settings_with(&self, more: Overrides) -> Result<Settings, SettingsError> {
        let overrides = Overrides {
            data_dir: self.data_dir.clone(),
            database_url: self.database_url.clone(),
            ..more
        };
        Settings::load(self.config.as_deref(), &overrides)
    }
}
