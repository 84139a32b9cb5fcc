//! The claims of an ID-JAG: read with exact types, then checked.
//!
//! A claim is known, absent (null counts as absent), or present but unusable. An unusable claim refuses the assertion
//! if it decides anything by itself or goes into the token. Claims that only policies read, and an email or a scope
//! that may turn out not to be needed, are kept as "not known" ([`Said`]): reading one refuses the request, and it
//! never counts as absent.

mod custom;
mod expectations;
mod groups;
mod reader;
mod saml;

use serde_json::{Map, Value};

use super::near_miss::{AT_THE_PROVIDER, of_audience};
use crate::clock::UnixSeconds;
use crate::dpop::named_thumbprint;
use crate::email::plain_address;
use crate::model::identity_provider::CustomClaim;
use crate::oauth::authorization_details::{self as details, Detail, DetailSource};
use crate::oauth::difference::expectation;
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::resource::is_resource_identifier;
use crate::oauth::scope::split_scope;
use crate::policy::facts::{Actor, ClaimValue};
pub use expectations::Expectations;
pub use groups::read as read_groups;
pub use reader::{ClaimFault, Said};
use reader::{ClaimRead, Reader, missing};

/// The claims that we know. Others are ignored (draft §3.1), except those that we would have to obey.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The issuer (RFC 7519 §4.1.1), byte for byte.
    pub iss: String,
    /// The subject (RFC 7519 §4.1.2), unique at the issuer inside a tenant.
    pub sub: String,
    /// The audience (RFC 7519 §4.1.3); one text counts as a list of one.
    pub aud: Vec<String>,
    /// The client that may redeem the assertion (RFC 8693 §4.3).
    pub client_id: String,
    /// The assertion's identifier (RFC 7519 §4.1.7), by which it is used once.
    pub jti: String,
    /// The end of its life, in seconds since 1970 (RFC 7519 §4.1.4).
    pub exp: f64,
    /// The time of issue, in seconds since 1970 (RFC 7519 §4.1.6).
    pub iat: f64,
    /// The beginning of its life, in seconds since 1970 (RFC 7519 §4.1.5).
    pub nbf: Option<f64>,
    /// A present and empty one authorizes nothing.
    pub scope: Said<Vec<String>>,
    /// Empty: no claim.
    pub resource: Vec<String>,
    /// Lower case.
    pub email: Said<String>,
    /// Whether the provider verified the email (OpenID Connect Core §5.1).
    pub email_verified: Said<bool>,
    /// The provider's tenant that the subject is in.
    pub tenant: Option<String>,
    /// The teamspace that the provider means, by its slug or id.
    pub aud_tenant: Option<String>,
    /// The member that the provider means, by an account here.
    pub aud_sub: Option<String>,
    /// The time at which the person signed in at the provider (OpenID Connect Core §2).
    pub auth_time: Option<UnixSeconds>,
    /// How the sign-in was made, as one level (OpenID Connect Core §2).
    pub acr: Option<String>,
    /// The methods of the sign-in (RFC 8176); empty where the assertion names none.
    pub amr: Vec<String>,
    /// The actors who act for the subject (RFC 8693 §4.1); passed on, and never a right.
    pub act: Option<Value>,
    /// OpenID Connect Enterprise Extensions: the token must not outlive the session at the provider.
    pub session_expiry: Option<UnixSeconds>,
    /// The thumbprint of the key that the assertion is bound to (RFC 7800 §3).
    pub key: Option<String>,
    /// The details that it authorizes, well-formed (RFC 9396 §2); empty: no claim.
    pub authorization_details: Vec<Detail>,
    /// All claims, for those with configured names: groups and custom claims.
    rest: Map<String, Value>,
}

type ClaimsResult<T> = Result<T, TokenError>;

impl Claims {
    /// Issuer, tenant and subject; the tenant is empty when there is none.
    pub fn person(&self) -> [&str; 3] {
        [&self.iss, self.tenant.as_deref().unwrap_or_default(), &self.sub]
    }

    /// Reads the claims of an assertion with a good signature.
    pub(super) fn read(mut payload: Map<String, Value>) -> ClaimsResult<Self> {
        payload.retain(|_, value| !value.is_null());
        let claims = Reader::new(&payload)?;
        Ok(Self {
            iss: claims.required_text("iss", 512)?,
            sub: claims.required_text("sub", 255)?,
            aud: claims.one_or_more("aud")?.ok_or_else(|| missing("aud"))?,
            client_id: claims.required_text("client_id", 512)?,
            jti: claims.required_text("jti", 256)?,
            exp: claims.required_time("exp")?,
            iat: claims.required_time("iat")?,
            nbf: claims.time("nbf")?,
            scope: read_scope(&claims).into(),
            resource: read_resource(&claims)?.unwrap_or_default(),
            email: read_email(&claims).into(),
            email_verified: claims.flag("email_verified").into(),
            tenant: claims.text("tenant", 255)?,
            aud_tenant: claims.text("aud_tenant", 255)?,
            aud_sub: claims.text("aud_sub", 255)?,
            auth_time: claims.seconds("auth_time")?,
            acr: claims.text("acr", 512)?,
            amr: claims.list("amr")?.unwrap_or_default(),
            act: read_actor(&claims)?,
            session_expiry: claims.seconds("session_expiry")?,
            key: read_key(&claims)?,
            authorization_details: read_details(&claims)?,
            rest: payload,
        })
    }

    /// The names from the groups claim, whatever its name.
    pub fn groups(&self, claim: &str) -> Said<Vec<String>> {
        groups::read(&self.rest, claim).into()
    }

    /// The value of a claim that the identity provider's configuration declares, with its declared type.
    pub fn custom(&self, claim: &CustomClaim) -> Said<ClaimValue> {
        custom::read(&self.rest, claim).into()
    }

    /// The NameID of `sub_id`, which must be from this SAML issuer, with its qualifiers as one text.
    pub fn saml_subject(&self, issuer: &str) -> Result<String, TokenError> {
        saml::read(&self.rest, issuer)
    }

    /// The earliest time, by our clock, at which the person can have signed in at the provider. The provider's clock
    /// may be ahead by the skew. An `auth_time` after `iat` says nothing.
    pub fn signed_in_at(&self, clock_skew: i64) -> UnixSeconds {
        let issued_at = self.issued_at();
        self.auth_time.map_or(issued_at, |at| at.min(issued_at)).saturating_sub(clock_skew)
    }

    /// When it was issued; the fraction is cut.
    pub fn issued_at(&self) -> UnixSeconds {
        self.iat as UnixSeconds
    }

    /// The time from which the assertion is refused for its age alone.
    pub fn dead_at(&self, clock_skew: i64) -> UnixSeconds {
        (self.exp.ceil() as UnixSeconds).saturating_add(clock_skew).saturating_add(1)
    }

    pub(super) fn check(&self, expected: &Expectations) -> ClaimsResult<()> {
        self.check_audience(&expected.audience)?;
        if self.client_id != expected.client_id {
            return Err(TokenError::invalid_grant(
                Reason::CLIENT_ID_MISMATCH,
                "The assertion was issued to another client: its client_id must be the id that this client authenticates with.",
            )
            .detail(expectation("client_id", &expected.client_id, &self.client_id, AT_THE_PROVIDER)));
        }
        self.check_times(expected)
    }

    /// The audience must be exactly our issuer, and nothing else (draft §4.4.1): never the token endpoint, never a
    /// prefix.
    fn check_audience(&self, audience: &str) -> ClaimsResult<()> {
        if self.aud.len() == 1 && self.aud.first().is_some_and(|aud| aud == audience) {
            return Ok(());
        }
        Err(TokenError::invalid_grant(
            Reason::AUD_MISMATCH,
            "The assertion is for another server: its aud must be exactly this server's issuer.",
        )
        .detail(of_audience(audience, &self.aud.join(" "))))
    }

    fn check_times(&self, expected: &Expectations) -> ClaimsResult<()> {
        let (now, skew) = (expected.now as f64, expected.clock_skew as f64);
        let max_lifetime = expected.max_lifetime as f64;
        let refuse =
            |reason, text, detail: String| Err(TokenError::invalid_grant(reason, text).detail(detail));
        if now >= self.exp + skew {
            return refuse(
                Reason::EXPIRED,
                "The assertion has expired: get a new one from the identity provider.",
                format!("expired {:.0} s ago", now - self.exp),
            );
        }
        let start = self.nbf.map_or(self.iat, |nbf| nbf.max(self.iat));
        if start > now + skew {
            let detail = format!("valid in {:.0} s; compare the clocks", start - now);
            let text = "The assertion is not valid yet: the clock of the identity provider, or of this server, is wrong.";
            return refuse(Reason::NOT_YET_VALID, text, detail);
        }
        // The lifetime also counts from now, so that an old `iat` cannot stretch it.
        if self.exp - self.iat > max_lifetime || self.exp - now > max_lifetime + skew || self.exp <= self.iat
        {
            let detail = format!("lives {:.0} s; at most {max_lifetime} s", self.exp - self.iat);
            let text = "The assertion lives longer than this server accepts: the identity provider has to shorten its life.";
            return refuse(Reason::LIFETIME_TOO_LONG, text, detail);
        }
        Ok(())
    }
}

/// Details must not be ignored (draft §4.4.1). Their types are checked when the resource is known.
fn read_details(claims: &Reader<'_>) -> ClaimsResult<Vec<Detail>> {
    let Some(claim) = claims.get("authorization_details")? else { return Ok(Vec::new()) };
    details::read(claim.clone()).map_err(|fault| fault.refusal(DetailSource::Assertion))
}

/// The key of a bound assertion. A bound one must not become one for everybody because we cannot check how (draft §9.8).
fn read_key(claims: &Reader<'_>) -> ClaimsResult<Option<String>> {
    let Some(cnf) = claims.get("cnf")? else { return Ok(None) };
    named_thumbprint(cnf).map(Some).ok_or_else(|| {
        let text = "The assertion is bound in a way that this server cannot check: cnf must have one jkt, or one public jwk.";
        TokenError::invalid_grant(Reason::CNF_UNSUPPORTED, text)
    })
}

fn read_scope(claims: &Reader<'_>) -> ClaimRead<Vec<String>> {
    let expected = "one string of at most 100 scopes, separated by spaces";
    claims.taken("scope", expected, |value| split_scope(value.as_str()?).ok())
}

fn read_resource(claims: &Reader<'_>) -> ClaimRead<Vec<String>> {
    let sound = |list: &Vec<String>| {
        (1..=20).contains(&list.len()) && list.iter().all(|resource| is_resource_identifier(resource))
    };
    match claims.one_or_more("resource")? {
        Some(list) if !sound(&list) => {
            let got = format!("{}, not all of them such", list.len());
            Err(ClaimFault::new("resource", "1 to 20 absolute URIs without fragment", &got))
        }
        read => Ok(read),
    }
}

fn read_email(claims: &Reader<'_>) -> ClaimRead<String> {
    claims.taken("email", "a plain email address", |value| plain_address(value.as_str()?))
}

/// RFC 8693 §4.1, as it stands.
fn read_actor(claims: &Reader<'_>) -> ClaimRead<Value> {
    let expected = "an object with a string sub, and iss and sub_profile as strings, at most 4 actors deep";
    claims.taken("act", expected, |act| Actor::read(act).map(|_| act.clone()))
}
