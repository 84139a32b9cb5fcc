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
use crate::driver::{Phase, Prepared, Span, saturate};
use crate::figures::{Figures, Usage};
use crate::running::Running;
use crate::seed::{KEY_CLIENT, insert_key_client};
use crate::{Outcome, floor, idp, server};

/// Turns of either kind.
const TURNS: usize = 4;
const CONNECTIONS: usize = 32;
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

/// The resources of several phases together.
#[derive(Default)]
struct Sum {
    phase: Phase,
    usage: Option<Usage>,
}

impl Sum {
    fn add(&mut self, (phase, usage): (Phase, Usage)) {
        self.phase.latencies.extend(phase.latencies);
        self.phase.took += phase.took;
        self.usage = Some(match self.usage {
            None => usage,
            Some(sum) => Usage {
                server: sum.server + usage.server,
                driver: sum.driver + usage.driver,
                floor: f64::midpoint(sum.floor, usage.floor),
                ..usage
            },
        });
    }

    fn figures(&self, name: &str) -> Figures {
        let figures = Figures::new(name, &self.phase, &self.usage.unwrap_or_default());
        // The counts are those of the last turn only.
        Figures { commits_per_exchange: None, writes_per_commit: None, ..figures }
    }
}

/// Measures both kinds by turns, since machines change their speed, and what the keys add.
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
    let (mut with, mut without, mut check) = (Sum::default(), Sum::default(), 0.0);
    for first in (WARM_UP..count).step_by(turn) {
        without.add(running.saturate(turn, CONNECTIONS).await?);
        check += floor::es256_verification()? / TURNS as f64;
        with.add(running.measured(phase(first, first + turn)).await?);
    }
    let (figures, without) = (with.figures("with-keys"), without.figures("without"));
    let added = figures.cpu_us - without.cpu_us;
    Ok(figures
        .with("CPU µs without keys", without.cpu_us)
        .with("CPU µs of two ES256 verifications", 2.0 * check)
        .with("CPU µs added beyond these", added - 2.0 * check))
}
