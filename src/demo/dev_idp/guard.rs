//! Keeps other web pages out: by a name that leads here, and by forms that send here.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Scripts and styles of our own only; nobody may frame a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The addresses that are ours.
#[derive(Debug)]
pub struct OwnHosts {
    scheme: &'static str,
    /// Host and port, as a `Host` header has them.
    hosts: Vec<String>,
}

impl OwnHosts {
    /// An address, and the names of this machine if it is one of its own.
    pub fn of(scheme: &'static str, address: std::net::SocketAddr) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string()];
        if address.ip().is_loopback() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let without: Vec<String> =
            hosts.iter().filter_map(|host| host.strip_suffix(usual)).map(str::to_owned).collect();
        hosts.extend(without);
        Self { scheme, hosts }
    }

    fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether a request was sent to one of our names, however it says so.
    fn are_meant(&self, request: &Request) -> bool {
        let mut named = request.headers().get_all(header::HOST).iter();
        let host = named.next().and_then(|host| host.to_str().ok());
        let authority = request.uri().authority();
        named.next().is_none()
            && host.is_some_and(|host| self.has(host))
            && authority.is_none_or(|authority| self.has(authority.as_str()))
    }

    /// Whether a browser says that another page has sent this.
    fn are_foreign_to(&self, headers: &HeaderMap) -> bool {
        headers.get(header::ORIGIN).is_some_and(|origin| {
            let own =
                origin.to_str().ok().and_then(|origin| origin.strip_prefix(self.scheme)?.strip_prefix("://"));
            !own.is_some_and(|host| self.has(host))
        })
    }
}

/// The middleware of every request. A page of another site can lead a name of its own here (DNS rebinding): then the
/// name in `Host` is not ours.
pub async fn guard(State(own): State<Arc<OwnHosts>>, request: Request, next: Next) -> Response {
    if !own.are_meant(&request) {
        let names = own.hosts.join(", ");
        let why = format!("This development identity provider answers only requests to {names}.\n");
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    if request.method() != Method::GET && own.are_foreign_to(request.headers()) {
        return (StatusCode::FORBIDDEN, "This was sent by a page of another site.\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
