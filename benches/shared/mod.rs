//! The policies and facts that the benchmarks decide on.

use countersign::model::member::{Role, Status};
use countersign::oauth::scope::Candidates;
use countersign::policy::authoring::example::maximal;
use countersign::policy::facts::{ClaimFacts, Facts, MemberFacts};

/// The scopes that are asked for.
pub fn scopes() -> Vec<String> {
    ["docs.read", "docs.search", "docs.write"].map(str::to_owned).to_vec()
}

/// A member whose identity provider says no more than it must.
pub fn facts() -> Facts {
    let mut facts = Facts {
        member: MemberFacts::Present {
            status: Status::Active,
            linking: false,
            email_domain: Some("acme.com".to_owned()),
            role: Some(Role::Developer),
        },
        candidates: Candidates { scopes: scopes(), ..Candidates::default() },
        key_bound: false,
        client_address: None,
        ..maximal()
    };
    let known = std::mem::take(&mut facts.claims);
    facts.claims = ClaimFacts {
        iss: known.iss,
        sub: known.sub,
        email: known.email,
        scopes: Some(scopes()),
        resources: known.resources,
        ..ClaimFacts::default()
    };
    facts.teamspace.scope_setting = None;
    facts.client.groups.clear();
    facts
}
