//! Steps from what a service has to what files declare.

use serde_json::{Map, Value};

use super::kind::ObjectKind;
use super::mistake::FilePlace;
use super::object::SecretSource;

/// A field that gets another value.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldUpdate {
    /// The field.
    pub field: &'static str,
    /// The value that the service has.
    pub old: Value,
    /// The value in the file.
    pub new: Value,
}

/// The change that a step makes to an object.
#[derive(Debug, Clone, PartialEq)]
pub enum StepAction {
    /// It is made, with these fields.
    Create(Map<String, Value>),
    /// These fields change; none when only the secret does.
    Change(Vec<FieldUpdate>),
    /// It goes.
    Delete,
}

/// One object that is made, changed or deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The kind of object.
    pub kind: ObjectKind,
    /// The object that it is inside, by name as names are compared: a teamspace, or a resource.
    pub within: Option<String>,
    /// Its key.
    pub name: String,
    /// Its name in paths of the admin API; empty for one that is to be created.
    pub id: String,
    /// The change.
    pub action: StepAction,
    /// Where the secret is that a client gets, or credentials.
    pub secret: Option<SecretSource>,
    /// Where the file declares it.
    pub place: Option<FilePlace>,
}

/// Everything to be done.
#[derive(Debug, Default, PartialEq)]
pub struct ChangePlan {
    /// The steps in their order. Those of one group can be done at once.
    pub groups: Vec<Vec<PlannedStep>>,
    /// How many objects are as declared already.
    pub same: usize,
}

impl ChangePlan {
    /// The steps of all groups.
    pub fn steps(&self) -> impl Iterator<Item = &PlannedStep> {
        self.groups.iter().flatten()
    }
}
