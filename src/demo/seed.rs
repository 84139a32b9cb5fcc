//! Two companies, their people, and what an administrator enters: over the admin API.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::identity_provider::{Connection, DemoIdp, DemoPerson};
use super::{CLIENT, CONSOLE_CLIENT, DemoError, DemoParts, IDP_CLIENT, OPERATOR, SCOPES};

/// People of acme: login name, subject, email, and whether the administrator assigned the app to them.
const ACME: [(&str, &str, Option<&str>, bool); 6] = [
    ("dana", "00u1dana", Some("dana@acme.example"), true),
    ("sam", "00u2sam", Some("sam@acme.example"), true),
    ("lee", "00u3lee", Some("lee@acme.example"), true),
    ("robin", "00u4robin", None, true),
    ("eve", "00u5eve", Some("eve@elsewhere.example"), true),
    ("mallory", "00u6mallory", Some("mallory@acme.example"), false),
];

/// People who sign in to the console: the operator, Dana of Acme, and somebody who is nothing here.
const CONSOLE: [(&str, &str, Option<&str>, bool); 3] = [
    ("olive", "00v1olive", Some(OPERATOR), false),
    ("dana", "00v2dana", Some("dana@acme.example"), false),
    ("noor", "00v3noor", Some("noor@elsewhere.example"), false),
];

fn employ(idp: &DemoIdp, audience: &str, people: &[(&str, &str, Option<&str>, bool)]) {
    idp.add_client(IDP_CLIENT.0, IDP_CLIENT.1);
    idp.connect(Connection {
        client_id: IDP_CLIENT.0.to_owned(),
        audience: audience.to_owned(),
        registered_client_id: CLIENT.0.to_owned(),
        scopes: Some(SCOPES.map(str::to_owned).to_vec()),
    });
    hire(idp, people);
    for (name, .., assigned) in people {
        if *assigned {
            idp.assign(name, audience);
        }
    }
}

fn hire(idp: &DemoIdp, people: &[(&str, &str, Option<&str>, bool)]) {
    for (name, subject, email, _) in people {
        idp.add_person(DemoPerson {
            name: (*name).to_owned(),
            subject: (*subject).to_owned(),
            email: email.map(str::to_owned),
            groups: Vec::new(),
        });
    }
}

/// Dana of Acme, as her company knows her.
pub(super) fn dana(stage: &DemoParts) -> Result<DemoPerson, DemoError> {
    let mut people = stage.acme.1.people().into_iter();
    people.find(|person| person.name == "dana").ok_or_else(|| "Dana is not in the directory".into())
}

/// Calls the admin API.
pub(super) async fn admin(
    http: &Client,
    stage: &DemoParts,
    method: Method,
    path: &str,
    body: Value,
) -> Result<Value, DemoError> {
    let url = format!("{}/api/v1{path}", stage.issuer);
    let mut request = http.request(method, url).bearer_auth(&stage.admin_token);
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        return Err(format!("{path}: {status}: {text}").into());
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Enters everything. Globex is on the enterprise plan until its identity provider is saved.
pub async fn seed(http: &Client, stage: &DemoParts) -> Result<(), DemoError> {
    employ(&stage.acme.1, &stage.issuer, &ACME);
    employ(&stage.globex.1, &stage.issuer, &[("hank", "00u9hank", Some("hank@globex.example"), true)]);
    let (_, console) = &stage.console;
    hire(console, &CONSOLE);
    console.add_client(CONSOLE_CLIENT.0, CONSOLE_CLIENT.1);
    console.add_redirect(CONSOLE_CLIENT.0, &format!("{}/console/sign-in/callback", stage.issuer));
    let scopes: Vec<Value> = SCOPES.iter().map(|name| json!({ "name": name, "description": "" })).collect();
    let resource = json!({ "identifier": stage.mcp_url, "name": "Demo MCP server", "scopes": scopes });
    admin(http, stage, Method::POST, "/resources", resource).await?;
    let client =
        json!({ "client_id": CLIENT.0, "client_name": "Demo MCP client", "client_secret": CLIENT.1 });
    admin(http, stage, Method::POST, "/clients", client).await?;
    for (slug, name, limit, domain, issuer) in [
        ("acme", "Acme", json!(2), "acme.example", &stage.acme.0),
        ("globex", "Globex", Value::Null, "globex.example", &stage.globex.0),
    ] {
        let teamspace = json!({ "slug": slug, "name": name, "plan": "enterprise", "member_limit": limit,
            "email_domains": [domain] });
        admin(http, stage, Method::POST, "/teamspaces", teamspace).await?;
        let provider = json!({ "provider": "oidc", "issuer": issuer, "scope": "", "enabled": true });
        let path = format!("/teamspaces/{slug}/identity-provider");
        admin(http, stage, Method::PUT, &path, provider).await?;
    }
    admin(http, stage, Method::PATCH, "/teamspaces/globex", json!({ "plan": "pro" })).await?;
    Ok(())
}
