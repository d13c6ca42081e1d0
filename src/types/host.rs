//! Hosts of the web, by name. Pure.

use std::fmt;

use reqwest::Url;

/// Characters of a host: each counts in every message.
pub const HOST_CHARS_MAX: usize = 60;
/// The longest input that is looked at, in bytes: a name has at most 253 (RFC 1035, 2.3.4).
const INPUT_BYTES_MAX: usize = 253;

/// A host by its name, as the DNS has it: at least two labels of lower-case letters, digits and
/// hyphens (RFC 1123, 2.1), those of other scripts as A-labels (RFC 5890). No address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// The host that a person wrote, without anything around it; none if it is none, or longer than
    /// [`HOST_CHARS_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text);
        // What else an address consists of: the parser would drop some of it in silence.
        let is_more = |c: char| c.is_whitespace() || c.is_control() || "/:?#@\\%[]".contains(c);
        if text.len() > INPUT_BYTES_MAX || text.contains(is_more) {
            return None;
        }
        let url = Url::parse(&format!("https://{text}/")).ok()?;
        let name = url.domain()?;
        let fits = name.len() <= HOST_CHARS_MAX && name.contains('.');
        (fits && name.split('.').all(is_label)).then(|| Self(name.to_owned()))
    }

    /// As the DNS has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(is_plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The host in `host` or `host:port`, in lower case and without the dot that may end it. Whatever
/// stands there: it is compared with what was parsed.
pub fn without_port(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_as_in_the_dns() {
        for (text, host) in [
            ("go.shop.example", "go.shop.example"),
            (" GO.Shop.Example. ", "go.shop.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("\u{ff47}o.example", "go.example"),
            ("a.b", "a.b"),
            ("1.2.3.4.example", "1.2.3.4.example"),
        ] {
            assert_eq!(Host::parse(text).map(|it| it.0), Some(host.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_or_more_than_one_is_refused() {
        let long = format!("{}.example", "a".repeat(HOST_CHARS_MAX));
        let label = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            ".",
            "example",
            "localhost",
            "go..example",
            ".go.example",
            "go.example..",
            "go.example:443",
            "go.example:8443",
            "go.example/x",
            "https://go.example",
            "//go.example",
            "user@go.example",
            "go.example?x",
            "go.example#x",
            "go.example\\x",
            "go.exam ple",
            "go.exam\tple",
            "go.example\n.evil.example",
            "%67o.example",
            "*.example",
            "g_o.example",
            "-go.example",
            "go-.example",
            "192.0.2.1",
            "192.0.2",
            "0x7f.1",
            "[::1]",
            "::1",
            "xn--a.example",
            "go.\u{0}example",
            long.as_str(),
            label.as_str(),
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
        let longest = format!("{}.example", "a".repeat(HOST_CHARS_MAX - 8));
        assert!(Host::parse(&longest).is_some());
    }

    #[test]
    fn a_port_is_no_part_of_a_host() {
        for (authority, host) in [
            ("go.example", "go.example"),
            ("GO.example.:8443", "go.example"),
            ("go.example:", "go.example"),
            ("[::1]:80", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(without_port(authority), host, "{authority}");
        }
    }
}
