//! The people of the identity provider: the file of `--people`, or a default set.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::identity_provider::{Connection, DemoIdp, DemoPerson, Likeness};
use crate::oauth::resource::is_resource_identifier;
use crate::serde_words::SerdeError;

/// The most people, clients or resources in a file.
const MOST: usize = 1000;
/// The longest name, in bytes.
const LONGEST: usize = 255;

/// The people when no file names others.
const DEFAULT: &str = r#"
[[people]]
name = "dana"
email = "dana@acme.example"
groups = ["engineering", "docs-editors"]

[[people]]
name = "sam"
email = "sam@acme.example"
groups = ["engineering"]

[[people]]
name = "lee"
email = "lee@acme.example"
groups = ["sales"]

# The directory has no email for Robin.
[[people]]
name = "robin"

# Another domain than Acme's.
[[people]]
name = "eve"
email = "eve@elsewhere.example"

# Nobody has assigned the application to Mallory.
[[people]]
name = "mallory"
email = "mallory@acme.example"
assigned = false
"#;

/// Why people cannot be read from a file. Says which file it is.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PeopleError {
    path: PathBuf,
    problem: PeopleProblem,
}

/// The problem of a file with people.
#[derive(Debug, thiserror::Error)]
enum PeopleProblem {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("line {line}: {why}")]
    Malformed { line: usize, why: String },
    #[error("nobody is in it: expected at least one [[people]] with a name")]
    Nobody,
    #[error("{0} has more than {MOST} entries")]
    TooMany(&'static str),
    #[error("{key} = {value:?}: expected 1 to {LONGEST} printable characters")]
    BadText { key: &'static str, value: String },
    #[error("{key} = {value:?} is there twice: each must be there once")]
    Twice { key: &'static str, value: String },
    #[error("resources: {0:?} is no resource: expected an absolute URI without a fragment")]
    BadResource(String),
}

/// Everybody, and the clients and resources that the page offers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    #[serde(default)]
    people: Vec<PersonEntry>,
    /// The MCP clients.
    #[serde(default = "default_clients")]
    pub clients: Vec<ClientEntry>,
    /// The MCP servers, as clients name them.
    #[serde(default)]
    pub resources: Vec<String>,
}

/// A person of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    name: String,
    subject: Option<String>,
    email: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default = "yes")]
    assigned: bool,
}

/// An MCP client: its credentials here, and its id at the authorization server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEntry {
    /// Its id here.
    pub id: String,
    /// Its secret here.
    pub secret: String,
    /// Its id at the authorization server, which the ID-JAG names.
    pub id_at_audience: String,
    /// Where browsers may come back to, besides every port of this machine.
    #[serde(default)]
    redirect_uris: Vec<String>,
}

fn yes() -> bool {
    true
}

fn default_clients() -> Vec<ClientEntry> {
    vec![ClientEntry {
        id: "mcp-client".to_owned(),
        secret: "secret-of-mcp-client".to_owned(),
        id_at_audience: "mcpclient-at-docs".to_owned(),
        redirect_uris: Vec::new(),
    }]
}

impl People {
    /// Reads a file; the default set without one.
    pub fn load(file: Option<&Path>) -> Result<Self, PeopleError> {
        let read = || match file {
            Some(path) => Ok(std::fs::read_to_string(path)?),
            None => Ok(DEFAULT.to_owned()),
        };
        let people = read().and_then(|text| Self::parse(&text));
        people
            .map_err(|problem| PeopleError { path: file.unwrap_or(Path::new("people")).to_owned(), problem })
    }

    fn parse(text: &str) -> Result<Self, PeopleProblem> {
        let this: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            let why = SerdeError { path: "", text: error.message(), whole: "this" }.plain();
            PeopleProblem::Malformed { line, why }
        })?;
        if this.people.is_empty() {
            return Err(PeopleProblem::Nobody);
        }
        let sizes = [
            ("people", this.people.len()),
            ("clients", this.clients.len()),
            ("resources", this.resources.len()),
        ];
        if let Some((key, _)) = sizes.into_iter().find(|(_, size)| *size > MOST) {
            return Err(PeopleProblem::TooMany(key));
        }
        once("people.name", this.people.iter().map(|person| person.name.as_str()))?;
        once("people.subject", this.people.iter().filter_map(|person| person.subject.as_deref()))?;
        once("clients.id", this.clients.iter().map(|client| client.id.as_str()))?;
        for client in &this.clients {
            printable("clients.secret", &client.secret)?;
            printable("clients.id_at_audience", &client.id_at_audience)?;
        }
        for person in &this.people {
            person.email.iter().try_for_each(|email| printable("people.email", email))?;
            person.groups.iter().try_for_each(|group| printable("people.groups", group))?;
        }
        let bad = this.resources.iter().find(|resource| !is_resource_identifier(resource));
        bad.map_or(Ok(()), |bad| Err(PeopleProblem::BadResource(bad.clone())))?;
        Ok(this)
    }

    /// The names in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(|person| person.name.as_str())
    }

    /// Tells the identity provider about them all.
    pub fn enter(&self, idp: &DemoIdp, likeness: Likeness, audience: &str) {
        for person in &self.people {
            idp.add_person(DemoPerson {
                name: person.name.clone(),
                subject: person.subject.clone().unwrap_or_else(|| likeness.subject(&person.name)),
                email: person.email.clone(),
                groups: person.groups.iter().map(|group| likeness.group(group)).collect(),
            });
            if person.assigned {
                idp.assign(&person.name, audience);
            }
        }
        for client in &self.clients {
            idp.add_client(&client.id, &client.secret);
            client.redirect_uris.iter().for_each(|uri| idp.add_redirect(&client.id, uri));
            idp.connect(Connection {
                client_id: client.id.clone(),
                audience: audience.to_owned(),
                registered_client_id: client.id_at_audience.clone(),
                scopes: None,
            });
        }
        idp.allow_loopback_redirects();
    }
}

fn once<'a>(key: &'static str, values: impl Iterator<Item = &'a str>) -> Result<(), PeopleProblem> {
    let mut seen = HashSet::new();
    for value in values {
        printable(key, value)?;
        if !seen.insert(value) {
            return Err(PeopleProblem::Twice { key, value: value.to_owned() });
        }
    }
    Ok(())
}

fn printable(key: &'static str, value: &str) -> Result<(), PeopleProblem> {
    if (1..=LONGEST).contains(&value.len()) && !value.chars().any(char::is_control) {
        return Ok(());
    }
    Err(PeopleProblem::BadText { key, value: value.to_owned() })
}
