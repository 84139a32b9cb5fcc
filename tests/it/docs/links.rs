//! Every link inside the repository leads to a file and a heading.

use std::path::{Component, Path, PathBuf};

use super::markdown::{DOCUMENTS, Document};

/// Removes `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// What is wrong with a link.
fn problem(from: &Document, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => PathBuf::from(&from.path),
        path => normal(&Path::new(&from.path).parent().unwrap().join(path)),
    };
    if !target.exists() {
        return Some("there is no such file".to_owned());
    }
    let document = DOCUMENTS.get(target.to_str().unwrap());
    match document {
        _ if anchor.is_empty() => None,
        Some(document) if document.anchors.contains(anchor) => None,
        Some(document) => Some(format!("there is no such heading in {}", document.path)),
        None => Some("only a document has headings".to_owned()),
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut problems = Vec::new();
    for document in DOCUMENTS.values() {
        for (line, link) in document.links.iter().filter(|(_, link)| !link.contains("://")) {
            let found = problem(document, link);
            problems.extend(found.map(|why| format!("{}: {link}: {why}", document.at(*line))));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A reader who begins at the README or the index finds every document.
#[test]
fn every_document_can_be_reached_from_the_readme() {
    let mut reached = std::collections::BTreeSet::from(["README.md".to_owned()]);
    let mut next = vec!["README.md".to_owned()];
    while let Some(path) = next.pop() {
        let document = &DOCUMENTS[&path];
        for (_, link) in document.links.iter().filter(|(_, link)| !link.contains("://")) {
            let path = link.split('#').next().unwrap();
            let target = normal(&Path::new(&document.path).parent().unwrap().join(path));
            let target = target.to_str().unwrap().to_owned();
            if DOCUMENTS.contains_key(&target) && reached.insert(target.clone()) {
                next.push(target);
            }
        }
    }
    let lost: Vec<&String> = DOCUMENTS.keys().filter(|path| !reached.contains(*path)).collect();
    assert!(lost.is_empty(), "no document links to {lost:?}");
}

/// Files that move take their mentions along.
#[test]
fn paths_in_the_documents_exist() {
    let mut seen = 0;
    for document in DOCUMENTS.values().filter(|document| document.path != "CHANGELOG.md") {
        let spans = document.spans.iter().filter(|(_, word)| !word.contains(['*', '…', ' ', '{', '<', ':']));
        let is_path =
            |word: &str| ["src/", "tests/", "benches/", "scripts/"].iter().any(|dir| word.starts_with(dir));
        for (line, path) in spans.filter(|(_, word)| is_path(word)) {
            assert!(Path::new(path).exists(), "{}: there is no {path}", document.at(*line));
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}
