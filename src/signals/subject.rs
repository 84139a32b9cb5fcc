//! Subject identifiers (RFC 9493): whom an event is about.

use serde_json::{Map, Value};

use crate::email::plain_address;

/// Longest identifier in a subject, in bytes; as long as the `sub` of an assertion may be.
const MAX_ID: usize = 255;
/// Longest issuer in a subject, in bytes.
const MAX_ISSUER: usize = 512;

/// A person, by one of the formats that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By email address, in lower case.
    Email(String),
    /// By a subject at an issuer.
    IssuerSubject {
        /// The issuer, byte for byte.
        iss: String,
        /// The subject, byte for byte.
        sub: String,
    },
    /// By an identifier that both sides know: a subject of the sender's, or the id of a member here.
    Opaque(String),
}

/// Why a subject identifier names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectFault {
    /// It lacks a member of its format, or has one too many, or a value of another type.
    #[error("The subject is malformed.")]
    Malformed,
    /// Its format is none of those that we know.
    #[error("The format of the subject is not supported; use email, iss_sub or opaque.")]
    UnknownFormat,
}

impl Subject {
    /// Reads a subject identifier strictly: exactly the members of its format (RFC 9493 §3).
    pub fn read(value: &Value) -> Result<Self, SubjectFault> {
        let members = value.as_object().ok_or(SubjectFault::Malformed)?;
        let format = members.get("format").and_then(Value::as_str).ok_or(SubjectFault::Malformed)?;
        let subject = match format {
            "email" => only(members, 2).and_then(email),
            "iss_sub" => only(members, 3).and_then(|all| {
                Some(Self::IssuerSubject {
                    iss: text(all, "iss", MAX_ISSUER)?,
                    sub: text(all, "sub", MAX_ID)?,
                })
            }),
            "opaque" => only(members, 2).and_then(|all| text(all, "id", MAX_ID)).map(Self::Opaque),
            _ => return Err(SubjectFault::UnknownFormat),
        };
        subject.ok_or(SubjectFault::Malformed)
    }
}

/// The members, if there are exactly so many.
fn only(members: &Map<String, Value>, number: usize) -> Option<&Map<String, Value>> {
    (members.len() == number).then_some(members)
}

fn email(members: &Map<String, Value>) -> Option<Subject> {
    members.get("email").and_then(Value::as_str).and_then(plain_address).map(Subject::Email)
}

/// A text that both databases can store.
fn text(members: &Map<String, Value>, name: &str, max: usize) -> Option<String> {
    let text = members.get(name)?.as_str()?;
    ((1..=max).contains(&text.len()) && !text.contains('\0')).then(|| text.to_owned())
}
