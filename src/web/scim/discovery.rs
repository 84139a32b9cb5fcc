//! The endpoint's description of itself (RFC 7644 §4), and groups, which are not kept.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{ScimAnswer, ScimProblem, list};
use super::auth::ScimHolder;
use super::body::{MAX_PAGE, UserId};
use super::users::USER_SCHEMA;
use crate::admin::scim_tokens::base_url;

/// `GET /ServiceProviderConfig`
pub async fn service_provider_config(ScimHolder(at): ScimHolder) -> ScimAnswer {
    let base = base_url(&at.app.config, at.slug());
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MAX_PAGE },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A SCIM token of this teamspace.",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    });
    ScimAnswer::new(StatusCode::OK, body)
}

/// `GET /ResourceTypes`
pub async fn resource_types(ScimHolder(at): ScimHolder) -> ScimAnswer {
    list(vec![user_type(&base_url(&at.app.config, at.slug()))], 1, 1)
}

/// `GET /ResourceTypes/{id}`
pub async fn resource_type(
    ScimHolder(at): ScimHolder,
    UserId(id): UserId,
) -> Result<ScimAnswer, ScimProblem> {
    match id.as_str() {
        "User" => Ok(ScimAnswer::new(StatusCode::OK, user_type(&base_url(&at.app.config, at.slug())))),
        _ => Err(ScimProblem::not_found()),
    }
}

fn user_type(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "description": "A member of the teamspace.",
        "endpoint": "/Users",
        "schema": USER_SCHEMA,
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/User") },
    })
}

/// `GET /Schemas`
pub async fn schemas(ScimHolder(at): ScimHolder) -> ScimAnswer {
    list(vec![user_schema(&base_url(&at.app.config, at.slug()))], 1, 1)
}

/// `GET /Schemas/{id}`
pub async fn schema(ScimHolder(at): ScimHolder, UserId(id): UserId) -> Result<ScimAnswer, ScimProblem> {
    match id == USER_SCHEMA {
        true => Ok(ScimAnswer::new(StatusCode::OK, user_schema(&base_url(&at.app.config, at.slug())))),
        false => Err(ScimProblem::not_found()),
    }
}

/// The attributes that have a meaning here. Others are kept as they are sent.
fn user_schema(base: &str) -> Value {
    let user_name =
        attribute("userName", "string", "The name by which the identity provider knows the user.");
    let user_name = with(user_name, json!({ "required": true, "uniqueness": "server" }));
    let external_id = attribute("externalId", "string", "The id at the identity provider.");
    let external_id = with(external_id, json!({ "caseExact": true }));
    let emails = attribute("emails", "complex", "The primary one is the member's address.");
    let parts = [
        attribute("value", "string", "The address."),
        attribute("type", "string", "work, home or other."),
        attribute("primary", "boolean", "Whether it is the primary one."),
    ];
    let emails = with(emails, json!({ "multiValued": true, "subAttributes": parts }));
    let parts = [
        attribute("formatted", "string", "The whole name."),
        attribute("givenName", "string", "The given name."),
        attribute("familyName", "string", "The family name."),
    ];
    let name = attribute("name", "complex", "The parts of the user's name.");
    let name = with(name, json!({ "subAttributes": parts }));
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": USER_SCHEMA,
        "name": "User",
        "description": "A member of the teamspace.",
        "attributes": [
            user_name,
            external_id,
            attribute("active", "boolean", "False: suspended, without a seat, and every session ended."),
            emails,
            name,
            attribute("displayName", "string", "The name to show."),
        ],
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{USER_SCHEMA}") },
    })
}

/// The description of an attribute with some members replaced.
fn with(mut attribute: Value, members: Value) -> Value {
    if let (Some(attribute), Value::Object(members)) = (attribute.as_object_mut(), members) {
        attribute.extend(members);
    }
    attribute
}

fn attribute(name: &str, kind: &str, description: &str) -> Value {
    json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "description": description,
        "required": false,
        "caseExact": false,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    })
}

/// `GET /Groups`: none. Identity providers read the list before they send anything.
pub async fn no_groups() -> ScimAnswer {
    list(Vec::new(), 0, 1)
}

/// `GET /Groups/{id}`: there is none.
pub async fn no_group() -> ScimProblem {
    ScimProblem::not_found()
}

/// Any change of a group.
pub async fn groups_are_not_kept() -> ScimProblem {
    let detail = "Groups are not kept. They come with each sign-in, in the groups claim of the assertion.";
    ScimProblem::new(StatusCode::NOT_IMPLEMENTED, detail)
}
