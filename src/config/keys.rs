//! The names of all keys, to find the one that was meant.

use serde_json::Value;

use super::Config;

/// Where a wrong key was written, and so how the right one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    InFile,
    /// As a variable with this prefix.
    AsVariable(&'static str),
}

/// The end of the sentence about an unknown key: the key that was probably meant, or else those that its section has.
pub(super) fn hint(key: &[String], section_has: &[&str], written: Written) -> String {
    let names: Vec<&str> = key.iter().map(String::as_str).filter(|part| !is_position(part)).collect();
    let Some((unknown, section)) = names.split_last() else { return String::new() };
    let near = section_has.iter().map(|name| (strsim::damerau_levenshtein(unknown, name), *name)).min();
    if let Some((_, name)) = near.filter(|(distance, _)| *distance <= 2.max(unknown.len() / 4)) {
        return match written {
            Written::InFile => format!("; did you mean `{name}`?"),
            Written::AsVariable(prefix) => {
                // With the positions in lists, as they were written.
                let above = key.split_last().map_or(&[][..], |(_, above)| above);
                let parts = above.iter().map(String::as_str).chain([name]);
                format!("; did you mean {}?", variable(prefix, parts))
            }
        };
    }
    match elsewhere(unknown, section) {
        Some(meant) => format!("; did you mean {}?", shown(&meant, written)),
        None if section_has.is_empty() => String::new(),
        None => format!("; expected one of {}", section_has.join(", ")),
    }
}

/// A key of another section that has this name, or that differs only in where its section ends.
fn elsewhere(unknown: &str, section: &[&str]) -> Option<String> {
    let flat = |key: &str| key.replace(['.', '_'], "");
    let whole = flat(&section.join(".")) + &flat(unknown);
    let all = all();
    let same = all.iter().find(|key| flat(key) == whole);
    same.or_else(|| all.iter().find(|key| key.rsplit('.').next() == Some(unknown))).cloned()
}

fn shown(key: &str, written: Written) -> String {
    match (written, key.rsplit_once('.')) {
        (Written::AsVariable(prefix), _) => variable(prefix, key.split('.')),
        (Written::InFile, Some((section, name))) => format!("`{name}` in the section [{section}]"),
        (Written::InFile, None) => format!("`{key}` above the first section"),
    }
}

fn variable<'a>(prefix: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<String> = parts.map(str::to_ascii_uppercase).collect();
    format!("`{prefix}{}`", parts.join("__"))
}

pub(super) fn is_position(part: &str) -> bool {
    part.parse::<usize>().is_ok()
}

/// Every key with its section, such as `jwks.max_age`.
fn all() -> Vec<String> {
    let schema = Config::json_schema();
    let mut keys = Vec::new();
    collect(&schema, &schema, "", &mut keys);
    keys
}

fn collect(root: &Value, schema: &Value, key: &str, keys: &mut Vec<String>) {
    let reference = schema["$ref"].as_str().and_then(|to| root.pointer(to.strip_prefix('#')?));
    let schema = reference.unwrap_or(schema);
    // A section that may be missing.
    if let Some(present) = schema["anyOf"].as_array().and_then(|options| options.first()) {
        return collect(root, present, key, keys);
    }
    match schema["properties"].as_object() {
        Some(properties) => {
            let dot = if key.is_empty() { "" } else { "." };
            properties
                .iter()
                .for_each(|(name, below)| collect(root, below, &format!("{key}{dot}{name}"), keys));
        }
        None => keys.push(key.to_owned()),
    }
}
