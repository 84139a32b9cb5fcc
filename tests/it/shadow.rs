//! A second policy set that is asked and decides nothing.

use std::path::Path;
use std::process::{Command, Output};

use countersign::app::Look;
use countersign::exchange::scope::Candidates;
use countersign::policy::facts::{
    ClaimFacts, ClientFacts, Facts, MemberFacts, ResourceFacts, TeamspaceFacts,
};
use countersign::policy::{Policies, decide};
use countersign::shadow::{Counts, Decided, QUEUE};
use countersign::store::clients::AuthMethod;
use countersign::store::policy_sets;
use countersign::store::shadow::{self, Difference, MAX_DIFFERENCES, NewDifference, Run};
use countersign::store::sign_ins::{NewSignIn, SignIn};
use countersign::store::teamspaces::Plan;
use serde_json::{Value, json};

use crate::harness::{RESOURCE, START, TestApp};
use crate::reload::{CLOSED, Rules, lock, operator, private, settle};
use crate::replay::Process;
use crate::subject::futures_all;

/// docs.write is granted to nobody.
const NO_WRITE: &str = r#"@id("no-write") @reason("read_only") @error("invalid_scope") @message("Read only.")
    forbid (principal, action == Action::"GrantScope", resource == Scope::"docs.write");"#;

/// `rules` decide, `shadow` is tried.
async fn start(rules: &Rules, shadow: &Rules) -> TestApp {
    let (policy_dir, schema_file, shadow_dir) = (rules.policies(), rules.schema(), shadow.policies());
    TestApp::start_with(|config| {
        (config.policy_dir, config.schema_file) = (policy_dir, schema_file);
        config.policy.shadow_dir = Some(shadow_dir);
    })
    .await
}

fn with(text: &str) -> Rules {
    let rules = Rules::shipped();
    rules.put("rule.cedar", text);
    rules
}

fn counts(app: &TestApp) -> (u64, u64, u64) {
    let Counts { evaluated, different, dropped } = app.app.shadow.as_ref().unwrap().counts();
    (evaluated, different, dropped)
}

async fn flush(app: &TestApp) {
    app.app.shadow.as_ref().unwrap().flush(&app.app.store).await.unwrap();
}

async fn differences(app: &TestApp) -> Vec<Difference> {
    flush(app).await;
    let set = app.app.shadow.as_ref().unwrap().policies().unwrap().hash.clone();
    app.app.store.read(move |c| shadow::differences(c, &set, None)).await.unwrap()
}

/// The report's only group, as change and policies.
async fn only_group(app: &TestApp) -> (String, Value) {
    flush(app).await;
    let report = operator(app, "/policies/shadow").await.json;
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{report}");
    (groups[0]["change"].as_str().unwrap().to_owned(), groups[0]["policies"].clone())
}

#[tokio::test]
async fn without_a_directory_there_is_no_shadow() {
    let app = TestApp::start().await;
    assert!(app.app.shadow.is_none());
    app.granted(json!({})).await;
    app.app.follow_shadow(Look::Now).await;
    assert_eq!(operator(&app, "/policies").await.json["shadow"], Value::Null);
    assert_eq!(operator(&app, "/policies/shadow").await.status, 404);
}

#[tokio::test]
async fn a_set_that_agrees_is_counted_only() {
    let (rules, other) = (Rules::shipped(), with("// The same, but for this comment.\n"));
    let app = start(&rules, &other).await;
    app.granted(json!({})).await;
    app.refused(json!({ "resource": "https://else.example.com" }), "invalid_grant", "resource_not_allowed")
        .await;
    app.change_teamspace(|teamspace| teamspace.plan = Plan::Pro).await;
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
    assert_eq!(counts(&app), (2, 0, 0), "what is refused before policies are asked is not compared");
    assert!(differences(&app).await.is_empty());
    let report = operator(&app, "/policies/shadow").await.json;
    assert_eq!((&report["evaluated"], &report["different"]), (&json!(2), &json!(0)), "{report}");
    assert_eq!(report["since"], "2026-11-22T12:00:00Z");
}

/// The last row, without what is random.
async fn last_row(app: &TestApp) -> SignIn {
    let mut row = app.last_sign_in().await;
    for random in [&mut row.request_id, &mut row.assertion, &mut row.token_id, &mut row.member_id] {
        random.clear();
    }
    for text in [&mut row.detail, &mut row.issuer, &mut row.facts] {
        *text = text.replace(app.issuer(), "us").replace(&app.idp.issuer, "idp");
    }
    row
}

/// Answers and the decision log are what they are without a shadow set, whatever it says.
#[tokio::test]
async fn nothing_changes_but_what_is_recorded() {
    let (rules, other) = (Rules::shipped(), with(CLOSED));
    let (tried, alone) = (start(&rules, &other).await, rules.start().await);
    let requests = [
        json!({}),
        json!({ "scope": "docs.read docs.write" }),
        json!({ "scope": "docs.unknown" }),
        json!({ "email": null, "sub": "00u2" }),
        json!({ "aud": "https://else.example.com" }),
    ];
    for changes in requests {
        let one = tried.exchange(&tried.assertion(changes.clone())).await;
        let two = alone.exchange(&alone.assertion(changes.clone())).await;
        assert_eq!(one.status, two.status);
        for member in ["scope", "error", "error_description", "expires_in", "token_type"] {
            assert_eq!(one.json[member], two.json[member], "{changes}");
        }
        assert_eq!(last_row(&tried).await, last_row(&alone).await, "{changes}");
    }
    assert_eq!(counts(&tried), (3, 3, 0));
}

#[tokio::test]
async fn what_would_be_refused_is_recorded() {
    let (rules, other) = (Rules::shipped(), with(CLOSED));
    let app = start(&rules, &other).await;
    let answer = app.granted(json!({ "groups": ["staff"] })).await;
    let found = differences(&app).await;
    let (row, sign_in) = (&found[0], app.last_sign_in().await);
    assert_eq!((found.len(), row.at, &row.request_id), (1, START, &sign_in.request_id));
    assert_eq!(row.request_id, answer.header("x-request-id"));
    assert_eq!((&row.teamspace_id, &row.policy_set), (&sign_in.teamspace_id, &sign_in.policy_set));
    assert_eq!(row.facts, sign_in.facts);
    let outcome: Value = serde_json::from_str(&row.actual).unwrap();
    assert_eq!(outcome, json!({ "outcome": "granted", "scopes": ["docs.read"] }));
    let outcome: Value = serde_json::from_str(&row.shadow).unwrap();
    assert_eq!(outcome, json!({ "outcome": "refused", "error": "access_denied", "reasons": ["closed"] }));
    let (change, policies) = only_group(&app).await;
    assert_eq!(change, "granted → refused: closed");
    assert_eq!(policies, json!({ "actual": ["issuer.own"], "shadow": ["closed"] }));
    let told = operator(&app, "/policies/shadow?teamspace=acme&limit=1").await.json;
    assert_eq!(told["latest"][0]["request_id"], row.request_id);
    assert_eq!((&told["latest"][0]["teamspace"], &told["recorded"]), (&json!("acme"), &json!(1)));
    assert_eq!(operator(&app, "/policies/shadow?teamspace=nobody").await.status, 404);
    assert_eq!(operator(&app, "/policies/shadow?set=nothing").await.status, 404);
    let set = app.app.shadow.as_ref().unwrap().policies().unwrap();
    let told = operator(&app, "/policies").await.json["shadow"].clone();
    assert_eq!(
        (&told["hash"], &told["evaluated"], &told["different"]),
        (&json!(set.hash), &json!(1), &json!(1))
    );
    assert_eq!((&told["last_error"], &told["loaded_at"]), (&Value::Null, &json!("2026-11-22T12:00:00Z")));
    assert_eq!(told["files"].as_array().unwrap().len(), 4);
    let metrics = private(&app, "/metrics").await.body;
    for line in ["reload_ok 1", "evaluated_total 1", "different_total 1", "dropped_total 0"] {
        assert!(metrics.contains(&format!("countersign_shadow_{line}\n")), "{line}: {metrics}");
    }
    assert!(
        metrics.contains(&format!("countersign_shadow_set_info{{hash=\"{}\"}} 1\n", set.hash)),
        "{metrics}"
    );
    let hash = set.hash.clone();
    let kept = app.app.store.read(move |c| policy_sets::find(c, &hash)).await.unwrap();
    assert!(kept.is_some(), "it can be looked up as the others");
}

#[tokio::test]
async fn changes_are_told_in_a_few_words() {
    let both = json!({ "scope": "docs.read docs.write" });
    let other_reason = CLOSED.replace("\"closed\"", "\"shut\"");
    let other_code = CLOSED.replace("access_denied", "invalid_grant");
    for (rule, shadow, changes, change, policies) in [
        (CLOSED, "", json!({}), "refused: closed → granted", json!([["closed"], ["issuer.own"]])),
        (
            "",
            NO_WRITE,
            both.clone(),
            "scopes lost: docs.write",
            json!([["scope.pass-through"], ["no-write"]]),
        ),
        (NO_WRITE, "", both, "scopes gained: docs.write", json!([["no-write"], ["scope.pass-through"]])),
        (CLOSED, &other_reason, json!({}), "refused: closed → refused: shut", json!([["closed"], ["shut"]])),
        (
            CLOSED,
            &other_code,
            json!({}),
            "refused: closed (access_denied) → refused: closed (invalid_grant)",
            json!([[], []]),
        ),
    ] {
        let app = start(&with(rule), &with(shadow)).await;
        app.exchange(&app.assertion(changes)).await;
        let (told, named) = only_group(&app).await;
        assert_eq!(told, change);
        assert_eq!(json!([named["actual"], named["shadow"]]), policies, "{change}");
    }
}

/// A decision is compared when it has taken effect: not those that are made again because the facts changed, and
/// not for an assertion that was used before.
#[tokio::test(flavor = "multi_thread")]
async fn each_exchange_counts_once() {
    let app = start(&Rules::shipped(), &with(CLOSED)).await;
    let assertions: Vec<String> = (0..32).map(|_| app.assertion(json!({}))).collect();
    let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(counts(&app), (32, 32, 0));
    app.refused_assertion(&assertions[0], "invalid_grant", "replayed").await;
    assert_eq!(counts(&app), (32, 32, 0));
    assert_eq!(differences(&app).await.len(), 32);
}

#[tokio::test]
async fn a_shadow_set_that_cannot_be_read_stops_nothing() {
    let (rules, other) = (Rules::shipped(), with("forbid"));
    let app = start(&rules, &other).await;
    app.granted(json!({})).await;
    assert_eq!(counts(&app), (0, 0, 0));
    let told = operator(&app, "/policies").await.json;
    assert_eq!((&told["shadow"]["hash"], &told["last_error"]), (&Value::Null, &Value::Null), "{told}");
    assert!(told["shadow"]["last_error"]["file"].as_str().unwrap().ends_with("rule.cedar"), "{told}");
    let metrics = private(&app, "/metrics").await.body;
    assert!(metrics.contains("countersign_shadow_reload_ok 0\n"), "{metrics}");
    assert!(!metrics.contains("countersign_shadow_set_info"), "{metrics}");
    let follow = async || {
        app.app.follow_shadow(Look::IfChanged).await;
        app.app.follow_shadow(Look::IfChanged).await;
    };
    other.put("rule.cedar", CLOSED);
    follow().await;
    app.granted(json!({})).await;
    assert_eq!(counts(&app), (1, 1, 0));
    std::fs::remove_dir_all(other.policies()).unwrap();
    follow().await;
    app.granted(json!({})).await;
    assert_eq!(counts(&app), (2, 2, 0), "the last good one is asked");
    let error = operator(&app, "/policies").await.json["shadow"]["last_error"].clone();
    assert!(error["message"].as_str().unwrap().contains("directory"), "{error}");
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    app.refused(json!({}), "access_denied", "closed").await;
    assert_eq!(counts(&app), (3, 2, 0), "now they agree");
    flush(&app).await;
    let runs = app.app.store.read(shadow::runs).await.unwrap();
    let counted: Vec<_> = runs.iter().map(|run| (run.evaluated, run.different)).collect();
    assert_eq!(counted.len(), 2, "one for each set in force: {runs:?}");
    assert_eq!(counted.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1)), (3, 2));
}

#[tokio::test]
async fn a_shadow_policy_that_errs_is_a_difference() {
    let rule = r#"@id("overflows") @reason("never_said") @error("access_denied") @message("x")
        forbid (principal, action == Action::"GrantResource", resource)
        when { context.now.toTime().toMilliseconds() * 9223372036854775807 > 0 };"#;
    let app = start(&Rules::shipped(), &with(rule)).await;
    assert!(app.app.shadow.as_ref().unwrap().files.last_error().is_none());
    app.granted(json!({})).await;
    let (change, policies) = only_group(&app).await;
    assert_eq!(
        (change.as_str(), &policies["shadow"]),
        ("granted → refused: policy_error", &json!(["overflows"]))
    );
}

fn facts() -> Facts {
    Facts {
        now: START,
        teamspace: TeamspaceFacts {
            slug: "acme".into(),
            plan: Plan::Enterprise,
            issuer: Some("https://acme.okta.com".into()),
            scope_setting: None,
            email_domains: vec![],
        },
        client: ClientFacts {
            client_id: "c".into(),
            groups: vec![],
            public: false,
            auth_method: AuthMethod::Basic,
        },
        claims: ClaimFacts {
            iss: "https://acme.okta.com".into(),
            sub: "00u1".into(),
            ..ClaimFacts::default()
        },
        member: MemberFacts::Absent { seats_used: 0, seats_limit: None },
        resource: ResourceFacts { identifier: RESOURCE.into(), published: true, default_scopes: vec![] },
        candidates: Candidates::default(),
        key_bound: false,
    }
}

fn compare(app: &TestApp, policies: &Policies, times: usize) {
    let facts = facts();
    let decision = decide(&policies.compiled, &facts);
    let decided = Decided { policies, facts: &facts, decision: &decision };
    let sign_in = NewSignIn { at: START, ..NewSignIn::default() };
    (0..times).for_each(|_| app.app.shadow.as_ref().unwrap().compare(&decided, &sign_in));
}

/// Nobody waits for the record: what does not fit is counted.
#[tokio::test]
async fn differences_beyond_the_queue_are_counted_only() {
    let app = start(&Rules::shipped(), &with(CLOSED)).await;
    let policies = app.app.policies();
    let more = QUEUE + 5;
    compare(&app, &policies, more);
    assert_eq!(counts(&app), (more as u64, more as u64, 5));
    assert_eq!(differences(&app).await.len(), QUEUE);
    compare(&app, &policies, 1);
    assert_eq!(differences(&app).await.len(), QUEUE + 1, "there is room again");
    let report = operator(&app, "/policies/shadow").await.json;
    let told = [&report["evaluated"], &report["different"], &report["dropped"], &report["recorded"]];
    assert_eq!(told, [&json!(more + 1), &json!(more + 1), &json!(5), &json!(QUEUE + 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_written_later() {
    let app = start(&Rules::shipped(), &with(CLOSED)).await;
    let policies = app.app.policies();
    compare(&app, &policies, 3);
    let held = lock(&app);
    app.app.shadow.as_ref().unwrap().flush(&app.app.store).await.unwrap_err();
    compare(&app, &policies, QUEUE - 1);
    drop(held);
    assert_eq!(differences(&app).await.len(), QUEUE);
    let run = app.app.store.read(shadow::runs).await.unwrap().remove(0);
    assert_eq!((run.evaluated, run.different, run.dropped), (QUEUE as i64 + 2, QUEUE as i64 + 2, 2));
}

fn row(at: i64) -> NewDifference {
    NewDifference {
        at,
        request_id: at.to_string(),
        teamspace_id: None,
        policy_set: "p".into(),
        shadow_set: "s".into(),
        actual: "{}".into(),
        shadow: "{}".into(),
        policies: "{}".into(),
        facts: "{}".into(),
    }
}

#[tokio::test]
async fn old_differences_go() {
    let app = TestApp::start().await;
    let run = Run {
        shadow_set: "s".into(),
        policy_set: "p".into(),
        since: START,
        until: START,
        evaluated: 1,
        different: 1,
        dropped: 0,
    };
    let ids = async || {
        let rows = app.app.store.read(|c| shadow::differences(c, "s", None)).await.unwrap();
        rows.iter().map(|row| row.at - START).collect::<Vec<_>>()
    };
    let rows: Vec<_> = (0..MAX_DIFFERENCES + 5).map(|i| row(START + i)).collect();
    app.app.store.write(move |c| shadow::record(c, &rows, &[run])).await.unwrap();
    let kept = ids().await;
    assert_eq!((kept.len() as i64, kept[0]), (MAX_DIFFERENCES, MAX_DIFFERENCES + 4));
    app.clock.advance(90 * 24 * 3600 + MAX_DIFFERENCES);
    app.app.prune().await.unwrap();
    assert_eq!(ids().await, [4, 3, 2, 1, 0].map(|i| MAX_DIFFERENCES + i));
    assert!(app.app.store.read(shadow::runs).await.unwrap().is_empty());
}

fn countersign(app: &TestApp, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["policy", "shadow"]).args(args).current_dir(app.dir.path());
    command.env("COUNTERSIGN_DATABASE_URL", &app.app.config.database_url).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn the_command_line_sums_up() {
    let app = start(&Rules::shipped(), &with(NO_WRITE)).await;
    let out = countersign(&app, &[]);
    assert_eq!(out.status.code(), Some(2), "nothing is known yet");
    assert!(text(&out.stderr).contains("policy.shadow_dir"));
    app.granted(json!({})).await;
    flush(&app).await;
    let out = countersign(&app, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("1 decisions, 0 differ (0.00%)"), "{}", text(&out.stdout));
    app.granted(json!({ "scope": "docs.read docs.write" })).await;
    let id = app.last_sign_in().await.request_id;
    flush(&app).await;
    let out = countersign(&app, &["--teamspace", "acme"]);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{shown}");
    for part in [
        "since 2026-11-22T12:00:00Z: 2 decisions, 1 differ (50.00%)",
        "1  scopes lost: docs.write",
        "shadow: no-write",
        &id,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let hash = app.app.shadow.as_ref().unwrap().policies().unwrap().hash.clone();
    let out = countersign(&app, &["--format", "json", "--set", &hash[..8], "--limit", "0"]);
    let told: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&told["shadow_set"], &told["latest"]), (&json!(hash), &json!([])));
    app.put_teamspace("globex").await;
    assert_eq!(countersign(&app, &["--teamspace", "globex"]).status.code(), Some(0), "none of theirs");
    assert_eq!(countersign(&app, &["--teamspace", "nobody"]).status.code(), Some(2));
    assert_eq!(countersign(&app, &["--set", "-none"]).status.code(), Some(2));
    assert_eq!(countersign(&app, &["--clear", "--set", "-none"]).status.code(), Some(2));
    let out = countersign(&app, &["--clear"]);
    assert_eq!(
        (out.status.code(), text(&out.stdout)),
        (Some(0), format!("forgot 1 differences of the shadow set {hash}\n"))
    );
    assert_eq!(countersign(&app, &[]).status.code(), Some(2));
    assert_eq!(operator(&app, "/audit").await.json["items"][0]["action"], "policy_shadow.clear");
}

/// What was found out just before a stop is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_down_what_was_found() {
    let other = with(CLOSED);
    let app = TestApp::start().await;
    let variable = format!("COUNTERSIGN_POLICY__SHADOW_DIR={}", other.policies().display());
    let mut process = Process::serve(&app, &variable);
    for _ in 0..5 {
        let answer =
            process.exchange(&app.assertion(json!({ "iat": now(), "exp": now() + 60 }))).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let status = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status();
    assert!(status.unwrap().success() && process.child.wait().unwrap().success());
    let run = app.app.store.read(shadow::runs).await.unwrap().remove(0);
    assert_eq!((run.evaluated, run.different), (5, 5));
}

fn now() -> i64 {
    use countersign::clock::{Clock as _, SystemClock};
    SystemClock.now()
}

#[test]
fn a_shadow_directory_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("c.toml"), "[policy]\nshadow_dir = \"policies\"").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let args = ["config", "check", "--config", "c.toml"];
    let out = Command::new(program).args(args).current_dir(dir.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("policy.shadow_dir"), "{}", text(&out.stderr));
}
