//! Objects as files declare them, and as a service has them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::kind::ObjectKind;
use super::mistake::FilePlace;

/// Where the secret of a client, or of credentials, is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file. A relative path begins at the folder of the file that names it.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

/// An object as a file declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredObject {
    /// The kind of object.
    pub kind: ObjectKind,
    /// The object that it is written inside, by name as names are compared: a teamspace, or a resource.
    pub within: Option<String>,
    /// The value of its key.
    pub name: String,
    /// Where it begins.
    pub place: FilePlace,
    /// The fields that the file gives, as the admin API writes them.
    pub fields: Map<String, Value>,
    /// Where its secret is.
    pub secret: Option<SecretSource>,
}

/// Everything that files declare.
#[derive(Debug, Default)]
pub struct Manifest {
    /// The objects, in the order of the files.
    pub objects: Vec<DeclaredObject>,
    pub(super) lists: BTreeSet<(ObjectKind, Option<String>)>,
}

impl Manifest {
    /// Whether the files have a list of this kind, even an empty one; inside an object, the list there.
    pub fn has_list(&self, kind: ObjectKind, within: Option<&str>) -> bool {
        self.lists.contains(&(kind, within.map(str::to_owned)))
    }
}

/// An object as the service has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundObject {
    /// The kind of object.
    pub kind: ObjectKind,
    /// The object that it is inside, by name as names are compared: a teamspace, or a resource.
    pub within: Option<String>,
    /// The object as the admin API shows it.
    pub fields: Map<String, Value>,
}

impl FoundObject {
    /// Takes an item of the admin API's lists.
    pub fn of(kind: ObjectKind, within: Option<&str>, item: Value) -> Option<Self> {
        let Value::Object(fields) = item else { return None };
        Some(Self { kind, within: within.map(str::to_owned), fields })
    }

    /// The value of its key.
    pub fn name(&self) -> &str {
        self.text(self.kind.key())
    }

    /// Its name in the form in which names are compared.
    pub fn comparable_name(&self) -> String {
        self.kind.comparable(self.name())
    }

    /// Its name in paths of the admin API.
    pub fn id(&self) -> &str {
        match self.kind {
            ObjectKind::Teamspace | ObjectKind::Client | ObjectKind::Credential => self.name(),
            ObjectKind::Resource | ObjectKind::Provider | ObjectKind::Member => self.text("id"),
        }
    }

    /// A member's value, if it is a text.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether files manage it. Members who came by a sign-in are not theirs, and suspended ones stay as they are: a
    /// file cannot say that somebody is suspended.
    pub fn is_for_files(&self) -> bool {
        self.kind != ObjectKind::Member
            || (self.text("provisioned_by") == "invitation" && self.text("status") != "suspended")
    }
}
