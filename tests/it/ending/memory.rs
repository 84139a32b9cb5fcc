//! How much memory revocations take.

use crate::harness::TestApp;
use crate::process::{Process, real_time};

const REVOCATIONS: u64 = 200_000;
/// A million may take 100 MiB. What the database keeps of the pages that it reads comes on top.
const MOST: u64 = REVOCATIONS * 100 * 1024 * 1024 / 1_000_000 + 10 * 1024 * 1024;

/// The most memory that a process ever had, in bytes.
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Members whose sessions were ended within the last hour.
fn ended_sessions(now: i64) -> String {
    format!(
        "INSERT INTO revocations (position, tag, kind, object, name, teamspace_id, issued_until, at, cause, request_id)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {REVOCATIONS})
         SELECT i, i, 'member', 'member-' || i, 'member-' || i, 'id-of-acme', {now}, {now}, 'sessions_ended', '' FROM n"
    )
}

/// Revocations take at most 105 bytes each, also while they are read at the start.
#[tokio::test(flavor = "multi_thread")]
async fn revocations_take_little_memory() {
    use countersign::clock::Clock as _;
    let app = TestApp::start().await;
    real_time(&app);
    let before = Process::serve(&app, "");
    before.ready().await;
    let without = peak(&before);
    before.stop();
    app.database.execute(&ended_sessions(app.clock.now()));
    let after = Process::serve(&app, "");
    after.ready().await;
    let grown = peak(&after).saturating_sub(without);
    println!("{REVOCATIONS} revocations take {grown} bytes at the most");
    assert!(grown < MOST, "{grown} bytes, and the limit is {MOST}");
}
