//! A user as an identity provider describes them (RFC 7643 §4.1).

use serde_json::{Map, Value};

use super::fault::ScimFault;
use crate::email::plain_address;
use crate::oauth::json::parse_object;

/// The longest `userName` and `externalId`, in bytes.
const MAX_NAME: usize = 254;
/// The longest profile that is kept, in bytes of JSON.
const MAX_PROFILE: usize = 4096;
/// The attributes that have a meaning here. Their names are the same in upper and lower case (RFC 7643 §2.1).
const KNOWN: [&str; 9] =
    ["userName", "externalId", "active", "emails", "schemas", "id", "meta", "password", "groups"];
/// The attributes that are not kept as they are sent: ours, secret, or kept elsewhere.
const NOT_KEPT: [&str; 7] = ["externalId", "active", "schemas", "id", "meta", "password", "groups"];

/// A user as an identity provider describes them. Unknown attributes are kept as far as there is room.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserDocument(pub(super) Map<String, Value>);

/// Reads a JSON object strictly. PostgreSQL cannot store NUL.
pub(super) fn read_object(body: &[u8]) -> Result<Map<String, Value>, ScimFault> {
    let object = parse_object(body).ok_or(ScimFault::Body)?;
    let names_nul = body.windows(6).any(|window| window.eq_ignore_ascii_case(b"\\u0000"));
    if names_nul && object.iter().any(|(name, value)| name.contains('\0') || has_nul(value)) {
        return Err(ScimFault::Body);
    }
    Ok(object)
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// The name under which an object has a member, whose case does not count; the known spelling if it has none.
pub(super) fn key_in(object: &Map<String, Value>, name: &str) -> String {
    let same = |known: &&str| known.eq_ignore_ascii_case(name);
    if let Some(known) = KNOWN.iter().find(|known| same(known) && object.contains_key(**known)) {
        return (*known).to_owned();
    }
    let existing = object.keys().find(|key| key.eq_ignore_ascii_case(name)).map(String::as_str);
    existing.or(KNOWN.iter().copied().find(same)).unwrap_or(name).to_owned()
}

/// Whether a value means true or false. Some identity providers write a text, or wrap the value.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::Array(items) if items.len() == 1 => items.first().and_then(truth),
        Value::Object(members) => members.get("value").and_then(truth),
        _ => None,
    }
}

impl UserDocument {
    /// Reads the body of a request.
    pub fn read(body: &[u8]) -> Result<Self, ScimFault> {
        let mut document = Map::new();
        for (name, value) in read_object(body)? {
            let key = key_in(&document, &name);
            if document.insert(key, value).is_some() {
                return Err(ScimFault::Body);
            }
        }
        Ok(Self(document))
    }

    /// The document of a user who is kept: the profile, and what is kept beside it.
    pub fn kept(profile: &str, external_id: Option<&str>) -> Self {
        let mut document: Map<String, Value> = serde_json::from_str(profile).unwrap_or_default();
        if let Some(external_id) = external_id {
            document.insert("externalId".to_owned(), external_id.into());
        }
        Self(document)
    }

    /// The `userName`, in lower case.
    pub fn user_name(&self) -> Result<String, ScimFault> {
        match self.0.get("userName") {
            Some(Value::String(name)) if is_name(name) => Ok(name.to_lowercase()),
            _ => Err(ScimFault::UserName),
        }
    }

    /// The user's id at the identity provider, if it sent one.
    pub fn external_id(&self) -> Result<Option<String>, ScimFault> {
        match self.0.get("externalId") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) if is_name(id) => Ok(Some(id.clone())),
            Some(_) => Err(ScimFault::ExternalId),
        }
    }

    /// Whether the user is to be active; none if that is not said.
    pub fn active(&self) -> Result<Option<bool>, ScimFault> {
        match self.0.get("active") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => truth(value).map(Some).ok_or(ScimFault::Active),
        }
    }

    /// The user's address in lower case: the primary one, or that of work, or the first, or the `userName`.
    pub fn email(&self) -> Option<String> {
        let emails = self.0.get("emails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let primary = emails.iter().filter(|email| email.get("primary").and_then(truth) == Some(true));
        let is_work = |email: &&Value| {
            let kind = email.get("type").and_then(Value::as_str);
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
        };
        let by_preference = primary.chain(emails.iter().filter(is_work)).chain(emails);
        let addresses = by_preference.filter_map(|email| email.get("value").unwrap_or(email).as_str());
        let user_name = self.0.get("userName").and_then(Value::as_str);
        addresses.chain(user_name).find_map(plain_address)
    }

    /// The attributes that are kept, as JSON of at most 4 KiB. What takes most room is left out first, but never the
    /// names by which the user is known.
    pub fn into_profile(self) -> Result<String, ScimFault> {
        let mut kept = self.0;
        kept.retain(|name, value| {
            !value.is_null() && !NOT_KEPT.iter().any(|not_kept| not_kept.eq_ignore_ascii_case(name))
        });
        loop {
            let json = Value::Object(kept.clone()).to_string();
            if json.len() <= MAX_PROFILE {
                return Ok(json);
            }
            let dispensable =
                kept.iter().filter(|(name, _)| !["userName", "emails"].contains(&name.as_str()));
            let longest = dispensable.max_by_key(|(name, value)| name.len() + value.to_string().len());
            let name = longest.map(|(name, _)| name.clone()).ok_or(ScimFault::TooLong)?;
            kept.remove(&name);
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}
