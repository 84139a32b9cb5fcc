//! The metadata of MCP servers at the address where their clients look for it, when a proxy brings the question to us.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, RESOURCE, TestApp, resource};

async fn ask(app: &TestApp, host: &str, rest: &str) -> Answer {
    let url = format!("{}/.well-known/oauth-protected-resource{rest}", app.issuer());
    Answer::of(app.http.get(url).header("host", host).send().await.unwrap()).await
}

/// PRS-01
#[tokio::test]
async fn the_metadata_of_a_resource_is_at_its_host_and_path() {
    let app = TestApp::start().await;
    for host in ["mcp.example.com", "MCP.Example.COM", "mcp.example.com:443"] {
        for rest in ["/mcp", ""] {
            let answer = ask(&app, host, rest).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, "application/json"),
                "{host}{rest}"
            );
            assert_eq!(answer.json["resource"], RESOURCE);
            assert_eq!(answer.json["authorization_servers"], json!([app.issuer()]));
            assert!(!answer.header("etag").is_empty());
        }
    }
}

/// A host that is not one of the resources' is never repeated to anybody.
#[tokio::test]
async fn other_hosts_and_paths_have_none() {
    let app = TestApp::start().await;
    let own = app.issuer().strip_prefix("http://").unwrap().to_owned();
    for (host, rest) in [
        ("mcp.example.com", "/mc"),
        ("mcp.example.com", "/mcp/x"),
        ("mcp.example.com", "/MCP"),
        ("mcp.example.com", "/mcp?x=1"),
        ("mcp.example.com", "x/mcp"),
        ("mcp.example.com:8443", "/mcp"),
        ("example.com", "/mcp"),
        ("mcp.example.com.evil.example", ""),
        ("evil.example", ""),
        ("x@mcp.example.com", "/mcp"),
        (&own, ""),
    ] {
        let answer = ask(&app, host, rest).await;
        assert_eq!(answer.status, 404, "{host} {rest}: {answer:?}");
        assert!(!answer.body.contains("example"), "{answer:?}");
    }
}

#[tokio::test]
async fn at_the_root_it_is_there_only_if_it_is_clear_which() {
    let app = TestApp::start().await;
    app.put_resource(resource("https://mcp.example.com/other", &[])).await;
    assert_eq!(ask(&app, "mcp.example.com", "").await.status, 404);
    assert_eq!(
        ask(&app, "mcp.example.com", "/other").await.json["resource"],
        "https://mcp.example.com/other"
    );
    // A resource at the host itself has its metadata there.
    app.put_resource(resource("https://mcp.example.com", &[])).await;
    assert_eq!(ask(&app, "mcp.example.com", "").await.json["resource"], "https://mcp.example.com");
    assert_eq!(ask(&app, "mcp.example.com", "/").await.json["resource"], "https://mcp.example.com");
}

/// Clients take a slash from the end of the path, and keep a query.
#[tokio::test]
async fn slashes_queries_and_ports_of_identifiers_are_found() {
    let app = TestApp::start().await;
    for identifier in [
        "https://a.example/mcp/",
        "https://b.example/mcp?tenant=1",
        "https://c.example:8443/mcp",
        "http://127.0.0.1:9/mcp",
    ] {
        app.put_resource(resource(identifier, &[])).await;
        let found = app.app.snapshot();
        let address = found.resource_named(identifier).unwrap().metadata_url();
        let rest = address.split("/.well-known/oauth-protected-resource").nth(1).unwrap();
        let host = identifier.split('/').nth(2).unwrap();
        assert_eq!(ask(&app, host, rest).await.json["resource"], identifier, "{address}");
    }
}

/// Its clients need the document, whoever they belong to; it does not say whose resource it is.
#[tokio::test]
async fn a_resource_for_some_teamspaces_is_found_and_names_none() {
    let app = TestApp::start().await;
    app.change_resource(|resource| resource.teamspaces = Some(vec!["acme".to_owned()])).await;
    let answer = ask(&app, "mcp.example.com", "/mcp").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("acme"), "{answer:?}");
}

/// META-12
#[tokio::test]
async fn pages_of_any_origin_may_read_it() {
    let app = TestApp::start().await;
    let url = format!("{}/.well-known/oauth-protected-resource/mcp", app.issuer());
    let request = app.http.request(Method::GET, url).header("host", "mcp.example.com");
    let answer = Answer::of(request.header("origin", "https://client.example").send().await.unwrap()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
}
