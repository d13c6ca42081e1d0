//! The command line: one file a command. It reads flags, calls, prints; no command decides anything
//! that a module below does not.
//!
//! Results go to standard output, logs and faults to standard error. Exit code 0: done; 1: it
//! failed, or `doctor` found a fault; 2: the command line or the settings are wrong.

mod admin;
mod admin_account;
mod admin_billing;
mod admin_carrier;
mod admin_people;
mod admin_rates;
mod admin_payments;
mod demo;
mod doctor;
mod failure;
mod migrate;
mod schema;
mod serve;
pub mod smsc;
mod store_args;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;

/// A self-hosted, multi-tenant SMS platform
#[derive(Parser)]
#[command(name = "heliograph", version, propagate_version = true, arg_required_else_help = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node: the API, the carriers, the periodic work
    Serve(serve::ServeArgs),
    /// Show the main job: start everything, send messages, watch them arrive
    Demo(demo::DemoArgs),
    /// Change the store's schema
    Migrate(migrate::MigrateArgs),
    /// Show the GraphQL contract
    Schema(schema::SchemaArgs),
    /// Check the settings and what they name, and say how to mend what is wrong
    Doctor(doctor::DoctorArgs),
    /// Set up accounts, their people and carriers from a shell
    Admin(admin::AdminArgs),
    /// Run a simulated carrier (SMPP 3.4 server) for development
    Smsc(smsc::SmscArgs),
}

/// Runs the program: the whole of `main`.
///
/// # Panics
/// If the process has a crypto provider already, or no threads can be made.
pub fn main() -> ExitCode {
    // Before anything speaks TLS: without a default, rustls panics at its first use.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing has run before that could install a provider");
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => {
            // A closed pipe is nobody to complain to. `--help` comes this way too, with code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system gives threads");
    match runtime.block_on(run(program.command)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Schema(args) => schema::run(&args),
        Command::Doctor(args) => doctor::run(args).await,
        Command::Admin(args) => admin::run(args).await,
        Command::Smsc(args) => {
            smsc::run(args).await.map_err(Failure::new)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
