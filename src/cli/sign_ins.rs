//! `countersign sign-ins`: the decision log.

use clap::{Args, Subcommand};

use super::CommandResult;
use super::api::{api_path, with_query};
use super::noun::{Field, ListOptions, Session, Verbs, cell, or};

const FIELDS: &[Field] = &[
    Field::column("time", |s| cell(s, "time")),
    Field::column("outcome", |s| match or(s, "reason", "") {
        reason if reason.is_empty() => cell(s, "outcome"),
        reason => format!("{}: {reason}", cell(s, "outcome")),
    }),
    Field::column("person", |s| match or(s, "email", "") {
        email if email.is_empty() => cell(s, "subject"),
        email => email,
    }),
    Field::column("teamspace", |s| cell(s, "teamspace")),
    Field::column("client", |s| cell(s, "client_id")),
    Field::column("scopes", |s| cell(s, "scopes_granted")),
    Field::column("request", |s| cell(s, "request_id")),
    Field::detail("detail", |s| cell(s, "detail")),
    Field::detail("repeated", |s| cell(s, "repeated")),
    Field::detail("resource", |s| cell(s, "resource")),
    Field::detail("scopes asked", |s| cell(s, "scopes_asked")),
    Field::detail("issuer", |s| cell(s, "issuer")),
    Field::detail("subject", |s| cell(s, "subject")),
    Field::detail("identity provider", |s| cell(s, "identity_provider")),
    Field::detail("member", |s| cell(s, "member_id")),
    Field::detail("policies", |s| cell(s, "policy_ids")),
    Field::detail("policy set", |s| cell(s, "policy_set")),
    Field::detail("id", |s| cell(s, "id")),
];

#[derive(Debug, Subcommand)]
pub(super) enum SignInsCommand {
    /// List the decision log, newest first: who asked for a token, and what was decided.
    #[command(
        after_help = "Examples:\n  countersign sign-ins list --teamspace acme --outcome refused --from 2026-11-01\n  \
        countersign sign-ins list --person dana@acme.com --all --format json"
    )]
    List {
        #[command(flatten)]
        filter: Box<SignInFilter>,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Show the sign-in of a request.
    #[command(after_help = "Example: countersign sign-ins show 01936f4e-7f6b-7cc0-9d0f-1c5d3bb0b6a1")]
    Show {
        /// The `X-Request-Id` of the token endpoint's answer; `list` shows it too.
        request_id: String,
        /// The teamspace's slug, for a token that sees only this one.
        #[arg(long, short, value_name = "SLUG")]
        teamspace: Option<String>,
    },
    /// Show the life of the token that a request got: issued, looked at, ended.
    #[command(after_help = "Example: countersign sign-ins token 01936f4e-7f6b-7cc0-9d0f-1c5d3bb0b6a1")]
    Token {
        /// The `X-Request-Id` of the token endpoint's answer; `list` shows it too.
        request_id: String,
        /// The teamspace's slug, for a token that sees only this one.
        #[arg(long, short, value_name = "SLUG")]
        teamspace: Option<String>,
    },
}

const TOKEN_FIELDS: &[Field] = &[
    Field::detail("token", |t| cell(t, "token_id")),
    Field::detail("active", |t| cell(t, "active")),
    Field::detail("issued", |t| cell(t, "issued_at")),
    Field::detail("expires by", |t| cell(t, "expires_by")),
    Field::detail("introspections", |t| cell(t, "introspections")),
    Field::detail("forward-auths", |t| cell(t, "forward_auths")),
    Field::detail("first used", |t| or(t, "first_used_at", "never")),
    Field::detail("last used", |t| or(t, "last_used_at", "never")),
    Field::detail("ended", |t| or(t, "ended_at", "never")),
    Field::detail("ended by", |t| or(t, "ended_by", "")),
];

#[derive(Debug, Args)]
pub(super) struct SignInFilter {
    /// The slug of a teamspace [default: every one, and requests that led to none].
    #[arg(long, short, value_name = "SLUG")]
    teamspace: Option<String>,
    /// How it ended.
    #[arg(long, value_parser = ["granted", "refused"])]
    outcome: Option<String>,
    /// A reason; `countersign reason list` has them all.
    #[arg(long)]
    reason: Option<String>,
    /// The `X-Request-Id` of the token endpoint's answer.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The client that asked.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// An email or a subject.
    #[arg(long, value_name = "EMAIL|SUBJECT")]
    person: Option<String>,
    /// The id of an identity provider.
    #[arg(long, value_name = "ID")]
    identity_provider: Option<String>,
    /// The issuer of the assertion.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The first day, or the time from which on.
    #[arg(long, value_name = "DATE|TIME")]
    from: Option<String>,
    /// The last day, or the time until which.
    #[arg(long, value_name = "DATE|TIME")]
    to: Option<String>,
}

impl SignInFilter {
    fn path(&self) -> Result<String, super::CommandError> {
        let given = [
            ("outcome", &self.outcome),
            ("reason", &self.reason),
            ("request_id", &self.request_id),
            ("client_id", &self.client_id),
            ("person", &self.person),
            ("identity_provider", &self.identity_provider),
            ("issuer", &self.issuer),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        Ok(with_query(&log_of(self.teamspace.as_deref())?, given))
    }
}

/// The path of the log of a teamspace, or of all.
fn log_of(teamspace: Option<&str>) -> Result<String, super::CommandError> {
    match teamspace {
        Some(slug) => Ok(api_path(&["teamspaces", slug, "sign-ins"])?),
        None => Ok("/sign-ins".to_owned()),
    }
}

impl Verbs for SignInsCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::List { filter, options } => {
                session.list(&filter.path()?, &options, ("sign-ins", FIELDS)).await
            }
            Self::Show { request_id, teamspace } => {
                let path = log_of(teamspace.as_deref())?;
                let path = with_query(&path, [("request_id", request_id.as_str())]);
                let found = session.api.list(&path, None, 1).await?;
                match found.pointer("/items/0") {
                    Some(sign_in) => session.show(sign_in, FIELDS),
                    None => Err(format!("the decision log has no request {request_id}").into()),
                }
            }
            Self::Token { request_id, teamspace } => {
                let path = match &teamspace {
                    Some(slug) => api_path(&["teamspaces", slug, "sign-ins", &request_id, "token"])?,
                    None => api_path(&["sign-ins", &request_id, "token"])?,
                };
                session.show(&session.api.get(&path).await?, TOKEN_FIELDS)
            }
        }
    }
}
