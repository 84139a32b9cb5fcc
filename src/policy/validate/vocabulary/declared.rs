//! Cedar's JSON form of a schema, and how it becomes a vocabulary.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ActionWords, Attribute, Attributes, EntityWords, Type, Vocabulary};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Namespace {
    #[serde(default)]
    common_types: BTreeMap<String, DeclaredType>,
    entity_types: BTreeMap<String, DeclaredEntity>,
    actions: BTreeMap<String, DeclaredAction>,
}

#[derive(Deserialize)]
struct DeclaredType {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    element: Option<Box<DeclaredType>>,
    attributes: Option<BTreeMap<String, DeclaredType>>,
    required: Option<bool>,
    #[serde(default)]
    annotations: DeclaredAnnotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeclaredEntity {
    #[serde(default)]
    member_of_types: Vec<String>,
    shape: Option<DeclaredType>,
    tags: Option<DeclaredType>,
    #[serde(rename = "enum")]
    ids: Option<Vec<String>>,
    #[serde(default)]
    annotations: DeclaredAnnotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeclaredAction {
    member_of: Option<Vec<Group>>,
    applies_to: Option<AppliesTo>,
    #[serde(default)]
    annotations: DeclaredAnnotations,
}

#[derive(Deserialize)]
struct Group {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppliesTo {
    principal_types: Vec<String>,
    resource_types: Vec<String>,
    context: Option<DeclaredType>,
}

#[derive(Deserialize, Default)]
struct DeclaredAnnotations {
    doc: Option<String>,
}

/// The vocabulary of a schema's JSON form. The schema is valid, so that no type contains itself.
pub(super) fn read(json: serde_json::Value) -> Result<Vocabulary, serde_json::Error> {
    let schema = Namespaces(serde_json::from_value(json)?);
    let mut words = Vocabulary::default();
    for (within, namespace) in &schema.0 {
        for (name, entity) in &namespace.entity_types {
            words.entities.insert(qualified(within, name), schema.entity(within, entity));
        }
        for (name, action) in &namespace.actions {
            words.actions.insert(qualified(within, name), schema.action(within, action));
        }
    }
    Ok(words)
}

struct Namespaces(BTreeMap<String, Namespace>);

impl Namespaces {
    fn entity(&self, within: &str, entity: &DeclaredEntity) -> EntityWords {
        EntityWords {
            doc: entity.annotations.doc.clone(),
            parents: entity.member_of_types.iter().map(|name| self.entity_name(within, name)).collect(),
            ids: entity.ids.as_ref().map(|ids| ids.iter().cloned().collect()),
            attributes: self.attributes(within, entity.shape.as_ref()),
            tags: entity.tags.as_ref().map(|tags| self.resolve(within, tags)),
        }
    }

    fn action(&self, within: &str, action: &DeclaredAction) -> ActionWords {
        let names = |names: &[String]| names.iter().map(|name| self.entity_name(within, name)).collect();
        let applies = action.applies_to.as_ref();
        ActionWords {
            doc: action.annotations.doc.clone(),
            groups: action.member_of.iter().flatten().map(|group| group.id.clone()).collect(),
            principals: applies.map(|to| names(&to.principal_types)).unwrap_or_default(),
            resources: applies.map(|to| names(&to.resource_types)).unwrap_or_default(),
            context: self.attributes(within, applies.and_then(|to| to.context.as_ref())),
        }
    }

    fn attributes(&self, within: &str, record: Option<&DeclaredType>) -> Attributes {
        match record.map(|record| self.resolve(within, record)) {
            Some(Type::Record { record, .. }) => record,
            _ => Attributes::new(),
        }
    }

    fn resolve(&self, within: &str, declared: &DeclaredType) -> Type {
        if let Some(element) = &declared.element {
            return Type::Set { set: Box::new(self.resolve(within, element)) };
        }
        if let Some(attributes) = &declared.attributes {
            let attribute = |(name, attribute): (&String, &DeclaredType)| {
                let kind = self.resolve(within, attribute);
                let (doc, required) = (attribute.annotations.doc.clone(), attribute.required.unwrap_or(true));
                (name.clone(), Attribute { doc, kind, required })
            };
            return Type::Record { name: None, record: attributes.iter().map(attribute).collect() };
        }
        let name = declared.name.as_ref().unwrap_or(&declared.kind);
        match self.common(within, name) {
            Some((home, common)) => match self.resolve(home, common) {
                Type::Record { record, .. } => Type::Record { name: Some(name.clone()), record },
                other => other,
            },
            None => Type::Name(self.entity_name(within, name)),
        }
    }

    /// The common type of that name, and the namespace that declares it.
    fn common<'a>(&'a self, within: &'a str, name: &'a str) -> Option<(&'a str, &'a DeclaredType)> {
        let (home, plain) = name.rsplit_once("::").unwrap_or((within, name));
        let find = |home: &'a str| Some((home, self.0.get(home)?.common_types.get(plain)?));
        find(home).or_else(|| if name == plain { find("") } else { None })
    }

    /// The full name of an entity type; other names stay as they are.
    fn entity_name(&self, within: &str, name: &str) -> String {
        let declares = self.0.get(within).is_some_and(|namespace| namespace.entity_types.contains_key(name));
        if declares { qualified(within, name) } else { name.trim_start_matches("__cedar::").to_owned() }
    }
}

fn qualified(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}::{name}") }
}
