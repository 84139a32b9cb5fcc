//! Requests and answers, and how a report shows them: without secrets, and with assertions opened.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::ValueEnum;
use reqwest::{Certificate, Client, redirect};
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded;

/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most of a body that a report shows.
const SHOWN: usize = 600;
/// Parameters and members that a report shortens.
const SECRET: [&str; 6] =
    ["client_secret", "assertion", "client_assertion", "token", "access_token", "refresh_token"];
/// Headers of an answer that a report shows.
const TOLD: [&str; 7] =
    ["content-type", "cache-control", "pragma", "www-authenticate", "allow", "retry-after", "dpop-nonce"];

/// The way in which a client authenticates (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientAuth {
    /// In the Authorization header.
    Basic,
    /// In the body.
    Post,
}

impl ClientAuth {
    /// The name in metadata.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// The HTTP client of the suite. Reading the roots of TLS takes a while: for http alone, it does without.
pub fn http(ca: Vec<Certificate>, without_tls: bool) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        .user_agent(concat!("countersign-conformance/", env!("CARGO_PKG_VERSION")));
    match without_tls {
        true => builder.tls_certs_only([]).build(),
        false => ca.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate).build(),
    }
}

/// A request to the server under test.
#[derive(Debug, Clone)]
pub struct Probe {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Probe {
    /// Asks for a document.
    pub fn get(url: &str) -> Self {
        Self { method: Method::GET, url: url.to_owned(), headers: HeaderMap::new(), body: Vec::new() }
    }

    /// Sends a form.
    pub fn form(url: &str, form: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Self::body(url, FORM, body)
    }

    /// Sends a body of any kind.
    pub fn body(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut this = Self { method: Method::POST, body: body.into(), ..Self::get(url) };
        this.add(CONTENT_TYPE, content_type);
        this
    }

    /// Uses another method.
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Adds a header beside others of its name. A value that no header can have is left out.
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.add(name, value);
        self
    }

    fn add(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
    }

    /// Adds the credentials of HTTP Basic, each form-encoded first (RFC 6749 §2.3.1).
    pub fn with_basic(self, id: &str, secret: &str) -> Self {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        self.with_header(AUTHORIZATION, &format!("Basic {credentials}"))
    }

    /// Sends it.
    pub async fn send(self, http: &Client) -> ProbeReply {
        let request = self.shown();
        let sent = http.request(self.method, &self.url).headers(self.headers).body(self.body).send().await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return ProbeReply::none(request, &error),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match response.bytes().await {
            Ok(bytes) => {
                let body = String::from_utf8_lossy(&bytes).into_owned();
                let json = serde_json::from_str(&body).unwrap_or_default();
                let answer = shown_answer(status, &headers, &body, &json);
                ProbeReply { status, headers, body, json, transcript: Transcript { request, answer } }
            }
            Err(error) => ProbeReply::none(request, &error),
        }
    }

    fn shown(&self) -> String {
        let mut text = format!("{} {}", self.method, shown_url(&self.url));
        for (name, value) in &self.headers {
            let value = value.to_str().unwrap_or("(no text)");
            let value =
                if name == AUTHORIZATION { shown_authorization(value) } else { shortened(value, 200) };
            text.push_str(&format!("\n{name}: {value}"));
        }
        let is_form = self.headers.get(CONTENT_TYPE).is_some_and(|value| value == FORM);
        match std::str::from_utf8(&self.body) {
            Ok("") => {}
            Ok(body) if is_form && body.len() < 20_000 => text.push_str(&shown_form(body)),
            Ok(body) => text.push_str(&format!("\n\n{}", shortened(body, 200))),
            Err(_) => text.push_str(&format!("\n\n({} bytes that are no text)", self.body.len())),
        }
        text
    }
}

/// A request and its answer, for the report.
#[derive(Debug, Clone, Serialize)]
pub struct Transcript {
    /// The request as it was sent.
    pub request: String,
    /// The answer as it came.
    pub answer: String,
}

/// An answer of the server under test.
#[derive(Debug, Clone)]
pub struct ProbeReply {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
    /// The body as JSON; null if it is none.
    pub json: Value,
    /// Both sides for the report.
    pub transcript: Transcript,
}

impl ProbeReply {
    fn none(request: String, error: &reqwest::Error) -> Self {
        let why = if error.is_timeout() { "no answer in time" } else { "no answer: the connection failed" };
        let transcript = Transcript { request, answer: why.to_owned() };
        Self { status: 0, headers: HeaderMap::new(), body: String::new(), json: Value::Null, transcript }
    }

    /// A member of the JSON object.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.json.get(name)
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> &str {
        self.member(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The value of a header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether a header has a word in its value, whatever its case.
    pub fn header_has(&self, name: &str, word: &str) -> bool {
        let values = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.into_iter().any(|value| value.to_ascii_lowercase().contains(&word.to_ascii_lowercase()))
    }

    /// Whether the body is said to be JSON.
    pub fn is_json(&self) -> bool {
        self.header_has("content-type", "application/json") && self.json.is_object()
    }

    /// Whether it is a token answer.
    pub fn is_grant(&self) -> bool {
        self.status == 200 && !self.text("access_token").is_empty()
    }

    /// Whether the caller was turned away, and nothing else.
    pub fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && self.member("access_token").is_none()
    }

    /// Whether there were too many requests, so that the answer says nothing.
    pub fn is_limited(&self) -> bool {
        self.status == 429
    }

    /// Whether it is this status with this error code.
    pub fn is_error(&self, status: u16, code: &str) -> bool {
        self.status == status && self.text("error") == code
    }

    /// The claims of a JWT in the answer, not verified.
    pub fn token_part(&self, part: usize) -> Value {
        opened(self.text("access_token"), part).unwrap_or_default()
    }
}

/// A part of a JWT as JSON.
pub fn opened(token: &str, part: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(part)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The first characters of a text, and how long it is if that is not all.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => {
            format!("{}… ({} characters)", text.get(..end).unwrap_or_default(), text.chars().count())
        }
    }
}

fn shown_secret(value: &str) -> String {
    shortened(value, if value.len() > 40 { 8 } else { 2 })
}

fn shown_authorization(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    format!("{scheme} {}", shown_secret(rest))
}

fn shown_url(url: &str) -> String {
    match url.split_once('?') {
        Some((before, query)) => format!("{before}?{}", shown_pairs(query).join("&")),
        None => url.to_owned(),
    }
}

fn shown_pairs(form: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(form.as_bytes());
    let shown = pairs.map(|(name, value)| match SECRET.contains(&name.as_ref()) {
        true => format!("{name}={}", shown_secret(&value)),
        false => format!("{name}={}", shortened(&value, 200)),
    });
    shown.collect()
}

/// The pairs of a form, and header and claims of an assertion in it.
fn shown_form(form: &str) -> String {
    let mut text = format!("\n\n{}", shown_pairs(form).join("&"));
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        let parts = (name == "assertion").then(|| Some((opened(&value, 0)?, opened(&value, 1)?))).flatten();
        if let Some((header, claims)) = parts {
            let (header, claims) = (header.to_string(), claims.to_string());
            text.push_str(&format!(
                "\nassertion header: {}\nassertion claims: {}",
                shortened(&header, SHOWN),
                shortened(&claims, SHOWN)
            ));
        }
    }
    text
}

fn shown_answer(status: u16, headers: &HeaderMap, body: &str, json: &Value) -> String {
    let mut text = format!("{status}");
    for name in TOLD {
        for value in headers.get_all(name) {
            text.push_str(&format!("\n{name}: {}", shortened(value.to_str().unwrap_or("(no text)"), 300)));
        }
    }
    let body = match json {
        Value::Object(members) => {
            let mut members = members.clone();
            for name in SECRET {
                if let Some(Value::String(value)) = members.get_mut(name) {
                    *value = shown_secret(value);
                }
            }
            Value::Object(members).to_string()
        }
        _ => body.to_owned(),
    };
    if !body.is_empty() {
        text.push_str(&format!("\n\n{}", shortened(&body, SHOWN)));
    }
    text
}
