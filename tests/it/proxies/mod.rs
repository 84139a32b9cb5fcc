//! The example configurations of proxies, each in front of a real MCP server that knows nothing of tokens. One service
//! and one server are enough for all of them.

mod bound;
mod proxy;
mod relay;
mod requests;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::model::resource::Resource;
use countersign::store::changes::Changed;
use countersign::store::resources;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::clients::serve_token_endpoint;
use crate::examples::python;
use crate::forward_auth::{IDENTITY, credential};
use crate::forward_auth_tools::with_tools;
use crate::harness::{Answer, CLIENT, SECRET, TestApp, http, resource};
use crate::interop::{last_line, package, published_client};
use crate::process::{free_port, until};
use crate::subject::futures_all;
use proxy::{Places, Proxy, Running};
use relay::Relay;

/// The MCP server behind the proxies, `tests/python/mcp_server.py`.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    async fn start() -> Self {
        let port = free_port();
        let mut command = Command::new(python());
        let child = command.arg("tests/python/mcp_server.py").env("PORT", port.to_string()).spawn().unwrap();
        let this = Self { child, port };
        let url = this.url("/requests");
        until("the MCP server is ready", async || http().get(&url).send().await.is_ok()).await;
        this
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How many requests have reached it.
    async fn requests(&self) -> u64 {
        http().get(self.url("/requests")).send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service, the MCP server and the proxies between them.
struct Stage {
    app: TestApp,
    relay: Relay,
    server: Server,
    proxies: Vec<Running>,
    /// Trusts the certificate of the proxies.
    http: reqwest::Client,
    /// A directory with that certificate and its key.
    tls: TempDir,
}

impl Stage {
    async fn start() -> Self {
        Self::of(TestApp::start().await, &Proxy::ALL).await
    }

    async fn of(app: TestApp, proxies: &[Proxy]) -> Self {
        let tls = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(tls.path().join("tls.crt"), pair.cert.pem()).unwrap();
        std::fs::write(tls.path().join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
        let trusted = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap();
        let relay = Relay::start(app.issuer());
        let server = Server::start().await;
        let mut stage = Self { app, relay, server, proxies: Vec::new(), http, tls };
        for proxy in proxies {
            let running = stage.run(*proxy).await;
            stage.proxies.push(running);
        }
        stage
    }

    /// Registers what is behind a proxy, and starts the proxy.
    async fn run(&self, proxy: Proxy) -> Running {
        let port = free_port();
        let url = format!("https://127.0.0.1:{port}/mcp");
        let mut resource = resource(&url, &["docs.read", "docs.write"]);
        resource.required_scopes = vec!["docs.read".to_owned()];
        resource.forward_auth_credentials = true;
        let resource_id = resource.id.clone();
        self.app.put_resource(resource).await;
        let (id, secret) = credential(&self.app, &url).await;
        let places = Places {
            port,
            countersign: self.relay.address.port(),
            server: self.server.port,
            resource_id,
            credentials: STANDARD.encode(format!("{id}:{secret}")),
            tls: self.tls.path().to_owned(),
        };
        Running::start(proxy, &places, &self.http).await
    }

    /// A published client that signs in as Dana.
    fn client(&self, mut client: tokio::process::Command, token_endpoint: &str) -> tokio::process::Command {
        let certificate = self.tls.path().join("tls.crt");
        client
            .env("SSL_CERT_FILE", &certificate)
            .env("NODE_EXTRA_CA_CERTS", &certificate)
            .env("IDP_TOKEN_ENDPOINT", token_endpoint)
            .env("IDP_CLIENT_ID", "mcp-client")
            .env("IDP_CLIENT_SECRET", "secret-at-the-identity-provider")
            .env("ID_TOKEN", "an ID token")
            .env("CLIENT_ID", CLIENT)
            .env("CLIENT_SECRET", SECRET)
            .env("EXPECTED_ISSUER", self.app.issuer());
        client
    }

    /// Posts a call of `whoami` to a proxy, with these headers.
    async fn call(&self, to: &Running, headers: &[(&str, &str)]) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "whoami", "arguments": {} } });
        let mut request = self.http.post(&to.url).json(&body);
        request = request.header("accept", "application/json, text/event-stream");
        if !headers.iter().any(|(name, _)| *name == "mcp-protocol-version") {
            request = request.header("mcp-protocol-version", "2025-11-25");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// The same, which must be refused before it reaches the server.
    async fn refused(&self, by: &Running, headers: &[(&str, &str)], status: u16) -> Answer {
        let before = self.server.requests().await;
        let answer = self.call(by, headers).await;
        assert_eq!(answer.status, status, "{:?}, {headers:?}: {answer:?}", by.proxy);
        assert_eq!(
            self.server.requests().await,
            before,
            "{:?}, {headers:?}: it reached the server",
            by.proxy
        );
        answer
    }

    /// An `Authorization` header with a token for what is behind a proxy.
    async fn bearer(&self, of: &Running, scope: &str) -> String {
        let granted = self.app.granted(json!({ "resource": of.url, "scope": scope })).await;
        format!("Bearer {}", granted.access_token())
    }
}

/// The headers that reached the server, as the answer of `whoami` says.
fn seen(answer: &Answer) -> Value {
    let data = answer.body.lines().find_map(|line| line.strip_prefix("data: "));
    let data = data.unwrap_or_else(|| panic!("no event: {answer:?}"));
    let message: Value = serde_json::from_str(data).unwrap();
    serde_json::from_str(message["result"]["content"][0]["text"].as_str().unwrap()).unwrap()
}

/// Whether a server may take one header's name for the other's: CGI, WSGI and their like have `_` for `-`, `_` and `.`.
fn is_taken_for(name: &str, other: &str) -> bool {
    let common = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
    common(name) == common(other)
}

/// The server must have seen each identity header once, as Countersign set it, and no token.
#[track_caller]
fn assert_only_ours(seen: &Value, expected: &[(&str, &str)], about: &str) {
    for name in IDENTITY {
        let named = seen.as_object().unwrap().iter().filter(|(other, _)| is_taken_for(other, name));
        let values: Vec<&Value> = named.flat_map(|(_, values)| values.as_array().unwrap()).collect();
        assert_eq!(values.len(), 1, "{about}: {name} in {seen}");
        let value = expected.iter().find(|(expected, _)| *expected == name);
        assert!(value.is_none_or(|(_, value)| values[0] == value), "{about}: {name} in {seen}");
    }
    let secret = ["authorization", "x-resource-authorization"];
    let has = |name: &str| seen.as_object().unwrap().keys().any(|other| is_taken_for(other, name));
    assert!(!secret.iter().any(|name| has(name)), "{about}: {seen}");
}

/// PRS-01, PRS-06, META-05: through each proxy, the Python SDK in both kinds of its protocol, and the TypeScript SDK.
/// What they say of themselves does not count, and progress arrives before the result.
#[tokio::test(flavor = "multi_thread")]
async fn published_clients_sign_in_and_call_tools_through_each_proxy() {
    let stage = Stage::start().await;
    let endpoint = serve_token_endpoint(&stage.app).await;
    let urls: Vec<&str> = stage.proxies.iter().map(|running| running.url.as_str()).collect();
    let mut client = published_client(python(), "tests/python/behind_proxy.py".into());
    client.env("MCP_URLS", urls.join(" ")).env("SERVER", stage.server.url(""));
    let (ok, result) = last_line(stage.client(client, &endpoint)).await;
    assert!(ok, "{result}");
    let calls = result["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2 * urls.len());
    let member = stage.app.member("dana@acme.com").await.unwrap();
    let expected = [
        ("x-auth-subject", member.id.as_str()),
        ("x-auth-email", "dana@acme.com"),
        ("x-auth-client-id", CLIENT),
        ("x-auth-teamspace", "acme"),
        ("x-auth-scope", "docs.read"),
    ];
    for call in calls {
        assert_eq!(call["tools"], json!(["whoami", "wait"]), "{call}");
        assert_eq!(call["waited"]["result"], "released", "{call}");
        assert_only_ours(&call["whoami"], &expected, call["url"].as_str().unwrap());
    }
    for running in &stage.proxies {
        let mut client = published_client("node", package("tests/node").join("cross-app-access.mjs"));
        client.env("MCP_URL", &running.url).env("PROTOCOL", "2026-07-28");
        let (ok, result) = last_line(stage.client(client, &endpoint)).await;
        assert!(ok, "{:?}: {result}", running.proxy);
        assert_only_ours(&result["whoami"], &expected, &running.url);
    }
}

/// `wait` is for nobody.
const NOBODY_WAITS: &str = r#"
@id("test.nobody-waits") @reason("tool_denied") @error("access_denied") @message("Nobody waits.")
forbid (principal is User, action == Action::"CallTool", resource)
when { resource.name == "wait" };"#;

/// PRS-06: with policies about tools, a published client calls one tool through a proxy, and another tool does not reach
/// the server, nor does a request that does not say which one it is for.
#[tokio::test(flavor = "multi_thread")]
async fn policies_about_tools_decide_behind_a_proxy() {
    let rules = with_tools(NOBODY_WAITS);
    let stage = Stage::of(rules.start().await, &[Proxy::Nginx]).await;
    let at = &stage.proxies[0];
    let known = stage.app.app.snapshot().resource_named(&at.url).cloned().unwrap();
    let strict = Resource { tool_policies: true, ..Resource::clone(&known) };
    stage.app.configure(Changed::Resource(strict.id.clone()), move |c| resources::update(c, &strict)).await;
    let endpoint = serve_token_endpoint(&stage.app).await;
    let mut client = published_client("node", package("tests/node").join("cross-app-access.mjs"));
    client.env("MCP_URL", &at.url).env("PROTOCOL", "2026-07-28");
    let (ok, result) = last_line(stage.client(client, &endpoint)).await;
    assert!(ok, "{result}");
    assert_eq!(result["whoami"]["mcp-method"], json!(["tools/call"]), "{result}");
    assert_eq!(result["whoami"]["mcp-name"], json!(["whoami"]), "{result}");
    let token = stage.bearer(at, "docs.read").await;
    let with = |more: &[(&'static str, &'static str)]| {
        let mut headers = vec![("authorization", token.as_str()), ("mcp-protocol-version", "2026-07-28")];
        headers.extend_from_slice(more);
        headers
    };
    let call = ("mcp-method", "tools/call");
    stage.refused(at, &with(&[call, ("mcp-name", "wait")]), 403).await;
    stage.refused(at, &with(&[call, ("mcp-name", "=?base64?d2FpdA==?=")]), 403).await;
    for incomplete in [&[call][..], &[("mcp-name", "whoami")], &[]] {
        stage.refused(at, &with(incomplete), 403).await;
    }
}

/// A service that takes questions and never answers. Each proxy gives up within the time of its example (5 s), and
/// Traefik within the 30 s that nobody can change.
#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_waits_for_a_silent_service_forever() {
    let stage = Stage::start().await;
    let mut asked = Vec::new();
    for running in &stage.proxies {
        let token = stage.bearer(running, "docs.read").await;
        asked.push((running, token));
    }
    let before = stage.server.requests().await;
    stage.relay.fall_silent();
    let ask = async |running: &Running, token: &str| {
        let started = Instant::now();
        let answer = stage.call(running, &[("authorization", token)]).await;
        (running.proxy, answer, started.elapsed())
    };
    for (proxy, answer, took) in futures_all(asked.iter().map(|(at, token)| ask(at, token))).await {
        assert!((500..600).contains(&answer.status), "{proxy:?}: {answer:?}");
        let most = if proxy == Proxy::Traefik { 33 } else { 8 };
        assert!(took < Duration::from_secs(most), "{proxy:?}: {took:?}");
        assert!(took > Duration::from_secs(3), "{proxy:?} did not ask: {took:?}");
    }
    assert_eq!(stage.server.requests().await, before, "nothing reached the server");
}
