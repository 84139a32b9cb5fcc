//! Proofs of possession (RFC 9449): a sender shows that it holds the private key that a token is bound to.

mod header;
mod nonce;
mod proof;
mod public_key;
mod used_proofs;

pub use header::{DPOP, DPOP_NONCE, ProofHeader};
pub use nonce::Nonces;
pub use proof::{DpopProof, ExpectedProof, ProofFault};
pub use public_key::named_thumbprint;
pub use used_proofs::{NotTaken, UsedProofs};
