//! `countersign policy list` and `policy show`: the sets that are or were in force in the service.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use crate::cli::CommandResult;
use crate::cli::api::api_path;
use crate::cli::noun::{Field, ListOptions, NounOptions, Session, cell, lines, or};
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

#[derive(Debug, Args)]
pub(in crate::cli) struct SetList {
    #[command(flatten)]
    noun: NounOptions,
    #[command(flatten)]
    options: ListOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetShow {
    #[command(flatten)]
    noun: NounOptions,
    /// The hash of a set that was in force, or how it begins [default: what is in force]. It is base64url and may begin
    /// with a hyphen.
    #[arg(allow_hyphen_values = true)]
    hash: Option<String>,
}

impl SetList {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let session = Session::open(&self.noun, config).await?;
        let done = session.list("/policies/sets", &self.options, ("policy sets", SET_FIELDS)).await;
        session.close().await;
        done
    }
}

impl SetShow {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let session = Session::open(&self.noun, config).await?;
        let done = self.show(&session).await;
        session.close().await;
        done
    }

    async fn show(self, session: &Session) -> CommandResult {
        let Some(hash) = self.hash else {
            return session.show(&session.api.get("/policies").await?, FIELDS);
        };
        let set = session.api.get(&api_path(&["policies", "sets", &hash])?).await?;
        let shown = session.show(&set, SET_FIELDS);
        if !session.is_json() {
            out::text(files(&set));
        }
        shown
    }
}

/// The files of a set, each with its name above it.
fn files(set: &Value) -> String {
    let files = set.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |file: &Value, at: usize| file.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    files.iter().map(|file| format!("\n// {}\n{}", of(file, 0), of(file, 1))).collect()
}
