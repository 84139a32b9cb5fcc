//! The claims of an ID-JAG: read with exact types, then checked. What is present is never ignored
//! because its type is wrong.

use serde_json::{Map, Value};

use super::assertion::{Expectations, shown};
use super::error::{Reason, TokenError};
use super::request::split_scope;
use super::resource::is_resource_identifier;
use crate::clock::UnixSeconds;

/// The claims we know; others are ignored (draft §3.1), but for those that would have to be obeyed.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: Vec<String>,
    pub client_id: String,
    pub jti: String,
    pub exp: f64,
    pub iat: f64,
    pub nbf: Option<f64>,
    /// None: no claim. A present and empty one authorizes nothing.
    pub scope: Option<Vec<String>>,
    /// Empty: no claim.
    pub resource: Vec<String>,
    /// Lower case.
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub tenant: Option<String>,
    pub aud_tenant: Option<String>,
    pub aud_sub: Option<String>,
    pub auth_time: Option<UnixSeconds>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    /// RFC 8693 §4.1: who acts for the subject; told on, never a right.
    pub act: Option<Value>,
    /// OpenID Connect Enterprise Extensions: the token must not outlive the session at the provider.
    pub session_expiry: Option<UnixSeconds>,
    /// Every claim, for those whose name is configured (groups).
    rest: Map<String, Value>,
}

/// The largest time that is taken for one: the year 9999.
const MAX_TIME: f64 = 253_402_300_799.0;
/// Deepest chain of actors.
const MAX_ACTORS: usize = 4;
/// Most groups that are read.
const MAX_GROUPS: usize = 1000;

type Result<T> = std::result::Result<T, TokenError>;

fn missing(name: &str) -> TokenError {
    TokenError::invalid_grant(Reason::CLAIM_MISSING, "The assertion lacks a required claim.")
        .detail(format!("{name} is missing"))
}

fn malformed(name: &str, expected: &str) -> TokenError {
    TokenError::invalid_grant(Reason::CLAIM_MALFORMED, "A claim of the assertion is malformed.")
        .detail(format!("{name} must be {expected}"))
}

/// Typed access to a claims object.
struct Reader<'a>(&'a Map<String, Value>);

impl Reader<'_> {
    fn text(&self, name: &str, max: usize) -> Result<Option<String>> {
        match self.0.get(name) {
            None => Ok(None),
            // No database that we speak takes NUL in a text.
            Some(Value::String(text)) if (1..=max).contains(&text.len()) && !text.contains('\0') => {
                Ok(Some(text.clone()))
            }
            Some(_) => Err(malformed(name, &format!("a string of 1 to {max} bytes without NUL"))),
        }
    }

    fn required_text(&self, name: &str, max: usize) -> Result<String> {
        self.text(name, max)?.ok_or_else(|| missing(name))
    }

    /// NumericDate (RFC 7519 §2): a number of seconds, possibly with a fraction.
    fn time(&self, name: &str) -> Result<Option<f64>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(time) if (0.0..=MAX_TIME).contains(&time) => Ok(Some(time)),
                _ => Err(malformed(name, "a number of seconds since 1970")),
            },
        }
    }

    /// As whole seconds; the fraction is cut.
    fn seconds(&self, name: &str) -> Result<Option<UnixSeconds>> {
        // In range, since `time` has bounded it.
        Ok(self.time(name)?.map(|time| time as UnixSeconds))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(malformed(name, "true or false")),
        }
    }

    /// A list of strings, or, where the RFCs allow it, one string.
    fn list(&self, name: &str, one_string_too: bool) -> Result<Option<Vec<String>>> {
        let expected = if one_string_too { "a string or an array of strings" } else { "an array of strings" };
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if one_string_too => Ok(Some(vec![text.clone()])),
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<Vec<_>>>().map(Some).ok_or_else(|| malformed(name, expected))
            }
            Some(_) => Err(malformed(name, expected)),
        }
    }
}

impl Claims {
    /// Reads the claims of an assertion whose signature is good.
    pub(super) fn read(payload: Map<String, Value>) -> Result<Self> {
        let claims = Reader(&payload);
        refuse_what_must_be_obeyed(&payload)?;
        Ok(Self {
            iss: claims.required_text("iss", 512)?,
            sub: claims.required_text("sub", 255)?,
            aud: claims.list("aud", true)?.ok_or_else(|| missing("aud"))?,
            client_id: claims.required_text("client_id", 512)?,
            jti: claims.required_text("jti", 256)?,
            exp: claims.time("exp")?.ok_or_else(|| missing("exp"))?,
            iat: claims.time("iat")?.ok_or_else(|| missing("iat"))?,
            nbf: claims.time("nbf")?,
            scope: read_scope(&payload)?,
            resource: read_resource(&claims)?,
            email: read_email(&claims)?,
            email_verified: claims.flag("email_verified")?,
            tenant: claims.text("tenant", 255)?,
            aud_tenant: claims.text("aud_tenant", 255)?,
            aud_sub: claims.text("aud_sub", 255)?,
            auth_time: claims.seconds("auth_time")?,
            acr: claims.text("acr", 512)?,
            amr: claims.list("amr", false)?.unwrap_or_default(),
            act: read_actor(&payload)?,
            session_expiry: claims.seconds("session_expiry")?,
            rest: payload,
        })
    }

    /// The names in the groups claim, whatever it is called; anything else in it counts as no group.
    pub fn groups(&self, claim: &str) -> Vec<String> {
        let groups = self.rest.get(claim).and_then(Value::as_array);
        let names = groups.into_iter().flatten().filter_map(Value::as_str);
        names.take(MAX_GROUPS).map(str::to_owned).collect()
    }

    /// When the person signed in at the provider, as far as the assertion tells.
    pub fn signed_in_at(&self) -> UnixSeconds {
        self.auth_time.unwrap_or(self.iat as UnixSeconds)
    }

    /// When it was issued; the fraction is cut.
    pub fn issued_at(&self) -> UnixSeconds {
        self.iat as UnixSeconds
    }

    /// From when on the assertion is refused for its age alone.
    pub fn dead_at(&self, clock_skew: i64) -> UnixSeconds {
        (self.exp.ceil() as UnixSeconds).saturating_add(clock_skew).saturating_add(1)
    }

    pub(super) fn check(&self, expected: &Expectations) -> Result<()> {
        self.check_audience(&expected.audience)?;
        if self.client_id != expected.client_id {
            return Err(TokenError::invalid_grant(
                Reason::CLIENT_ID_MISMATCH,
                "The assertion was issued to another client.",
            )
            .detail(expectation("client_id", &expected.client_id, &self.client_id)));
        }
        self.check_times(expected)?;
        self.check_tenant(&expected.teamspace)
    }

    /// Exactly our issuer, alone (draft §4.4.1): never the token endpoint, never a prefix.
    fn check_audience(&self, audience: &str) -> Result<()> {
        if self.aud.len() == 1 && self.aud.first().is_some_and(|aud| aud == audience) {
            return Ok(());
        }
        Err(TokenError::invalid_grant(Reason::AUD_MISMATCH, "The assertion's audience is another one.")
            .detail(expectation("aud", audience, &self.aud.join(" "))))
    }

    fn check_times(&self, expected: &Expectations) -> Result<()> {
        let (now, skew) = (expected.now as f64, expected.clock_skew as f64);
        let max_lifetime = expected.max_lifetime as f64;
        let refuse =
            |reason, text, detail: String| Err(TokenError::invalid_grant(reason, text).detail(detail));
        if now >= self.exp + skew {
            return refuse(
                Reason::EXPIRED,
                "The assertion has expired.",
                format!("expired {:.0} s ago", now - self.exp),
            );
        }
        let start = self.nbf.map_or(self.iat, |nbf| nbf.max(self.iat));
        if start > now + skew {
            let detail = format!("valid in {:.0} s; compare the clocks", start - now);
            return refuse(Reason::NOT_YET_VALID, "The assertion is not valid yet.", detail);
        }
        // From now as well, so that an old `iat` cannot stretch it.
        if self.exp - self.iat > max_lifetime || self.exp - now > max_lifetime + skew || self.exp <= self.iat
        {
            let detail = format!("lives {:.0} s; at most {max_lifetime} s", self.exp - self.iat);
            return refuse(Reason::LIFETIME_TOO_LONG, "The assertion lives too long.", detail);
        }
        Ok(())
    }

    /// `aud_tenant` names the customer here, who must be the one that the issuer leads to (draft §6.3).
    fn check_tenant(&self, teamspace: &str) -> Result<()> {
        match &self.aud_tenant {
            Some(tenant) if tenant != teamspace => Err(TokenError::invalid_grant(
                Reason::TENANT_MISMATCH,
                "The assertion is for another teamspace.",
            )
            .detail(expectation("aud_tenant", teamspace, tenant))),
            _ => Ok(()),
        }
    }
}

fn expectation(claim: &str, expected: &str, found: &str) -> String {
    let slash = match expected.trim_end_matches('/') == found.trim_end_matches('/') {
        true => "; they differ only by a trailing slash",
        false => "",
    };
    format!("{claim}: expected {}, got {}{slash}", shown(expected), shown(found))
}

/// A bound assertion without its proof, and details that nobody processes, must not become a plain
/// token (draft §9.8, §4.4.1; RFC 9396 §5).
fn refuse_what_must_be_obeyed(payload: &Map<String, Value>) -> Result<()> {
    if payload.contains_key("cnf") {
        return Err(TokenError::invalid_grant(
            Reason::PROOF_MISSING,
            "The assertion is bound to a key; proof of possession is not supported.",
        ));
    }
    if payload.contains_key("authorization_details") {
        return Err(TokenError::invalid_grant(
            Reason::DETAILS_UNSUPPORTED,
            "authorization_details are not supported.",
        ));
    }
    Ok(())
}

fn read_scope(payload: &Map<String, Value>) -> Result<Option<Vec<String>>> {
    let scopes = match payload.get("scope") {
        None => return Ok(None),
        Some(Value::String(text)) => split_scope(text).ok(),
        Some(_) => None,
    };
    let expected = "one string of at most 100 scopes, separated by spaces";
    scopes.map(Some).ok_or_else(|| malformed("scope", expected))
}

fn read_resource(claims: &Reader<'_>) -> Result<Vec<String>> {
    let Some(resources) = claims.list("resource", true)? else { return Ok(Vec::new()) };
    let sound = !resources.is_empty() && resources.len() <= 20;
    match sound && resources.iter().all(|r| is_resource_identifier(r)) {
        true => Ok(resources),
        false => Err(malformed("resource", "1 to 20 absolute URIs without fragment")),
    }
}

/// An email that names one mailbox in one way: ASCII, one `@`, no white space. No folding of plus tags
/// or dots: those are the provider's business.
fn read_email(claims: &Reader<'_>) -> Result<Option<String>> {
    let Some(email) = claims.text("email", 254)? else { return Ok(None) };
    match is_email(&email) {
        true => Ok(Some(email.to_ascii_lowercase())),
        false => Err(malformed("email", "an ASCII address with one @")),
    }
}

/// Whether a text is an email address that we take.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let printable = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '"' | '<' | '>' | ',' | ';' | '\\');
    text.len() <= 254 && !local.is_empty() && local.chars().all(printable) && is_domain(domain)
}

/// Whether a text is a host name of at least two labels.
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

fn read_actor(payload: &Map<String, Value>) -> Result<Option<Value>> {
    let Some(act) = payload.get("act") else { return Ok(None) };
    let mut actor = Some(act);
    for _ in 0..MAX_ACTORS {
        let Some(current) = actor else { return Ok(Some(act.clone())) };
        if !current.get("sub").is_some_and(Value::is_string) {
            return Err(malformed("act", "an object with a string sub"));
        }
        actor = current.get("act");
    }
    match actor {
        None => Ok(Some(act.clone())),
        Some(_) => Err(malformed("act", "a chain of at most 4 actors")),
    }
}
