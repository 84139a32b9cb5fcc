//! Whose work a sample is: the innermost frame that says so decides.

/// A stage, and what the names of its functions contain. Of a frame that fits several, the first is taken.
const STAGES: [(&str, &[&str]); 8] = [
    (
        "signature check",
        &[
            "RSA_verify",
            "rsa_verify",
            "RSA_public",
            "VerificationKey",
            "authenticate",
            "bn_mul",
            "bn_sqr",
            "rsaz_",
            "EVP_DigestVerify",
            "verify_sig",
        ],
    ),
    (
        "signing",
        &[
            "ECDSA_sign",
            "ecdsa_sign",
            "ecp_nistz256",
            "p256_",
            "_p256",
            "EVP_DigestSign",
            "EcdsaKeyPair",
            "countersign::signing",
            "CTR_DRBG",
            "RAND_bytes",
        ],
    ),
    ("decision (Cedar)", &["cedar_policy", "countersign::policy", "countersign::shadow"]),
    (
        "database",
        &[
            "sqlite3",
            "diesel",
            "countersign::store",
            "PQexec",
            "PQsend",
            "pqRead",
            "PQget",
            "libpq",
            "walFrames",
            "walWrite",
            "unixWrite",
            "unixSync",
            "pager",
            "btree",
            "vdbe",
        ],
    ),
    ("JSON and log", &["serde_json", "serde::", "tracing", "countersign::telemetry", "access_log", "Stderr"]),
    (
        "rest of the exchange",
        &[
            "countersign::exchange",
            "countersign::limits",
            "countersign::metrics",
            "countersign::random",
            "governor",
            "uuid",
            "base64",
            "aws_lc",
        ],
    ),
    ("HTTP", &["hyper", "axum", "tower", "http::", "httparse", "TcpStream", "countersign::web"]),
    ("tasks (tokio)", &["tokio", "mio::", "crossbeam", "parking_lot", "std::sys::sync", "std::thread"]),
];
/// Samples that no name explains.
const OTHER: &str = "other";

/// A frame of a sample's stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    pub function: String,
    pub in_kernel: bool,
}

/// The stage of a stack, the innermost frame of which is the first.
pub fn stage(stack: &[Frame]) -> &'static str {
    let of = |frame: &Frame| {
        let says = |(_, words): &&(_, &[&str])| words.iter().any(|word| frame.function.contains(word));
        STAGES.iter().find(says).map(|(name, _)| *name)
    };
    stack.iter().filter(|frame| !frame.in_kernel).find_map(of).unwrap_or(OTHER)
}

/// Percent of the samples that are a stage's: in the process itself, and in the kernel on its behalf.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub stage: &'static str,
    pub own: f64,
    pub kernel: f64,
}

/// Every stage's share, in the order of an exchange.
pub fn shares(stacks: &[Vec<Frame>]) -> Vec<Share> {
    let names = STAGES.iter().map(|(name, _)| *name).chain([OTHER]);
    let percent = |name: &str, in_kernel: bool| {
        let is_one = |stack: &&Vec<Frame>| {
            stack.first().is_some_and(|leaf| leaf.in_kernel == in_kernel) && stage(stack) == name
        };
        stacks.iter().filter(is_one).count() as f64 * 100.0 / stacks.len().max(1) as f64
    };
    names.map(|stage| Share { stage, own: percent(stage, false), kernel: percent(stage, true) }).collect()
}
