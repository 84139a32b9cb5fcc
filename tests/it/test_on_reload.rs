//! `policy.test_on_reload`: a changed set must pass its own cases before it comes into force.

use std::path::{Path, PathBuf};

use countersign::policy::reload::ReloadTrigger;
use tempfile::TempDir;

use crate::harness::TestApp;

struct Place(TempDir);

impl Place {
    fn shipped() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("tests")).unwrap();
        for name in
            ["issuer.cedar", "members.cedar", "grants.cedar", "tests/fixtures.toml", "tests/members.toml"]
        {
            std::fs::copy(Path::new("policies").join(name), place.path(name)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn start(&self, tested: bool) -> TestApp {
        let dir = self.0.path().to_owned();
        TestApp::start_with(move |config| {
            (config.policy_dir, config.policy.test_on_reload) = (Some(dir), tested)
        })
        .await
    }

    /// Nobody is provisioned any more: valid, and not what the cases say.
    fn close(&self) {
        let rule = "@id(\"closed\") @reason(\"closed\") @error(\"access_denied\") @message(\"m\")
            forbid (principal, action == Action::\"ProvisionMember\", resource);";
        std::fs::write(self.path("closed.cedar"), rule).unwrap();
    }
}

/// The message after a reload; none when a new set came into force.
async fn reloaded(app: &TestApp) -> Option<String> {
    let before = app.app.policies().hash.clone();
    app.app.follow_policies(ReloadTrigger::Now).await;
    let told = app
        .app
        .policy_files
        .last_error()
        .map(|error| format!("{}: {}", error.failure.file, error.failure.message));
    assert_eq!(told.is_none(), app.app.policies().hash != before, "{told:?}");
    told
}

#[tokio::test]
async fn a_set_that_passes_comes_into_force() {
    let place = Place::shipped();
    let app = place.start(true).await;
    let rule = "@id(\"more\") @otherwise(\"x\") permit (principal == User::\"x||nobody\", action, resource);";
    std::fs::write(place.path("more.cedar"), rule).unwrap();
    assert_eq!(reloaded(&app).await, None);
}

#[tokio::test]
async fn a_set_that_fails_its_cases_does_not() {
    let place = Place::shipped();
    let app = place.start(true).await;
    place.close();
    let told = reloaded(&app).await.unwrap();
    assert!(told.contains("members.toml:") && told.contains("got refused, access_denied: closed"), "{told}");
    let untested = place.start(false).await;
    std::fs::remove_file(place.path("closed.cedar")).unwrap();
    assert_eq!(reloaded(&untested).await, None, "only where it is asked for");
}

/// Cases that are gone, or cannot be read, are no cases that pass.
#[tokio::test]
async fn without_cases_nothing_new_comes_into_force() {
    for spoil in [
        (|place: &Place| std::fs::remove_dir_all(place.path("tests")).unwrap()) as fn(&Place),
        |place| std::fs::remove_file(place.path("tests/members.toml")).unwrap(),
        |place| std::fs::write(place.path("tests/members.toml"), "[[test").unwrap(),
        |place| std::fs::write(place.path("tests/more.toml"), "[[test]]\nname = \"n\"\n").unwrap(),
    ] {
        let place = Place::shipped();
        let app = place.start(true).await;
        place.close();
        spoil(&place);
        let told = reloaded(&app).await.unwrap();
        assert!(told.contains("tests"), "{told}");
    }
}
