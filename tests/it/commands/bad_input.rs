//! Whatever is wrong: one clear sentence, exit 2, and nothing is half done.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::json;

use super::desk::{Desk, Ended, WAYS, Way, command, run, serve};
use crate::commands::countersign;

/// The sentence of a command that must fail.
fn sentence(ended: &Ended, args: &[&str]) -> String {
    assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
    assert_eq!(ended.out, "", "{args:?}: {ended:?}");
    let said = ended.err.strip_prefix("error: ").unwrap_or_else(|| panic!("{args:?}: {ended:?}"));
    assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    said.trim_end().to_owned()
}

#[tokio::test]
async fn a_refusal_is_one_sentence_and_changes_nothing() {
    let desk = Desk::start().await;
    let dir = desk.app.dir.path();
    std::fs::write(dir.join("half.json"), "{\"name\": \"Ha").unwrap();
    std::fs::write(dir.join("list.json"), "[]").unwrap();
    std::fs::write(
        dir.join("unknown.json"),
        "{\"slug\": \"h\", \"name\": \"H\", \"plan\": \"pro\", \"colour\": 1}",
    )
    .unwrap();
    let before = desk.json(Way::Server, &["teamspace", "list"]).await;
    let create = ["teamspace", "create"];
    for way in WAYS {
        for (args, expected) in [
            (&["acme", "--name", "A", "--plan", "pro"][..], "slug_taken"),
            (&["h", "--from-file", "half.json"], "half.json: expected a JSON object"),
            (&["h", "--from-file", "list.json"], "list.json: expected a JSON object"),
            (&["h", "--from-file", "nowhere.json"], "nowhere.json"),
            (&["--from-file", "unknown.json"], "`colour` is unknown; expected slug, name"),
            (&["Not A Slug", "--name", "A", "--plan", "pro"], "slug_invalid"),
            (&["h", "--name", "", "--plan", "pro"], "name_invalid"),
            (&["h", "--name", "H"], "plan"),
        ] {
            let said = sentence(&desk.run(way, &[&create[..], args].concat()).await, args);
            assert!(said.contains(expected), "{way:?} {args:?}: {expected} is not in {said}");
        }
        for (args, expected) in [
            (&["teamspace", "show", "nobody"][..], "nothing at teamspaces/nobody"),
            (&["teamspace", "show", ".."], "cannot be an id"),
            (&["teamspace", "show", ""], "cannot be an id"),
            (&["teamspace", "update", "acme"], "nothing to change"),
            (&["client", "show", "a/../b?c#d"], "nothing at clients/a/../b?c#d"),
            (&["provider", "show", "-t", "acme", "x"], "nothing at teamspaces/acme/identity-providers/x"),
            (&["member", "invite", "-t", "acme", "no-email"], "email_invalid"),
            (
                &["provider", "create", "-t", "acme", "--provider", "oidc", "--issuer", "http://127.0.0.1:9"],
                "must list http://127.0.0.1:9 in the setting `fetch.private_origins`",
            ),
            (&["reason", "show", "bad_luck"], "there is no reason bad_luck"),
            (&["sign-ins", "list", "--from", "yesterday"], "query_invalid"),
            (&["sign-ins", "show", "nothing"], "no request nothing"),
            (&["teamspace", "list", "--cursor", "!"], "cursor_invalid"),
        ] {
            let said = sentence(&desk.run(way, args).await, args);
            assert!(said.contains(expected), "{way:?} {args:?}: {expected} is not in {said}");
        }
    }
    assert_eq!(desk.json(Way::Server, &["teamspace", "list"]).await, before);
}

/// What is wrong with the way to the service. The token is in no message.
#[tokio::test]
async fn a_service_that_cannot_be_used_is_told_in_one_sentence() {
    let desk = Desk::start().await;
    let dir = desk.app.dir.path();
    std::fs::write(dir.join("empty"), "\n").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let page = serve(Router::new().fallback(any(|| async { "<html>hello</html>" }))).await;
    let json =
        serve(Router::new().fallback(any(|| async { (StatusCode::NOT_FOUND, Json(json!({ "a": 1 }))) })))
            .await;
    let away =
        serve(Router::new().fallback(any(|| async { Redirect::permanent("http://elsewhere.example/") })))
            .await;
    let token = ["--token", "cst_this-is-not-a-token"];
    for (server, more, expected) in [
        (refused.as_str(), &token[..], "is the service running there"),
        (&page, &token, "not from the admin API"),
        (&json, &token, "not from the admin API"),
        (&away, &token, "redirects to another place"),
        (&desk.server, &token, "does not accept the token"),
        (&desk.server, &["--token", ""], "a token is needed"),
        (&desk.server, &["--token-file", "empty"], "a token is needed"),
        (&desk.server, &["--token-file", "nowhere"], "--token-file nowhere: "),
        (&desk.server, &["--token", "cst_\u{7f}"], "the token is not one"),
        ("http://auth.example.com", &token, "--allow-http"),
        ("auth.example.com", &token, "expected a URL"),
        ("ftp://auth.example.com", &token, "expected a URL"),
        ("https://user:hunter2@auth.example.com", &token, "expected a URL"),
        ("https://auth.example.com?x", &token, "expected a URL"),
    ] {
        let args = [&["teamspace", "list", "--server", server], more].concat();
        let said = sentence(&run(command(dir, &args), "").await, &args);
        assert!(said.contains(expected), "{args:?}: {expected} is not in {said}");
        assert!(!said.contains("cst_") && !said.contains("hunter2"), "{said}");
    }
}

/// A database without its tables is not changed, whatever is asked.
#[tokio::test]
async fn sqlite_pending_migrations_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut prepared = command(dir.path(), &["teamspace", "list"]);
    prepared.env("COUNTERSIGN_POLICY_DIR", root.join("policies"));
    prepared.env("COUNTERSIGN_SCHEMA_FILE", root.join("schema/countersign.cedarschema"));
    std::fs::write(dir.path().join("countersign.db"), "").unwrap();
    let said = sentence(&run(prepared, "").await, &[]);
    assert!(said.contains("countersign migrate"), "{said}");
}

/// A service without room is asked again, as late as it says.
#[tokio::test]
async fn a_busy_service_is_asked_again() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let answer = any(|| async {
        match ASKED.fetch_add(1, Ordering::SeqCst) {
            0 => {
                let problem = json!({ "code": "rate_limited", "detail": "Too much." });
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], Json(problem)).into_response()
            }
            _ => Json(json!({ "items": [], "next_cursor": null })).into_response(),
        }
    });
    let server = serve(Router::new().fallback(answer)).await;
    let dir = tempfile::tempdir().unwrap();
    let args = ["teamspace", "list", "--server", &server, "--token", "t"];
    let ended = run(command(dir.path(), &args), "").await;
    assert_eq!((ended.code, ASKED.load(Ordering::SeqCst)), (Some(0), 2), "{ended:?}");
    assert_eq!(ended.err, "There are no teamspaces.\n");
}

/// Names, messages and ids from elsewhere neither control the terminal nor begin a line.
#[tokio::test]
async fn texts_from_elsewhere_do_not_control_the_terminal() {
    let nasty = "a\u{1b}[31mb\nc\td\u{202e}e\u{200b}f<b>\r";
    let item = json!({ "slug": nasty, "name": nasty, "plan": "pro", "email_domains": [nasty], "id": nasty });
    let list = json!({ "items": [item], "next_cursor": null });
    let problem = json!({ "code": nasty, "detail": nasty });
    let router = Router::new()
        .route("/api/v1/teamspaces", any(move || std::future::ready(Json(list.clone()))))
        .fallback(any(move || std::future::ready((StatusCode::CONFLICT, Json(problem.clone())))));
    let server = serve(router).await;
    let dir = tempfile::tempdir().unwrap();
    for (verb, code) in [(&["list"][..], 0), (&["list", "--format", "json"], 0), (&["show", "x"], 2)] {
        let args = [&["teamspace"], verb, &["--server", &server, "--token", "t"]].concat();
        let ended = run(command(dir.path(), &args), "").await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let printed = format!("{}{}", ended.out, ended.err);
        for raw in ['\u{1b}', '\u{202e}', '\u{200b}', '\r'] {
            assert!(!printed.contains(raw), "{raw:?} in {printed:?}");
        }
        if verb == ["list"] {
            assert_eq!(ended.out.lines().count(), 2, "{ended:?}");
        }
    }
}

/// The server wins over a configuration file, and its variables are no unknown keys.
#[tokio::test]
async fn the_server_wins_over_the_configuration() {
    let desk = Desk::start().await;
    let dir = desk.app.dir.path();
    std::fs::write(dir.join("countersign.toml"), "database_url = \"sqlite://nowhere.db\"").unwrap();
    let listed = desk.done(Way::Server, &["teamspace", "list"]).await;
    assert!(listed.out.contains("acme"), "{listed:?}");
    let shown = desk.done(Way::Server, &["config", "show"]).await;
    assert!(shown.out.contains("nowhere.db") && !shown.out.contains(&desk.token), "{shown:?}");
    let mut unset = desk.command(Way::Database, &["teamspace", "list"]);
    unset.env("COUNTERSIGN_SERVER", "").env_remove("COUNTERSIGN_DATABASE_URL");
    let said = sentence(&run(unset, "").await, &[]);
    assert!(said.contains("there is no database at nowhere.db"), "{said}");
    // Help shows where to work, and never the token.
    let help = desk.done(Way::Server, &["teamspace", "list", "--help"]).await;
    assert!(help.out.contains("It wins over a configuration file"), "{help:?}");
    assert!(!help.out.contains(&desk.token), "{help:?}");
}

/// Whatever still holds the store when it is closed is waited for, up to two seconds.
#[test]
fn a_command_on_the_database_does_not_wait_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    assert!(countersign(dir.path(), &["migrate"], &[]).status.success());
    let took = || {
        let began = Instant::now();
        assert!(countersign(dir.path(), &["teamspace", "list"], &[]).status.success());
        began.elapsed()
    };
    let fastest = std::iter::repeat_with(took).take(4).min().unwrap();
    assert!(fastest < Duration::from_millis(1900), "{fastest:?}");
}
