//! Phones of the demo that follow the link in their text, as it came to them: over HTTP, like a
//! browser.

use std::collections::HashMap;

use reqwest::StatusCode;
use reqwest::redirect::Policy;

use crate::carriers::smsc::ShownMessage;
use crate::cli::failure::Failure;

/// Of so many phones one follows the link, and of five times as many one does so twice.
const CLICK_EVERY: u32 = 20;
/// What a path to a short link has.
const LINK_MARK: &str = "/l/";
/// A browser of a phone.
const BROWSER: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/137.0.0.0 Mobile Safari/537.36";

/// Phones that follow the link, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Clickers(Vec<(String, u32)>);

/// What phones did with the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clicks {
    pub(super) clicks: u32,
    /// Phones that did it.
    pub(super) phones: u32,
}

impl Clickers {
    /// Takes in the `n`-th phone that the text is on, if that one follows links.
    pub(super) fn take(&mut self, n: u32, phone: &str) {
        if n % CLICK_EVERY == CLICK_EVERY / 2 {
            let is_keen = n % (5 * CLICK_EVERY) == CLICK_EVERY / 2;
            self.0.push((phone.trim_start_matches('+').to_owned(), if is_keen { 2 } else { 1 }));
        }
    }

    /// Follows the links in what the phones show. Each is answered before the next is followed.
    ///
    /// # Errors
    /// If a phone shows no link, or one does not lead on.
    pub(super) async fn follow(&self, shown: Vec<ShownMessage>) -> Result<Clicks, Failure> {
        let browser = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .user_agent(BROWSER)
            .build()
            .map_err(Failure::new)?;
        let links: HashMap<String, String> = shown
            .into_iter()
            .filter_map(|message| Some((message.to, link(&message.text)?)))
            .collect();
        let mut clicks = Clicks::default();
        for (phone, times) in &self.0 {
            let link = links.get(phone).ok_or_else(|| Failure::new("a phone shows no link"))?;
            for _ in 0..*times {
                let answer = browser.get(link).send().await.map_err(Failure::new)?;
                if answer.status() != StatusCode::FOUND {
                    let status = answer.status();
                    return Err(Failure::new(format!("a link is answered with {status}")));
                }
            }
            clicks.clicks += times;
            clicks.phones += 1;
        }
        Ok(clicks)
    }
}

fn link(text: &str) -> Option<String> {
    text.split_whitespace().find(|word| word.contains(LINK_MARK)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_twenty_follows_the_link_and_one_in_a_hundred_twice() {
        let mut clickers = Clickers::default();
        (1..=1_000).for_each(|n| clickers.take(n, "+4915100000000"));
        let times: Vec<u32> = clickers.0.iter().map(|(_, times)| *times).collect();
        assert_eq!((times.len(), times.iter().sum::<u32>()), (50, 60));
        assert_eq!(clickers.0[0].0, "4915100000000");
    }
}
