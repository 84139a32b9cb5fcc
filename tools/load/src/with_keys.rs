//! Exchanges of a client that authenticates with a key and binds its tokens to one (`private_key_jwt`, DPoP; ES256 both),
//! by turns with exchanges that have neither.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::{Clock as _, SystemClock};
use countersign::oauth::request::JWT_BEARER;

use crate::assertions::{Assertions, Parties, Who};
use crate::driver::{Prepared, Span, saturate};
use crate::figures::Figures;
use crate::running::Running;
use crate::seed::{KEY_CLIENT, insert_key_client};
use crate::{Outcome, floor, idp, server};

/// Turns of either kind.
const TURNS: usize = 10;
const CONNECTIONS: usize = 32;
/// So few that a commit is shared by about as many plain exchanges as exchanges with keys share one.
const FEW_CONNECTIONS: usize = 8;
/// Exchanges with keys before those that are measured: the client's key and its members are then known.
const WARM_UP: usize = 256;

/// A key of P-256, with its public part as JSON (RFC 7517 §4).
struct Key {
    pair: EcdsaKeyPair,
    public: String,
}

impl Key {
    fn generate() -> Outcome<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        // The point without compression (SEC 1 §2.3.3): a byte, then x and y.
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        let public = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        Ok(Self { pair, public })
    }

    fn sign(&self, header: &str, claims: &str) -> Outcome<String> {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Requests with everything that is used once.
struct Requests(Vec<Vec<u8>>);

impl Requests {
    fn sign(assertions: &Assertions, count: usize, key: &Key) -> Outcome<Self> {
        eprintln!("signing {count} client assertions and proofs …");
        let one = |index| request(assertions, index, key);
        Ok(Self((0..count).map(one).collect::<Outcome<_>>()?))
    }
}

impl Prepared for Requests {
    fn write(&self, index: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(request) = self.0.get(index) else { return false };
        buffer.clear();
        buffer.extend_from_slice(request);
        true
    }
}

fn request(assertions: &Assertions, index: usize, key: &Key) -> Outcome<Vec<u8>> {
    let (issuer, now) = (server::issuer(), SystemClock.now());
    let exp = now + 600;
    let client = key.sign(
        r#"{"alg":"ES256","typ":"JWT"}"#,
        &format!(
            r#"{{"iss":"{KEY_CLIENT}","sub":"{KEY_CLIENT}","aud":"{issuer}","iat":{now},"exp":{exp},"jti":"client-{now}-{index}"}}"#
        ),
    )?;
    let proof = key.sign(
        &format!(r#"{{"alg":"ES256","typ":"dpop+jwt","jwk":{}}}"#, key.public),
        &format!(r#"{{"htm":"POST","htu":"{issuer}/oauth2/token","iat":{now},"jti":"proof-{now}-{index}"}}"#),
    )?;
    let (host, grant) = (issuer.trim_start_matches("http://"), JWT_BEARER.replace(':', "%3A"));
    let form = format!(
        "grant_type={grant}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={client}&assertion="
    );
    let head = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nDPoP: {proof}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len() + assertions.width()
    );
    Ok([head.as_bytes(), assertions.get(index).ok_or("too few assertions")?].concat())
}

/// Measures both kinds by turns, since machines change their speed, and what the keys add.
///
/// Exchanges that come during a commit share the next one. With keys fewer do in the same time, so each pays more of a
/// commit, which is no work of the keys. What a commit costs shows in plain exchanges over few connections.
pub async fn measure(running: &mut Running, dir: &Path, exchanges: usize) -> Outcome<Figures> {
    let (idp, issuer, key) = (idp::issuer(), server::issuer(), Key::generate()?);
    insert_key_client(&running.url, format!(r#"{{"keys":[{}]}}"#, key.public))?;
    let (turn, parties) = (exchanges / TURNS, Parties { idp: &idp, issuer: &issuer });
    let count = WARM_UP + turn * TURNS;
    let assertions = Assertions::prepare(dir, Who::WithKeys, count as u64, &parties)?;
    let requests = Rc::new(Requests::sign(&assertions, count, &key)?);
    // Until the server has noticed the client.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ports = [running.port()];
    let phase = |first, end| saturate(&requests, Span { first, end }, CONNECTIONS, &ports);
    phase(0, WARM_UP).await?;
    let (mut with, mut plain, mut few, mut check) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for first in (WARM_UP..count).step_by(turn) {
        plain.push(running.saturate(turn, CONNECTIONS).await?);
        check += floor::es256_verification()? / TURNS as f64;
        with.push(running.measured(phase(first, first + turn)).await?);
        few.push(running.saturate(turn / 2, FEW_CONNECTIONS).await?);
    }
    let of_rounds = |rounds: &[_]| Figures::of_rounds("with-keys", rounds);
    let (with, plain, few) = (of_rounds(&with), of_rounds(&plain), of_rounds(&few));
    let commits = |figures: &Figures| figures.commits_per_exchange.unwrap_or_default();
    let commit = (few.cpu_us - plain.cpu_us) / (commits(&few) - commits(&plain));
    let shares = commit * (commits(&with) - commits(&plain));
    let added = with.cpu_us - plain.cpu_us;
    Ok(with
        .with("CPU µs without keys", plain.cpu_us)
        .with("CPU µs of two ES256 verifications", 2.0 * check)
        .with("CPU µs of a commit", commit)
        .with("CPU µs of larger shares of commits", shares)
        .with("CPU µs added beyond these", added - 2.0 * check - shares))
}
