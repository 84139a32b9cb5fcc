//! Plans: what differs, in the right order, and nothing else.

use std::collections::HashSet;

use countersign::manifest::{
    ChangePlan, ExportFormat, FoundObject, Manifest, ObjectKind, StepAction, plan, read, written,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::reading::{file, manifest};

fn found(kind: ObjectKind, teamspace: Option<&str>, fields: Value) -> FoundObject {
    FoundObject::of(kind, teamspace, fields).unwrap()
}

fn teamspace(slug: &str, domains: &[&str]) -> FoundObject {
    let fields = json!({ "id": slug, "slug": slug, "name": slug, "plan": "pro", "email_domains": domains,
        "member_limit": null, "time_zone": "UTC" });
    found(ObjectKind::Teamspace, None, fields)
}

fn member(email: &str, provisioned_by: &str, status: &str) -> FoundObject {
    let fields = json!({ "id": email, "email": email, "role": "developer", "status": status,
        "provisioned_by": provisioned_by });
    found(ObjectKind::Member, Some("acme"), fields)
}

fn planned(manifest: &Manifest, found: &[FoundObject], prune: bool) -> ChangePlan {
    plan(manifest, found, &HashSet::new(), prune).unwrap()
}

fn shown(plan: &ChangePlan) -> Vec<String> {
    let sign = |action: &StepAction| match action {
        StepAction::Create(_) => '+',
        StepAction::Change(_) => '~',
        StepAction::Delete => '-',
    };
    plan.steps().map(|step| format!("{}{}", sign(&step.action), step.name)).collect()
}

/// What others use is made before them and goes after them.
#[test]
fn the_order_is_that_of_use() {
    let text = "
clients: [{client_id: c, client_secret_env: C}]
resources: [{identifier: 'https://new.example', name: New, teamspaces: [new]}]
teamspaces:
- {slug: acme, name: acme, plan: pro, email_domains: [], members: [{email: new@acme.com}]}
- {slug: new, name: New, plan: pro, email_domains: [acme.com],
   identity_providers: [{provider: okta, issuer: 'https://new.okta.com'}]}
";
    let there = [
        found(ObjectKind::Resource, None, json!({ "id": "r", "identifier": "https://old.example/" })),
        found(ObjectKind::Client, None, json!({ "client_id": "old" })),
        teamspace("acme", &["acme.com"]),
        teamspace("old", &[]),
        member("old@acme.com", "invitation", "invited"),
    ];
    assert_eq!(
        shown(&planned(&manifest(text), &there, true)),
        // A domain is given up before it is taken, and a seat is free before it is taken.
        [
            "~acme",
            "+new",
            "+https://new.example",
            "+c",
            "+Okta",
            "-old@acme.com",
            "+new@acme.com",
            "-old",
            "-https://old.example/",
            "-old"
        ]
    );
    assert!(!shown(&planned(&manifest(text), &there, false)).iter().any(|step| step.starts_with('-')));
}

/// Whatever only one can have is given up before another takes it, through a chain of three as well.
#[test]
fn domains_and_issuers_are_given_up_before_they_are_taken() {
    let provider = |slug: &str, name: &str| {
        let fields = json!({ "id": name, "name": name, "provider": "oidc", "issuer": format!("https://{name}"), "tenant": null });
        found(ObjectKind::Provider, Some(slug), fields)
    };
    let there = [
        teamspace("a", &["one.example"]),
        teamspace("b", &["two.example"]),
        teamspace("gone", &["three.example"]),
        provider("a", "first"),
        provider("gone", "second"),
        provider("b", "unused"),
    ];
    let text = "
teamspaces:
- {slug: a, name: a, plan: pro, email_domains: [two.example], identity_providers: []}
- {slug: b, name: b, plan: pro, email_domains: [three.example],
   identity_providers: [{name: moved, provider: oidc, issuer: 'https://first'}, {name: kept, provider: oidc, issuer: 'https://second'}]}
";
    assert_eq!(
        shown(&planned(&manifest(text), &there, true)),
        ["-gone", "~b", "~a", "-first", "+moved", "+kept", "-unused"]
    );
}

/// Pruning touches only lists that the files have, and never people who came by a sign-in or are suspended.
#[test]
fn pruning_is_confined_to_the_lists_of_the_files() {
    let there = [
        found(ObjectKind::Client, None, json!({ "client_id": "c" })),
        teamspace("acme", &[]),
        member("invited@acme.com", "invitation", "invited"),
        member("signed-in@acme.com", "sign-in", "active"),
        member("suspended@acme.com", "invitation", "suspended"),
    ];
    let acme = "teamspaces: [{slug: acme, name: acme, plan: pro}]";
    assert!(planned(&manifest(acme), &there, true).groups.is_empty());
    let acme = "teamspaces: [{slug: acme, name: acme, plan: pro, members: []}]";
    assert_eq!(shown(&planned(&manifest(acme), &there, true)), ["-invited@acme.com"]);
    assert_eq!(shown(&planned(&manifest("clients: []"), &there, true)), ["-c"]);
}

/// A field that the file leaves out stays: a client that somebody has switched off is not switched on by the next run.
#[test]
fn fields_that_are_left_out_stay() {
    let there = [found(
        ObjectKind::Client,
        None,
        json!({ "client_id": "c", "enabled": false, "groups": ["b", "a"] }),
    )];
    let same = planned(&manifest("clients: [{client_id: c, groups: [a, b]}]"), &there, false);
    assert_eq!((same.groups.len(), same.same), (0, 1));
    let changed = planned(&manifest("clients: [{client_id: c, enabled: true}]"), &there, false);
    let StepAction::Change(updates) = &changed.groups[0][0].action else { panic!("{changed:?}") };
    assert_eq!(
        (updates[0].field, &updates[0].old, &updates[0].new),
        ("enabled", &json!(false), &json!(true))
    );
}

/// A provider is known by its name, and by issuer and tenant when it has another one; a resource by its normal form.
#[test]
fn objects_are_found_under_another_spelling() {
    let there = [
        teamspace("acme", &[]),
        found(
            ObjectKind::Provider,
            Some("acme"),
            json!({ "id": "p", "name": "Okta", "issuer": "https://o", "tenant": null, "provider": "okta" }),
        ),
        found(
            ObjectKind::Resource,
            None,
            json!({ "id": "r", "identifier": "https://a.example/", "name": "A" }),
        ),
    ];
    let text = "
resources: [{identifier: 'https://a.example', name: A}]
teamspaces: [{slug: acme, name: acme, plan: pro,
  identity_providers: [{name: Europe, provider: okta, issuer: 'https://o'}]}]";
    assert_eq!(shown(&planned(&manifest(text), &there, true)), ["~https://a.example", "~Europe"]);
}

/// The new name takes the provider with its issuer, so the old name with another issuer is a new provider.
#[test]
fn two_providers_do_not_become_the_same_one() {
    let okta =
        json!({ "id": "p", "name": "Okta", "issuer": "https://x", "tenant": null, "provider": "okta" });
    let there = [teamspace("acme", &[]), found(ObjectKind::Provider, Some("acme"), okta)];
    let text = "
teamspaces: [{slug: acme, name: acme, plan: pro, identity_providers: [
  {name: New, provider: okta, issuer: 'https://x'}, {name: Okta, provider: okta, issuer: 'https://y'}]}]";
    assert_eq!(shown(&planned(&manifest(text), &there, true)), ["~New", "+Okta"]);
}

#[test]
fn a_new_client_needs_a_secret() {
    let clients = manifest("clients: [{client_id: c}]");
    let refused = plan(&clients, &[], &HashSet::new(), false).unwrap_err().to_string();
    assert!(refused.starts_with("a.yaml:1: the service has no client `c`"), "{refused}");
}

/// Text that could be mistaken in YAML or TOML.
fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        r"[a-zA-Z0-9 _./:@#'\\{}\[\],&*!|>%~-]{1,12}",
        any::<String>(),
        prop_oneof![
            Just("true"),
            Just("null"),
            Just("0x1f"),
            Just("1e3"),
            Just("- a"),
            Just("a: b"),
            Just("\u{202e}é"),
            Just("2026-11-28"),
            Just("~"),
            Just("a #b"),
            Just("\u{feff}x"),
            Just("y")
        ]
        .prop_map(str::to_owned),
    ]
    .prop_filter("a name is not blank", |text| !text.trim().is_empty())
    .prop_map(|text| text.trim().to_owned())
}

fn objects() -> impl Strategy<Value = Vec<FoundObject>> {
    let client = (a_text(), a_text(), prop::collection::hash_set(a_text(), 0..3), any::<bool>());
    let clients = prop::collection::vec(client, 0..3);
    let keys = (a_text(), any::<bool>());
    let resource =
        (a_text(), a_text(), prop::option::of(Just(vec!["s0"])), prop::collection::vec(keys, 0..3));
    let resources = prop::collection::vec(resource, 0..3);
    let provider = (prop::option::of(a_text()), a_text(), any::<bool>());
    let inner = (prop::collection::vec(provider, 0..3), 0..3_usize);
    let teamspaces = prop::collection::vec((a_text(), prop::option::of(0..9_i64), inner), 0..3);
    (clients, resources, teamspaces).prop_map(|(clients, resources, teamspaces)| {
        let mut all = Vec::new();
        for (n, (slug_name, limit, (providers, members))) in teamspaces.into_iter().enumerate() {
            let slug = format!("s{n}");
            let mut fields = teamspace(&slug, &[]).fields;
            fields.extend([("name".into(), slug_name.into()), ("member_limit".into(), json!(limit))]);
            all.push(FoundObject { kind: ObjectKind::Teamspace, within: None, fields });
            for (p, (tenant, claim, enabled)) in providers.into_iter().enumerate() {
                let fields = json!({ "id": p.to_string(), "name": format!("P {p}"), "provider": "oidc", "issuer": format!("https://{p}"),
                    "tenant": tenant, "scope": "a b", "groups_claim": claim, "enabled": enabled,
                    "custom_claims": [claim.clone() + "1", { "name": claim, "type": "long" }] });
                all.push(found(ObjectKind::Provider, Some(&slug), fields));
            }
            for m in 0..members {
                let fields = json!({ "id": m.to_string(), "email": format!("{m}@a.example"), "role": "owner",
                    "provisioned_by": "invitation", "status": "active" });
                all.push(found(ObjectKind::Member, Some(&slug), fields));
            }
        }
        for (n, (id, name, groups, enabled)) in clients.into_iter().enumerate() {
            let fields = json!({ "client_id": format!("{n}{id}"), "client_name": name, "groups": groups, "enabled": enabled,
                "token_endpoint_auth_method": "client_secret_post", "grant_types": ["x"],
                "dpop_bound_access_tokens": n % 2 == 0 });
            all.push(found(ObjectKind::Client, None, fields));
        }
        for (n, (name, description, offered, credentials)) in resources.into_iter().enumerate() {
            let fields = json!({ "id": n.to_string(), "identifier": format!("https://{n}.example/a?b={n}"), "name": name,
                "scopes": [{ "name": "s", "description": description }], "default_scopes": ["s"],
                "teamspaces": offered, "required_scopes": ["s"], "forward_auth_credentials": n % 2 == 0,
                "tool_policies": n % 3 == 0, "dpop_bound_access_tokens": n % 2 == 1 });
            let resource = found(ObjectKind::Resource, None, fields);
            for (m, (kid, has_address)) in credentials.into_iter().enumerate() {
                let (jwks, uri) = (json!({ "keys": [{ "kid": kid, "key_ops": [kid] }] }), format!("https://{m}.example"));
                let fields = match has_address {
                    true => json!({ "client_id": format!("r{n}{m}"), "jwks": null, "jwks_uri": uri }),
                    false => json!({ "client_id": format!("r{n}{m}"), "jwks": jwks, "jwks_uri": null }),
                };
                all.push(found(ObjectKind::Credential, Some(&resource.comparable_name()), fields));
            }
            all.push(resource);
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What is exported is read back as it was, in every language: applying it changes nothing, with and without
    /// pruning.
    #[test]
    fn an_export_is_read_back_as_it_was(there in objects()) {
        for (name, format) in [("a.yaml", ExportFormat::Yaml), ("a.toml", ExportFormat::Toml), ("a.json", ExportFormat::Json)] {
            let text = written(&there, &ObjectKind::ALL, format);
            let manifest = read(&[file(name, &text)]).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
            let plan = plan(&manifest, &there, &HashSet::new(), true).unwrap();
            prop_assert!(plan.groups.is_empty(), "{plan:?}\n{text}");
            prop_assert_eq!(plan.same, there.len());
        }
    }

    /// Once a plan is carried out, the next one is empty. The service is played by applying each step's fields.
    #[test]
    fn after_a_plan_is_carried_out_nothing_is_left(declared in objects(), there in objects(), prune in any::<bool>()) {
        let text = written(&declared, &ObjectKind::ALL, ExportFormat::Json);
        let text = text.replace("\"client_name\"", "\"client_secret_env\": \"X\", \"client_name\"");
        let manifest = read(&[file("a.json", &text)]).unwrap();
        let first = plan(&manifest, &there, &HashSet::new(), prune).unwrap();
        let after = carried_out(&first, there);
        let secrets = declared.iter().map(|object| object.name().to_owned()).collect();
        let second = plan(&manifest, &after, &secrets, prune).unwrap();
        prop_assert!(second.groups.is_empty(), "{second:?}");
    }
}

fn carried_out(plan: &ChangePlan, mut objects: Vec<FoundObject>) -> Vec<FoundObject> {
    for step in plan.steps() {
        let (kind, within) = (step.kind, step.within.clone());
        match &step.action {
            StepAction::Create(fields) => {
                let mut fields: Map<String, Value> = fields.clone();
                fields.entry("id").or_insert_with(|| step.name.clone().into());
                fields.insert("provisioned_by".into(), "invitation".into());
                objects.push(FoundObject { kind, within, fields });
            }
            StepAction::Change(updates) => {
                let is_it = |object: &&mut FoundObject| {
                    object.kind == kind && object.within == within && object.id() == step.id
                };
                let object = objects.iter_mut().find(is_it).unwrap();
                object.fields.extend(updates.iter().map(|u| (u.field.to_owned(), u.new.clone())));
            }
            StepAction::Delete => {
                let is_it = |object: &FoundObject| {
                    object.kind == kind && object.within == within && object.id() == step.id
                };
                let went_along = |object: &FoundObject| {
                    object.kind.within() == Some(kind) && object.within == Some(kind.comparable(&step.name))
                };
                objects.retain(|object| !is_it(object) && !went_along(object));
            }
        }
    }
    objects
}
