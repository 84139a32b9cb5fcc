//! The table of errors.

use std::collections::BTreeMap;
use std::path::Path;

use countersign::web::api::CODES;

/// The text of every test of this binary.
fn tests(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => tests(&path),
        false => std::fs::read_to_string(path).unwrap(),
    };
    entries.map(text).collect()
}

/// A code has one status, and a test that expects it; but for those that no single request brings about.
#[test]
fn each_code_of_the_table_has_one_status_and_a_test() {
    let tests = tests(Path::new("tests/it"));
    let mut statuses = BTreeMap::new();
    for (status, code) in CODES {
        let known = *statuses.entry(code).or_insert(status);
        assert_eq!(known, status, "{code}");
        let expected = tests.contains(&format!("\"{code}\""));
        assert!(
            expected || ["issuer_invalid", "key_signs", "changed_meanwhile"].contains(code),
            "no test expects {code}"
        );
    }
    assert!(statuses.len() > 30, "{statuses:?}");
}
