//! Time comes from one injected place, so that tests can set it and nothing reads it twice.

use jiff::Timestamp;

/// Seconds since 1970-01-01T00:00:00Z, the `NumericDate` of RFC 7519 §2 without fraction.
pub type UnixSeconds = i64;

/// Where the service takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// The current time in whole seconds.
    fn now(&self) -> UnixSeconds;
}

/// The machine's clock; it must be kept by NTP, since assertions live for minutes only.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that may ask the machine
    fn now(&self) -> UnixSeconds {
        Timestamp::now().as_second()
    }
}

/// RFC 3339 text in UTC; a value out of the calendar's range is shown as its number.
pub fn rfc3339(at: UnixSeconds) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), |t| t.to_string())
}
