//! The machine, as /proc and `taskset` know it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::Outcome;

/// How many cores this process could use when it began: pinned, it sees but one.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Keeps the calling thread, and those that it starts, on one core.
pub fn pin(core: u64) -> Outcome<()> {
    // `/proc/thread-self` is a link to `PID/task/TID`.
    let thread = fs::read_link("/proc/thread-self")?;
    let id = thread.file_name().ok_or("no thread id")?;
    let pinned =
        Command::new("taskset").args(["-cp", &core.to_string()]).arg(id).stdout(Stdio::null()).status();
    match pinned.map(|status| status.success()) {
        Ok(true) => Ok(()),
        _ => Err("this benchmark needs taskset (util-linux) and the cores 0 and 1".into()),
    }
}

/// Seconds of CPU that a process took so far, in user and kernel mode.
pub fn cpu(process: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|text| text.parse::<f64>().ok()).ok_or("unreadable stat");
    // Fields 14 and 15 of proc(5), counted from behind the command's name; 100 ticks are a second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// Seconds of CPU that the calling thread took so far.
pub fn thread_cpu() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().ok_or("unreadable schedstat")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// MiB of a process that are in memory.
pub fn memory(process: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}

/// The output of `df` about the filesystem of a directory.
fn df(dir: &Path, field: &str) -> Outcome<String> {
    let output = Command::new("df").args(["-B1", &format!("--output={field}")]).arg(dir).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().nth(1).ok_or("df said nothing")?.trim().to_owned())
}

/// The type of the filesystem that a directory is on.
pub fn filesystem(dir: &Path) -> Outcome<String> {
    df(dir, "fstype")
}

/// Bytes that are free where a directory is.
pub fn free_space(dir: &Path) -> Outcome<f64> {
    Ok(df(dir, "avail")?.parse()?)
}

/// The machine that the figures were measured on.
pub fn describe(dir: &Path) -> Outcome<Value> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(json!({ "cpu": model, "cores": cores(), "kernel": kernel.trim(), "filesystem": filesystem(dir)?,
        "version": env!("CARGO_PKG_VERSION") }))
}
