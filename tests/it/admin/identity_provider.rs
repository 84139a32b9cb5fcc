//! Identity providers, and what an issuer must be to be saved.

use axum::http::Method;
use countersign::config::Duration;
use countersign::model::identity_provider::{IdentityProvider, Provider};
use countersign::store::StoreError;
use countersign::store::{identity_providers, provider_checks};
use serde_json::{Value, json};

use super::harness::{Api, Harness, NOW};

const PATH: &str = "/teamspaces/acme/identity-provider";

fn body(issuer: &str) -> Value {
    json!({ "provider": "oidc", "issuer": issuer })
}

fn codes(answer: &Value) -> Vec<(&str, &str)> {
    let checks = answer["checks"].as_array().unwrap().iter();
    checks.map(|check| (check["code"].as_str().unwrap(), check["outcome"].as_str().unwrap())).collect()
}

fn saved(h: &Harness) -> Option<IdentityProvider> {
    saved_of(h, "acme")
}

fn saved_of(h: &Harness, slug: &str) -> Option<IdentityProvider> {
    h.app
        .snapshot()
        .teamspace_config(slug)
        .unwrap()
        .identity_providers
        .first()
        .map(|p| IdentityProvider::clone(p))
}

async fn refuses(h: &Harness, api: &Api, issuer: &str, code: &str) -> Value {
    let problem = h.refuses(api, (Method::PUT, PATH), Some(body(issuer)), (422, code)).await;
    assert_eq!(problem["checks"].as_array().unwrap().len(), 8, "{problem}");
    problem
}

/// ADM-01, ADM-02, ADM-03: saved exactly as the metadata says it, with every check told.
#[tokio::test]
async fn an_identity_provider_from_beginning_to_end() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    acme.get(PATH).await.problem(404, "not_found");
    let issuer = h.idp.issuer("good");
    let made = acme.put(PATH, body(&issuer)).await.expect(200);
    let all =
        ["policy", "scope", "issuer_url", "issuer_not_self", "org_authorization_server", "metadata", "jwks"];
    let all: Vec<_> = all.into_iter().chain(["id_jag_supported"]).map(|code| (code, "passed")).collect();
    assert_eq!(codes(&made), all);
    for (name, value) in [
        ("provider", json!("oidc")),
        ("issuer", json!(issuer)),
        ("jwks_uri", json!(format!("{issuer}/jwks"))),
        ("scope", json!("")),
        ("groups_claim", json!("groups")),
        ("enabled", json!(true)),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(saved(&h).unwrap().issuer, issuer);
    assert!(acme.get(PATH).await.expect(200)["checks"].is_null());
    let checked = acme.call(Method::POST, &format!("{PATH}/check"), None).await.expect(200);
    assert_eq!((&checked["ok"], codes(&checked)), (&json!(true), all));
    acme.delete(PATH).await.expect(204);
    assert!(saved(&h).is_none() && h.app.snapshot().providers_of(&issuer).is_none());
    acme.delete(PATH).await.problem(404, "not_found");
    acme.call(Method::POST, &format!("{PATH}/check"), None).await.problem(404, "not_found");
}

/// ADM-02
#[tokio::test]
async fn the_metadata_must_name_exactly_this_issuer() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let typed = h.idp.issuer("slash");
    let problem = refuses(&h, &acme, &typed, "metadata").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{typed}/, not {typed} ")), "{detail}");
    assert!(detail.contains("trailing slash"), "{detail}");
    let reached: Vec<_> = codes(&problem).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(reached[..5], ["passed"; 5]);
    assert_eq!(reached[5..], ["failed", "not_reached", "not_reached"]);
    // As the metadata says it.
    acme.put(PATH, body(&format!("{typed}/"))).await.expect(200);
    refuses(&h, &acme, &h.idp.issuer("template"), "metadata").await;
    refuses(&h, &acme, &h.idp.issuer("absent/tenant"), "metadata").await;
}

/// ADM-03
#[tokio::test]
async fn a_usable_key_is_needed() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for name in ["no-key", "no-jwks-uri", "internal-jwks"] {
        refuses(&h, &acme, &h.idp.issuer(name), "jwks").await;
    }
}

/// A key that is left out is told with its reason, on saving and on checking.
#[tokio::test]
async fn keys_that_are_left_out_are_told() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let made = acme.put(PATH, body(&h.idp.issuer("left-out"))).await.expect(200);
    let checked = acme.call(Method::POST, &format!("{PATH}/check"), None).await.expect(200);
    for answer in [made, checked] {
        assert_eq!(codes(&answer)[6], ("jwks", "warning"));
        let message = answer["checks"][6]["message"].as_str().unwrap();
        let weak = "the key \"old\\u{1b}\" is RSA with 1024 bits; expected 2048 to 8192";
        assert!(message.starts_with("1 usable") && message.contains(weak), "{message}");
    }
    let problem = refuses(&h, &acme, &h.idp.issuer("no-key"), "jwks").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("a key without kid is of another kind"), "{detail}");
}

/// Optional members may be null or of any form; a byte order mark is not part of the document.
#[tokio::test]
async fn metadata_is_read_for_what_it_means() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let made = acme.put(PATH, body(&h.idp.issuer("odd"))).await.expect(200);
    assert_eq!(codes(&made)[7], ("id_jag_supported", "warning"));
}

/// ADM-04
#[tokio::test]
async fn id_jags_come_from_the_org_server() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for issuer in ["https://acme.okta.com/oauth2/default", "https://acme.okta.com/oauth2/aus1/"] {
        let mut body = body(issuer);
        body["provider"] = json!("okta");
        let refusal = (422, "custom_authorization_server");
        let problem = h.refuses(&acme, (Method::PUT, PATH), Some(body), refusal).await;
        assert!(problem["detail"].as_str().unwrap().contains("org issuer"));
    }
    let with_path = json!({ "provider": "okta", "issuer": h.idp.issuer("good") });
    h.refuses(&acme, (Method::PUT, PATH), Some(with_path), (422, "org_authorization_server")).await;
    acme.put(PATH, json!({ "provider": "okta", "issuer": h.idp.base })).await.expect(200);
    let quiet = acme.put(PATH, body(&h.idp.issuer("quiet"))).await.expect(200);
    assert_eq!(codes(&quiet)[7], ("id_jag_supported", "warning"));
}

/// ADM-01, ADM-05
#[tokio::test]
async fn only_public_https_addresses_are_asked() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for issuer in [
        "",
        "acme",
        "http://acme.example.com",
        "https://127.0.0.1",
        "https://[::1]",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://[::ffff:10.0.0.1]",
        "https://acme.example.com:8443",
        "https://user:secret@acme.example.com",
        "https://acme.example.com?tenant=1",
        "https://acme.example.com/#",
        "https://acme.example.com ",
    ] {
        refuses(&h, &acme, issuer, "issuer_url").await;
    }
    // A name of a private address is found out when it is resolved.
    let problem = refuses(&h, &h.operator, "https://localhost", "metadata").await;
    assert!(problem["detail"].as_str().unwrap().contains("not public"), "{problem}");
    refuses(&h, &acme, "https://auth.example.com", "issuer_not_self").await;
}

/// Where a setting could allow the issuer, the answer names the setting and what to enter there.
#[tokio::test]
async fn the_setting_that_could_allow_an_issuer_is_named() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for (issuer, origin) in [
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://keycloak:8080/realms/acme", "http://keycloak:8080"),
        ("http://idp.internal", "http://idp.internal"),
        ("https://10.0.0.1/x", "https://10.0.0.1"),
        ("https://idp.example.com:8443", "https://idp.example.com:8443"),
    ] {
        let problem = refuses(&h, &acme, issuer, "issuer_url").await;
        let detail = problem["detail"].as_str().unwrap();
        let named = format!("an operator must list {origin} in the setting `fetch.private_origins`.");
        assert!(detail.ends_with(&named), "{issuer}: {detail}");
    }
    let public = refuses(&h, &acme, "http://acme.example.com", "issuer_url").await;
    assert_eq!(public["detail"], "The issuer must be https.");
}

/// A teamspace does not learn which names there are behind the firewall: private, unknown and silent are one answer.
#[tokio::test]
async fn a_teamspace_cannot_ask_which_names_there_are() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for issuer in ["https://localhost", "https://no-such-name.invalid", &h.idp.dripping] {
        let problem = refuses(&h, &acme, issuer, "metadata").await;
        let origin = url::Url::parse(issuer).unwrap().origin().ascii_serialization();
        let expected = format!(
            "The issuer's metadata: cannot be reached at a public address. If it is in your own network, an operator \
             must list {origin} in the setting `fetch.private_origins`."
        );
        assert_eq!(problem["detail"], expected, "{issuer}");
    }
    let problem = refuses(&h, &acme, &h.idp.issuer("internal-jwks"), "jwks").await;
    assert_eq!(problem["detail"], "The issuer's jwks_uri cannot be reached at a public address.");
}

/// ADM-05, ADM-06: nothing that the other side answered is repeated.
#[tokio::test]
async fn answers_that_are_no_metadata_are_refused() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for (name, why) in [("moved", "redirects"), ("large", "262144 bytes"), ("html", "")] {
        let problem = refuses(&h, &acme, &h.idp.issuer(name), "metadata").await;
        let text = problem.to_string();
        assert!(text.contains(why) && !text.contains("secret page"), "{text}");
    }
    let begun = std::time::Instant::now();
    let problem = refuses(&h, &h.operator, &h.idp.dripping, "metadata").await;
    assert!(problem["detail"].as_str().unwrap().contains("in time"), "{problem}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(3));
}

/// A slow issuer delays the one who typed it, nobody else's changes.
#[tokio::test]
async fn validation_holds_no_writer() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let (api, slow) = (acme.clone(), body(&h.idp.dripping));
    let waiting = tokio::spawn(async move { api.put(PATH, slow).await });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    acme.post("/teamspaces/acme/members", json!({ "email": "a@acme.com" })).await.expect(201);
    assert!(!waiting.is_finished());
    waiting.await.unwrap().problem(422, "metadata");
}

/// ADM-09
#[tokio::test]
async fn an_issuer_belongs_to_one_teamspace() {
    let h = Harness::start().await;
    let (acme, globex) = (h.teamspace("acme").await, h.teamspace("globex").await);
    let issuer = h.idp.issuer("good");
    globex.put("/teamspaces/globex/identity-provider", body(&issuer)).await.expect(200);
    let taken = (409, "issuer_taken");
    let problem = h.refuses(&h.operator, (Method::PUT, PATH), Some(body(&issuer)), taken).await;
    assert!(!problem.to_string().contains("globex"));
    // Who is a customer is not told to others, and anything less only to who names an issuer that works.
    let unavailable = (409, "issuer_unavailable");
    let problem = h.refuses(&acme, (Method::PUT, PATH), Some(body(&issuer)), unavailable).await;
    assert_eq!(problem["detail"], "This issuer cannot be saved here; ask the operator.");
    let mut broken = saved_of(&h, "globex").unwrap();
    broken.issuer = h.idp.issuer("html");
    h.app.store.write(move |c| Ok::<_, StoreError>(identity_providers::put(c, &broken)?)).await.unwrap();
    refuses(&h, &acme, &h.idp.issuer("html"), "metadata").await;
    globex.put("/teamspaces/globex/identity-provider", body(&issuer)).await.expect(200);
    acme.put(PATH, body(&h.idp.issuer("other"))).await.expect(200);
    let patch = Some(json!({ "issuer": issuer }));
    h.refuses(&acme, (Method::PATCH, PATH), patch, unavailable).await;
    globex.delete("/teamspaces/globex/identity-provider").await.expect(204);
    acme.patch(PATH, json!({ "issuer": issuer })).await.expect(200);
}

/// ADM-09: two teamspaces at once are told apart by the index.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_issuer_saved_twice_at_once_is_saved_once() {
    let h = Harness::start().await;
    let mut tasks = Vec::new();
    for n in 0..6 {
        let (api, body) = (h.teamspace(&format!("t{n}")).await, body(&h.idp.issuer("good")));
        let path = format!("/teamspaces/t{n}/identity-provider");
        tasks.push(tokio::spawn(async move { api.put(&path, body).await }));
    }
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            answer if answer.status == 200 => made += 1,
            answer => drop(answer.problem(409, "issuer_unavailable")),
        }
    }
    assert_eq!(made, 1);
}

/// ADM-09: off at once and without asking anybody; on only after the checks.
#[tokio::test]
async fn switching_off_works_always_and_switching_on_validates() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    acme.put(PATH, body(&h.idp.issuer("good"))).await.expect(200);
    h.clock.advance(60);
    let asked = h.idp.hits();
    let off = acme.patch(PATH, json!({ "enabled": false })).await.expect(200);
    assert_eq!((off["enabled"].as_bool(), off["checks"].is_null(), h.idp.hits()), (Some(false), true, asked));
    assert_ne!(off["updated_at"], off["created_at"]);
    assert!(!saved(&h).unwrap().enabled);
    h.operator.patch("/teamspaces/acme", json!({ "plan": "pro" })).await.expect(200);
    let on = Some(json!({ "enabled": true }));
    h.refuses(&acme, (Method::PATCH, PATH), on, (422, "plan_not_enterprise")).await;
    h.operator.patch("/teamspaces/acme", json!({ "plan": "enterprise" })).await.expect(200);
    let on = acme.patch(PATH, json!({ "enabled": true })).await.expect(200);
    assert_eq!(on["checks"].as_array().unwrap().len(), 8);
    assert!(h.idp.hits() > asked && saved(&h).unwrap().enabled);
}

/// ADM-09
#[tokio::test]
async fn another_issuer_is_validated_and_a_refused_one_leaves_the_old() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    acme.put(PATH, body(&h.idp.issuer("good"))).await.expect(200);
    let before = saved(&h);
    let patch = Some(json!({ "issuer": h.idp.issuer("no-key"), "enabled": false }));
    h.refuses(&acme, (Method::PATCH, PATH), patch, (422, "jwks")).await;
    let patch = Some(json!({ "provider": "okta" }));
    h.refuses(&acme, (Method::PATCH, PATH), patch, (422, "org_authorization_server")).await;
    assert_eq!(saved(&h), before);
    let changed = acme.patch(PATH, json!({ "issuer": h.idp.issuer("second") })).await.expect(200);
    assert_eq!(changed["jwks_uri"], format!("{}/jwks", h.idp.issuer("second")));
    let changed =
        acme.patch(PATH, json!({ "provider": "claude", "groups_claim": "roles" })).await.expect(200);
    assert_eq!((&changed["provider"], &changed["groups_claim"]), (&json!("claude"), &json!("roles")));
    assert_eq!(saved(&h).unwrap().provider, Provider::Claude);
}

#[tokio::test]
async fn the_plan_is_told_before_anything_is_fetched() {
    let h = Harness::start().await;
    h.operator.post("/teamspaces", json!({ "slug": "acme", "name": "A", "plan": "pro" })).await.expect(201);
    let problem = refuses(&h, &h.operator, &h.idp.issuer("html"), "plan_not_enterprise").await;
    let first = ("plan_not_enterprise", "failed");
    assert_eq!((codes(&problem)[0], codes(&problem)[7]), (first, ("id_jag_supported", "not_reached")));
    assert_eq!(h.idp.hits(), 0);
}

#[tokio::test]
async fn the_scope_setting_lists_what_a_resource_knows() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let with = |scope: &str| json!({ "provider": "oidc", "issuer": h.idp.issuer("good"), "scope": scope });
    acme.put(PATH, with("any.thing")).await.expect(200);
    let resource = json!({ "identifier": "https://mcp.example.com", "name": "Docs",
        "scopes": [{ "name": "docs.read" }], "teamspaces": ["acme"] });
    h.operator.post("/resources", resource).await.expect(201);
    let saved = acme.put(PATH, with("  docs.read ")).await.expect(200);
    assert_eq!(saved["scope"], "docs.read");
    let asked = h.idp.hits();
    for (scope, code) in [
        ("docs.write", "scope_unknown"),
        ("docs.read openid", "scope_invalid"),
        ("offline_access", "scope_invalid"),
        ("docs.read docs.read", "scope_invalid"),
        ("docs\"read", "scope_invalid"),
        ("docs.read\ndocs.read", "scope_invalid"),
    ] {
        h.refuses(&acme, (Method::PUT, PATH), Some(with(scope)), (422, code)).await;
        h.refuses(&acme, (Method::PATCH, PATH), Some(json!({ "scope": scope })), (422, code)).await;
    }
    assert_eq!(h.idp.hits(), asked);
    acme.patch(PATH, json!({ "scope": "" })).await.expect(200);
    let open = json!({ "identifier": "https://open.example.com", "name": "Open" });
    h.operator.post("/resources", open).await.expect(201);
    acme.patch(PATH, json!({ "scope": "docs.write" })).await.expect(200);
}

#[tokio::test]
async fn malformed_configurations_are_refused() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for (name, value, code) in [
        ("provider", json!("keycloak"), "body_invalid"),
        ("jwks_uri", json!("https://x.example.com"), "body_invalid"),
        ("groups_claim", json!(""), "groups_claim_invalid"),
    ] {
        let mut body = body(&h.idp.issuer("good"));
        body[name] = value;
        h.refuses(&acme, (Method::PUT, PATH), Some(body), (422, code)).await;
    }
    let patch = Some(json!({ "enabled": false }));
    h.refuses(&acme, (Method::PATCH, PATH), patch, (404, "not_found")).await;
}

/// The steps of the checks, by their outcomes.
fn steps(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = answer["checks"].as_array().unwrap().iter();
    let steps = checks.flat_map(|check| check["steps"].as_array().unwrap());
    steps.map(|step| (text(&step["code"]), text(&step["outcome"]))).collect()
}

/// The one step that failed, with its texts.
fn failed_step(answer: &Value) -> Value {
    let checks = answer["checks"].as_array().unwrap().iter();
    let mut steps = checks.flat_map(|check| check["steps"].as_array().unwrap());
    let failed = steps.find(|step| step["outcome"] == "failed").unwrap().clone();
    assert!(steps.all(|step| step["outcome"] == "not_reached"), "{answer}");
    failed
}

/// ADM-03: each mistake is told where it was made, with what should have been entered.
#[tokio::test]
async fn each_check_tells_its_steps() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let good = h.idp.issuer("good");
    let made = acme.put(PATH, body(&good)).await.expect(200);
    let passed = steps(&made);
    assert!(passed.len() == 12 && passed.iter().all(|(_, outcome)| outcome == "passed"), "{passed:?}");
    let slash = h.idp.issuer("slash");
    let with_slash = format!("{slash}/");
    let own = "https://auth.example.com";
    for (provider, issuer, code, compared) in [
        ("okta", "https://acme.okta.com/oauth2/default", "policy", Some("https://acme.okta.com")),
        ("okta", "https://acme.okta.com/x", "own_server", Some("https://acme.okta.com")),
        ("entra", "https://login.microsoftonline.com/common/v2.0", "own_server", None),
        ("oidc", "http://idp.example.com", "https", Some("https://idp.example.com")),
        ("oidc", "https://10.0.0.1", "public_host", None),
        ("oidc", own, "other_server", None),
        ("oidc", &h.idp.issuer("absent/tenant"), "metadata_document", None),
        ("oidc", &h.idp.issuer("html"), "metadata_document", None),
        ("oidc", &slash, "same_issuer", Some(&*with_slash)),
        ("oidc", &h.idp.issuer("no-jwks-uri"), "key_set", None),
        ("oidc", &h.idp.issuer("no-key"), "usable_key", None),
    ] {
        let whole = json!({ "provider": provider, "issuer": issuer });
        let answer = acme.put(PATH, whole).await.expect(422);
        let step = failed_step(&answer);
        assert_eq!(step["code"], code, "{issuer}: {answer}");
        assert_eq!(step["message"], answer["detail"], "{issuer}");
        assert_eq!(step["expected"].as_str(), compared, "{issuer}");
        assert_eq!(step["received"].as_str(), compared.map(|_| issuer), "{issuer}");
    }
    assert_eq!(saved(&h).unwrap().issuer, good);
}

/// Of the differences that are easily overlooked, the metadata's is named.
#[tokio::test]
async fn a_small_difference_is_named() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let problem = refuses(&h, &acme, &h.idp.issuer("upper"), "metadata").await;
    assert!(problem["detail"].as_str().unwrap().contains("in upper and lower case"), "{problem}");
}

/// The checks that were made last are kept with the provider, and go with it.
#[tokio::test]
async fn the_last_checks_are_kept() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let kept = async || {
        let ids: Vec<String> = saved(&h).into_iter().map(|provider| provider.id).collect();
        h.app.store.read(move |c| provider_checks::of(c, &ids)).await.unwrap()
    };
    acme.put(PATH, body(&h.idp.issuer("quiet"))).await.expect(200);
    let first = kept().await;
    assert!(first[0].at == NOW && first[0].steps.contains("warning"), "{first:?}");
    h.clock.advance(60);
    acme.call(Method::POST, &format!("{PATH}/check"), None).await.expect(200);
    let second = kept().await;
    assert_eq!((second.len(), second[0].at, &second[0].steps), (1, NOW + 60, &first[0].steps));
    acme.delete(PATH).await.expect(204);
    let id = vec![first[0].provider_id.clone()];
    assert!(h.app.store.read(move |c| provider_checks::of(c, &id)).await.unwrap().is_empty());
}

/// The version that was validated must be the one that is saved: if somebody names another issuer while the first is
/// asked, they come first, and nothing of the other edit is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_what_somebody_changed_meanwhile_is_refused() {
    let h = Harness::start_with(|config| config.fetch.timeout = Duration::from_secs(60)).await;
    let acme = h.teamspace("acme").await;
    h.idp.released.notify_one();
    acme.put(PATH, body(&h.idp.issuer("held"))).await.expect(200);
    acme.patch(PATH, json!({ "enabled": false })).await.expect(200);
    let (api, asked) = (acme.clone(), h.idp.hits());
    let waiting = tokio::spawn(async move { api.patch(PATH, json!({ "enabled": true })).await });
    while h.idp.hits() == asked {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    acme.patch(PATH, json!({ "issuer": h.idp.issuer("good") })).await.expect(200);
    let before = saved(&h);
    h.idp.released.notify_one();
    waiting.await.unwrap().problem(409, "changed_meanwhile");
    assert_eq!(saved(&h), before);
    assert!(!before.unwrap().enabled);
}
