//! `heliograph migrate up`: brings the store's schema up to this version, as a start does.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::store_args::StoreArgs;
use crate::db::Db;

#[derive(Args)]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Subcommand)]
enum Direction {
    /// Run the migrations that the store has not seen; waits for a node that does so already
    Up(StoreArgs),
}

pub(super) async fn run(args: MigrateArgs) -> Result<ExitCode, Failure> {
    let Direction::Up(store) = args.direction;
    let settings = store.settings()?;
    std::fs::create_dir_all(&settings.store.data_dir).map_err(Failure::new)?;
    let db = Db::open(&settings.database_url(), settings.store.connections_max)
        .await
        .map_err(Failure::new)?;
    let pending = db.pending_migrations().await.map_err(Failure::new)?;
    db.require_walled_role().await.map_err(Failure::new)?;
    db.migrate(settings.migrate_url().as_ref()).await.map_err(Failure::new)?;
    match pending.as_slice() {
        [] => println!("{} is up to date", db.url()),
        names => println!("{} is up to date: ran {}", db.url(), names.join(", ")),
    }
    db.close().await.map_err(Failure::new)?;
    Ok(ExitCode::SUCCESS)
}
