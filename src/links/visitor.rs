//! Who follows a link, as far as a request shows: a person, or a program that looks before a person
//! does. Pure; nothing of a request but what comes out here is kept.
//!
//! What is checked, in this order: headers by which browsers say that they fetch ahead; agents of
//! messengers that make previews; programs that do not say what they are; and the list of user
//! agents of the crate `isbot`. Gateways that scan links and say that they are a browser cannot be
//! told apart from one.

use std::sync::LazyLock;

use entity::enums::{AgentFamily, ClickKind};
use http::HeaderMap;
use http::header::{HeaderName, USER_AGENT};

/// Octets of a user agent that are looked at: browsers' have some 100 to 300.
const AGENT_BYTES_MAX: usize = 512;

/// Headers by which browsers and messengers say that nobody has asked for a page yet: Chromium
/// (`Purpose`, `Sec-Purpose`), Safari's previews (`X-Purpose`), Firefox (`X-Moz`).
const AHEAD_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-purpose"),
    HeaderName::from_static("x-moz"),
];
const AHEAD_WORDS: [&str; 3] = ["prefetch", "prerender", "preview"];

/// What stands in the agents of those that make previews of links, in lower-case letters. The
/// iPhone's Messages says "facebookexternalhit/1.1 Facebot Twitterbot/1.0" behind the agent of a
/// Safari, and Signal "WhatsApp".
const PREVIEW_MARKS: [&str; 19] = [
    "whatsapp",
    "facebookexternalhit",
    "facebot",
    "twitterbot",
    "slackbot",
    "slack-imgproxy",
    "telegrambot",
    "google-pagerenderer",
    "googlemessages",
    "discordbot",
    "linkedinbot",
    "skypeuripreview",
    "snap url preview",
    "bingpreview",
    "viber",
    "pinterestbot",
    "redditbot",
    "kakaotalk-scrap",
    "embedly",
];

/// What each family's agents have, the more particular one first: nearly all name Safari, and most
/// Chrome.
const FAMILIES: [(&str, AgentFamily); 12] = [
    ("samsungbrowser/", AgentFamily::Samsung),
    ("edg/", AgentFamily::Edge),
    ("edga/", AgentFamily::Edge),
    ("edgios/", AgentFamily::Edge),
    ("opr/", AgentFamily::Opera),
    ("opt/", AgentFamily::Opera),
    ("firefox/", AgentFamily::Firefox),
    ("fxios/", AgentFamily::Firefox),
    ("crios/", AgentFamily::Chrome),
    ("chrome/", AgentFamily::Chrome),
    ("safari/", AgentFamily::Safari),
    // Pages inside of apps on iOS name no browser.
    ("applewebkit/", AgentFamily::Safari),
];

/// Compiled at the first click: some milliseconds.
static BOTS: LazyLock<isbot::Bots> = LazyLock::new(isbot::Bots::default);

/// What a request shows of who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    /// A person unless it is shown to be none.
    pub(super) kind: ClickKind,
    pub(super) agent: AgentFamily,
}

impl Visitor {
    /// By the headers of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).map_or(&b""[..], |value| value.as_bytes());
        let agent = &agent[..agent.len().min(AGENT_BYTES_MAX)];
        let agent = String::from_utf8_lossy(agent).to_ascii_lowercase();
        let kind = if is_ahead(headers) {
            ClickKind::Prefetch
        } else if PREVIEW_MARKS.iter().any(|mark| agent.contains(mark)) {
            ClickKind::Preview
        } else if agent.trim().is_empty() {
            ClickKind::Nameless
        } else if BOTS.is_bot(&agent) {
            ClickKind::Bot
        } else {
            ClickKind::Person
        };
        let named = FAMILIES.iter().find(|(mark, _)| agent.contains(mark));
        Self { kind, agent: named.map_or(AgentFamily::Other, |(_, family)| *family) }
    }
}

fn is_ahead(headers: &HeaderMap) -> bool {
    let values = AHEAD_HEADERS.into_iter().flat_map(|name| headers.get_all(name));
    let mut texts = values.filter_map(|value| value.to_str().ok()).map(str::to_ascii_lowercase);
    texts.any(|text| AHEAD_WORDS.iter().any(|word| text.contains(word)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) \
        AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
    const PIXEL: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
        Chrome/137.0.0.0 Mobile Safari/537.36";

    fn visitor(agent: &str) -> Visitor {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_str(agent).unwrap());
        Visitor::of(&headers)
    }

    #[test]
    fn browsers_of_people_are_told_by_family() {
        use AgentFamily::{Chrome, Edge, Firefox, Opera, Other, Safari, Samsung};
        for (agent, family) in [
            (IPHONE, Safari),
            (PIXEL, Chrome),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                Samsung,
            ),
            ("Mozilla/5.0 (Android 15; Mobile; rv:139.0) Gecko/139.0 Firefox/139.0", Firefox),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) CriOS/137.0.7151.51 Mobile/15E148 Safari/604.1",
                Chrome,
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; HD1913) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/137.0.7151.44 Mobile Safari/537.36 EdgA/136.0.3240.91",
                Edge,
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; VOG-L29) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/137.0.7151.44 Mobile Safari/537.36 OPR/76.2.4027.73374",
                Opera,
            ),
            // Inside of an app, and a phone whose maker is called so.
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/500.0]",
                Safari,
            ),
            (
                "Mozilla/5.0 (Linux; Android 11; CUBOT_P40) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
                Chrome,
            ),
            ("NokiaC1-01/2.0 (05.40) Profile/MIDP-2.1 Configuration/CLDC-1.1", Other),
        ] {
            let person = Visitor { kind: ClickKind::Person, agent: family };
            assert_eq!(visitor(agent), person, "{agent}");
        }
    }

    #[test]
    fn previews_and_programs_are_no_persons() {
        use ClickKind::{Bot, Nameless, Preview};
        for (agent, kind) in [
            ("", Nameless),
            ("  ", Nameless),
            ("WhatsApp/2.23.20.0 A", Preview),
            ("WhatsApp/2", Preview),
            ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", Preview),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like \
                 Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
                Preview,
            ),
            ("Twitterbot/1.0", Preview),
            ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", Preview),
            ("TelegramBot (like TwitterBot)", Preview),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/125.0.0.0 Safari/537.36 Google-PageRenderer \
                 Google (+https://developers.google.com/+/web/snippet/)",
                Preview,
            ),
            ("Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", Preview),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Bot),
            ("curl/8.14.1", Bot),
            ("python-requests/2.32.3", Bot),
            ("Go-http-client/2.0", Bot),
            ("okhttp/4.12.0", Bot),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 HeadlessChrome/137.0.0.0 Safari/537.36",
                Bot,
            ),
        ] {
            assert_eq!(visitor(agent).kind, kind, "{agent}");
        }
        assert_eq!(Visitor::of(&HeaderMap::new()).kind, Nameless);
    }

    #[test]
    fn what_is_fetched_ahead_is_no_click() {
        for (name, value, is_ahead) in [
            ("purpose", "prefetch", true),
            ("purpose", "preview", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("x-purpose", "Preview", true),
            ("x-moz", "prefetch", true),
            ("sec-purpose", "", false),
            ("x-forwarded-for", "prefetch", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, HeaderValue::from_static(PIXEL));
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            let kind = if is_ahead { ClickKind::Prefetch } else { ClickKind::Person };
            assert_eq!(Visitor::of(&headers).kind, kind, "{name}: {value}");
        }
    }

    #[test]
    fn agents_that_are_no_text_or_without_an_end_are_looked_at_as_far_as_it_goes() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_bytes(b"Mozilla/5.0 \xff Chrome/1").unwrap());
        let kind = ClickKind::Person;
        assert_eq!(Visitor::of(&headers), Visitor { kind, agent: AgentFamily::Chrome });
        let long = format!("{}Chrome/1", "x".repeat(AGENT_BYTES_MAX));
        assert_eq!(visitor(&long), Visitor { kind, agent: AgentFamily::Other });
    }
}
