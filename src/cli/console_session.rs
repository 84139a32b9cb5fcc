//! `countersign console-session`.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::api_path;
use super::noun::{ApiBody, Confirmation, Field, ListOptions, Session, Verbs, cell};
use super::{CommandResult, End};
use crate::terminal::out::{self, complain};

const FIELDS: &[Field] = &[
    Field::column("id", |session| cell(session, "id")),
    Field::column("who", |session| match cell(session, "email") {
        email if email.is_empty() => cell(session, "name"),
        email => email,
    }),
    Field::column("kind", |session| cell(session, "kind")),
    Field::column("teamspace", |session| cell(session, "teamspace")),
    Field::column("signed in", |session| cell(session, "created_at")),
    Field::column("last seen", |session| cell(session, "seen_at")),
    Field::column("address", |session| cell(session, "address")),
    Field::column("browser", |session| cell(session, "browser")),
];

#[derive(Debug, Subcommand)]
pub(super) enum ConsoleSessionCommand {
    /// List who is signed in to the console, newest first.
    #[command(after_help = "Example: countersign console-session list --all")]
    List {
        #[command(flatten)]
        options: ListOptions,
    },
    /// End one session. It stops with its next request.
    #[command(
        visible_alias = "end",
        after_help = "Example: countersign console-session delete 0b0f6f6e-4b0f-4f2e-8f3e-2f3a5f0c1d2e --yes"
    )]
    Delete {
        /// Its id, as `list` shows it.
        id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// End all sessions of a person or of everybody. They stop with their next requests.
    #[command(
        after_help = "Examples:\n  countersign console-session end-all --email olive@example.com --yes\n  \
        countersign console-session end-all --everybody --yes   after a leak"
    )]
    EndAll {
        #[command(flatten)]
        whose: WhoseSessions,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Whose sessions end.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct WhoseSessions {
    /// The person who signed in with this address.
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// The person whose session has this id.
    #[arg(long, value_name = "ID")]
    person_of: Option<String>,
    /// Everybody.
    #[arg(long)]
    everybody: bool,
}

impl WhoseSessions {
    fn words(&self) -> String {
        match (&self.email, &self.person_of) {
            (Some(email), _) => format!("all console sessions of {email}"),
            (_, Some(id)) => format!("all console sessions of the person of session {id}"),
            (None, None) => "the console sessions of everybody".to_owned(),
        }
    }

    fn body(self) -> Value {
        let everybody = self.everybody.then_some(true);
        let body = ApiBody::default().with("email", self.email).with("person_of", self.person_of);
        body.with("everybody", everybody).json()
    }
}

impl Verbs for ConsoleSessionCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::List { options } => {
                let path = api_path(&["console-sessions"])?;
                session.list(&path, &options, ("console sessions", FIELDS)).await
            }
            Self::Delete { id, confirmation } => {
                session
                    .delete(&["console-sessions", &id], &format!("console session {id}"), &confirmation)
                    .await
            }
            Self::EndAll { whose, confirmation } => end_all(session, whose, &confirmation).await,
        }
    }
}

async fn end_all(session: &Session, whose: WhoseSessions, confirmation: &Confirmation) -> CommandResult {
    let words = whose.words();
    if !confirmation.given(&format!("End {words} {}", session.api.place()))? {
        complain!("Nothing was ended.");
        return Ok(End::Finding);
    }
    let path = api_path(&["console-sessions", "end"])?;
    let answer = session.api.post(&path, Some(&whose.body())).await?;
    let ended = answer.get("ended").and_then(Value::as_u64).unwrap_or_default();
    session.tell(&format!("Ended {words} ({ended})"));
    if session.is_json() {
        out::json(&answer)?;
    }
    Ok(End::Fine)
}
