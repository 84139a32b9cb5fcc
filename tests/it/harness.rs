//! A whole service on loopback, with a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::model::client::{AuthMethod, ClientSecret, RegisteredClient};
use countersign::model::identity_provider::{IdentityProvider, Provider};
use countersign::model::member::{Member, Role, Status};
use countersign::model::resource::{Resource, ResourceScope};
use countersign::model::teamspace::{Plan, Teamspace};
use countersign::oauth::request::JWT_BEARER;
use countersign::random::digest;
use countersign::runtime::{self, Listeners, Options, Pace, Service};
use countersign::store::changes::{self, Changed};
use countersign::store::clients;
use countersign::store::identity_providers;
use countersign::store::members::{self, Identity};
use countersign::store::resources;
use countersign::store::sign_ins::{self, Filter, SignIn};
use countersign::store::teamspaces;
use countersign::store::{AnyConnection, StoreError};
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::database::TestDatabase;
use crate::idp::{FakeIdp, Key};

pub const CLIENT: &str = "mcpclient-at-countersign";
pub const SECRET: &str = "a-secret-of-the-client-0123456789";
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
/// 2026-11-22T12:00:00Z
pub const START: i64 = 1_795_348_800;

#[derive(Clone, Default)]
pub struct TestClock {
    now: Arc<AtomicI64>,
    ticks: Arc<AtomicI64>,
}

impl TestClock {
    pub fn at(now: i64) -> Self {
        let clock = Self::default();
        clock.set(now);
        clock
    }

    /// Time passes.
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
        self.ticks.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Somebody sets the clock; no time passes.
    pub fn set(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn ticks(&self) -> i64 {
        self.ticks.load(Ordering::SeqCst)
    }
}

pub struct TestApp {
    pub app: Arc<App>,
    pub clock: TestClock,
    pub idp: FakeIdp,
    pub http: reqwest::Client,
    pub dir: TempDir,
    pub database: TestDatabase,
    pub service: Service,
    /// Of the private listener.
    pub management: String,
}

/// Listeners on free ports of loopback, and their addresses as URLs.
pub async fn listeners() -> (Listeners, [String; 2]) {
    let bind = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listeners = Listeners { public: bind().await, management: bind().await, console: None };
    let urls = [&listeners.public, &listeners.management];
    let urls = urls.map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    (listeners, urls)
}

/// Runs the service as `serve` does, but nothing happens in the background unless the test does it.
pub fn run(app: &Arc<App>, listeners: Listeners) -> Service {
    runtime::start(app, listeners, Options { pace: Pace::Held, hangups: None }).unwrap()
}

/// An answer of the service.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    pub json: Value,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.unwrap();
        let json = serde_json::from_str(&body).unwrap_or(Value::Null);
        Self { status, headers, body, json }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn access_token(&self) -> &str {
        self.json["access_token"].as_str().unwrap_or_else(|| panic!("no token: {self:?}"))
    }

    /// The claims of the access token, not verified.
    pub fn claims(&self) -> Value {
        let payload = self.access_token().split('.').nth(1).unwrap();
        serde_json::from_slice(&decode(payload)).unwrap()
    }
}

pub fn decode(part: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// How many rows there are of what an exchange may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub used_assertions: i64,
    pub members: i64,
    pub identities: i64,
    pub sign_ins: i64,
}

/// For http alone: without TLS's root certificates, which take a while to be read.
pub fn http() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.tls_certs_only([]).build().unwrap()
}

impl TestApp {
    /// Teamspace `acme` with the identity provider, one client, one resource with two scopes.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::make(dir.path());
        Self::start_on(dir, database, configure).await
    }

    /// The same on a database that is there.
    pub async fn start_on(dir: TempDir, database: TestDatabase, configure: impl FnOnce(&mut Config)) -> Self {
        let idp = FakeIdp::start(Key::rsa("idp-1", 0)).await;
        let (listeners, [issuer, management]) = listeners().await;
        let mut config = Config { issuer, database_url: database.url.clone(), ..Config::default() };
        config.fetch.private_origins = vec![idp.issuer.clone().into()];
        config.console.operators = vec!["ops@example.com".into()];
        config.rate_limit.failed_authentications_per_minute = 0;
        config.rate_limit.exchanges_per_subject_per_minute = 0;
        config.rate_limit.recorded_refusals_per_minute = 100_000;
        configure(&mut config);
        let clock = TestClock::at(START);
        let app = App::start(config, Arc::new(clock.clone())).await.unwrap();
        let service = run(&app, listeners);
        let this = Self { app, clock, idp, http: http(), dir, database, service, management };
        this.seed().await;
        this
    }

    async fn seed(&self) {
        self.put_client(client(CLIENT, &[SECRET])).await;
        self.put_resource(resource(RESOURCE, &["docs.read", "docs.write"])).await;
        self.put_teamspace("acme").await;
        self.put_provider("acme", &self.idp).await;
    }

    pub fn issuer(&self) -> &str {
        &self.app.config.issuer
    }

    /// Writes configuration as the admin API does, and takes it over.
    pub async fn configure<F>(&self, changed: Changed, change: F)
    where
        F: FnOnce(&mut AnyConnection) -> Result<(), StoreError> + Send + 'static,
    {
        self.app
            .store
            .configure(move |c| {
                change(c)?;
                changes::note(c, &changed, START)
            })
            .await
            .unwrap();
        self.app.reload().await.unwrap();
    }

    pub async fn put_client(&self, client: RegisteredClient) {
        self.configure(Changed::Client(client.client_id.clone()), move |c| Ok(clients::insert(c, &client)?))
            .await;
    }

    pub async fn put_resource(&self, resource: Resource) {
        self.configure(Changed::Resource(resource.id.clone()), move |c| resources::insert(c, &resource))
            .await;
    }

    pub async fn put_teamspace(&self, slug: &str) {
        let teamspace = Teamspace {
            id: format!("id-of-{slug}"),
            slug: slug.to_owned(),
            name: slug.to_owned(),
            plan: Plan::Enterprise,
            member_limit: None,
            email_domains: vec![],
            time_zone: "UTC".to_owned(),
            created_at: START,
        };
        self.configure(Changed::Teamspace(teamspace.id.clone()), move |c| {
            Ok(teamspaces::insert(c, &teamspace)?)
        })
        .await;
    }

    pub async fn put_provider(&self, slug: &str, idp: &FakeIdp) {
        let provider = IdentityProvider {
            // As the migration names the one that a teamspace had before.
            id: format!("id-of-{slug}"),
            teamspace_id: format!("id-of-{slug}"),
            name: "Okta".to_owned(),
            provider: Provider::Okta,
            issuer: idp.issuer.clone(),
            tenant: None,
            custom_claims: vec![],
            jwks_uri: idp.jwks_uri(),
            scope: String::new(),
            groups_claim: "groups".to_owned(),
            logout_client_id: None,
            saml_issuer: None,
            link_by: None,
            enabled: true,
            created_at: START,
            updated_at: START,
        };
        self.save_provider(provider).await;
    }

    pub async fn change_teamspace(&self, change: impl FnOnce(&mut Teamspace) + Send + 'static) {
        let mut teamspace = self.app.snapshot().teamspace_config("acme").unwrap().teamspace.clone();
        change(&mut teamspace);
        self.configure(Changed::Teamspace(teamspace.id.clone()), move |c| {
            Ok(teamspaces::update(c, &teamspace)?)
        })
        .await;
    }

    pub async fn change_provider(&self, change: impl FnOnce(&mut IdentityProvider) + Send + 'static) {
        let mut provider = self.provider("acme");
        change(&mut provider);
        self.save_provider(provider).await;
    }

    /// The first identity provider of a teamspace.
    pub fn provider(&self, slug: &str) -> IdentityProvider {
        let snapshot = self.app.snapshot();
        IdentityProvider::clone(&snapshot.teamspace_config(slug).unwrap().identity_providers[0])
    }

    pub async fn save_provider(&self, provider: IdentityProvider) {
        self.configure(Changed::Teamspace(provider.teamspace_id.clone()), move |c| {
            Ok(identity_providers::put(c, &provider)?)
        })
        .await;
    }

    pub async fn change_client(&self, change: impl FnOnce(&mut RegisteredClient) + Send + 'static) {
        let mut client = RegisteredClient::clone(self.app.snapshot().client(CLIENT).unwrap());
        change(&mut client);
        self.configure(Changed::Client(client.client_id.clone()), move |c| Ok(clients::update(c, &client)?))
            .await;
    }

    pub async fn change_resource(&self, change: impl FnOnce(&mut Resource) + Send + 'static) {
        let mut resource = Resource::clone(self.app.snapshot().resource(RESOURCE).unwrap());
        change(&mut resource);
        self.configure(Changed::Resource(resource.id.clone()), move |c| resources::update(c, &resource))
            .await;
    }

    /// A member with an email in `acme`, bound to no subject.
    pub async fn put_member(&self, email: &str, status: Status) -> Member {
        let member = Member {
            id: uuid::Uuid::new_v4().to_string(),
            teamspace_id: "id-of-acme".to_owned(),
            email: email.to_owned(),
            role: Role::Developer,
            status,
            provisioned_by: "invitation".to_owned(),
            created_at: START,
            last_sign_in_at: None,
            sessions_ended_at: None,
            first_sign_in_at: None,
            link: None,
        };
        let row = member.clone();
        self.configure(Changed::Members(row.teamspace_id.clone()), move |c| Ok(members::insert(c, &row)?))
            .await;
        member
    }

    pub async fn change_member(&self, email: &str, change: impl FnOnce(&mut Member) + Send + 'static) {
        let mut member = self.member(email).await.unwrap();
        change(&mut member);
        self.configure(Changed::Members(member.teamspace_id.clone()), move |c| members::update(c, &member))
            .await;
    }

    pub async fn member(&self, email: &str) -> Option<Member> {
        let email = email.to_owned();
        self.app.store.read(move |c| members::find_by_email(c, "id-of-acme", &email)).await.unwrap()
    }

    pub async fn identities(&self, member: &Member) -> Vec<Identity> {
        let ids = vec![member.id.clone()];
        self.app.store.read(move |c| members::identities_of(c, &ids)).await.unwrap()
    }

    /// The claims of Okta's documented ID-JAG, for Dana at the registered client and resource.
    pub fn claims(&self) -> Map<String, Value> {
        let now = self.clock.now();
        let Value::Object(claims) = json!({
            "iss": self.idp.issuer,
            "sub": "00u1dana",
            "aud": self.issuer(),
            "client_id": CLIENT,
            "resource": RESOURCE,
            "scope": "docs.read",
            "email": "dana@acme.com",
            "iat": now,
            "exp": now + 300,
            "jti": format!("IDAAG.{}", uuid::Uuid::new_v4()),
        }) else {
            unreachable!()
        };
        claims
    }

    /// The same with some claims replaced; null removes one.
    pub fn claims_with(&self, changes: Value) -> Map<String, Value> {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    pub fn assertion(&self, changes: Value) -> String {
        self.idp.key.assertion(&self.claims_with(changes))
    }

    pub fn token_url(&self) -> String {
        format!("{}/oauth2/token", self.issuer())
    }

    /// Posts a form as the registered client.
    pub async fn post(&self, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.token_url()).basic_auth(CLIENT, Some(SECRET)).form(form);
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn exchange(&self, assertion: &str) -> Answer {
        self.post(&[("grant_type", JWT_BEARER), ("assertion", assertion)]).await
    }

    pub async fn exchange_with(&self, assertion: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", assertion)];
        form.extend_from_slice(more);
        self.post(&form).await
    }

    /// Exchanges, which must succeed.
    pub async fn granted(&self, changes: Value) -> Answer {
        let answer = self.exchange(&self.assertion(changes)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Exchanges, which must be refused with this code and reason, with nothing written but the log row.
    pub async fn refused(&self, changes: Value, error: &str, reason: &str) -> Answer {
        self.refused_assertion(&self.assertion(changes), error, reason).await
    }

    pub async fn refused_assertion(&self, assertion: &str, error: &str, reason: &str) -> Answer {
        let before = self.written().await;
        let answer = self.exchange(assertion).await;
        self.assert_refused(&answer, before, 400, error, reason).await;
        answer
    }

    #[expect(clippy::too_many_arguments, reason = "what came, and all that is expected of it")]
    pub async fn assert_refused(
        &self,
        answer: &Answer,
        before: Written,
        status: u16,
        error: &str,
        reason: &str,
    ) {
        assert_eq!((answer.status, answer.json["error"].as_str()), (status, Some(error)), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.header("x-request-id").is_empty());
        let row = self.last_sign_in().await;
        assert_eq!((row.outcome.as_str(), row.reason.as_str()), ("refused", reason), "{row:?}");
        crate::reasons::assert_told(error, &row);
        assert_eq!(row.request_id, answer.header("x-request-id"));
        assert!(row.member_id.is_empty() && row.token_id.is_empty() && row.scopes_granted.is_empty());
        let expected = Written { sign_ins: before.sign_ins + 1, ..before };
        assert_eq!(self.written().await, expected, "only the log row may be written");
    }

    pub async fn sign_ins(&self) -> Vec<SignIn> {
        self.app.store.read(|c| sign_ins::list(c, &Filter::default(), 1000)).await.unwrap().items
    }

    pub async fn last_sign_in(&self) -> SignIn {
        self.sign_ins().await.remove(0)
    }

    pub async fn written(&self) -> Written {
        let mut connection = self.database.connect();
        tokio::task::spawn_blocking(move || written(&mut connection)).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{path}", self.issuer())).send().await.unwrap()).await
    }
}

/// Counts rows over a connection of its own, as another process would.
pub fn written(connection: &mut AnyConnection) -> Written {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let mut count = |table: &str| {
        let query = format!("SELECT count(*) AS n FROM {table}");
        diesel::sql_query(query).get_result::<Count>(connection).unwrap().n
    };
    Written {
        used_assertions: count("used_assertions"),
        members: count("members"),
        identities: count("identities"),
        sign_ins: count("sign_ins"),
    }
}

pub fn client(id: &str, secrets: &[&str]) -> RegisteredClient {
    let secret = |(i, secret): (usize, &&str)| ClientSecret {
        id: format!("{id}-secret-{i}"),
        client_id: id.to_owned(),
        secret_digest: digest(secret),
        created_at: START,
    };
    RegisteredClient {
        client_id: id.to_owned(),
        client_name: id.to_owned(),
        token_endpoint_auth_method: AuthMethod::Basic,
        grant_types: vec![JWT_BEARER.to_owned()],
        groups: vec![],
        enabled: true,
        dpop_bound_access_tokens: false,
        created_at: START,
        document_host: None,
        keys: None,
        secrets: secrets.iter().enumerate().map(secret).collect(),
    }
}

pub fn resource(identifier: &str, scopes: &[&str]) -> Resource {
    let scope = |name: &&str| ResourceScope { name: (*name).to_owned(), description: String::new() };
    Resource {
        id: uuid::Uuid::new_v4().to_string(),
        identifier: identifier.to_owned(),
        normalized: countersign::oauth::resource::normalize(identifier).unwrap(),
        name: identifier.to_owned(),
        scopes: scopes.iter().map(scope).collect(),
        default_scopes: vec![],
        teamspaces: None,
        required_scopes: Vec::new(),
        forward_auth_credentials: false,
        tool_policies: false,
        dpop_bound_access_tokens: false,
        credentials: Vec::new(),
        created_at: START,
    }
}
