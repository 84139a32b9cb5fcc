//! Writes what a service has as a file that can be read again.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::field::FieldRule;
use super::kind::ObjectKind;
use super::object::FoundObject;
use super::proof::sends_secret;
use super::text::{quoted, yaml};
use crate::terminal::{escaped, for_json};

/// The language of a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// Commented.
    Yaml,
    /// Commented, and without what is null.
    Toml,
    /// Without comments.
    Json,
}

/// The file. A kind without objects has an empty list, if it is one of `kinds`.
pub fn written(found: &[FoundObject], kinds: &[ObjectKind], format: ExportFormat) -> String {
    let lists = kinds.iter().filter(|kind| kind.within().is_none());
    let mut text = String::from("# Written by `countersign export`. `countersign apply -f FILE` reads it.\n");
    match format {
        ExportFormat::Json => {
            let lists =
                lists.map(|kind| (kind.list().to_owned(), Value::Array(json_list(found, *kind, None))));
            return json_text(&Value::Object(lists.collect()));
        }
        ExportFormat::Yaml => lists.for_each(|kind| yaml_list(&mut text, found, (*kind, None), 0)),
        ExportFormat::Toml => {
            // In TOML everything after the head of a table belongs to it, so empty lists come first.
            let (full, empty): (Vec<&ObjectKind>, Vec<_>) =
                lists.partition(|kind| of(found, **kind, None).next().is_some());
            empty.iter().for_each(|kind| line(&mut text, 0, &format!("{} = []", kind.list())));
            full.iter().for_each(|kind| toml_list(&mut text, found, (**kind, None), kind.list()));
        }
    }
    text
}

/// JSON that YAML parsers read too, and that cannot control a terminal.
fn json_text(document: &Value) -> String {
    let text = escaped(&format!("{document:#}\n"), for_json);
    text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// The objects of a kind that files manage.
fn of<'f>(
    found: &'f [FoundObject],
    kind: ObjectKind,
    within: Option<&'f str>,
) -> impl Iterator<Item = &'f FoundObject> {
    let is_there = move |object: &&FoundObject| {
        object.kind == kind && object.within.as_deref() == within && object.is_for_files()
    };
    found.iter().filter(is_there)
}

/// The fields of an object in their order.
fn fields(object: &FoundObject) -> impl Iterator<Item = (&'static str, &Value)> {
    let value = |rule: &FieldRule| Some((rule.name, object.fields.get(rule.name)?));
    object.kind.fields().iter().filter_map(value)
}

fn json_list(found: &[FoundObject], kind: ObjectKind, within: Option<&str>) -> Vec<Value> {
    let object = |object: &FoundObject| {
        let mut members: Map<String, Value> =
            fields(object).map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let name = object.comparable_name();
        let lists =
            kind.nested().map(|inner| (inner.list().to_owned(), json!(json_list(found, inner, Some(&name)))));
        members.extend(lists);
        Value::Object(members)
    };
    of(found, kind, within).map(object).collect()
}

fn line(text: &mut String, indent: usize, line: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{:indent$}{line}", "");
}

/// The comments on an object, a line each.
fn comments(found: &[FoundObject], object: &FoundObject) -> Vec<String> {
    match object.kind {
        ObjectKind::Client | ObjectKind::Credential if sends_secret(object.kind, &object.fields) => {
            let name: String =
                object.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            vec![
                format!(
                    "# Secrets are not shown. To make this {} elsewhere, say where its secret is:",
                    object.kind.words()
                ),
                format!("# client_secret_file: \"secrets/{name}\""),
            ]
        }
        ObjectKind::Teamspace => {
            let is_left_out = |member: &&FoundObject| {
                member.kind == ObjectKind::Member
                    && member.within.as_deref() == Some(object.name())
                    && !member.is_for_files()
            };
            match found.iter().filter(is_left_out).count() {
                0 => Vec::new(),
                count => vec![format!("# Members left out, who came by a sign-in or are suspended: {count}")],
            }
        }
        _ => Vec::new(),
    }
}

fn yaml_list(
    text: &mut String,
    found: &[FoundObject],
    (kind, within): (ObjectKind, Option<&str>),
    indent: usize,
) {
    let name = kind.list();
    if of(found, kind, within).next().is_none() {
        return line(text, indent, &format!("{name}: []"));
    }
    line(text, indent, &format!("{name}:"));
    for object in of(found, kind, within) {
        for (number, (name, value)) in fields(object).enumerate() {
            let (indent, dash) = if number == 0 { (indent, "- ") } else { (indent + 2, "") };
            match value {
                Value::Array(items) if items.iter().any(Value::is_object) => {
                    line(text, indent, &format!("{dash}{name}:"));
                    items.iter().for_each(|item| line(text, indent + 2, &format!("- {}", yaml_value(item))));
                }
                value => line(text, indent, &format!("{dash}{name}: {}", yaml_value(value))),
            }
        }
        comments(found, object).iter().for_each(|comment| line(text, indent + 2, comment));
        let name = object.comparable_name();
        kind.nested().for_each(|inner| yaml_list(text, found, (inner, Some(&name)), indent + 2));
    }
}

fn yaml_value(value: &Value) -> String {
    match value {
        Value::String(text) => yaml(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(yaml_value))),
        Value::Object(members) => {
            format!(
                "{{{}}}",
                joined(members.iter().map(|(name, value)| format!("{}: {}", yaml(name), yaml_value(value))))
            )
        }
        other => other.to_string(),
    }
}

fn toml_list(
    text: &mut String,
    found: &[FoundObject],
    (kind, within): (ObjectKind, Option<&str>),
    path: &str,
) {
    for object in of(found, kind, within) {
        line(text, 0, &format!("\n[[{path}]]"));
        for (name, value) in fields(object).filter(|(_, value)| !value.is_null()) {
            line(text, 0, &format!("{name} = {}", toml_value(value)));
        }
        for comment in comments(found, object) {
            line(text, 0, &comment.replace("_file: ", "_file = "));
        }
        let name = object.comparable_name();
        let (full, empty): (Vec<_>, Vec<_>) =
            kind.nested().partition(|inner| of(found, *inner, Some(&name)).next().is_some());
        empty.iter().for_each(|inner| line(text, 0, &format!("{} = []", inner.list())));
        for inner in full {
            toml_list(text, found, (inner, Some(&name)), &format!("{path}.{}", inner.list()));
        }
    }
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(toml_value))),
        Value::Object(members) => {
            format!(
                "{{ {} }}",
                joined(members.iter().map(|(name, value)| format!(
                    "{} = {}",
                    toml_key(name),
                    toml_value(value)
                )))
            )
        }
        other => other.to_string(),
    }
}

/// The name of a member, in quotes unless TOML takes it without.
fn toml_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
