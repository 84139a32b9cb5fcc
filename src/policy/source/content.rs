//! Writes a policy set as text for storage, and restores it.

use serde::{Deserialize, Serialize};

use super::files::PolicySource;
use super::source_file::SourceFile;

/// Everything that a set's hash is taken over.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    schema: String,
    /// Each file's name and text, in their order.
    files: Vec<(String, String)>,
}

impl PolicySource {
    /// The schema's text, and the name and text of each file in their order.
    pub fn texts(&self) -> (String, Vec<(String, String)>) {
        let file = |file: &SourceFile| (file.name(), file.text.to_string());
        (self.schema.text.to_string(), self.files.iter().map(file).collect())
    }

    /// Schema and files as JSON: `{"schema": text, "files": [[name, text], …]}`.
    pub fn content(&self) -> String {
        let (schema, files) = self.texts();
        let content = Content { schema, files };
        // Plain strings always serialize.
        serde_json::to_string(&content).unwrap_or_default()
    }

    /// Restores a set from the text of [`Self::content`], with the same hash.
    pub fn from_content(content: &str) -> Result<Self, serde_json::Error> {
        let Content { schema, files } = serde_json::from_str(content)?;
        Ok(Self::of(schema, files).past())
    }
}
