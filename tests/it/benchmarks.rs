//! The page about performance names what the benchmarks' script can do, and the script says no to the rest.

use std::collections::BTreeSet;
use std::process::{Command, Output};

const PAGE: &str = "docs/performance.md";

fn bench(arguments: &[&str]) -> Output {
    Command::new("scripts/bench").args(arguments).output().unwrap()
}

/// The options and scenarios that a text names; `separators` stand around them there.
fn named(text: &str, separators: &[char]) -> BTreeSet<String> {
    text.split(|c: char| c.is_whitespace() || separators.contains(&c)).map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_option_and_scenario() {
    let help = String::from_utf8(bench(&["--help"]).stdout).unwrap();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let told = named(&page, &['`']);
    let options = help.lines().filter_map(|line| line.trim_start().split_once(' '));
    let options: Vec<&str> = options.map(|(first, _)| first).filter(|word| word.starts_with("--")).collect();
    assert!(options.len() > 5, "{help}");
    let (_, scenarios) = help.split_once("commas: ").unwrap();
    let scenarios = named(scenarios.split(';').next().unwrap(), &[',']);
    assert!(scenarios.contains("postgres-replicas"), "{help}");
    for name in
        options.into_iter().chain(scenarios.iter().map(String::as_str)).filter(|name| !name.is_empty())
    {
        assert!(told.contains(name), "{PAGE} does not name {name}");
    }
    // The other way round: what the page's tables begin with exists.
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', ' ']).next());
    for name in rows {
        assert!(named(&help, &[',', '.', ';']).contains(name), "scripts/bench --help does not name {name}");
    }
}

#[test]
fn the_script_refuses_what_it_does_not_know() {
    for (arguments, code, said) in [
        (&["--fast"][..], 2, "--fast is no option"),
        (&["--growth-scale", "much"][..], 1, "takes a number"),
        (&["--scenarios", "none"][..], 1, "nothing to do"),
    ] {
        let output = bench(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}
