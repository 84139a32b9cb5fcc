//! `countersign provider`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::api_path;
use super::noun::{
    ApiBody, Confirmation, Field, FromFile, InTeamspaceOption, ListOptions, OrNone, Session, Verbs, cell,
    lines, or,
};
use super::{CommandError, CommandResult, End};
use crate::terminal::out;

const FIELDS: &[Field] = &[
    Field::column("name", |p| cell(p, "name")),
    Field::column("provider", |p| cell(p, "provider")),
    Field::column("issuer", |p| cell(p, "issuer")),
    Field::column("enabled", |p| cell(p, "enabled")),
    Field::detail("tenant", |p| or(p, "tenant", "none")),
    Field::detail("scope", |p| or(p, "scope", "as the identity provider authorizes")),
    Field::detail("groups claim", |p| cell(p, "groups_claim")),
    Field::detail("custom claims", |p| lines(p, "custom_claims", shown_claim)),
    Field::detail("logout client id", |p| or(p, "logout_client_id", "none")),
    Field::detail("link by", |p| or(p, "link_by", "email")),
    Field::detail("saml issuer", |p| or(p, "saml_issuer", "none")),
    Field::detail("jwks uri", |p| cell(p, "jwks_uri")),
    Field::detail("metadata name instead", named_instead),
    Field::column("id", |p| cell(p, "id")),
    Field::detail("created at", |p| cell(p, "created_at")),
    Field::detail("updated at", |p| cell(p, "updated_at")),
];

const TRUST_FIELDS: &[Field] = &[
    Field::column("time", |change| cell(change, "time")),
    Field::column("kind", |change| cell(change, "kind")),
    Field::column("by", |change| or(change, "actor", "the identity provider")),
    Field::column("before", |change| trusted(change, "old")),
    Field::column("after", |change| trusted(change, "new")),
];

/// The types of custom claims, besides a text.
const CLAIM_TYPES: [&str; 4] = ["text", "long", "boolean", "texts"];

#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// Add an identity provider to a teamspace, once it has passed the checks.
    #[command(
        after_help = "Example:\n  countersign provider create --teamspace acme --provider okta --issuer https://acme.okta.com"
    )]
    Create {
        #[command(flatten)]
        at: InTeamspaceOption,
        #[command(flatten)]
        fields: ProviderFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// List a teamspace's identity providers, oldest first.
    #[command(after_help = "Example: countersign provider list --teamspace acme")]
    List {
        #[command(flatten)]
        at: InTeamspaceOption,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Show an identity provider.
    #[command(after_help = "Example: countersign provider show --teamspace acme")]
    Show {
        #[command(flatten)]
        which: WhichProvider,
    },
    /// Change an identity provider: what is not given stays as it is. A new issuer is checked first, and so is
    /// enabling it.
    #[command(after_help = "Example: countersign provider update --teamspace acme --enabled false")]
    Update {
        #[command(flatten)]
        which: WhichProvider,
        #[command(flatten)]
        fields: ProviderFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// Replace an identity provider by another, once that has passed the checks: what is not given gets its default.
    /// Without an id, the only one is replaced, or the first one added.
    #[command(
        after_help = "Example:\n  countersign provider replace --teamspace acme --provider entra \\\n    \
        --issuer https://login.microsoftonline.com/TENANT/v2.0"
    )]
    Replace {
        #[command(flatten)]
        which: WhichProvider,
        #[command(flatten)]
        fields: ProviderFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// Check an identity provider as saving it would, and change nothing. Ends with 1 if a check fails.
    #[command(after_help = "Example: countersign provider check --teamspace acme")]
    Check {
        #[command(flatten)]
        which: WhichProvider,
    },
    /// Take the keys from the address that the provider's metadata name now, once it has passed the checks. `show` with
    /// the provider's id tells whether they name another one than was saved.
    #[command(
        after_help = "Example: countersign provider confirm-jwks-uri --teamspace acme --jwks-uri https://acme.okta.com/oauth2/v1/keys"
    )]
    ConfirmJwksUri {
        #[command(flatten)]
        which: WhichProvider,
        /// The address, as you have seen it in the metadata.
        #[arg(long, value_name = "URL")]
        jwks_uri: String,
    },
    /// List how the trust in an identity provider changed, newest first: by whom, and with which keys.
    #[command(after_help = "Example: countersign provider trust-history --teamspace acme")]
    TrustHistory {
        #[command(flatten)]
        which: WhichProvider,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Delete an identity provider: nobody signs in with it any more.
    #[command(after_help = "Example: countersign provider delete --teamspace acme --yes")]
    Delete {
        #[command(flatten)]
        which: WhichProvider,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Debug, Args)]
pub(super) struct WhichProvider {
    #[command(flatten)]
    at: InTeamspaceOption,
    /// Its id, as `list` shows it [default: the only one].
    id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ProviderFields {
    /// The name for people.
    #[arg(long)]
    name: Option<String>,
    /// The product.
    #[arg(long, value_parser = ["okta", "claude", "entra", "oidc"])]
    provider: Option<String>,
    /// Its issuer identifier, byte for byte.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The tenant that assertions must name, or `none`.
    #[arg(long, value_name = "TENANT|none")]
    tenant: Option<OrNone<String>>,
    /// Scopes to grant, separated by spaces. `""`: those that the identity provider authorizes.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The claim that has a person's groups.
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// A further claim for policies; repeat it for several. Types: text (the default), long, boolean, texts.
    #[arg(long, value_name = "NAME[=TYPE]")]
    custom_claims: Vec<String>,
    /// The client id that the provider's logout tokens are for (OpenID Connect Back-Channel Logout), or `none`.
    #[arg(long, value_name = "ID|none")]
    logout_client_id: Option<OrNone<String>>,
    /// The provider's SAML entity ID, whose NameIDs assertions must bring in `sub_id`, or `none`.
    #[arg(long, value_name = "ID|none")]
    saml_issuer: Option<OrNone<String>>,
    /// The claim by whose value people are linked to members once: one of the custom claims, `aud_sub`, or `none`.
    #[arg(long, value_name = "CLAIM|none")]
    link_by: Option<OrNone<String>>,
    /// Whether people can sign in with it.
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

impl ProviderFields {
    fn body(self, from: &FromFile) -> Result<ApiBody, CommandError> {
        let body = from.body()?.with("name", self.name).with("provider", self.provider);
        let body = body.with("issuer", self.issuer).with("tenant", self.tenant).with("scope", self.scope);
        let body = body.with("groups_claim", self.groups_claim).with("enabled", self.enabled);
        let body = body.with("logout_client_id", self.logout_client_id);
        let body = body.with("saml_issuer", self.saml_issuer).with("link_by", self.link_by);
        Ok(body.with_each("custom_claims", &self.custom_claims, claim))
    }
}

/// A claim with a type, or a name alone. The name may be a URL with equals signs.
fn claim(text: &str) -> Value {
    match text.rsplit_once('=') {
        Some((name, claim_type)) if CLAIM_TYPES.contains(&claim_type) => {
            json!({ "name": name, "type": claim_type })
        }
        _ => text.into(),
    }
}

fn shown_claim(claim: &Value) -> String {
    match claim {
        Value::Object(_) => format!("{} ({})", cell(claim, "name"), cell(claim, "type")),
        name => cell(&json!({ "name": name }), "name"),
    }
}

/// The address or issuer that a provider's metadata name instead of the saved one.
fn named_instead(provider: &Value) -> String {
    let Some(named) = provider.get("metadata_differs").filter(|named| named.is_object()) else {
        return cell(provider, "metadata_differs");
    };
    match named.get("issuer") != provider.get("issuer") {
        true => format!("issuer {}, since {}", cell(named, "issuer"), cell(named, "since")),
        false => format!("jwks uri {}, since {}", or(named, "jwks_uri", "none"), cell(named, "since")),
    }
}

/// One side of a change of trust.
fn trusted(change: &Value, side: &str) -> String {
    let Some(parts) = change.get(side).filter(|parts| parts.is_object()) else { return "-".to_owned() };
    let mut said: Vec<String> =
        ["issuer", "tenant", "jwks_uri"].into_iter().map(|name| or(parts, name, "")).collect();
    let keys = parts.get("keys").and_then(Value::as_array).into_iter().flatten();
    said.extend(keys.map(|key| format!("{} ({})", or(key, "kid", "no kid"), cell(key, "thumbprint"))));
    said.retain(|text| !text.is_empty());
    said.join(", ")
}

impl WhichProvider {
    /// The path, which has one more part for what is done.
    fn path(&self, verb: Option<&str>) -> Result<String, CommandError> {
        Ok(api_path(&self.parts().into_iter().chain(verb).collect::<Vec<_>>())?)
    }

    fn parts(&self) -> Vec<&str> {
        let slug = self.at.teamspace.as_str();
        match &self.id {
            Some(id) => vec!["teamspaces", slug, "identity-providers", id],
            None => vec!["teamspaces", slug, "identity-provider"],
        }
    }

    /// The provider in a message.
    fn named(&self) -> String {
        let slug = &self.at.teamspace;
        match &self.id {
            Some(id) => format!("identity provider {id} of {slug}"),
            None => format!("the identity provider of {slug}"),
        }
    }
}

impl Verbs for ProviderCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { at, fields, from } => {
                let path = api_path(&["teamspaces", &at.teamspace, "identity-providers"])?;
                let made = session.api.post(&path, Some(&fields.body(&from)?.json())).await?;
                let done = format!("Added identity provider {} to {}", cell(&made, "id"), at.teamspace);
                session.changed(&done, &made, FIELDS)
            }
            Self::List { at, options } => {
                let path = api_path(&["teamspaces", &at.teamspace, "identity-providers"])?;
                session.list(&path, &options, ("identity providers", FIELDS)).await
            }
            Self::Show { which } => session.show(&session.api.get(&which.path(None)?).await?, FIELDS),
            Self::Update { which, fields, from } => {
                let body = fields.body(&from)?.change()?;
                let changed = session.api.patch(&which.path(None)?, &body).await?;
                session.changed(&format!("Changed {}", which.named()), &changed, FIELDS)
            }
            Self::Replace { which, fields, from } => {
                let body = fields.body(&from)?.change()?;
                let changed = session.api.put(&which.path(None)?, &body).await?;
                session.changed(&format!("Replaced {}", which.named()), &changed, FIELDS)
            }
            Self::Check { which } => {
                let report = session.api.post(&which.path(Some("check"))?, None).await?;
                match session.is_json() {
                    true => out::json(&report)?,
                    false => out::text(checks(&report)),
                }
                let is_ok = report.get("ok").and_then(Value::as_bool) == Some(true);
                Ok(if is_ok { End::Fine } else { End::Finding })
            }
            Self::ConfirmJwksUri { which, jwks_uri } => {
                let body = json!({ "jwks_uri": jwks_uri });
                let path = which.path(Some("confirm-jwks-uri"))?;
                let changed = session.api.post(&path, Some(&body)).await?;
                session.changed(&format!("Confirmed the jwks uri of {}", which.named()), &changed, FIELDS)
            }
            Self::TrustHistory { which, options } => {
                let path = which.path(Some("trust-history"))?;
                session.list(&path, &options, ("changes of trust", TRUST_FIELDS)).await
            }
            Self::Delete { which, confirmation } => {
                session.delete(&which.parts(), &which.named(), &confirmation).await
            }
        }
    }
}

/// The checks with their steps, a line for each.
fn checks(report: &Value) -> String {
    let of =
        |object: &Value, name: &str| object.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut text = String::new();
    for check in of(report, "checks") {
        let _ = writeln!(text, "{} {}: {}", mark(&check), cell(&check, "code"), cell(&check, "message"));
        for step in of(&check, "steps") {
            let _ = write!(text, "    {} {}", mark(&step), cell(&step, "title"));
            let _ = match or(&step, "message", "") {
                message if message.is_empty() => writeln!(text),
                message => writeln!(text, " ({message})"),
            };
        }
    }
    text
}

fn mark(check: &Value) -> char {
    match check.get("outcome").and_then(Value::as_str) {
        Some("passed") => '✓',
        Some("failed") => '✗',
        Some("warning") => '!',
        _ => '·',
    }
}
