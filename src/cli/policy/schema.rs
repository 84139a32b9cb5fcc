//! `countersign policy schema`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Format;
use crate::cli::{CommandError, CommandResult, End};
use crate::policy::authoring::example::{self, Example};
use crate::policy::validate::vocabulary::{Attributes, Vocabulary};
use crate::terminal::out;

#[derive(Debug, Args)]
pub(in crate::cli) struct Schema {
    /// Schema file [default: the schema of this version].
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Schema {
    pub(super) fn run(self) -> CommandResult {
        let words = match &self.schema {
            Some(file) => Vocabulary::read(file).map_err(|e| CommandError(e.plain()))?,
            None => Vocabulary::shipped()?,
        };
        let examples = example::questions()?;
        match self.format {
            Format::Human => out::text(page(&words, &examples)?),
            Format::Json => out::json(document(&words, &examples))?,
        }
        Ok(End::Fine)
    }
}

/// The form is stable: editors and pipelines read it.
fn document(words: &Vocabulary, examples: &[Example]) -> Value {
    let example = |example: &Example| {
        json!({
            "action": example.action.name(),
            "principal": example.principal.to_string(),
            "resource": example.resource.to_string(),
            "context": example.context_json,
            "entities": example.entities,
        })
    };
    json!({
        "actions": words.actions,
        "entities": words.entities,
        "examples": examples.iter().map(example).collect::<Vec<_>>(),
    })
}

fn page(words: &Vocabulary, examples: &[Example]) -> Result<String, std::fmt::Error> {
    let mut page = String::from("ACTIONS: the questions that policies answer\n");
    for (name, action) in &words.actions {
        heading(&mut page, &format!("Action::\"{name}\""), action.doc.as_deref())?;
        let members: Vec<&str> = words.members_of(name).collect();
        line(&mut page, "a group of", &members.join(", "))?;
        line(&mut page, "principal", &listed(&action.principals))?;
        line(&mut page, "resource", &listed(&action.resources))?;
        line(&mut page, "in", &listed(&action.groups))?;
        attributes(&mut page, "context.", &action.context)?;
        if let Some(example) = examples.iter().find(|example| example.action.name() == name) {
            illustrate(&mut page, example)?;
        }
    }
    page.push_str("\nRECORDS: what attributes hold\n");
    for (name, record) in words.records() {
        heading(&mut page, name, None)?;
        attributes(&mut page, ".", record)?;
    }
    page.push_str("\nENTITIES: what principals, resources and attributes are\n");
    for (name, entity) in &words.entities {
        heading(&mut page, name, entity.doc.as_deref())?;
        line(&mut page, "in", &listed(&entity.parents))?;
        line(&mut page, "is one of", &listed(entity.ids.iter().flatten()))?;
        attributes(&mut page, ".", &entity.attributes)?;
        line(&mut page, "tags", &entity.tags.as_ref().map(ToString::to_string).unwrap_or_default())?;
    }
    Ok(page)
}

fn heading(page: &mut String, name: &str, doc: Option<&str>) -> std::fmt::Result {
    writeln!(page, "\n{name}")?;
    doc.map_or(Ok(()), |doc| writeln!(page, "  {doc}"))
}

/// Says nothing when there is nothing to say.
fn line(page: &mut String, what: &str, value: &str) -> std::fmt::Result {
    if value.is_empty() { Ok(()) } else { writeln!(page, "  {what:<10} {value}") }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Writes one line for each attribute; `?` means that it may be absent.
fn attributes(page: &mut String, before: &str, all: &Attributes) -> std::fmt::Result {
    for (name, attribute) in all {
        let path = format!("{before}{name}{}", if attribute.required { "" } else { "?" });
        let doc = attribute.doc.as_deref().map(|doc| format!("  // {doc}")).unwrap_or_default();
        writeln!(page, "  {path:<24} {}{doc}", attribute.kind)?;
    }
    Ok(())
}

fn illustrate(page: &mut String, example: &Example) -> std::fmt::Result {
    writeln!(page, "  example")?;
    writeln!(page, "    principal  {}", example.principal)?;
    writeln!(page, "    resource   {}", example.resource)?;
    for (name, value) in &example.context {
        writeln!(page, "    context.{name} = {value}")?;
    }
    Ok(())
}
