//! Signed assertions in plenty: made before anything is measured, on every core, and kept for an hour's runs.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::clock::{Clock as _, SystemClock};
use countersign::oauth::request::JWT_BEARER;
use countersign::random::{digest, token};

use crate::driver::Prepared;
use crate::seed::{CLIENT, KEY_CLIENT, RESOURCE, SCOPES, SECRET};
use crate::{Outcome, machine};

/// Known members among whom the exchanges of most scenarios are spread.
pub const REGULARS: u64 = 64;
/// People of the identity provider, of whom each comes once where everybody comes.
pub const PEOPLE: u64 = 100_000;
/// Has no factor in common with [`PEOPLE`]: its multiples meet everybody once, in no order.
const STRIDE: u64 = 7_368_787;
/// Seconds: the longest that the server accepts (`assertion.max_lifetime`).
const LIFETIME: i64 = 3600;
/// Seconds that kept assertions must still be good for.
const RESERVE: i64 = 1200;

/// Who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The same [`REGULARS`] people again and again.
    Regulars,
    /// The same, with an `acr` of its own in each assertion.
    Apart,
    /// Each of [`PEOPLE`] once.
    Everybody,
    /// The regulars, by a client that has a key of its own.
    WithKeys,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Regulars => "regulars",
            Self::Apart => "apart",
            Self::Everybody => "everybody",
            Self::WithKeys => "with-keys",
        }
    }

    fn client(self) -> &'static str {
        match self {
            Self::Regulars | Self::Apart | Self::Everybody => CLIENT,
            Self::WithKeys => KEY_CLIENT,
        }
    }

    fn person(self, index: u64) -> u64 {
        match self {
            Self::Regulars | Self::Apart | Self::WithKeys => index % REGULARS,
            Self::Everybody => (index * STRIDE) % PEOPLE,
        }
    }
}

/// The identity provider's key; kept, as the assertions that it signed are.
pub fn key(dir: &Path) -> Outcome<RsaKeyPair> {
    let path = dir.join("idp.pk8");
    if let Ok(bytes) = fs::read(&path) {
        return Ok(RsaKeyPair::from_pkcs8(&bytes)?);
    }
    let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
    fs::write(path, key.as_der()?.as_ref())?;
    Ok(key)
}

/// The claims that all assertions share.
pub struct Parties<'a> {
    pub idp: &'a str,
    pub issuer: &'a str,
}

/// Signed assertions, all of one length.
pub struct Assertions {
    bytes: Vec<u8>,
    width: usize,
    until: i64,
}

impl Assertions {
    /// `count` of them or more. Those that an earlier run left in `dir` will do while they are good for some time
    /// yet: each run has databases of its own, and each of those sees an assertion once.
    pub fn prepare(dir: &Path, who: Who, count: u64, parties: &Parties<'_>) -> Outcome<Self> {
        let key = key(dir)?;
        let width = sign(&key, &claims(parties, who, &token::<12>()?, (0, SystemClock.now())))?.len();
        let (until, bytes) = match kept(dir, who, parties) {
            Some((until, path)) if fs::metadata(&path)?.len() >= count * width as u64 => {
                (until, fs::read(path)?)
            }
            _ => make(dir, who, count, parties)?,
        };
        Ok(Self { bytes, width, until })
    }

    /// One of them.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let start = index * self.width;
        self.bytes.get(start..start + self.width)
    }

    /// How many bytes each has.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// Requests to the token endpoint, which differ in their assertions only.
pub struct Requests {
    head: Vec<u8>,
    assertions: Assertions,
}

impl Requests {
    /// `count` of them or more.
    pub fn prepare(dir: &Path, who: Who, count: u64, parties: &Parties<'_>) -> Outcome<Self> {
        let assertions = Assertions::prepare(dir, who, count, parties)?;
        Ok(Self { head: head(parties, assertions.width), assertions })
    }

    /// Whether they are good for a while.
    pub fn is_fresh(&self) -> bool {
        self.assertions.until > SystemClock.now() + RESERVE
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.assertions.bytes.len() / self.assertions.width
    }
}

impl Prepared for Requests {
    fn write(&self, index: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(assertion) = self.assertions.get(index) else { return false };
        buffer.clear();
        buffer.extend_from_slice(&self.head);
        buffer.extend_from_slice(assertion);
        true
    }
}

fn head(parties: &Parties<'_>, width: usize) -> Vec<u8> {
    let form = format!("grant_type={}&assertion=", JWT_BEARER.replace(':', "%3A"));
    let basic = STANDARD.encode(format!("{CLIENT}:{SECRET}"));
    let host = parties.issuer.trim_start_matches("http://");
    format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len() + width
    )
    .into_bytes()
}

/// How the names of files begin that hold assertions of this content; the time that they expire at follows.
fn prefix(who: Who, parties: &Parties<'_>) -> String {
    let content = digest(&claims(parties, who, "", (0, 0)));
    format!("{}-{content}-", who.name())
}

fn kept(dir: &Path, who: Who, parties: &Parties<'_>) -> Option<(i64, PathBuf)> {
    let prefix = prefix(who, parties);
    let expiry = |path: &Path| path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse::<i64>().ok();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let latest = entries.filter_map(|entry| Some((expiry(&entry.path())?, entry.path()))).max()?;
    (latest.0 > SystemClock.now() + RESERVE).then_some(latest)
}

/// Signs them and keeps them, in place of those that were kept before.
fn make(dir: &Path, who: Who, count: u64, parties: &Parties<'_>) -> Outcome<(i64, Vec<u8>)> {
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(who.name()) {
            fs::remove_file(entry.path())?;
        }
    }
    let (key, series, now) = (key(dir)?, token::<12>()?, SystemClock.now());
    let bytes = sign_all(&key, count, &|index| claims(parties, who, &series, (index, now)))?;
    let until = now + LIFETIME;
    fs::write(dir.join(format!("{}{until}", prefix(who, parties))), &bytes)?;
    Ok((until, bytes))
}

/// Every field is of fixed width, so that every request is of one length.
fn claims(parties: &Parties<'_>, who: Who, series: &str, (index, now): (u64, i64)) -> String {
    let (Parties { idp, issuer }, person) = (parties, who.person(index));
    let (subject, email, scope) = (subject(person), email(person), SCOPES.join(" "));
    let (exp, client) = (now + LIFETIME, who.client());
    let acr = if who == Who::Apart { format!(r#""acr":"{index:010}","#) } else { String::new() };
    format!(
        r#"{{"iss":"{idp}","sub":"{subject}","aud":"{issuer}","client_id":"{client}","resource":"{RESOURCE}","#
    ) + &format!(
        r#"{acr}"scope":"{scope}","email":"{email}","iat":{now},"exp":{exp},"jti":"IDAAG.{series}{index:010}"}}"#
    )
}

/// A person's `sub`, as the growth generator writes it too.
pub fn subject(person: u64) -> String {
    format!("00u{person:08}")
}

/// A person's email.
pub fn email(person: u64) -> String {
    format!("p{person:08}@acme.example")
}

fn sign(key: &RsaKeyPair, claims: &str) -> Outcome<Vec<u8>> {
    const HEADER: &str = r#"{"alg":"RS256","kid":"k","typ":"oauth-id-jag+jwt"}"#;
    let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text.into_bytes())
}

fn sign_all(key: &RsaKeyPair, count: u64, claims: &(impl Fn(u64) -> String + Sync)) -> Outcome<Vec<u8>> {
    eprintln!("signing {count} assertions …");
    let cores = machine::cores() as u64;
    let part = |core: u64| -> Outcome<Vec<u8>> {
        machine::pin(core)?;
        let mut bytes = Vec::new();
        for index in count * core / cores..count * (core + 1) / cores {
            bytes.extend(sign(key, &claims(index))?);
        }
        Ok(bytes)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || part(core))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a signing thread ended early")??);
        }
        Ok(all)
    })
}
