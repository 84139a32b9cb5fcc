//! The names in a policy's head and conditions: teamspaces, people, servers, addresses.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, PatternElem, Var};
use cedar_policy::{ActionConstraint, EntityUid, Policy, ResourceConstraint};

use crate::policy::action::{Action, Topic};

/// The group of the actions about tools.
const TOOLS: &str = "tool";

/// A name in a policy. In texts for `like`, `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A slug.
    Teamspace(String),
    /// `<teamspace>/<group>`.
    Group(String),
    /// `<iss>|<tenant>|<sub>`.
    Person(String),
    /// The `iss` of an identity provider.
    Issuer(String),
    /// The identifier of an MCP server.
    Server(String),
    /// A scope token.
    Scope(String),
    /// A client's id.
    Client(String),
    /// The `sub` of an assertion.
    Subject(String),
    /// A tenant of an identity provider.
    Tenant(String),
    /// A person's email address.
    Email(String),
    /// The part of an email address after `@`.
    EmailDomain(String),
    /// A text that the URL of an issuer or a server is compared with.
    Url(String),
    /// Something that could not be looked into.
    Unknown,
}

/// Everything that a policy names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The teamspace that the head requires: only its requests meet the policy.
    pub confined_to: Option<String>,
    /// Every name in the head and the conditions, with repetitions.
    pub all: Vec<Name>,
}

impl Names {
    /// The names in a policy. The caller provides the stack.
    pub(in crate::policy) fn of(policy: &Policy) -> Self {
        let mut names = Self { confined_to: confined_to(policy), all: Vec::new() };
        names.all.extend(policy.entity_literals().iter().filter_map(entity));
        let entities = names.all.len();
        match policy.to_pst() {
            Ok(pst) => pst.body().clauses().iter().for_each(|clause| match clause {
                Clause::When(expression) | Clause::Unless(expression) => names.look_into(expression),
            }),
            Err(_) => names.all.push(Name::Unknown),
        }
        if is_about_tools(policy) {
            // `resource.name` is a tool's; scopes are entities there.
            let texts = names.all.split_off(entities);
            names.all.extend(texts.into_iter().filter(|name| !matches!(name, Name::Scope(_))));
        }
        names
    }

    /// Finds the comparisons: only there does a text name somebody.
    fn look_into(&mut self, expression: &Expr) {
        match expression {
            Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
                self.look_into(left);
                self.look_into(right);
            }
            Expr::UnaryOp { expr, .. } => self.look_into(expr),
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|part| self.look_into(part));
            }
            comparison => {
                let mut compared = ComparedTexts::default();
                compared.add(comparison);
                self.all.extend(compared.names());
            }
        }
    }
}

fn confined_to(policy: &Policy) -> Option<String> {
    match policy.resource_constraint() {
        ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => {
            (uid.type_name().basename() == "Teamspace").then(|| uid.id().unescaped().to_owned())
        }
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    }
}

/// Whether a policy's head names actions about tools and no others.
fn is_about_tools(policy: &Policy) -> bool {
    let about = |uid: &EntityUid| {
        let name = uid.id().unescaped();
        name == TOOLS || Action::named(name).is_some_and(|action| action.topic() == Topic::Tools)
    };
    match policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(uid) => about(&uid),
        ActionConstraint::In(uids) => uids.iter().all(about),
    }
}

/// An entity that belongs to somebody; plans, states, actions, groups of clients, and the names of tools belong to
/// everybody.
fn entity(uid: &EntityUid) -> Option<Name> {
    let id = uid.id().unescaped().to_owned();
    match uid.type_name().basename() {
        "Teamspace" => Some(Name::Teamspace(id)),
        "Group" => Some(Name::Group(id)),
        "User" => Some(Name::Person(id)),
        "Issuer" => Some(Name::Issuer(id)),
        "McpServer" => Some(Name::Server(id)),
        "Scope" => Some(Name::Scope(id)),
        "Client" => Some(Name::Client(id)),
        "Plan" | "MemberRole" | "MemberStatus" | "Action" | "ClientGroup" | "Tool" => None,
        _ => Some(Name::Unknown),
    }
}

/// The texts of a comparison, and what they are compared with.
#[derive(Default)]
struct ComparedTexts {
    texts: Vec<String>,
    attributes: Vec<String>,
    /// Whether it concerns the context or the claims as a whole.
    whole: bool,
}

impl ComparedTexts {
    fn add(&mut self, expression: &Expr) {
        match expression {
            Expr::Literal(Literal::String(text)) => self.texts.push(text.to_string()),
            Expr::Literal(_) | Expr::HasAttr { .. } => {}
            Expr::Var(var) => self.whole |= *var == Var::Context,
            Expr::GetAttr { expr, attr } => self.attribute(expr, attr),
            Expr::Like { expr, pattern } => {
                self.texts.push(pattern.iter().map(character).collect());
                self.add(expr);
            }
            Expr::UnaryOp { expr, .. } | Expr::Is { expr, in_expr: None, .. } => self.add(expr),
            Expr::Is { expr, in_expr: Some(other), .. } => {
                [expr, other].into_iter().for_each(|e| self.add(e))
            }
            Expr::BinaryOp { left, right, .. } => [left, right].into_iter().for_each(|e| self.add(e)),
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|e| self.add(e));
            }
            Expr::Set(items) => items.iter().for_each(|item| self.add(item)),
            Expr::Record(fields) => fields.values().for_each(|field| self.add(field)),
            // Whatever else Cedar has or will have.
            _ => self.whole = true,
        }
    }

    fn attribute(&mut self, of: &Expr, name: &str) {
        self.attributes.push(name.to_owned());
        match of {
            Expr::Var(Var::Context) => self.whole |= name == "claims",
            // The last name says what it is.
            Expr::GetAttr { expr, .. } if matches!(**expr, Expr::Var(Var::Context)) => {}
            other => self.add(other),
        }
    }

    fn names(self) -> Vec<Name> {
        let Self { texts, attributes, whole } = self;
        let mut names: Vec<Name> = Vec::new();
        for text in &texts {
            names.extend(attributes.iter().filter_map(|attribute| compared_with(attribute, text)));
            names.extend(text.contains('@').then(|| Name::Email(text.clone())));
        }
        names.extend((whole && !texts.is_empty()).then_some(Name::Unknown));
        names
    }
}

fn character(element: &PatternElem) -> char {
    match element {
        PatternElem::Char(character) => *character,
        PatternElem::Wildcard => '*',
    }
}

/// The meaning of a text, by the attribute that it is compared with.
fn compared_with(attribute: &str, text: &str) -> Option<Name> {
    let text = text.to_owned();
    match attribute {
        "sub" => Some(Name::Subject(text)),
        "tenant" => Some(Name::Tenant(text)),
        "aud_tenant" => Some(Name::Teamspace(text)),
        "email" => Some(Name::Email(text)),
        "url" | "locations" => Some(Name::Url(text)),
        // Of an authorization detail: it may be anybody's account.
        "identifier" => Some(Name::Unknown),
        // A pattern such as `*.write` means a kind of scope.
        "name" if !text.contains('*') => Some(Name::Scope(text)),
        _ if attribute.ends_with("_domain") || attribute == "email_domains" => Some(Name::EmailDomain(text)),
        _ => None,
    }
}
