//! Values that the claims of an assertion are compared with.

use crate::clock::UnixSeconds;

/// The values that an assertion must have for this service, client and time.
#[derive(Debug, Clone)]
pub struct Expectations {
    /// Our issuer identifier, the only audience.
    pub audience: String,
    pub client_id: String,
    pub now: UnixSeconds,
    /// Seconds.
    pub clock_skew: i64,
    /// Seconds.
    pub max_lifetime: i64,
}
