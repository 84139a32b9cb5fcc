//! The parts that all commands over the admin API share: where they work, how they are told what to write, and how
//! they print.

mod body;
mod confirmation;
mod field;
mod list;

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::api::{Api, ApiOptions, api_path};
use super::{CommandError, CommandResult, End};
use crate::terminal::out::{self, complain, inline};
use crate::terminal::{escaped, for_json, for_people};

pub(super) use body::{ApiBody, FromFile, OrNone, jwks_in, read_input, secret_in};
pub(super) use confirmation::Confirmation;
pub(super) use field::{Field, cell, keys_of, lines, or, record, table};
pub(super) use list::ListOptions;

/// A noun with its options and verbs.
#[derive(Debug, Args)]
pub(super) struct Noun<C: Subcommand> {
    #[command(flatten)]
    options: NounOptions,
    #[command(subcommand)]
    command: C,
}

/// The options of every command over the admin API.
#[derive(Debug, Args)]
pub(super) struct NounOptions {
    /// A table for people, or the API's own JSON.
    #[arg(long, global = true, value_enum, default_value = "table")]
    format: OutputFormat,
    #[command(flatten)]
    api: ApiOptions,
}

/// The teamspace that a command is about.
#[derive(Debug, Args)]
pub(super) struct InTeamspaceOption {
    /// The teamspace's slug.
    #[arg(long, short, value_name = "SLUG")]
    pub teamspace: String,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Table,
    Json,
}

/// The verbs of a noun.
pub(super) trait Verbs {
    async fn run(self, session: &Session) -> CommandResult;
}

/// An open way to the admin API, and the form of the answers.
pub(super) struct Session {
    pub api: Api,
    format: OutputFormat,
}

impl<C: Subcommand + Verbs> Noun<C> {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let session = Session::open(&self.options, config).await?;
        let done = self.command.run(&session).await;
        session.close().await;
        done
    }
}

impl Session {
    pub(super) async fn open(options: &NounOptions, config: Option<&Path>) -> Result<Self, CommandError> {
        Ok(Self { api: Api::open(&options.api, config).await?, format: options.format })
    }

    pub(super) async fn close(self) {
        self.api.close().await;
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Prints an object.
    pub(super) fn show(&self, object: &Value, fields: &[Field]) -> CommandResult {
        match self.format {
            OutputFormat::Json => out::json(object)?,
            OutputFormat::Table => out::text(record(object, fields)),
        }
        Ok(End::Fine)
    }

    /// Prints a list, as far as the options say. `what` are its items in plural.
    pub(super) async fn list(
        &self,
        path: &str,
        options: &ListOptions,
        (what, fields): (&str, &[Field]),
    ) -> CommandResult {
        let list = self.api.list(path, options.cursor.as_deref(), options.limit()).await?;
        self.show_list(&list, what, fields)
    }

    /// Prints a list that is all there.
    pub(super) fn show_list(&self, list: &Value, what: &str, fields: &[Field]) -> CommandResult {
        if self.is_json() {
            out::json(list)?;
            return Ok(End::Fine);
        }
        let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match items {
            [] => complain!("There are no {what}."),
            items => out::text(table(items, fields)),
        }
        if list.get("next_cursor").is_some_and(Value::is_string) {
            complain!("There are more {what}: --all shows every one, and --limit N more of them.");
        }
        Ok(End::Fine)
    }

    /// Tells people on standard error what was done, and where.
    pub(super) fn tell(&self, done: &str) {
        complain!("{} {}.", inline(done), self.api.place());
    }

    /// Prints an object that was changed, and tells what was done.
    pub(super) fn changed(&self, done: &str, object: &Value, fields: &[Field]) -> CommandResult {
        self.tell(done);
        self.show(object, fields)
    }

    /// Prints an answer with a new secret: the secret alone, or the whole answer as JSON. `redo` says what to do when
    /// it cannot be printed.
    pub(super) fn secret(&self, answer: &Value, name: &str, (done, redo): (&str, &str)) -> CommandResult {
        self.tell(done);
        let secret = answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let text = match self.is_json() {
            true => escaped(&format!("{answer:#}"), for_json),
            false => escaped(secret, for_people),
        };
        out::whole(&text).map_err(|error| format!("the secret could not be printed ({error}); {redo}"))?;
        complain!("The secret is shown this once; keep it safe.");
        Ok(End::Fine)
    }

    /// Tells whether a secret is current, and ends with a finding if it is not.
    pub(super) async fn check_secret(&self, path: &str, secret: Option<String>) -> CommandResult {
        let report = self.api.post(path, Some(&json!({ "client_secret": secret }))).await?;
        self.show(&report, &[Field::column("is current", |report| cell(report, "is_current"))])?;
        let is_current = report.get("is_current").and_then(Value::as_bool) == Some(true);
        Ok(if is_current { End::Fine } else { End::Finding })
    }

    /// Deletes what is at a path, once that is confirmed.
    pub(super) async fn delete(
        &self,
        parts: &[&str],
        what: &str,
        confirmation: &Confirmation,
    ) -> CommandResult {
        let path = api_path(parts)?;
        if !confirmation.given(&format!("Delete {what} {}", self.api.place()))? {
            complain!("Nothing was deleted.");
            return Ok(End::Finding);
        }
        self.api.delete(&path).await?;
        self.tell(&format!("Deleted {what}"));
        Ok(End::Fine)
    }
}
