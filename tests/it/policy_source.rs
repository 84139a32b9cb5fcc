//! Reading directories of policies, whatever they hold: an answer, soon, that names the file.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign::policy::{PolicySource, Rule, Validated};
use tempfile::TempDir;

use crate::files::with;

const SCHEMA: &str = "schema/countersign.cedarschema";
const RULE: &str =
    "@id(\"a\")\n@otherwise(\"x\")\npermit (principal, action == Action::\"GrantScope\", resource)";

fn load(dir: &Path) -> Result<Validated, Vec<(Rule, String)>> {
    PolicySource::read(dir, Path::new(SCHEMA))
        .and_then(|source| source.validate())
        .map_err(|error| error.0.iter().map(|problem| (problem.rule, problem.to_string())).collect())
}

/// The only problem of a directory.
fn problem(dir: &Path) -> (Rule, String) {
    let mut problems = load(dir).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

fn assert_refused(dir: &Path, rule: Rule, words: &[&str]) {
    let started = Instant::now();
    let (found, message) = problem(dir);
    assert_eq!(found, rule, "{message}");
    for word in words {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{message}: {:?}", started.elapsed());
}

fn one(content: impl AsRef<[u8]>) -> TempDir {
    with(&[("x.cedar", content)])
}

#[test]
fn a_place_that_is_no_directory_is_told() {
    let dir = one(RULE);
    assert_refused(&dir.path().join("nowhere"), Rule::Read, &["nowhere", "cannot read the directory"]);
    let file = dir.path().join("x.cedar");
    assert_refused(&file, Rule::Read, &["x.cedar", "is a file, not a directory"]);
    let looped = dir.path().join("loop");
    symlink("loop", &looped).unwrap();
    assert_refused(&looped, Rule::Read, &["a symbolic link to loop"]);
    let empty = tempfile::tempdir().unwrap();
    assert_refused(empty.path(), Rule::Empty, &["no *.cedar file"]);
}

/// Pipes, devices, directories and links that lead nowhere are told by what they are; none is waited for.
#[test]
fn what_is_no_file_is_told_and_not_opened() {
    type Make = fn(&Path);
    let make: [(Make, &str); 6] = [
        (|path| std::fs::create_dir(path).unwrap(), "is a directory, not a file"),
        (|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()), "is a named pipe"),
        (|path| symlink("/dev/zero", path).unwrap(), "is a device"),
        (|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()), "is a socket"),
        (|path| symlink("gone.txt", path).unwrap(), "a symbolic link to gone.txt"),
        (|path| symlink("x.cedar", path).unwrap(), "a symbolic link to x.cedar"),
    ];
    for (make, words) in make {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("good.cedar"), format!("{RULE};")).unwrap();
        make(&dir.path().join("x.cedar"));
        assert_refused(dir.path(), Rule::Read, &["x.cedar", words]);
    }
}

#[test]
fn links_to_files_are_followed() {
    let (dir, other) = (tempfile::tempdir().unwrap(), one(format!("{RULE};")));
    symlink(other.path().join("x.cedar"), dir.path().join("y.cedar")).unwrap();
    assert_eq!(load(dir.path()).unwrap().files[0].name, "y.cedar");
}

/// An editor's lock is a link that leads nowhere, and its swap file is no text.
#[test]
fn names_that_begin_with_a_dot_are_no_policies() {
    let dir = one(format!("{RULE};"));
    symlink("dana@host.1234:5678", dir.path().join(".#x.cedar")).unwrap();
    std::fs::write(dir.path().join(".x.cedar"), b"\xff").unwrap();
    assert_eq!(load(dir.path()).unwrap().files.len(), 1);
    let hidden = with(&[(".x.cedar", RULE)]);
    assert_refused(hidden.path(), Rule::Empty, &["no *.cedar file"]);
}

#[test]
fn the_schema_is_read_as_carefully() {
    let dir = one(format!("{RULE};"));
    let problems = PolicySource::read(dir.path(), Path::new("/dev/zero")).err().unwrap().0;
    assert!(problems[0].to_string().contains("/dev/zero: is a device"), "{problems:?}");
    let deep = format!("entity A {{ a: {}Long{} }};", "Set<".repeat(100_000), ">".repeat(100_000));
    let problems =
        PolicySource::of(deep, vec![("x.cedar".into(), format!("{RULE};"))]).validate().unwrap_err().0;
    assert_eq!(problems[0].rule, Rule::Depth, "{problems:?}");
}

#[test]
fn sizes_are_limited_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    // Sparse: reading it would take the time and the memory that looking does not.
    let huge = std::fs::File::create(dir.path().join("x.cedar")).unwrap();
    huge.set_len(1 << 40).unwrap();
    assert_refused(dir.path(), Rule::Read, &["x.cedar", "1099511627776 bytes", "limit is 1048576"]);
    // Files of the kernel say that they have no size.
    std::fs::remove_file(dir.path().join("x.cedar")).unwrap();
    symlink("/proc/kallsyms", dir.path().join("x.cedar")).unwrap();
    let (_, message) = problem(dir.path());
    assert!(message.contains("limit is 1048576") || message.contains("cannot read"), "{message}");
}

#[test]
fn the_total_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let comment = "// 4567890\n".repeat(95_000);
    for number in 0..65 {
        std::fs::write(dir.path().join(format!("{number}.cedar")), &comment).unwrap();
    }
    assert_refused(dir.path(), Rule::Read, &["more than 67108864 bytes"]);
}

/// One file in a hundred has a policy: what many policies cost is another matter.
#[test]
fn ten_thousand_files_are_loaded_and_not_one_more() {
    let dir = tempfile::tempdir().unwrap();
    let write = |number: usize| {
        let rule = format!("{};", RULE.replace("\"a\"", &format!("\"a{number}\"")));
        let text = if number.is_multiple_of(100) { rule.as_str() } else { "// Nothing yet.\n" };
        std::fs::write(dir.path().join(format!("{number:05}.cedar")), text).unwrap();
    };
    (0..10_000).for_each(write);
    let loaded = load(dir.path()).unwrap();
    assert_eq!((loaded.files.len(), loaded.set.policies().count()), (10_000, 100));
    assert_eq!(
        (&loaded.files[9_900].policies[..], loaded.files[9_999].policies.len()),
        (&["a9900".to_owned()][..], 0)
    );
    write(10_000);
    assert_refused(dir.path(), Rule::Read, &["more than 10000 *.cedar files"]);
}

#[test]
fn text_that_is_no_text_is_told_with_its_place() {
    let bad = one([RULE.as_bytes(), b"when { \"\xff\" };"].concat());
    assert_refused(bad.path(), Rule::Encoding, &["x.cedar:3:69", "not UTF-8 at byte"]);
    let marked = one(format!("\u{feff}{RULE};"));
    assert_refused(marked.path(), Rule::Encoding, &["x.cedar:1:1", "byte order mark", "without"]);
    let null = one(format!("{RULE}\0;"));
    assert_refused(null.path(), Rule::Parse, &["x.cedar:3:61"]);
}

#[test]
fn carriage_returns_are_blanks() {
    let dir = one(format!("// first\r\n{RULE}\r\nwhen {{ true }};\r\n").replace('\n', "\r\n"));
    assert_eq!(load(dir.path()).unwrap().files[0].policies, ["a"]);
}

/// Without the limits these end the process: the parser, the validator or a destructor overflows the stack.
#[test]
fn deep_expressions_are_refused_before_they_are_parsed() {
    let n = 100_000;
    for condition in [
        "(".repeat(n),
        format!("{}true{}", "(".repeat(n), ")".repeat(n)),
        format!("{}1{} == [1]", "[".repeat(n), "]".repeat(n)),
        format!("{}1{} == 1", "{a:".repeat(n), "}".repeat(n)),
        format!("{}true{}", "!(".repeat(n), ")".repeat(n)),
        format!("{}true{}", "context.f(".repeat(n / 2), ")".repeat(n / 2)),
        format!("{}true", "if true then true else ".repeat(n / 4)),
        format!("{}true{}", "if ".repeat(n), " then true else true".repeat(n / 4)),
        vec!["true"; n].join(" && "),
        vec!["true"; n].join("||"),
        format!("{} == 1", vec!["1"; n].join("+")),
        format!("{} == 1", vec!["1"; n].join("*")),
        format!("context{}", ".a".repeat(n)),
        format!("context has a{}", ".a".repeat(n)),
        // Each level is within the limit, all of them together are not.
        (0..24).fold("true".to_owned(), |inner, _| format!("({inner}{})", " && true".repeat(100))),
        // Text that only looks like a string or a comment.
        format!("\"\\\\\" == \"//\" || {}true{}", "(".repeat(n), ")".repeat(n)),
    ] {
        let dir = one(format!("{RULE} when {{ {condition} }};"));
        assert_refused(dir.path(), Rule::Depth, &["x.cedar:3:"]);
    }
    let many = one(format!("{RULE} {};", "when { true }".repeat(n / 4)));
    assert_refused(many.path(), Rule::Depth, &["x.cedar:3:"]);
}

/// The limits leave room: what people write is far below, and long sets are not deep.
#[test]
fn wide_expressions_are_not_deep() {
    let set: Vec<String> = (0..10_000).map(|number| format!("(\"{number}\")")).collect();
    let dir = one(format!("{RULE} when {{ [{}].contains(resource.name) }};", set.join(", ")));
    load(dir.path()).unwrap();
    let strings = format!("resource.name == \"{}\" // {}", "(.&&".repeat(1000), "(.&&".repeat(1000));
    load(one(format!("{RULE} when {{ {strings}\n }};")).path()).unwrap();
    let terms = vec!["(resource.teamspace.plan == Plan::\"pro\")"; 150].join(" || ");
    load(one(format!("{RULE} when {{ {terms} }};")).path()).unwrap();
    // Each policy stands for itself, and what is in comments for nothing.
    let policy = |number| {
        let rule = RULE.replace("\"a\"", &format!("\"a{number}\""));
        format!("// ((( \" (((\n{rule} when {{ 1 + 1 == 2 }};\n")
    };
    load(one((0..100).map(policy).collect::<String>()).path()).unwrap();
}

/// Cedar's validator takes what is beyond its recursion limit for valid; within ours it looks at all of it.
#[test]
fn what_is_as_deep_as_can_be_is_validated() {
    let wrong = format!("resource.nme == \"x\"{}", " && true".repeat(190));
    assert_refused(one(format!("{RULE} when {{ {wrong} }};")).path(), Rule::Type, &["nme"]);
    let nested = format!("{}resource.nme == \"x\"{}", "(!".repeat(22), ")".repeat(22));
    assert!(load(one(format!("{RULE} when {{ {nested} }};")).path()).is_err());
    let chained = format!("context{}", ".a".repeat(190));
    assert_refused(one(format!("{RULE} when {{ {chained} }};")).path(), Rule::Type, &["`a`"]);
}
