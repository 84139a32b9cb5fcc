//! `countersign scim-token`.

use clap::Subcommand;

use super::CommandResult;
use super::api::api_path;
use super::noun::{ApiBody, Confirmation, Field, InTeamspaceOption, ListOptions, Session, Verbs, cell, or};

const FIELDS: &[Field] = &[
    Field::column("id", |token| cell(token, "id")),
    Field::column("name", |token| cell(token, "name")),
    Field::column("created at", |token| cell(token, "created_at")),
    Field::column("expires at", |token| or(token, "expires_at", "never")),
    Field::column("last used at", |token| or(token, "last_used_at", "never")),
];

#[derive(Debug, Subcommand)]
pub(super) enum ScimTokenCommand {
    /// Make a SCIM token and print it: by it, a teamspace's identity provider adds, changes and deactivates its people.
    #[command(after_help = "Example: TOKEN=$(countersign scim-token create --teamspace acme --name Okta)")]
    Create {
        #[command(flatten)]
        at: InTeamspaceOption,
        /// The name for people, which the audit log shows.
        #[arg(long)]
        name: String,
        /// How long it is accepted, such as 365d, at most 1830d [default: without an end].
        #[arg(long, value_name = "DURATION")]
        valid_for: Option<String>,
    },
    /// List the SCIM tokens, oldest first.
    #[command(after_help = "Example: countersign scim-token list --teamspace acme")]
    List {
        #[command(flatten)]
        at: InTeamspaceOption,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Delete a SCIM token: the next request with it is refused. The members stay as they are.
    #[command(
        after_help = "Example: countersign scim-token delete --teamspace acme 01936f4e-7f6b-7cc0-9d0f-1c5d3bb0b6a1 --yes"
    )]
    Delete {
        #[command(flatten)]
        at: InTeamspaceOption,
        /// Its id, as `list` shows it.
        id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Verbs for ScimTokenCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { at, name, valid_for } => {
                let path = api_path(&["teamspaces", &at.teamspace, "scim-tokens"])?;
                let body = ApiBody::default().with("name", Some(name)).with("valid_for", valid_for).json();
                let made = session.api.post(&path, Some(&body)).await?;
                let base_url = cell(&made, "base_url");
                let done = format!("Made a SCIM token of {} for the base URL {base_url},", at.teamspace);
                session.secret(&made, "token", (&done, "delete it and make another"))
            }
            Self::List { at, options } => {
                let path = api_path(&["teamspaces", &at.teamspace, "scim-tokens"])?;
                session.list(&path, &options, ("SCIM tokens", FIELDS)).await
            }
            Self::Delete { at, id, confirmation } => {
                let parts = ["teamspaces", &at.teamspace, "scim-tokens", &id];
                session.delete(&parts, &format!("SCIM token {id} of {}", at.teamspace), &confirmation).await
            }
        }
    }
}
