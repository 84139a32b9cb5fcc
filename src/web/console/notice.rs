//! What happened, told on the page after a redirect: the text is in a cookie until a page has shown it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower_sessions::cookie::{Cookie, SameSite};

use super::site::Site;

/// Most characters of a text.
const LONGEST: usize = 300;
/// What the cookie's name ends with.
const NAME: &str = "-notice";

/// On a request: the text to be shown.
#[derive(Debug, Clone)]
pub struct Notice(pub String);

/// On a response: a text for the next page.
#[derive(Debug, Clone)]
pub struct SetNotice(pub String);

/// Carries texts from one page to the next.
pub async fn carry(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let name = site.cookie(NAME);
    let carried = find(request.headers(), &name);
    let is_carried = carried.is_some();
    if let Some(text) = carried {
        request.extensions_mut().insert(Notice(text));
    }
    let mut response = next.run(request).await;
    if let Some(SetNotice(text)) = response.extensions_mut().remove() {
        let text: String = text.chars().take(LONGEST).collect();
        set(&mut response, &site, (name, utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()));
    } else if is_carried && is_page(&response) {
        set(&mut response, &site, (name, String::new()));
    }
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    response.status() == StatusCode::OK && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// The text of a cookie, if a page of ours can have set it.
fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let headers = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = headers.flat_map(Cookie::split_parse).filter_map(Result::ok);
    let value = cookies.filter(|cookie| cookie.name() == name).map(|c| c.value().to_owned()).next()?;
    let text = percent_decode_str(&value).decode_utf8().ok()?.into_owned();
    (!text.is_empty() && text.chars().count() <= LONGEST).then_some(text)
}

/// Sets a cookie; an empty one is removed.
fn set(response: &mut Response, site: &Site, (name, value): (String, String)) {
    let mut cookie = Cookie::new(name, value);
    if cookie.value().is_empty() {
        cookie.make_removal();
    }
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(site.is_https);
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
