//! Real clients: the published TypeScript SDK, and the sign-in in a browser that comes before.

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use super::{DevIdp, countersign, save};
use crate::commands::text;
use crate::harness::{Answer, CLIENT, SECRET, http, resource};
use crate::process::{free_port, until};

/// The ID token of a sign-in as an OpenID Connect client does it, without `nonce`, at a port that was chosen anew.
async fn sign_in(idp: &DevIdp, token_endpoint: &str, authorize: &str) -> String {
    let verifier = "a-verifier-of-at-least-forty-three-characters-in-length";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let redirect = "http://localhost:41234/callback";
    let query = [
        ("response_type", "code"),
        ("client_id", "mcp-client"),
        ("redirect_uri", redirect),
        ("scope", "openid email"),
        ("state", "s"),
        ("code_challenge", &URL_SAFE_NO_PAD.encode(digest)),
        ("code_challenge_method", "S256"),
        ("login_hint", "dana@acme.example"),
    ];
    let url = url::Url::parse_with_params(authorize, query).unwrap();
    let back = http().get(url).send().await.unwrap();
    let back = url::Url::parse(back.headers()[LOCATION].to_str().unwrap()).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
        ("client_id", "mcp-client"),
        ("client_secret", "secret-here"),
    ];
    let answer = Answer::of(http().post(token_endpoint).form(&form).send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}: {answer:?}", idp.issuer);
    answer.json["id_token"].as_str().unwrap().to_owned()
}

/// Runs the published client, which must get as far as the tools.
async fn use_tools(variables: &[(&str, &str)]) {
    let output = tokio::process::Command::new("node")
        .arg(crate::interop::package("tests/node").join("cross-app-access.mjs"))
        .env("IDP_CLIENT_ID", "mcp-client")
        .env("IDP_CLIENT_SECRET", "secret-here")
        .env("CLIENT_ID", CLIENT)
        .env("CLIENT_SECRET", SECRET)
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(result["add"]["sum"], json!(5), "{result}");
}

/// What an administrator enters, over https.
async fn enter(http: &reqwest::Client, issuer: &str, token: &str, [resource, provider]: [&str; 2]) {
    let scopes = ["tools.read", "tools.call"].map(|name| json!({ "name": name, "description": "" }));
    for (path, body) in [
        ("/resources", json!({ "identifier": resource, "name": "Demo", "scopes": scopes })),
        ("/clients", json!({ "client_id": CLIENT, "client_name": "c", "client_secret": SECRET })),
        ("/teamspaces", json!({ "slug": "acme", "name": "Acme", "plan": "enterprise", "email_domains": [] })),
        (
            "/teamspaces/acme/identity-providers",
            json!({ "name": "Okta", "provider": "okta", "issuer": provider, "enabled": true }),
        ),
    ] {
        let request = http.post(format!("{issuer}/api/v1{path}")).bearer_auth(token).json(&body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, 201, "{path}: {answer:?}");
    }
}

/// Its certificate is for Countersign as well, which is all that a client needs that wants https everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn one_certificate_does_for_both_servers() {
    let dir = tempfile::tempdir().unwrap();
    let [port, management, mcp] = [free_port(), free_port(), free_port()];
    let issuer = format!("https://127.0.0.1:{port}");
    let idp = DevIdp::start(dir.path(), &issuer, &["--tls", "--mcp", &format!("127.0.0.1:{mcp}")]);
    let variables = [
        ("COUNTERSIGN_ISSUER", issuer.clone()),
        ("COUNTERSIGN_LISTEN", format!("127.0.0.1:{port}")),
        ("COUNTERSIGN_MANAGEMENT_LISTEN", format!("127.0.0.1:{management}")),
        ("COUNTERSIGN_TLS__CERTIFICATE_FILE", "dev-idp/tls/certificate.pem".to_owned()),
        ("COUNTERSIGN_TLS__KEY_FILE", "dev-idp/tls/key.pem".to_owned()),
        ("COUNTERSIGN_FETCH__CA_FILE", "dev-idp/tls/ca.pem".to_owned()),
        ("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", format!("[\"{}\"]", idp.origin)),
    ];
    let command = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).current_dir(dir.path()).envs(variables.clone()).stderr(Stdio::null());
        command
    };
    let _service = command(&["serve"]).kill_on_drop(true).spawn().unwrap();
    let ready = format!("http://127.0.0.1:{management}/readyz");
    let is_ready = async || http().get(&ready).send().await.is_ok_and(|answer| answer.status() == 200);
    until("the service is ready", is_ready).await;
    let token = command(&["admin-token", "create", "--name", "t"]).output().await.unwrap();
    let token = text(&token.stdout).trim().to_owned();

    let ca_file = dir.path().join("dev-idp/tls/ca.pem");
    let root = reqwest::Certificate::from_pem(&std::fs::read(&ca_file).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let url = format!("http://127.0.0.1:{mcp}/mcp");
    enter(&client, &issuer, &token, [&url, &idp.issuer]).await;
    let login = json!({ "user": "dana", "client_id": "mcp-client" });
    let answer = client.post(format!("{}/login", idp.origin)).json(&login).send().await.unwrap();
    let id_token = Answer::of(answer).await.json["id_token"].as_str().unwrap().to_owned();
    let ca_file = ca_file.to_str().unwrap();
    let endpoint = format!("{}/oauth2/v1/token", idp.origin);
    let variables = [
        ("NODE_EXTRA_CA_CERTS", ca_file),
        ("MCP_URL", &url),
        ("IDP_TOKEN_ENDPOINT", &endpoint),
        ("ID_TOKEN", &id_token),
        ("EXPECTED_ISSUER", &issuer),
    ];
    use_tools(&variables).await;
}

/// The whole flow, from the browser to a tool, with nothing but the published client between them.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_typescript_client_uses_it_unmodified() {
    let dir = tempfile::tempdir().unwrap();
    let (port, mcp) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{mcp}/mcp");
    for like in ["okta", "keycloak"] {
        let app = countersign(port, "http").await;
        app.put_resource(resource(&url, &["tools.read", "tools.call"])).await;
        let idp = DevIdp::start_at(
            dir.path(),
            port,
            app.issuer(),
            &["--like", like, "--mcp", &format!("127.0.0.1:{mcp}")],
        );
        assert_eq!(save(&app, &idp.issuer, "oidc").await.status, 200);
        let path = url::Url::parse(&idp.issuer).unwrap().path().trim_end_matches('/').to_owned();
        let metadata = idp.get(&format!("{path}/.well-known/openid-configuration")).await.json;
        let endpoint = |name: &str| metadata[name].as_str().unwrap().to_owned();
        let id_token = sign_in(&idp, &endpoint("token_endpoint"), &endpoint("authorization_endpoint")).await;
        let variables = [
            ("MCP_URL", url.as_str()),
            ("IDP_TOKEN_ENDPOINT", &endpoint("token_endpoint")),
            ("ID_TOKEN", &id_token),
            ("EXPECTED_ISSUER", app.issuer()),
        ];
        use_tools(&variables).await;
    }
}

/// Browsers go back to this machine, or to an address that the file names, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn browsers_go_back_to_this_machine_only() {
    let dir = tempfile::tempdir().unwrap();
    let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &[]);
    for (client, redirect, status) in [
        ("mcp-client", "http://127.0.0.1:5000/callback", 303),
        ("mcp-client", "http://[::1]:5000/callback", 303),
        ("mcp-client", "http://localhost.evil.example/callback", 400),
        ("mcp-client", "http://127.0.0.1@evil.example/callback", 400),
        ("mcp-client", "https://evil.example/", 400),
        ("mcp-client", "javascript://localhost/%0aalert(1)", 400),
        ("stranger", "http://127.0.0.1:5000/callback", 400),
    ] {
        let query = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", redirect),
            ("code_challenge", "x"),
            ("code_challenge_method", "S256"),
            ("user", "dana"),
        ];
        let url = url::Url::parse_with_params(&format!("{}/oauth2/v1/authorize", idp.origin), query).unwrap();
        let answer = http().get(url).send().await.unwrap();
        assert_eq!(answer.status(), status, "{client} {redirect}");
    }
}
