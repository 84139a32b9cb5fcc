//! Bodies of requests, from options and files.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::CommandError;

/// Longest file that is read. The API takes 64 KiB.
const LONGEST: u64 = 1024 * 1024;

/// A whole body from a file.
#[derive(Debug, Args)]
pub(in crate::cli) struct FromFile {
    /// Take the JSON object that the API takes from a file, or with `-` from standard input. Other options win over it.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

impl FromFile {
    /// The body in the file; an empty one when there is none.
    pub(in crate::cli) fn body(&self) -> Result<ApiBody, CommandError> {
        let Some(path) = &self.from_file else { return Ok(ApiBody::default()) };
        let text = read_input(path)?;
        let object = serde_json::from_str(&text);
        let object =
            object.map_err(|error| format!("{}: expected a JSON object: {error}", path.display()))?;
        Ok(ApiBody(object))
    }
}

/// A key set from a file, as it is.
pub(in crate::cli) fn jwks_in(file: Option<&PathBuf>) -> Result<Option<Value>, CommandError> {
    let Some(path) = file else { return Ok(None) };
    let jwks = serde_json::from_str(&read_input(path)?);
    jwks.map(Some).map_err(|error| format!("{}: expected a JWK Set: {error}", path.display()).into())
}

/// A secret from a file, without the end of its line.
pub(in crate::cli) fn secret_in(file: Option<&Path>) -> Result<Option<String>, CommandError> {
    let text = file.map(read_input).transpose()?;
    Ok(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The text of a file, or of standard input for `-`.
pub(in crate::cli) fn read_input(path: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().take(LONGEST + 1).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text)),
    };
    match read {
        Ok(read) if u64::try_from(read).is_ok_and(|read| read <= LONGEST) => Ok(text),
        Ok(_) => Err(format!("{}: longer than {LONGEST} bytes", path.display()).into()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// The body of a request.
#[derive(Default)]
pub(in crate::cli) struct ApiBody(Map<String, Value>);

impl ApiBody {
    /// Adds a member, if it is given.
    pub(in crate::cli) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Adds a list of texts, if any is given. An empty text is no item, and alone it stands for the empty list.
    pub(in crate::cli) fn with_list(self, name: &str, items: &[String]) -> Self {
        self.with_each(name, items, |item| item.into())
    }

    /// Adds a list of objects, each read from its short form. Empty texts are as in [`Self::with_list`].
    pub(in crate::cli) fn with_each(self, name: &str, items: &[String], of: impl Fn(&str) -> Value) -> Self {
        let written = items.iter().filter(|item| !item.is_empty());
        let list: Vec<Value> = written.map(|item| of(item)).collect();
        self.with(name, (!items.is_empty()).then_some(list))
    }

    pub(in crate::cli) fn json(self) -> Value {
        Value::Object(self.0)
    }

    /// The body of a change, which must change something.
    pub(in crate::cli) fn change(self) -> Result<Value, CommandError> {
        match self.0.is_empty() {
            true => {
                Err("there is nothing to change; give at least one option for it (--help lists them)".into())
            }
            false => Ok(self.json()),
        }
    }
}

/// A value that `none` takes away.
#[derive(Debug, Clone)]
pub(in crate::cli) struct OrNone<T>(Option<T>);

impl<T: FromStr<Err: fmt::Display>> FromStr for OrNone<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => {
                text.parse().map(|value| Self(Some(value))).map_err(|error| format!("{error}, or `none`"))
            }
        }
    }
}

impl<T: Into<Value>> From<OrNone<T>> for Value {
    fn from(OrNone(value): OrNone<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
