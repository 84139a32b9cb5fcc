//! `policy diff`: what a change changes, and whether it permits anything more.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign::policy::authoring::cases;
use countersign::policy::authoring::diff::cases_of;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::TestApp;

#[cfg(feature = "prove")]
const PARTNER: &str = "@id(\"partner\") @otherwise(\"issuer_not_configured\")
permit (principal == Issuer::\"https://partner.example\", action == Action::\"TrustIssuer\", resource is Teamspace);";
const EDITORS: &str = "@id(\"editors\") @reason(\"group_required\") @error(\"invalid_scope\") @message(\"m\")
forbid (principal, action == Action::\"GrantScope\", resource == Scope::\"docs.read\") unless { principal in Group::\"acme/editors\" };";

/// A place with the shipped policies, their cases and the schema, in a git repository.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(repository.path("policies/tests")).unwrap();
        std::fs::create_dir_all(repository.path("schema")).unwrap();
        for file in
            ["issuer.cedar", "members.cedar", "grants.cedar", "tests/members.toml", "tests/fixtures.toml"]
        {
            std::fs::copy(Path::new("policies").join(file), repository.path("policies").join(file)).unwrap();
        }
        let schema = "schema/countersign.cedarschema";
        std::fs::copy(schema, repository.path(schema)).unwrap();
        repository.git(&["init", "-q", "-b", "main"]);
        repository.commit();
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut command = Command::new("git");
        let output = command.args(identity).args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "Change"]);
    }

    fn diff(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["policy", "diff"]).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.diff(&[arguments, &["--format", "json"]].concat());
        let told = serde_json::from_slice(&output.stdout);
        (output.status.code(), told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
    }
}

#[test]
fn a_revision_is_compared_with_the_working_tree() {
    let repository = Repository::new();
    let (code, same) = repository.json(&["HEAD", "--without-solver"]);
    assert_eq!((code, &same["edits"]), (Some(0), &json!({ "added": [], "removed": [], "changed": [] })));
    assert_eq!(same["cases"]["changed"], json!([]));
    assert!(same["cases"]["total"].as_u64().unwrap() > 20);
    std::fs::write(repository.path("policies/editors.cedar"), EDITORS).unwrap();
    let (code, narrower) = repository.json(&["HEAD", "--without-solver"]);
    assert_eq!((code, &narrower["edits"]["added"]), (Some(0), &json!(["editors"])));
    let changed = &narrower["cases"]["changed"][0]["differences"][0];
    assert_eq!(
        (&changed["before"]["allowed"], &changed["after"]["reasons"]),
        (&json!(true), &json!(["group_required"]))
    );
    repository.commit();
    // Between two revisions, whatever the working tree has.
    std::fs::remove_dir_all(repository.path("policies")).unwrap();
    let (code, wider) = repository.json(&["HEAD", "HEAD~1", "--without-solver"]);
    assert_eq!((code, &wider["edits"]["removed"]), (Some(1), &json!(["editors"])));
}

/// A case that is permitted now and was not is a widening, solver or not.
/// Where no policy permits any more, that is said in words, and nothing is left blank.
#[test]
fn an_answer_without_a_policy_is_told_in_words() {
    let repository = Repository::new();
    std::fs::remove_file(repository.path("policies/issuer.cedar")).unwrap();
    let output = repository.diff(&["HEAD", "--without-solver"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("TrustIssuer acme: allowed by issuer.own → denied, policy_denied (no policy)\n"),
        "{text}"
    );
    for blank in ["by \n", "by →", "()", "denied,  ", ": \n"] {
        assert!(!text.contains(blank), "{blank:?} in {text}");
    }
}

#[test]
fn a_case_can_show_that_a_change_widens() {
    let repository = Repository::new();
    let old = repository.path("policies/members.cedar");
    let text = std::fs::read_to_string(&old)
        .unwrap()
        .replace("context.seats_used >= context.seats_limit", "context.seats_used > context.seats_limit");
    std::fs::write(&old, text).unwrap();
    let output = repository.diff(&["HEAD", "--without-solver"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("permits something that was not permitted")
            && text.contains("Changed: `member.seat-limit`"),
        "{text}"
    );
    assert!(text.contains("case `seats are for new people: full`"), "{text}");
}

/// Without a solver, what could permit more and is covered by no case is not decided, and is named.
#[test]
fn a_change_that_no_case_covers_is_not_decided() {
    let rule = |message: &str, scope: &str| {
        format!(
            "@id(\"uncovered\") @reason(\"r\") @error(\"invalid_scope\") @message({message:?})
            forbid (principal, action == Action::\"GrantScope\", resource == Scope::{scope:?});"
        )
    };
    let permit = "@id(\"uncovered\") @otherwise(\"o\")
        permit (principal, action == Action::\"GrantScope\", resource == Scope::\"docs.nobody\");";
    let repository = Repository::new();
    let file = repository.path("policies/uncovered.cedar");
    let before = rule("m", "docs.nobody");
    for (step, (old, new, untested)) in [
        (Some(&before), None, Some("the removed forbid `uncovered`")),
        (Some(&before), Some(rule("m", "docs.else")), Some("the changed forbid `uncovered`")),
        (Some(&before), Some(rule("another message", "docs.nobody")), None),
        (None, Some(before.clone()), None),
        (None, Some(permit.to_owned()), Some("the added permit `uncovered`")),
        (Some(&before), Some(permit.to_owned()), Some("the changed forbid `uncovered`")),
        (Some(&rule("m", "docs.read")), None, None),
    ]
    .into_iter()
    .enumerate()
    {
        let put = |text: Option<&String>| match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => drop(std::fs::remove_file(&file)),
        };
        put(old);
        std::fs::write(repository.path("step"), step.to_string()).unwrap();
        repository.commit();
        put(new.as_ref());
        let output = repository.diff(&["HEAD", "--without-solver"]);
        let (told, error) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let wider = told.contains("⚠️");
        assert_eq!(
            output.status.code(),
            Some(if wider {
                1
            } else if untested.is_some() {
                2
            } else {
                0
            }),
            "{told}{error}"
        );
        if let Some(untested) = untested {
            assert!(error.contains("is not decided") && error.contains(untested), "{error}");
            assert!(told.contains(&format!("No case and no recorded sign-in tests {untested}")), "{told}");
        } else {
            assert_eq!(error, "");
            assert_eq!(wider, old.is_some_and(|old| old.contains("docs.read")), "a case shows it");
        }
    }
}

#[test]
fn without_an_answer_of_the_solver_nothing_is_called_proved() {
    let repository = Repository::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let output = command
        .args(["policy", "diff", "HEAD"])
        .env_remove("CVC5")
        .current_dir(repository.0.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stdout).unwrap().contains("could not be decided"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("could not be decided"));
}

#[cfg(feature = "prove")]
#[test]
fn the_solver_tells_wider_narrower_and_neither() {
    let repository = Repository::new();
    let (code, same) = repository.json(&["HEAD"]);
    assert_eq!(code, Some(0));
    let answers = same["solver"]["actions"].as_array().unwrap();
    assert_eq!(answers.len(), countersign::policy::Action::ALL.len());
    assert!(answers.iter().all(|answer| answer["wider"] == "no" && answer["narrower"] == "no"), "{same}");
    std::fs::write(repository.path("policies/editors.cedar"), EDITORS).unwrap();
    std::fs::write(repository.path("policies/partner.cedar"), PARTNER).unwrap();
    let output = repository.diff(&["HEAD"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for told in [
        "| TrustIssuer | **yes** | no (proved) |",
        "| GrantScope | no (proved) | **yes** |",
        "| AdmitMember | no (proved) | no (proved) |",
        "https://partner.example",
        "new: permitted by partner (partner.cedar)",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    std::fs::remove_file(repository.path("policies/partner.cedar")).unwrap();
    let narrower = repository.diff(&["HEAD"]);
    assert_eq!(narrower.status.code(), Some(0));
    assert!(String::from_utf8(narrower.stdout).unwrap().contains("✅ Proved"));
}

#[test]
fn what_cannot_be_compared_is_told() {
    let repository = Repository::new();
    std::fs::create_dir(repository.path("broken")).unwrap();
    std::fs::write(repository.path("broken/x.cedar"), "permit (").unwrap();
    std::fs::create_dir(repository.path("empty")).unwrap();
    for (arguments, told) in [
        (&["nowhere"] as &[&str], "neither a directory nor a git revision"),
        (&["--", "-x"], "begins with a hyphen"),
        (&["broken"], "x.cedar"),
        (&["empty"], "no *.cedar file"),
        (&["HEAD", "set:AAAA"], "database"),
        (&["HEAD", "--days", "0"], "--days"),
        (&["HEAD", "--days", "1"], "database"),
    ] {
        let output = repository.diff(&[arguments, &["--without-solver"]].concat());
        let arguments_after = repository.diff(&[&["--without-solver"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&arguments_after.stderr);
        assert_eq!(arguments_after.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let output = command
        .args(["policy", "diff", "HEAD", "--without-solver"])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Recorded sign-ins are replayed under both sides: those alike are told together. A set that was in force is a
/// side as well.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_sign_ins_are_replayed() {
    let repository = Repository::new();
    let app = TestApp::start_with(|_| {}).await;
    // The clock of the test stands still; the command's does not.
    app.clock.advance(now() - countersign::clock::Clock::now(&app.clock));
    app.app.keep_sets().await;
    for (who, groups) in [("a", json!(["editors"])), ("b", json!([])), ("c", json!(["readers"]))] {
        let (iat, exp) = (now(), now() + 300);
        app.granted(json!({ "sub": who, "email": format!("{who}@acme.com"), "groups": groups, "iat": iat, "exp": exp })).await;
    }
    app.exchange("not-an-assertion").await;
    let config = repository.path("countersign.toml");
    std::fs::write(&config, format!("database_url = {:?}\n", app.app.config.database_url)).unwrap();
    std::fs::write(repository.path("policies/editors.cedar"), EDITORS).unwrap();
    let (code, told) = repository.json(&["HEAD", "--without-solver", "--days", "1"]);
    assert_eq!(code, Some(0), "{told}");
    let sign_ins = &told["sign_ins"];
    assert_eq!((&sign_ins["total"], &sign_ins["without_facts"]), (&json!(4), &json!(1)));
    assert_eq!(sign_ins["changed"].as_array().unwrap().len(), 1, "{sign_ins}");
    assert_eq!(sign_ins["changed"][0]["count"], 2, "two are no editors");
    let past = format!("set:{}", &app.app.policies().hash[..8]);
    let (code, told) = repository.json(&[&past, "--without-solver"]);
    assert_eq!((code, &told["edits"]["added"]), (Some(0), &json!(["editors"])));
    let (code, told) = repository.json(&["policies", &past, "--without-solver", "--days", "1"]);
    assert_eq!((code, &told["sign_ins"]["changed"][0]["count"]), (Some(1), &json!(2)), "it widens back");
}

/// A revision is found from the policies, wherever the command runs, and whatever they are called.
#[test]
fn a_revision_is_found_from_anywhere() {
    let repository = Repository::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let policies = repository.path("policies").display().to_string();
    let schema = repository.path("schema/countersign.cedarschema").display().to_string();
    let diff = |cwd: &Path, policies: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["policy", "diff", "HEAD", "--without-solver", "--format", "json"]).current_dir(cwd);
        command.env("COUNTERSIGN_POLICY_DIR", policies).env("COUNTERSIGN_SCHEMA_FILE", &schema);
        // As in a hook, which runs at the root.
        let output = command.env("GIT_DIR", ".git").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{} {policies}: {error}", cwd.display());
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["edits"], json!({ "added": [], "removed": [], "changed": [] }));
        assert!(told["cases"]["total"].as_u64().unwrap() > 20);
    };
    diff(elsewhere.path(), &policies);
    diff(&repository.path("schema"), "../policies");
    diff(&repository.path("policies"), ".");
    diff(repository.0.path(), "policies/");
    repository.git(&["mv", "policies/tests", "tests"]);
    for file in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        repository.git(&["mv", &format!("policies/{file}"), file]);
    }
    repository.commit();
    diff(repository.0.path(), ".");
    diff(&repository.path("schema"), "..");
}

#[test]
fn what_a_revision_lacks_is_named() {
    let repository = Repository::new();
    std::fs::rename(repository.path("policies"), repository.path("rules")).unwrap();
    let schema = repository.path("schema/countersign.cedarschema");
    std::fs::copy(&schema, repository.path("new.cedarschema")).unwrap();
    for (key, value) in [("COUNTERSIGN_POLICY_DIR", "rules"), ("COUNTERSIGN_SCHEMA_FILE", "new.cedarschema")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["policy", "diff", "HEAD", "rules", "--without-solver"]).env(key, value);
        let output = command.current_dir(repository.0.path()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error), (Some(2), format!("error: HEAD has no {value}\n")));
    }
}

/// Neither attributes nor line ends nor links change what is compared.
#[test]
fn a_revision_has_the_bytes_that_were_committed() {
    let repository = Repository::new();
    let attributes = "*.cedar export-subst text eol=crlf\nissuer.cedar export-ignore\n";
    std::fs::write(repository.path(".gitattributes"), attributes).unwrap();
    let text = format!("// $Format:%H$\n{}", EDITORS.replace("\"m\"", "\"$Format:%H$\""));
    std::fs::write(repository.path("policies/editors.cedar"), text).unwrap();
    std::fs::create_dir(repository.path("policies/more")).unwrap();
    std::fs::write(repository.path("policies/more/x.cedar"), "no policy").unwrap();
    repository.commit();
    let (code, same) = repository.json(&["HEAD", "--without-solver"]);
    assert_eq!((code, &same["edits"]), (Some(0), &json!({ "added": [], "removed": [], "changed": [] })));
}

/// Two cases of one name in different files are two cases.
#[test]
fn a_case_is_known_by_its_file_and_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy("policies/tests/fixtures.toml", dir.path().join("fixtures.toml")).unwrap();
    for name in ["a.toml", "b.toml"] {
        let case = "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\n";
        std::fs::write(dir.path().join(name), format!("{case}expect.provision = true\n")).unwrap();
    }
    let read = |name: &str| cases::read(dir.path().join(name)).unwrap();
    assert_eq!(cases_of(read("a.toml"), read("b.toml")).len(), 2);
    assert_eq!(cases_of(read("a.toml"), read("a.toml")).len(), 1);
}

fn now() -> i64 {
    #[allow(clippy::disallowed_methods)]
    let elapsed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    elapsed.as_secs().try_into().unwrap()
}

/// A directory that is a link is the one that it led to in the revision, whatever it leads to now; a file that is
/// a link cannot be taken for one that is not there.
#[test]
fn links_are_those_of_the_revision() {
    let repository = Repository::new();
    std::fs::rename(repository.path("policies"), repository.path("v1")).unwrap();
    repository.git(&["rm", "-rq", "--cached", "policies"]);
    std::fs::create_dir(repository.path("v2")).unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        std::fs::copy(repository.path("v1").join(name), repository.path("v2").join(name)).unwrap();
    }
    std::fs::write(repository.path("v1/editors.cedar"), EDITORS).unwrap();
    std::os::unix::fs::symlink("v1", repository.path("policies")).unwrap();
    repository.commit();
    std::fs::remove_file(repository.path("policies")).unwrap();
    std::os::unix::fs::symlink("v2", repository.path("policies")).unwrap();
    repository.commit();
    for arguments in [&["HEAD~1"] as &[&str], &["HEAD~1", "HEAD"]] {
        let (code, wider) = repository.json(&[arguments, &["--without-solver"]].concat());
        assert_eq!((code, &wider["edits"]["removed"]), (Some(1), &json!(["editors"])), "{arguments:?}");
    }
    std::os::unix::fs::symlink("../v1/editors.cedar", repository.path("v2/link.cedar")).unwrap();
    repository.commit();
    let output = repository.diff(&["HEAD", "--without-solver"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("link.cedar of HEAD is a symbolic link"));
}

/// Where nothing is looked at, nothing is known.
#[test]
fn nothing_looked_at_is_no_answer() {
    let repository = Repository::new();
    std::fs::remove_dir_all(repository.path("policies/tests")).unwrap();
    repository.commit();
    let output = repository.diff(&["HEAD", "--without-solver"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing was looked at"));
}
