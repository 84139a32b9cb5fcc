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
mod parameters;
mod routes;
mod signing;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Clock as _, SystemClock};
use directory::Directory;
pub use directory::{Connection, DemoPerson};
pub use error::Error;
use signing::IdpSigningKey;

/// The demo identity provider. Clones share one directory and one signing key.
#[derive(Clone)]
pub struct DemoIdp {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    key: IdpSigningKey,
    directory: Mutex<Directory>,
}

impl DemoIdp {
    /// An identity provider with nobody in it and a fresh RSA-2048 key.
    ///
    /// `issuer` is used byte for byte as `iss`, and is the base of the endpoint URLs.
    pub fn new(issuer: String) -> Result<Self, Error> {
        let inner = Inner { issuer, key: IdpSigningKey::generate()?, directory: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
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

    fn directory(&self) -> MutexGuard<'_, Directory> {
        // Every change is a single map operation, so a poisoned lock still guards whole data.
        self.inner.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unix seconds; the only place where this module asks for the time.
    fn now(&self) -> u64 {
        SystemClock.now().unsigned_abs()
    }
}
