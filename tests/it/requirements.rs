//! Which requirements are proved: each id must be named in the doc comment of a test.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

/// What must be proved, as numbers of a chapter.
const PROVED: [(&str, &[RangeInclusive<u32>]); 12] = [
    ("META", &[1..=13]),
    ("TOK", &[1..=10]),
    ("CLI", &[1..=2, 8..=10]),
    ("JAG", &[1..=19, 24..=31]),
    ("SUB", &[1..=9, 11..=12]),
    ("GRT", &[1..=9, 11..=11]),
    ("RSP", &[1..=6]),
    ("ERR", &[1..=7]),
    ("AT", &[1..=6]),
    ("RT", &[1..=1]),
    ("OPS", &[1..=2, 5..=5]),
    ("ADM", &[1..=9]),
];

/// Something like `JAG-07`.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(chapter, number)| {
        (2..=4).contains(&chapter.len())
            && chapter.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() == 2
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The ids in doc comments that stand directly before a test.
fn ids(source: &str) -> BTreeSet<String> {
    let (mut found, mut pending) = (BTreeSet::new(), BTreeSet::new());
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            pending.extend(words.filter(|word| is_id(word)).map(str::to_owned));
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            found.append(&mut pending);
        } else {
            pending.clear();
        }
    }
    found
}

#[test]
fn every_requirement_has_its_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut named = BTreeSet::new();
    for dir in [tests.join("admin"), tests] {
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                named.append(&mut ids(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    let ids_of = |(chapter, numbers): &(&str, &[RangeInclusive<u32>])| -> Vec<String> {
        numbers.iter().cloned().flatten().map(|number| format!("{chapter}-{number:02}")).collect()
    };
    let missing: Vec<String> = PROVED.iter().flat_map(ids_of).filter(|id| !named.contains(id)).collect();
    assert!(missing.is_empty(), "no test names {}", missing.join(", "));
}

#[test]
fn ids_are_read_from_the_doc_comments_of_tests_only() {
    let source = "/// JAG-01, JAG-02: x (TOK-03).\n#[tokio::test(flavor = \"x\")]\nfn a() {}\n\
        // JAG-04\n#[test]\nfn b() {}\n/// JAG-05\nfn c() {}\n/// JAG-1 jag-06 JAG-007 RFC-7523 JAG-08x\n#[test]\n";
    assert_eq!(ids(source).into_iter().collect::<Vec<_>>(), ["JAG-01", "JAG-02", "TOK-03"]);
}
