//! What links may lead to. Pure.

use reqwest::Url;

/// Characters of an address.
pub const URL_CHARS_MAX: usize = 2_000;

/// Whether messages may lead to an address: one of the web, whole, with a host and without a name or
/// password in it, in visible ASCII characters as it goes over the wire (RFC 3986).
pub fn is_target(text: &str) -> bool {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() > URL_CHARS_MAX || !is_visible || text.contains(['\\', '{', '}']) {
        return false;
    }
    let Ok(url) = Url::parse(text) else { return false };
    let is_web = matches!(url.scheme(), "http" | "https");
    let has_user = !url.username().is_empty() || url.password().is_some();
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    is_web && url.has_host() && !has_user && !authority.is_empty() && !authority.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_of_the_web_are_targets() {
        for text in [
            "https://shop.example/sale?a=1&b=2#top",
            "http://shop.example",
            "https://xn--bcher-kva.example:8443/",
            "https://[2001:db8::1]/x",
            "https://shop.example/@name",
        ] {
            assert!(is_target(text), "{text}");
        }
        let long = format!("https://shop.example/{}", "a".repeat(URL_CHARS_MAX));
        for text in [
            "",
            "shop.example/sale",
            "//shop.example",
            "https:shop.example",
            "https:///shop.example",
            "https://",
            "ftp://shop.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://user@shop.example",
            "https://user:secret@shop.example",
            "https://@shop.example",
            "https://shop.example\\@evil.example",
            "https://shop.example/a b",
            "https://shop.example/\u{e9}",
            "https://shop.example/\r\nSet-Cookie: a=b",
            "https://shop.example/{name}",
            long.as_str(),
        ] {
            assert!(!is_target(text), "{text}");
        }
    }
}
