//! The documents say what is so: what is generated is current, every link leads somewhere, every command and option
//! exists, and what can be run is run.

mod blocks;
mod commands;
mod links;
mod markdown;
mod names;
mod policies;
mod readme;
pub mod reference;
mod run;
mod shell;

/// Compares a generated file with its text; with the variable `UPDATE_DOCS`, writes it instead. The name of each test
/// that calls this contains `generated`, so that one command updates everything.
pub fn assert_generated(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differing = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    let is_current = found == expected;
    assert!(
        is_current,
        "{path} is out of date; run: UPDATE_DOCS=1 cargo test --locked --features prove,postgres --test it generated\n\
         first difference: {differing:?}"
    );
}
