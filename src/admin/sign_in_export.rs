//! Rows of the decision log as a file, for spreadsheets and for programs.

use serde_json::{Value, json};

use super::caller::{Admin, InTeamspace, Operator};
use super::error::AdminError;
use super::sign_ins;
use crate::decision_log::view;
use crate::store::Page;
use crate::store::sign_ins::{Filter, SignIn};

/// Most rows of a file; a narrower search has the others.
pub const MOST_ROWS: usize = 5000;
/// Rows that are read at once.
const PAGE: i64 = 500;
/// Most reads for one file: a rare row may lie far back.
const READS: usize = 40;

/// The columns: texts of the row as programs get it.
const COLUMNS: [&str; 17] = [
    "time",
    "teamspace",
    "outcome",
    "reason",
    "detail",
    "email",
    "subject",
    "member_id",
    "client_id",
    "identity_provider",
    "issuer",
    "resource",
    "scopes_asked",
    "scopes_granted",
    "policy_ids",
    "request_id",
    "repeated",
];

/// Rows to be written to a file, newest first.
pub struct Export {
    rows: Vec<Value>,
    /// Whether there may be more of them.
    is_cut: bool,
}

/// Whose rows are read.
enum Source<'a> {
    Teamspace(&'a InTeamspace),
    All(&'a Operator),
}

/// A teamspace's rows.
pub async fn of_teamspace(at: &InTeamspace, filter: Filter) -> Result<Export, AdminError> {
    let _place = at.enter_heavy()?;
    Source::Teamspace(at).collect(filter).await
}

/// Every teamspace's rows, and those that led to none.
pub async fn of_all(operator: &Operator, filter: Filter) -> Result<Export, AdminError> {
    Source::All(operator).collect(filter).await
}

impl Source<'_> {
    fn admin(&self) -> &Admin {
        match self {
            Self::Teamspace(at) => at,
            Self::All(operator) => operator,
        }
    }

    async fn read(&self, filter: Filter) -> Result<Page<SignIn>, AdminError> {
        match self {
            Self::Teamspace(at) => sign_ins::of_teamspace(at, filter, PAGE).await,
            Self::All(operator) => sign_ins::of_all(operator, filter, PAGE).await,
        }
    }

    async fn collect(&self, mut filter: Filter) -> Result<Export, AdminError> {
        let mut export = Export { rows: Vec::new(), is_cut: false };
        for _ in 0..READS {
            let page = self.read(filter.clone()).await?;
            let snapshot = self.admin().app.snapshot();
            let slug = |row: &SignIn| row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id));
            export.rows.extend(page.items.iter().map(|row| view(row, slug(row))));
            filter.cursor = page.next_cursor.and_then(|cursor| cursor.parse().ok());
            if filter.cursor.is_none() || export.rows.len() >= MOST_ROWS {
                break;
            }
        }
        export.is_cut = filter.cursor.is_some() || export.rows.len() > MOST_ROWS;
        export.rows.truncate(MOST_ROWS);
        Ok(export)
    }
}

impl Export {
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
        Some(Value::Array(items)) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            harmless(&texts.join(" "))
        }
        Some(other) => other.to_string(),
    }
}

/// A text that no spreadsheet takes for a formula.
pub(super) fn harmless(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}
