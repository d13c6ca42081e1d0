//! Settings of short links.

use serde::{Deserialize, Serialize};

use super::Settings;

/// Characters of an address that stands in every short link.
const BASE_CHARS_MAX: usize = 60;

/// Short links.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// The address before the last part of a link; empty: `/l` at the public address.
    pub base_url: String,
    /// Seconds.
    pub click_retention_s: i64,
}

impl Links {
    /// What is wrong with them.
    pub(super) fn fault(&self) -> Option<String> {
        let base = &self.base_url;
        let is_web = base.starts_with("https://") || base.starts_with("http://");
        let is_plain =
            base.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte));
        let fits = is_web && is_plain && base.len() <= BASE_CHARS_MAX;
        (!base.is_empty() && !fits).then(|| {
            format!(
                "links.base_url must begin with https:// or http:// and have at most \
                 {BASE_CHARS_MAX} characters, none of them a blank, ?, # or @"
            )
        })
    }
}

impl Settings {
    /// What short links begin with, without a slash at its end.
    pub fn short_link_base(&self) -> String {
        if self.links.base_url.is_empty() {
            format!("{}/l", self.public_url())
        } else {
            self.links.base_url.trim_end_matches('/').to_owned()
        }
    }
}
