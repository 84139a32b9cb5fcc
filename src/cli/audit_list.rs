//! `countersign audit list`.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use super::CommandResult;
use super::api::with_query;
use super::noun::{Field, ListOptions, NounOptions, Session, cell, or};

const FIELDS: &[Field] = &[
    Field::column("time", |event| cell(event, "time")),
    Field::column("actor", |event| match or(event, "actor_kind", "") {
        kind if kind == "command" => cell(event, "actor"),
        kind => format!("{} ({})", cell(event, "actor"), kind.replace('_', " ")),
    }),
    Field::column("action", |event| cell(event, "action")),
    Field::column("object", |event| cell(event, "object")),
    Field::column("teamspace", |event| cell(event, "teamspace")),
    Field::column("change", change),
];

/// Entries of the audit log: who changed what.
#[derive(Debug, Args)]
pub(super) struct AuditList {
    #[command(flatten)]
    noun: NounOptions,
    /// The name of whoever made the change: of a token, a person's email, or `command line`.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// An action such as `member.change`, or a kind of object such as `member`, which stands for all of its actions.
    #[arg(long)]
    action: Option<String>,
    /// The id of what was changed.
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// The slug of a teamspace [default: every one].
    #[arg(long, short, value_name = "SLUG")]
    teamspace: Option<String>,
    /// The first day, or the time from which on.
    #[arg(long, value_name = "DATE|TIME")]
    from: Option<String>,
    /// The last day, or the time until which.
    #[arg(long, value_name = "DATE|TIME")]
    to: Option<String>,
    #[command(flatten)]
    options: ListOptions,
}

impl AuditList {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let given = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("teamspace", &self.teamspace),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let path = with_query("/audit", given);
        let session = Session::open(&self.noun, config).await?;
        let done = session.list(&path, &self.options, ("events", FIELDS)).await;
        session.close().await;
        done
    }
}

/// The names of the members that changed.
fn change(event: &Value) -> String {
    let names = |side: &str| match event.get(side) {
        Some(Value::Object(members)) => members.keys().cloned().collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let (old, new) = (names("old"), names("new"));
    match (old.is_empty(), new.is_empty()) {
        (true, true) => "-".to_owned(),
        (true, false) => "added".to_owned(),
        (false, true) => "removed".to_owned(),
        (false, false) => cell(&serde_json::json!({ "names": new }), "names"),
    }
}
