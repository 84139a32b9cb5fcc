//! Keys, variables and metrics that the documents name exist.

use std::collections::BTreeSet;

use super::markdown::{DOCUMENTS, Document};
use super::reference::configuration::keys;

/// The documents of this version: the changelog tells of others too.
fn current() -> impl Iterator<Item = &'static Document> {
    DOCUMENTS.values().filter(|document| document.path != "CHANGELOG.md")
}

/// The words of a text that begin with a prefix, whatever stands around them.
fn words<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with(prefix)).collect()
}

/// Variables that set no key.
const OTHER_VARIABLES: [&str; 4] =
    ["COUNTERSIGN_SERVER", "COUNTERSIGN_TOKEN", "COUNTERSIGN_SERVICE_HOST", "COUNTERSIGN_PORT"];

/// The list of an entry's variable, such as `…_LOG_STREAM__0__NAME`; any other variable is itself.
fn list_of(variable: &str) -> &str {
    let is_position = |at: &usize| variable[at + 2..].starts_with(|c: char| c.is_ascii_digit());
    let position = variable.match_indices("__").map(|(at, _)| at).find(is_position);
    position.map_or(variable, |at| &variable[..at])
}

#[test]
fn every_variable_sets_a_key() {
    let known: BTreeSet<String> = keys().into_iter().map(|(_, variable)| variable).collect();
    let mut seen = 0;
    for document in current() {
        for word in words(&document.text, "COUNTERSIGN_").into_iter().filter(|word| !word.ends_with('_')) {
            let is_known = known.contains(list_of(word)) || OTHER_VARIABLES.contains(&word);
            assert!(is_known, "{}: {word} sets no key", document.path);
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn every_key_in_a_sentence_is_one_of_the_configuration() {
    let keys: BTreeSet<String> = keys().into_iter().map(|(key, _)| key).collect();
    // The console's audit entries and policies have names of the same form.
    let tables: BTreeSet<&str> = keys
        .iter()
        .filter_map(|key| Some(key.split_once('.')?.0))
        .filter(|table| *table != "console")
        .collect();
    let mut seen = 0;
    for document in current() {
        for (line, span) in &document.spans {
            let name = span.split(' ').next().unwrap();
            let is_key =
                name.bytes().all(|b| b.is_ascii_lowercase() || b"_.".contains(&b)) && !name.ends_with(".rs");
            let table = name.split_once('.').map(|(table, _)| table);
            if is_key && table.is_some_and(|table| tables.contains(table)) {
                assert!(keys.contains(name), "{}: there is no key {name}", document.at(*line));
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn every_metric_is_one_that_the_service_has() {
    let reference = &DOCUMENTS["docs/reference/metrics.md"];
    let known: Vec<&str> = words(&reference.text, "countersign_");
    let mut seen = 0;
    for document in current() {
        for (line, span) in document.spans.iter().filter(|(_, span)| span.starts_with("countersign_")) {
            let name = span.split(['{', ' ', '…']).next().unwrap();
            let is_known = known.iter().any(|known| known.starts_with(name));
            assert!(is_known, "{}: there is no metric {name}", document.at(*line));
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}
