//! Where policies, cases, proofs and the schema are read from: the file system, or the binary itself.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::config::{Config, DEFAULT_POLICY_DIR, DEFAULT_SCHEMA_FILE};
use crate::shipped;

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyPlace {
    /// In the file system.
    Path(PathBuf),
    /// In the binary, by its path in the repository, such as `policies/tests`.
    BuiltIn(PathBuf),
}

impl PolicyPlace {
    /// The shipped policies.
    pub fn built_in() -> Self {
        Self::BuiltIn(DEFAULT_POLICY_DIR.into())
    }

    /// The shipped schema.
    pub fn built_in_schema() -> Self {
        Self::BuiltIn(DEFAULT_SCHEMA_FILE.into())
    }

    /// The directory of the policies in force: the configured one; else `policies` in the working directory, if there
    /// is something of that name; else the shipped ones.
    pub fn of_policies(config: &Config) -> Self {
        Self::configured(config.policy_dir.as_deref(), DEFAULT_POLICY_DIR)
    }

    /// The schema in force, found in the same way.
    pub fn of_schema(config: &Config) -> Self {
        Self::configured(config.schema_file.as_deref(), DEFAULT_SCHEMA_FILE)
    }

    /// Only a name that nothing has gives way to the binary's own file. What is there and cannot be used is an error
    /// later on: rules must not be replaced because they cannot be read.
    fn configured(named: Option<&Path>, usual: &str) -> Self {
        let is_missing =
            || Path::new(usual).symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        match named {
            Some(path) => Self::Path(path.to_owned()),
            None if is_missing() => Self::BuiltIn(usual.into()),
            None => Self::Path(usual.into()),
        }
    }

    /// Whether it is in the binary, where nothing ever changes.
    pub fn is_built_in(&self) -> bool {
        matches!(self, Self::BuiltIn(_))
    }

    /// A file or directory in this directory.
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Path(path) => Self::Path(path.join(name)),
            Self::BuiltIn(path) => Self::BuiltIn(path.join(name)),
        }
    }

    /// Another file of the same directory.
    pub(in crate::policy) fn beside(&self, name: &str) -> Self {
        match self {
            Self::Path(path) => Self::Path(path.with_file_name(name)),
            Self::BuiltIn(path) => Self::BuiltIn(path.with_file_name(name)),
        }
    }

    /// Whether there is a directory here.
    pub fn is_dir(&self) -> bool {
        match self {
            Self::Path(path) => path.is_dir(),
            Self::BuiltIn(dir) => shipped::policy_files().any(|file| Path::new(&file).parent() == Some(dir)),
        }
    }

    /// Whether there is a file here.
    pub fn is_file(&self) -> bool {
        match self {
            Self::Path(path) => path.is_file(),
            Self::BuiltIn(path) => built_in_text(path).is_some(),
        }
    }

    /// Whether there is anything here.
    pub fn exists(&self) -> bool {
        match self {
            Self::Path(path) => path.exists(),
            Self::BuiltIn(_) => self.is_dir() || self.is_file(),
        }
    }

    /// The path for messages.
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::BuiltIn(path) => Path::new("built-in").join(path),
        }
    }
}

impl fmt::Display for PolicyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::BuiltIn(_) => f.write_str("built-in"),
        }
    }
}

impl From<&Path> for PolicyPlace {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for PolicyPlace {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&PathBuf> for PolicyPlace {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl From<&PolicyPlace> for PolicyPlace {
    fn from(place: &PolicyPlace) -> Self {
        place.clone()
    }
}

/// The text of a file in the binary.
pub(in crate::policy) fn built_in_text(path: &Path) -> Option<String> {
    shipped::text(path.to_str()?)
}

/// The files directly in a directory of the binary, by name.
pub(in crate::policy) fn built_in_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = shipped::policy_files().map(PathBuf::from).collect();
    files.retain(|file| file.parent() == Some(dir));
    files.sort();
    files
}
