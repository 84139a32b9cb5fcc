//! The server under test, and what it was set up with.

use super::keys::SuiteAlg;
use super::profile::ConformanceProfile;
use super::wire::ClientAuth;

/// A client that the server knows.
#[derive(Debug, Clone)]
pub struct KnownClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// The server under test, as the command line describes it.
#[derive(Debug, Clone)]
pub struct TestTarget {
    /// Its issuer identifier, byte for byte.
    pub issuer: String,
    /// Its token endpoint, if its metadata does not say.
    pub token_url: Option<String>,
    /// The client that exchanges the assertions.
    pub client: KnownClient,
    /// The way in which that client authenticates, if it is not to be chosen.
    pub auth: Option<ClientAuth>,
    /// Another client, which must not use the first one's assertions.
    pub other_client: Option<KnownClient>,
    /// A client that authenticates with the suite's key.
    pub key_client: Option<String>,
    /// The credentials for introspection, if they are not the client's.
    pub introspection: Option<KnownClient>,
    /// The resource that tokens are asked for.
    pub resource: Option<String>,
    /// Scopes of the resource, with spaces between them.
    pub scope: Option<String>,
    /// The person whom the assertions are about.
    pub subject: String,
    /// The person's email.
    pub email: Option<String>,
    /// The text to measure by.
    pub profile: ConformanceProfile,
    /// The algorithm of the assertions.
    pub alg: SuiteAlg,
    /// The ids or chapters to test; all, if there are none.
    pub only: Vec<String>,
}

impl TestTarget {
    /// Whether an id is to be tested.
    pub fn wants(&self, id: &str) -> bool {
        let wanted = |only: &String| {
            id.strip_prefix(only.as_str())
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        };
        self.only.is_empty() || self.only.iter().any(wanted)
    }

    /// The first of the scopes.
    pub fn first_scope(&self) -> Option<&str> {
        self.scope.as_deref()?.split(' ').next()
    }
}
