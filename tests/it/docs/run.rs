//! Blocks marked as `sh run` are run: those of one document in their order, in one shell and one directory.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use super::markdown::{DOCUMENTS, Document};

/// The documents' ports, which something else may use on this machine.
const PORTS: [&str; 4] = ["8080", "8081", "9400", "9401"];

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn script(document: &Document) -> Option<String> {
    let is_run = |mark: &String| mark == "run";
    let blocks = document.blocks.iter().filter(|block| block.marks.iter().any(is_run));
    let text: Vec<&str> = blocks.map(|block| block.text.as_str()).collect();
    (!text.is_empty()).then(|| text.join("\n"))
}

/// Runs a script in a new directory, which has a new database and what the root of the repository has.
fn run(script: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    for name in ["policies", "schema", "examples"] {
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), dir.path().join(name)).unwrap();
    }
    let mut script = script.to_owned();
    let mut command = Command::new("timeout");
    for port in PORTS {
        script = script.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", free_port()));
    }
    let program = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let before = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\ncountersign migrate";
    let script = format!("{before}\n{script}");
    command.args(["120", "bash", "-c", &script]).current_dir(dir.path()).env("PATH", path);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok(()) } else { Err(said.join("\n")) }
}

#[test]
fn every_block_that_can_run_runs() {
    let mut seen = 0;
    for document in DOCUMENTS.values() {
        let Some(script) = script(document) else { continue };
        seen += 1;
        run(&script).unwrap_or_else(|said| panic!("{}: {said}", document.path));
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn a_block_that_fails_is_noticed() {
    assert!(run("countersign config check\nfalse\ntrue").is_err());
}
