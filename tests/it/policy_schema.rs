//! The vocabulary of policies: the schema and the facts agree, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use countersign::model::member::{Role, Status};
use countersign::model::teamspace::Plan;
use countersign::policy::Action;
use countersign::policy::authoring::example::{maximal, question, questions};
use countersign::policy::facts::{ClaimFacts, ConsoleKind, FactPlace, FactRow, Facts, MemberFacts, table};
use countersign::policy::validate::vocabulary::{Attributes, Type, Vocabulary};
use serde_json::Value;

use crate::commands::{countersign, text};

/// A sign-in of which nothing is known that need not be.
fn minimal() -> Facts {
    let mut facts = maximal();
    (facts.teamspace.issuer, facts.teamspace.scope_setting) = (None, None);
    facts.teamspace.identity_provider = None;
    facts.teamspace.email_domains.clear();
    facts.client.groups.clear();
    facts.client.document_host = None;
    facts.claims = ClaimFacts { iss: facts.claims.iss, sub: facts.claims.sub, ..ClaimFacts::default() };
    facts.member = MemberFacts::Absent { seats_used: 0, seats_limit: None };
    facts.resource.default_scopes.clear();
    (facts.client_address, facts.candidates.requested) = (None, None);
    facts
}

fn as_member(facts: Facts) -> Facts {
    Facts {
        member: MemberFacts::Present {
            status: Status::Active,
            linking: false,
            email_domain: None,
            role: None,
        },
        ..facts
    }
}

/// The facts that were produced under a name: in all cases, or in some.
#[derive(Default)]
struct Seen {
    cases: usize,
    attributes: BTreeMap<String, usize>,
    parents: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, record: &Value) {
        self.cases += 1;
        for name in record.as_object().unwrap().keys() {
            *self.attributes.entry(name.clone()).or_default() += 1;
        }
    }

    /// Whether declared and produced names are the same, and those always there that must be.
    fn assert_is(&self, what: &str, declared: &Attributes) {
        let produced: BTreeSet<&String> = self.attributes.keys().collect();
        assert_eq!(
            produced,
            declared.keys().collect(),
            "{what}: produced on the left, declared on the right"
        );
        for (name, attribute) in declared {
            let always = self.attributes[name] == self.cases;
            assert_eq!(always, attribute.required, "{what}.{name}: always there, and required");
        }
    }
}

/// Everything that facts lead to: the most and the least that can be known.
fn everything() -> (BTreeMap<String, Seen>, BTreeMap<String, Seen>, Seen) {
    let (mut entities, mut contexts, mut claims) =
        (BTreeMap::<_, Seen>::new(), BTreeMap::<_, Seen>::new(), Seen::default());
    for facts in [maximal(), as_member(maximal()), minimal(), as_member(minimal())] {
        for example in Action::ALL.into_iter().filter_map(|action| question(action, &facts).unwrap()) {
            contexts.entry(example.action.name().to_owned()).or_default().add(&example.context_json);
            if let Some(record) = example.context_json.get("claims") {
                claims.add(record);
            }
            for entity in &example.entities {
                let seen = entities.entry(entity["uid"]["type"].as_str().unwrap().to_owned()).or_default();
                seen.add(&entity["attrs"]);
                let parents = entity["parents"].as_array().unwrap();
                seen.parents.extend(parents.iter().map(|uid| uid["type"].as_str().unwrap().to_owned()));
            }
        }
    }
    (entities, contexts, claims)
}

/// Name, type and whether it may be absent, of each attribute.
type Told = BTreeSet<(String, String, bool)>;

fn declared(attributes: &Attributes) -> Told {
    let told = attributes.iter();
    told.map(|(name, attribute)| (name.clone(), attribute.kind.to_string(), !attribute.required)).collect()
}

#[test]
fn the_table_of_facts_is_the_schema() {
    let words = Vocabulary::shipped().unwrap();
    let told = |is_there: &dyn Fn(&FactRow) -> bool| -> Told {
        let rows = table().filter(|row| is_there(row));
        rows.map(|row| (row.name.to_owned(), row.kind.to_owned(), row.optional)).collect()
    };
    for (name, entity) in &words.entities {
        let rows = told(&|row| matches!(row.place, FactPlace::Entity(of) if of == name));
        assert_eq!(
            rows,
            declared(&entity.attributes),
            "the table on the left, the schema on the right: {name}"
        );
    }
    let actor = told(&|row| row.place == FactPlace::Record("Actor"));
    assert_eq!(actor, declared(words.records()["Actor"]), "the table on the left, the schema on the right");
    let custom = declared(words.records()["CustomClaims"]);
    assert_eq!(
        custom.iter().map(|(_, kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["String"],
        "the deployment's"
    );
    let claims = told(&|row| row.place == FactPlace::Claims);
    assert_eq!(claims, declared(words.records()["Claims"]), "the table on the left, the schema on the right");
    for action in Action::ALL {
        let rows = told(&|row| row.is_in_context_of(action));
        let context = declared(&words.actions[action.name()].context);
        assert_eq!(rows, context, "the table on the left, the schema on the right: {}", action.name());
    }
}

#[test]
fn facts_produce_what_the_schema_declares_and_nothing_else() {
    let words = Vocabulary::shipped().unwrap();
    let (entities, contexts, claims) = everything();
    let asked: BTreeSet<&String> = words
        .actions
        .iter()
        .filter(|(_, action)| !action.principals.is_empty())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(contexts.keys().collect::<BTreeSet<_>>(), asked);
    for (name, seen) in &contexts {
        seen.assert_is(name, &words.actions[name].context);
    }
    claims.assert_is("Claims", words.records()["Claims"]);
    assert_eq!(words.records().len(), 3, "Actor and CustomClaims are looked at below");
    let with_attributes: BTreeSet<&String> = words
        .entities
        .iter()
        .filter(|(_, words)| !words.attributes.is_empty())
        .map(|(name, _)| name)
        .collect();
    assert!(with_attributes.is_subset(&entities.keys().collect()), "{with_attributes:?}");
    for (name, seen) in &entities {
        seen.assert_is(name, &words.entities[name].attributes);
        assert_eq!(seen.parents, words.entities[name].parents, "parents of {name}");
    }
}

#[test]
fn enumerations_are_the_services_own() {
    let words = Vocabulary::shipped().unwrap();
    let ids = |name: &str| words.entities[name].ids.clone().unwrap();
    let plans = [Plan::Free, Plan::Pro, Plan::Enterprise].map(|plan| plan.as_str().to_owned());
    assert_eq!(ids("Plan"), BTreeSet::from(plans));
    let statuses = [Status::Active, Status::Invited, Status::Suspended, Status::Removed];
    let roles = [Role::Owner, Role::Admin, Role::Developer].map(|role| role.as_str().to_owned());
    assert_eq!(ids("MemberRole"), BTreeSet::from(roles));
    assert_eq!(ids("ConsoleKind"), ConsoleKind::ALL.map(|kind| kind.as_str().to_owned()).into());
    assert_eq!(ids("MemberStatus"), BTreeSet::from(statuses.map(|status| status.as_str().to_owned())));
}

#[test]
fn every_action_has_an_example_of_the_declared_types() {
    let words = Vocabulary::shipped().unwrap();
    let examples = questions().unwrap();
    assert_eq!(examples.iter().map(|example| example.action).collect::<Vec<_>>(), Action::ALL);
    for example in &examples {
        let declared = &words.actions[example.action.name()];
        assert!(declared.principals.contains(&example.principal.type_name().to_string()));
        assert!(declared.resources.contains(&example.resource.type_name().to_string()));
        let names: Vec<&String> = example.context.keys().collect();
        assert_eq!(names, declared.context.keys().collect::<Vec<_>>(), "{:?}", example.action);
    }
}

#[test]
fn the_page_tells_types_documentation_and_examples() {
    let dir = tempfile::tempdir().unwrap();
    let page = text(&countersign(dir.path(), &["policy", "schema"], &[]).stdout);
    for line in [
        "Action::\"GrantScope\"\n  May this scope be put on the token? Asked once for each scope that could be granted.\n  principal  User\n  resource   Scope\n  in         grant\n",
        "  context.seats_limit?     Long  // Absent: unlimited.\n",
        "  .scope_setting?          Set<Scope>  // Absent: pass through",
        "  .email_verified?         Bool\n",
        "  is one of  enterprise, free, pro\n",
        "  in         McpServer, Teamspace\n",
        "    resource   Scope::\"docs.read\"\n",
        "    context.now = datetime(\"2026-11-22T12:00:00Z\")\n",
        "  a group of GrantDetail, GrantResource, GrantScope\n",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}

#[test]
fn the_document_holds_the_same_for_programs() {
    let dir = tempfile::tempdir().unwrap();
    let out = countersign(dir.path(), &["policy", "schema", "--format", "json"], &[]);
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    let limit = &json["actions"]["ProvisionMember"]["context"]["seats_limit"];
    assert_eq!(*limit, serde_json::json!({ "type": "Long", "required": false, "doc": "Absent: unlimited." }));
    assert_eq!(json["entities"]["Plan"]["ids"], serde_json::json!(["enterprise", "free", "pro"]));
    let claims = &json["actions"]["GrantScope"]["context"]["claims"]["type"];
    assert_eq!(
        (&claims["name"], &claims["record"]["amr"]["type"]["set"]),
        (&"Claims".into(), &"String".into())
    );
    let examples = json["examples"].as_array().unwrap();
    assert_eq!(examples.len(), Action::ALL.len());
    assert_eq!(examples[1]["context"]["client"]["__entity"]["type"], "Client");
    assert!(examples[1]["entities"].as_array().unwrap().len() >= 5);
}

#[test]
fn another_schema_is_told_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = "namespace N { type T = { a: Long, b?: Set<{ c: ipaddr }> }; @doc(\"a b\") entity A in [B]; }
        entity B = { q: N::T, r: Set<N::T>, d: decimal } tags Set<String>;
        action g; action v in [Action::\"g\"] appliesTo { principal: [B], resource: [B, N::A], context: N::T };";
    std::fs::write(dir.path().join("other"), other).unwrap();
    let out = countersign(dir.path(), &["policy", "schema", "--schema", "other"], &[]);
    let page = text(&out.stdout);
    for line in [
        "N::A\n  a b\n  in         B\n",
        "  context.b?               Set<{c: ipaddr}>\n",
        "  resource   B, N::A\n",
        "  .r                       Set<N::T>\n",
        "  tags       Set<String>\n",
        "N::T\n  .a                       Long\n",
    ] {
        assert!(page.contains(line), "{line} is not in {page}{}", text(&out.stderr));
    }
    std::fs::write(dir.path().join("other"), "entity A in [Nobody];").unwrap();
    let out = countersign(dir.path(), &["policy", "schema", "--schema", "other"], &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("Nobody") && out.stdout.is_empty());
    assert_eq!(
        countersign(dir.path(), &["policy", "schema", "--schema", "none"], &[]).status.code(),
        Some(2)
    );
}

#[test]
fn types_are_written_as_cedar_writes_them() {
    let words = Vocabulary::shipped().unwrap();
    let claims = &words.actions["GrantScope"].context["claims"].kind;
    assert_eq!(claims.to_string(), "Claims");
    let Type::Record { record, .. } = claims else { panic!("Claims is a record") };
    assert_eq!(record["scopes"].kind.to_string(), "Set<Scope>");
}
