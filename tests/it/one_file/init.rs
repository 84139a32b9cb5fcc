//! `countersign init`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::ends;
use crate::commands::write;

/// Every file below a directory with its text, by its path there.
fn files(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut below = vec![dir.to_owned()];
    while let Some(next) = below.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => below.push(path),
                false => {
                    let name = path.strip_prefix(dir).unwrap().display().to_string();
                    found.push((name, std::fs::read_to_string(path).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn init_writes_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let (said, _) = ends(dir.path(), &["init", "new/place"], 0);
    assert!(said.contains("wrote  new/place/countersign.toml"), "{said}");
    assert!(said.contains("cd new/place && countersign serve"), "{said}");
    let place = dir.path().join("new/place");
    assert_eq!(files(&place.join("policies")), files(Path::new("policies")));
    let schema = "schema/countersign.cedarschema";
    assert_eq!(std::fs::read(place.join(schema)).unwrap(), std::fs::read(schema).unwrap());
    let mode = std::fs::metadata(place.join("policies")).unwrap().permissions().mode();
    assert_ne!(mode & 0o055, 0, "a service of another user can read it: {mode:o}");
    ends(&place, &["config", "check"], 0);
    ends(&place, &["policy", "test"], 0);
    // Nothing is left of the temporary names, and nothing is written again.
    let before = files(&place);
    assert!(before.iter().all(|(name, _)| !name.contains("countersign-init")));
    let (said, _) = ends(&place, &["init"], 0);
    assert_eq!(said.matches("kept").count(), 3, "{said}");
    assert_eq!(files(&place), before);
}

/// The written configuration sets only what most people need; what it shows behind `# ` is the default.
#[test]
fn the_written_configuration_shows_every_default() {
    let dir = tempfile::tempdir().unwrap();
    ends(dir.path(), &["init"], 0);
    let written = std::fs::read_to_string(dir.path().join("countersign.toml")).unwrap();
    let set: toml::Table = written.parse().unwrap();
    let is_section = |value: &toml::Value| value.is_table();
    let keys: Vec<&str> = set.iter().filter(|(_, value)| !is_section(value)).map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["database_url", "issuer", "listen", "management_listen", "policy_dir", "schema_file"]);
    assert!(set.iter().all(|(_, value)| value.as_table().is_none_or(toml::Table::is_empty)), "{set:?}");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config.toml");
    let (as_written, _) = ends(dir.path(), &["config", "show"], 0);
    let (as_example, _) = ends(dir.path(), &["config", "show", "--config", example.to_str().unwrap()], 0);
    assert_eq!(as_written, as_example);
}

#[test]
fn init_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "countersign.toml", "issuer = \"https://auth.example.com\"\n");
    std::fs::create_dir(dir.path().join("policies")).unwrap();
    write(&dir.path().join("policies"), "mine.cedar", "mine");
    let (said, _) = ends(dir.path(), &["init"], 0);
    assert!(said.contains("kept   policies,") && said.contains("kept   countersign.toml,"), "{said}");
    assert!(said.contains("wrote  schema/countersign.cedarschema"), "{said}");
    assert_eq!(files(&dir.path().join("policies")), [("mine.cedar".to_owned(), "mine".to_owned())]);
}

/// A directory that was made for the policies, and is empty still.
#[test]
fn init_fills_an_empty_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("policies")).unwrap();
    let (said, _) = ends(dir.path(), &["init"], 0);
    assert!(said.contains("wrote  policies"), "{said}");
    ends(dir.path(), &["policy", "check"], 0);
}

/// One sentence, and nothing is written.
#[test]
fn init_writes_nothing_where_something_is_in_the_way() {
    use std::os::unix::fs::symlink;
    let expected = [
        "policies is in the way: it is not a directory",
        "countersign.toml is in the way: it is not a file",
        "schema is in the way: it is not a directory",
        "policies is a symbolic link that leads nowhere",
        "countersign.toml is in the way: it is not a file",
    ];
    for (number, expected) in expected.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        match number {
            0 => write(dir.path(), "policies", ""),
            1 => std::fs::create_dir(dir.path().join("countersign.toml")).unwrap(),
            2 => write(dir.path(), "schema", ""),
            3 => symlink("/gone", dir.path().join("policies")).unwrap(),
            _ => symlink("/dev/null", dir.path().join("countersign.toml")).unwrap(),
        }
        let (_, error) = ends(dir.path(), &["init"], 2);
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{expected}");
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", "");
    for place in ["file", "file/below", "/proc/countersign"] {
        let (_, error) = ends(dir.path(), &["init", place], 2);
        assert!(error.contains("cannot write to") || error.contains("in the way"), "{place}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// A killed run leaves names of its own at the most, which disturb neither the service nor the next run.
#[test]
fn what_a_killed_run_leaves_disturbs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".countersign-init-x1y2z3")).unwrap();
    write(&dir.path().join(".countersign-init-x1y2z3"), "half.cedar", "permit (");
    ends(dir.path(), &["policy", "check"], 0);
    ends(dir.path(), &["init"], 0);
    ends(dir.path(), &["policy", "check"], 0);
}
