//! Values as people write them in a case file, and the facts that they become.

use std::fmt;
use std::net::IpAddr;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::Duration;
use crate::model::client::AuthMethod;
use crate::model::teamspace::{Plan, known_time_zone};
use crate::oauth::scope::split_scope;
use crate::policy::facts::{Actor, CustomClaims, OptionalClaim};

/// A value as it is written.
pub(super) trait WrittenFact {
    type Value;

    /// The value; none if it is an empty text, which states that there is no value.
    fn value(self) -> Option<Self::Value>;
}

/// A fact that a case may leave open.
pub(super) trait Open<V> {
    fn of(stated: Option<V>) -> Self;
}

/// The fact that a case states.
pub(super) fn fact<W: WrittenFact, F: Open<W::Value>>(written: Option<W>) -> F {
    F::of(written.and_then(W::value))
}

impl<V> Open<V> for Option<V> {
    fn of(stated: Option<V>) -> Self {
        stated
    }
}

macro_rules! with_default {
    ($($kind:ty = $default:expr),+ $(,)?) => {
        $(impl Open<Self> for $kind {
            fn of(stated: Option<Self>) -> Self {
                stated.unwrap_or_else(|| $default)
            }
        })+
    };
}
with_default!(
    String = Self::new(),
    bool = false,
    Vec<String> = Self::new(),
    Vec<OptionalClaim> = Self::new(),
    CustomClaims = Self::default(),
    Plan = Self::Enterprise,
    AuthMethod = Self::Basic,
);

macro_rules! as_written {
    ($($kind:ty),+) => {
        $(impl WrittenFact for $kind {
            type Value = Self;

            fn value(self) -> Option<Self> {
                Some(self)
            }
        })+
    };
}
as_written!(bool, Vec<String>, Vec<OptionalClaim>, IpAddr, Plan, AuthMethod, Actor, CustomClaims);

/// A text claim is never empty, so an empty text here states that there is none.
impl WrittenFact for String {
    type Value = Self;

    fn value(self) -> Option<Self> {
        Some(self).filter(|text| !text.is_empty())
    }
}

/// Texts that become lower case.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct LowerCase<T>(T);

impl WrittenFact for LowerCase<String> {
    type Value = String;

    fn value(self) -> Option<String> {
        self.0.to_ascii_lowercase().value()
    }
}

impl WrittenFact for LowerCase<Vec<String>> {
    type Value = Vec<String>;

    fn value(self) -> Option<Vec<String>> {
        Some(self.0.iter().map(|text| text.to_ascii_lowercase()).collect())
    }
}

/// Scopes in one text, separated by spaces.
#[derive(Debug, Clone)]
pub(super) struct ScopeList(pub Vec<String>);

impl<'de> Deserialize<'de> for ScopeList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let scopes = split_scope(&text);
        scopes.map(Self).map_err(|_| de::Error::custom(format!("`{text}` is no list of scopes")))
    }
}

impl WrittenFact for ScopeList {
    type Value = Vec<String>;

    fn value(self) -> Option<Vec<String>> {
        Some(self.0)
    }
}

/// The name of a time zone.
#[derive(Debug, Clone)]
pub(super) struct TimeZoneName(String);

impl<'de> Deserialize<'de> for TimeZoneName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unknown = || format!("`{text}` is no time zone; write Europe/Berlin");
        known_time_zone(&text).map(Self).ok_or_else(|| de::Error::custom(unknown()))
    }
}

impl WrittenFact for TimeZoneName {
    type Value = String;

    fn value(self) -> Option<String> {
        Some(self.0)
    }
}

impl WrittenFact for OneOrMore {
    type Value = Vec<String>;

    fn value(self) -> Option<Vec<String>> {
        Some(self.0)
    }
}

impl WrittenFact for Age {
    type Value = i64;

    fn value(self) -> Option<i64> {
        Some(self.0)
    }
}

/// A text, or a list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOrMore(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMore)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

/// Seconds, or a duration such as `8h`.
#[derive(Debug, Clone, Copy)]
pub struct Age(pub i64);

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;
        impl Visitor<'_> for Seconds {
            type Value = Age;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds, or a duration such as \"8h\"")
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Age, E> {
                Ok(Age(seconds))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Age, E> {
                text.parse::<Duration>().map(|age| Age(age.as_secs())).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Seconds)
    }
}

/// A time, written as in RFC 3339, with or without quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub i64);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// TOML has a form of its own for times.
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a time such as 2026-01-05T09:30:00Z")]
        enum WrittenTime {
            Text(String),
            Date(toml::value::Datetime),
        }
        let text = match WrittenTime::deserialize(deserializer)? {
            WrittenTime::Text(text) => text,
            WrittenTime::Date(date) => date.to_string(),
        };
        let parsed: jiff::Timestamp = text
            .parse()
            .map_err(|_| de::Error::custom(format!("`{text}` is no time; write 2026-01-05T09:30:00Z")))?;
        Ok(Self(parsed.as_second()))
    }
}
