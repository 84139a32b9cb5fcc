//! Rules that cannot work say so: what Cedar's validator lets pass, and what it says too much about.

use std::path::Path;

use countersign::policy::authoring::check::check;
use countersign::policy::validate::vocabulary::SHIPPED;
use countersign::policy::{PolicyProblem, PolicySource, Rule};

use crate::files::with;

const PERMIT: &str =
    "@id(\"p\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\", resource)";
const ABOUT: &str = "@id(\"f\") @reason(\"r\") @error(\"access_denied\") @message(\"m\")";

fn problems_of(content: &str, schema: &str) -> Vec<PolicyProblem> {
    let dir = with(&[("x.cedar", content), ("schema", schema)]);
    let problems = check(dir.path(), dir.path().join("schema")).problems;
    let other = |problem: &PolicyProblem| !matches!(problem.rule, Rule::Format | Rule::SchemaDiffers);
    problems.into_iter().filter(other).collect()
}

fn problems(content: &str) -> Vec<PolicyProblem> {
    problems_of(content, SHIPPED)
}

/// The only problem: its rule, what it spans and what to do.
fn only(content: &str) -> (&'static str, String, String, String) {
    let mut found = problems(content);
    assert_eq!(found.len(), 1, "{content}: {found:?}");
    let problem = found.remove(0);
    let spanned = content[problem.place.unwrap().span].to_owned();
    (problem.rule.name(), spanned, problem.message, problem.help.unwrap_or_default())
}

fn forbid(head: &str, rest: &str) -> String {
    format!("{ABOUT}\nforbid ({head})\n{rest};\n")
}

fn scope(rest: &str) -> String {
    forbid("principal, action == Action::\"GrantScope\", resource", rest)
}

#[test]
fn a_misspelt_has_is_an_error_with_its_place() {
    for (condition, name, told, help) in [
        (
            "context.claims has emial && context.claims.emial == \"x\" || true",
            "emial",
            "`context.claims`",
            "did you mean `email`?",
        ),
        ("context.claims has \"emial\" || true", "\"emial\"", "`context.claims`", "did you mean `email`?"),
        ("context has claims.emial || true", "emial", "`context.claims`", "did you mean `email`?"),
        ("context has clams.email || true", "clams", "`context`", "did you mean `claims`?"),
        (
            "resource.teamspace has scope_seting || true",
            "scope_seting",
            "`resource.teamspace`",
            "`scope_setting`",
        ),
        (
            "context.client has secret || true",
            "secret",
            "`context.client`",
            "it can have: auth_method, document_host, public",
        ),
        ("principal has email || true", "email", "`principal`", "it has no attributes at all"),
        ("context has seats_limit || true", "seats_limit", "`context`", "it can have: claims, client"),
        ("Teamspace::\"acme\" has isuer || true", "isuer", "nothing has", "did you mean `issuer`?"),
        ("(if true then resource else resource) has nmae || true", "nmae", "nothing has", "`name`"),
    ] {
        let (rule, spanned, message, advice) = only(&format!("{PERMIT}\nwhen {{ {condition} }};\n"));
        assert_eq!((rule, spanned.as_str()), ("lint/attribute-unknown", name), "{message}");
        assert!(message.contains(told) && advice.contains(help), "{message}; {advice}");
    }
}

#[test]
fn each_misspelt_has_is_told_where_it_stands() {
    let rest = "when { context.claims has email && context.claims has emial || true }\nunless { context.claims has emial };";
    let content = format!("{PERMIT}\n{rest}\n");
    let places: Vec<usize> =
        problems(&content).into_iter().map(|problem| problem.place.unwrap().line).collect();
    assert_eq!(places, [2, 3]);
    // One that is the whole condition is no second problem.
    let (rule, ..) = only(&format!("{PERMIT}\nwhen {{ context.claims has emial }};\n"));
    assert_eq!(rule, "lint/attribute-unknown");
}

#[test]
fn what_some_question_has_may_be_asked_of_all() {
    for condition in [
        "context has seats_limit || true",
        "resource has issuer || true",
        "context.claims has email_domain || true",
        "context has claims.email || true",
        "context has \"claims\" || true",
        "context.client has auth_method || true",
    ] {
        let policy = format!(
            "@id(\"p\") @otherwise(\"x\") permit (principal is User, action, resource)\nwhen {{ {condition} }};\n"
        );
        assert_eq!(problems(&policy).len(), 0, "{condition}");
    }
}

#[test]
fn a_set_that_asks_in_vain_is_not_loaded() {
    let dir = with(&[("x.cedar", format!("{PERMIT} when {{ context.claims has emial || true }};"))]);
    let source = PolicySource::read(dir.path(), Path::new("schema/countersign.cedarschema")).unwrap();
    let problems = source.validate().unwrap_err().0;
    assert_eq!(problems[0].rule, Rule::AttributeUnknown);
    // It may have been in force, and then what it decided is still explained.
    let kept = PolicySource::from_content(&source.content()).unwrap();
    assert_eq!(kept.validate().unwrap().hash, source.past().validate().unwrap().hash);
}

#[test]
fn an_id_that_nothing_can_have_is_an_error_with_what_to_write() {
    for (entity, condition, help) in [
        ("Group::\"auditors\"", "principal in Group::\"auditors\"", "write Group::\"<teamspace>/auditors\""),
        ("Group::\"Acme/auditors\"", "principal in [Group::\"Acme/auditors\"]", "a teamspace's slug"),
        ("Group::\"acme/\"", "principal in Group::\"acme/\"", "after the /"),
        ("Teamspace::\"Acme Inc\"", "resource in Teamspace::\"Acme Inc\"", "write the slug"),
        ("User::\"dana\"", "principal == User::\"dana\"", "write User::\"<iss>|<tenant>|<sub>\""),
    ] {
        let (rule, spanned, message, advice) = only(&format!("{PERMIT}\nwhen {{ {condition} }};\n"));
        assert_eq!((rule, spanned.as_str()), ("lint/id-impossible", entity), "{message}");
        assert!(advice.contains(help), "{advice}");
    }
    let head = "@id(\"p\") @otherwise(\"x\") permit (principal in Group::\"staff\", action == Action::\"GrantScope\", resource);\n";
    assert_eq!(only(head).1, "Group::\"staff\"");
    let fine = "principal in Group::\"acme/a/b\" || principal == User::\"https://idp.example||dana\"";
    assert_eq!(problems(&format!("{PERMIT} when {{ {fine} }};")).len(), 0);
}

#[test]
fn a_forbid_that_can_never_match_is_an_error_and_says_why() {
    let server = "principal, action == Action::\"GrantResource\", resource";
    for (policy, why) in [
        (scope("when { false }"), "`false` never holds"),
        (scope("when { resource.default } unless { true }"), "`true` always holds"),
        (scope("when { resource.default && 1 == 2 }"), "`1 == 2` never holds"),
        (scope("when { principal is Issuer }"), "`principal is Issuer` never holds"),
        (forbid(server, "when { resource == Scope::\"x\" }"), "`resource == Scope::\"x\"` never holds"),
        (
            forbid("principal, action == Action::\"GrantResource\", resource == Scope::\"x\"", ""),
            "no question has such",
        ),
        (
            forbid("principal in Group::\"acme/x\", action == Action::\"TrustIssuer\", resource", ""),
            "no question has such",
        ),
        (
            forbid("principal is User, action == Action::\"GrantScope\", resource is McpServer", ""),
            "no question has such",
        ),
        (
            forbid(
                "principal, action == Action::\"TrustIssuer\", resource",
                "when { principal in Group::\"acme/x\" }",
            ),
            "`principal in Group::\"acme/x\"` never holds",
        ),
    ] {
        let (rule, _, message, _) = only(&policy);
        assert_eq!(rule, "lint/forbid-cannot-match", "{policy}");
        assert!(message.contains("it can forbid nothing: ") && message.contains(why), "{message}");
        let source = PolicySource::of(SHIPPED.to_owned(), vec![("x.cedar".into(), policy)]);
        assert!(source.validate().is_err());
    }
    // A permit that permits nothing lets nobody in, so that it stays a warning.
    let (rule, _, message, _) = only(&format!("{PERMIT}\nwhen {{ false }};\n"));
    assert_eq!(rule, "lint/cannot-match");
    assert!(message.contains("it can permit nothing: `false` never holds"), "{message}");
}

#[test]
fn names_in_any_script_are_fine() {
    for name in [
        "開発-team",
        "開発team",
        "Équipe – Paris",
        "E\u{301}quipe",
        "Бухгалтерия",
        "ομάδα",
        "القسم",
        "עיצוב",
        "팀 A",
        "チーム　東京",
        "विकास",
        "Łódź ⚙",
    ] {
        let policy = format!(
            "{PERMIT}\nwhen {{ principal in Group::\"acme/{name}\" && resource.name like \"{name}*\" }};\n"
        );
        assert_eq!(problems(&policy).len(), 0, "{name}: {:?}", problems(&policy));
    }
    // Texts for people may have any blank.
    let message =
        scope("when { resource.default }").replace("\"m\"", "\"Accès refusé\u{a0}: demandez à l’équipe\"");
    assert_eq!(problems(&message).len(), 0);
}

#[test]
fn what_looks_like_something_else_is_told_and_can_be_written_out() {
    for (name, escaped) in [
        ("\u{430}dmin", "\\u{430}dmin"),
        ("\u{441}\u{43e}\u{440}", "\\u{441}\\u{43e}\\u{440}"),
        ("ad\u{200b}min", "ad\\u{200b}min"),
        ("\u{202e}nimda", "\\u{202e}nimda"),
        ("docs\u{a0}team", "docs\\u{a0}team"),
        ("a\u{ad}b", "a\\u{ad}b"),
    ] {
        let policy = |name: &str| format!("{PERMIT}\nwhen {{ principal in Group::\"acme/{name}\" }};\n");
        let (rule, spanned, _, help) = only(&policy(name));
        assert_eq!((rule, spanned), ("lint/confusable-text", format!("\"acme/{name}\"")));
        assert!(help.contains("write \\u{"), "{help}");
        assert_eq!(problems(&policy(escaped)).len(), 0, "{escaped}");
    }
    // A comment that turns its line around shows a reader another policy than it is.
    let (rule, ..) = only(&format!("// \u{202e}tod\n{PERMIT};\n"));
    assert_eq!(rule, "lint/confusable-text");
    assert_eq!(problems(&format!("// Бухгалтерия, аdmin\n{PERMIT};\n")).len(), 0);
}

/// The claims that let through when they are left out.
fn escapes(content: &str) -> Vec<String> {
    // Groups are optional.
    let schema = match SHIPPED.contains("groups?") {
        true => SHIPPED.to_owned(),
        false => {
            SHIPPED.replace("  resources: Set<McpServer>,", "  resources: Set<McpServer>,\n groups?: {},")
        }
    };
    let found = problems_of(content, &schema);
    let claim = |problem: PolicyProblem| {
        assert_eq!(problem.rule, Rule::AbsentClaim, "{problem}");
        problem.message.split('`').nth(1).unwrap().to_owned()
    };
    found.into_iter().map(claim).collect()
}

#[test]
fn a_forbid_that_an_absent_claim_switches_off_is_told() {
    let group = "principal in Group::\"acme/blocked\", action == Action::\"GrantScope\", resource";
    for (policy, claims) in [
        (scope("when { context.claims has acr && context.claims.acr == \"1\" }"), &["acr"][..]),
        (scope("when { context has claims.acr && context.claims.acr == \"1\" }"), &["acr"]),
        (scope("when { context.claims has email && context.claims has tenant }"), &["email", "tenant"]),
        (scope("when { resource.default } when { context.claims has acr }"), &["acr"]),
        (scope("unless { !(context.claims has acr) }"), &["acr"]),
        (scope("unless { if context.claims has acr then context.claims.acr == \"2\" else true }"), &["acr"]),
        (scope("when { if context.claims has acr then resource.default else false }"), &["acr"]),
        (scope("when { principal in Group::\"acme/blocked\" }"), &["groups"]),
        (scope("when { principal is User in Group::\"acme/blocked\" }"), &["groups"]),
        (forbid(group, ""), &["groups"]),
        // A condition that must hold, instead of one that must not.
        (scope("unless { context.claims has acr && context.claims.acr == \"2\" }"), &[]),
        (
            scope(
                "when { resource.default } unless { context.claims has acr && context.claims.acr == \"2\" }",
            ),
            &[],
        ),
        (scope("when { if context.claims has acr then context.claims.acr == \"1\" else true }"), &[]),
        (scope("when { resource.default || context.claims has acr }"), &[]),
        (scope("unless { principal in Group::\"acme/editors\" }"), &[]),
        (scope("unless { context.claims has groups && !(principal in Group::\"acme/blocked\") }"), &[]),
        // Facts that are set here, and not left out by anybody.
        (scope("when { resource.teamspace has scope_setting && resource.default }"), &[]),
    ] {
        assert_eq!(escapes(&policy), claims, "{policy}");
    }
    let (_, _, _, help) = only(&scope("when { context.claims has acr }"));
    assert!(
        help.contains("unless { context.claims has acr && … }") && help.contains("@allow_absent(\"acr\")")
    );
}

#[test]
fn what_is_refused_in_another_way_needs_no_warning() {
    let narrow =
        scope("when { resource.name == \"w\" && context.claims has acr && context.claims.acr == \"1\" }");
    let beside = |policy: &str| escapes(&format!("{narrow}{}", policy.replace("\"f\"", "\"g\"")));
    // Another forbid stops those without the claim.
    assert!(beside(&scope("unless { context.claims has acr }")).is_empty());
    assert!(beside(&scope("when { resource.name == \"w\" && !(context.claims has acr) }")).is_empty());
    assert!(
        beside(&forbid(
            "principal is User, action in Action::\"grant\", resource",
            "unless { context.claims has acr }"
        ))
        .is_empty()
    );
    // Nothing is permitted without it.
    let permit = "@id(\"p\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\", resource) when { context.claims has acr };";
    assert!(beside(permit).is_empty());
    // These do not reach as far.
    for other in [
        scope("when { resource.name == \"r\" && !(context.claims has acr) }"),
        forbid(
            "principal, action == Action::\"GrantResource\", resource",
            "unless { context.claims has acr }",
        ),
        forbid(
            "principal, action == Action::\"GrantScope\", resource in Teamspace::\"acme\"",
            "unless { context.claims has acr }",
        ),
        format!(
            "{permit}{}",
            permit.replace("\"p\"", "\"q\"").replace("when { context.claims has acr }", "")
        ),
    ] {
        assert_eq!(beside(&other), ["acr"], "{other}");
    }
}

#[test]
fn what_is_meant_is_said_by_an_annotation() {
    let policy = |annotation: &str, claim: &str| {
        scope(&format!("when {{ context.claims has {claim} }}"))
            .replace("forbid", &format!("{annotation} forbid"))
    };
    assert_eq!(problems(&policy("@allow_absent(\"acr\")", "acr")).len(), 0);
    assert_eq!(
        problems(&policy(
            "@allow_absent(\"email_verified acr\")",
            "acr && context.claims has email_verified"
        ))
        .len(),
        0
    );
    for (annotation, help) in [
        ("@allow_absent(\"arc\")", "did you mean `acr`?"),
        ("@alow_absent(\"acr\")", "did you mean @allow_absent?"),
    ] {
        let found = problems(&policy(annotation, "acr"));
        let wrong = found.iter().find(|problem| problem.rule == Rule::AnnotationUnknown).unwrap();
        assert!(wrong.help.as_ref().unwrap().contains(help), "{wrong}");
        assert!(found.iter().any(|problem| problem.rule == Rule::AbsentClaim));
    }
    let in_vain =
        scope("unless { context.claims has acr }").replace("forbid", "@allow_absent(\"acr\") forbid");
    assert_eq!(only(&in_vain).0, "lint/annotation-unknown");
    let on_permit = format!("@allow_absent(\"acr\") {PERMIT};");
    assert_eq!(only(&on_permit).0, "lint/annotation-unknown");
}

#[test]
fn only_a_near_name_is_suggested_and_no_internal_one_shown() {
    for (condition, told, help) in [
        ("context.claims.foo == 1", "`claims.foo`", "`countersign policy schema` shows what there is"),
        ("context.claims.emial == \"x\"", "`claims.emial`", "did you mean `email`?"),
        ("principal in 7", "expected Set<an entity>, or an entity but saw Long", ""),
        ("context.now has foo", "expected an entity, or a record but saw", ""),
    ] {
        let (rule, _, message, advice) = only(&format!("{PERMIT}\nwhen {{ {condition} }};\n"));
        assert_eq!(rule, "type");
        assert!(message.contains(told) && advice.contains(help), "{message}; {advice}");
        assert!(!message.contains("__cedar"), "{message}");
    }
}

#[test]
fn a_lifetime_that_would_do_nothing_is_an_error() {
    let permit = |annotation: &str, action: &str| {
        format!("@id(\"p\") @otherwise(\"x\") {annotation}\npermit (principal, action{action}, resource);\n")
    };
    let grant = " in Action::\"grant\"";
    for good in ["1s", "15m", "1h", "90s"] {
        let found = problems(&permit(&format!("@lifetime(\"{good}\")"), grant));
        assert!(found.is_empty(), "{good}: {found:?}");
    }
    for bad in ["0s", "61m", "15", "soon", "-5m", "", "1.5s"] {
        let (rule, _, message, help) = only(&permit(&format!("@lifetime(\"{bad}\")"), grant));
        assert_eq!(rule, "lint/lifetime", "{bad}");
        assert!(message.contains("is no duration of 1s to 1h") && help.contains("15m"), "{message} {help}");
    }
    for action in ["", " == Action::\"AdmitMember\"", " in [Action::\"grant\", Action::\"member\"]"] {
        let (rule, _, message, help) = only(&permit("@lifetime(\"5m\")", action));
        assert_eq!(rule, "lint/lifetime", "{action}");
        assert!(
            message.contains("for GrantResource, GrantScope and GrantDetail only") && help.contains("grant"),
            "{message}"
        );
    }
    let (rule, _, message, _) = only(&format!("@lifetime(\"5m\")\n{}", scope("when { context.key_bound }")));
    assert_eq!((rule, message.contains("on a permit only")), ("lint/lifetime", true), "{message}");
    let (rule, _, _, help) = only(&permit("@lifetim(\"5m\")", grant));
    assert_eq!((rule, help.as_str()), ("lint/annotation-unknown", "did you mean @lifetime?"));
}
