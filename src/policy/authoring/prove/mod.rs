//! Proofs about a policy set: statements about every request, not only the ones that a test covers.
//!
//! Cedar's symbolic compiler turns a question into formulas. The solver cvc5 proves it or finds a request that refutes
//! it, and the ordinary authorizer then confirms that request. A question without a clear answer is undecided and
//! never counts as proved. None of this is on the path of a token.

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
