//! `policy prove` and the comparison of policy sets. The solver is that of the environment variable CVC5.

mod assumptions;
mod shipped;
mod small;
mod solver;
mod widening;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real solver.
fn cvc5() -> PathBuf {
    let missing = "CVC5 names no solver: run ./scripts/test, which installs one, or set CVC5 yourself";
    std::env::var_os("CVC5").filter(|path| !path.is_empty()).expect(missing).into()
}

/// The result of `policy prove` for this directory.
struct Proved {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn prove_with(solver: Option<&Path>, dir: &Path, more: &[&str]) -> Proved {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["policy", "prove"]).arg(dir).args(["--schema", crate::policies::SCHEMA]).args(more);
    // Most tests are about policies alone.
    if dir.is_dir() && !dir.join("proofs").exists() && !more.contains(&"--proofs") {
        command.arg("--without-invariants");
    }
    command.current_dir(root()).stdin(Stdio::null()).env_remove("CVC5");
    if let Some(solver) = solver {
        command.env("CVC5", solver);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Proved { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn prove(dir: &Path, more: &[&str]) -> Proved {
    prove_with(Some(&cvc5()), dir, more)
}

impl Proved {
    /// It must end with this code and say these words.
    fn ended(&self, code: i32, words: &[&str]) {
        let said = format!("{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word} is not in {said}");
        }
    }

    fn proofs(&self) -> Vec<Value> {
        let report: Value = serde_json::from_str(&self.stdout).unwrap();
        report["proofs"].as_array().unwrap().clone()
    }
}
