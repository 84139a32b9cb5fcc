//! Everything on loopback in one process: Countersign, two enterprise identity providers, an MCP server.
//!
//! It runs the same code as production, over real HTTP; only the people and their companies are made up.

mod console_tour;
pub(crate) mod dev_idp;
pub(crate) mod identity_provider;
mod live_policy;
pub(crate) mod mcp;
pub mod mcp_server;
pub(crate) mod narrator;
mod ports;
mod seed;
mod tour;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Client;
use tokio::task::JoinSet;

use crate::admin::tokens::{self, NewToken};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{Config, Oidc};
use crate::runtime::{self, Listeners, Options, Service};
use crate::shipped;
use crate::store::Store;
use crate::web::server;
use identity_provider::DemoIdp;
pub use mcp::SCOPES;
use narrator::Narrator;
use ports::PortGiver;
pub use ports::{DemoPorts, PORTS};
pub use seed::seed;
use tour::Tour;

/// The MCP client's id at the identity providers, and its secret there.
pub const IDP_CLIENT: (&str, &str) = ("demo-mcp-client", "demo-secret-at-the-identity-provider");
/// The MCP client's id at Countersign, and its secret there.
pub const CLIENT: (&str, &str) = ("mcpclient-at-countersign", "demo-secret-at-countersign");
/// The console's id at the identity provider of those who run Countersign, and its secret there.
const CONSOLE_CLIENT: (&str, &str) = ("countersign-console", "demo-secret-of-the-console");
/// The address of the operator.
pub const OPERATOR: &str = "olive@countersign.example";
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
    /// The directory with the policies.
    pub policy_dir: PathBuf,
    /// The schema of the policies.
    pub schema_file: PathBuf,
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

/// Performs and tells everything.
pub async fn tour(http: &Client, stage: &DemoParts, narrator: &mut Narrator) -> Result<(), DemoError> {
    let tour = Tour { http, stage };
    tour::sign_ins(&tour, narrator).await?;
    narrator.heading("A rule changes while it runs");
    live_policy::live_policy(&tour, seed::dana(stage)?, narrator).await?;
    narrator.heading("The console: who may look, and where");
    console_tour::console_tour(stage, narrator).await
}

impl DemoParts {
    /// Starts everything at free ports, with database and policies in `dir`.
    pub async fn start(dir: &Path) -> Result<Self, DemoError> {
        Self::start_at(dir, DemoPorts::Free).await
    }

    /// Starts everything at chosen ports, with database and policies in `dir`.
    pub async fn start_at(dir: &Path, ports: DemoPorts) -> Result<Self, DemoError> {
        let (mut others, mut ports) = (JoinSet::new(), PortGiver::new(ports));
        let (public, issuer) = ports.listen().await?;
        let (mcp_listener, mcp_origin) = ports.listen().await?;
        let acme = identity_provider(&mut others, &mut ports).await?;
        let globex = identity_provider(&mut others, &mut ports).await?;
        let console = identity_provider(&mut others, &mut ports).await?;
        let (management, _) = ports.listen().await?;
        let mcp_url = mcp::url(&mcp_origin);
        let app = start_app(dir, &issuer, [&acme.0, &globex.0, &console.0]).await?;
        let admin_token = admin_token(&app).await?;
        let console_link = format!("{issuer}/console/sign-in/start?login_hint={OPERATOR}");
        let service =
            runtime::start(&app, Listeners { public, management, console: None }, Options::default())?;
        others.spawn(mcp::serve(mcp_listener, mcp_url.clone(), issuer.clone(), None));
        Ok(Self {
            issuer,
            admin_token,
            console_link,
            policy_dir: dir.join(POLICIES),
            schema_file: dir.join(SCHEMA),
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

async fn identity_provider(
    servers: &mut JoinSet<()>,
    ports: &mut PortGiver,
) -> Result<(String, DemoIdp), DemoError> {
    let (listener, issuer) = ports.listen().await?;
    let idp = DemoIdp::new(issuer.clone())?;
    servers.spawn(server::serve(listener, idp.router(), Arc::default(), std::future::pending()));
    Ok((issuer, idp))
}

/// The directory of the policies, which a step of the demonstration changes.
const POLICIES: &str = "policies";
/// The file of their schema.
const SCHEMA: &str = "countersign.cedarschema";

/// Writes the shipped policies and their schema.
fn write_policies(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir.join(POLICIES))?;
    std::fs::write(dir.join(SCHEMA), shipped::SCHEMA)?;
    for path in shipped::policy_files() {
        let name = path.strip_prefix("policies/").filter(|name| !name.contains('/'));
        if let (Some(name), Some(text)) = (name, shipped::text(&path)) {
            std::fs::write(dir.join(POLICIES).join(name), text)?;
        }
    }
    Ok(())
}

async fn start_app(dir: &Path, issuer: &str, providers: [&String; 3]) -> Result<Arc<App>, DemoError> {
    write_policies(dir)?;
    let mut config = Config {
        issuer: issuer.to_owned(),
        database_url: format!("sqlite://{}", dir.join("demo.db").display()),
        policy_dir: Some(dir.join(POLICIES)),
        schema_file: Some(dir.join(SCHEMA)),
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
