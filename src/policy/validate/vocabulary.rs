//! The vocabulary of policies: the declarations of a schema, whatever form they are written in.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use cedar_policy::{CedarSchemaError, Schema, SchemaFragment};
use serde::Serialize;

mod custom;
mod declared;

use crate::policy::source;
use crate::policy::source::depth;
use crate::policy::source::problem::{PolicyProblem, Rule};
use crate::policy::source::source_file::SourceFile;

pub use crate::shipped::SCHEMA as SHIPPED;

/// Names with what they stand for.
pub type Attributes = BTreeMap<String, Attribute>;

/// A schema's declarations. Records are written out where they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Vocabulary {
    /// The actions and groups of actions, by their names.
    pub actions: BTreeMap<String, ActionWords>,
    /// The types of entities, by their names.
    pub entities: BTreeMap<String, EntityWords>,
}

/// An action, or a group of actions. A group has no principal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ActionWords {
    /// The schema's `@doc`; none where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// The groups that the action is in.
    pub groups: BTreeSet<String>,
    /// The types that its principal can have.
    pub principals: BTreeSet<String>,
    /// The types that its resource can have.
    pub resources: BTreeSet<String>,
    /// The attributes of the request's context.
    pub context: Attributes,
}

/// A type of entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EntityWords {
    /// The schema's `@doc`; none where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// The types that its entities can be in.
    pub parents: BTreeSet<String>,
    /// Every possible id; none if any text is an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<BTreeSet<String>>,
    /// The attributes of its entities.
    pub attributes: Attributes,
    /// The type of its tags; none where it has no tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Type>,
}

/// An attribute of an entity, of a context or of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// The schema's `@doc`; none where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether it is always there; otherwise a policy must ask with `has`.
    pub required: bool,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Type {
    /// A primitive type, an extension's or an entity's.
    Name(String),
    /// A set of values of one type.
    Set {
        /// The type of its members.
        set: Box<Type>,
    },
    /// A record.
    Record {
        /// The schema's name for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The attributes that it has.
        record: Attributes,
    },
}

impl Type {
    /// The innermost element type of nested sets; the type itself if it is no set.
    fn element(&self) -> &Self {
        match self {
            Self::Set { set } => set.element(),
            other => other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Set { set } => write!(f, "Set<{set}>"),
            Self::Record { name: Some(name), .. } => f.write_str(name),
            Self::Record { name: None, record } => {
                f.write_str("{")?;
                for (index, (name, attribute)) in record.iter().enumerate() {
                    let (comma, optional) =
                        (if index > 0 { ", " } else { "" }, if attribute.required { "" } else { "?" });
                    write!(f, "{comma}{name}{optional}: {}", attribute.kind)?;
                }
                f.write_str("}")
            }
        }
    }
}

impl Vocabulary {
    /// Reads the declarations of a valid schema in Cedar's own syntax.
    fn of(schema: &str) -> Result<Self, NoVocabulary> {
        let (_valid, _warnings) = Schema::from_cedarschema_str(schema).map_err(Box::new)?;
        let (fragment, _warnings) = SchemaFragment::from_cedarschema_str(schema).map_err(Box::new)?;
        let json = fragment.to_json_value().map_err(|error| Box::new(error.into()))?;
        Ok(declared::read(json)?)
    }

    /// Reads the declarations of a schema file that is known to be valid.
    pub(in crate::policy) fn of_file(file: &SourceFile) -> Result<Cow<'static, Self>, NoVocabulary> {
        static OF_SHIPPED: OnceLock<Vocabulary> = OnceLock::new();
        if *file.text != *SHIPPED {
            return depth::with_stack(|| Self::of(&file.text)).map(Cow::Owned);
        }
        if let Some(known) = OF_SHIPPED.get() {
            return Ok(Cow::Borrowed(known));
        }
        let shipped = Self::shipped()?;
        Ok(Cow::Borrowed(OF_SHIPPED.get_or_init(|| shipped)))
    }

    /// The declarations of the schema that this version ships.
    pub fn shipped() -> Result<Self, NoVocabulary> {
        depth::with_stack(|| Self::of(SHIPPED))
    }

    /// Reads the declarations of a schema file.
    pub fn read(file: &Path) -> Result<Self, PolicyProblem> {
        let file = source::read_file(file)?;
        depth::check(&file)?;
        depth::with_stack(|| Self::of(&file.text)).map_err(|error| match error {
            NoVocabulary::Schema(error) => PolicyProblem::diagnosed(Rule::SchemaInvalid, &file, &*error),
            NoVocabulary::Form(_) => PolicyProblem::new(Rule::SchemaInvalid, &file.path, error),
        })
    }

    /// The actions that are in a group.
    pub fn members_of(&self, group: &str) -> impl Iterator<Item = &str> {
        let within = move |(_, words): &(&String, &ActionWords)| words.groups.contains(group);
        self.actions.iter().filter(within).map(|(name, _)| name.as_str())
    }

    /// Whether an action has this name, or is in the group with this name.
    pub(in crate::policy) fn is_within(&self, action: &str, name: &str) -> bool {
        let groups = self.actions.get(action).map(|words| &words.groups);
        action == name || groups.into_iter().flatten().any(|group| self.is_within(group, name))
    }

    /// The names of all attributes, whatever has them.
    pub(in crate::policy) fn attribute_names(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let contexts = self.actions.values().map(|action| &action.context);
        for attributes in contexts.chain(self.entities.values().map(|entity| &entity.attributes)) {
            collect_names(attributes, &mut found);
        }
        found
    }

    /// The records that have a name.
    pub fn records(&self) -> BTreeMap<&str, &Attributes> {
        let mut found = BTreeMap::new();
        let contexts = self.actions.values().map(|action| &action.context);
        for attributes in contexts.chain(self.entities.values().map(|entity| &entity.attributes)) {
            collect_records(attributes, &mut found);
        }
        found
    }

    /// The part that every deployment must have in common.
    fn in_common(mut self) -> Self {
        for action in self.actions.values_mut() {
            custom::forget(&mut action.context);
        }
        self.without_docs()
    }

    fn without_docs(mut self) -> Self {
        for action in self.actions.values_mut() {
            action.doc = None;
            drop_docs(&mut action.context);
        }
        for entity in self.entities.values_mut() {
            entity.doc = None;
            drop_docs(&mut entity.attributes);
        }
        self
    }
}

fn collect_names<'a>(attributes: &'a Attributes, found: &mut Vec<&'a str>) {
    for (name, attribute) in attributes {
        found.push(name);
        if let Type::Record { record, .. } = attribute.kind.element() {
            collect_names(record, found);
        }
    }
}

fn collect_records<'a>(attributes: &'a Attributes, found: &mut BTreeMap<&'a str, &'a Attributes>) {
    for attribute in attributes.values() {
        if let Type::Record { name, record } = attribute.kind.element() {
            found.extend(name.as_deref().map(|name| (name, record)));
            collect_records(record, found);
        }
    }
}

fn drop_docs(attributes: &mut Attributes) {
    for attribute in attributes.values_mut() {
        attribute.doc = None;
        let mut kind = &mut attribute.kind;
        while let Type::Set { set } = kind {
            kind = set;
        }
        if let Type::Record { name, record } = kind {
            *name = None;
            drop_docs(record);
        }
    }
}

/// Why a schema's words cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NoVocabulary {
    /// The schema does not parse, or contradicts itself.
    #[error(transparent)]
    Schema(#[from] Box<CedarSchemaError>),
    /// The library writes the schema in a form that this version does not know.
    #[error("the schema's JSON form is unknown: {0}")]
    Form(#[from] serde_json::Error),
}

/// The names of the declarations that differ between two schemas, such as `Teamspace` or `GrantScope`.
fn differences(one: &Vocabulary, other: &Vocabulary) -> Vec<String> {
    fn unlike<T: PartialEq>(one: &BTreeMap<String, T>, other: &BTreeMap<String, T>) -> Vec<String> {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
    }
    let mut names = unlike(&one.entities, &other.entities);
    names.extend(unlike(&one.actions, &other.actions));
    names
}

/// A warning if a valid schema differs from the one that facts are made for.
pub(in crate::policy) fn differs(schema: &SourceFile) -> Option<PolicyProblem> {
    if *schema.text == *SHIPPED {
        return None;
    }
    let words = |text: &str| Vocabulary::of(text).map(Vocabulary::in_common);
    let compared = depth::with_stack(|| Ok((words(&schema.text)?, words(SHIPPED)?)));
    let message = match compared.map(|(given, shipped)| differences(&given, &shipped)) {
        Ok(names) if names.is_empty() => return None,
        Ok(names) => format!("the schema of this version declares otherwise: {}", names.join(", ")),
        Err::<_, NoVocabulary>(error) => format!("cannot compare with the schema of this version: {error}"),
    };
    let help = "facts are made for the schema of this version, which comes with it";
    Some(PolicyProblem::new(Rule::SchemaDiffers, &schema.path, message).help(help))
}
