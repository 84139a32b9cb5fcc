//! `countersign kill-switch`.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::api_path;
use super::noun::{ApiBody, Confirmation, Field, ListOptions, Session, Verbs, cell, or};
use super::{CommandError, CommandResult, End};
use crate::terminal::out::complain;

const PATH: &str = "/kill-switch";
const SCOPES: [&str; 5] = ["all", "teamspace", "issuer", "client", "resource"];
const FIELDS: &[Field] = &[
    Field::column("scope", |switch| cell(switch, "scope")),
    Field::column("stops", |switch| or(switch, "object", "everything")),
    Field::column("reason", |switch| cell(switch, "reason")),
    Field::column("thrown by", |switch| cell(switch, "created_by")),
    Field::column("thrown at", |switch| cell(switch, "created_at")),
    Field::detail("id", |switch| cell(switch, "id")),
];

#[derive(Debug, Subcommand)]
pub(super) enum KillSwitchCommand {
    /// Throw a kill switch: what it covers gets no token any more, and its tokens are not active, on every process within
    /// a second.
    #[command(
        after_help = "Examples:\n  countersign kill-switch on client mcp-client --reason 'its secret leaked' --yes\n  \
        countersign kill-switch on all --reason 'a signing key leaked' --yes\n\
        Servers that verify tokens by themselves accept issued ones until they expire, unless they follow the feed of revocations."
    )]
    On {
        #[command(flatten)]
        target: KillTarget,
        /// Why, for the audit log and for other operators.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Lift a kill switch: tokens are issued again. Those issued before it was thrown stay inactive.
    #[command(after_help = "Example: countersign kill-switch off client mcp-client --yes")]
    Off {
        #[command(flatten)]
        target: KillTarget,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// List the kill switches that are on, oldest first.
    #[command(after_help = "Example: countersign kill-switch list")]
    List(ListOptions),
}

/// The thing that a switch stops.
#[derive(Debug, Args)]
pub(super) struct KillTarget {
    /// The kind of thing to stop.
    #[arg(value_parser = PossibleValuesParser::new(SCOPES))]
    scope: String,
    /// Which one: a teamspace's slug, an issuer, a client's id, or a resource's identifier. Not for `all`.
    object: Option<String>,
}

impl KillTarget {
    fn words(&self) -> String {
        match &self.object {
            Some(object) => format!("{} {object}", self.scope),
            None => self.scope.clone(),
        }
    }

    /// The id of the switch that is on for it.
    async fn switch_id(&self, session: &Session) -> Result<String, CommandError> {
        let all = session.api.all(PATH).await?;
        let object = self.object.as_deref().unwrap_or_default();
        let has = |one: &Value, name: &str, value: &str| one.get(name).and_then(Value::as_str) == Some(value);
        let found = all.iter().find(|one| has(one, "scope", &self.scope) && has(one, "object", object));
        let id = found.and_then(|found| found.get("id")).and_then(Value::as_str);
        let none = || {
            format!(
                "no kill switch is on for {}; `countersign kill-switch list` shows those that are",
                self.words()
            )
        };
        id.map(str::to_owned).ok_or_else(|| none().into())
    }
}

impl Verbs for KillSwitchCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::On { target, reason, confirmation } => {
                let question = format!("Stop {} {}", target.words(), session.api.place());
                if !confirmation.given(&question)? {
                    complain!("Nothing was stopped.");
                    return Ok(End::Finding);
                }
                let body = ApiBody::default().with("scope", Some(target.scope.clone()));
                let body = body.with("id", target.object.clone()).with("reason", Some(reason));
                let thrown = session.api.post(PATH, Some(&body.json())).await?;
                session.changed(&format!("The kill switch is on for {}", target.words()), &thrown, FIELDS)
            }
            Self::Off { target, confirmation } => {
                let id = target.switch_id(session).await?;
                let question = format!("Lift the kill switch for {} {}", target.words(), session.api.place());
                if !confirmation.given(&question)? {
                    complain!("Nothing was lifted.");
                    return Ok(End::Finding);
                }
                session.api.delete(&api_path(&["kill-switch", &id])?).await?;
                session.tell(&format!("The kill switch is off for {}", target.words()));
                Ok(End::Fine)
            }
            Self::List(options) => session.list(PATH, &options, ("kill switches", FIELDS)).await,
        }
    }
}
