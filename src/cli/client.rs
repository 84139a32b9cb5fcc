//! `countersign client`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::api_path;
use super::noun::{
    ApiBody, Confirmation, Field, FromFile, ListOptions, Session, Verbs, cell, jwks_in, keys_of, lines,
    secret_in,
};
use super::{CommandError, CommandResult};

const FIELDS: &[Field] = &[
    Field::column("client id", |c| cell(c, "client_id")),
    Field::column("name", |c| cell(c, "client_name")),
    Field::column("groups", |c| cell(c, "groups")),
    Field::column("enabled", |c| cell(c, "enabled")),
    Field::detail("auth method", |c| cell(c, "token_endpoint_auth_method")),
    Field::detail("keys at", |c| cell(c, "jwks_uri")),
    Field::detail("keys", keys_of),
    Field::detail("grant types", |c| cell(c, "grant_types")),
    Field::detail("DPoP-bound tokens only", |c| cell(c, "dpop_bound_access_tokens")),
    Field::detail("secrets", |c| {
        lines(c, "secrets", |secret| format!("{}  made {}", cell(secret, "id"), cell(secret, "created_at")))
    }),
    Field::column("created at", |c| cell(c, "created_at")),
];

const SECRET_FIELDS: &[Field] =
    &[Field::column("id", |s| cell(s, "id")), Field::column("created at", |s| cell(s, "created_at"))];

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Register a client of the token endpoint, and print its secret if it sends one.
    #[command(
        after_help = "Examples:\n  SECRET=$(countersign client create mcp-client --client-name 'MCP client')\n  \
        countersign client create mcp-client --client-secret-file secret\n  \
        countersign client create mcp-client --token-endpoint-auth-method private_key_jwt --jwks-file public.json"
    )]
    Create {
        /// The id that it presents [default: one is made].
        client_id: Option<String>,
        #[command(flatten)]
        fields: ClientFields,
        /// A file with a secret of your choice, or `-` for standard input [default: one is made and printed].
        #[arg(long, value_name = "FILE")]
        client_secret_file: Option<PathBuf>,
        #[command(flatten)]
        from: FromFile,
    },
    /// List the clients by id.
    #[command(after_help = "Example: countersign client list")]
    List(ListOptions),
    /// Show a client.
    #[command(after_help = "Example: countersign client show mcp-client")]
    Show {
        /// The client's id.
        client_id: String,
    },
    /// Change a client: what is not given stays as it is, and so do its secrets.
    #[command(after_help = "Example: countersign client update mcp-client --enabled false")]
    Update {
        /// The client's id.
        client_id: String,
        #[command(flatten)]
        fields: ClientFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// Delete a client and its secrets.
    #[command(after_help = "Example: countersign client delete mcp-client --yes")]
    Delete {
        /// The client's id.
        client_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// The secrets of a client: two can be valid, so that one can replace the other.
    #[command(subcommand)]
    Secret(SecretCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Add a secret and print it. The oldest is deleted if there would be three.
    #[command(
        visible_alias = "create",
        after_help = "Example: NEW=$(countersign client secret add mcp-client)"
    )]
    Add {
        /// The client's id.
        client_id: String,
        /// A file with a secret of your choice, or `-` for standard input [default: one is made and printed].
        #[arg(long, value_name = "FILE")]
        client_secret_file: Option<PathBuf>,
    },
    /// Tell whether a secret is one of the client's. Ends with 1 if it is not.
    #[command(after_help = "Example: countersign client secret check mcp-client --client-secret-file secret")]
    Check {
        /// The client's id.
        client_id: String,
        /// The file with the secret, or `-` for standard input.
        #[arg(long, value_name = "FILE")]
        client_secret_file: PathBuf,
    },
    /// Remove a secret.
    #[command(
        visible_alias = "delete",
        after_help = "Example: countersign client secret remove mcp-client 4b6bb3a1-54c5-4bd4-8ca1-5e17c0a0b9a4 --yes"
    )]
    Remove {
        /// The client's id.
        client_id: String,
        /// The secret's id, as `client show` lists it.
        id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Debug, Args)]
pub(super) struct ClientFields {
    /// The name for people.
    #[arg(long, value_name = "NAME")]
    client_name: Option<String>,
    /// How it proves who it is. The two ways to send a secret are accepted both; with private_key_jwt it has keys and no
    /// secret; with none it has neither, and whoever gets hold of an assertion for it can redeem it.
    #[arg(
        long,
        value_name = "METHOD",
        value_parser = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
    )]
    token_endpoint_auth_method: Option<String>,
    /// A file with its public keys, a JWK Set, or `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks_file: Option<PathBuf>,
    /// The address of its public keys instead.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// A grant that it may use; repeat it for several.
    #[arg(long, value_name = "GRANT")]
    grant_types: Vec<String>,
    /// A group of clients for policies; repeat it for several. `""` means none.
    #[arg(long, value_name = "GROUP")]
    groups: Vec<String>,
    /// Whether it gets tokens.
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// Whether its tokens must be bound to a key, which it proves with DPoP.
    #[arg(long, value_name = "BOOL")]
    dpop_bound_access_tokens: Option<bool>,
}

impl ClientFields {
    fn body(self, from: &FromFile) -> Result<ApiBody, CommandError> {
        let body = from.body()?.with("client_name", self.client_name).with("enabled", self.enabled);
        let body = body.with("token_endpoint_auth_method", self.token_endpoint_auth_method);
        let body = body.with("jwks", jwks_in(self.jwks_file.as_ref())?).with("jwks_uri", self.jwks_uri);
        let body = body.with("dpop_bound_access_tokens", self.dpop_bound_access_tokens);
        let body = body.with_list("grant_types", &self.grant_types);
        Ok(body.with_list("groups", &self.groups))
    }
}

/// The text of a member of an answer, as it is.
fn text(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Verbs for ClientCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { client_id, fields, client_secret_file, from } => {
                let secret = secret_in(client_secret_file.as_deref())?;
                let body = fields.body(&from)?.with("client_id", client_id).with("client_secret", secret);
                create(session, body.json()).await
            }
            Self::List(options) => session.list("/clients", &options, ("clients", FIELDS)).await,
            Self::Show { client_id } => {
                session.show(&session.api.get(&api_path(&["clients", &client_id])?).await?, FIELDS)
            }
            Self::Update { client_id, fields, from } => {
                let body = fields.body(&from)?.change()?;
                let changed = session.api.patch(&api_path(&["clients", &client_id])?, &body).await?;
                session.changed(&format!("Changed client {client_id}"), &changed, FIELDS)
            }
            Self::Delete { client_id, confirmation } => {
                session.delete(&["clients", &client_id], &format!("client {client_id}"), &confirmation).await
            }
            Self::Secret(command) => command.run(session).await,
        }
    }
}

async fn create(session: &Session, body: Value) -> CommandResult {
    let is_given = body.get("client_secret").is_some_and(Value::is_string);
    let made = session.api.post("/clients", Some(&body)).await?;
    let id = text(&made, "client_id");
    let done = format!("Registered client {id}");
    let has_none = made.get("client_secret").is_none();
    if has_none || is_given && !session.is_json() {
        return session.changed(&done, &made, FIELDS);
    }
    let redo = format!("add another: countersign client secret add {id}");
    session.secret(&made, "client_secret", (&done, &redo))
}

impl Verbs for SecretCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Add { client_id, client_secret_file } => {
                let secret = secret_in(client_secret_file.as_deref())?;
                let is_given = secret.is_some();
                let path = api_path(&["clients", &client_id, "secrets"])?;
                let body = json!({ "client_secret": secret });
                let added = session.api.post(&path, Some(&body)).await?;
                let done = format!("Added secret {} to client {client_id}", text(&added, "id"));
                if is_given && !session.is_json() {
                    return session.changed(&done, &added, SECRET_FIELDS);
                }
                session.secret(&added, "client_secret", (&done, "remove it and add another"))
            }
            Self::Check { client_id, client_secret_file } => {
                let secret = secret_in(Some(&client_secret_file))?;
                let path = api_path(&["clients", &client_id, "secrets", "check"])?;
                session.check_secret(&path, secret).await
            }
            Self::Remove { client_id, id, confirmation } => {
                let what = format!("secret {id} of client {client_id}");
                session.delete(&["clients", &client_id, "secrets", &id], &what, &confirmation).await
            }
        }
    }
}
