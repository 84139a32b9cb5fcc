//! The binary alone: it holds the policies, their cases and proofs, the schema and a configuration.

mod environment;
mod init;
mod service;

use std::path::Path;

use serde_json::Value;

use crate::commands::{countersign, text, write};

/// Runs a command in a directory and expects how it ends.
fn ends(dir: &Path, args: &[&str], code: i32) -> (String, String) {
    let out = countersign(dir, args, &[]);
    let (said, error) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{args:?}: {said}{error}");
    (said, error)
}

/// A directory with the files of the repository.
fn with_files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["policies", "schema"] {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::os::unix::fs::symlink(target, dir.path().join(name)).unwrap();
    }
    dir
}

#[test]
fn the_binary_holds_the_policies_that_the_repository_has() {
    let (empty, files) = (tempfile::tempdir().unwrap(), with_files());
    let hash = |dir: &Path| {
        let (said, _) = ends(dir, &["policy", "check", "--format", "json"], 0);
        serde_json::from_str::<Value>(&said).unwrap()["policy_set"].clone()
    };
    assert!(hash(empty.path()).is_string());
    assert_eq!(hash(empty.path()), hash(files.path()));
}

#[test]
fn the_commands_for_policies_work_on_the_binarys_own() {
    let dir = tempfile::tempdir().unwrap();
    let (tested, _) = ends(dir.path(), &["policy", "test", "--format", "json"], 0);
    let tested: Value = serde_json::from_str(&tested).unwrap();
    let case = &tested["cases"][0];
    assert!(case["file"].as_str().unwrap().starts_with("built-in/policies/tests/"), "{case}");
    ends(dir.path(), &["policy", "test", "--filter", "grants.toml"], 0);
    ends(dir.path(), &["policy", "explain", case["name"].as_str().unwrap()], 0);
    ends(dir.path(), &["policy", "schema"], 0);
    let (same, _) = ends(dir.path(), &["policy", "diff", "built-in", "--without-solver"], 0);
    assert!(same.contains("built-in"), "{same}");
    let (_, error) = ends(dir.path(), &["policy", "fmt"], 2);
    assert!(error.contains("countersign init"), "{error}");
    let (_, error) = ends(dir.path(), &["policy", "diff", "HEAD", "--without-solver"], 2);
    assert!(error.contains("neither a directory nor a git revision"), "{error}");
    let (_, error) = ends(dir.path(), &["policy", "shadow"], 2);
    assert!(!error.contains("policies"), "only the database is missing: {error}");
}

#[cfg(feature = "prove")]
#[test]
fn the_binarys_own_proofs_are_found() {
    let dir = tempfile::tempdir().unwrap();
    // Without a solver nothing is proved; but the invariants are read before it is looked for.
    let out = countersign(dir.path(), &["policy", "prove"], &[("CVC5", "/no/solver/here")]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{error}");
    assert!(error.contains("/no/solver/here"), "{error}");
}

/// Rules of one's own are compared with those that a version ships.
#[test]
fn own_policies_are_compared_with_the_shipped_ones() {
    let dir = tempfile::tempdir().unwrap();
    ends(dir.path(), &["init"], 0);
    let rule = "@id(\"mine\")\n@reason(\"policy_denied\")\n@error(\"access_denied\")\n@message(\"No.\")\n\
        forbid (principal, action == Action::\"GrantScope\", resource);\n";
    write(&dir.path().join("policies"), "mine.cedar", rule);
    let (said, _) = ends(dir.path(), &["policy", "diff", "built-in", "--without-solver"], 0);
    assert!(said.contains("mine"), "{said}");
}

/// A directory that is there is in force, whatever is in it: rules must not be replaced because they cannot be used.
#[test]
fn a_directory_that_cannot_be_used_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("policies")).unwrap();
    for (args, code) in [(&["policy", "check"][..], 1), (&["config", "check"], 2), (&["serve"], 2)] {
        let (_, error) = ends(dir.path(), args, code);
        assert!(error.contains("policies") && error.contains("*.cedar"), "{args:?}: {error}");
    }
    std::fs::remove_dir(dir.path().join("policies")).unwrap();
    std::os::unix::fs::symlink("/gone", dir.path().join("policies")).unwrap();
    let (_, error) = ends(dir.path(), &["serve"], 2);
    assert!(error.contains("/gone"), "{error}");
}

#[test]
fn a_named_directory_that_is_missing_is_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "countersign.toml", "policy_dir = \"rules\"\n");
    for args in [&["policy", "check"][..], &["config", "check"], &["serve"]] {
        let (_, error) = ends(dir.path(), args, 2);
        assert!(error.contains("rules") && error.contains("countersign init"), "{args:?}: {error}");
    }
}

#[test]
fn the_policies_in_force_are_said_by_show_and_check() {
    let (empty, files) = (tempfile::tempdir().unwrap(), with_files());
    let built_in = "Policies: built-in. Schema: built-in.";
    let (shown, _) = ends(empty.path(), &["config", "show"], 0);
    assert!(shown.starts_with(&format!("# {built_in}\n")), "{shown}");
    shown.parse::<toml::Table>().unwrap();
    let (checked, _) = ends(empty.path(), &["config", "check"], 0);
    assert!(checked.contains(built_in), "{checked}");
    let (shown, _) = ends(files.path(), &["config", "show"], 0);
    assert!(shown.contains("Policies: policies. Schema: schema/countersign.cedarschema."), "{shown}");
}
