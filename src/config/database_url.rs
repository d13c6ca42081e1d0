//! The address of a store.

use std::fmt;
use std::path::Path;

/// The address of a store: `sqlite:<path>` or `postgres://…`. Printing it hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The SQLite file of a data directory.
    pub fn in_directory(directory: &Path) -> Self {
        Self(format!("sqlite:{}", directory.join("heliograph.db").display()))
    }

    /// Reads an address.
    ///
    /// # Errors
    /// [`UnknownScheme`] unless it begins with `sqlite:`, `postgres:` or `postgresql:`.
    pub fn parse(text: &str) -> Result<Self, UnknownScheme> {
        let known = ["sqlite:", "postgres:", "postgresql:"];
        if known.iter().any(|scheme| text.starts_with(scheme)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnknownScheme)
        }
    }

    /// Whether it names a SQLite file.
    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// The text to connect with, password and all.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((before, after)) = self.0.split_once("://") else { return f.write_str(&self.0) };
        let Some((credentials, host)) = after.rsplit_once('@') else { return f.write_str(&self.0) };
        let user = credentials.split(':').next().unwrap_or_default();
        write!(f, "{before}://{user}:…@{host}")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A database URL that is neither SQLite's nor PostgreSQL's.
#[derive(Debug, thiserror::Error)]
#[error("a database URL begins with sqlite: or postgres:")]
pub struct UnknownScheme;
