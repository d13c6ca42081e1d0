//! Settings of files of contacts.

use serde::{Deserialize, Serialize};

/// Files of contacts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// Bytes.
    pub import_bytes_max: i64,
    /// Seconds.
    pub import_upload_ttl_s: i64,
    /// Seconds.
    pub import_errors_ttl_s: i64,
    /// Seconds.
    pub export_ttl_s: i64,
}

impl Contacts {
    /// Each setting with the least and the most that it may be.
    pub(super) fn ranges(&self) -> [(&'static str, i64, i64, i64); 4] {
        [
            ("contacts.import_bytes_max", self.import_bytes_max, 1_024, 2_000_000_000),
            ("contacts.import_upload_ttl_s", self.import_upload_ttl_s, 60, 604_800),
            ("contacts.import_errors_ttl_s", self.import_errors_ttl_s, 60, 7_776_000),
            ("contacts.export_ttl_s", self.export_ttl_s, 60, 604_800),
        ]
    }
}
