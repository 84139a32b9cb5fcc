//! The smallest installation that exchanges: one teamspace, its identity provider, one MCP server, one client.

use countersign::config::Database;
use countersign::model::client::{AuthMethod, ClientSecret, KeySource, RegisteredClient};
use countersign::model::identity_provider::{IdentityProvider, Provider};
use countersign::model::resource::{CredentialProof, Resource, ResourceCredential, ResourceScope};
use countersign::model::teamspace::{Plan, Teamspace};
use countersign::oauth::request::JWT_BEARER;
use countersign::random::digest;
use countersign::store::changes::{self, Changed};
use countersign::store::clients;
use countersign::store::identity_providers;
use countersign::store::resources;
use countersign::store::teamspaces;
use countersign::store::{AnyConnection, Store, StoreError, connection};

use crate::Outcome;

pub const CLIENT: &str = "bench-client";
/// A client that has a key instead of a secret, and proofs for its tokens.
pub const KEY_CLIENT: &str = "bench-key-client";
pub const SECRET: &str = "bench-secret-0123456789abcdef";
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
pub const SCOPES: [&str; 3] = ["docs.read", "docs.search", "docs.write"];
/// Its id.
pub const RESOURCE_ID: &str = "bench";
/// The id by which the MCP server asks about tokens; its secret is the client's.
pub const CREDENTIAL: &str = "bench-mcp-server";
/// The teamspace whose people sign in.
pub const TEAMSPACE: &str = "bench";

/// Migrates a database and writes the installation into it.
pub fn seed(url: &str, idp: &str) -> Outcome<()> {
    Store::migrate(url)?;
    let c = &mut connection::open(url, &Database::default())?;
    teamspaces::insert(c, &teamspace()).map_err(StoreError::from)?;
    identity_providers::put(c, &provider(idp))?;
    let scope = |name: &str| ResourceScope { name: name.to_owned(), description: String::new() };
    let resource = Resource {
        id: RESOURCE_ID.into(),
        identifier: RESOURCE.into(),
        normalized: RESOURCE.into(),
        name: "bench".into(),
        scopes: SCOPES.map(scope).to_vec(),
        default_scopes: vec![],
        teamspaces: None,
        required_scopes: Vec::new(),
        forward_auth_credentials: false,
        tool_policies: false,
        dpop_bound_access_tokens: false,
        credentials: Vec::new(),
        created_at: 0,
    };
    resources::insert(c, &resource)?;
    insert_credential(c)?;
    insert_client(c)?;
    Ok(())
}

fn teamspace() -> Teamspace {
    Teamspace {
        id: TEAMSPACE.into(),
        slug: TEAMSPACE.into(),
        name: TEAMSPACE.into(),
        plan: Plan::Enterprise,
        member_limit: None,
        email_domains: vec!["acme.example".into()],
        time_zone: "UTC".into(),
        created_at: 0,
    }
}

fn provider(idp: &str) -> IdentityProvider {
    IdentityProvider {
        id: TEAMSPACE.into(),
        teamspace_id: TEAMSPACE.into(),
        name: "bench".into(),
        tenant: None,
        custom_claims: vec![],
        logout_client_id: None,
        saml_issuer: None,
        link_by: None,
        provider: Provider::Oidc,
        issuer: idp.to_owned(),
        jwks_uri: format!("{idp}/keys"),
        scope: String::new(),
        groups_claim: "groups".into(),
        enabled: true,
        created_at: 0,
        updated_at: 0,
    }
}

fn insert_credential(c: &mut AnyConnection) -> Outcome<()> {
    let credential = ResourceCredential {
        client_id: CREDENTIAL.into(),
        resource_id: RESOURCE_ID.into(),
        proof: CredentialProof::SecretDigest(digest(SECRET)),
        created_at: 0,
    };
    resources::add_credential(c, &credential)?;
    Ok(())
}

fn insert_client(c: &mut AnyConnection) -> Outcome<()> {
    let secret = ClientSecret {
        id: "bench".into(),
        client_id: CLIENT.into(),
        secret_digest: digest(SECRET),
        created_at: 0,
    };
    let client = RegisteredClient { secrets: vec![secret], ..client(CLIENT, AuthMethod::Basic) };
    Ok(clients::insert(c, &client)?)
}

/// Writes a client that has the keys of this JWK Set. A running server notices it within a second.
pub fn insert_key_client(url: &str, jwks: String) -> Outcome<()> {
    let keys = Some(KeySource::Registered(jwks));
    let client = RegisteredClient { keys, ..client(KEY_CLIENT, AuthMethod::PrivateKeyJwt) };
    let c = &mut connection::open(url, &Database::default())?;
    clients::insert(c, &client)?;
    Ok(changes::note(c, &Changed::Client(KEY_CLIENT.into()), 0)?)
}

fn client(id: &str, method: AuthMethod) -> RegisteredClient {
    RegisteredClient {
        client_id: id.into(),
        client_name: "bench".into(),
        token_endpoint_auth_method: method,
        grant_types: vec![JWT_BEARER.into()],
        groups: vec![],
        enabled: true,
        dpop_bound_access_tokens: false,
        created_at: 0,
        document_host: None,
        keys: None,
        secrets: vec![],
    }
}
