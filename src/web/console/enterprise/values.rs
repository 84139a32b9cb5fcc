//! This deployment's values, as an administrator enters them at an identity provider.

use crate::admin::InTeamspace;
use crate::model::resource::Resource;
use crate::model::signal_endpoint::SignalEndpoint;

/// Most MCP servers and clients that are listed.
const MOST: usize = 20;

/// The values to enter at an identity provider.
pub struct Values {
    pub issuer: String,
    pub token_endpoint: String,
    pub slug: String,
    /// The URLs for signals that end people's sessions.
    pub revocation_url: String,
    pub security_events_url: String,
    pub logout_url: String,
    pub resources: Vec<McpServer>,
    /// Registered clients; only operators see them, since they are shared by all teamspaces.
    pub client_ids: Vec<String>,
}

/// An MCP server that is offered to the teamspace.
pub struct McpServer {
    pub resource_label: String,
    pub identifier: String,
    pub scopes_label: String,
    /// Separated by spaces.
    pub scopes: String,
}

impl From<&Resource> for McpServer {
    fn from(resource: &Resource) -> Self {
        let scopes: Vec<&str> = resource.scopes.iter().map(|scope| scope.name.as_str()).collect();
        Self {
            resource_label: format!("Resource indicator of {}", resource.name),
            identifier: resource.identifier.clone(),
            scopes_label: format!("Scopes of {}", resource.name),
            scopes: scopes.join(" "),
        }
    }
}

impl Values {
    /// The values of this deployment for one teamspace.
    pub fn of(at: &InTeamspace) -> Self {
        let (app, snapshot) = (&at.app, at.app.snapshot());
        let slug = at.teamspace_config().teamspace.slug.clone();
        let offered = snapshot.resources().filter(|resource| resource.is_published_to(&slug));
        let resources = offered.take(MOST).map(|resource| McpServer::from(&**resource)).collect();
        let clients = snapshot.clients().filter(|client| client.enabled);
        let client_ids = match at.is_operator() {
            true => clients.take(MOST).map(|client| client.client_id.clone()).collect(),
            false => Vec::new(),
        };
        Self {
            issuer: app.config.issuer.clone(),
            revocation_url: SignalEndpoint::GlobalTokenRevocation.url(&app.config.issuer, &slug),
            security_events_url: SignalEndpoint::SecurityEvents.url(&app.config.issuer, &slug),
            logout_url: SignalEndpoint::BackChannelLogout.url(&app.config.issuer, &slug),
            token_endpoint: format!("{}/oauth2/token", app.config.issuer),
            slug,
            resources,
            client_ids,
        }
    }

    /// A client id to show in a form; a conventional one if none may be shown.
    pub fn client_id(&self) -> &str {
        self.client_ids.first().map_or("<client>-at-<resource>", String::as_str)
    }

    /// An MCP server to show in a form.
    pub fn resource(&self) -> &str {
        self.resources.first().map_or("https://mcp.example.com/mcp", |server| &server.identifier)
    }

    /// Its scopes.
    pub fn scopes(&self) -> &str {
        self.resources.first().map_or("docs.read", |server| &server.scopes)
    }
}
