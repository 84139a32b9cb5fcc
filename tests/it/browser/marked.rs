//! Markup in every text that others control: names, claims, headers, and the messages of policies.

use std::collections::BTreeSet;

use serde_json::json;
use tempfile::TempDir;

use super::{routes, run_on};
use crate::console::visitor::Visitor;
use crate::files::with_shipped;
use crate::harness::{CLIENT, SECRET, TestApp};
use crate::process::real_time;
use countersign::oauth::request::JWT_BEARER;

/// A browser would run it, were it not shown as text.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

const POLICY: &str = r#"
@id("marked") @reason("marked") @error("access_denied") @message("<img src=x onerror=alert(1)>")
forbid (principal, action == Action::"ProvisionMember", resource)
when { context.claims has email && context.claims.email == "marked@acme.com" };
"#;

/// Pages that show at least one of the texts.
const SHOWN: [&str; 9] = [
    "/console/activity",
    "/console/audit",
    "/console/clients",
    "/console/policies",
    "/console/resources",
    "/console/t/acme",
    "/console/t/acme/activity",
    "/console/t/acme/enterprise",
    "/console/teamspaces",
];

/// A deployment whose names and callers are all hostile.
async fn marked() -> (TestApp, TempDir) {
    let policies = with_shipped(&[("a.cedar", POLICY)]);
    let dir = policies.path().to_owned();
    let app = TestApp::start_with(|config| config.policy_dir = Some(dir)).await;
    real_time(&app);
    app.change_teamspace(|teamspace| teamspace.name = MARKUP.into()).await;
    app.change_client(|client| (client.client_name, client.groups) = (MARKUP.into(), vec![MARKUP.into()]))
        .await;
    app.change_resource(|resource| {
        resource.name = MARKUP.into();
        resource.scopes[0].description = MARKUP.into();
    })
    .await;
    app.change_provider(|provider| (provider.name, provider.tenant) = (MARKUP.into(), None)).await;
    app.granted(json!({})).await;
    for claims in [
        json!({ "sub": MARKUP, "email": "lee@acme.com" }),
        json!({ "sub": MARKUP, "email": format!("{MARKUP}@acme.com") }),
        json!({ "iss": MARKUP }),
        json!({ "aud": format!("{}/{MARKUP}", app.issuer()) }),
        json!({ "resource": MARKUP }),
        json!({ "scope": MARKUP, "client_id": MARKUP }),
        json!({ "sub": "00u9", "email": "marked@acme.com" }),
        // Which has a refusal that the pages of every screen look for.
        json!({ "aud": format!("{}/", app.issuer()) }),
    ] {
        exchange(&app, &app.assertion(claims)).await;
    }
    // For the audit log.
    let form = [("slug", "globex"), ("name", MARKUP), ("plan", "free"), ("time_zone", "UTC")];
    Visitor::operator(&app.app).await.post("/teamspaces", &form).await.leads_to("/teamspaces", MARKUP);
    (app, policies)
}

/// From a client whose headers are hostile as well.
async fn exchange(app: &TestApp, assertion: &str) {
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).form(&form);
    let hostile = request.header("x-request-id", MARKUP).header("user-agent", MARKUP);
    hostile.header("x-forwarded-for", MARKUP).send().await.unwrap();
}

/// On no page of all is it markup, and the pages that show it show it as text.
#[tokio::test(flavor = "multi_thread")]
async fn markup_in_texts_of_others_stays_text_on_every_page() {
    let (app, _policies) = marked().await;
    let operator = Visitor::operator(&app.app).await;
    let mut shown = BTreeSet::new();
    for screen in routes::screens(&app).await {
        let path = screen["path"].as_str().unwrap();
        let Some(own) = path.strip_prefix("/console") else { continue };
        let page = operator.get(own).await.body;
        assert!(!page.contains("<img src=x"), "{path}: {page}");
        if page.contains("&#60;img src=x onerror=alert(1)&#62;") {
            shown.insert(path.to_owned());
        }
    }
    let rows = app.sign_ins().await;
    let id = &rows.iter().find(|row| row.reason == "marked").unwrap().request_id;
    let message = operator.get(&format!("/activity/{id}")).await.page(200);
    assert!(message.contains("&#60;img") && !message.contains("<img"), "the policy's message: {message}");
    for path in SHOWN {
        assert!(shown.contains(path), "{path} is not among {shown:?}");
    }
}

/// The pages as the browser sees them: no element, no script, and nothing that the content security policy had to stop.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_makes_no_element_of_texts_of_others() {
    let (app, _policies) = marked().await;
    run_on((&app, app.issuer()), "marked.mjs", json!({ "screens": SHOWN, "markup": MARKUP })).await;
}
