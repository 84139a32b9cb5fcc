//! Headers and signatures that must be refused (RFC 8725, RFC 7515 §4.1).

use serde_json::{Value, json};

use super::{AssertionCase, case, own};
use crate::conformance::draft::{AssertionDraft, AssertionSigner};

/// A signature with another bit.
pub fn damaged(draft: &mut AssertionDraft) {
    draft.signed_by(AssertionSigner::Damaged);
}

/// The address of a stranger's keys.
pub fn with_jku(draft: &mut AssertionDraft) {
    draft.member("jku", draft.facts.stranger_jwks_uri.clone());
    draft.header.remove("kid");
    draft.signed_by(AssertionSigner::Stranger);
}

/// The tokens of other kinds say `typ`, too; some only by it.
pub const BAD_HEADERS: &[AssertionCase] = &[
    case("JAG-01", "no typ", |draft| drop(draft.header.remove("typ"))),
    case("JAG-01", "typ JWT", |draft| draft.member("typ", "JWT")),
    case("JAG-01", "typ at+jwt", |draft| draft.member("typ", "at+jwt")),
    case("JAG-01", "typ application/jwt", |draft| draft.member("typ", "application/jwt")),
    case("JAG-01", "typ that begins as an ID-JAG's", |draft| draft.member("typ", "oauth-id-jag+jwt2")),
    case("JAG-01", "typ in an array", |draft| draft.member("typ", json!(["oauth-id-jag+jwt"]))),
    case("JAG-02", "a damaged signature", damaged),
    case("JAG-02", "no signature", |draft| draft.signed_by(AssertionSigner::Nobody)),
    case("JAG-02", "alg none without a signature", |draft| {
        draft.member("alg", "none");
        draft.signed_by(AssertionSigner::Nobody);
    }),
    case("JAG-02", "alg nOnE without a signature", |draft| {
        draft.member("alg", "nOnE");
        draft.signed_by(AssertionSigner::Nobody);
    }),
    case("JAG-02", "HS256 with the public key as secret", |draft| {
        draft.member("alg", "HS256");
        draft.signed_by(AssertionSigner::PublicKeyAsSecret);
    }),
    case("JAG-02", "the key of somebody else under the good one's kid", |draft| {
        draft.signed_by(AssertionSigner::Stranger);
    }),
    case("JAG-02", "a signature by another of the issuer's keys", |draft| {
        draft.signed_by(AssertionSigner::OtherTrusted)
    }),
    case("JAG-02", "an algorithm that does not fit the key", |draft| {
        draft.member("alg", draft.facts.alg.other().as_str());
    }),
    case("JAG-02", "a kid that no key has", |draft| {
        draft.member("kid", "no-such-key");
        draft.signed_by(AssertionSigner::Stranger);
    }),
    case("JAG-02", "no alg", |draft| drop(draft.header.remove("alg"))),
    case("JAG-03", "a stranger's key in jku", with_jku),
    case("JAG-03", "a stranger's key in jwk", |draft| {
        draft.member("jwk", draft.facts.stranger_jwk.clone());
        draft.header.remove("kid");
        draft.signed_by(AssertionSigner::Stranger);
    }),
    case("JAG-03", "a crit that nobody understands", |draft| {
        draft.member("crit", json!(["conformance"]));
        draft.member("conformance", true);
    }),
    case("JAG-03", "an empty crit", |draft| draft.member("crit", json!([]))),
    case("JAG-03", "b64 false", |draft| {
        draft.member("b64", false);
        draft.member("crit", json!(["b64"]));
    }),
    own("JAG-26", "two alg in the header", |draft| draft.first_member("\"alg\":\"none\"")),
    case("JAG-27", "five parts, as an encrypted assertion has", |draft| {
        draft.then(|text| format!("{text}.e30.e30"));
    }),
    case("JAG-27", "an encrypted assertion", |draft| {
        draft.then(|_| {
            format!(
                "{}.AAAA.AAAA.AAAA.AAAA",
                encoded(&json!({ "alg": "dir", "enc": "A256GCM", "cty": "JWT" }))
            )
        });
    }),
    case("JAG-29", "a workload identity's assertion: typ JWT for the token endpoint", |draft| {
        draft.member("typ", "JWT");
        draft.claim("aud", draft.facts.token_url.clone());
        draft.without("client_id");
    }),
    case("JAG-30", "an ID token", |draft| {
        draft.member("typ", "JWT");
        draft.claim("aud", draft.facts.client_id.clone());
        draft.claim("nonce", "n");
        draft.without("client_id");
    }),
    case("JAG-30", "an access token of the identity provider", |draft| draft.member("typ", "at+jwt")),
    case("JAG-30", "a logout token", |draft| {
        draft.member("typ", "logout+jwt");
        draft.claim("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    }),
    case("JAG-30", "a security event", |draft| draft.member("typ", "secevent+jwt")),
    case("JAG-30", "a DPoP proof", |draft| {
        draft.member("typ", "dpop+jwt");
        draft.claim("htm", "POST");
        draft.claim("htu", draft.facts.token_url.clone());
    }),
    case("JAG-26", "a payload that is no object", |draft| draft.payload("[]")),
    case("JAG-26", "a payload that is no JSON", |draft| draft.payload("{\"iss\":")),
];

fn encoded(value: &Value) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
}
