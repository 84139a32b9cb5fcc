//! Files that declare what a service is to have: resources with the credentials of their MCP servers, clients,
//! teamspaces, and in these their identity providers and invited members. Reads them, reporting all mistakes at once, and compares them with what there is. Everything
//! here is a pure function: `countersign apply` brings the files and talks to the service.

mod difference;
mod document;
mod field;
mod form;
mod kind;
mod mistake;
mod node;
mod object;
mod order;
mod proof;
mod read;
mod step;
mod text;
mod toml_text;
mod yaml_text;

pub use difference::plan;
pub use document::{ExportFormat, written};
pub use field::FieldRule;
pub use kind::ObjectKind;
pub use mistake::{FilePlace, Mistakes};
pub use node::LONGEST_FILE;
pub use object::{DeclaredObject, FoundObject, Manifest, SecretSource};
pub use read::{ManifestFile, Syntax, read};
pub use step::{ChangePlan, FieldUpdate, PlannedStep, StepAction};
