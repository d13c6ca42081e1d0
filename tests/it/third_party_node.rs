//! Runs the scripts of `tests/third_party/<suite>` with Node.js: other people's clients against our
//! server. Their packages are installed once into the target directory, as the lock file says.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::Mutex;

/// One installation at a time in this process; between processes the rename decides.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// Runs `script` of `suite` with `environment` and returns the JSON lines it printed.
///
/// # Panics
/// If Node.js or npm is missing, the packages cannot be installed, or the script fails.
pub async fn run_script(
    suite: &str,
    script: &str,
    environment: &[(&str, &str)],
) -> Vec<serde_json::Value> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party").join(suite);
    let packages = install(suite, &source).await;
    // Imports are looked up beside the script: a directory of its own with a link to the packages.
    let place = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(&source).expect("the suite").flatten() {
        let copy = place.path().join(entry.file_name());
        std::fs::copy(entry.path(), copy).expect("a copy of the script");
    }
    let link = place.path().join("node_modules");
    std::os::unix::fs::symlink(packages.join("node_modules"), link).expect("a link");
    let mut node = Command::new("node");
    node.arg(script).current_dir(place.path()).envs(environment.iter().copied());
    let output = output(node, "node").await;
    let text = String::from_utf8(output).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// The directory that holds the suite's `node_modules`, named by the lock file's content.
async fn install(suite: &str, source: &Path) -> PathBuf {
    let lock = std::fs::read(source.join("package-lock.json")).expect("the lock file");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
    let packages = cache.join(format!("{suite}-{:08x}", crc32fast::hash(&lock)));
    let _one = INSTALLING.lock().await;
    if packages.exists() {
        return packages;
    }
    std::fs::create_dir_all(&cache).expect("the cache");
    let fresh = tempfile::tempdir_in(&cache).expect("a directory");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(name), fresh.path().join(name)).expect("a copy");
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(fresh.path());
    output(npm, "npm").await;
    // Another process may have been faster; its result is the same.
    if std::fs::rename(fresh.path(), &packages).is_err() {
        assert!(packages.exists(), "cannot move the packages to {}", packages.display());
    }
    packages
}

async fn output(mut command: Command, program: &str) -> Vec<u8> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap_or_else(|error| {
        panic!(
            "cannot run {program} ({error}): these tests run third-party JavaScript clients and \
             need Node.js 20 or later with npm (Debian: apt-get install nodejs npm)"
        )
    });
    assert!(
        output.status.success(),
        "{program} failed ({}):\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output.stdout
}
