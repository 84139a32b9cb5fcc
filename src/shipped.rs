//! The files that are compiled in: the shipped policies with their cases, proofs and examples, their schema, and a
//! configuration with every key. So the binary needs nothing beside it.

use rust_embed::RustEmbed;

/// Everything in `policies`.
#[derive(RustEmbed)]
#[folder = "policies/"]
#[prefix = "policies/"]
struct ShippedPolicies;

/// The schema's path in the repository.
pub const SCHEMA_FILE: &str = "schema/countersign.cedarschema";
/// The schema that this version ships; facts are made for it.
pub const SCHEMA: &str = include_str!("../schema/countersign.cedarschema");
/// The policies that decide about the console if the set in force does not.
pub const CONSOLE_POLICIES: &str = include_str!("../policies/console.cedar");
/// The policies that decide about tools if the set in force does not.
pub const TOOL_POLICIES: &str = include_str!("../policies/tools.cedar");
/// Every key of the configuration with its default, explained.
pub const CONFIG: &str = include_str!("../examples/config.toml");

/// The paths of the policies, cases, proofs and examples in the repository, such as `policies/tests/grants.toml`.
pub fn policy_files() -> impl Iterator<Item = String> {
    ShippedPolicies::iter().map(|path| path.into_owned())
}

/// The text of the schema, or of a file below `policies`, by its path in the repository.
pub fn text(path: &str) -> Option<String> {
    if path == SCHEMA_FILE {
        return Some(SCHEMA.to_owned());
    }
    ShippedPolicies::get(path).map(|file| String::from_utf8_lossy(&file.data).into_owned())
}
