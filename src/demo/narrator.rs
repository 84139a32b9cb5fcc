//! Reports what happens: text for people, or one JSON object per step.

use serde_json::{Value, json};

use crate::terminal::out::{say, styled};
use crate::terminal::style::{Meaning, Style};

/// Prints steps and counts those that did not go as they should.
#[derive(Debug)]
pub struct Narrator {
    json: bool,
    style: Style,
    failures: usize,
}

/// The way that a step should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExpectedEnd {
    Success,
    Refusal,
}

impl Narrator {
    /// A narrator for people, or for programs.
    pub fn new(json: bool) -> Self {
        Self { json, style: Style::of_stdout(), failures: 0 }
    }

    /// How many steps went wrong.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// A heading; not for programs.
    pub fn heading(&self, text: &str) {
        if !self.json {
            let heading = format!("{text}\n{}", "─".repeat(text.chars().count()));
            styled(&format!("\n{}", self.style.paint(Meaning::Heading, &heading)));
        }
    }

    /// A line; not for programs.
    pub fn say(&self, text: &str) {
        if !self.json {
            say!("  {text}");
        }
    }

    /// A text of several lines, such as a file; not for programs.
    pub fn quote(&self, text: &str) {
        if !self.json {
            text.lines().for_each(|line| styled(&self.style.paint(Meaning::Aside, &format!("      {line}"))));
        }
    }

    /// A step that should succeed: whether it did, and its result.
    pub fn step(&mut self, name: &str, as_it_should: bool, what: &Value) {
        self.report(name, ExpectedEnd::Success, as_it_should, what);
    }

    /// A step that should be refused: whether it was, for the right reason, and the answer.
    pub fn refusal(&mut self, name: &str, as_it_should: bool, what: &Value) {
        self.report(name, ExpectedEnd::Refusal, as_it_should, what);
    }

    fn report(&mut self, name: &str, expected: ExpectedEnd, as_it_should: bool, what: &Value) {
        if !as_it_should {
            self.failures += 1;
        }
        if self.json {
            let expected = if expected == ExpectedEnd::Success { "success" } else { "refusal" };
            say!("{}", json!({ "step": name, "ok": as_it_should, "expected": expected, "result": what }));
            return;
        }
        let (meaning, mark, remark) = match (as_it_should, expected) {
            (true, ExpectedEnd::Success) => (Meaning::Good, "✓", ""),
            (true, ExpectedEnd::Refusal) => (Meaning::Expected, "⊘", ": refused, as it should be"),
            (false, ExpectedEnd::Success) => (Meaning::Bad, "✗", ": this should have worked"),
            (false, ExpectedEnd::Refusal) => (Meaning::Bad, "✗", ": this should have been refused"),
        };
        let head = format!(
            "{}{}",
            self.style.paint(meaning, mark),
            self.style.paint(Meaning::Heading, &format!(" {name}"))
        );
        styled(&format!("  {head}{}", self.style.paint(meaning, remark)));
        styled(&self.style.paint(Meaning::Aside, &format!("      {}", shorten(what))));
    }
}

/// A result in a line: without what is empty, and of tokens only the beginning.
fn shorten(value: &Value) -> String {
    let Value::Object(members) = value else { return shown(value) };
    let text = |name: &str| members.get(name).map(shown).unwrap_or_default();
    if members.contains_key("error_description") {
        return format!("{}: {}", text("error"), text("error_description"));
    }
    if members.contains_key("access_token") {
        let (token, life, scope) = (text("access_token"), text("expires_in"), text("scope"));
        return format!("{token}, good for {life} s, scope: {scope}");
    }
    let members = members.iter().map(|(key, value)| (key, shown(value)));
    let members =
        members.filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}: {value}"));
    members.collect::<Vec<_>>().join(", ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(" "),
        // A token is long and not for reading.
        Value::String(text) if text.starts_with("ey") => match text.char_indices().nth(40) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.clone(),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
