//! `heliograph doctor`: checks the settings and what they name, and says how to mend what is wrong.
//!
//! It changes nothing: it makes no directory, no file and no table. Beside a running server it reads
//! what the server reads.

mod carriers;
mod checks;

use std::process::ExitCode;

use clap::Args;

use self::checks::{Finding, Verdict};
use super::failure::Failure;
use super::store_args::StoreArgs;

#[derive(Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) async fn run(args: DoctorArgs) -> Result<ExitCode, Failure> {
    let findings = match args.store.settings() {
        Ok(settings) => checks::all(&settings).await,
        Err(error) => vec![Finding::fault(
            "settings",
            error.to_string(),
            "config/default.toml says what each setting may be",
        )],
    };
    let mut faults = 0;
    for finding in &findings {
        println!("{finding}");
        faults += usize::from(finding.verdict == Verdict::Fault);
    }
    match faults {
        0 => {
            println!("nothing is wrong");
            Ok(ExitCode::SUCCESS)
        }
        count => {
            println!("{count} of {} checks found a fault", findings.len());
            Ok(ExitCode::FAILURE)
        }
    }
}
