//! Policies about tools at forward-auth: who may call which tool, by the headers of the MCP request.

use countersign::model::revocation::{Revocation, RevocationCause};
use serde_json::json;

use crate::active_token::look;
use crate::harness::{Answer, RESOURCE, START, TestApp, Written};
use crate::idp::{FakeIdp, Key};
use crate::metrics::sample;
use crate::reload::{Rules, private, settle};

const METADATA: &str =
    "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";

/// `delete` is for the maintainers.
pub const MAINTAINERS: &str = r#"
@id("test.maintainers-delete") @reason("group_required") @error("access_denied") @message("Only maintainers delete.")
forbid (principal is User, action == Action::"CallTool", resource in Teamspace::"acme")
when { resource.name == "delete" }
unless { principal in Group::"acme/maintainers" };"#;

/// `delete` needs a sign-in in the last 15 minutes.
const FRESH: &str = r#"
@id("test.fresh") @reason("step_up_required") @error("insufficient_user_authentication") @message("Sign in again.")
@acr_values("phr phrh") @max_age("15m")
forbid (principal is User, action == Action::"CallTool", resource)
when { resource.name == "delete" }
unless { context.claims has auth_age && context.claims.auth_age <= duration("15m") };"#;

/// Nobody lists.
const NO_LIST: &str = r#"
@id("test.no-list") @reason("unlisted") @error("access_denied") @message("Nobody lists.")
forbid (principal, action == Action::"ListTools", resource);"#;

/// The rule names a group of another teamspace, of which nobody in acme may learn.
const SECRET: &str = r#"
@id("test.secret") @reason("secret") @error("access_denied") @message("Only for friends of globex.")
forbid (principal is User, action == Action::"CallTool", resource)
unless { principal in Group::"globex/friends" };"#;

pub fn with_tools(rule: &str) -> Rules {
    let rules = Rules::shipped_and(rule);
    std::fs::copy("policies/tools.cedar", rules.policies().join("tools.cedar")).unwrap();
    rules
}

/// A service with the shipped policies and one more file, where the resource has policies about tools.
async fn start(rule: &str) -> (Rules, TestApp) {
    let rules = with_tools(rule);
    let app = rules.start().await;
    app.change_resource(|resource| resource.tool_policies = true).await;
    (rules, app)
}

async fn token(app: &TestApp) -> String {
    app.granted(json!({})).await.access_token().to_owned()
}

pub async fn ask(app: &TestApp, token: &str, headers: &[(&str, &str)]) -> Answer {
    let id = app.app.snapshot().resource_named(RESOURCE).unwrap().id.clone();
    let mut request = app.http.get(format!("{}/forward-auth/{id}", app.issuer())).bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    let is_told = answer.headers.contains_key("x-auth-subject");
    assert_eq!(is_told, answer.status == 200, "{answer:?}");
    answer
}

/// The headers of a request with this method, and this name if there is one.
pub fn mcp<'h>(method: &'h str, name: &'h str) -> Vec<(&'static str, &'h str)> {
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    headers.extend((!name.is_empty()).then_some(("mcp-name", name)));
    headers
}

pub async fn call(app: &TestApp, token: &str, tool: &str) -> Answer {
    ask(app, token, &mcp("tools/call", tool)).await
}

/// A refusal without a challenge, in these words.
fn assert_denied(answer: &Answer, text: &str) {
    let told = (answer.status, answer.header("www-authenticate"), answer.body.as_str());
    assert_eq!(told, (403, "", format!("{text}\n").as_str()), "{answer:?}");
}

async fn assert_nothing_written(app: &TestApp, before: Written) {
    assert_eq!(app.written().await, before, "forward-auth writes nothing");
}

/// The shipped policies let a token with a scope call every tool, and see the list.
#[tokio::test]
async fn the_shipped_policies_ask_for_a_scope() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    assert_eq!(ask(&app, &token, &[]).await.status, 200, "without policies about tools, no header is needed");
    app.change_resource(|resource| resource.tool_policies = true).await;
    let before = app.written().await;
    for (method, name) in
        [("tools/call", "delete"), ("tools/list", ""), ("ping", ""), ("resources/read", "x")]
    {
        assert_eq!(ask(&app, &token, &mcp(method, name)).await.status, 200, "{method}");
    }
    assert_nothing_written(&app, before).await;
}

#[tokio::test]
async fn a_tool_is_denied_by_its_name() {
    let (_rules, app) = start(MAINTAINERS).await;
    let dana = token(&app).await;
    let claims = json!({ "sub": "mo", "email": "mo@acme.com", "groups": ["maintainers"] });
    let maintainer = app.granted(claims).await.access_token().to_owned();
    let before = app.written().await;
    // The second one is the same name, encoded.
    for delete in ["delete", "=?base64?ZGVsZXRl?="] {
        assert_denied(&call(&app, &dana, delete).await, "Only maintainers delete.");
        assert_eq!(call(&app, &maintainer, delete).await.status, 200);
    }
    for other in ["read", "Delete", "delete ", "delete_all", "=?base64?ZGVsZXRlIA==?=", "dele te"] {
        let status = if other.trim() == "delete" { 403 } else { 200 };
        assert_eq!(call(&app, &dana, other).await.status, status, "{other}");
    }
    assert_eq!(ask(&app, &dana, &mcp("tools/list", "")).await.status, 200);
    assert_nothing_written(&app, before).await;
}

#[tokio::test]
async fn the_list_of_tools_is_denied_by_itself() {
    let (_rules, app) = start(NO_LIST).await;
    let token = token(&app).await;
    let before = app.written().await;
    assert_denied(&ask(&app, &token, &mcp("tools/list", "")).await, "Nobody lists.");
    assert_eq!(call(&app, &token, "read").await.status, 200);
    assert_nothing_written(&app, before).await;
}

/// STP-02: the age of the sign-in counts at the time of the call, and a fresher one lifts the refusal.
#[tokio::test]
async fn a_tool_may_need_a_fresher_sign_in() {
    let (_rules, app) = start(FRESH).await;
    let old = app.granted(json!({ "auth_time": START - 1 })).await.access_token().to_owned();
    assert_eq!(call(&app, &old, "delete").await.status, 200);
    app.clock.advance(900);
    app.app.reload().await.unwrap();
    let before = app.written().await;
    let refused = call(&app, &old, "delete").await;
    let challenge = "error=\"insufficient_user_authentication\", acr_values=\"phr phrh\", max_age=\"900\"";
    let told = (refused.status, refused.header("www-authenticate"), refused.body.as_str());
    assert_eq!(told, (401, format!("Bearer {METADATA}, {challenge}").as_str(), "Sign in again.\n"));
    assert_nothing_written(&app, before).await;
    assert_eq!(call(&app, &old, "read").await.status, 200);
    let fresh = app.granted(json!({ "auth_time": START + 890 })).await.access_token().to_owned();
    assert_eq!(call(&app, &fresh, "delete").await.status, 200);
    let unknown = token(&app).await;
    assert_eq!(call(&app, &unknown, "delete").await.status, 401, "an unknown age counts as too old");
}

/// Whoever cannot be understood is refused, whatever the method of the proxy's question.
#[tokio::test]
async fn requests_that_do_not_say_what_they_want_are_denied() {
    let (_rules, app) = start(MAINTAINERS).await;
    let token = token(&app).await;
    let before = app.written().await;
    let text = "One MCP-Protocol-Version of 2026-07-28 or later, one Mcp-Method and, for a tool, one Mcp-Name \
        are expected.";
    let good = mcp("tools/call", "read");
    assert_eq!(ask(&app, &token, &good).await.status, 200);
    for left_out in 0..good.len() {
        let mut missing = good.clone();
        let (name, value) = missing.remove(left_out);
        assert_denied(&ask(&app, &token, &missing).await, text);
        for more in [(name, value), (name, "delete")] {
            assert_denied(&ask(&app, &token, &[&good[..], &[more]].concat()).await, text);
        }
        assert_denied(&ask(&app, &token, &[&missing[..], &[(name, "")]].concat()).await, text);
    }
    for (version, method, name) in [
        ("2025-11-25", "tools/call", "read"),
        ("2026-07-28", "tools/run", "read"),
        ("2026-07-28", "Tools/Call", "read"),
        ("2026-07-28", "tools/call", "read, delete"),
        ("2026-07-28", "tools/call", "=?base64?cmVhZA?="),
        ("2026-07-28", "initialize, tools/call", "read"),
    ] {
        let headers = [("mcp-protocol-version", version), ("mcp-method", method), ("mcp-name", name)];
        assert_denied(&ask(&app, &token, &headers).await, text);
    }
    // A stream by GET and the end of a session by DELETE belong to older revisions.
    let forwarded = [("x-forwarded-method", "GET"), ("mcp-protocol-version", "2025-11-25")];
    assert_denied(&ask(&app, &token, &forwarded).await, text);
    assert_nothing_written(&app, before).await;
}

/// A changed policy counts for the next call, also for a token whose sign-in was read before.
#[tokio::test]
async fn a_changed_policy_counts_at_once() {
    let (rules, app) = start("// None yet.\n").await;
    let token = token(&app).await;
    assert_eq!(call(&app, &token, "delete").await.status, 200);
    rules.put("rule.cedar", MAINTAINERS);
    settle(&app).await;
    assert_denied(&call(&app, &token, "delete").await, "Only maintainers delete.");
    rules.put("rule.cedar", "// None any more.\n");
    settle(&app).await;
    assert_eq!(call(&app, &token, "delete").await.status, 200);
}

/// A token that has ended is told so, whatever else is wrong, and so is one without a required scope.
#[tokio::test]
async fn the_token_comes_first() {
    let (_rules, app) = start(MAINTAINERS).await;
    let token = token(&app).await;
    assert_denied(&call(&app, &token, "delete").await, "Only maintainers delete.");
    app.change_resource(|resource| resource.required_scopes = vec!["docs.write".to_owned()]).await;
    for headers in [mcp("tools/call", "delete"), vec![]] {
        let answer = ask(&app, &token, &headers).await;
        assert!(answer.header("www-authenticate").contains("error=\"insufficient_scope\""), "{answer:?}");
    }
    let known = look(&app, &token).unwrap();
    let (id, cause) = ((known.token.token_id.as_str(), START), RevocationCause::RevokedByClient);
    let revocation = Revocation::of_token(id, &known.token.teamspace_id, None, cause, START);
    app.app.revoke(vec![revocation]).await.unwrap();
    for headers in [mcp("tools/call", "delete"), mcp("tools/call", "read"), vec![]] {
        let answer = ask(&app, &token, &headers).await;
        let challenge = format!("Bearer {METADATA}, error=\"invalid_token\", scope=\"docs.write\"");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, challenge.as_str()));
    }
}

/// A rule for one teamspace binds nobody of another one.
#[tokio::test]
async fn each_teamspace_has_its_own_rules() {
    let other = FakeIdp::start(Key::rsa("idp-2", 1)).await;
    let rules = with_tools(MAINTAINERS);
    let (policies, origins) = (rules.policies(), other.issuer.clone());
    let app = TestApp::start_with(move |config| {
        config.policy_dir = Some(policies);
        config.fetch.private_origins.push(origins.into());
    })
    .await;
    app.change_resource(|resource| resource.tool_policies = true).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &other).await;
    let of_acme = token(&app).await;
    let claims = json!({ "iss": other.issuer, "sub": "hank", "email": "hank@globex.com" });
    let of_globex = app.exchange(&other.key.assertion(&app.claims_with(claims))).await;
    let of_globex = of_globex.access_token().to_owned();
    assert_denied(&call(&app, &of_acme, "delete").await, "Only maintainers delete.");
    assert_eq!(call(&app, &of_globex, "delete").await.status, 200);
}

/// Policies name a teamspace by its slug, and somebody else may have the former one by now.
#[tokio::test]
async fn a_token_from_before_a_renaming_is_renewed() {
    let (_rules, app) = start(MAINTAINERS).await;
    let old = token(&app).await;
    app.change_teamspace(|teamspace| teamspace.slug = "renamed".to_owned()).await;
    let refused = call(&app, &old, "read").await;
    let challenge = format!("Bearer {METADATA}, error=\"invalid_token\"");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, challenge.as_str()));
    assert_eq!(ask(&app, &old, &mcp("ping", "")).await.status, 200);
    let new = token(&app).await;
    assert_eq!(call(&app, &new, "delete").await.status, 200, "the rule is acme's");
}

/// A policy that names another teamspace denies without a word about itself.
#[tokio::test]
async fn what_a_policy_says_of_others_is_not_told() {
    let (_rules, app) = start(SECRET).await;
    let token = token(&app).await;
    assert_denied(&call(&app, &token, "read").await, "No policy permits this.");
}

/// The log is read at a token's first question; while it cannot be, nobody knows.
#[tokio::test]
async fn the_sign_in_is_read_once_for_each_token() {
    let (_rules, app) = start(MAINTAINERS).await;
    let (known, new) = (token(&app).await, token(&app).await);
    assert_eq!(call(&app, &known, "read").await.status, 200);
    app.database.execute("ALTER TABLE sign_ins RENAME TO moved");
    let unavailable = call(&app, &new, "read").await;
    let told =
        (unavailable.status, unavailable.header("www-authenticate"), unavailable.header("retry-after"));
    assert_eq!(told, (503, "", "1"), "{unavailable:?}");
    assert_eq!(ask(&app, &new, &mcp("ping", "")).await.status, 200, "what needs no facts passes");
    assert_eq!(call(&app, &known, "read").await.status, 200, "its facts are known");
    assert_denied(&call(&app, &known, "delete").await, "Only maintainers delete.");
    app.database.execute("ALTER TABLE moved RENAME TO sign_ins");
    assert_eq!(call(&app, &new, "read").await.status, 200);
}

/// A token whose sign-in the log does not have, or not with its facts, is as good as none: a new one has a new row.
#[tokio::test]
async fn a_token_without_its_sign_in_is_renewed() {
    let (_rules, app) = start(MAINTAINERS).await;
    for damage in ["DELETE FROM sign_ins", "UPDATE sign_ins SET facts = 'x', grounds = ''"] {
        let old = token(&app).await;
        app.database.execute(damage);
        let before = app.written().await;
        for _ in 0..2 {
            let refused = call(&app, &old, "read").await;
            let challenge = format!("Bearer {METADATA}, error=\"invalid_token\"");
            assert_eq!((refused.status, refused.header("www-authenticate")), (401, challenge.as_str()));
        }
        assert_nothing_written(&app, before).await;
        let new = token(&app).await;
        assert_eq!(call(&app, &new, "read").await.status, 200);
    }
}

/// Rows stand in the log in the order in which they were written, which is not always that of their times.
#[tokio::test]
async fn a_sign_in_is_found_where_times_do_not_rise() {
    let (_rules, app) = start(MAINTAINERS).await;
    let mut tokens = Vec::new();
    for at in [100, 140, 70, 69, 300, 299, 299, 280, 360, 301] {
        app.clock.set(START + at);
        app.app.reload().await.unwrap();
        tokens.push((at, token(&app).await));
    }
    for (at, token) in tokens {
        assert_eq!(call(&app, &token, "read").await.status, 200, "{at}");
    }
}

#[tokio::test]
async fn answers_are_counted_by_outcome() {
    let (_rules, app) = start(&format!("{MAINTAINERS}{FRESH}{NO_LIST}")).await;
    let token = token(&app).await;
    let maintainer = json!({ "sub": "mo", "email": "mo@acme.com", "groups": ["maintainers"] });
    let maintainer = app.granted(maintainer).await.access_token().to_owned();
    call(&app, &token, "read").await;
    call(&app, &token, "delete").await;
    call(&app, &maintainer, "delete").await;
    ask(&app, &token, &mcp("tools/list", "")).await;
    ask(&app, &token, &[]).await;
    let forgotten = self::token(&app).await;
    app.database.execute("DELETE FROM sign_ins");
    call(&app, &forgotten, "read").await;
    let text = private(&app, "/metrics").await.body;
    let count = |result: &str| {
        sample(&text, &format!("countersign_forward_auths_total{{result=\"{result}\"}}")) as i64
    };
    let results = ["passed", "tool_denied", "step_up", "mcp_headers", "sign_in_unknown", "unavailable"];
    assert_eq!(results.map(count), [1, 2, 1, 1, 1, 0]);
}
