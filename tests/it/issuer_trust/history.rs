//! The history of the trust in a provider, and alerts about its metadata.

use countersign::idp::key::VerificationKey;
use countersign::store::trust_changes;
use serde_json::{Value, json};

use super::{Operator, metric, stored};
use crate::harness::TestApp;
use crate::idp::Key;

const PROVIDER: &str = "id-of-acme";
const ONE: &str = "/teamspaces/acme/identity-providers/id-of-acme";

fn thumbprint(key: &Key) -> String {
    VerificationKey::from_jwk(&key.jwk()).unwrap().names().thumbprint
}

fn kinds(history: &[Value]) -> Vec<&str> {
    history.iter().map(|change| change["kind"].as_str().unwrap()).collect()
}

/// RFC 7638 §3.1 and RFC 8037 A.3.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let rsa = json!({ "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXj\
              BZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8K\
              JZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBn\
              iIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    for (jwk, expected) in [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        let key = VerificationKey::from_jwk(&jwk).unwrap();
        assert_eq!(key.names().thumbprint, expected);
        // What is stored is the same key.
        let again = VerificationKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(again.names(), key.names());
    }
}

/// Each rotation is in the history with the keys before and after; fetches that find nothing new are not.
#[tokio::test]
async fn rotations_are_in_the_history() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    app.granted(json!({})).await;
    app.clock.advance(600);
    app.granted(json!({})).await;
    app.idp.publish(&[&old, &new]);
    app.clock.advance(600);
    app.granted(json!({})).await;
    let history = operator.history(PROVIDER).await;
    assert_eq!(kinds(&history), ["keys", "keys"]);
    let key = |key: &Key| json!({ "kid": key.kid, "thumbprint": thumbprint(key) });
    assert_eq!(history[0]["old"], json!({ "keys": [key(&old)] }));
    assert_eq!(history[0]["new"], json!({ "keys": [key(&old), key(&new)] }));
    assert_eq!((&history[0]["actor"], &history[0]["request_id"]), (&Value::Null, &Value::Null));
    assert_eq!(history[1]["old"], Value::Null);
    assert_eq!(metric(&app, "countersign_issuer_key_changes_total").await, 2);
    // A provider that is saved without another issuer keeps its history, and has no new keys.
    app.change_provider(|provider| provider.name = "Okta Europe".into()).await;
    app.granted(json!({})).await;
    assert_eq!(operator.history(PROVIDER).await.len(), 2);
}

/// What administrators do is there with their names and the keys that the checks saw.
#[tokio::test]
async fn what_administrators_save_is_in_the_history() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    app.put_teamspace("globex").await;
    let path = "/teamspaces/acme/identity-providers";
    let body =
        json!({ "provider": "oidc", "name": "Second", "issuer": format!("{}/second", app.idp.issuer) });
    app.idp.change(|behaviour| behaviour.metadata_issuer = format!("{}/second", app.idp.issuer));
    let made = operator.post(path, body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json["id"].as_str().unwrap();
    for enabled in [false, true] {
        let url = format!("{}/api/v1{path}/{id}", app.issuer());
        let request = app.http.patch(url).bearer_auth(&operator.token).json(&json!({ "enabled": enabled }));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let history = operator.history(id).await;
    assert_eq!(kinds(&history), ["enabled", "disabled", "added"]);
    assert!(history.iter().all(|change| change["actor"] == "t" && !change["request_id"].is_null()));
    let added = &history[2]["new"];
    assert_eq!(added["issuer"], format!("{}/second", app.idp.issuer));
    assert_eq!(added["keys"], json!([{ "kid": "idp-1", "thumbprint": thumbprint(&app.idp.key) }]));
    assert_eq!((&history[1]["new"], &history[1]["old"]["keys"]), (&Value::Null, &added["keys"]));
    // Another teamspace does not see it.
    let token = crate::explain::admin(&app, Some("id-of-globex")).await;
    let url = format!("{}/api/v1{path}/{id}/trust-history", app.issuer());
    assert_eq!(app.http.get(url).bearer_auth(token).send().await.unwrap().status(), 404);
}

/// ADM-10: a moved `jwks_uri` is told everywhere and followed only when an administrator confirms exactly it.
#[tokio::test]
async fn a_moved_jwks_uri_alerts_until_it_is_confirmed() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    app.granted(json!({})).await;
    assert_eq!(operator.get(ONE).await["metadata_differs"], Value::Null);
    let (old_uri, new_uri) = (app.idp.jwks_uri(), format!("{}/oauth2/jwks", app.idp.issuer));
    app.idp.change(|behaviour| behaviour.metadata_jwks_uri.clone_from(&new_uri));
    for _ in 0..2 {
        app.clock.advance(600);
        app.granted(json!({})).await;
    }
    let differs = &operator.get(ONE).await["metadata_differs"];
    assert_eq!((&differs["issuer"], &differs["jwks_uri"]), (&json!(app.idp.issuer), &json!(new_uri)));
    let all = operator.get("/teamspaces/acme/identity-providers").await;
    assert_eq!(&all["items"][0]["metadata_differs"], differs);
    let alerts = operator.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["new"]["metadata"]["jwks_uri"], json!(new_uri));
    assert_eq!(
        (alerts[0]["actor_kind"].as_str(), alerts[0]["teamspace"].as_str()),
        (Some("identity_provider"), Some("acme"))
    );
    assert_eq!(metric(&app, "countersign_issuers_with_other_metadata").await, 1);
    assert_eq!(metric(&app, "countersign_issuer_metadata_changes_total").await, 1);
    assert_eq!(stored(&app).await.unwrap().jwks_uri, old_uri, "it is not followed");

    // Another address than the one that they name is no confirmation.
    let generation = app.app.snapshot().generation;
    for other in [old_uri.as_str(), "https://evil.example/keys"] {
        let refused = operator.post(&format!("{ONE}/confirm-jwks-uri"), json!({ "jwks_uri": other })).await;
        assert_eq!((refused.status, refused.json["code"].as_str()), (409, Some("jwks_uri_differs")));
    }
    assert_eq!(app.app.snapshot().generation, generation);
    let confirmed = operator.post(&format!("{ONE}/confirm-jwks-uri"), json!({ "jwks_uri": new_uri })).await;
    assert_eq!((confirmed.status, &confirmed.json["jwks_uri"]), (200, &json!(new_uri)), "{confirmed:?}");
    assert_eq!(operator.get(ONE).await["metadata_differs"], Value::Null);
    app.granted(json!({})).await;
    assert_eq!(stored(&app).await.unwrap().jwks_uri, new_uri);
    assert_eq!(metric(&app, "countersign_issuers_with_other_metadata").await, 0);
    let history = operator.history(PROVIDER).await;
    assert_eq!(kinds(&history), ["changed", "metadata", "keys"]);
    assert_eq!(
        (&history[0]["old"]["jwks_uri"], &history[0]["new"]["jwks_uri"]),
        (&json!(old_uri), &json!(new_uri))
    );
    assert_eq!(
        (history[0]["actor"].as_str(), &history[0]["old"]["keys"]),
        (Some("t"), &history[0]["new"]["keys"])
    );
}

/// ADM-10: metadata of another issuer are not followed, whoever confirms what; when they agree again, the alert ends.
#[tokio::test]
async fn another_issuer_alerts_and_cannot_be_confirmed() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    app.granted(json!({})).await;
    app.idp.change(|behaviour| behaviour.metadata_issuer = "https://evil.example".into());
    app.clock.advance(600);
    app.granted(json!({})).await;
    let differs = &operator.get(ONE).await["metadata_differs"];
    assert_eq!((&differs["issuer"], &differs["jwks_uri"]), (&json!("https://evil.example"), &Value::Null));
    assert_eq!(operator.alerts().await.len(), 1);
    let body = json!({ "jwks_uri": app.idp.jwks_uri() });
    let refused = operator.post(&format!("{ONE}/confirm-jwks-uri"), body).await;
    assert_eq!((refused.status, refused.json["code"].as_str()), (422, Some("metadata")), "{refused:?}");
    app.idp.change(|behaviour| behaviour.metadata_issuer.clone_from(&app.idp.issuer));
    app.clock.advance(600);
    app.granted(json!({})).await;
    assert_eq!(operator.get(ONE).await["metadata_differs"], Value::Null);
    assert_eq!(kinds(&operator.history(PROVIDER).await), ["metadata", "metadata", "keys"]);
    assert_eq!(metric(&app, "countersign_issuer_metadata_changes_total").await, 1);
}

/// A provider that changes with every fetch fills neither the audit log nor the history.
#[tokio::test]
async fn a_provider_that_keeps_changing_is_bounded() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    for i in 0..130 {
        let uri = format!("{}/keys?{i}", app.idp.issuer);
        app.idp.change(|behaviour| behaviour.metadata_jwks_uri = uri);
        app.idp.publish(&[&Key::es256(&format!("key-{i}"))]);
        app.app.issuer_keys.look("acme", &app.provider("acme"), 0).await;
        app.clock.advance(1);
    }
    assert_eq!(operator.alerts().await.len(), 1);
    let history = operator.history(PROVIDER).await;
    assert_eq!(i64::try_from(history.len()).unwrap(), trust_changes::KEPT);
    // Keys that rotate after that do not make the alert go away.
    for i in 0..230 {
        app.idp.publish(&[&Key::es256(&format!("later-{i}"))]);
        app.app.issuer_keys.look("acme", &app.provider("acme"), 0).await;
        app.clock.advance(1);
    }
    let differs = &operator.get(ONE).await["metadata_differs"];
    assert_eq!(differs["jwks_uri"], format!("{}/keys?129", app.idp.issuer));
}

/// Other teamspaces with the issuer see that somebody else has confirmed the address for them, but not who.
#[tokio::test]
async fn teamspaces_that_share_an_issuer_see_the_change() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    app.put_teamspace("globex").await;
    let shared = app.provider("acme");
    let tenant = Some("second".to_owned());
    let (id, teamspace_id) = ("id-of-globex".to_owned(), "id-of-globex".to_owned());
    app.save_provider(countersign::model::identity_provider::IdentityProvider {
        id,
        teamspace_id,
        tenant,
        ..shared
    })
    .await;
    app.app.issuer_keys.look("acme", &app.provider("acme"), 0).await;
    let new_uri = format!("{}/oauth2/jwks", app.idp.issuer);
    app.idp.change(|behaviour| behaviour.metadata_jwks_uri.clone_from(&new_uri));
    app.clock.advance(600);
    app.app.issuer_keys.look("acme", &app.provider("acme"), 0).await;
    assert_eq!(operator.alerts().await.len(), 2, "one for each teamspace");
    let confirmed = operator.post(&format!("{ONE}/confirm-jwks-uri"), json!({ "jwks_uri": new_uri })).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    let path = "/teamspaces/globex/identity-providers/id-of-globex";
    let theirs = operator.get(path).await;
    assert_eq!((&theirs["jwks_uri"], &theirs["metadata_differs"]), (&json!(new_uri), &Value::Null));
    let history = operator.get(&format!("{path}/trust-history")).await;
    let newest = &history["items"][0];
    assert_eq!(
        (newest["kind"].as_str(), newest["actor"].as_str()),
        (Some("changed"), Some("outside this teamspace"))
    );
}
