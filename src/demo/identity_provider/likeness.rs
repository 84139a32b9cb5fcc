//! The products that our assertions can look like.

use aws_lc_rs::digest::{SHA256, digest};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

use super::directory::DemoPerson;
use crate::random;

/// The tenant's id in the addresses that look like Entra's.
const TENANT: &str = "5f2d1c9e-7a34-4b8e-9c01-2d6e8f4a7b10";

/// The product whose addresses, subjects, groups and claims ours look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Likeness {
    /// Okta, as it documents ID-JAGs: an email, no `email_verified`, no `auth_time`, no `amr`.
    #[default]
    Okta,
    /// Microsoft Entra, as its v2.0 tokens are: `oid`, `tid`, groups by their object ids, an hour of life.
    Entra,
    /// Keycloak, as its ID tokens are: `email_verified`, `auth_time`, groups by their paths.
    Keycloak,
}

/// Paths from the origin on.
pub(super) struct Paths {
    /// The path of the issuer, empty or beginning with a slash.
    pub(super) issuer: String,
    pub(super) keys: String,
    pub(super) token: String,
    pub(super) authorize: String,
}

impl Likeness {
    /// The product's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Okta => "Okta",
            Self::Entra => "Microsoft Entra",
            Self::Keycloak => "Keycloak",
        }
    }

    pub(super) fn paths(self) -> Paths {
        let paths =
            |issuer: String, [keys, token, authorize]: [String; 3]| Paths { issuer, keys, token, authorize };
        match self {
            Self::Okta => {
                paths(String::new(), ["keys", "token", "authorize"].map(|end| format!("/oauth2/v1/{end}")))
            }
            Self::Entra => paths(
                format!("/{TENANT}/v2.0"),
                ["discovery/v2.0/keys", "oauth2/v2.0/token", "oauth2/v2.0/authorize"]
                    .map(|end| format!("/{TENANT}/{end}")),
            ),
            Self::Keycloak => paths(
                "/realms/acme".to_owned(),
                ["certs", "token", "auth"].map(|end| format!("/realms/acme/protocol/openid-connect/{end}")),
            ),
        }
    }

    /// How long an ID-JAG lives, in seconds.
    pub fn lifetime(self) -> u64 {
        match self {
            Self::Okta | Self::Keycloak => 300,
            Self::Entra => 3600,
        }
    }

    /// The subject of a person whose subject nobody has chosen: always the same one for a name.
    pub fn subject(self, name: &str) -> String {
        let digest = random::digest(&format!("subject {name}"));
        match self {
            Self::Okta => {
                let end: String = digest.chars().filter(char::is_ascii_alphanumeric).take(17).collect();
                format!("00u{end}")
            }
            Self::Entra => digest,
            Self::Keycloak => object_id("subject", name),
        }
    }

    /// A group as tokens name it.
    pub fn group(self, name: &str) -> String {
        match self {
            Self::Okta => name.to_owned(),
            Self::Entra => object_id("group", name),
            Self::Keycloak => format!("/{name}"),
        }
    }

    /// The prefix of an ID-JAG's `jti`.
    pub(super) fn token_id_prefix(self) -> &'static str {
        match self {
            Self::Okta => "IDAAG.",
            Self::Entra | Self::Keycloak => "",
        }
    }

    /// The claims beside those that every ID-JAG has.
    pub(super) fn claims(self, person: &DemoPerson, auth_time: u64) -> Map<String, Value> {
        let name = person.email.as_ref().unwrap_or(&person.name);
        let claims = match self {
            Self::Okta => json!({}),
            Self::Entra => json!({ "ver": "2.0", "tid": TENANT, "oid": object_id("person", &person.name),
                "preferred_username": name }),
            Self::Keycloak => json!({ "auth_time": auth_time, "acr": "1", "preferred_username": person.name,
                "sid": object_id("session", &person.name), "email_verified": person.email.is_some() }),
        };
        let Value::Object(claims) = claims else { return Map::new() };
        claims
    }
}

/// An id of something, always the same one for a name.
fn object_id(kind: &str, name: &str) -> String {
    let hash = digest(&SHA256, format!("{kind} {name}").as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
    let id: Uuid = Builder::from_random_bytes(bytes).into_uuid();
    id.to_string()
}
