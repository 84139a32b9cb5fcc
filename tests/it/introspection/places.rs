//! Requests at once to the endpoints about tokens.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{introspect, start, url};
use crate::harness::{CLIENT, SECRET, TestApp};

const SCIM: &str = "/t/acme/scim/v2/Users";
const EVENTS: &str = "/t/acme/security-events";

/// Takes every place at a path.
fn take_all(app: &TestApp, path: &str) -> Vec<impl Drop + use<>> {
    let request = Request::post(path).body(Body::empty()).unwrap();
    let places = std::iter::from_fn(|| app.app.gate.enter(&request).ok().flatten());
    let places: Vec<_> = places.take(20_000).collect();
    assert!(!places.is_empty() && places.len() < 20_000, "{path} has no bound");
    places
}

/// INT-06: a flood at one endpoint keeps nobody out of another.
#[tokio::test]
async fn each_endpoint_has_places_of_its_own() {
    let app = start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let revoke = async || {
        let request = app.http.post(url(&app, "revoke")).basic_auth(CLIENT, Some(SECRET));
        request.form(&[("token", "x")]).send().await.unwrap().status().as_u16()
    };
    let status = async |path: &str| {
        let request = app.http.post(format!("{}{path}", app.issuer()));
        request.send().await.unwrap().status().as_u16()
    };
    let paths =
        ["/oauth2/introspect", "/oauth2/revoke", "/oauth2/revocations", "/forward-auth/x", SCIM, EVENTS];
    for path in paths {
        let taken = take_all(&app, path);
        assert_eq!(app.granted(json!({})).await.status, 200, "{path}");
        let (introspected, revoked) = (introspect(&app, &token).await.status, revoke().await);
        let full = |own: &str| if path == own { 503 } else { 200 };
        assert_eq!((introspected, revoked), (full("/oauth2/introspect"), full("/oauth2/revoke")), "{path}");
        for own in [SCIM, EVENTS] {
            assert_eq!(status(own).await == 503, path == own, "{own} beside {path}");
        }
        drop(taken);
        assert_eq!(introspect(&app, &token).await.status, 200);
    }
    let taken = take_all(&app, "/oauth2/token");
    assert_eq!((introspect(&app, &token).await.status, revoke().await), (200, 200));
    drop(taken);
}
