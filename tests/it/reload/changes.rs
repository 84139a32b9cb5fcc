//! Which changes are noticed, and when they take effect.

use std::os::unix::fs::symlink;

use countersign::policy::reload::ReloadTrigger;
use serde_json::json;

use super::{CLOSED, Rules, hash, operator, settle};
use crate::harness::TestApp;

#[tokio::test]
async fn a_change_decides_from_when_it_has_come_to_rest() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    app.granted(json!({})).await;
    let before = app.last_sign_in().await.policy_set;
    assert_eq!(before, hash(&app));
    app.clock.advance(60);
    rules.put("closed.cedar", CLOSED);
    app.app.follow_policies(ReloadTrigger::IfChanged).await;
    assert_eq!(hash(&app), before, "more may be coming");
    app.app.follow_policies(ReloadTrigger::IfChanged).await;
    assert_ne!(hash(&app), before);
    app.refused(json!({}), "access_denied", "closed").await;
    assert_eq!(app.last_sign_in().await.policy_set, hash(&app));
    let told = operator(&app, "/policies").await.json;
    assert_eq!((&told["hash"], &told["loaded_at"]), (&json!(hash(&app)), &json!("2026-11-22T12:01:00Z")));
    assert!(told["files"].as_array().unwrap().iter().any(|file| file["name"] == "closed.cedar"), "{told}");
    rules.remove("closed.cedar");
    settle(&app).await;
    assert_eq!(hash(&app), before);
    app.granted(json!({})).await;
}

/// Half of a checkout can be a valid set.
#[tokio::test]
async fn files_that_keep_changing_are_not_taken() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let before = hash(&app);
    for i in 0..4 {
        rules.put(&format!("{i}.cedar"), CLOSED.replace("closed", &format!("closed_{i}")));
        app.app.follow_policies(ReloadTrigger::IfChanged).await;
        assert_eq!(hash(&app), before, "{i}");
    }
    app.app.follow_policies(ReloadTrigger::IfChanged).await;
    assert_ne!(hash(&app), before);
}

/// The things that operators do to a directory; a watch on its inode would notice none of them.
struct Watched {
    rules: Rules,
    app: TestApp,
    last: String,
}

impl Watched {
    async fn start() -> Self {
        let rules = Rules::shipped();
        let app = rules.start().await;
        let last = hash(&app);
        Self { rules, app, last }
    }

    async fn changed(&mut self, how: &str) {
        settle(&self.app).await;
        assert!(self.app.app.policy_files.last_error().is_none(), "{how}");
        assert_ne!(std::mem::replace(&mut self.last, hash(&self.app)), hash(&self.app), "{how}");
    }
}

#[tokio::test]
async fn every_way_to_change_a_file_is_noticed() {
    let mut watched = Watched::start().await;
    let file = watched.rules.policies().join("x.cedar");
    watched.rules.put("x.cedar", CLOSED);
    watched.changed("a new file").await;
    let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
    watched.rules.put("x.cedar", CLOSED.replace("Closed.", "closed."));
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    watched.changed("the same size and time").await;
    let next = watched.rules.dir.path().join("y");
    std::fs::write(&next, CLOSED).unwrap();
    std::fs::rename(next, file).unwrap();
    watched.changed("an atomic rename").await;
    let schema = std::fs::read_to_string(watched.rules.schema()).unwrap();
    std::fs::write(watched.rules.schema(), format!("{schema}\n// More.\n")).unwrap();
    watched.changed("the schema").await;
}

/// While somebody edits a file, changes of the others go on coming into force.
#[tokio::test]
async fn an_editors_lock_stops_no_change() {
    let mut watched = Watched::start().await;
    symlink("dana@host.1234", watched.rules.policies().join(".#issuer.cedar")).unwrap();
    std::fs::create_dir(watched.rules.policies().join("tests")).unwrap();
    watched.rules.put("x.cedar", CLOSED);
    watched.changed("beside a lock").await;
    let before = hash(&watched.app);
    std::fs::remove_file(watched.rules.policies().join(".#issuer.cedar")).unwrap();
    settle(&watched.app).await;
    assert_eq!(hash(&watched.app), before);
}

/// Kubernetes puts the files of a ConfigMap behind `..data`, a link that it swaps.
#[tokio::test]
async fn a_config_map_is_followed() {
    let (first, second) = (Rules::shipped(), Rules::shipped_and(CLOSED));
    let (mount, volume) = (tempfile::tempdir().unwrap(), Rules::shipped());
    for (rules, name) in [(&first, "..2026_01"), (&second, "..2026_02")] {
        std::fs::rename(rules.policies(), mount.path().join(name)).unwrap();
    }
    symlink("..2026_01", mount.path().join("..data")).unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        symlink(format!("..data/{name}"), mount.path().join(name)).unwrap();
    }
    std::fs::remove_dir_all(volume.policies()).unwrap();
    symlink(mount.path(), volume.policies()).unwrap();
    let app = volume.start().await;
    let mut watched = Watched { last: hash(&app), rules: volume, app };
    symlink("..2026_02", mount.path().join("..data_tmp")).unwrap();
    std::fs::rename(mount.path().join("..data_tmp"), mount.path().join("..data")).unwrap();
    symlink("..data/rule.cedar", mount.path().join("rule.cedar")).unwrap();
    watched.changed("the link was swapped").await;
}

#[tokio::test]
async fn every_way_to_change_the_directory_is_noticed() {
    let mut watched = Watched::start().await;
    let (root, policies) = (watched.rules.dir.path().to_owned(), watched.rules.policies());
    std::fs::rename(&policies, root.join("v1")).unwrap();
    let other = Rules::shipped_and(CLOSED);
    std::fs::rename(other.policies(), root.join("v2")).unwrap();
    symlink("v2", &policies).unwrap();
    watched.changed("a directory in the place of the other").await;
    symlink("v1", root.join("next")).unwrap();
    std::fs::rename(root.join("next"), &policies).unwrap();
    watched.changed("a link that points elsewhere").await;
}
