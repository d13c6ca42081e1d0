//! What the kernel says about processes (Linux `/proc`): processor time and memory.

use std::time::Duration;

/// Clock ticks a second of `/proc/<pid>/stat`: USER_HZ, 100 on every Linux that Rust builds for.
const TICKS_PER_S: f64 = 100.0;

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident now.
    pub resident_kib: u64,
    /// The most that ever was.
    pub peak_kib: u64,
}

/// Resident memory of a process; zero if it is gone.
pub fn memory(pid: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Memory { resident_kib: field("VmRSS:"), peak_kib: field("VmHWM:") }
}

/// Processor time of a process with all its threads, user and system.
pub fn cpu(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |stat| to_duration(stat.own))
}

/// Processor time of a process, of its children that have ended and of those that have not.
pub fn cpu_of_family(pid: u32) -> Duration {
    let Some(parent) = stat(pid) else { return Duration::ZERO };
    let children: u64 =
        children(pid).into_iter().filter_map(stat).map(|stat| stat.own + stat.ended_children).sum();
    to_duration(parent.own + parent.ended_children + children)
}

/// The ids of a process's children.
pub fn children(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child| stat(*child).is_some_and(|stat| stat.parent == pid))
        .collect()
}

struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

/// Fields 4 and 14 to 17 of proc_pid_stat(5). The second field, the name, may hold spaces.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<u64> =
        after_name.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect();
    let ticks = |n: usize| fields.get(n).copied().unwrap_or(0);
    Some(Stat {
        parent: u32::try_from(ticks(0)).ok()?,
        own: ticks(10) + ticks(11),
        ended_children: ticks(12) + ticks(13),
    })
}

fn to_duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_S)
}

/// Sends a signal by name, `TERM` or `INT` …; a process that is gone is none of our business.
pub fn signal(pid: u32, name: &str) {
    let _ = std::process::Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}
