//! `heliograph serve`: runs a node until it is told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::store_args::StoreArgs;
use crate::app::{App, AppParts, Stopped};
use crate::config::{NodeRole, Overrides};
use crate::telemetry::Telemetry;

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Where HTTP is served; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// What this node does [default: api,worker]
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = role)]
    roles: Option<Vec<NodeRole>>,
    #[command(flatten)]
    store: StoreArgs,
}

fn role(name: &str) -> Result<NodeRole, String> {
    match name {
        "api" => Ok(NodeRole::Api),
        "worker" => Ok(NodeRole::Worker),
        _ => Err("a role is api or worker".to_owned()),
    }
}

pub(super) async fn run(args: ServeArgs) -> Result<ExitCode, Failure> {
    let overrides = Overrides { listen: args.listen, roles: args.roles, ..Overrides::default() };
    let settings = args.store.settings_with(overrides)?;
    let telemetry = Telemetry::start(&settings.telemetry).map_err(Failure::usage)?;
    // From here on a signal is heard, also one that comes during the start.
    let mut signals = Signals::listen().map_err(Failure::new)?;
    let mut app = tokio::select! {
        app = App::start(settings, AppParts::system()) => app.map_err(Failure::new)?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    announce(&app);
    let mut code = ExitCode::SUCCESS;
    tokio::select! {
        () = signals.next() => tracing::info!("stopping; a second signal stops at once"),
        // Whoever runs the program starts it anew, and with it everything that it swept.
        () = app.broken() => code = ExitCode::FAILURE,
    }
    tokio::select! {
        stopped = app.stop() => match stopped {
            Stopped::InTime => tracing::info!("stopped"),
            Stopped::Late => code = ExitCode::FAILURE,
        },
        () = signals.next() => {
            tracing::warn!("stopped at once; what was under way is made up for at the next start");
            code = ExitCode::FAILURE;
        }
    }
    // The exporter waits on its own thread, with a limit.
    tokio::task::block_in_place(|| telemetry.stop());
    Ok(code)
}

/// Says on standard output that the node is ready, and where.
fn announce(app: &App) {
    let settings = &app.platform().settings;
    if let Some(link) = app.operator_link() {
        println!("The operator has no owner yet. This link makes the first one; it works once:");
        println!("{}", link.url.expose());
    }
    if settings.server.roles.contains(&NodeRole::Api) {
        println!("heliograph is ready at {}", settings.public_url());
    } else {
        println!(
            "heliograph is ready (worker); how it is: http://{}/readyz",
            settings.server.listen
        );
    }
}

/// What asks the program to stop: Ctrl-C, and SIGTERM where there is such a thing.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
