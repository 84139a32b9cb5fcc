//! The repository's documents as pages, so that errors and hints can link to them.

mod render;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rust_embed::RustEmbed;

pub use render::{Rendered, SectionHeading};

/// Everything in `docs`.
#[derive(RustEmbed)]
#[folder = "docs/"]
struct Docs;

/// Documents outside `docs`, with their pages.
const OTHERS: [(&str, &str, &str); 8] = [
    ("README.md", "/docs/about", include_str!("../../../README.md")),
    ("SECURITY.md", "/docs/security", include_str!("../../../SECURITY.md")),
    ("CHANGELOG.md", "/docs/changelog", include_str!("../../../CHANGELOG.md")),
    ("examples/okta.md", "/docs/okta", include_str!("../../../examples/okta.md")),
    ("examples/entra.md", "/docs/entra", include_str!("../../../examples/entra.md")),
    ("examples/keycloak.md", "/docs/keycloak", include_str!("../../../examples/keycloak.md")),
    ("examples/claude-issued.md", "/docs/claude-issued", include_str!("../../../examples/claude-issued.md")),
    ("examples/claude-code.md", "/docs/claude-code", include_str!("../../../examples/claude-code.md")),
];

/// Every document by its page's path, rendered when first requested.
static PAGES: LazyLock<BTreeMap<String, Rendered>> = LazyLock::new(|| {
    let docs = Docs::iter().filter(|name| name.ends_with(".md")).filter_map(|name| {
        let text = Docs::get(&name)?;
        Some((format!("docs/{name}"), String::from_utf8_lossy(&text.data).into_owned()))
    });
    let others = OTHERS.iter().map(|(file, _, text)| ((*file).to_owned(), (*text).to_owned()));
    let pages = docs.chain(others).filter_map(|(file, text)| {
        let rendered = render::render(&text, |link| page_of_link(&file, link));
        Some((page_of_file(&file)?, rendered))
    });
    pages.collect()
});

/// Every document with its page's path.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Rendered)> {
    PAGES.iter().map(|(path, rendered)| (path.as_str(), rendered))
}

/// The document of a page.
pub fn find(path: &str) -> Option<&'static Rendered> {
    PAGES.get(path)
}

/// A picture of the documents.
pub fn picture(name: &str) -> Option<Vec<u8>> {
    let is_picture = name.ends_with(".svg") || name.ends_with(".png");
    Docs::get(name).filter(|_| is_picture).map(|file| file.data.into_owned())
}

/// The target of a link in a file: a page, an anchor or another site; none if the target is not shown here, such as
/// the source.
fn page_of_link(file: &str, link: &str) -> Option<String> {
    if link.starts_with('#') || link.starts_with("https://") {
        return Some(link.to_owned());
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let page = page_of_file(&resolved(file, path))?;
    Some(anchor.map_or(page.clone(), |anchor| format!("{page}#{anchor}")))
}

/// The page of a file of the repository.
fn page_of_file(file: &str) -> Option<String> {
    if let Some((_, page, _)) = OTHERS.iter().find(|(other, ..)| *other == file) {
        return Some((*page).to_owned());
    }
    let name = file.strip_prefix("docs/").filter(|name| Docs::get(name).is_some())?;
    let page = name.strip_suffix(".md").unwrap_or(name);
    let page = page.strip_suffix("README").unwrap_or(page);
    Some(format!("/docs/{page}").trim_end_matches('/').to_owned())
}

/// Resolves a relative path from the file that contains it.
fn resolved(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/').filter(|part| !["", "."].contains(part)) {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
