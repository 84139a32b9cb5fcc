//! `policy explain` and `POST /teamspaces/{slug}/explain`.

use std::path::Path;
use std::process::{Command, Output};

use countersign::config::Duration;
use countersign::model::member::Status;
use countersign::policy::PolicySource;
use countersign::policy::authoring::cases;
use countersign::policy::engine::clauses::Clause;
use countersign::store::admin_tokens::{self, AdminToken};
use countersign::store::{self, StoreError, policy_sets};
use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT, RESOURCE, START, TestApp};
use crate::idp::{FakeIdp, Key};

pub fn policy_explain(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["policy", "explain"]).args(arguments).output().unwrap()
}

/// An admin token, of a teamspace if its id is given.
pub async fn admin(app: &TestApp, teamspace_id: Option<&str>) -> String {
    let token = countersign::random::secret().unwrap();
    let row = AdminToken {
        id: format!("t{}", teamspace_id.unwrap_or_default()),
        name: "t".into(),
        token_digest: countersign::random::digest(&token),
        teamspace_id: teamspace_id.map(str::to_owned),
        created_at: START,
        expires_at: None,
    };
    let insert = move |c: &mut store::AnyConnection| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?);
    app.app.store.write(insert).await.unwrap();
    token
}

pub async fn explain(app: &TestApp, token: &str, slug: &str, body: Value) -> Answer {
    let url = format!("{}/api/v1/teamspaces/{slug}/explain", app.issuer());
    Answer::of(crate::harness::http().post(url).bearer_auth(token).json(&body).send().await.unwrap()).await
}

fn outcome<'a>(answer: &'a Answer, check: &str) -> &'a str {
    let checks = answer.json["checks"].as_array().unwrap();
    checks.iter().find(|c| c["check"] == check).unwrap()["outcome"].as_str().unwrap()
}

/// Checks before the failed one passed, those after it were not reached.
fn assert_failed_at(answer: &Answer, check: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let checks = answer.json["checks"].as_array().unwrap();
    let at = checks.iter().position(|c| c["check"] == check).unwrap();
    for (index, checked) in checks.iter().enumerate() {
        let expected = match index.cmp(&at) {
            std::cmp::Ordering::Less => "passed",
            std::cmp::Ordering::Equal => "failed",
            std::cmp::Ordering::Greater => "not_reached",
        };
        assert_eq!(checked["outcome"], expected, "{check}: {checked}");
    }
    assert_eq!(answer.json["token"], Value::Null);
}

/// A good assertion: every check, every decision, the token; and nothing was written or used up.
#[tokio::test]
async fn a_good_assertion_is_explained_and_stays_good() {
    let app = TestApp::start().await;
    let token = admin(&app, None).await;
    let (assertion, before) = (app.assertion(json!({})), app.written().await);
    let answer = explain(&app, &token, "acme", json!({ "assertion": assertion, "client_id": CLIENT })).await;
    assert!(answer.json["checks"].as_array().unwrap().iter().all(|c| c["outcome"] == "passed"), "{answer:?}");
    let decisions = answer.json["decisions"].as_array().unwrap();
    let actions: Vec<_> = decisions.iter().map(|d| d["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["TrustIssuer", "ProvisionMember", "GrantResource", "GrantScope"]);
    assert_eq!(decisions[0]["findings"][0]["policy"], "issuer.own");
    assert_eq!(answer.json["token"]["scope"], "docs.read");
    assert_eq!(answer.json["token"]["aud"], RESOURCE);
    assert_eq!(answer.json["policy_set"], app.app.policies().hash.as_str());
    assert_eq!(answer.json["error"], Value::Null);
    assert_eq!(app.written().await, before, "nothing is written");
    assert_eq!(app.exchange(&assertion).await.status, 200, "it was not redeemed");
    let again = explain(&app, &token, "acme", json!({ "assertion": assertion, "client_id": CLIENT })).await;
    assert_failed_at(&again, "single_use");
    assert_eq!(again.json["error"]["reason"], "replayed");
    assert_eq!(outcome(&again, "policies"), "passed");
}

/// ERR-04: every way to fail is told as what it is, at the check that failed.
#[tokio::test]
async fn a_failing_assertion_is_explained_at_its_check() {
    let app = TestApp::start().await;
    let token = admin(&app, None).await;
    let stranger = FakeIdp::start(Key::es256("k")).await;
    let ask = async |assertion: String, more: Value| {
        let mut body = json!({ "assertion": assertion, "client_id": CLIENT });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        explain(&app, &token, "acme", body).await
    };
    for (changes, more, check, reason) in [
        (json!({}), json!({ "client_id": "nobody" }), "client", "client_unknown"),
        (json!({ "iss": stranger.issuer }), json!({}), "issuer", "issuer_unknown"),
        (json!({ "jti": null }), json!({}), "claims", "claim_missing"),
        (json!({ "acr": 7 }), json!({}), "claims", "claim_malformed"),
        (json!({ "cnf": {} }), json!({}), "claims", "cnf_unsupported"),
        (json!({ "aud": "https://other" }), json!({}), "audience", "aud_mismatch"),
        (json!({ "client_id": "other" }), json!({}), "client_binding", "client_id_mismatch"),
        (json!({ "exp": START - 100, "iat": START - 200 }), json!({}), "times", "expired"),
        (json!({ "iat": START + 100, "exp": START + 200 }), json!({}), "times", "not_yet_valid"),
        (json!({ "exp": START + 10_000 }), json!({}), "times", "lifetime_too_long"),
        (json!({ "aud_tenant": "globex" }), json!({}), "tenant", "tenant_mismatch"),
        (json!({ "resource": "https://nowhere" }), json!({}), "resource", "resource_not_allowed"),
        (json!({}), json!({ "resource": "https://nowhere" }), "resource", "resource_not_allowed"),
        (json!({ "scope": "unheard.of" }), json!({}), "scopes", "scope_unknown"),
        (json!({ "email": null }), json!({}), "policies", "email_missing"),
        (json!({ "email": 7 }), json!({}), "policies", "claim_malformed"),
        (json!({ "session_expiry": START - 1 }), json!({}), "token", "expired"),
    ] {
        let answer = ask(app.assertion(changes), more).await;
        assert_failed_at(&answer, check);
        assert_eq!(answer.json["error"]["reason"], reason, "{answer:?}");
    }
    let answer = ask("x.y".into(), json!({})).await;
    assert_failed_at(&answer, "format");
    let mut altered = app.assertion(json!({}));
    altered.replace_range(altered.len() - 6.., "AAAAAA");
    assert_failed_at(&ask(altered, json!({})).await, "signature");
}

/// A request with two faults fails at the first: the order of explanations is the order of the token endpoint.
#[tokio::test]
async fn the_order_of_the_checks_is_the_order_of_the_exchange() {
    let app = TestApp::start().await;
    let token = admin(&app, None).await;
    let faults = [
        json!({ "jti": null }),
        json!({ "aud": "https://other" }),
        json!({ "client_id": "other" }),
        json!({ "exp": START - 100, "iat": START - 200 }),
        json!({ "aud_tenant": "globex" }),
        json!({ "resource": "https://nowhere" }),
        json!({ "scope": "unheard.of" }),
        json!({ "email": null }),
    ];
    for (index, first) in faults.iter().enumerate() {
        for second in &faults[index + 1..] {
            let mut both = second.clone();
            both.as_object_mut().unwrap().extend(first.as_object().unwrap().clone());
            let assertion = app.assertion(both);
            let body = json!({ "assertion": assertion, "client_id": CLIENT });
            let explained = explain(&app, &token, "acme", body).await;
            app.exchange(&assertion).await;
            assert_eq!(explained.json["error"]["reason"], app.last_sign_in().await.reason.as_str());
        }
    }
}

/// Which clients there are is not told to a teamspace, unless its own identity provider has issued for one.
#[tokio::test]
async fn a_teamspace_cannot_ask_which_clients_there_are() {
    let app = TestApp::start().await;
    let token = admin(&app, Some("id-of-acme")).await;
    let ask = async |assertion: &str, client: &str| {
        let body = json!({ "assertion": assertion, "client_id": client });
        explain(&app, &token, "acme", body).await
    };
    let other = app.assertion(json!({ "client_id": "other" }));
    let expired = app.assertion(json!({ "exp": START - 100, "iat": START - 200, "client_id": "other" }));
    let altered = format!("{}AAAA", &other[..other.len() - 4]);
    for assertion in [other.as_str(), &expired, &altered, "x.y"] {
        let (known, unknown) = (ask(assertion, CLIENT).await, ask(assertion, "nobody").await);
        assert_eq!(known.body.replace(CLIENT, "nobody"), unknown.body);
    }
    let issued = app.assertion(json!({ "client_id": "nobody" }));
    let answer = ask(&issued, "nobody").await;
    assert_failed_at(&answer, "client");
    assert_eq!(answer.json["error"]["reason"], "client_unknown");
}

/// To a teamspace's administrator another teamspace's issuer is as unknown as any, down to its slash.
#[tokio::test]
async fn other_teamspaces_stay_hidden() {
    let app = TestApp::start().await;
    let (other, key) = (FakeIdp::start(Key::es256("k2")).await, Key::es256("k2"));
    app.put_teamspace("globex").await;
    app.put_provider("globex", &other).await;
    let token = admin(&app, Some("id-of-acme")).await;
    for issuer in [other.issuer.clone(), format!("{}/", other.issuer)] {
        let mut claims = app.claims();
        claims.insert("iss".into(), issuer.into());
        let body = json!({ "assertion": key.assertion(&claims), "client_id": CLIENT });
        let answer = explain(&app, &token, "acme", body).await;
        assert_failed_at(&answer, "issuer");
        assert_eq!(answer.json["error"]["reason"], "issuer_unknown");
        assert_eq!(answer.json["error"]["detail"], "");
    }
    let own = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
    assert_eq!(explain(&app, &token, "acme", own.clone()).await.json["error"], Value::Null);
    assert_eq!(explain(&app, &token, "globex", own.clone()).await.status, 404);
    assert_eq!(explain(&app, "wrong", "acme", own).await.status, 401);
}

#[tokio::test]
async fn a_malformed_question_is_a_problem() {
    let app = TestApp::start().await;
    let token = admin(&app, None).await;
    for body in
        [json!({}), json!({ "assertion": "x" }), json!({ "assertion": "x", "client_id": "c", "more": 1 })]
    {
        let answer = explain(&app, &token, "acme", body).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    let body = json!({ "assertion": "x", "client_id": "c", "scope": "\"" });
    assert_eq!(explain(&app, &token, "acme", body).await.json["code"], "scope_invalid");
}

/// The first false clause is told, with what it looked at; values that are not there are told as absent.
#[test]
fn the_clause_that_made_the_difference_is_told() {
    let source = PolicySource::read(Path::new("policies"), Path::new("schema/countersign.cedarschema"));
    let policies = source.unwrap().compile(0).unwrap();
    let all = cases::read(Path::new("policies/tests")).unwrap();
    let telling = |name: &str, action: &str, policy: &str| -> Clause {
        let case = all.iter().find(|case| case.name.ends_with(name)).unwrap();
        let explained = cases::explain_case(&policies.compiled, case);
        let decision = explained.iter().find(|e| e.answer.action.name() == action).unwrap();
        let finding = decision.findings.iter().find(|finding| finding.policy == policy).unwrap();
        finding.telling().unwrap().clone()
    };
    let seats = telling("seats are for new people: full", "ProvisionMember", "member.seat-limit");
    assert_eq!((seats.text.as_str(), seats.holds), ("context.seats_used >= context.seats_limit", Some(true)));
    assert_eq!(seats.values["context.seats_used"], "100");
    let issuer = telling("another's", "TrustIssuer", "issuer.own");
    assert_eq!((issuer.kind, issuer.holds), ("when", Some(false)));
    assert_eq!(issuer.values["principal"], "Issuer::\"https://evil.okta.com\"");
    let domain = telling("one of the teamspace's: another", "ProvisionMember", "member.email-domain");
    assert_eq!((domain.kind, domain.holds), ("unless", Some(false)));
    assert_eq!(domain.values["context.claims.email_domain"], "\"other.com\"");
}

/// A policy as deep as policies may be is explained on a thread of the service as any other.
#[tokio::test(flavor = "multi_thread")]
async fn deep_clauses_are_explained() {
    let (app, config) = database(|_| {}).await;
    let with = app.dir.path().join("deep.cedar");
    for joined in
        [vec!["context.weekday == 9"; 90].join(" || "), format!("{} == 1", vec!["1"; 180].join(" + "))]
    {
        let rule = format!(
            "@id(\"deep\") @reason(\"deep\") @error(\"access_denied\") @message(\"m\")
            forbid (principal, action, resource) unless {{ {joined} }};"
        );
        std::fs::write(&with, rule).unwrap();
        let output = policy_explain(&["--config", &config, "--with", with.to_str().unwrap(), "people: full"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("forbid deep applies"), "{text}");
    }
    let dir = app.dir.path().join("policies");
    std::fs::create_dir(&dir).unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        std::fs::copy(Path::new("policies").join(name), dir.join(name)).unwrap();
    }
    // Unoptimized, an evaluation takes more of a small stack: there the deepest is a denial, and no crash.
    let shallow = "@id(\"deep\") @reason(\"deep\") @error(\"access_denied\") @message(\"m\")
        forbid (principal, action, resource) unless { 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 == 1 };";
    for (rule, reasons) in [
        (shallow.to_owned(), &["deep"] as &[&str]),
        (std::fs::read_to_string(&with).unwrap(), &["deep", "policy_error"]),
    ] {
        std::fs::write(dir.join("deep.cedar"), rule).unwrap();
        let policies = dir.clone();
        let app = TestApp::start_with(|config| config.policy_dir = Some(policies)).await;
        let token = admin(&app, None).await;
        let body = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
        let answer = explain(&app, &token, "acme", body).await;
        assert_failed_at(&answer, "policies");
        let decision = &answer.json["decisions"][0];
        assert!(reasons.contains(&decision["reasons"][0].as_str().unwrap()), "{decision}");
        assert_eq!(decision["findings"][0]["policy"], "deep");
    }
}

pub async fn database(configure: impl FnOnce(&mut countersign::config::Config)) -> (TestApp, String) {
    let app = TestApp::start_with(configure).await;
    let url = app.app.config.database_url.clone();
    let config = app.dir.path().join("explain.toml");
    let root = env!("CARGO_MANIFEST_DIR");
    let text = format!(
        "issuer = {:?}\ndatabase_url = {url:?}\npolicy_dir = \"{root}/policies\"\nschema_file = \"{root}/schema/countersign.cedarschema\"\n[fetch]\nprivate_origins = [{:?}]\n[assertion]\nmax_lifetime = \"1h\"\n",
        app.issuer(),
        app.idp.issuer,
    );
    std::fs::write(&config, text).unwrap();
    (app, config.display().to_string())
}

/// A past sign-in is decided again on the facts of then: the same set says the same, another says what changes.
#[tokio::test(flavor = "multi_thread")]
async fn past_sign_ins_are_replayed() {
    let (app, config) = database(|_| {}).await;
    app.granted(json!({ "groups": ["writers", "readers"] })).await;
    let row = app.last_sign_in().await;
    for key in [row.id.to_string(), row.request_id.clone()] {
        let same = policy_explain(&["--config", &config, &key]);
        let text = String::from_utf8(same.stdout).unwrap();
        assert_eq!(same.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&same.stderr));
        assert!(text.contains("The same as then") && text.contains("✓ GrantScope docs.read"), "{text}");
    }
    // An id may begin with a hyphen, and is no option then.
    let nobody = policy_explain(&["--config", &config, "-7zz"]);
    let error = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(!error.contains("unexpected argument") && error.contains("no case in"), "{error}");
    let rule = |group: &str| {
        format!(
            "@id(\"t\") @reason(\"group_required\") @error(\"invalid_scope\") @message(\"m\")
            forbid (principal, action == Action::\"GrantScope\", resource) unless {{ principal in Group::\"acme/{group}\" }};"
        )
    };
    let with = app.dir.path().join("with.cedar");
    for (group, code) in [("readers", 0), ("editors", 1)] {
        std::fs::write(&with, rule(group)).unwrap();
        let arguments =
            ["--config", &config, "--with", with.to_str().unwrap(), "--format", "json", &row.id.to_string()];
        let output = policy_explain(&arguments);
        assert_eq!(output.status.code(), Some(code), "{group}: groups are known as digests");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["sign_in"]["outcome"], "granted");
        if code == 1 {
            assert_eq!(told["differences"][0]["after"]["reasons"], json!(["group_required"]));
            assert_eq!(told["differences"][0]["before"]["allowed"], true);
        }
    }
    app.exchange("not-an-assertion").await;
    let early = policy_explain(&["--config", &config, &app.last_sign_in().await.id.to_string()]);
    assert!(String::from_utf8(early.stdout).unwrap().contains("nothing to replay"));
    assert_eq!(policy_explain(&["--config", &config, "99999"]).status.code(), Some(2));
}

/// A stranger's client id neither moves the cursor of the operator's terminal nor begins a line.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_text_is_shown_with_escapes() {
    let (app, config) = database(|_| {}).await;
    let name = "\u{1b}]0;owned\u{7}a\u{9b}2J\u{202e}b\nSign-in 9: granted\r";
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", "x"),
        ("client_id", name),
    ];
    let request = app.http.post(app.token_url()).form(&[&form[..], &[("client_secret", "x")]].concat());
    assert_eq!(request.send().await.unwrap().status(), 401);
    let row = app.last_sign_in().await;
    assert_eq!(row.client_id, name);
    let id = row.id.to_string();
    let told = String::from_utf8(policy_explain(&["--config", &config, &id]).stdout).unwrap();
    let shown = r"client \u{1b}]0;owned\u{7}a\u{9b}2J\u{202e}b\u{a}Sign-in 9: granted\u{d}, issuer unknown";
    assert!(told.contains(shown), "{told:?}");
    let json = policy_explain(&["--config", &config, "--format", "json", &id]).stdout;
    let json = String::from_utf8(json).unwrap();
    for text in [&told, &json] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
    }
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["sign_in"]["client_id"], name);
}

/// The command verifies a real assertion as the service does, and leaves it good.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_explained_by_the_command() {
    let (app, config) = database(|config| config.assertion.max_lifetime = Duration::from_secs(3600)).await;
    app.put_member("dana@acme.com", Status::Suspended).await;
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let assertion = app.assertion(json!({ "iat": now, "exp": now + 300 }));
    let file = app.dir.path().join("id-jag.txt");
    std::fs::write(&file, format!("{assertion}\n")).unwrap();
    let (file, before) = (file.to_str().unwrap().to_owned(), app.written().await);
    let output = policy_explain(&["--config", &config, "--assertion", &file, "--client-id", CLIENT]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("✓ signature") && text.contains("✗ policies"), "{text}");
    assert!(text.contains("Refused: access_denied (member_inactive)"), "{text}");
    assert!(text.contains("context.status = MemberStatus::\"suspended\""), "{text}");
    assert_eq!(app.written().await, before);
    // Nor does the database get a signing key, or a set that was never in force.
    let digest = |app: &TestApp| app.database.contents();
    let before = (digest(&app), app.app.store.read(policy_sets::list).await.unwrap());
    let other =
        format!("{}\n[access_token]\nsigning_alg = \"EdDSA\"\n", std::fs::read_to_string(&config).unwrap());
    std::fs::write(&config, other).unwrap();
    let draft = app.dir.path().join("draft");
    std::fs::create_dir(&draft).unwrap();
    std::fs::copy("policies/issuer.cedar", draft.join("issuer.cedar")).unwrap();
    let draft = draft.to_str().unwrap();
    let arguments = ["--config", &config, "--assertion", &file, "--client-id", CLIENT, "--policies", draft];
    assert_eq!(policy_explain(&arguments).status.code(), Some(1));
    assert_eq!((digest(&app), app.app.store.read(policy_sets::list).await.unwrap()), before);
    let keys = app.app.store.read(countersign::store::signing_keys::all).await.unwrap();
    assert_eq!(keys.len(), 1);
    let missing = policy_explain(&["--config", &config, "--assertion", "nowhere", "--client-id", CLIENT]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn cases_are_found_by_name() {
    let output = policy_explain(&["new people: full"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("context.seats_used = 100"), "{text}");
    let several = policy_explain(&["no email"]);
    assert_eq!(several.status.code(), Some(2));
    assert!(String::from_utf8(several.stderr).unwrap().contains("several cases"));
    assert_eq!(policy_explain(&["no such case at all"]).status.code(), Some(2));
    assert_eq!(policy_explain(&[]).status.code(), Some(2));
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    for arguments in [
        &["new people: full", "--client-id", "b"] as &[&str],
        &["new people: full", "--scope", "b"],
        &["new people: full", "--resource", "b"],
        &["--assertion", "x", "--client-id", "b", "--tests", "policies/tests"],
    ] {
        let output = policy_explain(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains("cannot be used with"), "{arguments:?}: {error}");
    }
}

/// A directory of cases of this name, one in each of so many files.
fn named(name: &str, files: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy("policies/tests/fixtures.toml", dir.path().join("fixtures.toml")).unwrap();
    for file in 0..files {
        let text = format!(
            "[[test]]\nname = {name:?}\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.provision = true\n"
        );
        std::fs::write(dir.path().join(format!("{file}.toml")), text).unwrap();
    }
    dir
}

/// A word may be both a case's name and the form of a request's id.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_before_a_request_of_its_name() {
    let (app, config) = database(|_| {}).await;
    app.granted(json!({})).await;
    let id = app.last_sign_in().await.request_id;
    let ask = |name: &str| {
        let cases = named(name, 1);
        let tests = cases.path().to_str().unwrap();
        let output = policy_explain(&["--config", &config, "--tests", tests, &id]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    assert!(ask(&id).contains("0.toml:1)"));
    assert!(ask("another").contains("The same as then"));
    let neither = policy_explain(&["--config", &config, "AAAAAAAAAAAAAAAA"]);
    let error = String::from_utf8(neither.stderr).unwrap();
    assert_eq!(neither.status.code(), Some(2));
    assert!(error.contains("no case in") && error.contains("the decision log has no sign-in"), "{error}");
}

/// No case is taken before another that has the same name in another file.
#[test]
fn cases_of_one_name_are_told_with_their_places() {
    let cases = named("twice", 2);
    let several = policy_explain(&["--tests", cases.path().to_str().unwrap(), "twice"]);
    let error = String::from_utf8(several.stderr).unwrap();
    assert_eq!(several.status.code(), Some(2));
    assert!(error.contains("0.toml:1  twice") && error.contains("1.toml:1  twice"), "{error}");
    let one = cases.path().join("1.toml");
    assert_eq!(policy_explain(&["--tests", one.to_str().unwrap(), "twice"]).status.code(), Some(0));
}
