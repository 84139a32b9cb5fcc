//! The settings of the console.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;
use super::types::{Duration, Secret, optional_listen_address};
use crate::email::plain_address;

/// The console: administration in a browser.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// Whether there is one.
    pub enabled: bool,
    /// Address of a listener only for the console. Without it, the console is served at `listen`, under the issuer's
    /// path and `/console`.
    #[schemars(with = "Option<String>")]
    #[serde(deserialize_with = "optional_listen_address")]
    pub listen: Option<SocketAddr>,
    /// The URL under which browsers reach the console's own listener, without `/console`; http only on loopback.
    pub public_url: Option<String>,
    /// The time without a request after which a session ends.
    pub idle_timeout: Duration,
    /// How long a session lasts at the most.
    pub session_lifetime: Duration,
    /// Where people sign in with OpenID Connect; without it, set-up tokens are the only way in.
    pub oidc: Option<Oidc>,
    /// Who of those who sign in with OpenID Connect is an operator: addresses, or `group:NAME` for everybody of a group.
    pub operators: Vec<String>,
    /// The claim in which the provider tells a person's groups.
    pub groups_claim: String,
}

/// The OpenID provider at which people sign in to the console.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its issuer, exactly as its metadata writes it.
    pub issuer: String,
    /// This deployment's client id there.
    pub client_id: String,
    /// This deployment's secret there.
    pub client_secret: Option<Secret>,
    /// A file that holds the secret.
    pub client_secret_file: Option<PathBuf>,
    /// The scopes requested besides `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
}

fn scopes() -> Vec<String> {
    ["email", "profile"].map(str::to_owned).to_vec()
}

/// Somebody in the list of operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorEntry<'a> {
    /// An address, in lower case.
    Address(String),
    /// The name of a group.
    Group(&'a str),
}

impl<'a> OperatorEntry<'a> {
    /// Reads an entry; none where it is neither an address nor `group:NAME`.
    pub fn parse(text: &'a str) -> Option<Self> {
        match text.strip_prefix("group:") {
            Some(group) => (!group.trim().is_empty()).then_some(Self::Group(group)),
            None => plain_address(text).map(Self::Address),
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: None,
            public_url: None,
            idle_timeout: Duration::from_secs(30 * 60),
            session_lifetime: Duration::from_secs(8 * 3600),
            oidc: None,
            operators: Vec::new(),
            groups_claim: "groups".to_owned(),
        }
    }
}

impl Console {
    /// Whether somebody who signed in with OpenID Connect is an operator. The address is in lower case.
    pub fn is_operator(&self, email: &str, groups: &[String]) -> bool {
        self.operators.iter().filter_map(|entry| OperatorEntry::parse(entry)).any(|entry| match entry {
            OperatorEntry::Address(address) => address == email,
            OperatorEntry::Group(group) => groups.iter().any(|own| own == group),
        })
    }
}

impl Config {
    /// The URL of the console, without a trailing slash; none when it is off.
    pub fn console_url(&self) -> Option<String> {
        let own = self.console.public_url.clone();
        let scheme = if self.tls.certificate_file.is_some() { "https" } else { "http" };
        let own_listener = |listen: SocketAddr| own.unwrap_or_else(|| format!("{scheme}://{listen}"));
        let place = self.console.listen.map_or_else(|| self.issuer.clone(), own_listener);
        self.console.enabled.then(|| format!("{}/console", place.trim_end_matches('/')))
    }
}
