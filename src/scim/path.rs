//! Paths of attributes (RFC 7644 §3.5.2), such as `name.givenName`, `emails[type eq "work"].value`, and
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.

use std::str::FromStr;

use serde_json::Value;

use super::fault::ScimFault;

/// The longest path, in bytes.
const MAX_PATH: usize = 512;
/// The schema whose attributes need no prefix.
const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// The path of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributePath {
    /// The URN of the extension that the attribute belongs to; none for an attribute of the core schema.
    pub extension: Option<String>,
    /// The attribute's name, or the URN of an extension as a whole.
    pub attribute: String,
    /// Which of the attribute's values are meant; none for all.
    pub selection: Option<Selection>,
    /// The part of the value that is meant; none for all of it.
    pub sub_attribute: Option<String>,
}

/// The values of an attribute with a certain part, such as `type eq "work"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The name of the part.
    pub attribute: String,
    /// Its value: a text, number, boolean or null.
    pub value: Value,
}

impl FromStr for AttributePath {
    type Err = ScimFault;

    fn from_str(text: &str) -> Result<Self, ScimFault> {
        let (path, rest) = Self::parse(text).filter(|_| text.len() <= MAX_PATH).ok_or(ScimFault::Path)?;
        if rest.is_empty() { Ok(path) } else { Err(ScimFault::Path) }
    }
}

impl AttributePath {
    /// The path at the beginning of a text, and the rest of the text.
    pub(super) fn parse(text: &str) -> Option<(Self, &str)> {
        let (extension, rest) = split_urn(text)?;
        let (attribute, rest) = match extension {
            Prefix::Whole(urn) => return Some((Self::whole(urn), rest)),
            Prefix::Of(_) | Prefix::Core => name(rest)?,
        };
        let extension = if let Prefix::Of(urn) = extension { Some(urn.to_owned()) } else { None };
        let (selection, rest) = match rest.strip_prefix('[') {
            None => (None, rest),
            Some(inner) => {
                let (selection, rest) = comparison(inner.trim_start())?;
                (Some(selection), rest.trim_start().strip_prefix(']')?)
            }
        };
        let (sub_attribute, rest) = match rest.strip_prefix('.') {
            None => (None, rest),
            Some(rest) => {
                let (sub_attribute, rest) = name(rest)?;
                (Some(sub_attribute.to_owned()), rest)
            }
        };
        Some((Self { extension, attribute: attribute.to_owned(), selection, sub_attribute }, rest))
    }

    fn whole(urn: &str) -> Self {
        Self { extension: None, attribute: urn.to_owned(), selection: None, sub_attribute: None }
    }
}

/// The schema at the beginning of a path.
enum Prefix<'t> {
    /// The core schema, named or not.
    Core,
    /// An extension, of which an attribute follows.
    Of(&'t str),
    /// An extension, and nothing follows.
    Whole(&'t str),
}

/// The schema at the beginning of a path, and the rest of the text.
fn split_urn(text: &str) -> Option<(Prefix<'_>, &str)> {
    if !text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) {
        return Some((Prefix::Core, text));
    }
    let end = text.find(|c: char| c == '[' || c.is_whitespace()).unwrap_or(text.len());
    let colon = text.get(..end)?.rfind(':')?;
    let (urn, attribute) = (text.get(..colon)?, text.get(colon + 1..)?);
    if !urn.bytes().all(|b| b.is_ascii_alphanumeric() || b":.-_".contains(&b)) {
        return None;
    }
    let (last, rest) = name(attribute)?;
    if last.eq_ignore_ascii_case("user") && rest.is_empty() {
        return Some((Prefix::Whole(text), ""));
    }
    if urn.eq_ignore_ascii_case(CORE_USER) {
        return Some((Prefix::Core, attribute));
    }
    Some((Prefix::Of(urn), attribute))
}

/// The attribute name at the beginning of a text (RFC 7643 §2.1, and `$ref`), and the rest of the text.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$').then_some((name, rest))
}

fn comparison(text: &str) -> Option<(Selection, &str)> {
    let (attribute, rest) = name(text)?;
    let (value, rest) = equals(rest)?;
    Some((Selection { attribute: attribute.to_owned(), value }, rest))
}

/// The value behind `eq` at the beginning of a text, and the rest of the text.
pub(super) fn equals(text: &str) -> Option<(Value, &str)> {
    let (operator, rest) = text.strip_prefix(char::is_whitespace)?.trim_start().split_at_checked(2)?;
    let literal = rest.strip_prefix(char::is_whitespace)?.trim_start();
    // Objects and lists are no values of a comparison.
    if !operator.eq_ignore_ascii_case("eq") || literal.starts_with(['{', '[']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(literal).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, literal.get(values.byte_offset()..)?))
}
