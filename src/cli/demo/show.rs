//! What the demo puts on the screen: a moving bar in a terminal, plain lines otherwise.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::campaign::{Outcome, Variant};
use super::money::Account;
use super::setup::{SENDER, Stage};
use super::tally::Tally;
use super::watch::Change;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_millis(500);
/// The first messages are shown one by one, so that one sees what an event says.
const SHOWN_ONE_BY_ONE: usize = 3;

/// The screen.
pub(super) struct Show {
    /// `None` where nobody watches it move.
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
    one_by_one: Cell<usize>,
}

impl Show {
    /// For this many messages.
    pub(super) fn on_screen(messages: u32) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(messages.into()),
                indicatif::ProgressDrawTarget::stdout(),
            );
            let template = "  {bar:32} {pos}/{len} {elapsed} {msg}";
            let style =
                ProgressStyle::with_template(template).expect("the template is well-formed");
            bar.set_style(style);
            bar
        });
        Self { bar, last_line: Cell::new(Instant::now()), one_by_one: Cell::default() }
    }

    /// A line of its own, above the bar.
    pub(super) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    pub(super) fn ready(&self, stage: &Stage, after: Duration) {
        self.line(&format!(
            "heliograph is ready at {} after {:.2} s, bound over SMPP to a simulated SMSC at {}",
            stage.url,
            after.as_secs_f64(),
            stage.smsc.local_addr(),
        ));
        self.line("sending over GraphQL, watching over server-sent events:");
    }

    /// One event, if it is among the first.
    pub(super) fn change(&self, change: &Change, tally: &Tally) {
        let shown = self.one_by_one.get();
        if shown < SHOWN_ONE_BY_ONE && change.is_final() {
            self.one_by_one.set(shown + 1);
            let position = tally.settled() + 1;
            self.line(&format!("  {} {} (the {}.)", change.message_id, change.status, position));
        }
    }

    /// Where all stand, now and then.
    pub(super) fn progress(&self, tally: &Tally) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(tally.settled() as u64);
                bar.set_message(statuses(tally));
            }
            None if self.last_line.get().elapsed() >= LINE_EVERY => {
                self.last_line.set(Instant::now());
                self.plain_line(tally);
            }
            None => {}
        }
    }

    /// Where all stood in the end.
    pub(super) fn end_of_progress(&self, tally: &Tally) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(tally.settled() as u64);
                bar.abandon_with_message(statuses(tally));
            }
            None => self.plain_line(tally),
        }
    }

    fn plain_line(&self, tally: &Tally) {
        println!("  {}/{} {}", tally.settled(), tally.messages(), statuses(tally));
    }

    /// Rates and times.
    pub(super) fn summary(&self, tally: &Tally) {
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}/s"));
        println!();
        println!("  accepted   {} messages, {}", tally.messages(), rate(tally.accepted_per_s()));
        println!("  final      {} messages, {}", tally.settled(), rate(tally.settled_per_s()));
        let times = tally.accepted_to_settled();
        let at = |share| {
            let time = times.percentile(share);
            time.map_or_else(|| "-".to_owned(), |time| format!("{} ms", time.as_millis()))
        };
        println!(
            "  accepted → final: p50 {}, p95 {}, p99 {} (the simulated phone takes 250 ms of it)",
            at(0.50),
            at(0.95),
            at(0.99)
        );
        for (fault, count) in tally.faults() {
            println!("  {count} × {fault}");
        }
        if tally.settled() < tally.messages() {
            println!(
                "  {} messages have not come to their end",
                tally.messages() - tally.settled()
            );
        }
    }

    /// What the balance was, what moved it, and what it is.
    pub(super) fn account(&self, account: &Account, currency: &str) {
        let Account { before, messages, top_up, invoice, after } = account;
        println!();
        println!(
            "  balance    {before} before - {messages} for messages + {top_up} paid - {invoice} \
             invoiced"
        );
        if account.adds_up() {
            println!("             = {after} {currency}, as it has to be");
        } else {
            println!("             but the account has {after} {currency}");
        }
    }

    /// What became of the campaign.
    pub(super) fn campaign(&self, outcome: &Outcome, currency: &str) {
        let Outcome { totals, cost, replies, opt_outs, clicks, variants, .. } = outcome;
        println!();
        println!("  campaign   {} contacts: {}", totals.recipients, totals.shown());
        println!("             {cost} {currency}, replies: {replies}, opt-outs: {opt_outs}");
        println!("             clicks: {} by {} phones", clicks.clicks, clicks.phones);
        for Variant { name, delivered, clicked } in variants {
            println!("             text \"{name}\": {delivered} delivered, {clicked} clicked");
        }
        if !outcome.adds_up() {
            println!("             but that is not what the phones got and did");
        }
    }

    /// How to go on by hand.
    pub(super) fn invitation(&self, stage: &Stage) {
        let Stage { url, live_key, test_key, account_id, data_dir, .. } = stage;
        let Stage { owner_email, owner_password, .. } = stage;
        println!("\nThe server goes on running until Ctrl-C.\n");
        println!("  explorer    {url}/graphiql (in a browser)");
        println!("  account     {account_id}");
        println!("  live key    {live_key}");
        println!("  test key    {test_key}");
        println!("  owner       {owner_email}, password {owner_password}");
        println!("  Stripe      {} (played here)", stage.stripe.url);
        println!("  SMSC        {} (SMPP 3.4)", stage.smsc.local_addr());
        println!("  data        {data_dir}");
        println!("\nSend one more:\n\n{}", curl(stage));
    }
}

fn statuses(tally: &Tally) -> String {
    let counts = tally.by_status();
    let counts = counts.iter().map(|(status, count)| format!("{count} {}", status.to_lowercase()));
    counts.collect::<Vec<_>>().join(" · ")
}

/// A call to paste into a shell: one message, sent again only under another key.
fn curl(stage: &Stage) -> String {
    let query = format!(
        "mutation {{ sendMessages(input: {{idempotencyKey: \\\"by hand 1\\\", messages: [{{to: \
         \\\"+4915123456789\\\", from: \\\"{SENDER}\\\", text: \\\"Hello\\\"}}]}}) {{ results {{ \
         message {{ id status }} error {{ code message }} }} userErrors {{ code message }} }} }}"
    );
    format!(
        "curl {url}/graphql -H 'Authorization: Bearer {key}' \\\n  \
         -H 'Content-Type: application/json' \\\n  --data '{{\"query\": \"{query}\"}}'\n",
        url = stage.url,
        key = stage.live_key,
    )
}
