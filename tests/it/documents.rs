//! The documents as pages.

use std::collections::{BTreeMap, BTreeSet};

use countersign::oauth::reason::Reason;
use countersign::web::documents;

/// The texts between a beginning and the next quotation mark.
fn values<'t>(html: &'t str, attribute: &str) -> Vec<&'t str> {
    let start = format!(" {attribute}=\"");
    let found = html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next());
    found.collect()
}

#[test]
fn every_document_is_a_page_with_a_title() {
    let pages: BTreeMap<_, _> = documents::all().collect();
    for (path, page) in &pages {
        assert!(!page.title.is_empty() && page.html.len() > 200, "{path}");
    }
    for path in ["/docs", "/docs/policies", "/docs/operations", "/docs/decisions", "/docs/reference/reasons"]
    {
        assert!(pages.contains_key(path), "{path}");
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let pages: BTreeMap<_, _> = documents::all().collect();
    for (path, page) in &pages {
        for link in values(&page.html, "href").into_iter().filter(|link| !link.starts_with("https://")) {
            let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if to.is_empty() { path } else { to };
            let Some(target) = pages.get(to) else { panic!("{path}: {link} leads nowhere") };
            let ids: BTreeSet<&str> = values(&target.html, "id").into_iter().collect();
            assert!(anchor.is_empty() || ids.contains(anchor), "{path}: {link} has no such place");
        }
        for picture in values(&page.html, "src") {
            let name = picture.strip_prefix("/docs/").unwrap();
            assert!(documents::picture(name).is_some(), "{path}: {picture}");
        }
    }
}

/// So that errors and hints can link to one.
#[test]
fn every_reason_has_a_place() {
    let page = documents::find("/docs/reference/reasons").unwrap();
    let ids: BTreeSet<&str> = values(&page.html, "id").into_iter().collect();
    for about in Reason::TABLE {
        assert!(ids.contains(about.reason), "{}", about.reason);
    }
}

#[test]
fn places_have_one_name_each_and_nothing_needs_a_looser_policy() {
    for (path, page) in documents::all() {
        let ids = values(&page.html, "id");
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "{path}");
        for never in [" style=\"", "<script", " onclick="] {
            assert!(!page.html.contains(never), "{path}: {never}");
        }
    }
}
