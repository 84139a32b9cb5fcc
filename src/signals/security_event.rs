//! Security Event Tokens (RFC 8417) of the Shared Signals Framework: CAEP's session-revoked and credential-change end
//! the person's sessions. All other events are acknowledged, since the receipt of a token says nothing about what is
//! done with it (RFC 8935 §2).

use std::sync::Arc;

use serde_json::Value;

use super::authenticate::{SignedEvent, authenticate};
use super::claims::{EventFault, seconds};
use super::end_sessions::Ending;
use super::refusal::SignalRefusal;
use super::subject::{Subject, SubjectFault};
use crate::admin::Origin;
use crate::app::App;
use crate::clock::{DAY, UnixSeconds};
use crate::model::revocation::RevocationCause;
use crate::model::signal_endpoint::SignalEndpoint;

/// How old a token may be, in seconds: senders try again for days. Its id is remembered as long.
const MAX_AGE: i64 = 7 * DAY;
/// Times from here on are in milliseconds, as Okta writes them: in seconds it would be the year 5138.
const FIRST_MILLISECONDS: f64 = 100_000_000_000.0;

/// The events that end sessions (CAEP §3.1 and §3.3).
const ENDING_EVENTS: [&str; 2] = [
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
];

/// What became of a token that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It ended somebody's sessions.
    Ended,
    /// It was acknowledged, and nothing had to be done; the text says why, for the log.
    Acknowledged(&'static str),
}

/// Receives a Security Event Token.
pub async fn receive(
    app: &Arc<App>,
    slug: &str,
    token: &str,
    origin: &Origin,
) -> Result<Received, SignalRefusal> {
    let signed = authenticate(app, slug, token, |typ| typ == "secevent+jwt").await?;
    let own = SignalEndpoint::SecurityEvents.url(&app.config.issuer, slug);
    if !signed.claims.is_for(&[&own, &app.config.issuer]) {
        return Err(SignalRefusal::Audience);
    }
    signed.claims.id()?;
    let issued_at = signed.claims.issued_at(signed.clock, MAX_AGE)?;
    let (name, event) = only_event(&signed)?;
    if !ENDING_EVENTS.contains(&name) {
        return Ok(Received::Acknowledged("an event of another type"));
    }
    let subject = match subject_of(&signed, event).map(Subject::read) {
        None => return Ok(Received::Acknowledged("an event about no person")),
        Some(Err(SubjectFault::UnknownFormat)) => {
            return Ok(Received::Acknowledged("a subject in another format"));
        }
        Some(read) => read?,
    };
    let at = time_of(&signed, event)?.unwrap_or(issued_at);
    let times = (at, issued_at + MAX_AGE + signed.clock.skew + 1);
    let ending = Ending::of(&signed, subject, RevocationCause::SecurityEvent, times, origin);
    match ending.perform(app).await {
        Ok(()) => Ok(Received::Ended),
        Err(SignalRefusal::UnknownUser) => Ok(Received::Acknowledged("no such member")),
        Err(SignalRefusal::Repeated) => Ok(Received::Acknowledged("received before")),
        Err(refusal) => Err(refusal),
    }
}

/// The only event of a token, with its type. Tokens about sign-ins have `sub` and `exp`, and these have none
/// (CAEP Interoperability Profile §2.6).
fn only_event(signed: &SignedEvent) -> Result<(&str, &Value), EventFault> {
    if signed.claims.get("sub").is_some() || signed.claims.get("exp").is_some() {
        return Err(EventFault("A security event token has no sub and no exp."));
    }
    let events = signed.claims.get("events").and_then(Value::as_object);
    let events = events.ok_or(EventFault("events is missing or no object."))?;
    let mut all = events.iter();
    match (all.next(), all.next()) {
        (Some((name, event)), None) if event.is_object() => Ok((name, event)),
        _ => Err(EventFault("events must have exactly one event, which is an object.")),
    }
}

/// The subject: `sub_id` of the token, or `subject` of the event as before SSF 1.0. Of a complex subject, the user.
fn subject_of<'s>(signed: &'s SignedEvent, event: &'s Value) -> Option<&'s Value> {
    let subject = signed.claims.get("sub_id").or_else(|| event.get("subject"))?;
    let is_simple = subject.get("format").is_some_and(|format| format != "complex");
    if is_simple { Some(subject) } else { subject.get("user") }
}

/// The time of the event: `event_timestamp`, or `toe` of the token (RFC 8417 §2.2).
fn time_of(signed: &SignedEvent, event: &Value) -> Result<Option<UnixSeconds>, EventFault> {
    let Some(value) = event.get("event_timestamp").or_else(|| signed.claims.get("toe")) else {
        return Ok(None);
    };
    let malformed = EventFault("event_timestamp is no time.");
    let time = match value.as_f64() {
        Some(milliseconds) if milliseconds >= FIRST_MILLISECONDS => {
            seconds(&Value::from(milliseconds / 1000.0))
        }
        _ => seconds(value),
    };
    time.map(Some).ok_or(malformed)
}
