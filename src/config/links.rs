//! Settings of short links.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::types::host::without_port;

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
    /// Address and port of the DNS server that domains are looked up at; empty: the system's.
    pub dns_server: String,
}

impl Links {
    /// What is wrong with them.
    pub(super) fn faults(&self) -> Vec<String> {
        let has_server = self.dns_server.is_empty() || self.resolver().is_some();
        let dns_fault = "links.dns_server must be an address and a port, as 192.0.2.53:53";
        self.base_fault().into_iter().chain((!has_server).then(|| dns_fault.to_owned())).collect()
    }

    /// The DNS server that domains are looked up at; none: those that the system names.
    pub fn resolver(&self) -> Option<SocketAddr> {
        self.dns_server.parse().ok()
    }

    fn base_fault(&self) -> Option<String> {
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

    /// Hosts of the installation itself: those of its public address and of its short links.
    pub fn own_hosts(&self) -> [String; 2] {
        [self.public_url(), self.short_link_base()].map(|url| {
            let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            without_port(authority.split('/').next().unwrap_or_default())
        })
    }
}
