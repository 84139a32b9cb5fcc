//! The sources of the configuration, file and environment, and the place in them where each key was set.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::Value;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Written};
use super::problem::{ConfigError, ConfigErrors, KeyPlace, invalid};
use super::{Config, DEFAULT_FILE};
use crate::serde_words::expected_words;

const PREFIX: &str = "COUNTERSIGN_";
/// Variables with this prefix that are for commands: they set options, not keys.
const OF_COMMANDS: [&str; 2] = ["SERVER", "TOKEN"];
/// Keys whose values are never shown, nor those below them: each is, or may be, a secret.
const SECRET: [&str; 4] = ["console.oidc", "database_url", "keys", "log_stream"];

/// The file, if there is one, and the environment, which overrides it.
pub(super) struct Sources {
    file: Option<File>,
    variables: Vec<Variable>,
}

struct File {
    path: PathBuf,
    text: String,
    table: toml::Table,
}

/// An environment variable that sets a key.
struct Variable {
    name: String,
    key: Vec<String>,
    text: String,
    form: TextForm,
}

/// How the text of a variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextForm {
    /// As a number, `true`, `[…]`, `{…}`, or else a string.
    Value,
    /// As a string, whatever it looks like.
    Text,
    /// As strings with commas between them.
    List,
}

impl Sources {
    /// Reads the named file, or the default one if it exists, and the environment.
    pub(super) fn read(named: Option<&Path>) -> Result<Self, ConfigErrors> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        let file = match path.metadata() {
            Ok(found) if !found.is_file() => return Err(ConfigError::NotAFile(path.to_owned()).into()),
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => None,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(ConfigError::NoFile(path.to_owned()).into());
            }
            _ => Some(File::read(path)?),
        };
        Ok(Self { file, variables: variables() })
    }

    /// Reads every key with its type. A value that cannot be read is reported, and replaced by its default.
    pub(super) fn extract(&mut self) -> (Config, ConfigErrors) {
        let mut errors = ConfigErrors::default();
        loop {
            let error = match self.figment().extract::<Config>() {
                Ok(config) => return (config, errors),
                Err(error) => error,
            };
            if self.read_otherwise(&error.path, &error.kind) {
                continue;
            }
            let mut key = error.path.clone();
            if let Kind::UnknownField(name, _) = &error.kind
                && key.last() != Some(name)
            {
                key.push(name.clone());
            }
            errors.add(self.place(&key), self.describe(&key, &error.kind));
            if !self.remove(&key) {
                return (Config::default(), errors);
            }
        }
    }

    fn figment(&self) -> Figment {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = &self.file {
            figment = figment.merge(Serialized::defaults(&file.table));
        }
        let environment = self.variables.iter().fold(Figment::new(), |figment, variable| {
            figment.merge(Serialized::default(&variable.key.join("."), variable.value()))
        });
        match environment.extract::<Value>() {
            Ok(values) => figment.merge(Serialized::defaults(with_lists(values))),
            // There are no variables.
            Err(_) => figment,
        }
    }

    /// Has a variable read in the form that its key expects, if its text can be that. Only the key knows whether `12` is
    /// a number or a name.
    fn read_otherwise(&mut self, key: &[String], kind: &Kind) -> bool {
        let Kind::InvalidType(_, expected) = kind else { return false };
        let of_key = |variable: &&mut Variable| variable.key == key && variable.form == TextForm::Value;
        let Some(variable) = self.variables.iter_mut().find(of_key) else { return false };
        variable.form = match expected.as_str() {
            "a string" | "path string" => TextForm::Text,
            "a sequence" if !variable.text.starts_with(['[', '{']) => TextForm::List,
            _ => return false,
        };
        true
    }

    /// Whether a key is set, rather than left to its default.
    pub(super) fn sets(&self, key: &str) -> bool {
        let key: Vec<String> = key.split('.').map(str::to_owned).collect();
        self.variable(&key).is_some()
            || self.file.as_ref().is_some_and(|file| lookup(&file.table, &key).is_some())
    }

    /// The file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| &*file.path)
    }

    /// Whether the value that is in force for a key stands in the file.
    pub(super) fn is_in_file(&self, key: &str) -> bool {
        let key: Vec<String> = key.split('.').map(str::to_owned).collect();
        self.variable(&key).is_none()
            && self.file.as_ref().is_some_and(|file| lookup(&file.table, &key).is_some())
    }

    /// The place where a key was set; none where the default is in force.
    pub(super) fn place(&self, key: &[String]) -> Option<KeyPlace> {
        if let Some(variable) = self.variable(key) {
            return Some(KeyPlace::Variable(variable.name.clone()));
        }
        let file = self.file.as_ref()?;
        Some(KeyPlace::Line(file.path.clone(), line_of(&file.text, key)?))
    }

    fn variable(&self, key: &[String]) -> Option<&Variable> {
        self.variables.iter().find(|variable| overlap(&variable.key, key))
    }

    fn describe(&self, key: &[String], kind: &Kind) -> ConfigError {
        let name = key.join(".");
        let is_below = |rest: &str| rest.is_empty() || rest.starts_with('.');
        let is_secret = SECRET.iter().any(|secret| name.strip_prefix(secret).is_some_and(is_below));
        let value = match (is_secret, self.variable(key), &self.file) {
            (true, ..) => "[redacted]".to_owned(),
            (false, Some(variable), _) => variable.text.clone(),
            (false, None, Some(file)) => {
                lookup(&file.table, key).map(toml::Value::to_string).unwrap_or_default()
            }
            (false, None, None) => String::new(),
        };
        let value = value.trim_matches('"');
        match kind {
            Kind::UnknownField(_, known) => {
                let written = match self.variable(key) {
                    Some(_) => Written::AsVariable(PREFIX),
                    None => Written::InFile,
                };
                ConfigError::Unknown { key: name, hint: keys::hint(key, known, written) }
            }
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                invalid(&name, value, expectation(&name, expected))
            }
            Kind::UnknownVariant(_, known) => {
                invalid(&name, value, format!("must be one of {}", known.join(", ")))
            }
            Kind::MissingField(field) => invalid(&name, value, format!("lacks `{field}`")),
            // Our own texts never quote the value; the library's may.
            Kind::Message(text) => invalid(&name, value, text),
            _ if is_secret => invalid(&name, value, "cannot be read"),
            other => invalid(&name, value, other),
        }
    }

    /// Removes a key from the source that is in force for it.
    fn remove(&mut self, key: &[String]) -> bool {
        if let Some(index) = self.variables.iter().position(|variable| overlap(&variable.key, key)) {
            self.variables.remove(index);
            return true;
        }
        self.file.as_mut().is_some_and(|file| remove(&mut file.table, key))
    }
}

impl Variable {
    fn value(&self) -> Value {
        match self.form {
            // This never fails: a text that is nothing else is a string.
            TextForm::Value => self.text.parse().unwrap_or_else(|_| self.text.clone().into()),
            TextForm::Text => self.text.clone().into(),
            TextForm::List => {
                let entries = self.text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                entries.map(Value::from).collect::<Vec<_>>().into()
            }
        }
    }
}

/// Makes a list of each section whose keys are the positions in it, 0 and up.
fn with_lists(value: Value) -> Value {
    let Value::Dict(tag, dict) = value else { return value };
    let mut entries: Vec<(String, Value)> =
        dict.into_iter().map(|(key, value)| (key, with_lists(value))).collect();
    let position = |(key, _): &(String, Value)| key.parse::<usize>().unwrap_or(usize::MAX);
    entries.sort_by_key(position);
    match !entries.is_empty() && entries.iter().enumerate().all(|(index, entry)| position(entry) == index) {
        true => Value::Array(tag, entries.into_iter().map(|(_, value)| value).collect()),
        false => Value::Dict(tag, entries.into_iter().collect()),
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        match text.parse() {
            Ok(table) => Ok(Self { path: path.to_owned(), text, table }),
            Err(error) => {
                let line = line_at(&text, error.span().map_or(0, |span| span.start));
                let mut errors = ConfigErrors::default();
                let place = KeyPlace::Line(path.to_owned(), line);
                errors.add(Some(place), ConfigError::NotToml(error.message().to_owned()));
                Err(errors)
            }
        }
    }
}

/// The variables that are meant for this service. An empty one counts as unset: that is how container platforms write
/// a missing value.
fn variables() -> Vec<Variable> {
    let all = std::env::vars_os().filter_map(|(name, text)| {
        let (name, text) = (name.into_string().ok()?, text.to_string_lossy().into_owned());
        let key = name.strip_prefix(PREFIX)?.to_owned();
        let is_other = OF_COMMANDS.contains(&&*key) || is_service_link(&key, &text);
        let meant = !text.is_empty() && !key.is_empty() && !is_other;
        let key = key.to_ascii_lowercase().split("__").map(str::to_owned).collect();
        meant.then_some(Variable { name, key, text, form: TextForm::Value })
    });
    let mut variables: Vec<_> = all.collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    variables
}

/// Whether Kubernetes set a variable because a Service's name begins with `countersign`: `COUNTERSIGN_SERVICE_HOST`,
/// `COUNTERSIGN_PORT=tcp://…`, `COUNTERSIGN_PORT_8080_TCP_ADDR`, `COUNTERSIGN_INTERNAL_SERVICE_PORT_HTTP`. None of our
/// keys has such a name.
fn is_service_link(key: &str, text: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let words: Vec<&str> = key.split('_').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    words.ends_with(&["SERVICE", "HOST"])
        || words.windows(2).any(|pair| pair == ["SERVICE", "PORT"])
        || words.windows(3).any(|three| {
            matches!(three, ["PORT", number, protocol] if is_number(number) && PROTOCOLS.contains(protocol))
        })
        || words.ends_with(&["PORT"]) && text.contains("://")
}

/// Whether two keys are the same, or one is a section that holds the other.
fn overlap(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn lookup<'a>(table: &'a toml::Table, key: &[String]) -> Option<&'a toml::Value> {
    let (first, rest) = key.split_first()?;
    let mut value = table.get(first)?;
    for part in rest {
        value = match value {
            toml::Value::Table(table) => table.get(part)?,
            toml::Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return Some(value),
        };
    }
    Some(value)
}

/// Removes a key, or the list or value that takes the place of one of its sections.
fn remove(table: &mut toml::Table, key: &[String]) -> bool {
    let Some((first, rest)) = key.split_first() else { return false };
    if let Some(toml::Value::Table(inner)) = table.get_mut(first)
        && remove(inner, rest)
    {
        return true;
    }
    table.remove(first).is_some()
}

/// The line of a key, or of the innermost existing section of it.
fn line_of(text: &str, key: &[String]) -> Option<usize> {
    let mut value = DeValue::Table(DeTable::parse(text).ok()?.into_inner());
    let mut start = None;
    for part in key {
        let (at, inner) = match value {
            DeValue::Table(table) => match table.into_iter().find(|(name, _)| name.get_ref() == part) {
                Some((name, inner)) => (name.span().start, inner),
                None => break,
            },
            DeValue::Array(items) => match part.parse().ok().and_then(|n| items.into_iter().nth(n)) {
                Some(inner) => (inner.span().start, inner),
                None => break,
            },
            _ => break,
        };
        start = Some(at);
        value = inner.into_inner();
    }
    start.map(|start| line_at(text, start))
}

/// The line, counted from 1, of a byte.
fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

/// The expected form of a value, without Rust's names of types.
fn expectation(key: &str, expected: &str) -> String {
    let variable = format!("{PREFIX}{}__…", key.to_ascii_uppercase());
    match expected {
        section if section.starts_with("struct ") => {
            format!("is a section; write [{key}] with its keys below, or set {variable}")
        }
        "a sequence" => {
            "must be a list, such as [\"a\", \"b\"]; variables for its entries are numbered from 0".to_owned()
        }
        "a map" => "must be a table, such as { name = \"value\" }".to_owned(),
        "path string" => "must be a path, in quotes".to_owned(),
        other => format!("must be {}", expected_words(other)),
    }
}
