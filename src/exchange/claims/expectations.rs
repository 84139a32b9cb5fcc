//! Values that the claims of an assertion are compared with.

use crate::clock::UnixSeconds;

/// The values that an assertion must have for this service, client and time.
#[derive(Debug, Clone)]
pub struct Expectations {
    /// Our issuer identifier, the only audience.
    pub audience: String,
    /// The client that authenticated; the assertion must be for it (`client_id`).
    pub client_id: String,
    /// The time of the request, in seconds since 1970.
    pub now: UnixSeconds,
    /// Seconds.
    pub clock_skew: i64,
    /// Seconds.
    pub max_lifetime: i64,
}
