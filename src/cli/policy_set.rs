//! `countersign policy-set`: the sets that are or were in force in the service.

use clap::Subcommand;
use serde_json::Value;

use super::CommandResult;
use super::api::api_path;
use super::noun::{Field, ListOptions, Session, Verbs, cell, lines, or};
use crate::terminal::out;

const SET_FIELDS: &[Field] = &[
    Field::column("hash", |set| cell(set, "hash")),
    Field::column("in force", |set| cell(set, "in_force")),
    Field::column("first loaded at", |set| cell(set, "first_loaded_at")),
    Field::column("last in force at", |set| cell(set, "last_in_force_at")),
];

const FIELDS: &[Field] = &[
    Field::column("hash", |set| cell(set, "hash")),
    Field::column("loaded at", |set| cell(set, "loaded_at")),
    Field::detail("files", |set| lines(set, "files", |file| cell(file, "name"))),
    Field::detail("unknown names", |set| lines(set, "unknown_names", |name| name.to_string())),
    Field::detail("last error", |set| or(set, "last_error", "none")),
    Field::detail("shadow set", |set| match set.get("shadow") {
        Some(shadow) if !shadow.is_null() => cell(shadow, "hash"),
        _ => "none".to_owned(),
    }),
];

#[derive(Debug, Subcommand)]
pub(super) enum PolicySetCommand {
    /// List the policy sets that are or were in force, latest first.
    #[command(after_help = "Example: countersign policy-set list")]
    List(ListOptions),
    /// Show the policies in force, or a set that was in force with its text.
    #[command(after_help = "Examples:\n  countersign policy-set show --server https://auth.example.com\n  \
        countersign policy-set show 3Jx7w0kq")]
    Show {
        /// The hash of a set, or how it begins [default: what is in force]. It is base64url and may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        hash: Option<String>,
    },
}

impl Verbs for PolicySetCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::List(options) => {
                session.list("/policies/sets", &options, ("policy sets", SET_FIELDS)).await
            }
            Self::Show { hash: None } => session.show(&session.api.get("/policies").await?, FIELDS),
            Self::Show { hash: Some(hash) } => {
                let set = session.api.get(&api_path(&["policies", "sets", &hash])?).await?;
                let shown = session.show(&set, SET_FIELDS);
                if !session.is_json() {
                    out::text(files(&set));
                }
                shown
            }
        }
    }
}

/// The files of a set, each with its name above it.
fn files(set: &Value) -> String {
    let files = set.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |file: &Value, at: usize| file.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    files.iter().map(|file| format!("\n// {}\n{}", of(file, 0), of(file, 1))).collect()
}
