//! An example of each question, made by the code that makes the real ones.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cedar_policy::{Entity, EntityUid, RestrictedExpression};
use serde_json::{Value, json};

use crate::model::client::AuthMethod;
use crate::model::member::{Role, Status};
use crate::model::teamspace::Plan;
use crate::oauth::authorization_details::{Detail, DetailCandidates};
use crate::oauth::scope::Candidates;
use crate::policy::action::{Action, ConsoleAction};
use crate::policy::facts::{
    Actor, ClaimFacts, ClientFacts, ConfigurationFacts, ConsoleFacts, ConsoleKind, ConsoleUserFacts,
    CustomClaims, Facts, FactsError, MemberFacts, ResourceFacts, TeamspaceFacts, action_uid, claim_facts,
    client_facts, request_facts, teamspace_facts,
};

/// A question as a policy meets it.
#[derive(Debug)]
pub struct Example {
    /// The action that is asked about.
    pub action: Action,
    /// Who it is asked about.
    pub principal: EntityUid,
    /// The entity that the action would be done to.
    pub resource: EntityUid,
    /// The context's attributes as Cedar writes them.
    pub context: BTreeMap<String, String>,
    /// The example in Cedar's JSON form.
    pub context_json: Value,
    /// Every entity that a policy can reach, in Cedar's JSON form.
    pub entities: Vec<Value>,
}

/// The example of facts of one kind.
macro_rules! example {
    (
        [$struct:ident { $($given:ident: $value:expr),* $(,)? }]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        $struct { $($given: $value,)* $($name: $example,)* }
    };
}

/// A sign-in with every possible fact.
pub fn maximal() -> Facts {
    let scopes = vec!["docs.read".to_owned(), "docs.write".to_owned()];
    request_facts!(example Facts {
        now: 1_795_348_800,
        teamspace: teamspace_facts!(example TeamspaceFacts {}),
        client: client_facts!(example ClientFacts {}),
        claims: claim_facts!(example ClaimFacts {}),
        member: MemberFacts::Absent { seats_used: 10, seats_limit: Some(100) },
        resource: ResourceFacts {
            identifier: "https://mcp.example.com/mcp".to_owned(),
            published: true,
            default_scopes: vec!["docs.read".to_owned()],
        },
        candidates: Candidates {
            requested: Some(vec!["docs.read".to_owned()]),
            scopes,
            ..Candidates::default()
        },
    })
}

/// The question that the action asks about these facts. None if it asks nothing about them, such as
/// [`Action::AdmitMember`] about a non-member, or [`Action::GrantScope`] without a candidate.
pub fn question(action: Action, facts: &Facts) -> Result<Option<Example>, FactsError> {
    let absent = matches!(facts.member, MemberFacts::Absent { .. });
    let (principal, resource, context) = match action {
        Action::ConfigureIssuer => return configuration(facts).map(Some),
        Action::Console(asked) => return console(asked, facts).map(Some),
        Action::TrustIssuer => (facts.issuer(), facts.teamspace(), facts.context(action)?),
        Action::ProvisionMember if absent => (facts.user(), facts.teamspace(), facts.context(action)?),
        Action::AdmitMember if !absent => (facts.user(), facts.teamspace(), facts.context(action)?),
        Action::GrantResource => (facts.user(), facts.server(), facts.context(action)?),
        Action::GrantScope => match facts.candidates.scopes.first() {
            Some(name) => (facts.user(), Facts::scope(name), facts.context(action)?),
            None => return Ok(None),
        },
        Action::GrantDetail => return about_detail(facts).map(Some),
        Action::CallTool => return about_tool(facts).map(Some),
        Action::ListTools => (facts.user(), facts.server(), facts.context(action)?),
        Action::ProvisionMember | Action::AdmitMember => return Ok(None),
    };
    Example::of(action, (principal, resource), context, facts.entities()?).map(Some)
}

/// About a detail with every common field that the identity provider authorized, beside a limit to tools.
fn about_detail(facts: &Facts) -> Result<Example, FactsError> {
    let payment = json!({
        "type": "payment",
        "locations": ["https://mcp.example.com/mcp"],
        "actions": ["initiate"],
        "datatypes": ["amount"],
        "privileges": ["once"],
        "identifier": "account-7",
    });
    let tools = json!({ "type": "mcp_tool", "tools": ["search_docs"] });
    let read = [payment, tools].into_iter().map(Detail::try_from).collect::<Result<Vec<_>, _>>();
    let details = DetailCandidates::of(&read.map_err(FactsError::of)?, None);
    let facts = Facts { candidates: Candidates { details, ..facts.candidates.clone() }, ..facts.clone() };
    let text = facts.details().first().map(|candidate| candidate.detail.to_string()).unwrap_or_default();
    let (between, context) = ((facts.user(), Facts::detail(&text)), facts.context(Action::GrantDetail)?);
    Example::of(Action::GrantDetail, between, context, facts.entities()?)
}

fn about_tool(facts: &Facts) -> Result<Example, FactsError> {
    let name = "search_docs";
    let mut entities = facts.entities()?;
    entities.push(facts.tool_entity(name)?);
    let context = facts.context(Action::CallTool)?;
    Example::of(Action::CallTool, (facts.user(), Facts::tool(name)), context, entities)
}

fn configuration(facts: &Facts) -> Result<Example, FactsError> {
    let saved = ConfigurationFacts {
        now: facts.now,
        issuer: facts.claims.iss.clone(),
        teamspace: facts.teamspace.clone(),
    };
    let between = (saved.issuer(), saved.teamspace());
    Example::of(Action::ConfigureIssuer, between, saved.context(), saved.entities()?)
}

/// A question of the console, about the teamspace if possible. A user with an email also belongs to a teamspace, so
/// each optional fact is present once and absent once.
fn console(asked: ConsoleAction, facts: &Facts) -> Result<Example, FactsError> {
    let slug = || facts.teamspace.slug.clone();
    let user = ConsoleUserFacts {
        email: facts.claims.email.clone(),
        groups: facts.claims.groups.clone().unwrap_or_default(),
        owner_of: vec![slug()],
        teamspace: facts.claims.email.as_ref().map(|_| slug()),
        ..ConsoleUserFacts::new(ConsoleKind::Member, "dana@acme.com")
    };
    let teamspace = asked.scope().covers(true).then(|| facts.teamspace.clone());
    let asked_about = ConsoleFacts { now: facts.now, user, teamspace };
    let between = (asked_about.user(), asked_about.resource());
    Example::of(Action::Console(asked), between, asked_about.context(), asked_about.entities()?)
}

/// An example of each action.
pub fn questions() -> Result<Vec<Example>, FactsError> {
    let first = maximal();
    let email_domain = Some("acme.com".to_owned());
    let role = Some(Role::Developer);
    let member = MemberFacts::Present { status: Status::Invited, linking: true, email_domain, role };
    let later = Facts { member, ..first.clone() };
    let mut examples = Vec::new();
    for action in Action::ALL {
        examples.extend(question(action, if action == Action::AdmitMember { &later } else { &first })?);
    }
    Ok(examples)
}

impl Example {
    fn of(
        action: Action,
        (principal, resource): (EntityUid, EntityUid),
        context: Vec<(String, RestrictedExpression)>,
        entities: Vec<Entity>,
    ) -> Result<Self, FactsError> {
        // Cedar's interface gives a context in neither form, and an entity's attributes in both.
        let names: Vec<String> = context.iter().map(|(name, _)| name.clone()).collect();
        let attributes = context.into_iter().collect();
        let carrier =
            Entity::new(action_uid(action.name()), attributes, Default::default()).map_err(FactsError::of)?;
        let mut context = BTreeMap::new();
        for name in names {
            if let Some(value) = carrier.attr(&name) {
                context.insert(name, value.map_err(FactsError::of)?.to_string());
            }
        }
        let json = |entity: &Entity| entity.to_json_value().map_err(FactsError::of);
        let context_json = json(&carrier)?.get("attrs").cloned().unwrap_or_default();
        let entities = entities.iter().map(json).collect::<Result<_, _>>()?;
        Ok(Self { action, principal, resource, context, context_json, entities })
    }
}
