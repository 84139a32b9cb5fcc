//! Where the CPU goes: `perf` beside the durable scenario, as a table by stage and as a flame graph.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::run::Run;
use crate::scenario::Scenario;
use crate::stages::{Frame, shares};
use crate::{Outcome, flame};

/// Connections of the load.
const CONNECTIONS: usize = 32;
/// Exchanges at the most: each sample holds 64 KiB of stack.
const MOST: usize = 60_000;

/// Records, prints and notes the shares, and writes `flame.svg` and `stacks.folded` into a directory.
pub async fn measure(run: &mut Run, dir: &Path) -> Outcome<()> {
    fs::create_dir_all(dir)?;
    let data = dir.join("perf.data");
    let plan = Scenario::Durable.plan(run.exchanges.min(MOST), run.options.quick);
    let mut running = run.start(&plan).await?;
    let process = running.servers.first().ok_or("no server")?.id();
    let recorder = record(process, &data)?;
    let outcome = running.saturate(plan.exchanges, CONNECTIONS).await;
    stop(recorder)?;
    let (phase, usage) = outcome?;
    let cpu_us = usage.server * 1e6 / phase.latencies.len() as f64;
    let stacks = stacks(&data)?;
    fs::remove_file(&data)?;
    if stacks.len() < 500 {
        return Err(format!("perf took {} samples only", stacks.len()).into());
    }
    println!(
        "\n{:<22} {:>8} {:>8}  {:.1} µs of CPU while perf looked on",
        "stage", "own %", "kernel %", cpu_us
    );
    let shares = shares(&stacks);
    for share in &shares {
        println!("{:<22} {:>8.1} {:>8.1}", share.stage, share.own, share.kernel);
    }
    let noted: Vec<_> = shares.iter().map(|s| serde_json::json!([s.stage, s.own, s.kernel])).collect();
    run.note(&serde_json::json!({ "stages": noted, "samples": stacks.len() }))?;
    let folded = flame::folded(&stacks);
    fs::write(dir.join("flame.svg"), flame::svg(&folded)?)?;
    fs::write(dir.join("stacks.folded"), folded)?;
    println!("{}", dir.join("flame.svg").display());
    Ok(())
}

fn record(process: u32, data: &Path) -> Outcome<Child> {
    // The clock, as virtual machines have no counters; stacks from unwind tables, as there are no frame pointers.
    let child = Command::new("perf")
        .args(["record", "--quiet", "--event=cpu-clock", "--freq=249", "--call-graph=dwarf,65528"])
        .arg(format!("--pid={process}"))
        .arg("--output")
        .arg(data)
        .stdout(Stdio::null())
        .spawn();
    child.map_err(|error| format!("perf: {error}").into())
}

/// Lets perf write what it has.
fn stop(mut recorder: Child) -> Outcome<()> {
    Command::new("kill").args(["-INT", &recorder.id().to_string()]).status()?;
    recorder.wait()?;
    Ok(())
}

/// The stack of each sample, the innermost frame first.
fn stacks(data: &Path) -> Outcome<Vec<Vec<Frame>>> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "--fields=ip,sym,dso", "--input"])
        .arg(data)
        .stderr(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let samples = text.split("\n\n").map(|sample| sample.lines().filter_map(frame).collect::<Vec<_>>());
    Ok(samples.filter(|stack| !stack.is_empty()).collect())
}

/// `  ADDRESS function (object)`
fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = line.trim().split_once(' ')?;
    let (function, object) = rest.rsplit_once(" (")?;
    let function = without_hash(function).to_owned();
    let in_kernel = object.contains("kernel") || object.contains("vmlinux");
    Some(Frame { function, in_kernel })
}

/// A function's name without `::h` and the 16 digits that the compiler tells namesakes apart by.
fn without_hash(name: &str) -> &str {
    let is_hash = |digits: &str| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match name.rsplit_once("::h") {
        Some((known, digits)) if is_hash(digits) => known,
        _ => name,
    }
}
