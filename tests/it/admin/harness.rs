//! The service on a temporary database, and a fake identity provider on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign::app::App;
use countersign::clock::{Clock, UnixSeconds};
use countersign::config::{Config, Duration};
use countersign::random;
use countersign::store::admin_tokens::{self, AdminToken};
use countersign::store::{self, StoreError};
use countersign::web::api;
use countersign::web::middleware::RequestId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::database::TestDatabase;

pub const NOW: UnixSeconds = 1_790_000_000;

pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        self.0.load(Ordering::SeqCst)
    }

    fn ticks(&self) -> i64 {
        self.now()
    }
}

pub struct Harness {
    pub app: Arc<App>,
    pub clock: Arc<TestClock>,
    pub idp: FakeIdp,
    /// Speaks with an operator's token.
    pub operator: Api,
    pub database: TestDatabase,
    /// Holds the database when it is a file.
    _directory: tempfile::TempDir,
}

impl Harness {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With the policies of a directory.
    pub async fn with_policies(policy_dir: std::path::PathBuf) -> Self {
        Self::start_with(|config| config.policy_dir = Some(policy_dir)).await
    }

    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = TestDatabase::make(directory.path());
        let idp = FakeIdp::start().await;
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut config = Config {
            issuer: "https://auth.example.com".into(),
            database_url: database.url.clone(),
            policy_dir: Some(root.join("policies")),
            schema_file: Some(root.join("schema/countersign.cedarschema")),
            ..Config::default()
        };
        config.fetch.timeout = Duration::from_secs(1);
        config.fetch.private_origins = vec![idp.base.clone().into(), idp.dripping.clone().into()];
        configure(&mut config);
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let app = App::start(config, clock.clone()).await.unwrap();
        let operator = Api { app: Arc::clone(&app), token: None };
        let mut harness = Self { app, clock, idp, operator, database, _directory: directory };
        harness.operator = harness.token("ops", None, None).await;
        harness
    }

    /// A new admin token, for a teamspace if its slug is given.
    pub async fn token(&self, name: &str, slug: Option<&str>, expires_at: Option<UnixSeconds>) -> Api {
        let token = random::secret().unwrap();
        let snapshot = self.app.snapshot();
        let row = AdminToken {
            id: format!("token-{name}"),
            name: name.to_owned(),
            token_digest: random::digest(&token),
            teamspace_id: slug.map(|slug| snapshot.teamspace_config(slug).unwrap().teamspace.id.clone()),
            created_at: NOW,
            expires_at,
        };
        let insert = move |c: &mut store::AnyConnection| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?);
        self.app.store.write(insert).await.unwrap();
        Api { app: Arc::clone(&self.app), token: Some(token) }
    }

    /// Without any token.
    pub fn nobody(&self) -> Api {
        Api { app: Arc::clone(&self.app), token: None }
    }

    /// An enterprise teamspace, and a token of it.
    pub async fn teamspace(&self, slug: &str) -> Api {
        let body = json!({ "slug": slug, "name": slug, "plan": "enterprise" });
        self.operator.post("/teamspaces", body).await.expect(201);
        self.token(slug, Some(slug), None).await
    }

    /// Asserts that a request is refused with a status and code, and that nothing was written.
    pub async fn refuses(
        &self,
        api: &Api,
        (method, path): (Method, &str),
        body: Option<Value>,
        (status, code): (u16, &str),
    ) -> Value {
        let before = self.generation().await;
        let shown = body.clone().unwrap_or_default();
        let problem = api.call(method, path, body).await.problem(status, code);
        assert_eq!(self.generation().await, before, "{path} {shown} wrote something");
        problem
    }

    pub async fn generation(&self) -> store::state::Generation {
        self.app.store.read(store::changes::current).await.unwrap()
    }
}

/// A caller of the admin API.
#[derive(Clone)]
pub struct Api {
    app: Arc<App>,
    token: Option<String>,
}

impl Api {
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(path, request.body(body).unwrap()).await
    }

    /// The same for closures.
    pub async fn send_owned(self, path: &str, request: Request<Body>) -> Answer {
        self.send(path, request).await
    }

    /// Sends a request whose path is still to be set.
    pub async fn send(&self, path: &str, mut request: Request<Body>) -> Answer {
        *request.uri_mut() = format!("/api/v1{path}").parse().unwrap();
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        request.extensions_mut().insert(RequestId("req-1".into()));
        let router = Router::new().nest_service("/api/v1", api::router(Arc::clone(&self.app)));
        Answer::of(router.oneshot(request).await.unwrap()).await
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { status, headers, body }
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header(header::CACHE_CONTROL), "no-store");
        self.body
    }

    /// The problem of this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json");
        assert_eq!(self.body["status"], status);
        self.expect(status)
    }
}

/// Identity providers at `{base}/{name}`, each with the fault that its name says.
pub struct FakeIdp {
    pub base: String,
    /// An origin that answers one byte at a time.
    pub dripping: String,
    hits: Arc<AtomicUsize>,
    /// Lets the issuer `held` answer.
    pub released: Arc<Notify>,
}

#[derive(Clone)]
struct IdpState {
    base: String,
    hits: Arc<AtomicUsize>,
    released: Arc<Notify>,
}

impl FakeIdp {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let hits = Arc::new(AtomicUsize::new(0));
        let released = Arc::new(Notify::new());
        let state = IdpState { base: base.clone(), hits: Arc::clone(&hits), released: Arc::clone(&released) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(root_metadata))
            .route("/{name}/.well-known/openid-configuration", get(metadata))
            .route("/{name}/jwks", get(jwks))
            .with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, dripping: drip().await, hits, released }
    }

    pub fn issuer(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    /// How often it was asked for anything.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

async fn root_metadata(State(idp): State<IdpState>) -> Response {
    let jwks_uri = format!("{}/root/jwks", idp.base);
    axum::Json(json!({ "issuer": idp.base, "jwks_uri": jwks_uri })).into_response()
}

async fn metadata(State(idp): State<IdpState>, Path(name): Path<String>) -> Response {
    idp.hits.fetch_add(1, Ordering::SeqCst);
    let issuer = format!("{}/{name}", idp.base);
    let mut metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "identity_chaining_requested_token_types_supported": ["urn:ietf:params:oauth:token-type:id-jag"],
    });
    match name.as_str() {
        "held" => idp.released.notified().await,
        "slash" => metadata["issuer"] = format!("{issuer}/").into(),
        "upper" => metadata["issuer"] = format!("{}/Upper", idp.base).into(),
        "template" => metadata["issuer"] = "https://login.example.com/{tenantid}/v2.0".into(),
        "no-jwks-uri" => metadata["jwks_uri"] = Value::Null,
        "internal-jwks" => metadata["jwks_uri"] = "https://169.254.169.254/keys".into(),
        "quiet" => metadata["identity_chaining_requested_token_types_supported"] = json!([]),
        "large" => metadata["filler"] = "x".repeat(1 << 20).into(),
        "moved" => {
            return (StatusCode::FOUND, [(header::LOCATION, format!("{}/good", idp.base))]).into_response();
        }
        "odd" => {
            metadata["identity_chaining_requested_token_types_supported"] = Value::Null;
            metadata["scopes_supported"] = Value::Null;
            let json = [(header::CONTENT_TYPE, "application/json")];
            return (json, format!("\u{feff}{metadata}")).into_response();
        }
        "html" => return axum::response::Html("<h1>internal secret page</h1>").into_response(),
        _ => {}
    }
    axum::Json(metadata).into_response()
}

async fn jwks(State(idp): State<IdpState>, Path(name): Path<String>) -> Response {
    idp.hits.fetch_add(1, Ordering::SeqCst);
    // The public key of RFC 7515 Appendix A.3.
    let key = json!({ "kty": "EC", "crv": "P-256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let mut encryption = key.clone();
    encryption["use"] = "enc".into();
    let n = crate::idp::b64([0xff; 128]);
    let weak = json!({ "kty": "RSA", "kid": "old\u{1b}", "e": "AQAB", "n": n });
    let symmetric = json!({ "kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0" });
    match name.as_str() {
        "no-key" => axum::Json(json!({ "keys": [symmetric, encryption] })).into_response(),
        "left-out" => axum::Json(json!({ "keys": [symmetric, encryption, weak, key] })).into_response(),
        _ => axum::Json(json!({ "keys": [encryption, key] })).into_response(),
    }
}

/// Answers at once and never ends: one byte each 100 ms.
async fn drip() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
                let mut alive = stream.write_all(head.as_bytes()).await.is_ok();
                while alive {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    alive = stream.write_all(b" ").await.is_ok();
                }
            });
        }
    });
    origin
}
