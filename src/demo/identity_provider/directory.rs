//! Who exists: people, requesting clients, and what connects them to resource apps.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use url::{Host, Url};

/// A person in the enterprise's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoPerson {
    /// The user name typed at sign-in, for example `dana`.
    pub name: String,
    /// The stable subject, for example `00u1a2b3c4`.
    pub subject: String,
    /// The mail address, when the directory has one.
    pub email: Option<String>,
    /// Groups; put into tokens only when there are any.
    pub groups: Vec<String>,
}

/// A requesting client's permission to ask for ID-JAGs for one resource app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The requesting client, as registered here.
    pub client_id: String,
    /// The issuer of the resource authorization server.
    pub audience: String,
    /// The same client's id in the resource authorization server's own registry.
    pub registered_client_id: String,
    /// Scopes that may be asserted; without a list, every scope.
    pub scopes: Option<Vec<String>>,
}

/// Everything the identity provider knows, behind one lock.
#[derive(Default)]
pub(super) struct Directory {
    people: HashMap<String, DemoPerson>,
    clients: HashMap<String, String>,
    connections: HashMap<(String, String), Connection>,
    assignments: HashSet<(String, String)>,
    redirects: HashSet<(String, String)>,
    redirects_to_loopback: bool,
    codes: HashMap<String, Code>,
}

/// The sign-in that an authorization code stands for.
pub(super) struct Code {
    pub person: DemoPerson,
    pub client_id: String,
    pub redirect_uri: String,
    pub nonce: Option<String>,
    pub challenge: String,
    pub expires_at: u64,
}

/// Most codes that are kept at a time.
const MOST_CODES: usize = 1000;

impl Directory {
    pub(super) fn add_person(&mut self, person: DemoPerson) {
        self.people.insert(person.name.clone(), person);
    }

    pub(super) fn add_client(&mut self, client_id: String, client_secret: String) {
        self.clients.insert(client_id, client_secret);
    }

    pub(super) fn connect(&mut self, connection: Connection) {
        let key = (connection.client_id.clone(), connection.audience.clone());
        self.connections.insert(key, connection);
    }

    pub(super) fn assign(&mut self, user: &str, audience: &str) {
        self.assignments.insert(pair(user, audience));
    }

    pub(super) fn unassign(&mut self, user: &str, audience: &str) {
        self.assignments.remove(&pair(user, audience));
    }

    pub(super) fn person(&self, user: &str) -> Option<&DemoPerson> {
        self.people.get(user)
    }

    pub(super) fn person_by_subject(&self, subject: &str) -> Option<&DemoPerson> {
        self.people.values().find(|person| person.subject == subject)
    }

    pub(super) fn person_by_email(&self, email: &str) -> Option<&DemoPerson> {
        self.people.values().find(|person| person.email.as_deref() == Some(email))
    }

    /// Everybody, by name.
    pub(super) fn people(&self) -> Vec<&DemoPerson> {
        let mut people: Vec<&DemoPerson> = self.people.values().collect();
        people.sort_by(|one, other| one.name.cmp(&other.name));
        people
    }

    pub(super) fn add_redirect(&mut self, client_id: &str, redirect_uri: &str) {
        self.redirects.insert(pair(client_id, redirect_uri));
    }

    pub(super) fn allow_loopback_redirects(&mut self) {
        self.redirects_to_loopback = true;
    }

    pub(super) fn may_redirect(&self, client_id: &str, redirect_uri: &str) -> bool {
        let is_native = self.redirects_to_loopback && self.has_client(client_id) && is_loopback(redirect_uri);
        is_native || self.redirects.contains(&pair(client_id, redirect_uri))
    }

    pub(super) fn keep_code(&mut self, code: String, kept: Code, now: u64) {
        self.codes.retain(|_, kept| kept.expires_at > now);
        if self.codes.len() < MOST_CODES {
            self.codes.insert(code, kept);
        }
    }

    /// The code can be redeemed once.
    pub(super) fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code)
    }

    pub(super) fn has_client(&self, client_id: &str) -> bool {
        self.clients.contains_key(client_id)
    }

    /// The registered clients with their secrets.
    pub(super) fn clients(&self) -> impl Iterator<Item = (&str, &str)> {
        self.clients.iter().map(|(id, secret)| (id.as_str(), secret.as_str()))
    }

    /// Whether the client exists and this is its secret, compared in constant time.
    pub(super) fn secret_matches(&self, client_id: &str, secret: &str) -> bool {
        self.clients.get(client_id).is_some_and(|registered| {
            verify_slices_are_equal(registered.as_bytes(), secret.as_bytes()).is_ok()
        })
    }

    pub(super) fn connection(&self, client_id: &str, audience: &str) -> Option<&Connection> {
        self.connections.get(&pair(client_id, audience))
    }

    pub(super) fn is_assigned(&self, user: &str, audience: &str) -> bool {
        self.assignments.contains(&pair(user, audience))
    }
}

/// RFC 8252 section 7.3: a program on this machine listens on a port that it chooses anew each time.
fn is_loopback(redirect_uri: &str) -> bool {
    let Ok(url) = Url::parse(redirect_uri) else { return false };
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && is_here && url.fragment().is_none()
}

fn pair(left: &str, right: &str) -> (String, String) {
    (left.to_owned(), right.to_owned())
}
