//! The requirements of the standards: which tests cite them, and `docs/conformance.md`, which says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::docs::assert_generated;

/// The list in `src/conformance/requirements.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    sources: BTreeMap<String, String>,
    chapters: BTreeMap<String, String>,
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: String,
    level: Level,
    source: String,
    rule: String,
    not_built: Option<String>,
    elsewhere: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Level {
    Must,
    Should,
    May,
    Own,
}

/// The tests that cite each id.
type Citations = BTreeMap<String, BTreeSet<String>>;

fn parse(text: &str) -> List {
    toml::from_str(text).unwrap()
}

fn list() -> List {
    parse(include_str!("../../src/conformance/requirements.toml"))
}

fn chapter(id: &str) -> &str {
    id.split_once('-').map_or(id, |(chapter, _)| chapter)
}

/// Something like `JAG-07`.
pub fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(chapter, number)| {
        (2..=4).contains(&chapter.len())
            && chapter.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() == 2
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The ids in the doc comments of a file's tests, with the names of the tests.
fn citations(source: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let (mut ids, mut is_test, mut in_attribute) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            ids.extend(words.filter(|word| is_id(word)));
        } else if in_attribute || line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            in_attribute = !line.ends_with(']');
        } else if !line.starts_with("//") {
            if let Some(name) = function(line).filter(|_| is_test) {
                found.extend(ids.iter().map(|id| ((*id).to_owned(), name.to_owned())));
            }
            (is_test, ids) = (false, Vec::new());
        }
    }
    found
}

/// The Rust files in a folder and in the folders within it.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = |path: PathBuf| if path.is_dir() { rust_files(&path) } else { vec![path] };
    entries.flat_map(files).filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

fn all_citations() -> Citations {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut all = Citations::new();
    for path in rust_files(&tests) {
        let module = path.strip_prefix(&tests).unwrap().with_extension("");
        let module = module.to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "::");
        let module = module.strip_suffix("::mod").unwrap_or(&module);
        for (id, test) in citations(&std::fs::read_to_string(&path).unwrap()) {
            all.entry(id).or_default().insert(format!("{module}::{test}"));
        }
    }
    all
}

/// Whatever contradicts itself in the list, or between the list and the tests.
fn problems(list: &List, cited: &Citations) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known = BTreeSet::new();
    for Requirement { id, source, not_built, elsewhere, .. } in &list.requirement {
        if !is_id(id) || !list.chapters.contains_key(chapter(id)) {
            problems.push(format!("{id} belongs to no chapter"));
        }
        if !known.insert(id) {
            problems.push(format!("{id} is listed twice"));
        }
        if !source.split([' ', ',']).next().is_some_and(|s| s == "RFC" || list.sources.contains_key(s)) {
            problems.push(format!("{id} has an unknown source: {source}"));
        }
        match (cited.contains_key(id), not_built.is_some(), elsewhere.is_some()) {
            (true, false, false) | (false, true, false) | (false, false, true) => {}
            (false, false, false) => problems.push(format!(
                "no test cites {id}; cite it in a test's doc comment, or say `not_built` or `elsewhere`"
            )),
            _ => problems.push(format!("{id} has two states; keep a test, `not_built` or `elsewhere`")),
        }
    }
    let unknown = cited.iter().filter(|(id, _)| !known.contains(id));
    problems.extend(unknown.map(|(id, tests)| format!("{id} is cited by {tests:?} and not in the list")));
    problems
}

fn state(requirement: &Requirement, cited: &Citations) -> String {
    match (&requirement.not_built, &requirement.elsewhere, cited.get(&requirement.id)) {
        (Some(why), ..) => format!("not built: {why}"),
        (_, Some(place), _) => format!("elsewhere: {place}"),
        (_, _, tests) => {
            let tests = tests.into_iter().flatten().map(|test| format!("`{test}`"));
            tests.collect::<Vec<_>>().join("<br>")
        }
    }
}

/// The text of `docs/conformance.md`.
fn document(list: &List, cited: &Citations) -> String {
    let count = |is: fn(&Requirement) -> bool| list.requirement.iter().filter(|r| is(r)).count();
    let (not_built, elsewhere) = (count(|r| r.not_built.is_some()), count(|r| r.elsewhere.is_some()));
    let tested = list.requirement.len() - not_built - elsewhere;
    let mut text = format!(
        "# Conformance\n\n\
         The requirements of the standards in our own words, and the tests (in `tests/it`) that prove them: {tested} are\n\
         tested, {elsewhere} is met elsewhere, {not_built} are not built. Level is the source's word; OWN is our choice \
         where the\nsources are silent or differ.\n\n\
         Generated from `src/conformance/requirements.toml` and the tests' doc comments. Do not edit: a test compares it.\n\n\
         | Source | |\n| --- | --- |\n"
    );
    for (name, title) in &list.sources {
        writeln!(text, "| {name} | {title} |").unwrap();
    }
    let mut last = "";
    for requirement in &list.requirement {
        let Requirement { id, level, source, rule, .. } = requirement;
        if chapter(id) != last {
            last = chapter(id);
            write!(text, "\n## {}\n\n", list.chapters[last]).unwrap();
            text.push_str("| Id | Level | Requirement | Source | State |\n| --- | --- | --- | --- | --- |\n");
        }
        let (level, state) = (format!("{level:?}").to_uppercase(), state(requirement, cited));
        writeln!(text, "| {id} | {level} | {rule} | {source} | {state} |").unwrap();
    }
    text + include_str!("conformance/published.txt")
}

#[test]
fn list_and_tests_agree() {
    let problems = problems(&list(), &all_citations());
    assert!(problems.is_empty(), "src/conformance/requirements.toml:\n{}", problems.join("\n"));
}

#[test]
fn the_document_is_generated() {
    assert_generated("docs/conformance.md", &document(&list(), &all_citations()));
}

#[test]
fn contradictions_are_told() {
    let header = "[sources]\n[chapters]\nJAG = \"x\"\n";
    let requirement = |id: &str, more: &str| {
        format!(
            "[[requirement]]\nid = \"{id}\"\nlevel = \"MUST\"\nsource = \"RFC 1\"\nrule = \"x\"\n{more}\n"
        )
    };
    let found = |requirements: &[String], cited: &[&str]| {
        let test = || BTreeSet::from(["a::b".to_owned()]);
        let cited = cited.iter().map(|id| ((*id).to_owned(), test())).collect();
        problems(&parse(&format!("{header}{}", requirements.concat())), &cited).join("\n")
    };
    let proved = requirement("JAG-01", "");
    assert_eq!(found(std::slice::from_ref(&proved), &["JAG-01"]), "");
    assert_eq!(found(&[requirement("JAG-01", "not_built = \"x\"")], &[]), "");
    for (requirements, cited, problem) in [
        (vec![proved.clone()], vec![], "no test cites JAG-01"),
        (vec![proved.clone()], vec!["JAG-01", "JAG-02"], "JAG-02 is cited"),
        (vec![proved.clone(), proved.clone()], vec!["JAG-01"], "JAG-01 is listed twice"),
        (vec![requirement("JAG-01", "not_built = \"x\"")], vec!["JAG-01"], "JAG-01 has two states"),
        (vec![requirement("TOK-01", "")], vec!["TOK-01"], "TOK-01 belongs to no chapter"),
        (vec![proved.replace("RFC 1", "hearsay")], vec!["JAG-01"], "JAG-01 has an unknown source"),
    ] {
        let found = found(&requirements, &cited);
        assert!(found.starts_with(problem) && found.lines().count() == 1, "{found}");
    }
}

#[test]
fn ids_are_read_from_the_doc_comments_of_tests_only() {
    let source = "/// JAG-01, JAG-02: x (TOK-03).\n#[tokio::test(flavor = \"x\")]\nasync fn a() {}\n\
        // JAG-04\n#[test]\nfn b() {}\n/// JAG-05\nfn c() {}\n/// JAG-1 jag-06 JAG-007 RFC-7523 JAG-08x\n#[test]\nfn d() {}\n\
        /// JAG-09\n#[cfg(unix)]\n#[test]\n#[ignore]\nfn e() {}\n/// JAG-10\n#[cfg_attr(\n    unix,\n    ignore\n)]\n#[test]\nfn f() {}\n";
    let found: Vec<_> = citations(source).into_iter().map(|(id, test)| format!("{id} {test}")).collect();
    assert_eq!(found, ["JAG-01 a", "JAG-02 a", "JAG-09 e", "JAG-10 f", "TOK-03 a"]);
}
