//! Fills a store that exists.

use std::time::Instant;

use entity::ids::AccountId;
use heliograph::config::DatabaseUrl;

use crate::kit::report::Report;
use crate::kit::seed::{self, Seed};

/// What to write, and where.
#[derive(clap::Args)]
pub struct Args {
    /// The store, migrated: sqlite:<path> (nobody else may use it meanwhile) or postgres://…
    #[arg(long)]
    database_url: String,
    /// Whose messages, acct_…
    #[arg(long)]
    account: AccountId,
    /// How many
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: u64,
    /// Over how many days, up to now
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!("seed: {} messages of {} days", args.messages, args.days));
    let url = DatabaseUrl::parse(&args.database_url).unwrap();
    let start = Instant::now();
    let (account_id, messages, days) = (args.account, args.messages, args.days);
    seed::write(&url, Seed { account_id, messages, days }).await;
    report.figure("seeded_per_s", args.messages as f64 / start.elapsed().as_secs_f64());
    report
}
