//! An OpenID provider on loopback, whose answers the test controls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::config::{Config, Oidc};
use serde_json::{Map, Value, json};
use url::Url;

use crate::harness::START;
use crate::idp::{Key, b64};

pub const CLIENT_ID: &str = "countersign-console";
pub const CLIENT_SECRET: &str = "secret of the console: 1+1=2 & more";

/// How it answers. Values are laid over what it would answer; null takes something away.
#[derive(Clone)]
pub struct Behaviour {
    pub metadata: Value,
    /// Claims of the ID token, who signed in among them.
    pub claims: Value,
    /// The UserInfo endpoint's claims; null if there is no such endpoint.
    pub user_info: Value,
    /// The query that comes back to the console.
    pub answer: Value,
    /// The token endpoint's answer in place of tokens.
    pub refusal: Option<(StatusCode, Value)>,
    /// The key that signs, and those that are published.
    pub key: Key,
    pub published: Vec<Key>,
    pub delay: Duration,
    takes_codes_again: bool,
}

struct Inner {
    issuer: String,
    behaviour: Mutex<Behaviour>,
    /// The requests for authorization by their codes.
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    asked: AtomicUsize,
}

#[derive(Clone)]
pub struct OpenIdServer(Arc<Inner>);

impl OpenIdServer {
    /// With Olive of the company that runs the service.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = Key::es256("console-1");
        let behaviour = Behaviour {
            metadata: json!({}),
            claims: json!({ "email": "olive@corp.example", "email_verified": true, "name": "Olive Ops" }),
            user_info: Value::Null,
            answer: json!({}),
            refusal: None,
            published: vec![key.clone()],
            key,
            delay: Duration::ZERO,
            takes_codes_again: false,
        };
        let (behaviour, codes) = (Mutex::new(behaviour), Mutex::default());
        let this = Self(Arc::new(Inner { issuer, behaviour, codes, asked: AtomicUsize::new(0) }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        this
    }

    /// Has the console use it, with Olive as an operator.
    pub fn configure(&self, config: &mut Config) {
        config.console.oidc = Some(Oidc {
            issuer: self.0.issuer.clone(),
            client_id: CLIENT_ID.into(),
            client_secret: Some(CLIENT_SECRET.to_owned().into()),
            client_secret_file: None,
            scopes: vec!["email".into(), "profile".into()],
        });
        config.console.operators = vec!["Olive@corp.example".into(), "group:console-operators".into()];
        config.fetch.private_origins.push(self.0.issuer.clone().into());
    }

    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.0.behaviour.lock().unwrap());
    }

    pub fn behaviour_now(&self) -> Behaviour {
        self.0.behaviour.lock().unwrap().clone()
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// It takes codes more than once.
    pub fn codes_are_good_for_ever(&self) {
        self.change(|b| b.takes_codes_again = true);
    }

    /// Somebody else sits at the browser.
    pub fn now_signed_in(&self, email: &str) {
        self.change(|b| b.claims = json!({ "email": email, "email_verified": true }));
    }

    /// How often its metadata was asked for.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    async fn behaviour(&self) -> Behaviour {
        let behaviour = self.0.behaviour.lock().unwrap().clone();
        tokio::time::sleep(behaviour.delay).await;
        behaviour
    }
}

fn overlaid(mut base: Value, over: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in over.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    base
}

async fn metadata(State(server): State<OpenIdServer>) -> Json<Value> {
    server.0.asked.fetch_add(1, Ordering::SeqCst);
    let (behaviour, issuer) = (server.behaviour().await, &server.0.issuer);
    let mut base = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    if !behaviour.user_info.is_null() {
        base["userinfo_endpoint"] = json!(format!("{issuer}/userinfo"));
    }
    Json(overlaid(base, &behaviour.metadata))
}

async fn keys(State(server): State<OpenIdServer>) -> Json<Value> {
    let published = server.behaviour().await.published;
    Json(json!({ "keys": published.iter().map(Key::jwk).collect::<Vec<_>>() }))
}

/// Signs in whoever comes, without a page.
async fn authorize(
    State(server): State<OpenIdServer>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let behaviour = server.behaviour().await;
    assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT_ID));
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["scope"], "openid email profile");
    let code = uuid::Uuid::new_v4().to_string();
    let answer = overlaid(json!({ "code": code, "state": asked["state"] }), &behaviour.answer);
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    let members: Map<String, Value> = answer.as_object().unwrap().clone();
    back.query_pairs_mut().extend_pairs(members.iter().map(|(name, value)| (name, value.as_str().unwrap())));
    server.0.codes.lock().unwrap().insert(code, asked);
    (StatusCode::SEE_OTHER, [(header::LOCATION, back.to_string())]).into_response()
}

async fn token(
    State(server): State<OpenIdServer>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let behaviour = server.behaviour().await;
    if let Some((status, body)) = behaviour.refusal {
        return (status, Json(body)).into_response();
    }
    let in_body = behaviour.metadata.get("token_endpoint_auth_methods_supported").is_some();
    assert!(if in_body { form["client_secret"] == CLIENT_SECRET } else { has_secret(&headers) });
    assert_eq!(form["grant_type"], "authorization_code");
    let mut codes = server.0.codes.lock().unwrap();
    let asked = match behaviour.takes_codes_again {
        true => codes.get(&form["code"]).cloned(),
        false => codes.remove(&form["code"]),
    };
    let Some(asked) = asked else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
    let challenge = b64(digest::digest(&digest::SHA256, form["code_verifier"].as_bytes()));
    assert_eq!(challenge, asked["code_challenge"]);
    let claims = json!({ "iss": server.0.issuer, "sub": "00u1olive", "aud": CLIENT_ID, "iat": START,
        "exp": START + 300, "nonce": asked["nonce"] });
    let header = json!({ "alg": behaviour.key.alg(), "kid": behaviour.key.kid });
    let id_token = behaviour.key.sign(&header.to_string(), &overlaid(claims, &behaviour.claims).to_string());
    Json(json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": id_token }))
        .into_response()
}

/// RFC 6749 §2.3.1: both parts are form-encoded.
fn has_secret(headers: &HeaderMap) -> bool {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(CLIENT_ID), encode(CLIENT_SECRET));
    headers[header::AUTHORIZATION] == format!("Basic {}", STANDARD.encode(pair))
}

async fn user_info(State(server): State<OpenIdServer>, headers: HeaderMap) -> Json<Value> {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer opaque");
    Json(server.behaviour().await.user_info)
}
