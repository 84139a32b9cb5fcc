//! This machine's time against the database's and that of everybody whose `Date` was seen.

use super::line::Lines;
use super::patient::Patient;
use crate::clock::MAX_DIFFERENCE;

/// Differences up to this are left to the time that an answer takes, in seconds.
const UNNOTICED: i64 = 2;

const SET_IT: &str = "Keep this machine's clock right with NTP (`timedatectl`, `chronyc tracking`). If other clocks agree with \
    it, it is theirs that is wrong.";

/// Compares the clocks that the other checks have read.
pub(super) fn examine(patient: &Patient, lines: &Lines) {
    let readings = patient.readings.take();
    if readings.is_empty() {
        return lines.warn(
            "clock",
            "There is no other clock to compare with: nobody answered with a date.",
            "Keep this machine's clock right with NTP, and run this again when the issuer answers.",
        );
    }
    let skew = patient.config.assertion.clock_skew.as_secs();
    for (of, difference) in readings {
        let limit = if of == "database" { MAX_DIFFERENCE } else { skew.max(UNNOTICED) };
        let whose = whose(&of);
        let message = format!("This machine's clock is {} {whose}.", told(difference));
        match difference.abs() {
            // The difference and the limit are both cut to whole seconds.
            found if found > limit + 1 => {
                let message = format!("{message} {}", consequence(&of, limit));
                lines.fail(&of, message, SET_IT);
            }
            found if found > UNNOTICED.max(limit / 2) => lines.warn(&of, message, SET_IT),
            _ => lines.ok(&of, message),
        }
    }
}

fn told(difference: i64) -> String {
    match difference {
        0 => "the same as that of".to_owned(),
        ahead if ahead > 0 => format!("{ahead} s ahead of that of"),
        behind => format!("{} s behind that of", behind.saturating_neg()),
    }
}

fn whose(of: &str) -> String {
    match of {
        "database" | "issuer" => format!("the {of}"),
        url => url.to_owned(),
    }
}

fn consequence(of: &str, limit: i64) -> String {
    match of {
        "database" => format!("Beyond {limit} s the service is not ready, and deletes nothing."),
        "issuer" => "The service and its proxy or this machine disagree about the time.".to_owned(),
        _ => format!("Beyond {limit} s (`assertion.clock_skew`) its assertions are refused."),
    }
}
