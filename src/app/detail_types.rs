//! The registered types of authorization details, kept up to date with the files of their schemas.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::task::spawn_blocking;

use super::App;
use crate::config::DetailSettings;
use crate::oauth::authorization_details::DetailTypes;

/// The largest schema that is read, in bytes.
const MAX_SCHEMA: u64 = 256 * 1024;

/// A schema of the configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`authorization_details.types`: {name}: {} {why}", .file.display())]
pub struct DetailTypesError {
    name: String,
    file: PathBuf,
    why: String,
}

/// The texts of the schemas, by type.
type SchemaTexts = BTreeMap<String, String>;

/// The types in force, and the texts that they were made of.
pub(super) struct RegisteredTypes {
    types: ArcSwap<DetailTypes>,
    /// Also texts that could not be used, so that they are reported once.
    seen: Mutex<Result<SchemaTexts, DetailTypesError>>,
}

/// Reads and compiles the schemas that the configuration names.
pub fn read_detail_types(settings: &DetailSettings) -> Result<DetailTypes, DetailTypesError> {
    compile(settings, &texts(settings)?)
}

impl RegisteredTypes {
    pub fn read(settings: &DetailSettings) -> Result<Self, DetailTypesError> {
        let texts = texts(settings)?;
        let types = ArcSwap::from_pointee(compile(settings, &texts)?);
        Ok(Self { types, seen: Mutex::new(Ok(texts)) })
    }

    /// Whether the texts are other ones than last time.
    fn is_new(&self, texts: &Result<SchemaTexts, DetailTypesError>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *seen != *texts;
        if is_new {
            seen.clone_from(texts);
        }
        is_new
    }
}

impl App {
    /// The types of authorization details in force.
    pub fn detail_types(&self) -> Arc<DetailTypes> {
        self.registered_types.types.load_full()
    }

    /// Takes over changed schemas. If one cannot be used, the last good ones stay in force.
    pub async fn follow_detail_types(&self) {
        if self.config.authorization_details.types.is_empty() {
            return;
        }
        let settings = self.config.authorization_details.clone();
        let Ok(texts) = spawn_blocking(move || texts(&settings)).await else { return };
        if !self.registered_types.is_new(&texts) {
            return;
        }
        match texts.and_then(|texts| compile(&self.config.authorization_details, &texts)) {
            Ok(types) => {
                self.registered_types.types.store(Arc::new(types));
                tracing::info!("loaded changed schemas of authorization details");
            }
            Err(error) => {
                tracing::error!(%error, "cannot use a changed schema of authorization details; the last good ones stay");
            }
        }
    }
}

fn texts(settings: &DetailSettings) -> Result<SchemaTexts, DetailTypesError> {
    let read = |(name, file): (&String, &PathBuf)| {
        let text = read(file).map_err(|why| failed(settings, name, why))?;
        Ok((name.clone(), text))
    };
    settings.types.iter().map(read).collect()
}

fn read(file: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let (opened, mut text) = (std::fs::File::open(file).map_err(unreadable)?, String::new());
    opened.take(MAX_SCHEMA + 1).read_to_string(&mut text).map_err(unreadable)?;
    match u64::try_from(text.len()).is_ok_and(|bytes| bytes <= MAX_SCHEMA) {
        true => Ok(text),
        false => Err(format!("has more than {MAX_SCHEMA} bytes")),
    }
}

fn compile(settings: &DetailSettings, texts: &SchemaTexts) -> Result<DetailTypes, DetailTypesError> {
    let all = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    DetailTypes::with(all).map_err(|unusable| failed(settings, &unusable.name, unusable.why))
}

fn failed(settings: &DetailSettings, name: &str, why: String) -> DetailTypesError {
    let file = settings.types.get(name).cloned().unwrap_or_default();
    DetailTypesError { name: name.to_owned(), file, why }
}
