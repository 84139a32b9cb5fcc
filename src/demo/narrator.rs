//! Reports what happens: text for people, or one JSON object per step.

use serde_json::{Value, json};

use crate::terminal::out::say;

/// Prints steps and counts those that did not go as they should.
#[derive(Debug)]
pub struct Narrator {
    json: bool,
    failures: usize,
}

impl Narrator {
    /// A narrator for people, or for programs.
    pub fn new(json: bool) -> Self {
        Self { json, failures: 0 }
    }

    /// How many steps went wrong.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// A heading; not for programs.
    pub fn heading(&self, text: &str) {
        if !self.json {
            say!("\n{text}\n{}", "─".repeat(text.chars().count()));
        }
    }

    /// A line; not for programs.
    pub fn say(&self, text: &str) {
        if !self.json {
            say!("  {text}");
        }
    }

    /// Reports a step: whether it went as it should, and its result.
    pub fn step(&mut self, name: &str, as_it_should: bool, what: &Value) {
        if !as_it_should {
            self.failures += 1;
        }
        if self.json {
            say!("{}", json!({ "step": name, "ok": as_it_should, "result": what }));
        } else {
            say!("  {} {name}", if as_it_should { "✓" } else { "✗" });
            say!("      {}", shorten(what));
        }
    }
}

/// Tokens are long and not for reading.
fn shorten(value: &Value) -> String {
    let cut = |text: &str| match text.char_indices().nth(40) {
        Some((end, _)) if text.starts_with("ey") => format!("{}…", text.get(..end).unwrap_or_default()),
        _ => text.to_owned(),
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| match value {
                Value::String(text) => format!("{key}: {}", cut(text)),
                other => format!("{key}: {other}"),
            });
            members.collect::<Vec<_>>().join(", ")
        }
        Value::String(text) => cut(text),
        other => other.to_string(),
    }
}
