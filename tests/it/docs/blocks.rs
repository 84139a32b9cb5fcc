//! Blocks of code are what their language says.

use std::str::FromStr as _;

use cedar_policy::PolicySet;
use countersign::config::Config;
use serde_json::Value;

use super::markdown::{Block, DOCUMENTS};

/// Whether TOML is a configuration of the service, and not a file of test cases or objects.
fn is_configuration(table: &toml::Table) -> bool {
    let schema = Config::json_schema();
    let keys = schema["properties"].as_object().unwrap();
    table.keys().any(|key| keys.contains_key(key))
}

fn toml_problem(text: &str) -> Option<String> {
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => return Some(error.to_string()),
    };
    let configuration = is_configuration(&table).then(|| toml::from_str::<Config>(text));
    configuration.and_then(Result::err).map(|error| error.to_string())
}

fn problem(block: &Block) -> Option<String> {
    match block.language.as_str() {
        "json" => serde_json::from_str::<Value>(&block.text).err().map(|error| error.to_string()),
        "cedar" => PolicySet::from_str(&block.text).err().map(|error| error.to_string()),
        "toml" => toml_problem(&block.text),
        "" => Some("it names no language; `text` is one".to_owned()),
        _ => None,
    }
}

#[test]
fn every_block_is_of_its_language() {
    let mut problems = Vec::new();
    for document in DOCUMENTS.values() {
        for block in &document.blocks {
            let why = problem(block);
            problems.extend(why.map(|why| format!("{}: {why}", document.at(block.line))));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_block_of_another_language_is_noticed() {
    for (language, text) in [
        ("json", "{\"a\":1,}"),
        ("cedar", "permit (principal, action)"),
        ("toml", "a = "),
        ("toml", "issuer = \"x\"\nisuer = \"y\""),
        ("toml", "[fetch]\ntimeout = 5"),
        ("", "x"),
    ] {
        let block =
            Block { line: 1, language: language.to_owned(), marks: Vec::new(), text: text.to_owned() };
        assert!(problem(&block).is_some(), "{language} {text}");
    }
}
