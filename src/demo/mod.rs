//! Everything on loopback in one process: Countersign, two enterprise identity providers, an MCP server.
//!
//! It runs the same code as production, over real HTTP; only the people and their companies are made up.

mod console_tour;
pub(crate) mod identity_provider;
pub mod mcp_server;
pub(crate) mod narrator;
mod seed;
mod tour;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::admin::tokens::{self, NewToken};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{Config, Oidc};
use crate::runtime::{self, Listeners, Options, Service};
use crate::store::Store;
use crate::web::server;
use identity_provider::DemoIdp;
use mcp_server::McpServerConfig;
pub use seed::seed;
pub use tour::tour;

/// The MCP client's id at the identity providers, and its secret there.
pub const IDP_CLIENT: (&str, &str) = ("demo-mcp-client", "demo-secret-at-the-identity-provider");
/// The MCP client's id at Countersign, and its secret there.
pub const CLIENT: (&str, &str) = ("mcpclient-at-countersign", "demo-secret-at-countersign");
/// The console's id at the identity provider of those who run Countersign, and its secret there.
const CONSOLE_CLIENT: (&str, &str) = ("countersign-console", "demo-secret-of-the-console");
/// The address of the operator.
pub const OPERATOR: &str = "olive@countersign.example";
/// The scopes of the MCP server.
pub const SCOPES: [&str; 2] = ["tools.read", "tools.call"];

/// Anything that keeps the demonstration from going on.
pub type DemoError = Box<dyn std::error::Error + Send + Sync>;

/// The running parts and where they are.
pub struct DemoParts {
    /// The issuer identifier of the running authorization server, its base URL.
    pub issuer: String,
    /// An operator's token for the admin API.
    pub admin_token: String,
    /// Opens the console, signed in as the operator.
    pub console_link: String,
    /// The URL of the demo's MCP server.
    pub mcp_url: String,
    /// The identity provider of the teamspace `acme`.
    pub acme: (String, DemoIdp),
    /// The identity provider of the teamspace `globex`.
    pub globex: (String, DemoIdp),
    /// The identity provider at which people sign in to the console.
    pub console: (String, DemoIdp),
    /// Countersign itself.
    pub service: Service,
    /// The servers around it.
    _others: JoinSet<()>,
}

/// A listener on a free loopback port, and its origin.
async fn listen() -> Result<(TcpListener, String), DemoError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

/// Serves until the set is dropped.
fn serve(servers: &mut JoinSet<()>, listener: TcpListener, router: Router) {
    servers.spawn(server::serve(listener, router, Arc::default(), std::future::pending()));
}

impl DemoParts {
    /// Starts everything, with database and policies in `dir`.
    pub async fn start(dir: &Path) -> Result<Self, DemoError> {
        let mut others = JoinSet::new();
        let (acme, globex) = (identity_provider(&mut others).await?, identity_provider(&mut others).await?);
        let console = identity_provider(&mut others).await?;
        let (public, issuer) = listen().await?;
        let (management, _) = listen().await?;
        let (mcp_listener, mcp_origin) = listen().await?;
        let mcp_url = format!("{mcp_origin}/mcp");
        let app = start_app(dir, &issuer, [&acme.0, &globex.0, &console.0]).await?;
        let admin_token = admin_token(&app).await?;
        let console_link = format!("{issuer}/console/sign-in/start?login_hint={OPERATOR}");
        let service =
            runtime::start(&app, Listeners { public, management, console: None }, Options::default())?;
        let mcp_server = mcp_server::router(McpServerConfig {
            resource: mcp_url.clone(),
            issuer: issuer.clone(),
            jwks_uri: format!("{issuer}/oauth2/jwks"),
            scopes_supported: SCOPES.map(str::to_owned).to_vec(),
        });
        serve(&mut others, mcp_listener, mcp_server);
        Ok(Self {
            issuer,
            admin_token,
            console_link,
            mcp_url,
            acme,
            globex,
            console,
            service,
            _others: others,
        })
    }

    /// Stops the service as a signal would.
    pub async fn stop(self) -> Result<(), DemoError> {
        self.service.stop().cancel();
        Ok(self.service.stopped().await?)
    }
}

async fn identity_provider(servers: &mut JoinSet<()>) -> Result<(String, DemoIdp), DemoError> {
    let (listener, issuer) = listen().await?;
    let idp = DemoIdp::new(issuer.clone())?;
    serve(servers, listener, idp.router());
    Ok((issuer, idp))
}

/// The shipped policies and schema, so that the demonstration needs no other file.
const FILES: [(&str, &str); 5] = [
    ("policies/issuer.cedar", include_str!("../../policies/issuer.cedar")),
    ("policies/members.cedar", include_str!("../../policies/members.cedar")),
    ("policies/grants.cedar", include_str!("../../policies/grants.cedar")),
    ("policies/console.cedar", include_str!("../../policies/console.cedar")),
    ("countersign.cedarschema", include_str!("../../schema/countersign.cedarschema")),
];

async fn start_app(dir: &Path, issuer: &str, providers: [&String; 3]) -> Result<Arc<App>, DemoError> {
    std::fs::create_dir_all(dir.join("policies"))?;
    for (name, content) in FILES {
        std::fs::write(dir.join(name), content)?;
    }
    let mut config = Config {
        issuer: issuer.to_owned(),
        database_url: format!("sqlite://{}", dir.join("demo.db").display()),
        policy_dir: dir.join("policies"),
        schema_file: dir.join("countersign.cedarschema"),
        ..Config::default()
    };
    config.fetch.private_origins = providers.into_iter().cloned().map(Into::into).collect();
    let [_, _, console] = providers;
    config.console.oidc = Some(Oidc {
        issuer: console.clone(),
        client_id: CONSOLE_CLIENT.0.to_owned(),
        client_secret: Some(CONSOLE_CLIENT.1.to_owned().into()),
        client_secret_file: None,
        scopes: vec!["email".to_owned(), "profile".to_owned()],
    });
    config.console.operators = vec![OPERATOR.to_owned()];
    Store::migrate(&config.database_url)?;
    Ok(App::start(config, Arc::new(SystemClock)).await?)
}

async fn admin_token(app: &App) -> Result<String, DemoError> {
    let new = NewToken { name: "demo".to_owned(), teamspace: None, lifetime: None };
    Ok(tokens::create(&app.store, new, app.clock.now()).await?.0)
}
