//! `heliograph smsc`: runs the simulated SMSC until it is told to stop. The work is in
//! `carriers::smsc`; here are its flags, its ready line and its live counters.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::carriers::Platform;
use crate::carriers::smsc::config::{
    IdForm, Login, ReceiptForm, ReferenceEcho, Shares, SmscConfig,
};
use crate::carriers::smsc::{Smsc, SmscHandle, Stats};
use crate::sys::{Clock, Randomness};

/// Between two looks at the counters.
const COUNTERS_EVERY: Duration = Duration::from_secs(2);

/// Runs a simulated SMSC (SMPP 3.4 server) for development: it takes messages, sends nothing
/// anywhere, and reports them delivered, or misbehaves as told. Recipients that begin with 999
/// play their script (magic numbers). Shares are from 0 to 1.
#[derive(Args, Clone, Debug)]
pub struct SmscArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:2775", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The only system id that may bind; without it everybody may
    #[arg(long)]
    system_id: Option<String>,
    /// A file with the password of --system-id; without it any password will do
    #[arg(long, requires = "system_id", value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// How long an answer to submit_sm takes
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay_ms: u64,
    /// From the answer to the receipt
    #[arg(long, default_value_t = 0, value_name = "MS")]
    receipt_delay_ms: u64,
    /// Throttle a system id above this many parts a second
    #[arg(long, value_name = "PARTS_PER_S", value_parser = positive)]
    max_rate: Option<f64>,
    /// Unanswered deliver_sm on one connection
    #[arg(long, default_value_t = 100, value_name = "PDUS", value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// Send a receipt again that was not answered within this time
    #[arg(long, default_value_t = 10_000, value_name = "MS")]
    deliver_timeout_ms: u64,
    /// The pause before a refused receipt is sent again
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    redelivery_delay_ms: u64,

    #[command(flatten)]
    trouble: TroubleArgs,

    /// How receipts are written
    #[arg(long, value_enum, default_value_t = ReceiptForm::TextAndTlvs)]
    receipt_form: ReceiptForm,
    /// How message ids are written in answers and receipts
    #[arg(long, value_enum, default_value_t = IdForm::Decimal)]
    id_form: IdForm,
    /// Whether receipts carry the submission's user_message_reference
    #[arg(long, value_enum, default_value_t = ReferenceEcho::Echoed)]
    reference_echo: ReferenceEcho,
    /// Have a phone send a message to each bound system id every so often
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    inbound_every_s: Option<u64>,
    /// Repeat the same decisions for the same traffic
    #[arg(long)]
    seed: Option<u64>,
    /// Append each accepted submission to this file as a line of JSON (numbers, but no text)
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Print the ready line and the final counters as JSON
    #[arg(long)]
    json: bool,
}

/// How to misbehave.
#[derive(Args, Clone, Debug)]
struct TroubleArgs {
    /// Refused with ESME_RSUBMITFAIL
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    error_rate: f64,
    /// Refused with ESME_RTHROTTLED
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    throttle_rate: f64,
    /// The connection is dropped before the answer; every second such message was taken
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    drop_rate: f64,
    /// Drop each connection this long after it was opened
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    drop_every_s: Option<u64>,
    /// Taken, but the answer never comes
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    lose_answer_rate: f64,
    /// Reported UNDELIV
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    undelivered_rate: f64,
    /// Receipt sent twice
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    duplicate_receipt_rate: f64,
    /// Receipt sent before the answer
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    early_receipt_rate: f64,
    /// Receipt later by --late-receipt-ms
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    late_receipt_rate: f64,
    /// How much later a late receipt comes
    #[arg(long, default_value_t = 60_000, value_name = "MS")]
    late_receipt_ms: u64,
    /// An ENROUTE receipt follows the final one
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    reorder_receipt_rate: f64,
    /// No receipt at all
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    missing_receipt_rate: f64,
}

/// Why the simulated SMSC did not run.
#[derive(Debug, thiserror::Error)]
pub enum SmscCommandError {
    /// The password file cannot be read.
    #[error("cannot read the password file {path}")]
    PasswordFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address is taken, or the journal cannot be opened.
    #[error("cannot start on {listen}")]
    Start {
        /// Where it should have listened.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Standard output or the signals do not work.
    #[error("cannot talk to the terminal")]
    Terminal(#[from] io::Error),
}

/// Runs until Ctrl-C or SIGTERM, then closes the connections in good order.
///
/// # Errors
/// If it cannot start or cannot write to standard output.
pub async fn run(args: SmscArgs) -> Result<(), SmscCommandError> {
    let (listen, is_json) = (args.listen, args.json);
    let platform = Platform { clock: Clock::system(), randomness: Randomness::system() };
    let smsc = Smsc::start(args.into_config()?, platform, CancellationToken::new())
        .await
        .map_err(|source| SmscCommandError::Start { listen, source })?;
    let address = smsc.local_addr();
    if is_json {
        print_line(&serde_json::json!({ "event": "ready", "listen": address }).to_string())?;
    } else {
        print_line(&format!("simulated SMSC listens on {address} (SMPP 3.4); Ctrl-C stops it"))?;
    }
    tokio::select! {
        stopped = stop_signal() => stopped?,
        never = show_counters(&smsc) => match never {},
    }
    let stats = smsc.stats();
    smsc.stop().await;
    if is_json {
        print_line(&serde_json::json!({ "event": "stopped", "stats": stats }).to_string())?;
    } else {
        print_line(&format!("stopped: {}", counters(&stats, &stats)))?;
    }
    Ok(())
}

impl SmscArgs {
    fn into_config(self) -> Result<SmscConfig, SmscCommandError> {
        let password = match self.password_file {
            None => None,
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(password) => Some(password.trim_end_matches(['\r', '\n']).to_owned()),
                Err(source) => return Err(SmscCommandError::PasswordFile { path, source }),
            },
        };
        let login = self.system_id.map(|system_id| Login { system_id, password });
        let to_ms = |seconds: u64| seconds.saturating_mul(1_000);
        Ok(SmscConfig {
            listen: self.listen,
            logins: login.into_iter().collect(),
            delay_ms: self.delay_ms,
            receipt_delay_ms: self.receipt_delay_ms,
            parts_per_s_max: self.max_rate,
            drop_every_ms: self.trouble.drop_every_s.map(to_ms),
            inbound_every_ms: self.inbound_every_s.map(to_ms),
            window: self.window.into(),
            deliver_timeout_ms: self.deliver_timeout_ms,
            redelivery_delay_ms: self.redelivery_delay_ms,
            receipt_form: self.receipt_form,
            id_form: self.id_form,
            reference_echo: self.reference_echo,
            shares: self.trouble.into_shares(),
            seed: self.seed,
            first_message_id: None,
            journal_entries_max: 0,
            inbox_messages_max: 0,
            journal_file: self.journal,
        })
    }
}

impl TroubleArgs {
    fn into_shares(self) -> Shares {
        Shares {
            throttled: self.throttle_rate,
            refused: self.error_rate,
            dropped: self.drop_rate,
            answer_lost: self.lose_answer_rate,
            undelivered: self.undelivered_rate,
            receipt_duplicated: self.duplicate_receipt_rate,
            receipt_early: self.early_receipt_rate,
            receipt_late: self.late_receipt_rate,
            receipt_reordered: self.reorder_receipt_rate,
            receipt_missing: self.missing_receipt_rate,
            receipt_late_ms: self.late_receipt_ms,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err("a share is from 0 to 1".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match rate.is_finite() && rate > 0.0 {
        true => Ok(rate),
        false => Err("a rate is above 0".to_owned()),
    }
}

/// Rewrites one line of standard error with the counters, if that is a terminal.
async fn show_counters(smsc: &SmscHandle) -> std::convert::Infallible {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let mut ticks = tokio::time::interval(COUNTERS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = smsc.stats();
    loop {
        ticks.tick().await;
        let now = smsc.stats();
        // Nothing is to be done about a terminal that went away.
        let _ = write!(io::stderr(), "\r\x1b[K{}", counters(&now, &before));
        let _ = io::stderr().flush();
        before = now;
    }
}

/// The counters in one line; the rates are those since `before`.
fn counters(now: &Stats, before: &Stats) -> String {
    let per_s = |now: u64, before: u64| (now - before) / COUNTERS_EVERY.as_secs();
    let mut line = format!(
        "{} bound · {} taken ({}/s) · {} receipts ({}/s) · {} waiting",
        now.bound,
        now.taken,
        per_s(now.taken, before.taken),
        now.delivers_acknowledged,
        per_s(now.delivers_acknowledged, before.delivers_acknowledged),
        now.waiting,
    );
    let troubles = [
        (now.refused, "refused"),
        (now.throttled, "throttled"),
        (now.answers_lost, "answers lost"),
        (now.drops, "drops"),
        (now.delivers_repeated, "receipts repeated"),
    ];
    for (count, what) in troubles.into_iter().filter(|&(count, _)| count > 0) {
        line.push_str(&format!(" · {count} {what}"));
    }
    line
}

fn print_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn stop_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        smsc: SmscArgs,
    }

    fn parse(flags: &str) -> Result<SmscConfig, clap::Error> {
        let words = std::iter::once("smsc").chain(flags.split_whitespace());
        Ok(Program::try_parse_from(words)?.smsc.into_config().unwrap())
    }

    #[test]
    fn without_flags_it_behaves_well_on_the_usual_port() {
        let config = parse("").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:2775");
        let quiet = Shares { receipt_late_ms: 60_000, ..Shares::default() };
        assert_eq!(config.shares, quiet);
        assert!(config.logins.is_empty());
    }

    #[test]
    fn flags_reach_their_settings() {
        let config = parse(
            "--listen 127.0.0.1:0 --delay-ms 40 --error-rate 0.1 --throttle-rate 0.2 \
             --drop-rate 0.3 --drop-every-s 5 --id-form hex-then-decimal --receipt-form tlvs \
             --system-id shop --max-rate 100",
        )
        .unwrap();
        assert_eq!((config.delay_ms, config.drop_every_ms), (40, Some(5_000)));
        let shares = config.shares;
        assert_eq!((shares.refused, shares.throttled, shares.dropped), (0.1, 0.2, 0.3));
        assert_eq!(config.id_form, IdForm::HexThenDecimal);
        assert_eq!(config.receipt_form, ReceiptForm::Tlvs);
        assert_eq!(config.logins[0].system_id, "shop");
        assert_eq!(config.parts_per_s_max, Some(100.0));
    }

    #[test]
    fn nonsense_is_refused() {
        for flags in [
            "--error-rate 1.5",
            "--error-rate -0.1",
            "--error-rate NaN",
            "--max-rate 0",
            "--window 0",
            "--drop-every-s 0",
            "--password-file x",
        ] {
            assert!(parse(flags).is_err(), "{flags}");
        }
    }
}
