//! The load program: drives a server over GraphQL and a simulated SMSC over SMPP, and prints what
//! it measured. Not a micro-benchmark: for the pure parts see `benches/text.rs`.
//!
//! ```text
//! cargo bench --bench load -- throughput --store sqlite
//! cargo bench --bench load -- --help
//! ```
//!
//! Each scenario starts what it needs on loopback (`heliograph serve`, `heliograph smsc`, a
//! throw-away PostgreSQL with its ordinary durability settings), is bounded in count and time, and
//! removes what it made. `throughput` can drive a running server instead (`--url`).
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first fault")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the real time")]

// As if it were a `mod.rs`: the same tree hangs under `tests/it` as well.
#[path = "kit.rs"]
mod kit;

use clap::{Parser, Subcommand};

use self::kit::scenarios;

/// Drives a Heliograph server over GraphQL and a simulated SMSC over SMPP, and prints figures.
#[derive(Parser)]
#[command(name = "load")]
struct Program {
    #[command(subcommand)]
    scenario: Scenario,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true, global = true)]
    bench: bool,
    /// Print the figures as one line of JSON at the end
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Scenario {
    /// Send as fast as the server accepts; delivered means seen as such by a subscriber
    Throughput(scenarios::throughput::Args),
    /// Send at a fixed rate; how long until sent, delivered, seen
    Latency(scenarios::latency::Args),
    /// Accept a large backlog while the carrier is away; memory must stay flat
    Backlog(scenarios::backlog::Args),
    /// Hold many idle subscribers; bytes each
    Subscribers(scenarios::subscribers::Args),
    /// Kill the server, the SMSC or PostgreSQL under load, again and again; nothing may be lost
    Crash(scenarios::crash::Args),
    /// Write to a large audience, killed on the way or not; exactly one message a contact
    Campaign(scenarios::campaign::Args),
    /// Import contacts from a large file, killed on the way or not; exactly what the file says
    Import(scenarios::import::Args),
    /// Ask for a dashboard's home page over millions of stored messages
    Dashboard(scenarios::dashboard::Args),
    /// Write messages and their roll-ups straight into a store
    Seed(scenarios::seed::Args),
    /// Post Stripe's webhooks at a rate or in a burst; how long until answered, until folded
    Webhooks(scenarios::webhooks::Args),
    /// Kill the server while webhooks are posted, again and again; nothing may be lost or doubled
    WebhookCrash(scenarios::webhook_crash::Args),
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let program = Program::parse();
    let report = match program.scenario {
        Scenario::Throughput(args) => scenarios::throughput::run(args).await,
        Scenario::Latency(args) => scenarios::latency::run(args).await,
        Scenario::Backlog(args) => scenarios::backlog::run(args).await,
        Scenario::Subscribers(args) => scenarios::subscribers::run(args).await,
        Scenario::Crash(args) => scenarios::crash::run(args).await,
        Scenario::Campaign(args) => scenarios::campaign::run(args).await,
        Scenario::Import(args) => scenarios::import::run(args).await,
        Scenario::Dashboard(args) => scenarios::dashboard::run(args).await,
        Scenario::Seed(args) => scenarios::seed::run(args).await,
        Scenario::Webhooks(args) => scenarios::webhooks::run(args).await,
        Scenario::WebhookCrash(args) => scenarios::webhook_crash::run(args).await,
    };
    report.print(program.json);
    if report.failed() {
        std::process::exit(1);
    }
}
