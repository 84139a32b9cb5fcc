//! `countersign resource`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::api_path;
use super::noun::{
    ApiBody, Confirmation, Field, FromFile, ListOptions, Session, Verbs, cell, jwks_in, keys_of, lines, or,
    secret_in,
};
use super::{CommandError, CommandResult};

const FIELDS: &[Field] = &[
    Field::column("identifier", |r| cell(r, "identifier")),
    Field::column("name", |r| cell(r, "name")),
    Field::column("scopes", |r| match r.get("scopes").and_then(Value::as_array) {
        Some(scopes) if !scopes.is_empty() => {
            scopes.iter().map(|scope| cell(scope, "name")).collect::<Vec<_>>().join(", ")
        }
        _ => cell(r, "scopes"),
    }),
    Field::detail("descriptions", |r| {
        lines(r, "scopes", |scope| format!("{}: {}", cell(scope, "name"), cell(scope, "description")))
    }),
    Field::detail("default scopes", |r| cell(r, "default_scopes")),
    Field::column("teamspaces", |r| or(r, "teamspaces", "all")),
    Field::detail("required scopes", |r| cell(r, "required_scopes")),
    Field::detail("forward-auth credentials", |r| cell(r, "forward_auth_credentials")),
    Field::detail("tool policies", |r| cell(r, "tool_policies")),
    Field::detail("DPoP-bound tokens only", |r| cell(r, "dpop_bound_access_tokens")),
    Field::column("id", |r| cell(r, "id")),
    Field::detail("created at", |r| cell(r, "created_at")),
];

const CREDENTIAL_FIELDS: &[Field] = &[
    Field::column("client id", |c| cell(c, "client_id")),
    Field::column("method", |c| cell(c, "auth_method")),
    Field::column("keys at", |c| cell(c, "jwks_uri")),
    Field::detail("keys", keys_of),
    Field::column("created at", |c| cell(c, "created_at")),
];

#[derive(Debug, Subcommand)]
pub(super) enum ResourceCommand {
    /// Register a resource: an MCP server that tokens are issued for.
    #[command(
        after_help = "Example:\n  countersign resource create https://mcp.example.com/mcp --name Docs \\\n    \
        --scopes 'docs.read=Read documents' --scopes docs.write --default-scopes docs.read"
    )]
    Create {
        /// The `aud` of its tokens: its URL, byte for byte.
        #[arg(required_unless_present = "from_file")]
        identifier: Option<String>,
        #[command(flatten)]
        fields: ResourceFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// List the resources by identifier.
    #[command(after_help = "Example: countersign resource list --all")]
    List(ListOptions),
    /// Show a resource.
    #[command(after_help = "Example: countersign resource show https://mcp.example.com/mcp")]
    Show {
        /// Its id or its identifier.
        resource: String,
    },
    /// Change a resource: what is not given stays as it is.
    #[command(
        after_help = "Examples:\n  countersign resource update https://mcp.example.com/mcp --teamspaces acme\n  \
        countersign resource update https://mcp.example.com/mcp --teamspaces all"
    )]
    Update {
        /// Its id or its identifier.
        resource: String,
        /// The new identifier.
        #[arg(long)]
        identifier: Option<String>,
        #[command(flatten)]
        fields: ResourceFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// Delete a resource: no more tokens are issued for it.
    #[command(after_help = "Example: countersign resource delete https://mcp.example.com/mcp --yes")]
    Delete {
        /// Its id or its identifier.
        resource: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// The credentials with which the MCP server asks about tokens: introspection, the list of revocations, forward-auth.
    #[command(subcommand)]
    Credential(CredentialCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum CredentialCommand {
    /// Make credentials, and print the secret. The id stands beside it, on standard error; `--format json` prints both. With
    /// keys there is no secret: the server signs assertions. A resource has four at the most.
    #[command(
        after_help = "Examples:\n  countersign resource credential create https://mcp.example.com/mcp\n  \
        countersign resource credential create https://mcp.example.com/mcp --jwks-file keys.json"
    )]
    Create {
        /// The resource's id or its identifier.
        resource: String,
        /// The id that the server presents [default: one is made].
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
        #[command(flatten)]
        proof: ProofOptions,
    },
    /// List the credentials of a resource, oldest first, without their secrets.
    #[command(after_help = "Example: countersign resource credential list https://mcp.example.com/mcp")]
    List {
        /// The resource's id or its identifier.
        resource: String,
    },
    /// Change how credentials are proved: keys or a secret take the place of what there was, which is refused at once.
    #[command(
        after_help = "Example: countersign resource credential update https://mcp.example.com/mcp docs-server \\\n    \
        --jwks-uri https://mcp.example.com/keys"
    )]
    Update {
        /// The resource's id or its identifier.
        resource: String,
        /// The id of the credentials, as `list` shows it.
        client_id: String,
        #[command(flatten)]
        proof: ProofOptions,
    },
    /// Tell whether a secret is that of the credentials. Ends with 1 if it is not.
    #[command(
        after_help = "Example: countersign resource credential check https://mcp.example.com/mcp docs-server \\\n    \
        --client-secret-file secret"
    )]
    Check {
        /// The resource's id or its identifier.
        resource: String,
        /// The id of the credentials, as `list` shows it.
        client_id: String,
        /// The file with the secret, or `-` for standard input.
        #[arg(long, value_name = "FILE")]
        client_secret_file: PathBuf,
    },
    /// Delete credentials: a server that still uses them gets no more answers.
    #[command(
        after_help = "Example: countersign resource credential delete https://mcp.example.com/mcp \\\n    \
        resource-3q2xTPi0ZxkV0yYbJwq0Dw --yes"
    )]
    Delete {
        /// The resource's id or its identifier.
        resource: String,
        /// The id of the credentials, as `list` shows it.
        client_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// The secret or the keys of credentials: at most one of these.
#[derive(Debug, Args)]
pub(super) struct ProofOptions {
    /// A file with the server's public keys, a JWK Set, or `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jwks_uri", "client_secret_file"])]
    jwks_file: Option<PathBuf>,
    /// The address of the server's public keys instead.
    #[arg(long, value_name = "URL", conflicts_with = "client_secret_file")]
    jwks_uri: Option<String>,
    /// A file with a secret of your choice, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
}

impl ProofOptions {
    fn body(self) -> Result<ApiBody, CommandError> {
        let body = ApiBody::default().with("jwks", jwks_in(self.jwks_file.as_ref())?);
        let body = body.with("jwks_uri", self.jwks_uri);
        Ok(body.with("client_secret", secret_in(self.client_secret_file.as_deref())?))
    }
}

#[derive(Debug, Args)]
pub(super) struct ResourceFields {
    /// The name for people.
    #[arg(long)]
    name: Option<String>,
    /// A scope, with a description for people if you like; repeat it for several.
    #[arg(long, value_name = "NAME[=DESCRIPTION]")]
    scopes: Vec<String>,
    /// A scope to consider when neither the assertion nor the identity provider names any; repeat it for several.
    #[arg(long, value_name = "NAME")]
    default_scopes: Vec<String>,
    /// The slug of a teamspace that it is offered to; repeat it for several. `all` offers it to every teamspace.
    #[arg(long, value_name = "SLUG|all")]
    teamspaces: Vec<String>,
    /// A scope that forward-auth demands of every request; repeat it for several. `""` means none.
    #[arg(long, value_name = "NAME")]
    required_scopes: Vec<String>,
    /// Whether forward-auth answers only a proxy that sends the resource's credentials.
    #[arg(long, value_name = "BOOL")]
    forward_auth_credentials: Option<bool>,
    /// Whether forward-auth asks the policies about each call of a tool, and about the list of tools.
    #[arg(long, value_name = "BOOL")]
    tool_policies: Option<bool>,
    /// Whether its tokens must be bound to a key, which the client proves with DPoP.
    #[arg(long, value_name = "BOOL")]
    dpop_bound_access_tokens: Option<bool>,
}

impl ResourceFields {
    fn body(self, from: &FromFile, identifier: Option<String>) -> Result<ApiBody, CommandError> {
        let body = from.body()?.with("identifier", identifier).with("name", self.name);
        let body = body.with_each("scopes", &self.scopes, scope);
        let body = body.with_list("default_scopes", &self.default_scopes);
        let body = body.with_list("required_scopes", &self.required_scopes);
        let body = body.with("forward_auth_credentials", self.forward_auth_credentials);
        let body = body.with("tool_policies", self.tool_policies);
        let body = body.with("dpop_bound_access_tokens", self.dpop_bound_access_tokens);
        Ok(match self.teamspaces.as_slice() {
            [all] if all == "all" => body.with("teamspaces", Some(Value::Null)),
            slugs => body.with_list("teamspaces", slugs),
        })
    }
}

fn scope(text: &str) -> Value {
    let (name, description) = text.split_once('=').unwrap_or((text, ""));
    json!({ "name": name, "description": description })
}

/// The id of a resource. An identifier is a URL; no id has a colon.
async fn id_of(session: &Session, resource: String) -> Result<String, CommandError> {
    if !resource.contains(':') {
        return Ok(resource);
    }
    let all = session.api.all("/resources").await?;
    let found = all.iter().find(|one| one.get("identifier").and_then(Value::as_str) == Some(&resource));
    let id = found.and_then(|found| found.get("id")).and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| format!("there is no resource {resource}").into())
}

impl Verbs for ResourceCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { identifier, fields, from } => {
                let body = fields.body(&from, identifier)?.json();
                let made = session.api.post("/resources", Some(&body)).await?;
                session.changed(&format!("Created resource {}", cell(&made, "identifier")), &made, FIELDS)
            }
            Self::List(options) => session.list("/resources", &options, ("resources", FIELDS)).await,
            Self::Show { resource } => {
                let path = api_path(&["resources", &id_of(session, resource).await?])?;
                session.show(&session.api.get(&path).await?, FIELDS)
            }
            Self::Update { resource, identifier, fields, from } => {
                let body = fields.body(&from, identifier)?.change()?;
                let path = api_path(&["resources", &id_of(session, resource).await?])?;
                let changed = session.api.patch(&path, &body).await?;
                session.changed(
                    &format!("Changed resource {}", cell(&changed, "identifier")),
                    &changed,
                    FIELDS,
                )
            }
            Self::Delete { resource, confirmation } => {
                let id = id_of(session, resource.clone()).await?;
                session.delete(&["resources", &id], &format!("resource {resource}"), &confirmation).await
            }
            Self::Credential(command) => command.run(session).await,
        }
    }
}

impl Verbs for CredentialCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { resource, client_id, proof } => {
                let is_given = proof.client_secret_file.is_some();
                let path = api_path(&["resources", &id_of(session, resource.clone()).await?, "credentials"])?;
                let body = proof.body()?.with("client_id", client_id).json();
                let made = session.api.post(&path, Some(&body)).await?;
                let done = format!("Made credentials {} for {resource}", cell(&made, "client_id"));
                if made.get("client_secret").is_none() || is_given && !session.is_json() {
                    return session.changed(&done, &made, CREDENTIAL_FIELDS);
                }
                session.secret(&made, "client_secret", (&done, "delete them and make others"))
            }
            Self::Update { resource, client_id, proof } => {
                let body = proof.body()?.change()?;
                let id = id_of(session, resource.clone()).await?;
                let path = api_path(&["resources", &id, "credentials", &client_id])?;
                let changed = session.api.patch(&path, &body).await?;
                let done = format!("Changed credentials {client_id} of {resource}");
                session.changed(&done, &changed, CREDENTIAL_FIELDS)
            }
            Self::Check { resource, client_id, client_secret_file } => {
                let secret = secret_in(Some(&client_secret_file))?;
                let id = id_of(session, resource).await?;
                let path = api_path(&["resources", &id, "credentials", &client_id, "secret", "check"])?;
                session.check_secret(&path, secret).await
            }
            Self::List { resource } => {
                let path = api_path(&["resources", &id_of(session, resource).await?, "credentials"])?;
                session.show_list(&session.api.get(&path).await?, "credentials", CREDENTIAL_FIELDS)
            }
            Self::Delete { resource, client_id, confirmation } => {
                let id = id_of(session, resource.clone()).await?;
                let what = format!("credentials {client_id} of {resource}");
                session.delete(&["resources", &id, "credentials", &client_id], &what, &confirmation).await
            }
        }
    }
}
