//! The program `heliograph`: reads the command line and runs what it says.

fn main() -> std::process::ExitCode {
    heliograph::cli::main()
}
