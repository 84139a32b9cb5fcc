//! The lines of the report, as they are found.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// The part of a deployment that a check is about, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DoctorGroup {
    /// The service as clients reach it, through its proxy.
    Issuer,
    /// This machine's time against others'.
    Clock,
    /// The database, its settings and rights.
    Database,
    /// The policies, their cases and the names in them.
    Policies,
    /// The signing keys, and the files with secrets.
    Keys,
    /// The issuers that teamspaces trust.
    IdentityProviders,
    /// The clients that publish their keys.
    Clients,
    /// The MCP servers that tokens are issued for.
    Resources,
    /// The service's own addresses on this machine.
    Listeners,
}

impl DoctorGroup {
    /// The heading for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Issuer => "Issuer",
            Self::Clock => "Clock",
            Self::Database => "Database",
            Self::Policies => "Policies",
            Self::Keys => "Keys",
            Self::IdentityProviders => "Identity providers",
            Self::Clients => "Clients",
            Self::Resources => "Resources",
            Self::Listeners => "Listeners",
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// Nothing is wrong.
    Ok,
    /// It works, and something should be looked at; or it could not be checked from here.
    Warning,
    /// It does not work.
    Failed,
}

/// One check and how it came out. The form is stable: scripts read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorLine {
    /// The part of the deployment.
    pub group: DoctorGroup,
    /// The check's name; the issuer or identifier where each object has a check.
    pub name: String,
    /// How it came out.
    pub status: LineStatus,
    /// The finding, as a sentence.
    pub message: String,
    /// The remedy; none when nothing is wrong.
    pub fix: Option<String>,
}

/// The lines of one group.
#[derive(Clone)]
pub(super) struct Lines {
    group: DoctorGroup,
    found: Arc<Mutex<Vec<DoctorLine>>>,
}

impl Lines {
    pub fn new(group: DoctorGroup) -> Self {
        Self { group, found: Arc::default() }
    }

    /// Adds a check that found nothing wrong.
    pub fn ok(&self, name: &str, message: impl Into<String>) {
        self.add(name, LineStatus::Ok, message.into(), None);
    }

    /// Adds something to look at, and what to do.
    pub fn warn(&self, name: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(name, LineStatus::Warning, message.into(), Some(fix.into()));
    }

    /// Adds something that does not work, and what to do.
    pub fn fail(&self, name: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(name, LineStatus::Failed, message.into(), Some(fix.into()));
    }

    /// Adds something that does not work, or only something to look at.
    pub fn fail_or_warn(&self, fails: bool, name: &str, message: String, fix: &str) {
        match fails {
            true => self.fail(name, message, fix),
            false => self.warn(name, message, fix),
        }
    }

    /// Adds the lines that somebody else found.
    pub fn append(&self, others: &Self) {
        let others = others.take();
        self.found.lock().unwrap_or_else(PoisonError::into_inner).extend(others);
    }

    /// Puts the lines in this order of names; others come last, by name. Checks that run at once end in any order.
    pub fn sort(&self, names: &[&str]) {
        let place =
            |line: &DoctorLine| names.iter().position(|name| *name == line.name).unwrap_or(names.len());
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_cached_key(|line| (place(line), line.name.clone()));
    }

    /// Takes the lines found so far.
    pub fn take(&self) -> Vec<DoctorLine> {
        std::mem::take(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, name: &str, status: LineStatus, message: String, fix: Option<String>) {
        let line = DoctorLine { group: self.group, name: name.to_owned(), status, message, fix };
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
