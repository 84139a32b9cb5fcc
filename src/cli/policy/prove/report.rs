//! Tries the proofs and tells how they ended.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Prove;
use crate::cli::policy::Format;
use crate::cli::policy::render;
use crate::cli::{CommandError, CommandResult, End};
use crate::policy::authoring::prove::{Invariant, Proof, ProofKind, ProofOutcome, Prover, Refutation, prove};
use crate::policy::{PolicyPlace, PolicySource, Validated};
use crate::terminal::out::{self, say};

pub(super) async fn run(args: Prove, file: Option<&Path>) -> CommandResult {
    let (dir, schema) = args.place.resolve(file)?;
    let policies = PolicySource::read(&dir, &schema).and_then(|source| source.validate()).map_err(render)?;
    let invariants = match args.without_invariants {
        true => Vec::new(),
        false => invariants(args.proofs, &dir, &policies)?,
    };
    let mut prover = Prover::from_environment(args.timeout.std()).await?;
    let mut proofs = Vec::new();
    prove(&mut prover, &policies, &invariants, |proof| {
        if args.format == Format::Human {
            say!("{}", line(&proof));
        }
        proofs.push(proof);
    })
    .await?;
    match args.format {
        Format::Human => conclude(&proofs, &policies, &prover),
        Format::Json => {
            out::json(json!({ "policy_set": policies.hash, "solver": prover.version(), "proofs": proofs }))?
        }
    }
    end(&proofs)
}

/// Reads the invariants from the named directory or the usual one. Missing invariants must not count as proved.
fn invariants(
    named: Option<PathBuf>,
    dir: &PolicyPlace,
    policies: &Validated,
) -> Result<Vec<Invariant>, CommandError> {
    let usual = dir.join("proofs");
    let dir = match named {
        Some(dir) => PolicyPlace::Path(dir),
        None if usual.is_dir() => usual,
        None => {
            let why = "there are no invariants to prove; `--without-invariants` proves the rest";
            return Err(format!("{}: {why}", usual.shown().display()).into());
        }
    };
    Invariant::read_all(&dir, &policies.schema).map_err(|error| render(error).into())
}

fn line(proof: &Proof) -> String {
    let mark = match proof.outcome {
        ProofOutcome::Proved => '✓',
        ProofOutcome::Refuted(_) => '✗',
        ProofOutcome::Undecided { .. } => '?',
    };
    format!("{mark} {:>5} ms  {}", proof.time.as_millis(), title(proof))
}

fn title(proof: &Proof) -> String {
    match (&proof.action, proof.kind) {
        (Some(action), ProofKind::Invariant) => format!("{} {action}: {}", proof.subject, proof.claim),
        _ => format!("{}: {}", proof.subject, proof.claim),
    }
}

/// The findings and their numbers.
fn conclude(proofs: &[Proof], policies: &Validated, prover: &Prover) {
    for proof in proofs {
        match &proof.outcome {
            ProofOutcome::Proved => {}
            ProofOutcome::Refuted(finding) => {
                out::text(format_args!("\n✗ {}\n{}", title(proof), told(finding)));
            }
            ProofOutcome::Undecided { why } => say!("\n? {}\n  undecided: {why}", title(proof)),
        }
    }
    let (refuted, undecided) = (refuted(proofs), undecided(proofs));
    let proved = proofs.len() - refuted - undecided;
    say!("\n{proved} proved, {refuted} refuted, {undecided} undecided");
    say!("policy set {}; {}", policies.hash, prover.version());
}

fn told(finding: &Refutation) -> String {
    let mut told = format!("  {}\n", finding.what);
    for statement in &finding.broken {
        told.push_str(&format!("  against {}: {}\n", statement.id, statement.message));
    }
    if let Some(case) = &finding.case {
        let indented: Vec<String> = case.to_string().lines().map(|line| format!("    {line}")).collect();
        told.push_str(&format!("  for example\n{}\n", indented.join("\n")));
    }
    told
}

fn undecided(proofs: &[Proof]) -> usize {
    proofs.iter().filter(|proof| matches!(proof.outcome, ProofOutcome::Undecided { .. })).count()
}

fn refuted(proofs: &[Proof]) -> usize {
    proofs.iter().filter(|proof| matches!(proof.outcome, ProofOutcome::Refuted(_))).count()
}

/// A finding counts even if other proofs are undecided.
fn end(proofs: &[Proof]) -> CommandResult {
    match (refuted(proofs), undecided(proofs)) {
        (1.., _) => Ok(End::Finding),
        (0, 0) => Ok(End::Fine),
        (0, n) => Err(format!("{n} of {} proofs are undecided, and so not proved", proofs.len()).into()),
    }
}
