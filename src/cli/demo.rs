//! `heliograph demo`: the main job, visible. It starts a server and a simulated SMSC, sets up an
//! account, a sender and a carrier as the operator would, sends messages over GraphQL, watches them
//! arrive over server-sent events, tops the account up by Stripe's signed webhooks, has an invoice
//! made out, imports contacts and writes to all of them, some of whom answer, and leaves the server
//! running to play with.
//!
//! Not a way around anything: what is sent goes over HTTP with an API key, over SMPP on TCP, and to
//! a Stripe that this program plays on a port of its own. Nothing leaves the machine.

mod audience;
mod campaign;
mod clicks;
mod client;
mod directory;
mod fake_stripe;
mod money;
mod numbers;
mod setup;
mod show;
mod stream;
mod tally;
mod watch;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, timeout};

use self::campaign::Outcome;
use self::client::Client;
use self::directory::Directory;
use self::money::Account;
use self::setup::Stage;
use self::show::Show;
use self::tally::Tally;
use self::watch::{Change, Watcher};
use super::failure::Failure;
use super::serve::Signals;
use crate::app::{App, AppParts};
use crate::config::{Overrides, Settings};
use crate::ctx::Ctx;
use crate::telemetry::Telemetry;

/// More would take the simulated SMSC minutes: that is a load test (`benches/load`).
const MESSAGES_MAX: u32 = 100_000;
/// The same, for contacts.
const CONTACTS_MAX: u32 = 50_000;
/// Nothing new for so long: what is still missing does not come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where `serve` listens as well.
const USUAL_PORT: u16 = 8080;

/// Show the main job: start everything, send messages, watch them arrive
#[derive(Args)]
pub(super) struct DemoArgs {
    /// How many messages to send
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MESSAGES_MAX)))]
    messages: u32,
    /// How many contacts to import and write to; 0 leaves the campaign out
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=i64::from(CONTACTS_MAX)))]
    contacts: u32,
    /// End after the summary; the exit code is 0 if every message reached a final status, the
    /// balance is what it has to be and the API knows of all that the phones answered
    #[arg(long)]
    exit: bool,
    /// Where HTTP is served [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Keep the data here [default: a directory that is removed at the end]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

/// Runs it. Exit code 1: not every message reached a final status, or the money is not right.
///
/// # Errors
/// If the server or the SMSC cannot start.
pub(super) async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let directory = Directory::make(args.data_dir.as_deref()).map_err(Failure::new)?;
    let settings = settings(&args, &directory)?;
    let telemetry = Telemetry::start(&settings.telemetry).map_err(Failure::usage)?;
    let signals = Signals::listen().map_err(Failure::new)?;
    let code = show_all(&args, settings, signals).await;
    tokio::task::block_in_place(|| telemetry.stop());
    code
}

/// The defaults and the environment; only what goes wrong is logged, since the screen is for the
/// messages.
fn settings(args: &DemoArgs, directory: &Directory) -> Result<Settings, Failure> {
    let listen = args.listen.unwrap_or_else(usual_or_free_address);
    let overrides = Overrides {
        listen: Some(listen),
        data_dir: Some(directory.path().to_owned()),
        // Beside the data, whatever the environment says: a demo does not touch a real store.
        database_url: Some(String::new()),
        ..Overrides::default()
    };
    let mut settings = Settings::load(None, &overrides)?;
    settings.telemetry.log = "warn".to_owned();
    // Its phones are played, so they are written to at any hour.
    settings.quiet_hours.rules = std::sync::Arc::default();
    Ok(settings)
}

fn usual_or_free_address() -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT));
    let is_free = TcpListener::bind(usual).is_ok();
    if is_free { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
}

/// Starts everything, plays, and stops it in good order.
async fn show_all(
    args: &DemoArgs,
    settings: Settings,
    mut signals: Signals,
) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let mut app = App::start(settings, AppParts::system()).await.map_err(Failure::new)?;
    let stage = setup::set_up(&app).await?;
    let show = Show::on_screen(args.messages);
    show.ready(&stage, started.elapsed());
    let operator = setup::operator(&app);
    let played = tokio::select! {
        played = play(args, &stage, &operator, &show) => played.map(Some),
        () = signals.next() => Ok(None),
    };
    let code = match &played {
        Ok(Some(played)) => {
            if args.exit {
                code_of(played)
            } else {
                leave_running(&mut app, &stage, &show, signals).await
            }
        }
        Ok(None) | Err(_) => ExitCode::FAILURE,
    };
    app.stop().await;
    stage.smsc.stop().await;
    played.map(|_| code)
}

fn code_of(Played { tally, account, campaign }: &Played) -> ExitCode {
    let is_complete = tally.settled() == tally.messages();
    let is_in_order = account.adds_up() && campaign.as_ref().is_none_or(Outcome::adds_up);
    if is_complete && is_in_order { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Until somebody has seen enough.
async fn leave_running(
    app: &mut App,
    stage: &Stage,
    show: &Show,
    mut signals: Signals,
) -> ExitCode {
    show.invitation(stage);
    tokio::select! {
        () = signals.next() => ExitCode::SUCCESS,
        () = app.broken() => ExitCode::FAILURE,
    }
}

/// What the demo came to.
struct Played {
    tally: Tally,
    account: Account,
    /// None if it was left out.
    campaign: Option<Outcome>,
}

/// Plays it all.
async fn play(
    args: &DemoArgs,
    stage: &Stage,
    operator: &Ctx,
    show: &Show,
) -> Result<Played, Failure> {
    let client = Client::new(&stage.url, &stage.live_key).map_err(Failure::new)?;
    let before = money::balance(&client).await.map_err(Failure::new)?;
    let tally = send(args.messages, stage, &client, show).await?;
    show.summary(&tally);
    let charged = tally.charged().ok_or_else(|| Failure::new("the charges cannot be added up"))?;
    let account = money::play(stage, operator, (before, charged), show).await?;
    show.account(&account, &stage.currency);
    let mut campaign = None;
    if args.contacts > 0 {
        let outcome = campaign::play(stage, args.contacts, show).await?;
        show.campaign(&outcome, &stage.currency);
        campaign = Some(outcome);
    }
    Ok(Played { tally, account, campaign })
}

/// Sends the messages and watches until all have come to their end.
async fn send(
    messages: u32,
    stage: &Stage,
    client: &Client,
    show: &Show,
) -> Result<Tally, Failure> {
    let mut watcher = Watcher::connect(client).await.map_err(Failure::new)?;
    let mut tally = Tally::new(messages);
    let sending = client.send_all(stage.account_number, messages);
    tokio::pin!(sending);
    let mut all_sent = false;
    while !all_sent || tally.settled() < messages as usize {
        tokio::select! {
            accepted = &mut sending, if !all_sent => {
                all_sent = true;
                tally.accepted(accepted.map_err(Failure::new)?);
            }
            changes = timeout(PATIENCE, watcher.next()) => match changes {
                Ok(changes) => watch_all(changes.map_err(Failure::new)?, &mut tally, show),
                Err(_) => break,
            },
        }
    }
    show.end_of_progress(&tally);
    Ok(tally)
}

fn watch_all(changes: Vec<Change>, tally: &mut Tally, show: &Show) {
    let now = Instant::now();
    for change in changes {
        show.change(&change, tally);
        tally.take(change, now);
    }
    show.progress(tally);
}
