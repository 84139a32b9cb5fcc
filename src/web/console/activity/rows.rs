//! Rows of the decision log as the list shows them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::{UnixSeconds, rfc3339};
use crate::store::sign_ins::SignIn;
use crate::store::snapshot::Snapshot;
use crate::web::console::reason_words::reason_words;

/// A row.
pub struct SignInRow {
    /// Empty where the row is not one request's.
    pub request_id: String,
    pub time: String,
    pub iso: String,
    /// The email, or else the subject; a dash where neither is known.
    pub person: String,
    /// The subject, where the email is shown.
    pub subject: String,
    pub is_granted: bool,
    /// Empty for a grant.
    pub reason: String,
    /// The event in one sentence, and what came and what was expected where that is known.
    pub why: String,
    pub client: String,
    pub scopes: String,
    /// The teamspace's slug; empty when it led to none.
    pub teamspace: String,
    /// The number of further refusals that the row stands for.
    pub repeated: i64,
}

impl SignInRow {
    /// Of a row as who looks may read it.
    pub fn of(row: SignIn, snapshot: &Snapshot) -> Self {
        let is_granted = row.outcome == "granted";
        let why = match is_granted {
            true => row.detail.clone(),
            false => reason_words(&row.reason).sentence.to_owned(),
        };
        let (person, subject) = match (row.email.is_empty(), row.subject.is_empty()) {
            (false, _) => (row.email, row.subject),
            (true, false) => (row.subject, String::new()),
            (true, true) => ("—".to_owned(), String::new()),
        };
        let teamspace = row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id));
        Self {
            request_id: row.request_id,
            time: time(row.at),
            iso: rfc3339(row.at),
            person,
            subject,
            is_granted,
            reason: row.reason,
            why,
            client: row.client_id,
            scopes: if is_granted { row.scopes_granted } else { row.scopes_asked },
            teamspace: teamspace.unwrap_or_default(),
            repeated: row.repeated,
        }
    }
}

/// A time in UTC, such as `28 Nov 14:02:07`.
pub fn time(at: UnixSeconds) -> String {
    let time = Timestamp::from_second(at).map(|time| time.to_zoned(TimeZone::UTC));
    time.map_or_else(|_| at.to_string(), |time| time.strftime("%-d %b %H:%M:%S").to_string())
}
