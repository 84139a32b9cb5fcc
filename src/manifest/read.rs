//! Reads files: objects with their fields, and every mistake.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::field::FieldRule;
use super::kind::ObjectKind;
use super::mistake::{FilePlace, Mistakes};
use super::node::{Node, NodeKey, NodeValue, cut};
use super::object::{DeclaredObject, Manifest, SecretSource};
use super::{toml_text, yaml_text};
use crate::model::identity_provider::Provider;

/// The language of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// YAML, and JSON, which is YAML too.
    Yaml,
    /// TOML.
    Toml,
}

/// A file with its text.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    /// The name for people.
    pub name: Arc<str>,
    /// Where relative paths in it begin.
    pub folder: PathBuf,
    /// Its language.
    pub syntax: Syntax,
    /// The whole content.
    pub text: String,
}

/// Everything that the files declare, or everything that is wrong with them.
pub fn read(files: &[ManifestFile]) -> Result<Manifest, Mistakes> {
    let mut reading = ManifestReading::default();
    for file in files {
        reading.file(file);
    }
    reading.mistakes.or(reading.manifest)
}

/// The objects read so far.
#[derive(Default)]
struct ManifestReading {
    manifest: Manifest,
    mistakes: Mistakes,
    /// Where each object was declared.
    known: HashMap<(ObjectKind, Option<String>, String), FilePlace>,
}

/// The list that objects are in.
#[derive(Clone, Copy)]
struct ObjectList<'f> {
    file: &'f ManifestFile,
    kind: ObjectKind,
    within: Option<&'f str>,
}

impl ManifestFile {
    fn place(&self, line: u64) -> FilePlace {
        FilePlace { file: Arc::clone(&self.name), line }
    }
}

impl ManifestReading {
    fn file(&mut self, file: &ManifestFile) {
        let documents = match file.syntax {
            Syntax::Yaml => yaml_text::parse(&file.text).map_err(|fault| ("YAML", vec![fault])),
            Syntax::Toml => {
                toml_text::parse(&file.text).map(|node| vec![node]).map_err(|faults| ("TOML", faults))
            }
        };
        match documents {
            Ok(documents) => documents.iter().for_each(|document| self.document(file, document)),
            Err((language, faults)) => {
                for (line, text) in faults {
                    self.mistakes.add(file.place(line), format!("this is not {language}: {text}"));
                }
            }
        }
    }

    fn document(&mut self, file: &ManifestFile, document: &Node) {
        let lists: Vec<ObjectKind> = ObjectKind::outermost().collect();
        for (key, value) in self.members(file, document, "a document") {
            match lists.iter().find(|kind| kind.list() == key.name) {
                Some(kind) => self.list(ObjectList { file, kind: *kind, within: None }, value),
                None => self.unknown(file, key, lists.iter().map(|kind| kind.list()).collect()),
            }
        }
    }

    /// The members of an object. One that is there twice is a mistake, and so is another value.
    fn members<'n>(&mut self, file: &ManifestFile, node: &'n Node, what: &str) -> &'n [(NodeKey, Node)] {
        let Some(members) = node.object() else {
            let text = format!("{what} must be an object with fields; found {}", node.shown());
            self.mistakes.add(file.place(node.line), text);
            return &[];
        };
        let mut lines = HashMap::new();
        for (key, _) in members {
            if let Some(first) = lines.insert(&key.name, key.line) {
                let text = format!("`{}` is here twice; it is in line {first} too", cut(&key.name));
                self.mistakes.add(file.place(key.line), text);
            }
        }
        members
    }

    fn unknown(&mut self, file: &ManifestFile, key: &NodeKey, known: Vec<&str>) {
        // A mistyped name is not much longer than the right one.
        let name: String = key.name.chars().take(60).collect();
        let distance = |known: &str| strsim::osa_distance(&name.to_lowercase(), known);
        let near = known.iter().map(|known| (distance(known), *known)).min();
        let hint = match near.filter(|(distance, _)| *distance <= 2.max(name.len() / 3)) {
            Some((_, known)) => format!("did you mean `{known}`?"),
            None => format!("expected {}", known.join(", ")),
        };
        self.mistakes.add(file.place(key.line), format!("unknown field `{name}`; {hint}"));
    }

    fn list(&mut self, list: ObjectList<'_>, node: &Node) {
        let name = list.kind.list();
        let Some(items) = node.list() else {
            let text = format!("`{name}` must be a list; found {}; write [] for an empty one", node.shown());
            return self.mistakes.add(list.file.place(node.line), text);
        };
        self.manifest.lists.insert((list.kind, list.within.map(str::to_owned)));
        for item in items {
            self.object(list, item);
        }
    }

    fn object(&mut self, list: ObjectList<'_>, node: &Node) {
        let (file, kind) = (list.file, list.kind);
        let (mut fields, mut secrets, mut inner) = (Map::new(), Vec::new(), Vec::new());
        let nested: Vec<ObjectKind> = kind.nested().collect();
        for (key, value) in self.members(file, node, &format!("an entry of `{}`", kind.list())) {
            let rule = kind.fields().iter().find(|rule| rule.name == key.name);
            let secret = secret_of(list, key, value);
            if let Some(rule) = rule {
                fields.extend(self.field(file, rule, value).map(|formed| (rule.name.to_owned(), formed)));
            } else if let Some(kind) = nested.iter().find(|kind| kind.list() == key.name) {
                inner.push((*kind, value));
            } else if let Some(secret) = secret {
                secrets.extend(self.secret(file, (key, value), secret));
            } else {
                let names = kind.fields().iter().map(|rule| rule.name);
                let lists = nested.iter().map(|kind| kind.list());
                self.unknown(file, key, names.chain(lists).chain(secret_names(kind)).collect());
            }
        }
        self.complete(list, node, fields, secrets);
        let name = node.object().and_then(|members| members.iter().find(|(key, _)| key.name == kind.key()));
        let name = kind.comparable(name.and_then(|(_, value)| value.text()).unwrap_or_default());
        for (kind, value) in inner {
            self.list(ObjectList { file, kind, within: Some(&name) }, value);
        }
    }

    fn field(&mut self, file: &ManifestFile, rule: &FieldRule, node: &Node) -> Option<Value> {
        match (rule.form)(node) {
            Ok(formed) => Some(formed),
            Err(line) => {
                let text = format!("`{}` must be {}; found {}", rule.name, rule.expected, node.shown());
                let takes_text = rule.expected.contains("text") && !rule.expected.starts_with("a list");
                let hint = match (takes_text, &node.value) {
                    (true, NodeValue::Whole(_) | NodeValue::Flag(_)) => "; put it in quotes",
                    _ => "",
                };
                self.mistakes.add(file.place(line), format!("{text}{hint}"));
                None
            }
        }
    }

    fn secret(
        &mut self,
        file: &ManifestFile,
        (key, value): (&NodeKey, &Node),
        secret: Option<SecretSource>,
    ) -> Option<SecretSource> {
        if secret.is_none() {
            let text = format!("`{}` must be a text that is not empty; found {}", key.name, value.shown());
            self.mistakes.add(file.place(value.line), text);
        }
        secret
    }

    /// Keeps an object that has all its required fields and a name of its own.
    fn complete(
        &mut self,
        list: ObjectList<'_>,
        node: &Node,
        mut fields: Map<String, Value>,
        mut secrets: Vec<SecretSource>,
    ) {
        let (kind, place) = (list.kind, list.file.place(node.line));
        let Some(members) = node.object() else { return };
        let is_written = |rule: &&FieldRule| members.iter().any(|(key, _)| key.name == rule.name);
        for missing in kind.fields().iter().filter(|rule| rule.is_required && !is_written(rule)) {
            let text = format!("this {} lacks `{}`: {}", kind.words(), missing.name, missing.expected);
            self.mistakes.add(place.clone(), text);
        }
        if secrets.len() > 1 {
            let text = "`client_secret_file` and `client_secret_env` are both here; keep one";
            self.mistakes.add(place.clone(), text);
        }
        if kind == ObjectKind::Provider && !fields.contains_key("name") {
            let product = fields.get("provider").and_then(Value::as_str).and_then(|text| text.parse().ok());
            let name = product.map(Provider::default_name);
            fields.extend(name.map(|name| ("name".to_owned(), name.into())));
        }
        let Some(name) = fields.get(kind.key()).and_then(Value::as_str).map(str::to_owned) else { return };
        let within = list.within.map(str::to_owned);
        if let Some(first) = self.known.insert(identity(kind, &within, &name), place.clone()) {
            let text = format!("the {} `{name}` is declared twice; it is in {first} too", kind.words());
            self.mistakes.add(place.clone(), text);
        }
        let secret = secrets.pop();
        self.manifest.objects.push(DeclaredObject { kind, within, name, place, fields, secret });
    }
}

/// The key under which an object may be declared once. Clients and credentials share one space of ids, since they present
/// them at authentication.
fn identity(kind: ObjectKind, within: &Option<String>, name: &str) -> (ObjectKind, Option<String>, String) {
    match kind {
        ObjectKind::Credential => (ObjectKind::Client, None, name.to_owned()),
        kind => (kind, within.clone(), kind.comparable(name)),
    }
}

const SECRET_FILE: &str = "client_secret_file";
const SECRET_VARIABLE: &str = "client_secret_env";

fn secret_names(kind: ObjectKind) -> impl Iterator<Item = &'static str> {
    let names = [SECRET_FILE, SECRET_VARIABLE];
    names.into_iter().filter(move |_| matches!(kind, ObjectKind::Client | ObjectKind::Credential))
}

/// Where the secret of an object is, if a member says that: none inside when it says it badly.
fn secret_of(list: ObjectList<'_>, key: &NodeKey, value: &Node) -> Option<Option<SecretSource>> {
    if !secret_names(list.kind).any(|name| name == key.name) {
        return None;
    }
    let text = value.text().filter(|text| !text.is_empty());
    Some(text.map(|text| match &*key.name {
        SECRET_FILE => SecretSource::File(list.file.folder.join(text)),
        _ => SecretSource::Variable(text.to_owned()),
    }))
}
