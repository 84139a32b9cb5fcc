//! Words for values: plans, times.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::UnixSeconds;
use crate::model::teamspace::Plan;

/// The word for a plan.
pub fn plan(plan: Plan) -> &'static str {
    match plan {
        Plan::Free => "Free",
        Plan::Pro => "Pro",
        Plan::Enterprise => "Enterprise",
    }
}

/// How long ago something was, such as `3 minutes ago`; a date if it is more than a month.
pub fn ago(at: UnixSeconds, now: UnixSeconds) -> String {
    let counted = |number: i64, unit: &str| match number {
        1 => format!("1 {unit} ago"),
        number => format!("{number} {unit}s ago"),
    };
    match now.saturating_sub(at) {
        ..60 => "just now".to_owned(),
        seconds @ 60..3600 => counted(seconds / 60, "minute"),
        seconds @ 3600..86_400 => counted(seconds / 3600, "hour"),
        seconds @ 86_400..2_678_400 => counted(seconds / 86_400, "day"),
        _ => date(at),
    }
}

/// A date, such as `3 Oct 2026`.
pub fn date(at: UnixSeconds) -> String {
    let time = Timestamp::from_second(at).map(|time| time.to_zoned(TimeZone::UTC));
    time.map_or_else(|_| at.to_string(), |time| time.strftime("%-d %b %Y").to_string())
}

/// A date and a time in UTC, such as `3 Oct 2026 14:02:07`.
pub fn date_and_time(at: UnixSeconds) -> String {
    let time = Timestamp::from_second(at).map(|time| time.to_zoned(TimeZone::UTC));
    time.map_or_else(|_| at.to_string(), |time| time.strftime("%-d %b %Y %H:%M:%S").to_string())
}
