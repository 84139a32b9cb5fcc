//! The types of authorization details.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::{ConfigError, invalid};

/// The type that the service knows by itself.
const BUILT_IN: &str = "mcp_tool";

/// Rich authorization requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DetailSettings {
    /// The file with the JSON Schema (draft 2020-12) of each type, by the type's name. A changed file takes effect within
    /// seconds.
    pub types: BTreeMap<String, PathBuf>,
}

impl DetailSettings {
    /// The name of a type stands in the metadata and in requests (RFC 9396 §2.1).
    pub(super) fn check(&self) -> Vec<ConfigError> {
        let problem = |name: &str| match name {
            BUILT_IN => Some("is built in, and cannot be registered"),
            "" => Some("must have a name"),
            _ if name.len() > 255 => Some("must have a name of at most 255 bytes"),
            _ => None,
        };
        let wrong = self.types.iter().filter_map(|(name, file)| Some((name, file, problem(name)?)));
        wrong
            .map(|(name, file, why)| {
                invalid("authorization_details.types", format!("{name} = {}", file.display()), why)
            })
            .collect()
    }
}
