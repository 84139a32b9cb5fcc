//! Rows of a log as a file, for spreadsheets and for programs.

use serde_json::{Value, json};

/// The most rows of one file; a narrower search finds the rest.
const MOST_ROWS: usize = 5000;
/// Rows that are read at once.
pub(super) const PAGE: i64 = 500;

/// Rows to be written to a file, newest first.
pub struct Export {
    /// The members of a row that CSV has, in order.
    columns: &'static [&'static str],
    rows: Vec<Value>,
    /// Whether there may be more of them.
    is_cut: bool,
}

impl Export {
    /// A file without rows.
    pub(super) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new(), is_cut: false }
    }

    /// Adds a page of rows. Returns whether the file has room for the next page, if there is one.
    pub(super) fn add(&mut self, rows: impl Iterator<Item = Value>, is_more: bool) -> bool {
        self.rows.extend(rows);
        self.is_cut = is_more || self.rows.len() > MOST_ROWS;
        self.rows.truncate(MOST_ROWS);
        is_more && self.rows.len() < MOST_ROWS
    }

    /// As JSON: `truncated` says whether there may be more rows.
    pub fn json(self) -> Value {
        json!({ "items": self.rows, "truncated": self.is_cut })
    }

    /// Renders CSV (RFC 4180). A cell that a spreadsheet would read as a formula begins with an apostrophe.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(self.columns)?;
        for row in &self.rows {
            writer.write_record(self.columns.iter().map(|column| cell(row.get(*column))))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => harmless(text),
        Some(Value::Array(items)) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            harmless(&texts.join(" "))
        }
        Some(other) => other.to_string(),
    }
}

/// Makes sure that no spreadsheet reads a text as a formula.
fn harmless(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}
