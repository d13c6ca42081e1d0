//! `heliograph smsc` as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{free_address, process, program, shown};

/// How the simulated SMSC behaves.
#[derive(Clone, Debug, Default)]
pub struct SmscOptions {
    /// From a submission to its answer.
    pub delay_ms: u64,
    /// Where it notes what it took.
    pub journal: Option<PathBuf>,
    /// Any further flags.
    pub flags: Vec<String>,
}

/// A simulated SMSC in a process of its own.
pub struct SmscProcess {
    child: Option<Child>,
    /// Held open: its last line is for it.
    stdout: Option<BufReader<ChildStdout>>,
    address: SocketAddr,
    options: SmscOptions,
}

impl SmscProcess {
    /// Only an address, where one will be.
    pub fn absent(options: SmscOptions) -> Self {
        Self { child: None, stdout: None, address: free_address(), options }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it: it forgets the receipts that it owed, but not its journal.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it at its address, and waits until it listens.
    pub fn restart(&mut self) {
        let mut command = Command::new(program());
        command.args(["smsc", "--json", "--listen", &self.address.to_string()]);
        command.args(["--delay-ms", &self.options.delay_ms.to_string()]);
        if let Some(journal) = &self.options.journal {
            command.args(["--journal", &shown(journal)]);
        }
        command.args(&self.options.flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", program()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut stdout = BufReader::new(stdout);
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("ready"), "the SMSC did not start: {line:?}");
        self.child = Some(child);
        self.stdout = Some(stdout);
    }
}

impl Drop for SmscProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            process::signal(child.id(), "TERM");
            let _ = child.wait();
        }
    }
}
