//! `countersign member`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{api_path, with_query};
use super::noun::{
    ApiBody, Confirmation, Field, FromFile, InTeamspaceOption, ListOptions, OrNone, Session, Verbs, cell,
    lines, or,
};
use super::{CommandError, CommandResult, End};
use crate::model::member_link::MemberLink;

const FIELDS: &[Field] = &[
    Field::column("email", |m| or(m, "email", "none")),
    Field::column("role", |m| cell(m, "role")),
    Field::column("status", |m| cell(m, "status")),
    Field::column("last sign-in", |m| or(m, "last_sign_in_at", "never")),
    Field::column("id", |m| cell(m, "id")),
    Field::detail("subjects", |m| {
        lines(m, "identities", |one| match or(one, "tenant", "") {
            tenant if tenant.is_empty() => format!("{} at {}", cell(one, "subject"), cell(one, "issuer")),
            tenant => format!("{} at {}, tenant {tenant}", cell(one, "subject"), cell(one, "issuer")),
        })
    }),
    Field::detail("link", |m| linked(m.get("link"))),
    Field::detail("came by", |m| cell(m, "provisioned_by")),
    Field::detail("created at", |m| cell(m, "created_at")),
    Field::detail("first sign-in", |m| cell(m, "first_sign_in_at")),
    Field::detail("sessions ended", |m| or(m, "sessions_ended_at", "never")),
];

#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// Invite somebody: a new member, or one who was deleted.
    #[command(
        visible_alias = "create",
        after_help = "Example: countersign member invite --teamspace acme dana@acme.com --role admin"
    )]
    Invite {
        #[command(flatten)]
        at: InTeamspaceOption,
        /// The address that the person signs in with.
        #[arg(required_unless_present = "from_file")]
        email: Option<String>,
        #[command(flatten)]
        fields: MemberFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// List the members by email, without deleted ones.
    #[command(after_help = "Example: countersign member list --teamspace acme --email-prefix da")]
    List {
        #[command(flatten)]
        at: InTeamspaceOption,
        /// Only those whose emails begin so.
        #[arg(long, value_name = "TEXT")]
        email_prefix: Option<String>,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Show a member.
    #[command(after_help = "Example: countersign member show --teamspace acme dana@acme.com")]
    Show(WhichMember),
    /// Change a member: what is not given stays as it is.
    #[command(after_help = "Example: countersign member update --teamspace acme dana@acme.com --role owner")]
    Update {
        #[command(flatten)]
        which: WhichMember,
        #[command(flatten)]
        fields: MemberFields,
        /// Whether they come in.
        #[arg(long, value_parser = ["active", "suspended"])]
        status: Option<String>,
        #[command(flatten)]
        from: FromFile,
    },
    /// Suspend a member: no more tokens, until they are restored.
    #[command(after_help = "Example: countersign member suspend --teamspace acme dana@acme.com")]
    Suspend(WhichMember),
    /// Restore a suspended member.
    #[command(after_help = "Example: countersign member restore --teamspace acme dana@acme.com")]
    Restore(WhichMember),
    /// End a member's sessions: assertions about a sign-in until now are refused.
    #[command(after_help = "Example: countersign member end-sessions --teamspace acme dana@acme.com")]
    EndSessions(WhichMember),
    /// Unlink a member from their subjects. The next subject with the member's email is bound.
    #[command(after_help = "Example: countersign member unlink --teamspace acme dana@acme.com")]
    Unlink(WhichMember),
    /// Delete a member, who stays out until invited again.
    #[command(
        visible_alias = "remove",
        after_help = "Example: countersign member delete --teamspace acme dana@acme.com --yes"
    )]
    Delete {
        #[command(flatten)]
        which: WhichMember,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Debug, Args)]
pub(super) struct WhichMember {
    #[command(flatten)]
    at: InTeamspaceOption,
    /// The member's email, or id.
    member: String,
}

#[derive(Debug, Args)]
pub(super) struct MemberFields {
    /// The role, which decides what the member may do in the console.
    #[arg(long, value_parser = ["owner", "admin", "developer"])]
    role: Option<String>,
    /// The value of the identity provider's `link_by` by which it knows the member, or `none`.
    #[arg(long, value_name = "CLAIM=VALUE|none")]
    link: Option<OrNone<MemberLink>>,
}

impl MemberFields {
    fn body(self, from: &FromFile) -> Result<ApiBody, CommandError> {
        Ok(from.body()?.with("role", self.role).with("link", self.link))
    }
}

/// A link as the option takes it.
fn linked(link: Option<&Value>) -> String {
    match link.filter(|link| link.is_object()) {
        Some(link) => format!("{}={}", cell(link, "claim"), cell(link, "value")),
        None => "none".to_owned(),
    }
}

fn members_of(at: &InTeamspaceOption) -> Result<String, CommandError> {
    Ok(api_path(&["teamspaces", &at.teamspace, "members"])?)
}

impl WhichMember {
    /// The member with this email or id. The API shows members only in lists.
    async fn find(&self, session: &Session) -> Result<Value, CommandError> {
        let path = members_of(&self.at)?;
        // No id has an at sign, and an email begins with itself.
        let prefix = self.member.contains('@').then_some(("email_prefix", self.member.as_str()));
        let all = session.api.all(&with_query(&path, prefix)).await?;
        let is_it = |member: &&Value| {
            let has = |name, same: fn(&str, &str) -> bool| {
                member.get(name).and_then(Value::as_str).is_some_and(|text| same(text, &self.member))
            };
            has("email", |one, other| one.eq_ignore_ascii_case(other)) || has("id", |one, other| one == other)
        };
        let found = all.iter().find(is_it).cloned();
        found.ok_or_else(|| format!("{} has no member {}", self.at.teamspace, self.member).into())
    }

    /// The path of the member and of a part of it.
    async fn parts(&self, session: &Session, more: Option<&str>) -> Result<Vec<String>, CommandError> {
        let id = match self.member.contains('@') {
            true => cell(&self.find(session).await?, "id"),
            false => self.member.clone(),
        };
        let parts = ["teamspaces", &self.at.teamspace, "members", &id].map(str::to_owned);
        Ok(parts.into_iter().chain(more.map(str::to_owned)).collect())
    }

    async fn path(&self, session: &Session, more: Option<&str>) -> Result<String, CommandError> {
        let parts = self.parts(session, more).await?;
        Ok(api_path(&parts.iter().map(String::as_str).collect::<Vec<_>>())?)
    }

    async fn change(&self, session: &Session, body: &Value, done: &str) -> CommandResult {
        let changed = session.api.patch(&self.path(session, None).await?, body).await?;
        session.changed(&format!("{done} {}", self.named()), &changed, FIELDS)
    }

    /// The member in a message.
    fn named(&self) -> String {
        format!("member {} of {}", self.member, self.at.teamspace)
    }
}

impl Verbs for MemberCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Invite { at, email, fields, from } => {
                let body = fields.body(&from)?.with("email", email).json();
                let invited = session.api.post(&members_of(&at)?, Some(&body)).await?;
                let done = format!("Invited {} to {}", cell(&invited, "email"), at.teamspace);
                session.changed(&done, &invited, FIELDS)
            }
            Self::List { at, email_prefix, options } => {
                let prefix = email_prefix.as_deref().map(|prefix| ("email_prefix", prefix));
                let path = with_query(&members_of(&at)?, prefix);
                session.list(&path, &options, ("members", FIELDS)).await
            }
            Self::Show(which) => session.show(&which.find(session).await?, FIELDS),
            Self::Update { which, fields, status, from } => {
                let body = fields.body(&from)?.with("status", status).change()?;
                which.change(session, &body, "Changed").await
            }
            Self::Suspend(which) => {
                which.change(session, &json!({ "status": "suspended" }), "Suspended").await
            }
            Self::Restore(which) => which.change(session, &json!({ "status": "active" }), "Restored").await,
            Self::EndSessions(which) => {
                session.api.post(&which.path(session, Some("end-sessions")).await?, None).await?;
                session.tell(&format!("Ended the sessions of {}", which.named()));
                Ok(End::Fine)
            }
            Self::Unlink(which) => {
                session.api.delete(&which.path(session, Some("identities")).await?).await?;
                session.tell(&format!("Unlinked {} from every subject", which.named()));
                Ok(End::Fine)
            }
            Self::Delete { which, confirmation } => {
                let parts = which.parts(session, None).await?;
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                session.delete(&parts, &which.named(), &confirmation).await
            }
        }
    }
}
