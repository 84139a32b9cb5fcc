//! The shipped policies and their invariants.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr as _;

use cedar_policy::{Effect, PolicySet};
use countersign::policy::ConsoleAction;
use serde_json::Value;
use tempfile::TempDir;

use super::{prove, root};

const INVARIANTS: [(&str, &str); 14] = [
    ("authorized-details.cedar", "GrantDetail"),
    ("authorized-scopes.cedar", "GrantScope"),
    ("enterprise-plan.cedar", "ConfigureIssuer"),
    ("enterprise-plan.cedar", "TrustIssuer"),
    ("inactive-members.cedar", "AdmitMember"),
    ("org-issuer.cedar", "ConfigureIssuer"),
    ("org-issuer.cedar", "TrustIssuer"),
    ("own-issuer.cedar", "TrustIssuer"),
    ("provisioning.cedar", "ProvisionMember"),
    ("published-resource.cedar", "GrantResource"),
    ("tools.cedar", "CallTool"),
    ("tools.cedar", "ListTools"),
    ("unverified-email.cedar", "AdmitMember"),
    ("unverified-email.cedar", "ProvisionMember"),
];

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The shipped set with these policies taken out and this file added.
fn changed(without: &[&str], added: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar", "tools.cedar"] {
        let text = std::fs::read_to_string(root().join("policies").join(name)).unwrap();
        let kept = text
            .split_inclusive(";\n")
            .filter(|policy| !without.iter().any(|id| policy.contains(&format!("@id(\"{id}\")"))));
        std::fs::write(dir.path().join(name), kept.collect::<String>()).unwrap();
    }
    std::fs::write(dir.path().join("team.cedar"), added).unwrap();
    dir
}

#[test]
fn every_shipped_invariant_is_proved() {
    let proved = prove(Path::new("policies"), &["--format", "json"]);
    proved.ended(0, &[]);
    let proofs = proved.proofs();
    assert!(proofs.iter().all(|proof| word(proof, "outcome") == "proved"), "{proofs:?}");
    let of_kind = |kind: &str| proofs.iter().filter(|proof| word(proof, "kind") == kind).count();
    let invariants: BTreeSet<(&str, &str)> = proofs
        .iter()
        .filter(|proof| word(proof, "kind") == "invariant")
        .map(|proof| (word(proof, "subject"), word(proof, "action")))
        .collect();
    let console = ConsoleAction::ALL.map(|action| ("console.cedar", action.name()));
    assert_eq!(invariants, INVARIANTS.into_iter().chain(console).collect());
    // Each shipped policy; the invariants' own policies must not err either.
    // A forbid of an invariant must match something, or it would hold of anything.
    assert_eq!((of_kind("can_match"), of_kind("never_errors")), (23 + 12, 23 + 19));
}

/// The one example that permits takes back one invariant, as it says, and no other.
#[test]
fn newcomers_without_an_email_break_one_invariant() {
    let text = std::fs::read_to_string(root().join("policies/examples/members-without-email.cedar")).unwrap();
    let broken = [["provisioning.cedar", "ProvisionMember", "globex.no-email", "provisioning.email"]];
    assert_eq!(refuted(&changed(&[], &text)), expected(&broken));
}

/// A forbid more only narrows, so with any of the examples the shipped set keeps what it keeps alone. Whether
/// a policy matches and errs is asked of it alone, so that all of them in one set are as good as each in its own.
#[test]
fn the_invariants_hold_with_the_examples_added() {
    let examples = std::fs::read_dir(root().join("policies/examples")).unwrap();
    let paths = examples.map(|entry| entry.unwrap().path());
    let texts: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "cedar"))
        .filter(|path| !path.ends_with("members-without-email.cedar"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(texts.len(), 16);
    let added = PolicySet::from_str(&texts.concat()).unwrap();
    assert!(added.policies().all(|policy| policy.effect() == Effect::Forbid));
    let dir = changed(&[], &texts.concat());
    prove(dir.path(), &["--proofs", "policies/proofs"]).ended(0, &[" 0 refuted, 0 undecided"]);
}

/// Which invariants are refuted for which action, by which policy, against which statement.
fn refuted(dir: &TempDir) -> BTreeSet<(String, String, String, String)> {
    let proved = prove(dir.path(), &["--proofs", "policies/proofs", "--format", "json"]);
    proved.ended(1, &[]);
    let mut refuted = BTreeSet::new();
    for proof in proved.proofs().iter().filter(|proof| word(proof, "outcome") == "refuted") {
        assert_eq!(word(proof, "kind"), "invariant", "{proof}");
        assert!(word(&proof["case"], "action").contains(word(proof, "action")), "{proof}");
        for statement in proof["broken"].as_array().unwrap() {
            assert!(word(proof, "claim").contains(word(statement, "message")));
            refuted.insert((
                word(proof, "subject").to_owned(),
                word(proof, "action").to_owned(),
                word(&proof["policies"][0], "id").to_owned(),
                word(statement, "id").to_owned(),
            ));
        }
    }
    refuted
}

fn expected(rows: &[[&str; 4]]) -> BTreeSet<(String, String, String, String)> {
    let row = |[a, b, c, d]: &[&str; 4]| (a.to_string(), b.to_string(), c.to_string(), d.to_string());
    rows.iter().map(row).collect()
}

#[test]
fn an_invariant_is_refuted_when_a_requirement_is_dropped() {
    let dropped = [
        "issuer.enterprise-plan",
        "issuer.okta-custom-server",
        "member.seat-limit",
        "member.email-unverified",
        "member.invitation-unverified",
    ];
    let unnamed = "@id(\"team.any-server\") @otherwise(\"x\")
        permit (principal, action == Action::\"GrantResource\", resource) when { resource.published };
        @id(\"team.any-tool\") @otherwise(\"x\")
        permit (principal, action == Action::\"CallTool\", resource);";
    assert_eq!(
        refuted(&changed(&dropped, unnamed)),
        expected(&[
            ["enterprise-plan.cedar", "ConfigureIssuer", "issuer.configure", "enterprise-plan"],
            ["enterprise-plan.cedar", "TrustIssuer", "issuer.own", "enterprise-plan"],
            ["org-issuer.cedar", "ConfigureIssuer", "issuer.configure", "org-issuer"],
            ["org-issuer.cedar", "TrustIssuer", "issuer.own", "org-issuer"],
            ["provisioning.cedar", "ProvisionMember", "member.provision", "provisioning.seats"],
            ["published-resource.cedar", "GrantResource", "team.any-server", "named-resource"],
            ["tools.cedar", "CallTool", "team.any-tool", "tools.no-scope"],
            ["unverified-email.cedar", "AdmitMember", "member.admit", "unverified-email.link"],
            ["unverified-email.cedar", "ProvisionMember", "member.provision", "unverified-email.provision"],
        ])
    );
}

#[test]
fn an_invariant_is_refuted_when_a_permit_goes_beyond_it() {
    let wrong = r#"
        @id("team.partner") @otherwise("x")
        permit (principal == Issuer::"https://partner.example", action == Action::"TrustIssuer", resource);
        @id("team.no-email") @otherwise("x")
        permit (principal, action == Action::"ProvisionMember", resource in Teamspace::"acme");
        @id("team.suspended") @otherwise("x")
        permit (principal, action == Action::"AdmitMember", resource)
        when { context.status == MemberStatus::"suspended" };
        @id("team.any-scope") @otherwise("x")
        permit (principal, action == Action::"GrantScope", resource) when { resource.name like "docs.*" };
        @id("team.unpublished") @otherwise("x")
        permit (principal, action == Action::"GrantResource", resource)
        when { context.claims.resources.contains(resource) };"#;
    assert_eq!(
        refuted(&changed(&[], wrong)),
        expected(&[
            ["authorized-scopes.cedar", "GrantScope", "team.any-scope", "authorized-scopes.claim"],
            ["authorized-scopes.cedar", "GrantScope", "team.any-scope", "authorized-scopes.default"],
            ["authorized-scopes.cedar", "GrantScope", "team.any-scope", "authorized-scopes.setting"],
            ["inactive-members.cedar", "AdmitMember", "team.suspended", "inactive-members"],
            ["own-issuer.cedar", "TrustIssuer", "team.partner", "own-issuer"],
            ["provisioning.cedar", "ProvisionMember", "team.no-email", "provisioning.email"],
            ["published-resource.cedar", "GrantResource", "team.unpublished", "published-resource"],
        ])
    );
}
