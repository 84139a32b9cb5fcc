//! The forms of the guides, with this deployment's values in them.

use super::drawing::Drawing;
use super::values::Values;

/// Okta: Cross App Access of the app that stands for the MCP server.
pub fn okta_resource_app(values: &Values) -> Drawing {
    Drawing::new("okta-resource-app", "Your MCP server app › Resource Server")
        .heading("Cross App Access (XAA)")
        .switched_on("Enable")
        .ours("Issuer URL", &values.issuer)
        .theirs("Audience / tenant ID", "")
        .ours("Scopes", values.scopes())
        .button("Save")
}

/// Okta, older wording: the requesting app is added at the resource app.
pub fn okta_manage_connections(_: &Values) -> Drawing {
    Drawing::new("okta-connections", "Your MCP server app › Manage Connections")
        .heading("Apps granted consent")
        .row("The MCP client (requesting app)", "Connected")
        .button("Add requesting apps")
}

/// Okta, newer wording: the agent gets a connection to the resource app.
pub fn okta_resource_connection(values: &Values) -> Drawing {
    Drawing::new("okta-resource-connection", "AI agent › Resource connections")
        .heading("Add resource connection")
        .theirs("Resource app", "Your MCP server app")
        .ours("Client ID (registered in this app)", values.client_id())
        .ours("Resource indicator", values.resource())
        .ours("Scopes", values.scopes())
        .button("Save")
}

/// Okta: who may use it.
pub fn okta_assignments(_: &Values) -> Drawing {
    Drawing::new("okta-assignments", "Your MCP server app › Assignments")
        .row("Group: Engineering", "Assigned")
        .button("Assign to groups")
}

/// Entra: where the tenant's id is.
pub fn entra_overview(_: &Values) -> Drawing {
    Drawing::new("entra-overview", "App registrations › The MCP client")
        .heading("Essentials")
        .theirs("Directory (tenant) ID", "00000000-0000-0000-0000-000000000000")
        .button("Endpoints")
}

/// Entra: the email in the token.
pub fn entra_claims(_: &Values) -> Drawing {
    Drawing::new("entra-claims", "The MCP client › Token configuration")
        .heading("Optional claims")
        .row("email", "ID token")
        .button("Add optional claim")
}

/// Keycloak: where the realm's issuer is.
pub fn keycloak_realm(_: &Values) -> Drawing {
    Drawing::new("keycloak-realm", "Realm settings › General")
        .theirs("Realm name", "acme")
        .row("OpenID Endpoint Configuration", "Open")
}

/// Keycloak: the client that asks for the ID-JAG.
pub fn keycloak_client(_: &Values) -> Drawing {
    Drawing::new("keycloak-client", "Clients › The MCP client › Settings")
        .heading("Capability config")
        .switched_on("Client authentication")
        .switched_on("Standard flow")
        .switched_on("Standard Token Exchange")
        .button("Save")
}

/// Claude: where the organization's issuer is.
pub fn claude_issuer(_: &Values) -> Drawing {
    Drawing::new("claude-issuer", "Claude › Organization settings")
        .heading("Enterprise-managed authorization")
        .switched_on("Issue identity for connectors")
        .theirs("Issuer", "https://identity.anthropic.com/issuers/…")
        .button("Copy")
}

/// Claude: the connector.
pub fn claude_connector(values: &Values) -> Drawing {
    Drawing::new("claude-connector", "Claude › Connectors › Add")
        .ours("MCP server URL", values.resource())
        .theirs("Authentication", "Enterprise-managed")
        .button("Add")
}

/// Countersign: the card in which the issuer is saved.
pub fn own_card(issuer: &str) -> Drawing {
    Drawing::new("own-card", "Countersign › Enterprise")
        .heading("Enterprise-Managed Auth")
        .theirs("Identity provider issuer", issuer)
        .theirs("Scope (optional)", "")
        .button("Save")
}
