//! What policies say about tools, on the facts that the decision log has of the sign-in.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use countersign::config::PolicyCache;
use countersign::model::identity_provider::{ClaimType, CustomClaim};
use countersign::oauth::error::ErrorCode;
use countersign::oauth::scope::split_scope;
use countersign::policy::authoring::cases;
use countersign::policy::authoring::check::check;
use countersign::policy::facts::Facts;
use countersign::policy::reload::ReloadTrigger;
use countersign::policy::validate::vocabulary::SHIPPED;
use countersign::policy::{
    Action, CacheControl, Policies, PolicySource, RecordedFacts, Rule, TokenFacts, ToolDecision,
    ToolQuestion, Topic, decide_recorded, decide_tool,
};
use countersign::store::sign_ins::SignIn;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::explain::{database, policy_explain};
use crate::files::{with, with_shipped};
use crate::harness::{START, TestApp};
use crate::policies::{SCHEMA, any_facts, dana};

const LIST: ToolQuestion<'_> = ToolQuestion::List;
const DELETE: ToolQuestion<'_> = ToolQuestion::Call("delete_page");
const SEARCH: ToolQuestion<'_> = ToolQuestion::Call("search_pages");

fn example() -> String {
    std::fs::read_to_string("policies/examples/delete-tools.cedar").unwrap()
}

fn compiled(dir: &Path) -> Policies {
    PolicySource::read(dir, Path::new(SCHEMA)).unwrap().compile(0).unwrap()
}

fn shipped_and(text: &str) -> Policies {
    compiled(with_shipped(&[("own.cedar", text)]).path())
}

fn forbid(id: &str, action: &str, condition: &str) -> String {
    format!(
        "@id(\"{id}\") @reason(\"{id}\") @error(\"access_denied\") @message(\"No.\") @allow_absent(\"department\")\n\
        forbid (principal is User, action {action}, resource) {condition};\n"
    )
}

fn control(enabled: bool) -> CacheControl {
    CacheControl::new(PolicyCache { enabled, ..PolicyCache::default() })
}

/// What a sign-in with these facts leads to, decided by a set with this hash.
fn token_of(facts: &Facts, policy_set: &str, scopes: &[&str]) -> TokenFacts {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    TokenFacts::recorded(&RecordedFacts::whole(facts), policy_set, scopes).unwrap()
}

/// The token of a row of the decision log.
fn token(row: &SignIn) -> TokenFacts {
    let scopes = split_scope(&row.scopes_granted).unwrap();
    TokenFacts::recorded(&row.facts, &*row.policy_set, scopes).unwrap()
}

/// The decision, made anew and remembered: both are the same.
fn decision(policies: &Policies, token: &TokenFacts, asked: ToolQuestion<'_>, now: i64) -> Arc<ToolDecision> {
    let fresh = decide_tool(policies, token, asked, now, &control(false));
    for _ in 0..2 {
        assert_eq!(decide_tool(policies, token, asked, now, &control(true)), fresh);
    }
    fresh
}

/// Nothing if it is allowed; otherwise the code and all reasons.
fn refusal(
    policies: &Policies,
    token: &TokenFacts,
    asked: ToolQuestion<'_>,
    now: i64,
) -> Option<(ErrorCode, Vec<String>)> {
    let decided = decision(policies, token, asked, now);
    assert_eq!(decided.answer.allowed, decided.outcome.is_ok());
    assert_eq!(decided.answer.action, asked.action());
    let denial = decided.outcome.as_ref().err()?;
    assert_eq!(denial.reasons, decided.answer.reasons);
    Some((denial.error, denial.reasons.iter().map(|reason| reason.as_str().to_owned()).collect()))
}

fn denied(code: ErrorCode, reasons: &[&str]) -> Option<(ErrorCode, Vec<String>)> {
    Some((code, reasons.iter().map(|reason| (*reason).to_owned()).collect()))
}

fn access_denied(reason: &str) -> Option<(ErrorCode, Vec<String>)> {
    denied(ErrorCode::AccessDenied, &[reason])
}

/// The shipped policies: whoever has a scope may list and call.
#[tokio::test]
async fn the_token_of_a_sign_in_with_a_scope_lists_and_calls_tools() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let (policies, row) = (app.app.policies(), app.last_sign_in().await);
    assert!(policies.compiled.decides(Topic::Tools));
    for asked in [LIST, DELETE] {
        assert_eq!(refusal(&policies, &token(&row), asked, START), None);
    }
    assert_eq!(decision(&policies, &token(&row), DELETE, START).answer.resource, "delete_page");
    assert_eq!(decision(&policies, &token(&row), LIST, START).answer.resource, row.resource);

    let bare = TokenFacts::recorded(&row.facts, &*row.policy_set, Vec::new()).unwrap();
    for asked in [LIST, DELETE] {
        assert_eq!(refusal(&policies, &bare, asked, START), access_denied("token_without_scope"));
    }
    let lost = TokenFacts::recorded("", &*row.policy_set, Vec::new());
    assert!(lost.is_err(), "a row without facts answers nothing");
}

/// A set from before there were questions about tools. Its policy without an action would match tools too.
#[test]
fn a_set_that_names_no_action_about_tools_leaves_them_to_the_shipped_policies() {
    let dir = with_shipped(&[("own.cedar", &forbid("own", "", "when { context.weekday > 0 }"))]);
    std::fs::remove_file(dir.path().join("tools.cedar")).unwrap();
    let policies = compiled(dir.path());
    assert!(!policies.compiled.decides(Topic::Tools));
    assert_eq!(refusal(&policies, &token_of(&dana(), "", &["docs.read"]), DELETE, START), None);
    let bare = token_of(&dana(), "", &[]);
    assert_eq!(refusal(&policies, &bare, DELETE, START), access_denied("token_without_scope"));

    // Once a policy names one, the whole set decides, and nothing permits.
    let about_tools = forbid("own", "== Action::\"CallTool\"", "when { resource.name == \"never\" }");
    std::fs::write(dir.path().join("own.cedar"), about_tools).unwrap();
    let policies = compiled(dir.path());
    assert!(policies.compiled.decides(Topic::Tools));
    let known = token_of(&dana(), "", &["docs.read"]);
    assert_eq!(refusal(&policies, &known, DELETE, START), access_denied("policy_denied"));
}

/// The schema of an older version has no tools; policies that fit it go on deciding about sign-ins.
#[test]
fn a_schema_from_before_there_were_tools_still_loads() {
    let (before, rest) = SHIPPED.split_once("@doc(\"Tool of an MCP server").unwrap();
    let (_, rest) = rest.split_once("@doc(\"How somebody came").unwrap();
    let (middle, rest) = rest.split_once("@doc(\"May the token's holder call").unwrap();
    let (_, rest) = rest.split_once("action \"console\";").unwrap();
    let middle = middle.replace(", \"tool\";", ";");
    let old = format!("{before}@doc(\"How somebody came{middle}action \"console\";{rest}");
    let files = ["grants", "issuer", "members"].map(|name| {
        (format!("{name}.cedar"), std::fs::read_to_string(format!("policies/{name}.cedar")).unwrap())
    });
    let policies = PolicySource::of(old, files.to_vec()).compile(0).unwrap();
    assert_eq!(refusal(&policies, &token_of(&dana(), "", &["docs.read"]), DELETE, START), None);
}

/// The log has digests of groups; the age of the sign-in grows while the token is used.
#[tokio::test]
async fn groups_and_the_age_of_the_sign_in_decide_at_the_call() {
    let dir = with_shipped(&[("delete.cedar", &example())]);
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    let sign_in = async |claims| {
        app.granted(claims).await;
        token(&app.last_sign_in().await)
    };
    let strong = |groups: &[&str]| json!({ "groups": groups, "acr": "urn:okta:loa:2fa:any", "auth_time": START - 600 });
    let policies = app.app.policies();
    let maintainer = sign_in(strong(&["staff", "maintainers"])).await;
    assert_eq!(refusal(&policies, &maintainer, DELETE, START), None);
    // 600 s before the sign-in here, and 300 s after.
    assert_eq!(refusal(&policies, &maintainer, DELETE, START + 300), None);
    let step_up = ErrorCode::InsufficientUserAuthentication;
    assert_eq!(refusal(&policies, &maintainer, DELETE, START + 301), denied(step_up, &["step_up_required"]));
    let decided = decision(&policies, &maintainer, DELETE, START + 301);
    let said = &decided.outcome.as_ref().unwrap_err().policies;
    let annotations = policies.compiled.annotations().get(&said[0]).unwrap();
    assert_eq!(annotations.step_up.as_ref().and_then(|asked| asked.max_age), Some(900));
    for asked in [LIST, SEARCH] {
        assert_eq!(refusal(&policies, &maintainer, asked, START + 301), None);
    }
    // By another replica's clock the call may be before the sign-in: that freshens nothing.
    assert_eq!(refusal(&policies, &maintainer, DELETE, START - 1000), None);

    let other = sign_in(strong(&["staff"])).await;
    assert_eq!(refusal(&policies, &other, DELETE, START), access_denied("group_required"));
    // Both refuse: the reason that no sign-in lifts comes first.
    assert_eq!(
        refusal(&policies, &other, DELETE, START + 301),
        denied(ErrorCode::AccessDenied, &["group_required", "step_up_required"])
    );
    let unknown = sign_in(json!({ "groups": 7, "acr": "urn:okta:loa:2fa:any", "auth_time": START })).await;
    assert_eq!(
        refusal(&policies, &unknown, DELETE, START),
        denied(ErrorCode::InvalidGrant, &["claim_malformed"])
    );
    assert_eq!(refusal(&policies, &unknown, LIST, START), None, "no policy reads it there");
}

/// The same token under two sets: what it recalled for one does not serve the other.
#[test]
fn another_set_decides_at_once() {
    let mut facts = dana();
    facts.claims.groups = Some(vec!["maintainers".to_owned()]);
    let token = token_of(&facts, "", &["docs.read"]);
    let of_group = |group: &str| {
        let unless = format!("unless {{ principal in Group::\"acme/{group}\" }}");
        shipped_and(&forbid("own", "== Action::\"CallTool\"", &unless))
    };
    let (mine, others) = (of_group("maintainers"), of_group("owners"));
    for _ in 0..2 {
        assert_eq!(refusal(&mine, &token, DELETE, START), None);
        assert_eq!(refusal(&others, &token, DELETE, START), access_denied("own"));
    }
}

/// A tool is its server's and its teamspace's, whatever its name.
#[test]
fn a_tool_is_in_its_server_and_in_its_teamspace() {
    let heads = [
        ("resource in McpServer::\"https://mcp.example.com/mcp\"", true),
        ("resource in McpServer::\"https://other.example.com/mcp\"", false),
        ("resource in Teamspace::\"acme\"", true),
        ("resource in Teamspace::\"globex\"", false),
        ("resource == Tool::\"delete_page\"", true),
        ("resource == Tool::\"delete_pages\"", false),
    ];
    for (head, matches) in heads {
        let policy = forbid("own", "== Action::\"CallTool\"", "").replace("resource)", &format!("{head})"));
        let policies = shipped_and(&policy);
        let found = refusal(&policies, &token_of(&dana(), "", &["docs.read"]), DELETE, START);
        assert_eq!(found, access_denied("own").filter(|_| matches), "{head}");
    }
    let conditions = [
        "resource.server.url == \"https://mcp.example.com/mcp\"",
        "resource.teamspace == Teamspace::\"acme\"",
        "resource.name like \"delete_*\"",
        "context.token_scopes == [Scope::\"docs.read\"]",
        "context.client.auth_method == \"client_secret_basic\"",
        "context.member_role == MemberRole::\"developer\"",
    ];
    for condition in conditions {
        let when = format!("when {{ {condition} }}");
        let policies = shipped_and(&forbid("own", "== Action::\"CallTool\"", &when));
        let token = token_of(&dana(), "", &["docs.read"]);
        assert_eq!(refusal(&policies, &token, DELETE, START), access_denied("own"), "{condition}");
    }
}

/// Keeps those out of one tool whose department is known and another.
fn of_departments() -> String {
    let condition =
        "when { context.claims.custom has department && context.claims.custom.department != \"docs\" }";
    let policy = forbid("department", "== Action::\"CallTool\"", condition);
    policy.replace("resource)", "resource == Tool::\"delete_page\")")
}

/// A claim that nobody read at the sign-in does not count as absent: the forbid would be switched off.
#[tokio::test]
async fn a_fact_that_was_not_collected_is_not_an_absent_one() {
    let dir = with_shipped(&[]);
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    app.change_provider(|provider| {
        let (name, claim_type) = ("department".to_owned(), ClaimType::Text);
        provider.custom_claims = vec![CustomClaim { name, claim_type }];
    })
    .await;
    let before = {
        app.granted(json!({ "department": "sales" })).await;
        token(&app.last_sign_in().await)
    };
    let own = of_departments();
    let now_in_force = shipped_and(&own);
    assert_eq!(refusal(&now_in_force, &before, DELETE, START), access_denied("fact_not_recorded"));
    assert_eq!(refusal(&now_in_force, &before, SEARCH, START), None, "no policy about it reads the claim");

    // The policy about tools alone makes sign-ins collect it.
    std::fs::write(dir.path().join("own.cedar"), own).unwrap();
    app.app.follow_policies(ReloadTrigger::Now).await;
    let policies = app.app.policies();
    for (department, expected) in [("sales", access_denied("department")), ("docs", None)] {
        app.granted(json!({ "department": department })).await;
        let token = token(&app.last_sign_in().await);
        assert_eq!(refusal(&policies, &token, DELETE, START), expected, "{department}");
    }
    app.granted(json!({})).await;
    let without = token(&app.last_sign_in().await);
    assert_eq!(refusal(&policies, &without, DELETE, START), None, "it is absent");
}

/// What only policies about tools read splits no decision about sign-ins.
#[test]
fn sign_ins_are_remembered_as_before() {
    let policies = shipped_and(&example());
    let (mut one, mut other) = (dana(), dana());
    (one.claims.groups, other.claims.groups) = (Some(vec![]), Some(vec!["maintainers".to_owned()]));
    other.claims.auth_age = Some(7);
    let control = control(true);
    let decisions = [&one, &other].map(|facts| decide_recorded(&policies.compiled, facts, &control));
    assert!(Arc::ptr_eq(&decisions[0], &decisions[1]));
}

/// Equal facts have one decision, also of two tokens; another tool or another fact that counts has its own.
#[test]
fn decisions_are_remembered_by_what_policies_see() {
    let policies = shipped_and(&example());
    let control = control(true);
    let ask = |facts: &Facts, asked, now| {
        decide_tool(&policies, &token_of(facts, "", &["docs.read"]), asked, now, &control)
    };
    let first = ask(&dana(), LIST, START);
    let mut another = dana();
    another.claims.sub = "somebody else".to_owned();
    assert!(Arc::ptr_eq(&first, &ask(&another, LIST, START)));
    assert!(!Arc::ptr_eq(&ask(&dana(), SEARCH, START), &first));
    let mut maintainer = dana();
    maintainer.claims.groups = Some(vec!["maintainers".to_owned()]);
    assert!(!Arc::ptr_eq(&ask(&maintainer, DELETE, START), &ask(&dana(), DELETE, START)));
    assert_eq!(control.differences(), 0);
}

/// Conditions that read facts of tokens in every way.
const CONDITIONS: &[&str] = &[
    "true",
    "resource.name == \"a\"",
    "resource.name like \"*a*\"",
    "resource.server.published",
    "resource.teamspace has scope_setting && context.claims has acr",
    "principal in Group::\"acme/staff\"",
    "principal == User::\"https://acme.okta.com||a\"",
    "context.token_scopes.contains(Scope::\"docs.read\")",
    "context.claims has auth_age && context.claims.auth_age > duration(\"15m\")",
    "context.claims.amr.contains(\"mfa\")",
    "context.claims has act && context.claims.act.depth > 1",
    "context.claims has email_domain && context.claims.email_domain == \"acme.com\"",
    "context has client_address && context.client_address.isLoopback()",
    "context has requested_scopes && context.requested_scopes.isEmpty()",
    "context.member_domain == \"acme.com\"",
    "context.now.toTime() < duration(\"12h\")",
    "context.weekday == 7 || context.local_weekday == 1",
    "context.claims == context.claims",
];

static SETS: LazyLock<Vec<Policies>> = LazyLock::new(|| {
    let about = |condition: &&str| {
        shipped_and(&forbid("own", "== Action::\"CallTool\"", &format!("when {{ {condition} }}")).replace(
            "@allow_absent(\"department\")",
            "@allow_absent(\"acr auth_age act email_domain email client_address requested_scopes\")",
        ))
    };
    CONDITIONS.iter().map(about).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the facts, the remembered decision is the one that is made anew, and none errs.
    #[test]
    fn a_remembered_decision_about_a_tool_is_the_one_that_would_be_made(
        (one, other) in (any_facts(), any_facts()),
        names in proptest::collection::vec(select(vec!["a", "ba", "delete_page"]), 4),
        set in 0..CONDITIONS.len(),
        seconds in 0..90_000_i64,
    ) {
        let (policies, control) = (&SETS[set], control(true));
        for (name, facts) in names.iter().zip([&one, &other, &one, &other]) {
            let scopes: Vec<&str> = facts.candidates.scopes.iter().map(String::as_str).collect();
            let token = token_of(facts, &policies.hash, &scopes);
            let (asked, now) = (ToolQuestion::Call(name), facts.now + seconds);
            let remembered = decide_tool(policies, &token, asked, now, &control);
            let anew = decide_tool(policies, &token, asked, now, &self::control(false));
            prop_assert_eq!(&remembered, &anew);
            prop_assert!(!anew.answer.reasons.iter().any(|reason| reason.as_str() == "policy_error"));
        }
        prop_assert_eq!(control.differences(), 0);
    }
}

/// A tool's name in a text is no scope, and is not reported as one that nothing has.
#[test]
fn names_of_tools_are_no_scopes() {
    let policies = shipped_and(&forbid(
        "own",
        "in Action::\"tool\"",
        "when { context.token_scopes.contains(Scope::\"docs.gone\") }",
    ));
    let about_name =
        shipped_and(&forbid("own", "== Action::\"CallTool\"", "when { resource.name == \"delete\" }"));
    let scopes = |policies: &Policies| -> Vec<String> {
        let unknown = policies.compiled.references().without(|kind, _| kind.name() != "scope");
        unknown.into_iter().map(|reference| reference.name).collect()
    };
    assert_eq!(scopes(&policies), ["docs.gone"]);
    assert_eq!(scopes(&about_name), Vec::<String>::new());
}

/// `policy check` knows what the annotations of sign-ins mean for tools.
#[test]
fn a_step_up_may_be_asked_for_and_a_lifetime_not() {
    let told = |policy: &str| -> Vec<(Rule, String)> {
        let problems = check(with_shipped(&[("own.cedar", policy)]).path(), Path::new(SCHEMA)).problems;
        problems.into_iter().map(|problem| (problem.rule, problem.message)).collect()
    };
    assert_eq!(told(&example()), []);
    let permit = "@id(\"own\")\n@otherwise(\"own\")\n@lifetime(\"15m\")\n\
        permit (\n  principal is User,\n  action == Action::\"CallTool\",\n  resource\n);\n";
    let found = told(permit);
    assert_eq!(found.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), [Rule::Lifetime], "{found:?}");
}

/// Cases that say nothing, or two things at once, are refused with what to write.
#[test]
fn mistaken_cases_about_tools_are_told() {
    let head = "[[test]]\nname = \"a\"\nteamspace = { slug = \"acme\", issuer = \"https://a\", servers = [\"https://s\"] }\n";
    for (keys, told) in [
        (
            "token_scopes = \"x\"\nclaims = { sub = \"a\" }\nexpect = { granted = [] }",
            "`token_scopes` is about tools",
        ),
        (
            "list_tools = false\nclaims = { sub = \"a\" }\nexpect = { allowed = true }",
            "it asks about no tool",
        ),
        ("tool = []\nclaims = { sub = \"a\" }\nexpect = { allowed = true }", "it asks about no tool"),
        ("tool = \"\"\nclaims = { sub = \"a\" }\nexpect = { allowed = true }", "`tool` has an empty name"),
        ("tool = \"x\"\nexpect = { allowed = true }", "no claims"),
        (
            "tool = \"x\"\nclaims = { sub = \"a\" }\nexpect = { granted = [] }",
            "a tool grants and provisions nothing",
        ),
        (
            "tool = \"x\"\nclaims = { sub = \"a\" }\nexpect = { saved = true }",
            "`saved` is about saving an issuer",
        ),
        ("tool = \"x\"\nconfigure = \"https://a\"\nexpect = { allowed = true }", "are two cases"),
        ("tool = \"x\"\nconsole = \"ViewMembers\"\nexpect = { allowed = true }", "are two cases"),
        (
            "claims = { sub = \"a\" }\nexpect = { allowed = true }",
            "`allowed` is about the console and about tools",
        ),
    ] {
        let dir = with(&[("a.toml", format!("{head}{keys}\n"))]);
        let error = cases::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains(told), "{keys}: {error}");
    }
}

/// A case that expects what is not so fails, and says which tool it was.
#[test]
fn a_wrong_expectation_about_a_tool_fails() {
    let policies = shipped_and(&example());
    let text = std::fs::read_to_string("policies/examples/tests/delete-tools.toml").unwrap();
    let wrong = text
        .replace("tool = [\"delete_page\", \"delete_space\"]", "tool = [\"delete_page\", \"search_pages\"]");
    let dir = with(&[("a.toml", wrong)]);
    std::fs::copy("policies/examples/tests/fixtures.toml", dir.path().join("fixtures.toml")).unwrap();
    let failed = cases::run_directory(&policies.compiled, dir.path()).unwrap_err();
    assert!(failed.contains("somebody else") && failed.contains("`search_pages`"), "{failed}");
}

/// `policy explain` tells which clause refused a tool to the token of a recorded sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn explain_asks_about_the_token_of_a_sign_in() {
    let (app, config) = database(|_| {}).await;
    let explained = |sign_in: i64, more: &[&str]| -> (Option<i32>, String) {
        let id = sign_in.to_string();
        let with = ["--config", &config, &id, "--with", "policies/examples/delete-tools.cedar"];
        let out = policy_explain(&[&with, more].concat());
        (out.status.code(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
    };
    app.granted(json!({ "groups": ["staff"] })).await;
    let id = app.last_sign_in().await.id;
    let (code, text) = explained(id, &["--tool", "delete_page"]);
    assert_eq!(code, Some(1), "{text}");
    for part in
        ["✗ CallTool delete_page", "group_required", "tools.delete-for-maintainers", "step_up_required"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, text) = explained(id, &["--tool", "search_pages", "--all"]);
    assert!(
        code == Some(0) && text.contains("✓ CallTool search_pages") && text.contains("delete_*"),
        "{text}"
    );
    let (code, text) = explained(id, &["--list-tools", "--format", "json"]);
    assert!(code == Some(0) && text.contains("\"ListTools\""), "{text}");

    app.refused(json!({ "exp": "soon" }), "invalid_grant", "claim_malformed").await;
    let (code, text) = explained(app.last_sign_in().await.id, &["--list-tools"]);
    assert!(code == Some(2) && text.contains("there is no token to ask about"), "{text}");
}

/// The names of the questions are part of what others build on.
#[test]
fn the_actions_have_their_names() {
    assert_eq!(Action::TOOLS.map(Action::name), ["CallTool", "ListTools"]);
    assert_eq!(Action::named("CallTool"), Some(Action::CallTool));
    assert_eq!(Action::named("callTool"), None);
    assert!(Action::SIGN_IN.iter().all(|action| action.topic() == Topic::SignIns));
}
