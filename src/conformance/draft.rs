//! An assertion as it is written: a good one, and every way to spoil it.

use serde_json::{Map, Value, json};

use super::keys::{SuiteAlg, SuiteKeyError, SuiteKeys, sign_with_secret, signing_input};
use crate::clock::UnixSeconds;
use crate::random;

/// The `typ` of an ID-JAG (ID-JAG draft §3.1).
pub const ID_JAG_TYPE: &str = "oauth-id-jag+jwt";
/// Seconds that a good assertion lives, as Okta's do.
const LIFETIME: i64 = 300;

/// What assertions are made of.
#[derive(Debug, Clone)]
pub struct DraftFacts {
    /// The issuer of the assertions.
    pub idp: String,
    /// Another issuer, which works, and which nobody trusts.
    pub stranger: String,
    /// The stranger's key set.
    pub stranger_jwks_uri: String,
    /// The server under test.
    pub audience: String,
    /// Its token endpoint.
    pub token_url: String,
    /// The client that presents the assertions.
    pub client_id: String,
    /// The resource that tokens are asked for.
    pub resource: Option<String>,
    /// The scopes of the assertions.
    pub scope: Option<String>,
    /// The person.
    pub subject: String,
    /// The person's email.
    pub email: Option<String>,
    /// The time.
    pub now: UnixSeconds,
    /// The algorithm of a good assertion.
    pub alg: SuiteAlg,
    /// The id of the key for it.
    pub kid: String,
    /// The id of the issuer's key of the other kind.
    pub other_kid: String,
    /// A stranger's key of the same kind.
    pub stranger_jwk: Value,
}

/// Who signs, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionSigner {
    /// The identity provider.
    Trusted,
    /// The identity provider with its key of the other kind.
    OtherTrusted,
    /// Somebody with a key that nobody published.
    Stranger,
    /// Nobody: the signature is empty.
    Nobody,
    /// Whoever takes the public key in PEM for a shared secret.
    PublicKeyAsSecret,
    /// The identity provider, and then a bit falls over.
    Damaged,
}

/// An assertion under construction.
#[derive(Debug, Clone)]
pub struct AssertionDraft {
    /// The members of the header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// The values that header and claims are made of.
    pub facts: DraftFacts,
    signer: AssertionSigner,
    /// A header that is not made of the members.
    header_text: Option<String>,
    /// A payload that is not made of the claims.
    payload_text: Option<String>,
    /// What is done to the finished text.
    finish: Option<fn(String) -> String>,
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl AssertionDraft {
    /// A good one.
    pub fn good(facts: &DraftFacts) -> Self {
        let jti = random::token::<24>().unwrap_or_default();
        let mut claims = object(json!({
            "iss": facts.idp,
            "sub": facts.subject,
            "aud": facts.audience,
            "client_id": facts.client_id,
            "iat": facts.now,
            "exp": facts.now.saturating_add(LIFETIME),
            "jti": format!("conformance.{jti}"),
        }));
        for (name, value) in [("resource", &facts.resource), ("scope", &facts.scope), ("email", &facts.email)]
        {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.as_str().into());
            }
        }
        Self {
            header: object(json!({ "alg": facts.alg.as_str(), "kid": facts.kid, "typ": ID_JAG_TYPE })),
            claims,
            facts: facts.clone(),
            signer: AssertionSigner::Trusted,
            header_text: None,
            payload_text: None,
            finish: None,
        }
    }

    /// Gives a claim another value.
    pub fn claim(&mut self, name: &str, value: impl Into<Value>) {
        self.claims.insert(name.to_owned(), value.into());
    }

    /// Leaves a claim out.
    pub fn without(&mut self, name: &str) {
        self.claims.remove(name);
    }

    /// Gives a member of the header another value.
    pub fn member(&mut self, name: &str, value: impl Into<Value>) {
        self.header.insert(name.to_owned(), value.into());
    }

    /// Has somebody else sign.
    pub fn signed_by(&mut self, signer: AssertionSigner) {
        self.signer = signer;
    }

    /// Puts a claim before all others as it is written, whatever else is there.
    pub fn first_claim(&mut self, written: &str) {
        let claims = Value::Object(self.claims.clone()).to_string();
        self.payload_text = Some(claims.replacen('{', &format!("{{{written},"), 1));
    }

    /// Puts a claim after all others as it is written.
    pub fn last_claim(&mut self, written: &str) {
        let claims = Value::Object(self.claims.clone()).to_string();
        let open = claims.strip_suffix('}').unwrap_or(&claims);
        self.payload_text = Some(format!("{open},{written}}}"));
    }

    /// Puts a member of the header before all others as it is written.
    pub fn first_member(&mut self, written: &str) {
        let header = Value::Object(self.header.clone()).to_string();
        self.header_text = Some(header.replacen('{', &format!("{{{written},"), 1));
    }

    /// Replaces the whole payload.
    pub fn payload(&mut self, text: &str) {
        self.payload_text = Some(text.to_owned());
    }

    /// Changes the finished text.
    pub fn then(&mut self, finish: fn(String) -> String) {
        self.finish = Some(finish);
    }

    /// The text of the assertion.
    pub fn sign(&self, keys: &SuiteKeys) -> Result<String, SuiteKeyError> {
        let header =
            self.header_text.clone().unwrap_or_else(|| Value::Object(self.header.clone()).to_string());
        let payload =
            self.payload_text.clone().unwrap_or_else(|| Value::Object(self.claims.clone()).to_string());
        let alg = self.header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let trusted = keys.trusted(self.facts.alg);
        let text = match self.signer {
            AssertionSigner::Trusted => trusted.sign(alg, &header, &payload)?,
            AssertionSigner::OtherTrusted => {
                keys.trusted(self.facts.alg.other()).sign(alg, &header, &payload)?
            }
            AssertionSigner::Stranger => keys.untrusted(self.facts.alg).sign(alg, &header, &payload)?,
            AssertionSigner::Nobody => signing_input(&header, &payload) + ".",
            AssertionSigner::PublicKeyAsSecret => sign_with_secret(&trusted.public_pem()?, &header, &payload),
            AssertionSigner::Damaged => damaged(&trusted.sign(alg, &header, &payload)?),
        };
        Ok(match self.finish {
            Some(finish) => finish(text),
            None => text,
        })
    }
}

/// The token with another character in the middle of its signature.
fn damaged(token: &str) -> String {
    let Some((message, signature)) = token.rsplit_once('.') else { return token.to_owned() };
    let middle = signature.len() / 2;
    let changed = signature.chars().enumerate().map(|(at, c)| match (at == middle, c) {
        (true, 'A') => 'B',
        (true, _) => 'A',
        (false, c) => c,
    });
    format!("{message}.{}", changed.collect::<String>())
}
