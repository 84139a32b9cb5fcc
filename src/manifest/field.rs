//! The fields of each kind: their forms, in one table.

use serde_json::Value;

use super::form::{self, Formed};
use super::node::Node;

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct FieldRule {
    /// The name, which the admin API uses too.
    pub name: &'static str,
    /// The expected form, as the end of a sentence: "must be …".
    pub expected: &'static str,
    /// Whether a file must have it.
    pub is_required: bool,
    /// Whether it is a list whose order means nothing.
    pub(super) is_set: bool,
    pub(super) form: fn(&Node) -> Formed,
}

impl FieldRule {
    const fn optional(name: &'static str, expected: &'static str, form: fn(&Node) -> Formed) -> Self {
        Self { name, expected, is_required: false, is_set: false, form }
    }

    const fn required(name: &'static str, expected: &'static str, form: fn(&Node) -> Formed) -> Self {
        Self { is_required: true, ..Self::optional(name, expected, form) }
    }

    const fn set(name: &'static str, expected: &'static str, form: fn(&Node) -> Formed) -> Self {
        Self { is_set: true, ..Self::optional(name, expected, form) }
    }

    /// Whether a declared value means what the service has.
    pub(super) fn is_same(&self, declared: &Value, found: &Value) -> bool {
        match (self.is_set, declared, found) {
            (true, Value::Array(declared), Value::Array(found)) => sorted(declared) == sorted(found),
            _ => declared == found,
        }
    }
}

fn sorted(list: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
    texts.sort();
    texts
}

const A_NAME: &str = "a text";
const A_FLAG: &str = "true or false";
const A_KEY_SET: &str = "a JWK Set such as {keys: [{kty: EC, …}]}, or null for none";
const A_LIST: &str = "a list of texts, each once, such as [a, b]";

/// Of a teamspace.
pub const TEAMSPACE: &[FieldRule] = &[
    FieldRule::required("slug", "1 to 63 characters of a-z, 0-9 and -, with no - at its ends", form::slug),
    FieldRule::required("name", A_NAME, form::name),
    FieldRule::required("plan", "free, pro or enterprise", form::plan),
    FieldRule::optional("member_limit", "a whole number of at least 0, or null for no limit", form::limit),
    FieldRule::set("email_domains", "a list of domains such as example.com, each once", form::domains),
    FieldRule::optional("time_zone", "UTC, or a name such as Europe/Berlin", form::time_zone),
];

/// Of a resource.
pub const RESOURCE: &[FieldRule] = &[
    FieldRule::required(
        "identifier",
        "the URL of the MCP server, such as https://mcp.example.com/mcp",
        form::identifier,
    ),
    FieldRule::required("name", A_NAME, form::name),
    FieldRule::optional(
        "scopes",
        "a list of objects with a name and maybe a description, such as [{name: docs.read}]",
        form::scopes,
    ),
    FieldRule::set("default_scopes", A_LIST, form::texts),
    FieldRule::set(
        "teamspaces",
        "a list of slugs, each once, or null for every teamspace",
        form::texts_or_null,
    ),
    FieldRule::set("required_scopes", A_LIST, form::texts),
    FieldRule::optional("forward_auth_credentials", A_FLAG, form::flag),
    FieldRule::optional("tool_policies", A_FLAG, form::flag),
    FieldRule::optional("dpop_bound_access_tokens", A_FLAG, form::flag),
];

/// Of a client, besides its secret.
pub const CLIENT: &[FieldRule] = &[
    FieldRule::required("client_id", A_NAME, form::text),
    FieldRule::optional("client_name", A_NAME, form::name),
    FieldRule::optional(
        "token_endpoint_auth_method",
        "client_secret_basic, client_secret_post, private_key_jwt or none",
        form::auth_method,
    ),
    FieldRule::optional("jwks", A_KEY_SET, form::jwks),
    FieldRule::optional("jwks_uri", "a text, or null for none", form::text_or_null),
    FieldRule::set("grant_types", A_LIST, form::texts),
    FieldRule::set("groups", A_LIST, form::texts),
    FieldRule::optional("enabled", A_FLAG, form::flag),
    FieldRule::optional("dpop_bound_access_tokens", A_FLAG, form::flag),
];

/// Of credentials of a resource, besides their secret.
pub const CREDENTIAL: &[FieldRule] = &[
    FieldRule::required("client_id", A_NAME, form::text),
    FieldRule::optional("jwks", A_KEY_SET, form::jwks),
    FieldRule::optional("jwks_uri", "a text, or null for none", form::text_or_null),
];

/// Of an identity provider.
pub const PROVIDER: &[FieldRule] = &[
    FieldRule::optional("name", A_NAME, form::name),
    FieldRule::required("provider", "okta, claude, entra or oidc", form::provider),
    FieldRule::required("issuer", "a text, exactly as the provider's metadata says it", form::text),
    FieldRule::optional("tenant", "a text, or null for none", form::text_or_null),
    FieldRule::optional("scope", "one text of scopes with spaces between them", form::scope_setting),
    FieldRule::optional("groups_claim", A_NAME, form::text),
    FieldRule::set(
        "custom_claims",
        "a list of names, or of objects with a name and a type: text, long, boolean or texts",
        form::custom_claims,
    ),
    FieldRule::optional("logout_client_id", "a text, or null for none", form::text_or_null),
    FieldRule::optional("saml_issuer", "a text, or null for none", form::text_or_null),
    FieldRule::optional(
        "link_by",
        "the name of a custom claim, aud_sub, or null for none",
        form::text_or_null,
    ),
    FieldRule::optional("enabled", A_FLAG, form::flag),
];

/// Of a member.
pub const MEMBER: &[FieldRule] = &[
    FieldRule::required("email", "a plain email address such as dana@example.com", form::email),
    FieldRule::optional("role", "owner, admin or developer", form::role),
    FieldRule::optional("link", "an object with a claim and its value, or null for none", form::link),
];
