//! The forms of fields: each function turns a value of a file into the JSON that the admin API shows for it, or gives
//! the line of the value that has another form.

use std::collections::HashSet;
use std::str::FromStr;

use serde_json::{Value, json};

use super::node::{Node, NodeValue};
use crate::email::{is_domain, plain_address};
use crate::model::client::AuthMethod;
use crate::model::identity_provider::{ClaimType, Provider};
use crate::model::member::Role;
use crate::model::teamspace::{Plan, is_slug, known_time_zone};
use crate::oauth::resource::is_resource_identifier;

/// The JSON, or the line of the value that is wrong.
pub type Formed = Result<Value, u64>;

/// A text as it is.
pub fn text(node: &Node) -> Formed {
    node.text().map(Value::from).ok_or(node.line)
}

/// A text, or null.
pub fn text_or_null(node: &Node) -> Formed {
    if node.is_null() { Ok(Value::Null) } else { text(node) }
}

/// A name, without the white space around it.
pub fn name(node: &Node) -> Formed {
    text_that(node, |text| Some(text.trim().to_owned()).filter(|name| !name.is_empty()))
}

pub fn flag(node: &Node) -> Formed {
    match node.value {
        NodeValue::Flag(flag) => Ok(flag.into()),
        _ => Err(node.line),
    }
}

/// A number of at least 0, or null for no limit.
pub fn limit(node: &Node) -> Formed {
    match node.value {
        NodeValue::Whole(number) if number >= 0 => Ok(number.into()),
        NodeValue::Null => Ok(Value::Null),
        _ => Err(node.line),
    }
}

pub fn slug(node: &Node) -> Formed {
    text_that(node, |text| is_slug(text).then(|| text.to_owned()))
}

pub fn identifier(node: &Node) -> Formed {
    text_that(node, |text| is_resource_identifier(text).then(|| text.to_owned()))
}

pub fn email(node: &Node) -> Formed {
    text_that(node, plain_address)
}

pub fn time_zone(node: &Node) -> Formed {
    text_that(node, known_time_zone)
}

/// Scopes with spaces between them, in one text.
pub fn scope_setting(node: &Node) -> Formed {
    text_that(node, |text| {
        Some(text.split(' ').filter(|scope| !scope.is_empty()).collect::<Vec<_>>().join(" "))
    })
}

pub fn plan(node: &Node) -> Formed {
    choice::<Plan>(node)
}

pub fn role(node: &Node) -> Formed {
    choice::<Role>(node)
}

pub fn provider(node: &Node) -> Formed {
    choice::<Provider>(node)
}

pub fn auth_method(node: &Node) -> Formed {
    choice::<AuthMethod>(node)
}

/// A JWK Set, or null. The service says what is wrong with a key.
pub fn jwks(node: &Node) -> Formed {
    match &node.value {
        NodeValue::Null => Ok(Value::Null),
        NodeValue::Object(_) => plain(node),
        _ => Err(node.line),
    }
}

/// A value as it is. Whole numbers are the only ones.
fn plain(node: &Node) -> Formed {
    match &node.value {
        NodeValue::Null => Ok(Value::Null),
        NodeValue::Flag(flag) => Ok((*flag).into()),
        NodeValue::Whole(number) => Ok((*number).into()),
        NodeValue::Text(text) => Ok(text.as_str().into()),
        NodeValue::Other(_) => Err(node.line),
        NodeValue::List(items) => items.iter().map(plain).collect::<Result<_, _>>().map(Value::Array),
        NodeValue::Object(members) => {
            let mut object = serde_json::Map::new();
            for (key, value) in members {
                if object.insert(key.name.clone(), plain(value)?).is_some() {
                    return Err(key.line);
                }
            }
            Ok(Value::Object(object))
        }
    }
}

/// A list of texts, none of them twice.
pub fn texts(node: &Node) -> Formed {
    list_of(node, text)
}

pub fn texts_or_null(node: &Node) -> Formed {
    if node.is_null() { Ok(Value::Null) } else { texts(node) }
}

pub fn domains(node: &Node) -> Formed {
    list_of(node, |item| text_that(item, |text| is_domain(text).then(|| text.to_ascii_lowercase())))
}

/// The scopes of a resource, with their descriptions.
pub fn scopes(node: &Node) -> Formed {
    list_of(node, |item| {
        let [name, description] = members(item, ["name", "description"])?;
        let description = description.map_or_else(|| Ok("".into()), text)?;
        Ok(json!({ "name": text(name.ok_or(item.line)?)?, "description": description }))
    })
}

/// The custom claims of an identity provider: names, or names with types.
pub fn custom_claims(node: &Node) -> Formed {
    list_of(node, |item| {
        if item.text().is_some() {
            return text(item);
        }
        let [name, claim_type] = members(item, ["name", "type"])?;
        let (name, claim_type) =
            (text(name.ok_or(item.line)?)?, choice::<ClaimType>(claim_type.ok_or(item.line)?)?);
        // As the API shows it.
        Ok(if claim_type == "text" { name } else { json!({ "name": name, "type": claim_type }) })
    })
}

/// The claim and the value by which an identity provider knows a member, or null.
pub fn link(node: &Node) -> Formed {
    if node.is_null() {
        return Ok(Value::Null);
    }
    let [claim, value] = members(node, ["claim", "value"])?;
    let (claim, value) = (text(claim.ok_or(node.line)?)?, text(value.ok_or(node.line)?)?);
    Ok(json!({ "claim": claim, "value": value }))
}

/// The members of an object that has no others.
fn members<'n, const N: usize>(node: &'n Node, names: [&str; N]) -> Result<[Option<&'n Node>; N], u64> {
    let mut found = [None; N];
    for (key, value) in node.object().ok_or(node.line)? {
        let at = names.iter().position(|name| *name == key.name).ok_or(key.line)?;
        let place = found.get_mut(at).ok_or(key.line)?;
        if place.replace(value).is_some() {
            return Err(key.line);
        }
    }
    Ok(found)
}

fn list_of(node: &Node, form: impl Fn(&Node) -> Formed) -> Formed {
    let (mut items, mut seen) = (Vec::new(), HashSet::new());
    for item in node.list().ok_or(node.line)? {
        let formed = form(item)?;
        if !seen.insert(formed.to_string()) {
            return Err(item.line);
        }
        items.push(formed);
    }
    Ok(Value::Array(items))
}

fn choice<T: FromStr>(node: &Node) -> Formed {
    text_that(node, |text| text.parse::<T>().is_ok().then(|| text.to_owned()))
}

fn text_that(node: &Node, form: impl Fn(&str) -> Option<String>) -> Formed {
    node.text().and_then(form).map(Value::String).ok_or(node.line)
}
