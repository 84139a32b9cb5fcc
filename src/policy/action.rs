//! The questions that policies answer.

use serde::{Deserialize, Serialize};

/// The questions that policies answer. Those of a sign-in come in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// May this issuer be saved as an identity provider of the teamspace?
    ConfigureIssuer,
    /// Is the issuer of the assertion believed for the teamspace?
    TrustIssuer,
    /// May a person who is not a member become one?
    ProvisionMember,
    /// May the member sign in?
    AdmitMember,
    /// May the member have a token for this MCP server?
    GrantResource,
    /// May the token carry this scope? Asked once for each scope.
    GrantScope,
    /// May the token carry this authorization detail? Asked once for each.
    GrantDetail,
    /// May the token's holder call this tool of the MCP server?
    CallTool,
    /// May the token's holder see which tools the MCP server has?
    ListTools,
    /// An action in the console or through the admin API.
    #[serde(untagged)]
    Console(ConsoleAction),
}

/// Declares the console's actions, each with its name in the schema and its scope.
macro_rules! console_actions {
    ($($(#[$about:meta])* $variant:ident = $name:literal on $on:ident;)+) => {
        /// An action in the console or through the admin API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ConsoleAction {
            $($(#[$about])* #[serde(rename = $name)] $variant,)+
        }

        impl ConsoleAction {
            /// All of them.
            pub const ALL: [Self; CONSOLE_ACTIONS] = [$(Self::$variant),+];

            /// Its name in the schema.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The scope that it can be asked about.
            pub const fn scope(self) -> ConsoleScope {
                match self { $(Self::$variant => ConsoleScope::$on),+ }
            }
        }

        impl Action {
            /// All of them.
            pub const ALL: [Self; 9 + CONSOLE_ACTIONS] = [
                Self::ConfigureIssuer,
                Self::TrustIssuer,
                Self::ProvisionMember,
                Self::AdmitMember,
                Self::GrantResource,
                Self::GrantScope,
                Self::GrantDetail,
                Self::CallTool,
                Self::ListTools,
                $(Self::Console(ConsoleAction::$variant),)+
            ];
        }
    };
}

/// How many actions the console has.
const CONSOLE_ACTIONS: usize = 18;

console_actions! {
    /// See the teamspace: its name, plan, seats and set-up; or the list of all.
    ViewOverview = "console:ViewOverview" on Both;
    /// Rename it. What it has bought and its domains are [`Self::ManageTeamspaces`].
    ChangeTeamspace = "console:ChangeTeamspace" on Teamspace;
    /// See its identity providers.
    ViewEnterprise = "console:ViewEnterprise" on Teamspace;
    /// Save, test, switch off or remove an identity provider.
    ChangeEnterprise = "console:ChangeEnterprise" on Teamspace;
    /// See its members.
    ViewMembers = "console:ViewMembers" on Teamspace;
    /// Invite, suspend or remove members, change their roles, end their sessions.
    ChangeMembers = "console:ChangeMembers" on Teamspace;
    /// Ask what the token endpoint would answer to an assertion.
    Explain = "console:Explain" on Teamspace;
    /// Make, see and revoke set-up links.
    ManageSetupLinks = "console:ManageSetupLinks" on Teamspace;
    /// See sign-ins: of a teamspace, or of all.
    ViewActivity = "console:ViewActivity" on Both;
    /// See who changed what: in a teamspace, or anywhere.
    ViewAudit = "console:ViewAudit" on Both;
    /// See MCP servers: those that a teamspace is offered, or all.
    ViewResources = "console:ViewResources" on Both;
    /// Add teamspaces; change their plan, limit, slug and domains; remove them.
    ManageTeamspaces = "console:ManageTeamspaces" on Deployment;
    /// See the policies, and what others would have decided.
    ViewPolicies = "console:ViewPolicies" on Deployment;
    /// See the clients.
    ViewClients = "console:ViewClients" on Deployment;
    /// Add, change or remove clients and their secrets.
    ChangeClients = "console:ChangeClients" on Deployment;
    /// Add, change or remove MCP servers.
    ChangeResources = "console:ChangeResources" on Deployment;
    /// See the health of the service, its replicas and keys, and who is signed in to the console.
    ViewSystem = "console:ViewSystem" on Deployment;
    /// Rotate the signing keys, throw and lift kill switches, and end other people's console sessions.
    ChangeSystem = "console:ChangeSystem" on Deployment;
}

/// The scope that an action of the console can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleScope {
    /// One teamspace.
    Teamspace,
    /// The deployment as a whole.
    Deployment,
    /// One teamspace, or the deployment and so all of them.
    Both,
}

impl ConsoleScope {
    /// Whether it can be asked about one teamspace, or else about the deployment.
    pub const fn covers(self, of_teamspace: bool) -> bool {
        match self {
            Self::Teamspace => of_teamspace,
            Self::Deployment => !of_teamspace,
            Self::Both => true,
        }
    }
}

impl Action {
    /// The questions about sign-ins, and about the identity providers that people sign in with.
    pub const SIGN_IN: [Self; 7] = [
        Self::ConfigureIssuer,
        Self::TrustIssuer,
        Self::ProvisionMember,
        Self::AdmitMember,
        Self::GrantResource,
        Self::GrantScope,
        Self::GrantDetail,
    ];
    /// The questions about tools, which are asked about a token.
    pub const TOOLS: [Self; 2] = [Self::CallTool, Self::ListTools];

    /// Its name in the schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigureIssuer => "ConfigureIssuer",
            Self::TrustIssuer => "TrustIssuer",
            Self::ProvisionMember => "ProvisionMember",
            Self::AdmitMember => "AdmitMember",
            Self::GrantResource => "GrantResource",
            Self::GrantScope => "GrantScope",
            Self::GrantDetail => "GrantDetail",
            Self::CallTool => "CallTool",
            Self::ListTools => "ListTools",
            Self::Console(action) => action.name(),
        }
    }

    /// The topic of the question.
    pub const fn topic(self) -> Topic {
        match self {
            Self::CallTool | Self::ListTools => Topic::Tools,
            Self::Console(_) => Topic::Console,
            _ => Topic::SignIns,
        }
    }

    /// The action with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// What questions are about. A policy set may leave the tools and the console to the shipped policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Sign-ins, and the identity providers that people sign in with.
    SignIns,
    /// The tools of MCP servers.
    Tools,
    /// The console and the admin API.
    Console,
}
