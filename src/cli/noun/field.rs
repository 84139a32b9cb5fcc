//! Objects as tables and records. Texts come from strangers, so that none of them can break a line or control the
//! terminal.

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::terminal::out::inline;
use crate::terminal::{escaped, for_people};

/// Shown for nothing.
const NOTHING: &str = "-";
/// Between columns.
const GAP: &str = "  ";

/// A part of an object that is shown.
pub(in crate::cli) struct Field {
    name: &'static str,
    of: fn(&Value) -> String,
    in_tables: bool,
}

impl Field {
    /// A field that is a column of tables too.
    pub(in crate::cli) const fn column(name: &'static str, of: fn(&Value) -> String) -> Self {
        Self { name, of, in_tables: true }
    }

    /// A field that only the record of one object has.
    pub(in crate::cli) const fn detail(name: &'static str, of: fn(&Value) -> String) -> Self {
        Self { name, of, in_tables: false }
    }
}

/// The text of a member.
pub(in crate::cli) fn cell(object: &Value, name: &str) -> String {
    or(object, name, NOTHING)
}

/// The text of a member, or another one where it is null, empty or not there.
pub(in crate::cli) fn or(object: &Value, name: &str, otherwise: &str) -> String {
    let text = plain(object.get(name).unwrap_or(&Value::Null));
    if text.is_empty() { otherwise.to_owned() } else { text }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(&inline(text), for_people),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(_) => escaped(&value.to_string(), for_people),
    }
}

/// The items of a list, a line for each.
pub(in crate::cli) fn lines(object: &Value, name: &str, line: fn(&Value) -> String) -> String {
    let items = object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match items {
        [] => NOTHING.to_owned(),
        items => items.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

/// The registered keys of a client or of credentials, a line for each.
pub(in crate::cli) fn keys_of(object: &Value) -> String {
    let jwks = object.get("jwks").unwrap_or(&Value::Null);
    lines(jwks, "keys", |key| format!("{}  {}", cell(key, "kid"), cell(key, "kty")))
}

/// Objects below each other, with headers.
pub(in crate::cli) fn table(objects: &[Value], fields: &[Field]) -> String {
    let columns: Vec<&Field> = fields.iter().filter(|field| field.in_tables).collect();
    let head = columns.iter().map(|field| field.name.to_uppercase()).collect();
    let row = |object| columns.iter().map(|field| (field.of)(object)).collect();
    aligned(std::iter::once(head).chain(objects.iter().map(row)).collect())
}

/// One object, a line or more for each field that has something in it.
pub(in crate::cli) fn record(object: &Value, fields: &[Field]) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for field in fields {
        let text = (field.of)(object);
        for (number, line) in text.lines().filter(|line| *line != NOTHING).enumerate() {
            let name = if number == 0 { field.name } else { "" };
            rows.push(vec![name.to_owned(), line.to_owned()]);
        }
    }
    aligned(rows)
}

/// Rows whose columns begin below each other.
fn aligned(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
            line.push_str(GAP);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
