//! Time comes from one injected source, so that tests can set it and no code reads it twice.

use std::sync::LazyLock;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds since 1970-01-01T00:00:00Z, the `NumericDate` of RFC 7519 §2 without fraction.
pub type UnixSeconds = i64;

/// A day, in seconds.
pub const DAY: i64 = 24 * 3600;
/// The largest difference between two clocks that still counts as the same time, in seconds.
pub const MAX_DIFFERENCE: i64 = 60;

/// Seconds by which the clock may drift from the ticks without having been set: both are cut to whole seconds, and NTP
/// slews.
const SLEW: i64 = 5;

/// Where the service takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// The current time in whole seconds. It may be set at any time, even back.
    fn now(&self) -> UnixSeconds;

    /// Whole seconds from an arbitrary start. Nobody can set them.
    fn ticks(&self) -> i64;
}

/// The machine's clock; it must be kept by NTP, since assertions live for minutes only.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that may ask the machine
    fn now(&self) -> UnixSeconds {
        Timestamp::now().as_second()
    }

    fn ticks(&self) -> i64 {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGINNING.elapsed().as_secs().try_into().unwrap_or(i64::MAX)
    }
}

/// A moment in the life of this process.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    at: UnixSeconds,
    ticks: i64,
}

impl Moment {
    /// The current one.
    pub fn now(clock: &dyn Clock) -> Self {
        Self { at: clock.now(), ticks: clock.ticks() }
    }

    /// A moment so many seconds ago, perhaps before this process began.
    pub fn ago(clock: &dyn Clock, seconds: i64) -> Self {
        Self { at: clock.now() - seconds, ticks: clock.ticks() - seconds }
    }

    /// Its time of day.
    pub fn at(self) -> UnixSeconds {
        self.at
    }

    /// Its ticks.
    pub fn ticks(self) -> i64 {
        self.ticks
    }

    /// The age in seconds. The larger of clock and ticks counts: a clock may have been set back, and ticks stand still
    /// while a machine sleeps.
    pub fn age(self, clock: &dyn Clock) -> i64 {
        (clock.now() - self.at).max(clock.ticks() - self.ticks)
    }

    /// The seconds by which the clock was set since then, negative if it was set back; none when it was not set.
    pub fn step_since(self, clock: &dyn Clock) -> Option<i64> {
        let step = (clock.now() - self.at) - (clock.ticks() - self.ticks);
        (step.abs() > SLEW).then_some(step)
    }

    /// Whether the clock was set back since then.
    pub fn is_before_step_back(self, clock: &dyn Clock) -> bool {
        self.step_since(clock).is_some_and(|step| step < 0)
    }
}

/// The time as RFC 3339 text in UTC; a value outside the calendar's range is shown as a number.
pub fn rfc3339(at: UnixSeconds) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), |t| t.to_string())
}

/// The month of a time in UTC, as one number such as 202611; 0 for a value outside the calendar's range.
pub fn month_of(at: UnixSeconds) -> i64 {
    Timestamp::from_second(at).map_or(0, |at| {
        let date = at.to_zoned(TimeZone::UTC);
        i64::from(date.year()) * 100 + i64::from(date.month())
    })
}
