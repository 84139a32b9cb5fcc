//! `countersign reason`.

use clap::Subcommand;

use super::CommandResult;
use super::noun::{Field, Session, Verbs, cell};

const FIELDS: &[Field] = &[
    Field::column("reason", |r| cell(r, "reason")),
    Field::column("meaning", |r| cell(r, "meaning")),
    Field::detail("what to do", |r| cell(r, "what_to_do")),
    Field::detail("who", |r| cell(r, "who")),
    Field::detail("codes", |r| cell(r, "codes")),
    Field::detail("checks", |r| cell(r, "checks")),
];

#[derive(Debug, Subcommand)]
pub(super) enum ReasonCommand {
    /// List the reasons for refusals.
    #[command(after_help = "Example: countersign reason list")]
    List,
    /// Show a reason, what to do about it, and who can do it.
    #[command(after_help = "Example: countersign reason show email_missing")]
    Show {
        /// The reason, as the decision log has it.
        reason: String,
    },
}

impl Verbs for ReasonCommand {
    async fn run(self, session: &Session) -> CommandResult {
        let all = session.api.get("/reasons").await?;
        match self {
            Self::List => session.show_list(&all, "reasons", FIELDS),
            Self::Show { reason } => {
                let mut items = all.get("items").and_then(|items| items.as_array()).into_iter().flatten();
                let found = items.find(|one| one.get("reason").is_some_and(|name| *name == *reason));
                let missing =
                    || format!("there is no reason {reason}; `countersign reason list` has them all");
                session.show(found.ok_or_else(missing)?, FIELDS)
            }
        }
    }
}
