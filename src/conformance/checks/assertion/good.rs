//! Assertions that differ from the usual one, and must be accepted.

use serde_json::json;

use super::{AssertionCase, case, own};
use crate::conformance::draft::AssertionSigner;

/// Each with one difference.
pub const GOOD: &[AssertionCase] = &[
    own("JAG-01", "typ with the prefix application/", |draft| {
        draft.member("typ", "application/oauth-id-jag+jwt");
    }),
    own("JAG-01", "typ in capitals", |draft| draft.member("typ", "OAUTH-ID-JAG+JWT")),
    case("JAG-07", "aud in an array of one", |draft| draft.claim("aud", json!([draft.facts.audience]))),
    own("JAG-10", "exp with a fraction", |draft| {
        draft.claim("exp", json!((draft.facts.now + 299) as f64 + 0.5));
    }),
    case("JAG-12", "nbf of a minute ago", |draft| draft.claim("nbf", draft.facts.now - 60)),
    case("JAG-20", "act with a sub", |draft| draft.claim("act", json!({ "sub": "agent-7" }))),
    case("JAG-24", "auth_time, acr and amr", |draft| {
        draft.claim("auth_time", draft.facts.now - 30);
        draft.claim("acr", "urn:example:loa2");
        draft.claim("amr", json!(["pwd", "otp"]));
    }),
    case("JAG-28", "claims that the draft does not know", |draft| {
        draft.claim("nonce", "n");
        draft.claim("azp", "somebody");
        draft.claim("https://example.com/claim", json!({ "a": [1, true, null] }));
    }),
    own("JAG-02", "a key of the other kind", |draft| {
        draft.member("kid", draft.facts.other_kid.clone());
        draft.member("alg", draft.facts.alg.other().as_str());
        draft.signed_by(AssertionSigner::OtherTrusted);
    }),
    case("JAG-03", "a header member that nobody marked as critical", |draft| {
        draft.member("conformance", "x");
    }),
    own("JAG-11", "a life of a minute", |draft| draft.claim("exp", draft.facts.now + 60)),
];
