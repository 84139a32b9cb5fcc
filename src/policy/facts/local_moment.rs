//! A moment by the clocks of a teamspace.

use crate::clock::UnixSeconds;

/// A time in a teamspace.
pub(in crate::policy) struct LocalMoment<'f> {
    pub now: UnixSeconds,
    pub time_zone: &'f str,
}

impl LocalMoment<'_> {
    pub(in crate::policy) fn now(&self) -> UnixSeconds {
        self.now
    }

    /// Monday is 1, Sunday 7 (ISO 8601), in UTC.
    pub(in crate::policy) fn weekday(&self) -> i64 {
        weekday(self.now)
    }

    /// The time of day in the teamspace, in seconds, cut to the minute.
    pub(in crate::policy) fn local_time(&self) -> i64 {
        let seconds = self.local().rem_euclid(86_400);
        seconds - seconds % 60
    }

    /// The local day of the week, numbered like [`Self::weekday`].
    pub(in crate::policy) fn local_weekday(&self) -> i64 {
        weekday(self.local())
    }

    /// The teamspace's local time, as if it were UTC. An unknown time zone counts as UTC.
    fn local(&self) -> UnixSeconds {
        let at = jiff::Timestamp::from_second(self.now).ok();
        let zone = jiff::tz::TimeZone::get(self.time_zone).ok();
        let offset = at.zip(zone).map_or(0, |(at, zone)| zone.to_offset(at).seconds());
        self.now.saturating_add(i64::from(offset))
    }
}

/// The first day of 1970 was a Thursday.
fn weekday(at: UnixSeconds) -> i64 {
    (at.div_euclid(86_400) + 3).rem_euclid(7) + 1
}
