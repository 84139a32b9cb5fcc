//! Policies that change while the service runs, and the sets that were in force.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::app::Look;
use countersign::policy::PolicySource;
use countersign::random::{digest, secret};
use countersign::store::admin_tokens::{self, AdminToken};
use countersign::store::{StoreError, policy_sets};
use countersign::web::{self, server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, START, TestApp, http};
use crate::subject::futures_all;

/// The shipped policies and schema in a directory that may be changed.
pub struct Rules {
    pub dir: TempDir,
}

/// Nobody is let in.
pub const CLOSED: &str = r#"@id("closed") @reason("closed") @error("access_denied") @message("Closed.")
    forbid (principal, action == Action::"TrustIssuer", resource);"#;

impl Rules {
    pub fn shipped() -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(this.policies()).unwrap();
        for name in ["issuer", "members", "grants"] {
            let name = format!("{name}.cedar");
            std::fs::copy(Path::new("policies").join(&name), this.policies().join(&name)).unwrap();
        }
        std::fs::copy("schema/countersign.cedarschema", this.schema()).unwrap();
        this
    }

    pub fn policies(&self) -> PathBuf {
        self.dir.path().join("policies")
    }

    pub fn schema(&self) -> PathBuf {
        self.dir.path().join("schema")
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.policies().join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.policies().join(name)).unwrap();
    }

    pub async fn start(&self) -> TestApp {
        let (policy_dir, schema_file) = (self.policies(), self.schema());
        TestApp::start_with(|config| (config.policy_dir, config.schema_file) = (policy_dir, schema_file))
            .await
    }
}

/// Two looks, as the service takes them a second apart.
pub async fn settle(app: &TestApp) {
    app.app.follow_policies(Look::IfChanged).await;
    app.app.follow_policies(Look::IfChanged).await;
}

/// `GET` with an operator's token.
pub async fn operator(app: &TestApp, path: &str) -> Answer {
    let token = secret().unwrap();
    let row = AdminToken {
        id: uuid::Uuid::new_v4().to_string(),
        name: "ops".to_owned(),
        token_digest: digest(&token),
        teamspace_id: None,
        created_at: START,
        expires_at: None,
    };
    let insert = move |c: &mut _| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?);
    app.app.store.write(insert).await.unwrap();
    let request = app.http.get(format!("{}/api/v1{path}", app.issuer())).bearer_auth(token);
    Answer::of(request.send().await.unwrap()).await
}

/// `GET` on the private listener.
pub async fn private(app: &TestApp, path: &str) -> Answer {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let router = web::management_router(Arc::clone(&app.app));
    tokio::spawn(server::serve(listener, router, std::future::pending()));
    Answer::of(http().get(url).send().await.unwrap()).await
}

/// A transaction of another process that keeps this one from writing.
pub fn lock(app: &TestApp) -> diesel::SqliteConnection {
    use diesel::connection::SimpleConnection as _;
    use diesel::prelude::*;
    let path = app.dir.path().join("test.db");
    let mut connection = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute("BEGIN IMMEDIATE").unwrap();
    connection
}

fn hash(app: &TestApp) -> String {
    app.app.policies().hash.clone()
}

#[tokio::test]
async fn a_change_decides_from_when_it_has_come_to_rest() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    app.granted(json!({})).await;
    let before = app.last_sign_in().await.policy_set;
    assert_eq!(before, hash(&app));
    app.clock.advance(60);
    rules.put("closed.cedar", CLOSED);
    app.app.follow_policies(Look::IfChanged).await;
    assert_eq!(hash(&app), before, "more may be coming");
    app.app.follow_policies(Look::IfChanged).await;
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
        app.app.follow_policies(Look::IfChanged).await;
        assert_eq!(hash(&app), before, "{i}");
    }
    app.app.follow_policies(Look::IfChanged).await;
    assert_ne!(hash(&app), before);
}

/// What operators do to a directory, none of which a watch on its inode would tell.
#[tokio::test]
async fn every_way_to_change_files_is_noticed() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let mut last = hash(&app);
    let mut changed = async |how: &str| {
        settle(&app).await;
        assert!(app.app.policy_files.last_error().is_none(), "{how}");
        assert_ne!(std::mem::replace(&mut last, hash(&app)), hash(&app), "{how}");
    };
    let (policies, root) = (rules.policies(), rules.dir.path());
    rules.put("x.cedar", CLOSED);
    changed("a new file").await;
    let modified = std::fs::metadata(policies.join("x.cedar")).unwrap().modified().unwrap();
    rules.put("x.cedar", CLOSED.replace("Closed.", "closed."));
    std::fs::File::options()
        .write(true)
        .open(policies.join("x.cedar"))
        .unwrap()
        .set_modified(modified)
        .unwrap();
    changed("the same size and time").await;
    std::fs::write(root.join("y"), CLOSED).unwrap();
    std::fs::rename(root.join("y"), policies.join("x.cedar")).unwrap();
    changed("an atomic rename").await;
    std::fs::rename(&policies, root.join("old")).unwrap();
    std::fs::create_dir_all(root.join("v1")).unwrap();
    std::fs::create_dir_all(root.join("v2")).unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        std::fs::copy(root.join("old").join(name), root.join("v1").join(name)).unwrap();
        std::fs::copy(root.join("old").join(name), root.join("v2").join(name)).unwrap();
    }
    std::fs::write(root.join("v2/x.cedar"), CLOSED).unwrap();
    symlink("v1", &policies).unwrap();
    changed("a directory in the place of the other").await;
    symlink("v2", root.join("next")).unwrap();
    std::fs::rename(root.join("next"), &policies).unwrap();
    changed("a link that points elsewhere").await;
    let schema = std::fs::read_to_string(rules.schema()).unwrap();
    std::fs::write(rules.schema(), format!("{schema}\n// More.\n")).unwrap();
    changed("the schema").await;
}

/// A text whose evaluation, or whose mere parsing, takes a frame of the stack for each level.
fn deep(levels: usize) -> String {
    rule(&format!("{}true{}", "(".repeat(levels), ")".repeat(levels)))
}

fn rule(condition: &str) -> String {
    format!("{} when {{ {condition} }};", CLOSED.trim_end_matches(';'))
}

/// Whatever happens to the files, the last good set goes on deciding, and everybody can see why.
#[tokio::test]
async fn a_set_that_cannot_be_read_leaves_the_last_good_one() {
    type Break = fn(&Rules);
    let cases: [(&str, Break, &str, &str); 14] = [
        (
            "syntax",
            |r| r.put("x.cedar", "permit (principal,\n action resource);"),
            "x.cedar",
            "line 2: unexpected",
        ),
        ("type", |r| r.put("x.cedar", rule("context.claims.emial == \"x\"")), "x.cedar", "emial"),
        ("no id", |r| r.put("x.cedar", "permit (principal, action, resource);"), "x.cedar", "no @id"),
        ("twice", |r| r.put("x.cedar", [CLOSED, CLOSED].concat()), "x.cedar", "used twice"),
        ("not UTF-8", |r| r.put("x.cedar", b"\xff"), "x.cedar", "not UTF-8 at byte 0"),
        ("too large", |r| r.put("x.cedar", " ".repeat(1 << 21)), "x.cedar", "limit"),
        ("deep", |r| r.put("x.cedar", deep(100_000)), "x.cedar", "line 2: more than 24 brackets"),
        ("long", |r| r.put("x.cedar", rule(&vec!["true"; 100_000].join(" && "))), "x.cedar", "levels"),
        (
            "link loop",
            |r| symlink("x.cedar", r.policies().join("x.cedar")).unwrap(),
            "x.cedar",
            "cannot read",
        ),
        ("device", |r| symlink("/dev/zero", r.policies().join("x.cedar")).unwrap(), "x.cedar", "is a device"),
        (
            "directory",
            |r| std::fs::create_dir(r.policies().join("x.cedar")).unwrap(),
            "x.cedar",
            "is a directory",
        ),
        (
            "vanished",
            |r| std::fs::rename(r.policies(), r.dir.path().join("old")).unwrap(),
            "policies",
            "directory",
        ),
        ("schema", |r| std::fs::write(r.schema(), "entity;").unwrap(), "schema", "expected"),
        ("no schema", |r| std::fs::remove_file(r.schema()).unwrap(), "schema", "cannot read"),
    ];
    for (name, spoil, file, message) in cases {
        let rules = Rules::shipped();
        let app = rules.start().await;
        let before = hash(&app);
        spoil(&rules);
        settle(&app).await;
        app.granted(json!({})).await;
        assert_eq!(app.last_sign_in().await.policy_set, before, "{name}");
        let told = operator(&app, "/policies").await.json;
        let error = &told["last_error"];
        assert_eq!((&told["hash"], &error["at"]), (&json!(before), &json!("2026-11-22T12:00:00Z")), "{name}");
        assert!(error["file"].as_str().unwrap().ends_with(file), "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{name}: {error}");
        let ready = private(&app, "/readyz").await;
        assert_eq!((ready.status, &ready.json["policy_set"]), (200, &json!(before)), "{name}");
        assert_eq!(&ready.json["policy_error"], error, "{name}");
        let metrics = private(&app, "/metrics").await.body;
        assert!(metrics.contains("countersign_policy_reload_ok 0\n"), "{name}: {metrics}");
        assert!(metrics.contains("reloads_total{result=\"failed\"} 1\n"), "{name}: {metrics}");
    }
}

#[tokio::test]
async fn a_failure_is_told_until_the_files_are_good_again() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let before = hash(&app);
    for name in ["issuer", "members", "grants"] {
        rules.remove(&format!("{name}.cedar"));
    }
    settle(&app).await;
    let error = operator(&app, "/policies").await.json["last_error"].clone();
    assert!(error["message"].as_str().unwrap().contains("no *.cedar file"), "{error}");
    // The same failure is no news; another one is.
    app.clock.advance(60);
    app.app.follow_policies(Look::Now).await;
    assert_eq!(operator(&app, "/policies").await.json["last_error"], error);
    rules.put("x.cedar", "permit");
    settle(&app).await;
    let other = operator(&app, "/policies").await.json["last_error"].clone();
    assert_eq!(other["at"], "2026-11-22T12:01:00Z");
    rules.remove("x.cedar");
    for name in ["issuer", "members", "grants"] {
        let name = format!("{name}.cedar");
        std::fs::copy(Path::new("policies").join(&name), rules.policies().join(&name)).unwrap();
    }
    settle(&app).await;
    let told = operator(&app, "/policies").await.json;
    assert_eq!(
        (&told["last_error"], &told["hash"]),
        (&Value::Null, &json!(before)),
        "the old set, and no error"
    );
    assert_eq!(told["loaded_at"], "2026-11-22T12:00:00Z", "it was in force all the time");
    assert_eq!(private(&app, "/readyz").await.json["policy_error"], Value::Null);
    let metrics = private(&app, "/metrics").await.body;
    for line in ["reload_ok 1", "reloads_total{result=\"failed\"} 3", "reloads_total{result=\"unchanged\"} 1"]
    {
        assert!(metrics.contains(&format!("countersign_policy_{line}\n")), "{line}: {metrics}");
    }
}

/// The set with which a request begins decides it, also when another one is in force before it is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_under_the_set_that_it_began_with() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    // Once, so that the database has both sets and a change needs no write.
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    let closed = hash(&app);
    rules.remove("closed.cedar");
    settle(&app).await;
    app.granted(json!({})).await;
    let held = lock(&app);
    let assertion = app.assertion(json!({}));
    let (answer, ()) = tokio::join!(app.exchange(&assertion), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        rules.put("closed.cedar", CLOSED);
        settle(&app).await;
        assert_eq!(hash(&app), closed);
        drop(held);
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.last_sign_in().await.policy_set, open);
    app.refused(json!({}), "access_denied", "closed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_meanwhile_get_what_one_of_the_sets_says() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let exchanges = async {
        let mut statuses = Vec::new();
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let assertions: Vec<String> = (0..8).map(|_| app.assertion(json!({}))).collect();
            statuses.extend(futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await);
        }
        statuses
    };
    let reloads = async {
        for i in 0..50 {
            match i % 2 {
                0 => rules.put("closed.cedar", CLOSED),
                _ => rules.remove("closed.cedar"),
            }
            app.app.follow_policies(Look::Now).await;
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (answers, ()) = tokio::join!(exchanges, reloads);
    for answer in &answers {
        let refused = (answer.status, &answer.json["error"]) == (400, &json!("access_denied"));
        assert!(answer.status == 200 || refused, "{answer:?}");
    }
    let rows = app.sign_ins().await;
    assert_eq!(rows.len(), answers.len().min(1000));
    for row in &rows {
        let expected = if row.policy_set == open { ("granted", "") } else { ("refused", "closed") };
        assert_eq!((row.outcome.as_str(), row.reason.as_str()), expected);
    }
    let both =
        rows.iter().any(|row| row.outcome == "granted") && rows.iter().any(|row| row.outcome == "refused");
    assert!(both, "nothing was tested");
}

/// What a sign-in was decided by can be had again as long as the sign-in.
#[tokio::test]
async fn past_sets_are_kept_and_rebuilt() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    app.clock.advance(60);
    rules.put("clösed.cedar", CLOSED);
    settle(&app).await;
    let closed = hash(&app);
    for hash in [&open, &closed] {
        let prefix = hash[..10].to_owned();
        let set = app.app.store.read(move |c| policy_sets::find(c, &prefix)).await.unwrap().unwrap();
        let rebuilt = PolicySource::from_content(&set.content).unwrap().compile(0).unwrap();
        assert_eq!((&rebuilt.hash, &set.hash), (hash, hash));
    }
    let listed = operator(&app, "/policies/sets").await.json;
    let items = listed["items"].as_array().unwrap();
    let hashes: Vec<_> = items.iter().map(|item| (&item["hash"], &item["in_force"])).collect();
    assert_eq!(hashes, [(&json!(closed), &json!(true)), (&json!(open), &json!(false))]);
    assert_eq!(items[0]["first_loaded_at"], "2026-11-22T12:01:00Z");
    let shown = operator(&app, &format!("/policies/sets/{closed}")).await.json;
    assert!(shown["schema"].as_str().unwrap().contains("entity Teamspace"));
    let file = &shown["files"].as_array().unwrap()[0];
    assert_eq!(file, &json!(["clösed.cedar", CLOSED]));
    let page = operator(&app, "/policies/sets?limit=1").await.json;
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = operator(&app, &format!("/policies/sets?limit=1&cursor={cursor}")).await.json;
    assert_eq!((&next["items"][0]["hash"], &next["next_cursor"]), (&json!(open), &Value::Null));
    assert_eq!(operator(&app, "/policies/sets/none").await.status, 404);
}

#[tokio::test]
async fn a_prefix_of_two_hashes_names_neither() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let keep = |c: &mut _| {
        policy_sets::keep(c, "same-1", "{}", START)?;
        Ok::<_, StoreError>(policy_sets::keep(c, "same-2", "{}", START)?)
    };
    app.app.store.write(keep).await.unwrap();
    let error = app.app.store.read(|c| policy_sets::find(c, "same-")).await.unwrap_err();
    assert_eq!(error.to_string(), "several policy sets have a hash that begins with same-");
    let answer = operator(&app, "/policies/sets/same-").await;
    assert_eq!((answer.status, &answer.json["code"]), (400, &json!("hash_ambiguous")));
    assert_eq!(operator(&app, "/policies/sets/same-1").await.status, 200);
}

#[tokio::test]
async fn past_sets_go_with_their_sign_ins() {
    const DAY: i64 = 24 * 3600;
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    let kept = async || {
        app.app.prune().await.unwrap();
        let sets = app.app.store.read(policy_sets::list).await.unwrap();
        sets.into_iter().map(|set| set.hash).collect::<Vec<_>>()
    };
    app.clock.advance(90 * DAY + 300);
    assert_eq!(kept().await.len(), 2, "the last sign-ins under it may be minutes younger");
    app.clock.advance(1);
    assert_eq!(kept().await, [hash(&app)], "the one in force stays");
    rules.remove("closed.cedar");
    settle(&app).await;
    assert_eq!(kept().await.len(), 2);
    assert_eq!(hash(&app), open);
}

/// A set comes into force also when the database cannot be written, and is kept as soon as it can.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_kept_later_when_the_database_is_busy() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let held = lock(&app);
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    let closed = hash(&app);
    let stored = async || {
        let closed = closed.clone();
        app.app.store.read(move |c| policy_sets::find(c, &closed)).await.unwrap().is_some()
    };
    assert!(app.app.policies().files.iter().any(|file| file.name == "closed.cedar"));
    assert!(!stored().await);
    drop(held);
    app.app.keep_sets().await;
    assert!(stored().await);
}

/// The real process, with the management listener's address.
struct Process {
    child: Child,
    management: String,
}

impl Process {
    fn serve(rules: &Rules) -> Self {
        let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (listen, management) = (port().to_string(), port().to_string());
        let database = format!("sqlite://{}", rules.dir.path().join("test.db").display());
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("serve")
            .current_dir(rules.dir.path())
            .env("COUNTERSIGN_LISTEN", &listen)
            .env("COUNTERSIGN_MANAGEMENT_LISTEN", &management)
            .env("COUNTERSIGN_DATABASE_URL", database)
            .env("COUNTERSIGN_POLICY_DIR", "policies")
            .env("COUNTERSIGN_SCHEMA_FILE", "schema")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, management: format!("http://{management}") }
    }

    /// Waits until `/readyz` says something.
    async fn wait(&self, what: &str, told: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            if let Ok(response) = http().get(format!("{}/readyz", self.management)).send().await {
                let answer = Answer::of(response).await.json;
                if told(&answer) {
                    return answer;
                }
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{what} did not come");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_process_follows_its_files() {
    let rules = Rules::shipped();
    let mut process = Process::serve(&rules);
    let first = process.wait("the start", |told| told["policy_set"].is_string()).await;
    rules.put("closed.cedar", CLOSED);
    let second = process.wait("the change", |told| told["policy_set"] != first["policy_set"]).await;
    rules.put("closed.cedar", "forbid");
    let broken = process.wait("the failure", |told| told["policy_error"].is_object()).await;
    assert_eq!(broken["policy_set"], second["policy_set"]);
    rules.remove("closed.cedar");
    let last = process.wait("the old set", |told| told["policy_set"] == first["policy_set"]).await;
    assert_eq!(last["policy_error"], Value::Null);
    // A signal has them read though nothing has changed.
    let count = async || {
        let metrics = http().get(format!("{}/metrics", process.management)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        text.contains("countersign_policy_reloads_total{result=\"unchanged\"} 1\n")
    };
    assert!(!count().await);
    process.signal("HUP");
    let started = Instant::now();
    while !count().await {
        assert!(started.elapsed() < Duration::from_secs(30), "SIGHUP did nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.signal("TERM");
    assert!(process.child.wait().unwrap().success());
}
