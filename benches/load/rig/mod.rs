//! The processes of a scenario: server, SMSC, PostgreSQL; and Stripe's API in this one. Each is killed when its handle goes, and
//! listens on loopback alone.

mod command_line;
mod postgres;
pub mod process;
mod server;
mod smsc;
mod stripe;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

pub use command_line::{add_carrier, add_stripe, create_account, verify_ledger, webhooks_in_state};
pub use postgres::{Postgres, Stop};
pub use server::{Server, ServerOptions};
pub use smsc::{SmscOptions, SmscProcess};
pub use stripe::FakeStripe;

/// Which store the server keeps its data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StoreKind {
    /// A file in a fresh directory.
    Sqlite,
    /// A throw-away PostgreSQL with its ordinary durability.
    Postgres,
}

/// Where the server keeps its data.
pub struct StorePlace {
    /// For SQLite's file and the keys.
    pub directory: tempfile::TempDir,
    /// The throw-away server, if that was asked for.
    pub postgres: Option<Postgres>,
}

impl StorePlace {
    /// A fresh, empty one.
    pub fn make(kind: StoreKind, postgres_settings: &[String]) -> Self {
        let directory = tempfile::Builder::new().prefix("heliograph-load.").tempdir().unwrap();
        let postgres = match kind {
            StoreKind::Sqlite => None,
            StoreKind::Postgres => Some(Postgres::start(postgres_settings)),
        };
        Self { directory, postgres }
    }

    /// The arguments that lead the program there.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--data-dir".to_owned(), shown(self.directory.path())];
        if let Some(postgres) = &self.postgres {
            arguments.extend(["--database-url".to_owned(), postgres.url().to_owned()]);
        }
        arguments
    }
}

/// A path in the directory, as an argument.
pub fn shown(path: &Path) -> String {
    path.to_str().expect("temporary paths are UTF-8").to_owned()
}

/// Names another program than the one that was built along: an older one, to compare with.
const PROGRAM_VARIABLE: &str = "HELIOGRAPH_LOAD_PROGRAM";

/// The program under test, built with the same profile unless another one is named.
pub fn program() -> String {
    let built = || env!("CARGO_BIN_EXE_heliograph").to_owned();
    std::env::var(PROGRAM_VARIABLE).unwrap_or_else(|_| built())
}

/// An address that was free a moment ago. A server that is killed comes back to the same one, so
/// the port has to be known.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
