//! Runs programs of `tests/third_party/<suite>` with Python: other people's servers that we call.
//! Their packages are installed once into the target directory, as `requirements.txt` says.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::support::{PATIENCE, within};

/// One installation at a time in this process; between processes the rename decides.
static INSTALLING: Mutex<()> = Mutex::const_new(());
/// Longer than an installation takes.
const INSTALLATION_TIME_MAX: Duration = Duration::from_secs(300);
/// Longer than a program takes to listen.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// A running program; it ends with this value.
pub struct Server {
    /// The port that it said it listens on.
    pub port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
    _child: Child,
}

impl Server {
    /// Starts `script` of `suite`, whose first line of output is its port.
    ///
    /// # Panics
    /// If Python is missing, the packages cannot be installed, or the program does not start.
    pub async fn start(suite: &str, script: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party").join(suite);
        let packages = within(INSTALLATION_TIME_MAX, install(suite, &source)).await;
        let mut child = Command::new(packages.join("bin/python"))
            .arg(source.join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the environment's Python runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = within(START_TIME_MAX, lines.next_line()).await.expect("a line");
        let port = line.and_then(|line| line.parse().ok()).expect("the port in the first line");
        let input = child.stdin.take().expect("a pipe");
        Self { port, lines, input, _child: child }
    }

    /// Tells the program a line, and waits for the line that it answers.
    ///
    /// # Panics
    /// If it does not.
    pub async fn tell(&mut self, line: &str) -> String {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("it runs");
        let answer = within(PATIENCE, self.lines.next_line()).await.expect("a line");
        answer.expect("it runs")
    }
}

/// The environment with the suite's packages, named by the content of its list.
async fn install(suite: &str, source: &Path) -> PathBuf {
    let list = source.join("requirements.txt");
    let hash = crc32fast::hash(&std::fs::read(&list).expect("the list of packages"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let packages = cache.join(format!("{suite}-{hash:08x}"));
    let _one = INSTALLING.lock().await;
    if packages.exists() {
        return packages;
    }
    std::fs::create_dir_all(&cache).expect("the cache");
    let fresh = tempfile::tempdir_in(&cache).expect("a directory");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(fresh.path());
    run(venv, "python3 -m venv (Debian: apt-get install python3 python3-venv)").await;
    let mut pip = Command::new(fresh.path().join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    pip.arg(&list);
    run(pip, "pip").await;
    // Another process may have been faster; its result is the same. An environment's Python finds
    // its packages beside itself, so it may be moved.
    if std::fs::rename(fresh.path(), &packages).is_err() {
        assert!(packages.exists(), "cannot move the packages to {}", packages.display());
    }
    packages
}

async fn run(mut command: Command, what: &str) {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} failed ({}):\n{errors}", output.status);
}
