//! `countersign dev-idp`: the demonstration's identity provider by itself, to try everything without a real one.

mod commands;
mod guard;
mod kept;
mod page;
mod people;
mod take;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::identity_provider::{DemoIdp, Likeness};
use crate::tls::ServerTls;
use crate::web::server;
use guard::OwnHosts;
use kept::KeptDir;
pub use kept::KeptError;
pub use people::People;
use take::{IdJagForm, TakeError};

/// Forms and token requests are small.
const MAX_BODY: usize = 64 * 1024;

/// The settings of the development identity provider.
#[derive(Debug)]
pub struct DevIdpOptions<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The issuer of the authorization server that its ID-JAGs are for.
    pub audience: String,
    /// The product that its assertions look like.
    pub likeness: Likeness,
    /// Its people, groups, clients and resources.
    pub people: People,
    /// The directory where its key and certificate are kept.
    pub dir: &'a Path,
}

/// The identity provider, ready to serve.
pub struct DevIdp {
    parts: Arc<DevIdpParts>,
    hosts: OwnHosts,
    tls: Option<Arc<ServerTls>>,
}

/// The parts that its pages show.
struct DevIdpParts {
    idp: DemoIdp,
    people: People,
    likeness: Likeness,
    audience: String,
    origin: String,
    ca_file: Option<PathBuf>,
}

impl DevIdp {
    /// Reads or makes the keys.
    pub fn new(options: DevIdpOptions<'_>) -> Result<Self, KeptError> {
        let DevIdpOptions { address, tls, audience, likeness, people, dir } = options;
        let dir = KeptDir::open(dir)?;
        let certificate = if tls { Some(dir.certificate(address.ip())?) } else { None };
        let scheme = if tls { "https" } else { "http" };
        let origin = format!("{scheme}://{address}");
        let idp = DemoIdp::with_key(origin.clone(), likeness, &dir.signing_key()?)
            .map_err(|cause| dir.spoilt_signing_key(&cause))?;
        people.enter(&idp, likeness, &audience);
        let (ca_file, tls) = certificate.map(|kept| (kept.ca_file, kept.tls)).unzip();
        let parts = Arc::new(DevIdpParts { idp, people, likeness, audience, origin, ca_file });
        Ok(Self { parts, hosts: OwnHosts::of(scheme, address), tls })
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &str {
        self.parts.idp.issuer()
    }

    /// Scheme, host and port; the page is there.
    pub fn origin(&self) -> &str {
        &self.parts.origin
    }

    /// The certificate that clients must trust.
    pub fn ca_file(&self) -> Option<&Path> {
        self.parts.ca_file.as_deref()
    }

    /// The command that takes an ID-JAG for the first person and client.
    pub fn first_command(&self) -> String {
        let person = self.parts.people.names().next().unwrap_or_default().to_owned();
        let form = IdJagForm {
            person,
            client: self.parts.first_client(),
            resource: self.parts.people.resources.first().cloned().unwrap_or_default(),
            scope: String::new(),
        };
        commands::take(&self.parts.origin, self.ca_file(), &form)
    }

    /// Serves until it is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let router = self.parts.idp.router().merge(routes(&self.parts));
        let router = router
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(from_fn_with_state(Arc::new(self.hosts), guard::guard));
        server::serve_with(self.tls, listener, router, Arc::default(), std::future::pending()).await;
    }
}

impl DevIdpParts {
    fn first_client(&self) -> String {
        self.people.clients.first().map(|client| client.id_at_audience.clone()).unwrap_or_default()
    }

    /// The form that was sent, with the first client if it names none.
    fn form(&self, form: Result<Form<IdJagForm>, FormRejection>) -> Result<IdJagForm, TakeError> {
        let Form(mut form) = form.map_err(|error| TakeError::NoForm(error.body_text()))?;
        if form.client.is_empty() {
            form.client = self.first_client();
        }
        Ok(form)
    }
}

fn routes(parts: &Arc<DevIdpParts>) -> Router {
    Router::new()
        .route("/", get(page::show).post(page::take))
        .route("/id-jag", post(id_jag))
        .with_state(Arc::clone(parts))
}

/// An ID-JAG as plain text, for scripts.
async fn id_jag(
    State(parts): State<Arc<DevIdpParts>>,
    form: Result<Form<IdJagForm>, FormRejection>,
) -> Response {
    let taken = parts.form(form).and_then(|form| form.take(&parts.idp, &parts.audience));
    let (status, text) = match taken {
        Ok(token) => (StatusCode::OK, token),
        Err(error) => (error.status(), error.to_string()),
    };
    (status, super::identity_provider::no_store(), format!("{text}\n")).into_response()
}
