//! `heliograph schema print`: the GraphQL contract on standard output. Needs no store.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::failure::Failure;

#[derive(Args)]
pub(super) struct SchemaArgs {
    #[command(subcommand)]
    form: Form,
}

#[derive(Subcommand)]
enum Form {
    /// In the schema definition language, as `schema.graphql` has it
    Print,
}

pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode, Failure> {
    let Form::Print = args.form;
    std::io::stdout().write_all(crate::graphql::sdl().as_bytes()).map_err(Failure::new)?;
    Ok(ExitCode::SUCCESS)
}
