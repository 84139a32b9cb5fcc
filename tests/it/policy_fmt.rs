//! `policy fmt`: the same policies and comments in the one layout, or the file as it was.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use countersign::policy::authoring::format::{Unformatted, format};
use proptest::prelude::*;

use crate::commands::{countersign, text, write};

const UNTIDY: &str =
    "// who\n@id(\"a\")   @otherwise(\"x\") permit(principal,action,resource) when{true}; // why\n";
const TIDY: &str =
    "// who\n@id(\"a\")\n@otherwise(\"x\")\npermit (principal, action, resource)\nwhen { true }; // why\n";

/// With the proofs.
#[test]
fn what_is_shipped_is_formatted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = countersign(root, &["policy", "fmt", "--check", "policies", "policies/examples"], &[]);
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(0), ""), "run: countersign policy fmt");
}

#[test]
fn only_what_differs_is_replaced_and_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("p/proofs/more")).unwrap();
    let kept = [("p/b.cedar", TIDY), ("p/notes.txt", UNTIDY), ("p/proofs/more/d.cedar", UNTIDY)];
    for (name, content) in kept {
        write(dir.path(), name, content);
    }
    for name in ["p/a.cedar", "p/proofs/c.cedar", "c"] {
        write(dir.path(), name, UNTIDY);
    }
    let inode = || std::fs::metadata(dir.path().join("p/b.cedar")).unwrap().ino();
    let before = inode();
    let out = countersign(dir.path(), &["policy", "fmt", "--check", "p", "c"], &[]);
    let named = "p/a.cedar\np/proofs/c.cedar\nc\n";
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(1), named));
    assert_eq!(std::fs::read_to_string(dir.path().join("p/a.cedar")).unwrap(), UNTIDY, "nothing is written");
    let out = countersign(dir.path(), &["policy", "fmt", "p", "c"], &[]);
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(0), named));
    for (name, content) in [("p/a.cedar", TIDY), ("p/proofs/c.cedar", TIDY), ("c", TIDY)].iter().chain(&kept)
    {
        assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), *content, "{name}");
    }
    assert_eq!(inode(), before, "what is formatted is not touched");
    let in_force = || countersign(dir.path(), &["policy", "fmt"], &[("COUNTERSIGN_POLICY_DIR", "p")]);
    let out = in_force();
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_dir(dir.path().join("p")).unwrap().count(), 4, "no temporary file is left");
    write(dir.path(), "p/proofs/c.cedar", UNTIDY);
    assert_eq!(text(&in_force().stdout), "p/proofs/c.cedar\n", "the proofs of the policies in force");
    std::fs::remove_file(dir.path().join("p/proofs/c.cedar")).unwrap();
    assert_eq!(in_force().status.code(), Some(0), "a directory of no proofs");
}

#[test]
fn permissions_and_links_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("real.cedar");
    std::fs::write(&file, UNTIDY).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.cedar", dir.path().join("link.cedar")).unwrap();
    assert!(format(&dir.path().join("link.cedar"), false).unwrap());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TIDY);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(dir.path().join("link.cedar").is_symlink());
}

#[test]
fn what_cannot_be_formatted_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "good.cedar", UNTIDY);
    write(dir.path(), "syntax.cedar", "permit (principal,\n action resource);");
    let out = countersign(dir.path(), &["policy", "fmt", "."], &[]);
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(1), "./good.cedar\n"));
    assert!(text(&out.stderr).contains("syntax.cedar:2:9"), "{}", text(&out.stderr));
    let out = countersign(dir.path(), &["policy", "fmt", "nowhere.cedar", "good.cedar"], &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("nowhere.cedar: cannot read the file"), "{}", text(&out.stderr));
}

/// The formatter itself would drop this comment without a word.
#[test]
fn a_comment_is_never_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = 0;
    let text = "@id(\"a\") permit (principal, action in [Action::\"x\", Action::\"y\"], resource) when { [1, 2].contains(1) && {a: 1, b: 2} == {a: 1} };";
    for (at, _) in text.char_indices().filter(|(_, c)| ",()[]{}:;&".contains(*c)) {
        let commented = format!("{} // note {at}\n{}", &text[..=at], &text[at + 1..]);
        write(dir.path(), "x.cedar", &commented);
        match format(&dir.path().join("x.cedar"), false) {
            Ok(_) => {
                let formatted = std::fs::read_to_string(dir.path().join("x.cedar")).unwrap();
                assert!(formatted.contains(&format!("// note {at}\n")), "{formatted}");
                kept += 1;
            }
            Err(Unformatted::Unsound { .. } | Unformatted::Problems(_)) => {
                assert_eq!(std::fs::read_to_string(dir.path().join("x.cedar")).unwrap(), commented);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(kept > 10, "{kept}");
    let lost = "@id(\"a\") permit (principal, action, resource) when { [1, 2, // two\n].contains(1) };";
    write(dir.path(), "x.cedar", lost);
    let formatted = format(&dir.path().join("x.cedar"), false);
    let after = std::fs::read_to_string(dir.path().join("x.cedar")).unwrap();
    assert!(after.contains("// two"), "{formatted:?}: {after}");
}

#[test]
fn files_without_policies_and_carriage_returns_are_formatted() {
    let dir = tempfile::tempdir().unwrap();
    for (content, expected) in [
        ("", ""),
        ("\n\n", ""),
        ("\n// only\n\n// words", "// only\n// words\n"),
        (&UNTIDY.replace('\n', "\r\n"), TIDY),
    ] {
        write(dir.path(), "x.cedar", content);
        format(&dir.path().join("x.cedar"), false).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("x.cedar")).unwrap(), expected, "{content:?}");
        assert!(!format(&dir.path().join("x.cedar"), true).unwrap(), "once is enough: {content:?}");
    }
}

/// Policies are formatted one at a time, and come out as if the formatter had been given all of them.
#[test]
fn several_policies_are_formatted_as_one_text() {
    let dir = tempfile::tempdir().unwrap();
    let rule = |id: usize| format!("@id(\"{id}\") permit (principal,action, resource) when {{ true }};");
    let between = [
        "",
        " ",
        "\n",
        "\n\n\n",
        " // behind\n",
        "// behind\n// before\n",
        "\n// before\n\n// more\n",
        "\r\n// b\r\n",
    ];
    let mut text = "// first\n\n".to_owned();
    for (id, between) in between.iter().enumerate() {
        text += &format!("{}{between}", rule(id));
    }
    for end in ["", " ", "\n", " // behind", "\n// the end\n\n// of it"] {
        let text = format!("{text}{}{end}", rule(99));
        write(dir.path(), "x.cedar", &text);
        format(&dir.path().join("x.cedar"), false).unwrap();
        let layout = cedar_policy_formatter::Config { line_width: 80, indent_width: 2 };
        let whole = cedar_policy_formatter::policies_str_to_pretty(&text, &layout).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("x.cedar")).unwrap(), whole, "{end:?}");
    }
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("resource.default".to_owned()),
        Just("context.claims has email".to_owned()),
        "[a-z]{1,20}".prop_map(|word| format!("resource.name == \"{word}\" // {word}\n")),
        "[a-z]{1,20}".prop_map(|word| format!("[\"{word}\", \"//{word}\"].contains(resource.name)")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), prop_oneof![Just("&&"), Just("||")], inner.clone());
        prop_oneof![
            pair.prop_map(|(left, sign, right)| format!("({left}) {sign} ({right})")),
            inner.prop_map(|inner| format!("!({inner})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Formatting what is formatted changes nothing, or `check` could never be clean.
    #[test]
    fn once_is_enough(condition in condition()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.cedar");
        std::fs::write(&path, format!("permit (principal, action, resource) when {{ {condition} }};")).unwrap();
        if format(&path, false).is_ok() {
            let once = std::fs::read_to_string(&path).unwrap();
            prop_assert!(!format(&path, true).unwrap(), "{once}");
        }
    }
}
