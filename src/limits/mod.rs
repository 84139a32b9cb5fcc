//! Bounds on everything that callers can make grow: requests, connections, rows of refusals, waiting newcomers.

pub(crate) mod admin;
pub(crate) mod connections;
mod exchanges;
pub(crate) mod gate;
pub(crate) mod places;
pub mod refusals;
pub(crate) mod turns;
mod unreadable;

use std::net::IpAddr;
use std::time::Duration;

use crate::oauth::error::{ErrorCode, Reason, TokenError};
pub use exchanges::Limits;
pub use unreadable::UnreadableAddresses;

/// Too many; try again after so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Seconds to wait, for the header `Retry-After`.
    pub retry_after: u64,
}

impl From<Limited> for TokenError {
    fn from(limited: Limited) -> Self {
        let text = "Too many requests; try again later.";
        let mut error = Self::new(ErrorCode::TooManyRequests, Reason::RATE_LIMITED, text);
        error.retry_after = Some(limited.retry_after);
        error
    }
}

/// An IPv6 customer has a whole /64, so its addresses share one budget.
pub fn budget_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
    }
}

/// Asks the caller to come back after this time.
pub fn wait(left: Duration) -> Limited {
    Limited { retry_after: left.as_secs() + 1 }
}
