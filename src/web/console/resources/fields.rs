//! The fields of a resource's form.

use serde::Deserialize;

use crate::admin::AdminError;
use crate::admin::resources::{NewResource, ResourcePatch};
use crate::model::resource::{Resource, ResourceScope};
use crate::web::console::form::{Faults, lines_of, words_of};
use crate::web::console::seen::{changes, settings};

/// The form's input.
#[derive(Default, Deserialize)]
pub struct ResourceForm {
    #[serde(default)]
    pub identifier: String,
    #[serde(default)]
    pub name: String,
    /// One scope per line: its name, then its purpose.
    #[serde(default)]
    pub scopes: String,
    #[serde(default)]
    pub default_scopes: String,
    /// `some` where it is not for every teamspace.
    #[serde(default)]
    pub offered: String,
    #[serde(default)]
    pub teamspaces: String,
    #[serde(default)]
    pub required_scopes: String,
    /// `true` where the box is ticked.
    #[serde(default)]
    pub forward_auth_credentials: String,
    /// `true` where the box is ticked.
    #[serde(default)]
    pub tool_policies: String,
    /// `true` where the box is ticked.
    #[serde(default)]
    pub dpop_bound_access_tokens: String,
    /// The settings when the page was made; empty for one that is added.
    #[serde(default)]
    pub seen: String,
}

impl ResourceForm {
    /// The form of one that exists.
    pub fn of(resource: &Resource) -> Self {
        let line = |scope: &ResourceScope| format!("{} {}", scope.name, scope.description).trim().to_owned();
        let scopes: Vec<String> = resource.scopes.iter().map(line).collect();
        let fields = Self {
            identifier: resource.identifier.clone(),
            name: resource.name.clone(),
            scopes: scopes.join("\n"),
            default_scopes: resource.default_scopes.join(" "),
            offered: if resource.teamspaces.is_some() { "some" } else { "all" }.to_owned(),
            teamspaces: resource.teamspaces.iter().flatten().cloned().collect::<Vec<_>>().join("\n"),
            required_scopes: resource.required_scopes.join(" "),
            forward_auth_credentials: resource.forward_auth_credentials.to_string(),
            tool_policies: resource.tool_policies.to_string(),
            dpop_bound_access_tokens: resource.dpop_bound_access_tokens.to_string(),
            seen: String::new(),
        };
        Self { seen: fields.settings(), ..fields }
    }

    /// Whether a resource is what this form registers: then the form was sent twice.
    pub fn is_registered_as(&self, resource: &Resource) -> bool {
        let new = self.new_resource();
        new.identifier == resource.identifier
            && new.name.trim() == resource.name
            && new.scopes == resource.scopes
            && new.default_scopes == resource.default_scopes
            && new.teamspaces == resource.teamspaces
            && new.required_scopes == resource.required_scopes
            && new.forward_auth_credentials == resource.forward_auth_credentials
            && new.tool_policies == resource.tool_policies
            && new.dpop_bound_access_tokens == resource.dpop_bound_access_tokens
    }

    /// Whether forward-auth wants the resource's credentials.
    pub fn needs_credentials(&self) -> bool {
        self.forward_auth_credentials == "true"
    }

    /// Whether forward-auth asks the policies about tools.
    pub fn asks_about_tools(&self) -> bool {
        self.tool_policies == "true"
    }

    /// Whether tokens must be bound to a key.
    pub fn binds_tokens(&self) -> bool {
        self.dpop_bound_access_tokens == "true"
    }

    fn settings(&self) -> String {
        settings([
            ("Identifier", &self.identifier),
            ("Name", &self.name),
            ("Scopes", &self.scopes),
            ("Default scopes", &self.default_scopes),
            ("Offered to", if self.offered == "some" { &self.teamspaces } else { "every teamspace" }),
            ("Required scopes", &self.required_scopes),
            ("Credentials of the proxy", if self.needs_credentials() { "required" } else { "not required" }),
            ("Tool policies", if self.asks_about_tools() { "on" } else { "off" }),
            ("Tokens", if self.binds_tokens() { "bound to a key" } else { "of any kind" }),
        ])
    }

    /// Says what somebody else has changed since the page was made, and takes it as seen.
    pub fn changed_since(&mut self, now: &Resource) -> Faults {
        let now = Self::of(now).seen;
        let seen = std::mem::replace(&mut self.seen, now);
        Faults::of("name", changes("resource", &seen, &self.seen))
    }

    /// The resource to be registered.
    pub fn new_resource(&self) -> NewResource {
        NewResource {
            identifier: self.identifier.trim().to_owned(),
            name: self.name.clone(),
            scopes: lines_of(&self.scopes).iter().map(|line| scope(line)).collect(),
            default_scopes: words_of(&self.default_scopes),
            teamspaces: (self.offered == "some").then(|| words_of(&self.teamspaces)),
            required_scopes: words_of(&self.required_scopes),
            forward_auth_credentials: self.needs_credentials(),
            tool_policies: self.asks_about_tools(),
            dpop_bound_access_tokens: self.binds_tokens(),
        }
    }

    /// The change to an existing resource.
    pub fn patch(&self) -> ResourcePatch {
        let new = self.new_resource();
        ResourcePatch {
            identifier: Some(new.identifier),
            name: Some(new.name),
            scopes: Some(new.scopes),
            default_scopes: Some(new.default_scopes),
            teamspaces: Some(new.teamspaces),
            required_scopes: Some(new.required_scopes),
            forward_auth_credentials: Some(new.forward_auth_credentials),
            tool_policies: Some(new.tool_policies),
            dpop_bound_access_tokens: Some(new.dpop_bound_access_tokens),
        }
    }
}

fn scope(line: &str) -> ResourceScope {
    let (name, description) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    ResourceScope { name: name.to_owned(), description: description.trim().to_owned() }
}

/// The field that a refusal is about.
pub fn field_of(error: &AdminError) -> Option<&'static str> {
    match error {
        AdminError::IdentifierInvalid(_) | AdminError::ResourceTaken => Some("identifier"),
        AdminError::NameInvalid => Some("name"),
        AdminError::ScopeInvalid(_) | AdminError::ScopeDescriptionTooLong => Some("scopes"),
        AdminError::DefaultScopeUnknown(_) => Some("default_scopes"),
        AdminError::RequiredScopeUnknown(_) => Some("required_scopes"),
        AdminError::TeamspaceUnknown(_) => Some("teamspaces"),
        _ => None,
    }
}
