//! Rows of the audit log as a file, for spreadsheets and for programs.

use serde_json::{Value, json};

use super::audit::{self, Filter};
use super::caller::Admin;
use super::error::AdminError;
use super::sign_in_export::harmless;

/// Most rows of a file; a narrower search has the others.
const MOST_ROWS: usize = 5000;
/// Rows that are read at once.
const PAGE: i64 = 500;
/// Most reads for one file: a rare row may lie far back.
const READS: usize = 20;

/// The columns: members of a row as programs get it.
const COLUMNS: [&str; 11] = [
    "time",
    "actor",
    "actor_kind",
    "actor_id",
    "address",
    "action",
    "object",
    "teamspace",
    "request_id",
    "old",
    "new",
];

/// Rows to be written to a file, newest first.
pub struct AuditExport {
    rows: Vec<Value>,
    /// Whether there may be more of them.
    is_cut: bool,
}

/// The rows that the caller may see of those that a filter finds.
pub async fn collect(
    admin: &Admin,
    teamspace: Option<&str>,
    mut filter: Filter,
) -> Result<AuditExport, AdminError> {
    let mut rows = Vec::new();
    for _ in 0..READS {
        let page = audit::list(admin, teamspace, filter.clone(), PAGE).await?;
        let snapshot = admin.app.snapshot();
        let slug = |id: &Option<String>| id.as_deref().and_then(|id| snapshot.slug_of(id));
        rows.extend(page.items.iter().map(|row| audit::view(row, slug(&row.teamspace_id))));
        filter.cursor = page.next_cursor.and_then(|cursor| cursor.parse().ok());
        if filter.cursor.is_none() || rows.len() >= MOST_ROWS {
            break;
        }
    }
    let is_cut = filter.cursor.is_some() || rows.len() > MOST_ROWS;
    rows.truncate(MOST_ROWS);
    Ok(AuditExport { rows, is_cut })
}

impl AuditExport {
    /// As JSON: `truncated` says whether there may be more rows.
    pub fn json(self) -> Value {
        json!({ "items": self.rows, "truncated": self.is_cut })
    }

    /// As CSV (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(COLUMNS)?;
        for row in &self.rows {
            writer.write_record(COLUMNS.map(|column| cell(row.get(column))))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => harmless(text),
        Some(other) => other.to_string(),
    }
}
