//! The claims of a signed event, read with exact types. The checks of times and audience are the same for every kind.

use serde_json::{Map, Value};

use crate::clock::UnixSeconds;

/// Longest accepted lifetime of a signed request, in seconds. Okta's live five minutes.
const MAX_LIFETIME: i64 = 600;
/// The latest accepted time: the year 9999.
const MAX_TIME: f64 = 253_402_300_799.0;

/// The claims of a token that an identity provider of the teamspace has signed.
pub(super) struct EventClaims(pub Map<String, Value>);

/// The time of a request, and how far the sender's clock may be off.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventClock {
    pub now: UnixSeconds,
    /// Seconds.
    pub skew: i64,
}

/// The life of a token that is valid now.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventLife {
    pub issued_at: UnixSeconds,
    /// The time from which the token is refused for its age alone.
    pub dead_at: UnixSeconds,
}

/// A rule that the claims break, in a sentence for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct EventFault(pub &'static str);

impl EventClaims {
    /// A claim; null counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text of at most so many bytes, which both databases can store.
    pub fn text(&self, name: &str, max: usize) -> Option<&str> {
        let is_sound = |text: &&str| (1..=max).contains(&text.len()) && !text.contains('\0');
        self.get(name)?.as_str().filter(is_sound)
    }

    /// The token's identifier, under which its use is recorded.
    pub fn id(&self) -> Result<&str, EventFault> {
        self.text("jti", 256).ok_or(EventFault("jti is missing or malformed."))
    }

    /// Whether the only audience is one of these.
    pub fn is_for(&self, audiences: &[&str]) -> bool {
        let only = match self.get("aud") {
            Some(Value::Array(list)) if list.len() == 1 => list.first(),
            other => other,
        };
        only.and_then(Value::as_str).is_some_and(|aud| audiences.contains(&aud))
    }

    /// The time of issue, which is not in the future and at most so old.
    pub fn issued_at(&self, clock: EventClock, max_age: i64) -> Result<UnixSeconds, EventFault> {
        let issued_at = self.time("iat")?.ok_or(EventFault("iat is missing."))?;
        if issued_at > clock.now + clock.skew {
            return Err(EventFault("iat is in the future; compare the clocks."));
        }
        match clock.now - issued_at > max_age + clock.skew {
            true => Err(EventFault("The token was issued too long ago.")),
            false => Ok(issued_at),
        }
    }

    /// The life of the token, bounded by `iat`, `nbf` and `exp`; one without `exp` lives as long as a token may.
    pub fn life(&self, clock: EventClock) -> Result<EventLife, EventFault> {
        let issued_at = self.issued_at(clock, MAX_LIFETIME)?;
        if self.time("nbf")?.is_some_and(|nbf| nbf > clock.now + clock.skew) {
            return Err(EventFault("The token is not valid yet; compare the clocks."));
        }
        let expires_at = self.time("exp")?.unwrap_or(issued_at + MAX_LIFETIME);
        if clock.now >= expires_at + clock.skew {
            return Err(EventFault("The token has expired."));
        }
        if expires_at <= issued_at || expires_at - issued_at > MAX_LIFETIME {
            return Err(EventFault("The token lives too long."));
        }
        Ok(EventLife { issued_at, dead_at: expires_at + clock.skew + 1 })
    }

    /// A NumericDate (RFC 7519 §2), in whole seconds; none where there is no such claim.
    fn time(&self, name: &str) -> Result<Option<UnixSeconds>, EventFault> {
        self.get(name).map(|value| seconds(value).ok_or(EventFault("A time is malformed."))).transpose()
    }
}

/// A time in whole seconds since 1970; the fraction is cut.
pub(super) fn seconds(value: &Value) -> Option<UnixSeconds> {
    let time = value.as_f64().filter(|time| (0.0..=MAX_TIME).contains(time))?;
    // In range, since it was bounded.
    Some(time as UnixSeconds)
}
