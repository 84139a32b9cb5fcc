//! A demo enterprise identity provider: real on the wire, in memory, for loopback only.
//!
//! People sign in to the console by its authorization endpoint, which asks who they are.
//!
//! It plays the first leg of the flow as well. A person signs in (`POST /login` stands in for the
//! browser), the MCP client exchanges the ID token for an ID-JAG at the token endpoint
//! (RFC 8693), and the ID-JAG is what the resource authorization server receives. Nothing
//! here checks a password, so it must never be reachable from elsewhere.

mod authorize;
mod client_auth;
mod directory;
mod error;
mod exchange;
mod likeness;
mod parameters;
mod routes;
mod signing;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Clock as _, SystemClock};
use directory::Directory;
pub use directory::{Connection, DemoPerson};
pub use error::Error;
pub(super) use error::no_store;
pub use likeness::Likeness;
use signing::IdpSigningKey;
use tokens::Assertion;

/// The ID-JAG that somebody asks for without a sign-in.
#[derive(Debug, Clone, Copy)]
pub struct WantedAssertion<'a> {
    /// The person's user name.
    pub person: &'a str,
    /// The issuer of the resource authorization server.
    pub audience: &'a str,
    /// The client's id at the resource authorization server.
    pub client_id: &'a str,
    /// The MCP server, if the client names one.
    pub resource: Option<&'a str>,
    /// The scopes, if the client names any.
    pub scope: Option<&'a str>,
}

/// The demo identity provider. Clones share one directory and one signing key.
#[derive(Clone)]
pub struct DemoIdp {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where it listens, without a slash at the end.
    origin: String,
    issuer: String,
    likeness: Likeness,
    key: IdpSigningKey,
    directory: Mutex<Directory>,
}

impl DemoIdp {
    /// An identity provider with nobody in it and a fresh RSA-2048 key.
    ///
    /// `issuer` is used byte for byte as `iss`, and is the base of the endpoint URLs.
    pub fn new(issuer: String) -> Result<Self, Error> {
        Ok(Self::of(issuer, Likeness::Okta, IdpSigningKey::generate()?))
    }

    /// An identity provider with nobody in it and a key from [`Self::make_key`], whose assertions look like a product's.
    pub fn with_key(origin: String, likeness: Likeness, pkcs8: &[u8]) -> Result<Self, Error> {
        Ok(Self::of(origin, likeness, IdpSigningKey::from_pkcs8(pkcs8)?))
    }

    /// A fresh private key, to be kept.
    pub fn make_key() -> Result<Vec<u8>, Error> {
        IdpSigningKey::generate()?.to_pkcs8()
    }

    fn of(origin: String, likeness: Likeness, key: IdpSigningKey) -> Self {
        let issuer = format!("{origin}{}", likeness.paths().issuer);
        let inner = Inner { origin, issuer, likeness, key, directory: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The issuer identifier, byte for byte.
    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// Where clients exchange ID tokens for ID-JAGs.
    pub fn token_endpoint(&self) -> String {
        format!("{}{}", self.inner.origin, self.inner.likeness.paths().token)
    }

    /// Discovery, the key set, the authorization and token endpoints, and `/login`.
    pub fn router(&self) -> axum::Router {
        routes::router(self.clone())
    }

    /// Adds a person, or replaces the one with the same user name.
    pub fn add_person(&self, person: DemoPerson) {
        self.directory().add_person(person);
    }

    /// Registers a requesting client (the MCP client) with its secret.
    pub fn add_client(&self, client_id: impl Into<String>, client_secret: impl Into<String>) {
        self.directory().add_client(client_id.into(), client_secret.into());
    }

    /// Lets a client send browsers here, and get them back at a URL.
    pub fn add_redirect(&self, client_id: &str, redirect_uri: &str) {
        self.directory().add_redirect(client_id, redirect_uri);
    }

    /// Lets a requesting client ask for ID-JAGs for a resource authorization server.
    pub fn connect(&self, connection: Connection) {
        self.directory().connect(connection);
    }

    /// Assigns a person to the resource app whose authorization server is `audience`.
    pub fn assign(&self, user: &str, audience: &str) {
        self.directory().assign(user, audience);
    }

    /// Lets every known client get browsers back at any port of this machine (RFC 8252).
    pub fn allow_loopback_redirects(&self) {
        self.directory().allow_loopback_redirects();
    }

    /// Takes the assignment away: the next exchange is refused with `access_denied`.
    pub fn unassign(&self, user: &str, audience: &str) {
        self.directory().unassign(user, audience);
    }

    /// Signs a person in to a requesting client and returns the ID token.
    pub fn id_token(&self, user: &str, client_id: &str) -> Result<String, Error> {
        let person = {
            let directory = self.directory();
            if !directory.has_client(client_id) {
                return Err(Error::UnknownClient);
            }
            directory.person(user).cloned().ok_or(Error::UnknownPerson)?
        };
        tokens::issue_id_token(self, &person, client_id, None)
    }

    /// An ID-JAG at once, without a sign-in and for a client that need not be known here.
    pub fn id_jag(&self, wanted: &WantedAssertion<'_>) -> Result<String, Error> {
        let person = {
            let directory = self.directory();
            let person = directory.person(wanted.person).cloned().ok_or(Error::UnknownPerson)?;
            if !directory.is_assigned(&person.name, wanted.audience) {
                return Err(Error::NotAssigned);
            }
            person
        };
        let assertion = Assertion {
            person: &person,
            auth_time: self.now(),
            audience: wanted.audience,
            client_id: wanted.client_id,
            resource: wanted.resource,
            scope: wanted.scope,
        };
        tokens::issue_id_jag(self, &assertion)
    }

    /// Everybody, by name.
    pub fn people(&self) -> Vec<DemoPerson> {
        self.directory().people().into_iter().cloned().collect()
    }

    /// Everybody's name.
    pub fn names(&self) -> Vec<String> {
        self.people().into_iter().map(|person| person.name).collect()
    }

    /// Whether a person is assigned to the resource app whose authorization server is `audience`.
    pub fn is_assigned(&self, user: &str, audience: &str) -> bool {
        self.directory().is_assigned(user, audience)
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        // Every change is a single map operation, so a poisoned lock still guards whole data.
        self.inner.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unix seconds; the only place where this module asks for the time.
    fn now(&self) -> u64 {
        SystemClock.now().unsigned_abs()
    }
}
