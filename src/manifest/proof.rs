//! How clients and credentials prove who they are, as far as files say it: a secret, keys, or nothing.

use serde_json::{Map, Value};

use super::kind::ObjectKind;
use super::object::{DeclaredObject, FoundObject};
use crate::model::client::AuthMethod;

/// Whether a client or credentials with these fields have a secret, which is so unless they say otherwise.
pub(super) fn sends_secret(kind: ObjectKind, fields: &Map<String, Value>) -> bool {
    match kind {
        ObjectKind::Client => {
            let method = fields.get("token_endpoint_auth_method").and_then(Value::as_str);
            method.and_then(|method| method.parse().ok()).is_none_or(AuthMethod::sends_secret)
        }
        ObjectKind::Credential => KEYS.iter().all(|name| is_absent(fields, name)),
        ObjectKind::Teamspace | ObjectKind::Resource | ObjectKind::Provider | ObjectKind::Member => false,
    }
}

/// The fields of keys.
const KEYS: [&str; 2] = ["jwks", "jwks_uri"];

fn is_absent(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_none_or(Value::is_null)
}

/// Whether an object gets a proof in the place of any other: credentials that are declared with one. Their fields that are
/// not declared are keys, and become null.
pub(super) fn replaces_proof(declared: &DeclaredObject) -> bool {
    declared.kind == ObjectKind::Credential
        && (declared.secret.is_some() || !sends_secret(declared.kind, &declared.fields))
}

/// Finds the mistake in how a client or credentials prove who they are, if there is one.
pub(super) fn proof_mistake(declared: &DeclaredObject, found: Option<&FoundObject>) -> Option<String> {
    match declared.kind {
        ObjectKind::Client => client_mistake(declared, found.is_none()),
        ObjectKind::Credential => credential_mistake(declared, found),
        ObjectKind::Teamspace | ObjectKind::Resource | ObjectKind::Provider | ObjectKind::Member => None,
    }
}

fn client_mistake(declared: &DeclaredObject, is_new: bool) -> Option<String> {
    match (sends_secret(declared.kind, &declared.fields), &declared.secret) {
        (false, Some(_)) => Some(format!(
            "the client `{}` has private_key_jwt or none and so no secret: remove `client_secret_file` or \
             `client_secret_env`",
            declared.name
        )),
        (true, None) if is_new => Some(format!(
            "the service has no client `{}`, and a new one needs its secret: add `client_secret_file` or \
             `client_secret_env`",
            declared.name
        )),
        _ => None,
    }
}

fn credential_mistake(declared: &DeclaredObject, found: Option<&FoundObject>) -> Option<String> {
    let name = &declared.name;
    let proofs = KEYS.iter().filter(|name| !is_absent(&declared.fields, name)).count();
    match proofs + usize::from(declared.secret.is_some()) {
        0 if found.is_none() => Some(format!(
            "the service has no credential `{name}` of this resource, and a new one needs keys or a secret: add `jwks`, \
             `jwks_uri`, `client_secret_file` or `client_secret_env`"
        )),
        0 if found.is_some_and(|found| loses_keys(declared, found)) => Some(format!(
            "the keys of the credential `{name}` are taken away, and nothing takes their place: add `jwks`, \
             `jwks_uri`, `client_secret_file` or `client_secret_env`"
        )),
        0 | 1 => None,
        _ => Some(format!(
            "the credential `{name}` has more than one of `jwks`, `jwks_uri` and a secret; keep one"
        )),
    }
}

/// Whether the keys that the service has become null.
fn loses_keys(declared: &DeclaredObject, found: &FoundObject) -> bool {
    KEYS.iter()
        .any(|name| declared.fields.get(*name).is_some_and(Value::is_null) && !is_absent(&found.fields, name))
}
