//! `sub_id` with a SAML NameID (draft §3.2; RFC 9493 §3).

use serde_json::{Map, Value, json};

use super::reader::{ClaimFault, ClaimRead, Reader, kind, missing};
use crate::exchange::near_miss::AT_THE_PROVIDER;
use crate::oauth::difference::expectation;
use crate::oauth::error::{CLAIM_MALFORMED, Reason, TokenError};

/// The format of the subject identifier.
const FORMAT: &str = "saml-nameid";
/// Names a session and not a person (SAML Core §8.3.8).
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
/// Everything beside the NameID that makes it unique, if it is there.
const QUALIFIERS: [&str; 4] = ["nameid_format", "name_qualifier", "sp_name_qualifier", "sp_provided_id"];
/// Longest member, in bytes.
const MAX_TEXT: usize = 512;

/// The NameID and all its qualifiers as one text, which is compared as a whole: never the NameID alone (draft §9.5).
/// `issuer` is the only SAML issuer whose NameIDs are taken.
pub(super) fn read(payload: &Map<String, Value>, issuer: &str) -> Result<String, TokenError> {
    let value = Reader::new(payload)?.get("sub_id")?.ok_or_else(|| missing("sub_id"))?;
    let Value::Object(sub_id) = value else {
        return Err(ClaimFault::new("sub_id", "an object", &kind(value)).into());
    };
    let format = required(sub_id, "format")?;
    if format != FORMAT {
        return Err(malformed(expectation("sub_id.format", FORMAT, format, AT_THE_PROVIDER)));
    }
    let named = required(sub_id, "issuer")?;
    if named != issuer {
        return Err(malformed(expectation("sub_id.issuer", issuer, named, AT_THE_PROVIDER)));
    }
    let name = required(sub_id, "nameid")?;
    let mut parts = vec![Some(name)];
    for qualifier in QUALIFIERS {
        parts.push(member(sub_id, qualifier)?);
    }
    if member(sub_id, "nameid_format")? == Some(TRANSIENT) {
        return Err(malformed(
            "sub_id.nameid_format is transient, which names a session and no person".to_owned(),
        ));
    }
    Ok(format!("{FORMAT}:{}", json!(parts)))
}

fn malformed(detail: String) -> TokenError {
    TokenError::invalid_grant(Reason::CLAIM_MALFORMED, CLAIM_MALFORMED).detail(detail)
}

fn required<'v>(sub_id: &'v Map<String, Value>, name: &str) -> Result<&'v str, TokenError> {
    member(sub_id, name)?.ok_or_else(|| missing(&format!("sub_id.{name}")))
}

fn member<'v>(sub_id: &'v Map<String, Value>, name: &str) -> ClaimRead<&'v str> {
    match sub_id.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=MAX_TEXT).contains(&text.len()) && !text.contains('\0') => {
            Ok(Some(text))
        }
        Some(other) => {
            let expected = format!("a string of 1 to {MAX_TEXT} bytes without NUL");
            Err(ClaimFault::new(&format!("sub_id.{name}"), &expected, &kind(other)))
        }
    }
}
