//! `docs/reference/configuration.md`, from the schema of the configuration and from its checks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use countersign::config::Config;
use serde_json::{Map, Value};

use super::{cell, notice};
use crate::docs::assert_generated;

/// A table of keys.
struct Section {
    /// As it is written in the file; empty for the keys outside all tables.
    name: String,
    about: String,
    keys: Vec<Key>,
}

struct Key {
    /// With the names of its tables, as in `console.oidc.issuer`.
    name: String,
    form: Value,
    /// None where a list of tables is set as a whole.
    variable: Option<String>,
    is_required: bool,
}

/// The form that a reference leads to, or the form itself.
fn resolved<'s>(schema: &'s Value, form: &'s Value) -> &'s Value {
    let options = form["anyOf"].as_array().into_iter().flatten();
    let option = options.into_iter().find(|option| option["type"] != "null").unwrap_or(form);
    match option["$ref"].as_str() {
        Some(reference) => &schema["$defs"][reference.rsplit('/').next().unwrap()],
        None => option,
    }
}

fn text<'v>(form: &'v Value, name: &str) -> &'v str {
    form[name].as_str().unwrap_or_default()
}

/// Adds a table, and those inside it after it.
fn add_section(schema: &Value, table: &Value, path: &str, about: &str, sections: &mut Vec<Section>) {
    let is_list = path.ends_with("[]");
    let plain = path.trim_end_matches("[]");
    let name = if is_list { format!("[[{plain}]]") } else { format!("[{plain}]") };
    let name = if path.is_empty() { String::new() } else { name };
    let place = sections.len();
    sections.push(Section { name, about: about.to_owned(), keys: Vec::new() });
    let required: Vec<&str> =
        table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, form) in table["properties"].as_object().unwrap() {
        let inner = if plain.is_empty() { key.clone() } else { format!("{plain}.{key}") };
        let target = resolved(schema, form);
        let item = resolved(schema, &target["items"]);
        let about = text(form, "description");
        if target["properties"].is_object() {
            add_section(schema, target, &inner, about, sections);
        } else if item["properties"].is_object() && target["type"] == "array" {
            add_section(schema, item, &format!("{inner}[]"), about, sections);
        } else {
            let variable = (!is_list).then(|| variable(&inner));
            let is_required = required.contains(&key.as_str());
            sections[place].keys.push(Key { name: inner, form: form.clone(), variable, is_required });
        }
    }
}

fn variable(key: &str) -> String {
    format!("COUNTERSIGN_{}", key.to_uppercase().replace('.', "__"))
}

/// The values of an enumeration with what they mean.
fn values(form: &Value) -> Vec<(&str, &str)> {
    let options = form["oneOf"].as_array().into_iter().flatten();
    options.filter_map(|option| Some((option["const"].as_str()?, text(option, "description")))).collect()
}

/// What the type of a value is called.
fn kind(schema: &Value, form: &Value) -> String {
    let target = resolved(schema, form);
    let named = form["$ref"]
        .as_str()
        .or_else(|| form["anyOf"].as_array()?.iter().find_map(|option| option["$ref"].as_str()));
    match named.and_then(|name| name.rsplit('/').next()) {
        Some("Duration") => return "duration".to_owned(),
        Some("ByteSize") => return "size".to_owned(),
        Some("Secret") => return "secret".to_owned(),
        _ => {}
    }
    let values = values(target);
    if !values.is_empty() {
        return values.iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    let first = |kind: &Value| match kind {
        Value::Array(kinds) => {
            kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")).map(str::to_owned)
        }
        kind => kind.as_str().map(str::to_owned),
    };
    match first(&target["type"]).as_deref() {
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("array") => "list".to_owned(),
        Some("object") => "table".to_owned(),
        _ => "text".to_owned(),
    }
}

/// The range of each key that has one, in the words of the check that refuses what is outside it.
fn ranges(schema: &Value, sections: &[Section]) -> BTreeMap<String, String> {
    let mut file = String::new();
    let keys = || {
        sections.iter().filter(|section| !section.name.starts_with("[[")).flat_map(|section| &section.keys)
    };
    for key in keys() {
        let wrong = match kind(schema, &key.form).as_str() {
            "duration" => "\"40000d\"",
            "size" => "\"1024MiB\"",
            "number" => "4000000000",
            _ => continue,
        };
        writeln!(file, "{} = {wrong}", key.name).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("countersign.toml");
    std::fs::write(&path, file).unwrap();
    let said = Config::load(Some(Path::new(&path))).unwrap_err().to_string();
    let range = |key: &Key| {
        let (_, rest) = said.split_once(&format!("`{}` = `", key.name))?;
        let (_, why) = rest.lines().next()?.split_once("`: must be ")?;
        Some((key.name.clone(), why.to_owned()))
    };
    keys().filter_map(range).collect()
}

/// A default as it is written in the file.
fn default(key: &Key) -> String {
    match key.form.get("default") {
        None if key.is_required => "required".to_owned(),
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
    }
}

const HEAD: &str = "# Configuration

Every key of `countersign.toml`, with its type, its default and the environment variable that sets it.
[examples/config.toml](../../examples/config.toml) is a file with all of them.

A value comes from the environment, else from the file, else it is the default. The file is `countersign.toml` in the current
directory, or the one that `--config FILE` names. An unknown key is an error; so is an unknown variable that begins with
`COUNTERSIGN_`. An empty variable counts as unset. `countersign config check` finds every problem at once,
`countersign config show` prints what is in force. [How to configure a container](../operations.md#configuration-from-the-environment).

- A **duration** is written `30s`, `10m`, `1h` or `30d`; a **size** `16KiB`, `1MiB` or a number of bytes.
- A **secret** is never shown or logged.
- A **list** of texts in a variable is written with commas, `a@example.com,b@example.com`, or as in TOML, `[\"a@example.com\"]`; a
  **table** as in TOML, `{name=\"value\"}`.
- Relative paths are relative to the directory in which the command runs.

";

fn table(schema: &Value, section: &Section, ranges: &BTreeMap<String, String>) -> String {
    let mut text = String::from(
        "| Key | Type and range | Default | Meaning | Variable |\n| --- | --- | --- | --- | --- |\n",
    );
    for key in &section.keys {
        let range = ranges.get(&key.name).map(|range| format!(", {range}")).unwrap_or_default();
        let (kind, default) = (kind(schema, &key.form), default(key));
        let variable = key.variable.as_ref().map_or("–".to_owned(), |name| format!("`{name}`"));
        let about = cell(self::text(&key.form, "description"));
        writeln!(text, "| `{}` | {kind}{range} | {default} | {about} | {variable} |", key.name).unwrap();
    }
    for key in &section.keys {
        let values = values(resolved(schema, &key.form));
        if values.iter().any(|(_, about)| !about.is_empty()) {
            writeln!(text, "\n| `{}` | |\n| --- | --- |", key.name).unwrap();
            values
                .iter()
                .for_each(|(value, about)| writeln!(text, "| `{value}` | {} |", cell(about)).unwrap());
        }
    }
    text
}

fn page() -> String {
    let schema = Config::json_schema();
    let mut sections = Vec::new();
    add_section(&schema, &schema, "", "", &mut sections);
    let ranges = ranges(&schema, &sections);
    assert!(ranges.len() > 20, "the ranges are not understood: {ranges:?}");
    let mut text = HEAD.to_owned() + &notice("`src/config.rs` and `src/config/`");
    for section in &sections {
        let heading = match section.name.as_str() {
            "" => "Outside all tables".to_owned(),
            name => format!("`{name}`"),
        };
        write!(text, "\n## {heading}\n\n").unwrap();
        if !section.about.is_empty() {
            write!(text, "{}\n\n", cell(&section.about)).unwrap();
        }
        if let Some(list) = section.name.strip_prefix("[[").and_then(|name| name.strip_suffix("]]")) {
            let variable = variable(list);
            write!(text, "In the environment all of them are one list: `{variable}`.\n\n").unwrap();
        }
        text.push_str(&table(&schema, section, &ranges));
    }
    text
}

/// Every key that a variable sets, with the variable.
pub fn keys() -> Vec<(String, String)> {
    let schema = Config::json_schema();
    let mut sections = Vec::new();
    add_section(&schema, &schema, "", "", &mut sections);
    let lists = sections.iter().filter_map(|section| section.name.strip_prefix("[[")?.strip_suffix("]]"));
    let lists: Vec<String> = lists.map(str::to_owned).collect();
    let keys = sections.into_iter().flat_map(|section| section.keys);
    let names = keys.filter(|key| key.variable.is_some()).map(|key| key.name).chain(lists);
    names.map(|name| (name.clone(), variable(&name))).collect()
}

#[test]
fn the_page_is_generated() {
    assert_generated("docs/reference/configuration.md", &page());
}

/// Nothing that the schema has is left out.
#[test]
fn every_key_has_its_row() {
    fn leaves(value: &Map<String, Value>, prefix: &str, found: &mut Vec<String>) {
        for (key, value) in value {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Object(inner) => leaves(inner, &name, found),
                _ => found.push(name),
            }
        }
    }
    let (page, mut found) = (page(), Vec::new());
    let default = serde_json::to_value(Config::default()).unwrap();
    leaves(default.as_object().unwrap(), "", &mut found);
    assert!(found.len() > 40, "{found:?}");
    for key in found {
        let is_there = page.contains(&format!("\n| `{key}` | "))
            || page.contains(&format!("\n## `[{key}]`"))
            || page.contains(&format!("\n## `[[{key}]]`"));
        assert!(is_there, "{key}");
    }
}
