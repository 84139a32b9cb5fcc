//! The pages about policies say what is so: their tables are compared with the schema, the rules and the reader of
//! test cases, and their examples are tried.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::LazyLock;

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use clap::CommandFactory as _;
use countersign::cli::Cli;
use countersign::policy::authoring::cases;
use countersign::policy::authoring::check::check;
use countersign::policy::facts::{self, FactPlace};
use countersign::policy::validate::vocabulary::Vocabulary;
use countersign::policy::{Action, ConsoleAction, PolicySource, Rule};
use tempfile::TempDir;

use super::assert_generated;

const PAGES: [&str; 6] = [
    "docs/policies.md",
    "docs/guides/write-a-policy.md",
    "docs/guides/prove-policies.md",
    "docs/guides/roll-out-policies.md",
    "docs/guides/tool-policies.md",
    REFERENCE,
];
const REFERENCE: &str = "docs/reference/policies.md";
/// All pages about policies as one text.
static GUIDE: LazyLock<String> =
    LazyLock::new(|| PAGES.map(|page| std::fs::read_to_string(page).unwrap()).join("\n"));
const SCHEMA: &str = "schema/countersign.cedarschema";

/// The words of a text in back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of each table row, with the heading that it stands below.
fn rows() -> impl Iterator<Item = (&'static str, Vec<String>)> {
    let mut heading = "";
    GUIDE.lines().filter_map(move |line| {
        if line.starts_with('#') {
            heading = line.trim_start_matches(['#', ' ']);
        }
        let row = line.strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "¦");
        Some((heading, row.split('|').map(|cell| cell.trim().to_owned()).collect()))
    })
}

/// The rows below one heading, but for the head of their table.
fn table(heading: &str) -> Vec<Vec<String>> {
    let rows: Vec<_> = rows().filter(|(found, _)| *found == heading).map(|(_, cells)| cells).collect();
    assert!(rows.len() > 2, "there is no table below {heading}");
    rows.into_iter().skip(2).collect()
}

/// The words in the first cells below a heading.
fn first_words(heading: &str) -> BTreeSet<String> {
    let rows = table(heading);
    rows.iter().flat_map(|cells| quoted(&cells[0])).map(str::to_owned).collect()
}

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let blocks = GUIDE.split("\n```").skip(1).step_by(2);
    let of_language = |block: &'static str| {
        let (found, text) = block.split_once('\n').unwrap();
        (found == language).then_some(text)
    };
    blocks.filter_map(of_language).collect()
}

fn shipped_with_blocks() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["console", "grants", "issuer", "members", "tools"].map(|name| format!("{name}.cedar")) {
        std::fs::copy(Path::new("policies").join(&name), dir.path().join(&name)).unwrap();
    }
    for (index, text) in blocks("cedar").iter().enumerate() {
        std::fs::write(dir.path().join(format!("guide-{index}.cedar")), format!("{text}\n")).unwrap();
    }
    dir
}

/// The headings of the facts' tables, in the order of the guide, with their rows.
fn tables_of_facts() -> Vec<(String, String)> {
    let mut tables: Vec<(String, String)> = Vec::new();
    for row in facts::table() {
        let heading = match row.place {
            FactPlace::Entity(name) => format!("### `{name}`"),
            FactPlace::Record(name) => format!("### `{name}`"),
            FactPlace::Claims => "### `Claims`".to_owned(),
            FactPlace::Context(actions) if actions == Action::ALL => {
                "### Context of every question".to_owned()
            }
            FactPlace::Context(actions) => {
                let names: Vec<String> =
                    actions.iter().map(|action| format!("`{}`", action.name())).collect();
                format!("### Context of {}", names.join(", "))
            }
        };
        let absent = if row.optional { " yes " } else { " " };
        let (name, kind, class, from) = (row.name, row.kind, row.class.name(), row.from);
        let line = format!("| `{name}` | `{kind}` |{absent}| {class} | {from} |\n");
        match tables.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, lines)) => lines.push_str(&line),
            None => tables.push((heading, line)),
        }
    }
    tables
}

/// The reference with the tables of facts as they should be.
fn reference_with_tables() -> String {
    let mut guide = std::fs::read_to_string(REFERENCE).unwrap();
    for (heading, lines) in tables_of_facts() {
        let below = guide.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading} is missing"));
        let start = below + guide[below..].find("\n| attribute ").unwrap() + 1;
        let end = start + guide[start..].find("\n\n").unwrap() + 1;
        let head = "| attribute | type | absent | class | from |\n| --- | --- | --- | --- | --- |\n";
        guide.replace_range(start..end, &format!("{head}{lines}"));
    }
    guide
}

#[test]
fn the_tables_of_facts_are_generated() {
    assert_generated(REFERENCE, &reference_with_tables());
    let contexts = GUIDE.lines().filter(|line| line.starts_with("### Context of ")).count();
    let places = tables_of_facts().iter().filter(|(heading, _)| heading.contains("Context")).count();
    assert_eq!(contexts, places, "headings of tables that there are not");
}

#[test]
fn the_tables_of_questions_and_types_are_the_schema() {
    let words = Vocabulary::shipped().unwrap();
    let set = |text: &str| quoted(text).map(str::to_owned).collect::<BTreeSet<_>>();
    let mut questions = table("The seven questions");
    let named: Vec<&str> = questions.iter().flat_map(|cells| quoted(&cells[1])).collect();
    assert_eq!(named, Action::SIGN_IN.map(Action::name));
    let about_tools = table("The questions about tools");
    let named: Vec<&str> = about_tools.iter().flat_map(|cells| quoted(&cells[1])).collect();
    assert_eq!(named, Action::TOOLS.map(Action::name));
    questions.extend(about_tools);
    let of_console = table("The console's questions");
    let named: Vec<&str> = of_console.iter().flat_map(|cells| quoted(&cells[0])).collect();
    assert_eq!(named, ConsoleAction::ALL.map(ConsoleAction::name));
    for cells in &of_console {
        let action = &words.actions[quoted(&cells[0]).next().unwrap()];
        assert_eq!((&set(&cells[1]), &set(&cells[2])), (&action.resources, &action.groups), "{}", cells[0]);
    }
    for cells in &questions {
        let action = &words.actions[quoted(&cells[1]).next().unwrap()];
        let parts = (&action.principals, &action.resources, &action.groups);
        assert_eq!((&set(&cells[2]), &set(&cells[3]), &set(&cells[4])), parts, "{}", cells[1]);
    }
    let types: Vec<_> = table("Types");
    assert_eq!(first_words("Types"), words.entities.keys().cloned().collect());
    for cells in types {
        let entity = &words.entities[quoted(&cells[0]).next().unwrap()];
        assert_eq!(set(&cells[2]), entity.parents, "{}", cells[0]);
        if let Some(ids) = &entity.ids {
            assert_eq!(set(&cells[1]), *ids, "{}", cells[0]);
        }
    }
}

#[test]
fn the_table_of_findings_has_every_rule() {
    let rules: BTreeSet<String> = Rule::ALL.iter().map(|rule| rule.name().to_owned()).collect();
    assert_eq!(first_words("What `policy check` finds"), rules);
}

#[test]
fn every_verb_and_option_is_told() {
    let cli = Cli::command();
    let policy = cli.find_subcommand("policy").unwrap();
    let verbs = policy.get_subcommands().map(|verb| format!("policy {}", verb.get_name())).collect();
    assert_eq!(first_words("Exit codes"), verbs);
    for verb in policy.get_subcommands() {
        for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
            let told = GUIDE.match_indices(&format!("--{option}")).any(|(at, found)| {
                let next = GUIDE[at + found.len()..].chars().next();
                next.is_some_and(|c| !c.is_ascii_alphanumeric() && c != '-')
            });
            assert!(told, "policy {} --{option}", verb.get_name());
        }
    }
}

/// The reader of test cases tells which keys it knows when it meets another.
#[test]
fn the_tables_of_the_case_file_have_every_key() {
    for (heading, text, is_fixture) in [
        ("Tables of a file", "zzz = 1", false),
        ("Keys of a teamspace", "[teamspace.a]\nzzz = 1", true),
        ("Keys of claims", "[claims.a]\nzzz = 1", true),
        ("Keys of a client", "[client.a]\nzzz = 1", true),
        ("Keys of a server", "[server.a]\nzzz = 1", true),
        ("Keys of who", "[who.a]\nzzz = 1", true),
        ("Keys of a test", "[[test]]\nzzz = 1", false),
        ("Keys of expect", "[[test]]\nexpect = { zzz = 1 }", false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.toml"), text).unwrap();
        let error = cases::read(dir.path()).unwrap_err().to_string();
        let known = error.rsplit_once("expected ").unwrap().1.trim().replace(" or ", ", ");
        let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
        let mut guide = first_words(heading);
        if is_fixture {
            guide.extend(first_words("Keys of every fixture"));
        }
        assert_eq!(guide, known, "{heading}");
    }
}

/// Valid, without a warning and laid out as `policy fmt` does, together with the shipped ones.
#[test]
fn the_policies_of_the_guide_are_good() {
    assert!(!blocks("cedar").is_empty());
    let problems = check(shipped_with_blocks().path(), Path::new(SCHEMA)).problems;
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn the_invariants_of_the_guide_are_valid() {
    let schema = Schema::from_str(&std::fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let invariants = blocks("cedar invariant");
    assert!(!invariants.is_empty());
    for text in invariants {
        let set = PolicySet::from_str(text).unwrap();
        let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        assert!(result.validation_passed_without_warnings(), "{result}");
        assert!(set.policies().all(|p| p.annotation("id").is_some() && p.annotation("message").is_some()));
    }
}

#[test]
fn the_cases_of_the_guide_pass() {
    let dir = shipped_with_blocks();
    let policies = PolicySource::read(dir.path(), Path::new(SCHEMA)).unwrap().compile(0).unwrap();
    let files: Vec<&str> = blocks("toml").into_iter().filter(|text| text.contains("[[test]]")).collect();
    assert!(files.len() > 1);
    for text in files {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy("policies/tests/fixtures.toml", dir.path().join("fixtures.toml")).unwrap();
        std::fs::write(dir.path().join("guide.toml"), text).unwrap();
        let passed = cases::run_directory(&policies.compiled, dir.path()).unwrap();
        assert!(passed > 0);
    }
}

/// The set of the guide's first rule has the hash, and the shipped set the cases, that the guide shows.
#[test]
fn the_hash_and_the_number_of_cases_of_the_guide_are_right() {
    let dir = crate::files::with_shipped(&[]);
    let rule = blocks("cedar").into_iter().find(|text| text.contains("@id(\"acme.editors-write\")")).unwrap();
    std::fs::write(dir.path().join("acme.cedar"), format!("{rule}\n")).unwrap();
    let hash = check(dir.path(), Path::new(SCHEMA)).policy_set.unwrap();
    let told = format!("24 policies in 6 files: 0 errors, 0 warnings.\npolicy set {hash}\n");
    assert!(GUIDE.contains(&told), "{told}");
    let cases = cases::read(Path::new("policies/tests")).unwrap().len();
    assert!(GUIDE.contains(&format!("\n{cases} of {cases} cases passed")), "{cases}");
}

#[test]
fn every_example_and_proof_is_linked() {
    let guides = [GUIDE.as_str(), include_str!("../../../docs/guides/apply.md")];
    let links = guides.iter().flat_map(|guide| guide.split("](").skip(1));
    let links: BTreeSet<&str> = links.filter_map(|rest| rest.split(')').next()).collect();
    for dir in ["policies/examples", "policies/proofs", "examples/ci"] {
        for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let is_linked =
                links.iter().any(|link| link.trim_start_matches("../") == entry.to_str().unwrap());
            assert!(entry.is_dir() || is_linked, "{} is not linked", entry.display());
        }
    }
}

/// Each `policy` command tells in its help the exit codes that the guide has, and the other way round.
#[test]
fn exit_codes_are_those_of_the_help() {
    let help = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        String::from_utf8(command.arg("policy").args(arguments).output().unwrap().stdout).unwrap()
    };
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `policy ")?.split_once("` | "));
    let mut known = Vec::new();
    for (command, cells) in rows {
        let told: Vec<&str> = cells.trim_end_matches('|').split('|').map(str::trim).collect();
        assert_eq!(told.len(), 3, "{command}");
        let text = help(&[command, "--help"]);
        let (_, exits) = text.split_once("Exit: ").unwrap_or_else(|| panic!("{command}: {text}"));
        for (code, cell) in told.iter().enumerate() {
            let in_help = exits.split([' ', '\n']).any(|word| word == code.to_string());
            assert_eq!(in_help, !cell.is_empty(), "{command} {code}: {exits}");
        }
        known.push(command.to_owned());
    }
    let listed = help(&["--help"]);
    let (_, listed) = listed.split_once("Commands:\n").unwrap();
    let commands = listed.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(known.iter().any(|known| known == command), "{command} is not in the guide");
    }
}
