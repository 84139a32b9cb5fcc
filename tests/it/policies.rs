//! Policies: loading with every problem told, the shipped set, and facts that fit the schema.

use std::path::Path;

use cedar_policy::{EntityUid, Request, Schema};
use countersign::exchange::error::{ErrorCode, Reason};
use countersign::exchange::scope::Candidates;
use countersign::policy::facts::{
    ClaimFacts, ClientFacts, ConfigurationFacts, Facts, MemberFacts, ResourceFacts, TeamspaceFacts,
    action_uid, to_context,
};
use countersign::policy::{Policies, PolicySource, decide, decide_configuration};
use countersign::store::clients::AuthMethod;
use countersign::store::members::Status;
use countersign::store::teamspaces::Plan;
use proptest::prelude::*;
use tempfile::TempDir;

const SCHEMA: &str = "schema/countersign.cedarschema";

fn load(dir: &Path) -> Result<Policies, String> {
    PolicySource::read(dir, Path::new(SCHEMA))
        .and_then(|source| source.compile(0))
        .map_err(|error| error.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn shipped() -> Policies {
    load(Path::new("policies")).unwrap()
}

fn with(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn the_shipped_sets_are_valid_strictly() {
    assert_eq!(shipped().files.len(), 3);
    load(Path::new("policies/examples")).unwrap();
}

/// Rule 18: every kind of broken set is refused, naming the file and the place.
#[test]
fn broken_sets_are_refused_with_file_and_place() {
    let good = "@id(\"a\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\", resource)";
    for (name, text, expected) in [
        ("syntax", "permit (principal, action resource);", "unexpected token"),
        ("attribute", &format!("{good} when {{ context.claims.emial == \"x\" }};") as &str, "emial"),
        ("unguarded", &format!("{good} when {{ context.claims.email == \"x\" }};"), "email"),
        ("type", &format!("{good} when {{ resource.name == 7 }};"), "compatible"),
        (
            "plan",
            &format!("{good} when {{ resource.teamspace.plan == Plan::\"enterprize\" }};"),
            "enterprize",
        ),
        ("no-id", "permit (principal, action == Action::\"GrantScope\", resource);", "no @id"),
        (
            "no-reason",
            "@id(\"a\") forbid (principal, action == Action::\"GrantScope\", resource);",
            "no @reason",
        ),
        (
            "no-otherwise",
            "@id(\"a\") permit (principal, action == Action::\"GrantScope\", resource);",
            "no @otherwise",
        ),
        ("error", &format!("@error(\"invalid_client\") {good};"), "invalid_client"),
        ("case", "@id(\"a\") @otherwise(\"Not Snake\") permit (principal, action, resource);", "snake_case"),
        ("twice", &format!("{good};{good};"), "used twice"),
        (
            "template",
            "@id(\"a\") @otherwise(\"x\") permit (principal == ?principal, action, resource);",
            "templates",
        ),
    ] {
        let dir = with(&[("rules.cedar", text)]);
        let problems = load(dir.path()).unwrap_err();
        assert!(problems.contains(expected), "{name}: {problems}");
        assert!(problems.contains("rules.cedar"), "{name}: {problems}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let dir = with(&[("a.cedar", "permit ("), ("b.cedar", "forbid (")]);
    let problems = load(dir.path()).unwrap_err();
    assert!(problems.contains("a.cedar") && problems.contains("b.cedar"), "{problems}");
}

#[test]
fn unreadable_places_are_told() {
    assert!(load(Path::new("nowhere")).unwrap_err().contains("nowhere"));
    assert!(load(with(&[]).path()).unwrap_err().contains("no *.cedar file"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.cedar"), b"permit \xff").unwrap();
    assert!(load(dir.path()).unwrap_err().contains("not UTF-8 at byte 7"));
    std::fs::write(dir.path().join("x.cedar"), " ".repeat(1_048_577)).unwrap();
    assert!(load(dir.path()).unwrap_err().contains("limit"));
    std::fs::remove_file(dir.path().join("x.cedar")).unwrap();
    std::os::unix::fs::symlink("x.cedar", dir.path().join("x.cedar")).unwrap();
    assert!(load(dir.path()).unwrap_err().contains("x.cedar"));
}

/// The hash names the whole set: any change of any file or of the schema is another set.
#[test]
fn the_hash_follows_the_content() {
    let rule = "@id(\"a\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\", resource);";
    let (one, same) = (with(&[("r.cedar", rule)]), with(&[("r.cedar", rule)]));
    let (renamed, changed) =
        (with(&[("s.cedar", rule)]), with(&[("r.cedar", &rule.replace("\"x\"", "\"y\""))]));
    let hash = |dir: &TempDir| load(dir.path()).unwrap().hash;
    assert_eq!(hash(&one), hash(&same));
    assert_ne!(hash(&one), hash(&renamed));
    assert_ne!(hash(&one), hash(&changed));
}

fn dana() -> Facts {
    Facts {
        now: 1_795_348_800,
        teamspace: TeamspaceFacts {
            slug: "acme".into(),
            plan: Plan::Enterprise,
            issuer: Some("https://acme.okta.com".into()),
            scope_setting: None,
            email_domains: vec!["acme.com".into()],
        },
        client: ClientFacts {
            client_id: "c".into(),
            groups: vec![],
            public: false,
            auth_method: AuthMethod::Basic,
        },
        claims: ClaimFacts {
            iss: "https://acme.okta.com".into(),
            sub: "00u1".into(),
            email: Some("dana@acme.com".into()),
            scopes: Some(vec!["docs:read".into()]),
            resources: vec!["https://mcp.example.com/mcp".into()],
            ..ClaimFacts::default()
        },
        member: MemberFacts::Absent { seats_used: 10, seats_limit: Some(100) },
        resource: ResourceFacts {
            identifier: "https://mcp.example.com/mcp".into(),
            published: true,
            default_scopes: vec![],
        },
        candidates: Candidates { scopes: vec!["docs:read".into()], ..Candidates::default() },
        key_bound: false,
    }
}

/// What a change to Dana's facts leads to: the scopes, or the wire code and all reasons.
fn decided(
    policies: &Policies,
    change: impl FnOnce(&mut Facts),
) -> Result<Vec<String>, (ErrorCode, Vec<Reason>)> {
    let mut facts = dana();
    change(&mut facts);
    let decision = decide(&policies.compiled, &facts);
    decision.outcome.map(|p| p.scopes().to_vec()).map_err(|denial| (denial.error, denial.reasons))
}

fn refused(error: ErrorCode, reasons: &[&str]) -> Result<Vec<String>, (ErrorCode, Vec<Reason>)> {
    Err((error, reasons.iter().map(|reason| Reason::of_policy(*reason)).collect()))
}

/// Every row of the shipped policies, at the level of facts.
#[test]
fn the_shipped_policies_decide_every_row() {
    use ErrorCode::{AccessDenied, InvalidGrant, InvalidTarget};
    let p = shipped();
    assert_eq!(decided(&p, |_| {}), Ok(vec!["docs:read".into()]));
    let other = decided(&p, |f| f.claims.iss = "https://evil.okta.com".into());
    assert_eq!(other, refused(InvalidGrant, &["issuer_not_configured"]));
    let none = decided(&p, |f| f.teamspace.issuer = None);
    assert_eq!(none, refused(InvalidGrant, &["issuer_not_configured"]));
    for issuer in ["https://acme.okta.com/oauth2/default", "https://acme.okta.com/oauth2"] {
        let custom =
            decided(&p, |f| (f.claims.iss, f.teamspace.issuer) = (issuer.into(), Some(issuer.into())));
        assert_eq!(custom, refused(AccessDenied, &["custom_authorization_server"]));
    }
    assert_eq!(
        decided(&p, |f| f.teamspace.plan = Plan::Pro),
        refused(AccessDenied, &["plan_not_enterprise"])
    );
    let full = |f: &mut Facts| f.member = MemberFacts::Absent { seats_used: 100, seats_limit: Some(100) };
    assert_eq!(decided(&p, full), refused(AccessDenied, &["member_limit_reached"]));
    let unlimited =
        |f: &mut Facts| f.member = MemberFacts::Absent { seats_used: i64::MAX, seats_limit: None };
    assert!(decided(&p, unlimited).is_ok());
    let bare = decided(&p, |f| (full(f), f.claims.email = None).1);
    let reasons = ["email_missing", "email_domain_not_allowed", "member_limit_reached"];
    assert_eq!(bare, refused(InvalidGrant, &reasons));
    let unverified = decided(&p, |f| f.claims.email_verified = Some(false));
    assert_eq!(unverified, refused(InvalidGrant, &["email_unverified"]));
    let unpublished = decided(&p, |f| f.resource.published = false);
    assert_eq!(unpublished, refused(InvalidTarget, &["resource_not_allowed"]));
    let unnamed = decided(&p, |f| f.claims.resources = vec!["https://other".into()]);
    assert_eq!(unnamed, refused(InvalidTarget, &["resource_not_allowed"]));
    assert!(decided(&p, |f| f.claims.resources.clear()).is_ok());
}

#[test]
fn the_shipped_policies_admit_members_by_status() {
    use ErrorCode::{AccessDenied, InvalidGrant};
    let p = shipped();
    let member = |status, linking| MemberFacts::Present { status, linking };
    for (status, admitted) in [
        (Status::Active, true),
        (Status::Invited, true),
        (Status::Suspended, false),
        (Status::Removed, false),
    ] {
        let outcome = decided(&p, |f| f.member = member(status, false));
        assert_eq!(outcome.is_ok(), admitted, "{status:?}: {outcome:?}");
        if !admitted {
            assert_eq!(outcome, refused(AccessDenied, &["member_inactive"]));
        }
    }
    let linked = |change: fn(&mut Facts)| {
        decided(&p, |f| {
            f.member = member(Status::Invited, true);
            change(f);
        })
    };
    assert!(linked(|_| {}).is_ok());
    assert_eq!(
        linked(|f| f.claims.email_verified = Some(false)),
        refused(InvalidGrant, &["email_unverified"])
    );
    let foreign = linked(|f| f.claims.email = Some("x@other.com".into()));
    assert_eq!(foreign, refused(AccessDenied, &["email_domain_not_allowed"]));
}

#[test]
fn the_shipped_policies_choose_scopes() {
    let p = shipped();
    let both = || vec!["docs:read".to_owned(), "docs:write".to_owned()];
    let read = || Ok(vec!["docs:read".to_owned()]);
    assert_eq!(decided(&p, |f| f.candidates.scopes = both()), read());
    let setting = |f: &mut Facts| f.teamspace.scope_setting = Some(vec!["docs:read".into()]);
    assert_eq!(
        decided(&p, |f| (f.candidates.scopes = both(), f.claims.scopes = Some(both()), setting(f)).2),
        read()
    );
    let defaults = |f: &mut Facts| {
        f.candidates.scopes = both();
        f.claims.scopes = None;
        f.resource.default_scopes = vec!["docs:read".into()];
    };
    assert_eq!(decided(&p, defaults), read());
    // An empty claim is not an absent one: the defaults do not apply.
    let empty = decided(&p, |f| (defaults(f), f.claims.scopes = Some(vec![])).1);
    assert_eq!(empty, Ok(vec![]));
}

#[test]
fn the_issuer_is_decided_on_save_as_well() {
    let p = shipped();
    let save = |plan, issuer: &str| {
        let teamspace = TeamspaceFacts { plan, ..dana().teamspace };
        decide_configuration(&p.compiled, &ConfigurationFacts { now: 0, issuer: issuer.into(), teamspace })
            .1
            .map_err(|denial| denial.reasons)
    };
    assert_eq!(save(Plan::Enterprise, "https://new.okta.com"), Ok(()));
    assert_eq!(save(Plan::Free, "https://new.okta.com"), Err(vec![Reason::of_policy("plan_not_enterprise")]));
    let custom = save(Plan::Enterprise, "https://new.okta.com/oauth2/aus1");
    assert_eq!(custom, Err(vec![Reason::of_policy("custom_authorization_server")]));
}

/// The ready policy about who may save which issuer.
#[test]
fn issuers_can_be_reserved() {
    let mut files =
        vec![("reserve.cedar", std::fs::read_to_string("policies/examples/reserve-issuers.cedar").unwrap())];
    files.push(("issuer.cedar", std::fs::read_to_string("policies/issuer.cedar").unwrap()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let p = load(with(&files).path()).unwrap();
    let save = |slug: &str, issuer: &str, domains: &[&str]| {
        let email_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        let teamspace = TeamspaceFacts { slug: slug.into(), email_domains, ..dana().teamspace };
        decide_configuration(&p.compiled, &ConfigurationFacts { now: 0, issuer: issuer.into(), teamspace })
            .1
            .map_err(|denial| denial.reasons)
    };
    let acme = "https://acme.okta.com";
    assert_eq!(save("acme", acme, &["acme.com"]), Ok(()));
    assert_eq!(save("evil", acme, &["evil.com"]), Err(vec![Reason::of_policy("issuer_reserved")]));
    assert_eq!(save("evil", "https://evil.okta.com", &["evil.com"]), Ok(()));
    assert_eq!(save("acme", acme, &[]), Err(vec![Reason::of_policy("email_domains_missing")]));
}

/// Without a permit there is no way in, whatever the facts are.
#[test]
fn without_permits_everything_is_denied() {
    let dir = with(&[(
        "only.cedar",
        "@id(\"f\") @reason(\"r\") @error(\"access_denied\") @message(\"m\") forbid (principal, action, resource);",
    )]);
    let p = load(dir.path()).unwrap();
    assert_eq!(decided(&p, |_| {}), refused(ErrorCode::AccessDenied, &["r"]));
    let dir = with(&[(
        "other.cedar",
        "@id(\"p\") @otherwise(\"o\") permit (principal, action == Action::\"GrantScope\", resource);",
    )]);
    let p = load(dir.path()).unwrap();
    assert_eq!(decided(&p, |_| {}), refused(ErrorCode::AccessDenied, &["policy_denied"]));
}

/// A slice leaves out only policies that cannot match: rules scoped to another teamspace, server or scope.
#[test]
fn slices_keep_every_rule_that_can_match() {
    let rule = |resource: &str| {
        format!(
            "@id(\"deny\") @reason(\"hit\") @error(\"access_denied\") @message(\"m\")
             forbid (principal, action in [Action::\"grant\", Action::\"member\"], resource {resource});"
        )
    };
    let server = "McpServer::\"https://mcp.example.com/mcp\"";
    for (resource, hits) in [
        ("", true),
        ("in Teamspace::\"acme\"", true),
        ("== Teamspace::\"acme\"", true),
        (&format!("in {server}") as &str, true),
        (&format!("is Scope in {server}"), true),
        ("== Scope::\"docs:read\"", true),
        ("in Teamspace::\"globex\"", false),
        ("== Scope::\"docs:write\"", false),
    ] {
        let mut files = vec![("deny.cedar", rule(resource))];
        for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
            files.push((name, std::fs::read_to_string(format!("policies/{name}")).unwrap()));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let p = load(with(&files).path()).unwrap();
        let untouched = decided(&p, |_| {}) == Ok(vec!["docs:read".to_owned()]);
        assert_eq!(untouched, !hits, "{resource}");
    }
}

/// Facts are handed to Cedar without a check against the schema, because their types guarantee it: this
/// checks what they guarantee, for facts of every shape.
fn fits_the_schema(facts: &Facts) {
    let text = std::fs::read_to_string(SCHEMA).unwrap();
    let schema = Schema::from_cedarschema_str(&text).unwrap().0;
    let entities = facts.entities().unwrap();
    cedar_policy::Entities::from_entities(entities, Some(&schema)).unwrap();
    let ask = |principal: EntityUid, action: &str, resource: EntityUid, pairs| {
        let context = to_context(pairs).unwrap();
        Request::new(principal, action_uid(action), resource, context, Some(&schema)).unwrap();
    };
    let member = match facts.member {
        MemberFacts::Absent { .. } => "ProvisionMember",
        MemberFacts::Present { .. } => "AdmitMember",
    };
    ask(facts.issuer(), "TrustIssuer", facts.teamspace(), facts.context().unwrap());
    ask(facts.user(), member, facts.teamspace(), facts.member_context().unwrap());
    ask(facts.user(), "GrantResource", facts.server(), facts.context().unwrap());
    for scope in &facts.candidates.scopes {
        ask(facts.user(), "GrantScope", Facts::scope(scope), facts.context().unwrap());
    }
    let saved = ConfigurationFacts {
        now: facts.now,
        issuer: facts.claims.iss.clone(),
        teamspace: facts.teamspace.clone(),
    };
    ask(saved.issuer(), "ConfigureIssuer", saved.teamspace(), saved.context());
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let text = || proptest::option::of(".{0,12}");
    let texts = || proptest::collection::vec(".{1,8}", 0..3);
    let claims = (
        text(),
        text(),
        text(),
        proptest::option::of(any::<bool>()),
        texts(),
        text(),
        proptest::option::of(any::<i64>()),
        proptest::option::of(texts()),
        texts(),
        texts(),
    );
    let member = prop_oneof![
        (any::<i64>(), proptest::option::of(any::<i64>()))
            .prop_map(|(seats_used, seats_limit)| MemberFacts::Absent { seats_used, seats_limit }),
        any::<bool>().prop_map(|linking| MemberFacts::Present { status: Status::Invited, linking }),
    ];
    (".{0,12}", claims, member, proptest::option::of(texts()), texts(), texts()).prop_map(
        |(sub, claims, member, scope_setting, candidates, groups)| {
            let mut facts = dana();
            facts.claims.sub = sub;
            (facts.claims.tenant, facts.claims.aud_tenant, facts.claims.email) =
                (claims.0, claims.1, claims.2);
            (facts.claims.email_verified, facts.claims.amr, facts.claims.acr) =
                (claims.3, claims.4, claims.5);
            (facts.claims.auth_age, facts.claims.scopes) = (claims.6, claims.7);
            (facts.claims.resources, facts.claims.groups) = (claims.8, claims.9);
            (facts.member, facts.candidates.scopes) = (member, candidates);
            facts.teamspace.scope_setting = scope_setting;
            facts.client.groups = groups;
            facts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn facts_of_every_shape_fit_the_schema(facts in any_facts()) {
        fits_the_schema(&facts);
        // And whatever they say, deciding neither panics nor errs.
        let decision = decide(&shipped().compiled, &facts);
        prop_assert!(decision.rulings.iter().all(|r| r.reasons.iter().all(|reason| *reason != Reason::POLICY_ERROR)));
    }
}
