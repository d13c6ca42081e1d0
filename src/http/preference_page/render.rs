//! The preference page as HTML: no scripts, one style sheet, which the policy names by its hash.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::PreferencePage;
use super::texts::Texts;

/// Readable at 320 px, in the reader's own colors; targets are at least 44 px high (WCAG 2.2, 2.5.5).
const STYLE: &str = "\
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}\
body{margin:0}main{max-width:34rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}\
h1{font-size:1.5rem;line-height:1.25}fieldset{border:1px solid;border-radius:.5rem;margin:0 0 1rem;padding:.5rem 1rem}\
label{display:flex;gap:.75rem;align-items:center;min-height:2.75rem}\
input{width:1.5rem;height:1.5rem;flex:none}\
button{font:inherit;min-height:2.75rem;width:100%;border:1px solid;border-radius:.5rem;margin:0 0 1rem;padding:.5rem 1rem;cursor:pointer}\
.done{border:2px solid;border-radius:.5rem;padding:.5rem 1rem}";

/// What a browser may do with the page: show it with this style, and send its form back here.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// The page.
pub(super) fn page(texts: &Texts, page: &PreferencePage, is_done: bool) -> String {
    let account = escaped(&page.account_name);
    let mut body = format!("<h1>{}</h1>", texts.heading.replace("{account}", &account));
    if is_done {
        let _ = write!(body, "<p class=\"done\" role=\"status\">{}</p>", texts.done);
    }
    let _ =
        write!(body, "<p>{}</p>", texts.number.replace("{digits}", &escaped(&page.last_digits)));
    if page.is_unsubscribed {
        let nothing = texts.is_unsubscribed.replace("{account}", &account);
        let _ = write!(body, "<p>{nothing}</p>");
        if page.may_resume {
            body.push_str(&button("resume", texts.resume));
        }
    } else {
        body.push_str(&choices(texts, page));
        body.push_str(&button("unsubscribe", texts.unsubscribe));
    }
    document(texts, &texts.heading.replace("{account}", &account), &body)
}

fn choices(texts: &Texts, page: &PreferencePage) -> String {
    if page.choices.is_empty() {
        return String::new();
    }
    let mut form = format!("<form method=\"post\"><fieldset><legend>{}</legend>", texts.choose);
    for choice in &page.choices {
        let (key, name) = (escaped(&choice.key), escaped(&choice.name));
        let label = match choice.is_sender {
            true => texts.sender.replace("{sender}", &name),
            false => name,
        };
        let checked = if choice.is_wanted { " checked" } else { "" };
        let _ = write!(
            form,
            "<input type=\"hidden\" name=\"shown\" value=\"{key}\"><label><input \
             type=\"checkbox\" name=\"wanted\" value=\"{key}\"{checked}><span>{label}</span></label>"
        );
    }
    let _ = write!(
        form,
        "</fieldset><button name=\"action\" value=\"save\">{}</button></form>",
        texts.save
    );
    form
}

fn button(action: &str, text: &str) -> String {
    format!(
        "<form method=\"post\"><button name=\"action\" value=\"{action}\">{text}</button></form>"
    )
}

/// A page that says one thing.
pub(super) fn notice(texts: &Texts, text: &str) -> String {
    document(texts, text, &format!("<h1>{text}</h1>"))
}

fn document(texts: &Texts, title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" \
         content=\"noindex, nofollow\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>",
        texts.language,
    )
}

/// A text that stands for itself in HTML, also in quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::PreferenceChoice;
    use super::*;
    use http::HeaderMap;

    #[test]
    fn what_others_named_is_text() {
        let nasty = "</title><script>\"'&";
        let shown = PreferencePage {
            account_name: nasty.to_owned(),
            last_digits: "34".to_owned(),
            is_unsubscribed: false,
            may_resume: false,
            choices: vec![PreferenceChoice {
                key: nasty.to_owned(),
                name: nasty.to_owned(),
                is_sender: true,
                is_wanted: true,
            }],
        };
        let html = page(Texts::accepted(&HeaderMap::new()), &shown, true);
        assert!(!html.contains("<script") && !html.contains(nasty), "{html}");
        assert_eq!(
            html.matches("&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;").count(),
            5,
            "{html}"
        );
    }
}
