//! The problems of a configuration: all at once, each with its place, key, value and expectation.

use std::fmt;
use std::path::PathBuf;

use super::keys::is_position;

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named on the command line does not exist.
    #[error("there is no configuration file {}", .0.display())]
    NoFile(PathBuf),
    /// The path leads to a directory or a device.
    #[error("{} is not a file; expected a configuration file in TOML", .0.display())]
    NotAFile(PathBuf),
    /// The file exists and cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The configuration file.
        path: PathBuf,
        /// The error from the system.
        source: std::io::Error,
    },
    /// The file is not TOML; the parser's message says where.
    #[error("is not TOML: {0}")]
    NotToml(String),
    /// A key that the configuration does not have.
    #[error("`{key}` is not a key of the configuration{hint}")]
    Unknown {
        /// The key with its section, as in `jwks.ttl`.
        key: String,
        /// The known key that is spelled most alike, as the end of a sentence; else empty.
        hint: String,
    },
    /// A value of the wrong type, or outside its range.
    #[error("`{key}` = `{value}`: {why}")]
    Invalid {
        /// The key with its section.
        key: String,
        /// The value as it was written.
        value: String,
        /// The rule that it breaks.
        why: String,
    },
    /// A file that a key names and that cannot be read.
    #[error("`{key}`: cannot read {}: {source}", .path.display())]
    File {
        /// The key that names it.
        key: String,
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: std::io::Error,
    },
    /// A value was given both directly and as the file that holds it.
    #[error("`{0}` and `{0}_file` are both set; keep one")]
    Both(&'static str),
}

pub(super) fn invalid(key: &str, value: impl ToString, why: impl ToString) -> ConfigError {
    ConfigError::Invalid { key: key.to_owned(), value: value.to_string(), why: why.to_string() }
}

impl ConfigError {
    /// The key that it is about, with dots between section and key.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Unknown { key, .. } | Self::Invalid { key, .. } | Self::File { key, .. } => Some(key),
            Self::Both(key) => Some(key),
            Self::NoFile(_) | Self::NotAFile(_) | Self::Unreadable { .. } | Self::NotToml(_) => None,
        }
    }

    /// Removes list positions from the key: the place already shows which entry is meant.
    pub(super) fn without_positions(mut self) -> Self {
        if let Self::Unknown { key, .. } | Self::Invalid { key, .. } | Self::File { key, .. } = &mut self {
            let is_name = |part: &&str| !is_position(part);
            *key = key.split('.').filter(is_name).collect::<Vec<_>>().join(".");
        }
        self
    }
}

/// Where a key was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPlace {
    /// A line of the configuration file, counted from 1.
    Line(PathBuf, usize),
    Variable(String),
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, Default, thiserror::Error)]
pub struct ConfigErrors(Vec<(Option<KeyPlace>, ConfigError)>);

impl ConfigErrors {
    pub(super) fn add(&mut self, place: Option<KeyPlace>, error: ConfigError) {
        self.0.push((place, error.without_positions()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![(None, error)])
    }
}

/// One problem is one line; several are a count and a line for each.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = self.0.len() > 1;
        if several {
            write!(f, "the configuration has {} problems:", self.0.len())?;
        }
        for (place, error) in &self.0 {
            f.write_str(if several { "\n  " } else { "" })?;
            if let Some(place) = place {
                write!(f, "{place}: ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}
