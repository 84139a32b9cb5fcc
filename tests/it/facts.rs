//! Facts of a request, from the token endpoint to the policies.

use countersign::config::ClientIpSource;
use countersign::model::member::Role;
use countersign::oauth::request::JWT_BEARER;
use serde_json::{Value, json};

use crate::files::with_shipped;
use crate::harness::{Answer, CLIENT, SECRET, TestApp};

/// A service with a forbid of `GrantScope` that says `unless` a condition holds.
async fn app(unless: &str) -> TestApp {
    let rule = format!(
        "@id(\"wanted\") @reason(\"unwanted\") @error(\"access_denied\") @message(\"No.\")\n\
        forbid (principal, action in Action::\"grant\", resource) unless {{ {unless} }};\n"
    );
    let dir = with_shipped(&[("wanted.cedar", rule.as_str())]);
    let policies = dir.path().to_owned();
    TestApp::start_with(move |config| {
        config.policy_dir = Some(policies);
        config.client_ip_source = ClientIpSource::RightmostXForwardedFor;
    })
    .await
}

async fn from(app: &TestApp, address: &str) -> u16 {
    let assertion = app.assertion(json!({}));
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).form(&form);
    Answer::of(request.header("x-forwarded-for", address).send().await.unwrap()).await.status
}

/// The facts in the last row of the log.
async fn facts(app: &TestApp) -> Value {
    serde_json::from_str(&app.last_sign_in().await.facts).unwrap()
}

#[tokio::test]
async fn policies_read_where_the_client_calls_from() {
    let app = app("context has client_address && \
        (context.client_address.isInRange(ip(\"192.0.2.0/24\")) || context.client_address.isIpv6())")
    .await;
    for (address, status) in [
        ("192.0.2.7", 200),
        ("198.51.100.1", 400),
        ("192.0.2.8:4711", 200),
        ("::ffff:192.0.2.9", 200),
        ("::ffff:198.51.100.9", 400),
        ("2001:db8::1", 200),
        ("192.0.2.7", 200),
    ] {
        assert_eq!(from(&app, address).await, status, "{address}");
    }
    assert_eq!(facts(&app).await["client_address"], "192.0.2.7");
}

/// An address is nobody's business where no policy asks for it, and scopes are not copied.
#[tokio::test]
async fn what_no_policy_reads_is_not_gathered() {
    let app = app("context.weekday >= 1").await;
    assert_eq!(from(&app, "192.0.2.7").await, 200);
    let answer = app.exchange_with(&app.assertion(json!({})), &[("scope", "docs.read")]).await;
    assert_eq!(answer.status, 200);
    let facts = facts(&app).await;
    assert!(
        facts.get("client_address").is_none() && facts["candidates"].get("requested").is_none(),
        "{facts}"
    );
    assert!(!facts.to_string().contains("UTC"), "what is as always is left out: {facts}");
}

#[tokio::test]
async fn policies_read_the_scopes_that_were_asked_for() {
    let app =
        app("context has requested_scopes && !context.requested_scopes.contains(Scope::\"docs.write\")")
            .await;
    let assertion = || app.assertion(json!({ "scope": "docs.read docs.write" }));
    let status = async |scope: &str| app.exchange_with(&assertion(), &[("scope", scope)]).await.status;
    assert_eq!(status("docs.read").await, 200);
    assert_eq!(status("docs.read docs.write").await, 400);
    assert_eq!(app.exchange(&assertion()).await.status, 400, "no scope parameter");
}

#[tokio::test]
async fn policies_read_the_role_as_it_is_now() {
    let app = app("context.member_role == MemberRole::\"admin\"").await;
    let status = async || app.exchange(&app.assertion(json!({}))).await.status;
    assert_eq!(status().await, 400, "a newcomer becomes a developer");
    app.put_member("dana@acme.com", countersign::model::member::Status::Active).await;
    assert_eq!(status().await, 400);
    app.change_member("dana@acme.com", |member| member.role = Role::Admin).await;
    assert_eq!(status().await, 200);
    assert_eq!(status().await, 200);
    app.change_member("dana@acme.com", |member| member.role = Role::Developer).await;
    assert_eq!(status().await, 400);
}

/// JAG-20
#[tokio::test]
async fn policies_read_who_acts_for_the_person() {
    let app = app("context.claims has act && context.claims.act.sub_profile.contains(\"ai_agent\") && \
        context.claims.act.depth <= 2 && !context.claims.act.chain.contains(\"rogue\")")
    .await;
    let agent = |more: Value| {
        let mut act = json!({ "sub": "agent-7", "sub_profile": "ai_agent" });
        act.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "act": act })
    };
    app.granted(agent(json!({}))).await;
    app.granted(agent(json!({ "sub_profile": ["other", "ai_agent"], "iss": "https://agents.example" })))
        .await;
    let answer = app.granted(agent(json!({ "act": { "sub": "outer" } }))).await;
    assert_eq!(answer.claims()["act"]["act"]["sub"], "outer", "the token says it as it stands");
    for refused in [
        json!({}),
        agent(json!({ "sub_profile": "service" })),
        agent(json!({ "act": { "sub": "rogue" } })),
        agent(json!({ "act": { "sub": "b", "act": { "sub": "c" } } })),
    ] {
        app.refused(refused, "access_denied", "unwanted").await;
    }
    // An unreadable fact must not count as absent.
    for malformed in [json!({ "sub_profile": 7 }), json!({ "sub_profile": [7] }), json!({ "iss": ["x"] })] {
        app.refused(agent(malformed), "invalid_grant", "claim_malformed").await;
    }
    let row = app.last_sign_in().await;
    assert!(!row.detail.contains("agent-7"), "{}", row.detail);
}

/// Noon on a Sunday in UTC.
#[tokio::test]
async fn policies_read_the_time_where_the_teamspace_is() {
    let app = app("context.local_weekday == 1 && context.local_time >= duration(\"9h\") || \
        context.local_time == duration(\"13h\")")
    .await;
    let status = async || app.exchange(&app.assertion(json!({}))).await.status;
    assert_eq!(status().await, 400, "UTC");
    for (zone, expected) in
        [("Europe/Berlin", 200), ("Asia/Tokyo", 400), ("Pacific/Kiritimati", 400), ("UTC", 400)]
    {
        app.change_teamspace(move |teamspace| teamspace.time_zone = zone.to_owned()).await;
        assert_eq!(status().await, expected, "{zone}");
    }
    // In Tokyo it is 9 o'clock on Monday; in Berlin it is night.
    app.clock.advance(12 * 3600);
    app.change_teamspace(|teamspace| teamspace.time_zone = "Asia/Tokyo".to_owned()).await;
    assert_eq!(status().await, 200);
    app.change_teamspace(|teamspace| teamspace.time_zone = "Europe/Berlin".to_owned()).await;
    assert_eq!(status().await, 400);
}
