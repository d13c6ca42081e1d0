//! The architecture's rules, held by reading the source: the direction of imports, where libraries
//! and transactions may be used, the form of files, and the crates that must never come in.
//!
//! What a rule means and why it is one stands in `docs/ARCHITECTURE.md`. Each rule is a function
//! from one file to its faults, so that a test can show it a breach and see it caught: a checker
//! that finds nothing because it looks at nothing would otherwise pass for ever.

mod layers;
mod paths;
mod rules;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rules::{RULES, SourceFile};

/// Every `.rs` file below `directory`, with its path from the repository's root.
fn files_below(directory: &str) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting = vec![root.join(directory)];
    let mut files = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).expect("reads a source directory") {
            let path = entry.expect("reads an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(SourceFile::new(relative(root, &path), &read(&path)));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).expect("a path below the root");
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_source_keeps_the_rules() {
    let mut files = files_below("src");
    assert!(files.iter().any(|file| file.path == "src/db/transaction.rs"), "src was not read");
    for directory in ["entity/src", "migration/src", "tests", "benches"] {
        if Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).is_dir() {
            files.extend(files_below(directory));
        }
    }
    let mut report = String::new();
    for file in &files {
        for rule in RULES {
            for fault in (rule.check)(file) {
                let _ = writeln!(report, "{}: {}: {fault}", file.path, rule.name);
            }
        }
    }
    assert!(report.is_empty(), "the architecture's rules are broken:\n{report}");
}

#[test]
fn every_rule_catches_its_breach_and_passes_its_neighbour() {
    for rule in RULES {
        assert!(!rule.breaches.is_empty(), "{} is shown no breach", rule.name);
        for (path, text) in rule.breaches {
            let faults = (rule.check)(&SourceFile::new((*path).to_owned(), text));
            assert!(!faults.is_empty(), "{} let this pass in {path}:\n{text}", rule.name);
        }
        for (path, text) in rule.allowed {
            let faults = (rule.check)(&SourceFile::new((*path).to_owned(), text));
            assert_eq!(faults, Vec::<String>::new(), "{} in {path}:\n{text}", rule.name);
        }
    }
}

/// `cargo tree -i`, which prints who depends on a crate that is built for any target.
fn dependents(crate_name: &str) -> String {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--target", "all"])
        .args(["--edges", "normal,build,dev", "--invert", crate_name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("runs cargo");
    let said = String::from_utf8_lossy(&output.stderr);
    // A crate that not even an unused feature names is an error to cargo, and fine with us.
    let unknown = said.contains("did not match any packages");
    assert!(output.status.success() || unknown, "cargo tree failed: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn crates_that_would_bring_a_second_crypto_library_stay_out() {
    assert!(dependents("aws-lc-rs").contains("heliograph"), "cargo tree shows what is there");
    for banned in ["ring", "openssl-sys", "native-tls"] {
        assert_eq!(dependents(banned), "", "{banned} came in");
    }
}
