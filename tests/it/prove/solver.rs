//! Solvers that fail in every way: what they do not prove is never taken for proved.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Proved, cvc5, prove_with, root};
use crate::files::with;

/// A program that tells a version and then does this.
fn fake(dir: &TempDir, then: &str) -> PathBuf {
    let path = dir.path().join("solver");
    let text = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'a fake' && exit\n{then}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A set with one question for the solver that decides each proof.
fn policies() -> TempDir {
    let rule =
        "@id(\"rule\") @otherwise(\"x\") permit (principal, action == Action::\"ProvisionMember\", resource)
        when { context.seats_used + 1 == 7 };";
    with(&[("members.cedar", rule)])
}

fn with_fake(then: &str) -> Proved {
    let dir = policies();
    let solver = fake(&dir, then);
    prove_with(Some(&solver), dir.path(), &["--timeout", "1s"])
}

fn answering(answer: &str) -> String {
    format!("while read -r line; do case \"$line\" in *check-sat*) printf '{answer}\\n';; esac; done")
}

#[test]
fn what_the_solver_does_not_decide_is_undecided() {
    let cases = [
        (answering("unknown"), "the solver answered `unknown`"),
        (answering("perhaps"), "unrecognized solver output: perhaps"),
        (answering("(error \"no memory\")"), "solver error: no memory"),
        (answering("sat\\n(\\nnonsense\\n)"), "undecided"),
        // A model that refutes nothing is no counterexample.
        (answering("sat\\n(\\n)"), "undecided"),
        (answering("sat\\n(\\n"), "did not answer within 1s"),
        ("exit 3".to_owned(), "solver"),
        ("kill -9 $$".to_owned(), "solver"),
    ];
    // At once, because some of them are waited for.
    std::thread::scope(|threads| {
        for (then, why) in &cases {
            threads.spawn(move || leaves_undecided(then, why));
        }
    });
}

fn leaves_undecided(then: &str, why: &str) {
    let proved = with_fake(then);
    proved.ended(2, &["?", "rule: its evaluation never fails", "ProvisionMember: ", why, "are undecided"]);
    assert!(proved.stdout.contains("0 proved, 0 refuted, 2 undecided") || then.contains("sat\\n"));
}

#[test]
fn a_solver_that_hangs_is_stopped() {
    let dir = policies();
    let pids = dir.path().join("pids");
    let solver = fake(&dir, &format!("echo $$ >> '{}'; exec sleep 600", pids.display()));
    prove_with(Some(&solver), dir.path(), &["--timeout", "1s"])
        .ended(2, &["did not answer within 1s", "2 undecided"]);
    let pids = std::fs::read_to_string(pids).unwrap();
    assert!(pids.lines().count() >= 2, "a new process for each question: {pids}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while pids.lines().any(runs) {
        assert!(Instant::now() < deadline, "one of these is left behind: {pids}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the process runs. One that has ended stays listed, as `Z`, until its new parent asks for it.
fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// After a failure the next question gets a new process, and one failure hides no proof.
#[test]
fn the_other_proofs_are_still_tried() {
    let dir = policies();
    let then = format!(
        "mkdir '{}/once' 2>/dev/null && exit 1\nexec '{}' \"$@\"",
        dir.path().display(),
        cvc5().display()
    );
    let solver = fake(&dir, &then);
    let proved = prove_with(Some(&solver), dir.path(), &[]);
    proved.ended(2, &["1 proved, 0 refuted, 1 undecided", "1 of 2 proofs are undecided"]);
}

#[test]
fn without_a_solver_it_says_where_to_get_one() {
    let dir = policies();
    let get = ["CVC5", "https://github.com/cvc5/cvc5/releases", "pip install cvc5==1.4.2"];
    prove_with(None, dir.path(), &[]).ended(2, &get);
    prove_with(Some("".as_ref()), dir.path(), &[]).ended(2, &get);
    prove_with(Some("/no/such/cvc5".as_ref()), dir.path(), &[]).ended(2, &["/no/such/cvc5", "CVC5"]);
    for then in ["echo broken >&2; exit 1", "exit 0", "exec sleep 60"] {
        let path = dir.path().join("solver");
        std::fs::write(&path, format!("#!/bin/sh\n{then}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let proved = prove_with(Some(&path), dir.path(), &["--timeout", "1s"]);
        proved.ended(
            2,
            &["cannot run the solver", "--version", if then.contains("broken") { "broken" } else { "" }],
        );
    }
}

#[test]
fn the_python_solver_says_what_it_needs() {
    // Without site-packages there is no cvc5.
    let out = Command::new("python3").args(["-I", "-S"]).arg(root().join("scripts/cvc5")).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8(out.stderr).unwrap().contains("pip install cvc5==1.4.2"));
}

/// A refutation counts even if something else could not be decided.
#[test]
fn a_refutation_outweighs_what_is_undecided() {
    let never =
        "@id(\"rule\") @otherwise(\"x\") permit (principal, action == Action::\"ProvisionMember\", resource)
        when { context.seats_used + 1 == 7 && context.seats_used == 7 };";
    let dir = with(&[("members.cedar", never)]);
    let once = dir.path().join("once");
    let then =
        format!("mkdir '{}' 2>/dev/null && exit 1\nexec '{}' \"$@\"", once.display(), cvc5().display());
    let solver = fake(&dir, &then);
    prove_with(Some(&solver), dir.path(), &[]).ended(1, &["0 proved, 1 refuted, 1 undecided"]);
}
