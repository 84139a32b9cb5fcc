//! `countersign demo` as people see it: its ports, its colours, its refusals, and the commands that it ends with.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::shells;
use crate::commands::{countersign, text};

/// A running demonstration, and everything that it has printed.
struct Demonstration(Child, String);

impl Demonstration {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let mut child = command.args(["demo", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            said.push_str(&(line.clone() + "\n"));
            if line.starts_with("Press Ctrl-C") {
                break;
            }
        }
        Self(child, said)
    }

    /// The commands of the three things, without what stands between them.
    fn commands(&self) -> String {
        let (_, things) = self.1.split_once("\n1. ").unwrap();
        let is_prose =
            |line: &&str| !["1. ", "2. ", "3. ", "Press"].iter().any(|start| line.starts_with(start));
        let (_, first) = things.split_once('\n').unwrap();
        first.lines().filter(is_prose).map(|line| format!("{line}\n")).collect()
    }
}

impl Drop for Demonstration {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn its_commands_can_be_pasted_into_a_shell() {
    let demo = Demonstration::start();
    assert!(demo.1.contains("⊘") && !demo.1.contains('✗') && !demo.1.contains('\u{1b}'), "{}", demo.1);
    let home = tempfile::tempdir().unwrap();
    for shell in shells() {
        let mut child = Command::new("timeout")
            .args(["--foreground", "300"])
            .args(&shell)
            .current_dir(home.path())
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(demo.commands().as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        let said = text(&out.stdout);
        let at =
            |what: &str| said.find(what).unwrap_or_else(|| panic!("{shell:?}: no {what} in {said}\n{out:?}"));
        assert!(at("\"teamspace\":\"acme\"") < at("Nobody gets in during the freeze."), "{said}");
        assert!(
            at("Nobody gets in during the freeze.") < said.rfind("\"token_type\":\"Bearer\"").unwrap(),
            "{said}"
        );
        assert!(at("\"reason\":\"freeze\"") < at("/console/sign-in/start?login_hint="), "{said}");
    }
}

#[test]
fn a_refusal_does_not_look_like_a_success() {
    let dir = tempfile::tempdir().unwrap();
    let out = countersign(dir.path(), &["demo", "--once"], &[("NO_COLOR", "")]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    for line in ["✓ Sam takes the second and last seat", "⊘ Lee finds no free seat: refused, as it should be"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    // The rule that changes while it runs.
    for line in [
        "✓ Dana asks for tools.call, and gets it",
        "⊘ Dana asks for the same again: refused, as it should be",
        "tools.call is for the group operators.",
        "unless { principal in Group::\"acme/operators\" } does not hold",
        "✓ Dana joins the group operators at her company, and gets it",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let out = countersign(dir.path(), &["demo", "--once", "--json"], &[]);
    let steps: Vec<Value> =
        text(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refusals = steps.iter().filter(|step| step["expected"] == json!("refusal")).count();
    assert!(refusals >= 10 && refusals < steps.len(), "{refusals} of {}", steps.len());
}

/// Colours where there is a terminal, and nobody has asked for none. `script` makes a terminal.
#[test]
fn colours_are_for_terminals() {
    let program = env!("CARGO_BIN_EXE_countersign");
    for (variables, coloured) in [
        (&[("TERM", "xterm")][..], true),
        (&[("TERM", "xterm"), ("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{program} demo --once"), "/dev/null"]).env_remove("NO_COLOR");
        let out = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let said = text(&out.stdout);
        assert!(out.status.success(), "{said}");
        assert_eq!(said.contains("\u{1b}[33m⊘"), coloured, "{variables:?}: {said}");
    }
}

#[test]
fn a_taken_port_is_one_clear_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = tempfile::tempdir().unwrap();
    let out = countersign(dir.path(), &["demo", "--once", "--port", &port], &[]);
    let told = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains(&format!("port {port} is taken")) && told.contains("--port 0"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    for port in ["65535", "-1", "http"] {
        let out = countersign(dir.path(), &["demo", "--once", &format!("--port={port}")], &[]);
        assert_eq!(out.status.code(), Some(2), "{port}");
    }
}
