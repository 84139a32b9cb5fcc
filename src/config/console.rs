//! The settings of the console.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;
use super::types::{Duration, optional_listen_address};

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
}

impl Default for Console {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: None,
            public_url: None,
            idle_timeout: Duration::from_secs(30 * 60),
            session_lifetime: Duration::from_secs(8 * 3600),
        }
    }
}

impl Config {
    /// The URL of the console, without a trailing slash; none when it is off.
    pub fn console_url(&self) -> Option<String> {
        let own = self.console.public_url.clone();
        let own_listener = |listen: SocketAddr| own.unwrap_or_else(|| format!("http://{listen}"));
        let place = self.console.listen.map_or_else(|| self.issuer.clone(), own_listener);
        self.console.enabled.then(|| format!("{}/console", place.trim_end_matches('/')))
    }
}
