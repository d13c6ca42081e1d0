//! The campaign of the demo: one of two texts to each imported contact, followed live. Some of the
//! phones answer, some of those want no more, and some follow the link in it; in the end the API has
//! to say what the phones did.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::audience::{self, text};
use super::clicks::{Clickers, Clicks};
use super::client::{Client, ClientError};
use super::setup::{SYSTEM_ID, Stage};
use super::show::Show;
use super::stream::Stream;
use crate::carriers::smsc::PhoneMessage;
use crate::cli::failure::Failure;
use crate::types::sms_text::NationalLanguages;

/// What the phones write: the first is thanks, the second an opt-out.
const REPLIES: [&str; 2] = ["Thank you!", "STOP"];
/// Of so many phones one says thanks, and of five times as many one wants no more.
const REPLY_EVERY: u32 = 40;
/// Between two looks for what the phones wrote last.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

const CREATE: &str = "mutation Create($input: CreateCampaignInput!) { createCampaign(input: $input) \
    { campaign { id } userErrors { code message } } }";
const START: &str = "mutation Start($id: ID!) { startCampaign(input: {campaignId: $id}) \
    { campaign { id } userErrors { code message } } }";
const FIGURES: &str = "query Figures($id: ID!) { campaign(id: $id) { status totals { recipients \
    accepted suppressed refused queued sent delivered undelivered expired rejected failed canceled \
    unknown cost { amount } } engagement { clicks uniqueClicks } \
    variants { name totals { delivered } engagement { uniqueClicks } } } inboundMessages(first: 0) { totalCount } \
    suppressions(first: 0) { totalCount } }";

#[derive(Deserialize)]
struct Delivered {
    #[serde(rename = "messageEvents")]
    event: DeliveredEvent,
}

#[derive(Deserialize)]
struct DeliveredEvent {
    message: Option<Recipient>,
}

#[derive(Deserialize)]
struct Recipient {
    to: String,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "campaignProgress")]
    progress: Progress,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    campaign: Status,
    totals: Option<Totals>,
    rate_per_s: Option<f64>,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

/// How many of the campaign's messages stand where.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) recipients: u32,
    accepted: u32,
    suppressed: u32,
    refused: u32,
    queued: u32,
    sent: u32,
    delivered: u32,
    undelivered: u32,
    expired: u32,
    rejected: u32,
    failed: u32,
    canceled: u32,
    unknown: u32,
}

impl Totals {
    /// Messages that have come to their end.
    fn settled(&self) -> u32 {
        let Self { delivered, undelivered, expired, rejected, failed, canceled, unknown, .. } =
            self;
        delivered + undelivered + expired + rejected + failed + canceled + unknown
    }

    /// What there is of each status that has any.
    pub(super) fn shown(&self) -> String {
        let counts = [
            (self.queued, "queued"),
            (self.sent, "sent"),
            (self.delivered, "delivered"),
            (self.undelivered, "undelivered"),
            (self.expired, "expired"),
            (self.rejected, "rejected"),
            (self.failed, "failed"),
            (self.canceled, "canceled"),
            (self.unknown, "unknown"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        counts.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(" · ")
    }
}

/// What the campaign came to, by the API and by the phones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) totals: Totals,
    /// What the campaign's messages cost.
    pub(super) cost: String,
    /// Messages from phones that the API knows of.
    pub(super) replies: u32,
    /// Numbers that the API writes to no more.
    pub(super) opt_outs: u32,
    /// Clicks that the API knows of.
    pub(super) clicks: Clicks,
    /// What each text came to.
    pub(super) variants: Vec<Variant>,
    wrote: Wrote,
    clicked: Clicks,
}

/// What one of the campaign's texts came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) delivered: u32,
    /// Phones on which its link was followed.
    pub(super) clicked: u32,
}

/// What the phones wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wrote {
    /// Phones that the campaign's text is on.
    delivered: u32,
    replies: u32,
    opt_outs: u32,
}

impl Outcome {
    /// Whether every contact's message came to its end, and the API says what the phones did.
    pub(super) fn adds_up(&self) -> bool {
        let Self { totals, wrote, clicks, clicked, variants, .. } = self;
        let of_variants = |count: fn(&Variant) -> u32| variants.iter().map(count).sum::<u32>();
        totals.settled() == totals.recipients
            && totals.accepted == totals.recipients
            && totals.suppressed + totals.refused == 0
            && Wrote { delivered: totals.delivered, replies: self.replies, opt_outs: self.opt_outs }
                == *wrote
            && clicks == clicked
            && of_variants(|it| it.delivered) == totals.delivered
            && of_variants(|it| it.clicked) == clicks.phones
    }
}

impl Wrote {
    /// What the next phone that the text is on writes, if anything.
    fn next(&mut self) -> Option<&'static str> {
        let [thanks, stop] = REPLIES;
        self.delivered += 1;
        let wants_no_more = self.delivered % (5 * REPLY_EVERY) == REPLY_EVERY / 2;
        let replies = wants_no_more || self.delivered.is_multiple_of(REPLY_EVERY);
        self.replies += u32::from(replies);
        self.opt_outs += u32::from(wants_no_more);
        replies.then_some(if wants_no_more { stop } else { thanks })
    }
}

/// Plays it, with so many contacts.
///
/// # Errors
/// If a call is refused, or nothing comes of one.
pub(super) async fn play(stage: &Stage, contacts: u32, show: &Show) -> Result<Outcome, Failure> {
    let client = Client::new(&stage.url, &stage.live_key).map_err(Failure::new)?;
    let list = audience::import(&client, stage.account_number, contacts, show).await?;
    let id = create(stage, &client, &list).await?;
    show.line("writing to all of them; some phones answer:");
    let progress = format!(
        "subscription Progress {{ campaignProgress(campaignId: \"{id}\") {{ campaign {{ status }} \
         ratePerS totals {{ recipients accepted suppressed refused queued sent delivered \
         undelivered expired rejected failed canceled unknown }} }} }}"
    );
    let delivered = format!(
        "subscription Delivered {{ messageEvents(filter: {{campaignId: \"{id}\", statuses: \
         [DELIVERED]}}) {{ ... on MessageStatusChanged {{ message {{ to }} }} }} }}"
    );
    let mut progress = Stream::open(&client, &progress).await.map_err(Failure::new)?;
    let mut delivered = Stream::open(&client, &delivered).await.map_err(Failure::new)?;
    let started = client.call(START, json!({ "id": id })).await.map_err(Failure::new)?;
    text(&started["startCampaign"], &["campaign", "id"])?;
    let (mut wrote, mut clickers) = (Wrote::default(), Clickers::default());
    let mut last = None;
    while !last.as_ref().is_some_and(|last| is_over(last, wrote)) {
        let step = async {
            tokio::select! {
                told = progress.next::<Told>() => {
                    last = told?.into_iter().next_back().map(|told| told.progress);
                    last.iter().for_each(|progress| show.line(&shown(progress)));
                }
                phones = delivered.next::<Delivered>() => {
                    for phone in phones?.into_iter().filter_map(|phone| phone.event.message) {
                        reply(stage, &phone.to, wrote.next())?;
                        clickers.take(wrote.delivered, &phone.to);
                    }
                }
            }
            Ok::<_, ClientError>(())
        };
        match timeout(PATIENCE, step).await {
            Ok(step) => step.map_err(Failure::new)?,
            // What is still missing does not come: the figures say what.
            Err(_) => break,
        }
    }
    let clicked = clickers.follow(stage.smsc.shown()).await?;
    figures(&client, &id, (wrote, clicked)).await
}

async fn create(stage: &Stage, client: &Client, list: &str) -> Result<String, Failure> {
    let input = json!({
        "name": "Demo",
        "sender": stage.reply_number,
        // An offer would wait for the morning where it is night.
        "class": "TRANSACTIONAL",
        "variants": [
            { "name": "polite", "text": "Hello {{name|there}}, your order is on its way: \
                {{link https://shop.example/orders}} Reply STOP to hear no more." },
            { "name": "brief", "text": "Your order is on its way: \
                {{link https://shop.example/orders}} Reply STOP to hear no more." },
        ],
        "audience": { "listIds": [list] },
    });
    let created = client.call(CREATE, json!({ "input": input })).await.map_err(Failure::new)?;
    text(&created["createCampaign"], &["campaign", "id"])
}

/// Every message has come to its end, and every phone that shows one has had its say.
fn is_over(progress: &Progress, wrote: Wrote) -> bool {
    let Some(totals) = &progress.totals else { return false };
    let is_over = !["DRAFT", "SCHEDULED", "RUNNING"].contains(&progress.campaign.status.as_str());
    is_over && totals.settled() >= totals.accepted && wrote.delivered >= totals.delivered
}

fn shown(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if let Some(totals) = &progress.totals {
        parts.push(format!("{} of {} made", totals.accepted, totals.recipients));
        parts.push(totals.shown());
    }
    let rate = progress.rate_per_s.filter(|rate| *rate > 0.0);
    parts.extend(rate.map(|rate| format!("{rate:.0}/s")));
    parts.retain(|part| !part.is_empty());
    format!("  {} {}", progress.campaign.status, parts.join(" · "))
}

/// The phone writes back.
fn reply(stage: &Stage, phone: &str, text: Option<&str>) -> Result<(), ClientError> {
    let Some(text) = text else { return Ok(()) };
    let (from, to) = (phone.trim_start_matches('+'), stage.reply_number.trim_start_matches('+'));
    let national_languages = NationalLanguages::NONE;
    let message = PhoneMessage { from, to, text, national_languages };
    let sent = stage.smsc.send_inbound(SYSTEM_ID, message);
    sent.map_err(|error| ClientError::Refused(error.to_string()))
}

/// What the API says in the end: what the phones wrote last may still be on its way to it.
async fn figures(client: &Client, id: &str, did: (Wrote, Clicks)) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let looking = async {
        while outcome == Outcome::default() || !outcome.adds_up() {
            let data = client.call(FIGURES, json!({ "id": id })).await?;
            outcome = read(&data, did)?;
            if !outcome.adds_up() {
                sleep(LOOK_INTERVAL).await;
            }
        }
        Ok::<_, ClientError>(())
    };
    // What is wrong then is shown.
    if let Ok(looked) = timeout(PATIENCE, looking).await {
        looked.map_err(Failure::new)?;
    }
    Ok(outcome)
}

fn read(data: &Value, (wrote, clicked): (Wrote, Clicks)) -> Result<Outcome, ClientError> {
    let unreadable = || ClientError::Refused(format!("{data} are no figures"));
    let totals = &data["campaign"]["totals"];
    let number = |count: &Value| {
        count.as_u64().and_then(|count| u32::try_from(count).ok()).ok_or_else(unreadable)
    };
    let count = |list: &str| number(&data[list]["totalCount"]);
    let engagement = &data["campaign"]["engagement"];
    let clicks = Clicks {
        clicks: number(&engagement["clicks"])?,
        phones: number(&engagement["uniqueClicks"])?,
    };
    let variants = data["campaign"]["variants"].as_array().ok_or_else(unreadable)?;
    let variant = |it: &Value| {
        let name = it["name"].as_str().ok_or_else(unreadable)?.to_owned();
        let delivered = number(&it["totals"]["delivered"])?;
        Ok(Variant { name, delivered, clicked: number(&it["engagement"]["uniqueClicks"])? })
    };
    let variants = variants.iter().map(variant).collect::<Result<_, ClientError>>()?;
    Ok(Outcome {
        totals: Totals::deserialize(totals).map_err(|_| unreadable())?,
        cost: totals["cost"]["amount"].as_str().ok_or_else(unreadable)?.to_owned(),
        replies: count("inboundMessages")?,
        opt_outs: count("suppressions")?,
        clicks,
        variants,
        wrote,
        clicked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_forty_says_thanks_and_one_in_two_hundred_stop() {
        let mut wrote = Wrote::default();
        let said: Vec<_> = (0..1_000).filter_map(|_| wrote.next()).collect();
        assert_eq!(wrote, Wrote { delivered: 1_000, replies: 30, opt_outs: 5 });
        assert_eq!(said.iter().filter(|text| **text == "STOP").count(), 5);
        assert_eq!(said.len(), 30);
    }

    fn none() -> Totals {
        Totals::default()
    }

    #[test]
    fn an_answer_that_the_api_does_not_know_of_does_not_add_up() {
        let totals = Totals { recipients: 3, accepted: 3, delivered: 2, undelivered: 1, ..none() };
        let wrote = Wrote { delivered: 2, replies: 1, opt_outs: 0 };
        let (cost, clicks) = ("0.03".to_owned(), Clicks { clicks: 2, phones: 1 });
        let variant = |delivered, clicked| Variant { name: String::new(), delivered, clicked };
        let variants = vec![variant(1, 1), variant(1, 0)];
        let clicked = clicks;
        let good =
            Outcome { totals, cost, replies: 1, opt_outs: 0, clicks, variants, wrote, clicked };
        assert!(good.adds_up());
        for variants in [vec![variant(2, 0)], vec![variant(1, 1)]] {
            assert!(!Outcome { variants, ..good.clone() }.adds_up());
        }
        assert!(!Outcome { replies: 0, ..good.clone() }.adds_up());
        assert!(!Outcome { opt_outs: 1, ..good.clone() }.adds_up());
        let clicks = Clicks { clicks: 1, phones: 1 };
        assert!(!Outcome { clicks, ..good.clone() }.adds_up());
        let totals = Totals { undelivered: 0, unknown: 0, sent: 1, ..good.totals.clone() };
        assert!(!Outcome { totals, ..good }.adds_up(), "one is on its way");
    }
}
