//! The real thing: a published MCP server that takes our tokens, and a published client that gets them.
//! Their packages are installed by `scripts/test`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign::demo::{CLIENT, DemoParts, IDP_CLIENT, seed};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, decode, http, resource};
use crate::idp::b64;
use crate::process::{free_port, real_time};

pub fn package(dir: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    assert!(path.join("node_modules").is_dir(), "run ./scripts/test: it installs the packages of {dir}");
    path
}

struct Context7 {
    child: Child,
    url: String,
}

impl Context7 {
    async fn start(issuer: &str, port: u16) -> Self {
        let child = Command::new(package("examples/context7").join("start.sh"))
            .env("PORT", port.to_string())
            .env("EMA_ISSUER", issuer)
            .env("EMA_JWKS_URL", format!("{issuer}/oauth2/jwks"))
            .env("RESOURCE_URL", format!("http://127.0.0.1:{port}/mcp/oauth"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let this = Self { child, url: format!("http://127.0.0.1:{port}/mcp/oauth") };
        for _ in 0..200 {
            if http().get(format!("http://127.0.0.1:{port}/ping")).send().await.is_ok() {
                return this;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the Context7 server did not start");
    }

    async fn call(&self, token: &str, method: &str, params: Value) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = http().post(&self.url).bearer_auth(token).json(&body);
        let request = request.header("accept", "application/json, text/event-stream");
        Answer::of(request.send().await.unwrap()).await
    }

    async fn list_tools(&self, token: &str) -> Answer {
        self.call(token, "tools/list", json!({})).await
    }
}

impl Drop for Context7 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PRS-03, PRS-05: the published Context7 MCP server takes our token for it, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_context7_server_accepts_our_tokens() {
    let app = TestApp::start().await;
    real_time(&app);
    let port = free_port();
    let own = format!("http://127.0.0.1:{port}/mcp/oauth");
    app.put_resource(resource(&own, &[])).await;
    let server = Context7::start(app.issuer(), port).await;
    let for_it = json!({ "resource": own, "scope": null });
    let token = app.granted(for_it.clone()).await.access_token().to_owned();

    let initialize = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } });
    let answer = server.call(&token, "initialize", initialize).await;
    assert!(answer.status == 200 && answer.body.contains("\"serverInfo\""), "{answer:?}");
    let answer = server.list_tools(&token).await;
    assert!(answer.status == 200 && answer.body.contains("resolve-library-id"), "{answer:?}");

    let other = app.granted(json!({})).await.access_token().to_owned();
    let id_jag = app.assertion(for_it.clone());
    app.clock.advance(-7200);
    let expired = app.granted(for_it).await.access_token().to_owned();
    for (what, token) in [
        ("for another resource", other),
        ("an ID-JAG", id_jag),
        ("expired", expired),
        ("tampered", tampered(&token)),
    ] {
        let answer = server.list_tools(&token).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert!(answer.header("www-authenticate").contains("resource_metadata"), "{what}");
    }
}

/// Another teamspace in the payload, under the old signature.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
    claims["teamspace"] = json!("globex");
    format!("{}.{}.{}", parts[0], b64(claims.to_string()), parts[2])
}

/// Runs the published TypeScript client against the demonstration, as Dana.
async fn typescript_client(stage: &DemoParts, env: &[(&str, &str)]) -> (bool, Value) {
    let id_token = stage.acme.1.id_token("dana", IDP_CLIENT.0).unwrap();
    let mut client = published_client("node", package("tests/node").join("cross-app-access.mjs"));
    client
        .env("MCP_URL", &stage.mcp_url)
        .env("IDP_TOKEN_ENDPOINT", format!("{}/oauth2/v1/token", stage.acme.0))
        .env("IDP_CLIENT_ID", IDP_CLIENT.0)
        .env("IDP_CLIENT_SECRET", IDP_CLIENT.1)
        .env("ID_TOKEN", id_token)
        .env("CLIENT_ID", CLIENT.0)
        .env("CLIENT_SECRET", CLIENT.1)
        .env("EXPECTED_ISSUER", &stage.issuer)
        .envs(env.iter().copied());
    last_line(client).await
}

/// A published client: a script that says in one line of JSON how it went.
pub fn published_client(interpreter: impl AsRef<OsStr>, script: PathBuf) -> tokio::process::Command {
    let mut client = tokio::process::Command::new(interpreter);
    client.arg(script).env("NO_PROXY", "127.0.0.1").kill_on_drop(true);
    client
}

/// Runs it: whether it succeeded, and its last line.
pub async fn last_line(mut client: tokio::process::Command) -> (bool, Value) {
    let output = client.output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let line = stdout.lines().last().unwrap_or_default();
    let json = serde_json::from_str(line)
        .unwrap_or_else(|_| panic!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), json)
}

/// META-05: the published TypeScript SDK does the whole flow against the demonstration's MCP server.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_typescript_client_does_the_whole_flow() {
    let dir = tempfile::tempdir().unwrap();
    let stage = DemoParts::start(dir.path()).await.unwrap();
    seed(&http(), &stage).await.unwrap();
    for env in [&[][..], &[("CLIENT_AUTH", "client_secret_post")], &[("PROTOCOL", "2026-07-28")]] {
        let (ok, result) = typescript_client(&stage, env).await;
        assert!(ok, "{env:?}: {result}");
        assert_eq!(
            (&result["add"]["sum"], &result["whoami"]["teamspace"]),
            (&json!(5), &json!("acme")),
            "{result}"
        );
    }
    let (ok, result) = typescript_client(&stage, &[("MODE", "replay")]).await;
    assert!(ok && result["replay"].as_str().unwrap().contains("invalid_grant"), "{result}");
    let (ok, result) = typescript_client(&stage, &[("CLIENT_SECRET", "wrong")]).await;
    assert_eq!((ok, &result["error"]), (false, &json!("invalid_client")), "{result}");
    stage.acme.1.unassign("dana", &stage.issuer);
    let (ok, _) = typescript_client(&stage, &[]).await;
    assert!(!ok, "no assertion, no access");
}
