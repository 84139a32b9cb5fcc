//! Proofs about a policy set: statements about every request, not only about those that a test thought of.
//!
//! Cedar's symbolic compiler turns a question into formulas; the solver cvc5 answers it or finds a request
//! that refutes it, which the ordinary authorizer then confirms. What has no clear answer is undecided and
//! never taken for proved. Nothing here is in the path of a token.

mod assumptions;
mod counterexample;
mod deciding;
mod invariant;
mod proof;
mod solver;
mod widening;

pub use assumptions::Assumptions;
pub use counterexample::{DecidingPolicy, Described, FoundAnswer, FoundCase};
pub use invariant::{Invariant, InvariantSentence};
pub use proof::{Proof, ProofKind, ProofOutcome, Refutation, prove};
pub use solver::{Prover, SolverError, Undecided};
pub use widening::{Comparison, FoundDifference, ProvenDirection, widening};
