//! `countersign setup-link`.

use clap::Subcommand;

use super::CommandResult;
use super::api::api_path;
use super::noun::{ApiBody, Confirmation, Field, InTeamspaceOption, ListOptions, Session, Verbs, cell};

const FIELDS: &[Field] = &[
    Field::column("id", |link| cell(link, "id")),
    Field::column("state", |link| cell(link, "state")),
    Field::column("created by", |link| cell(link, "created_by")),
    Field::column("created at", |link| cell(link, "created_at")),
    Field::column("expires at", |link| cell(link, "expires_at")),
    Field::column("used from", |link| cell(link, "used_from")),
];

#[derive(Debug, Subcommand)]
pub(super) enum SetupLinkCommand {
    /// Make a set-up link and print it: it lets a customer's administrator in to one teamspace once.
    #[command(after_help = "Example: LINK=$(countersign setup-link create --teamspace acme --valid-for 72h)")]
    Create {
        #[command(flatten)]
        at: InTeamspaceOption,
        /// How long it can be used, such as 12h or 7d, at most 30d [default: 72h].
        #[arg(long, value_name = "DURATION")]
        valid_for: Option<String>,
    },
    /// List the set-up links, oldest first: all that are open, and the newest of the others.
    #[command(after_help = "Example: countersign setup-link list --teamspace acme")]
    List {
        #[command(flatten)]
        at: InTeamspaceOption,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Revoke a set-up link: it lets nobody in, and whoever came in by it is out.
    #[command(
        visible_alias = "revoke",
        after_help = "Example: countersign setup-link delete --teamspace acme 01936f4e-7f6b-7cc0-9d0f-1c5d3bb0b6a1 --yes"
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

impl Verbs for SetupLinkCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { at, valid_for } => {
                let path = api_path(&["teamspaces", &at.teamspace, "setup-links"])?;
                let body = ApiBody::default().with("valid_for", valid_for).json();
                let made = session.api.post(&path, Some(&body)).await?;
                let until = cell(&made, "expires_at");
                let done = format!("Made a set-up link to {}, which works once until {until},", at.teamspace);
                session.secret(&made, "url", (&done, "make another"))
            }
            Self::List { at, options } => {
                let path = api_path(&["teamspaces", &at.teamspace, "setup-links"])?;
                session.list(&path, &options, ("set-up links", FIELDS)).await
            }
            Self::Delete { at, id, confirmation } => {
                let parts = ["teamspaces", &at.teamspace, "setup-links", &id];
                session.delete(&parts, &format!("set-up link {id} to {}", at.teamspace), &confirmation).await
            }
        }
    }
}
