//! The notice that a page shows after a redirect. Its text is in a cookie until a page has shown it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::cookie;
use super::site::Site;

/// Most characters of a text.
const LONGEST: usize = 300;
/// The end of the cookie's name.
const NAME: &str = "-notice";

/// On a request: the text to be shown.
#[derive(Debug, Clone)]
pub struct Notice(pub String);

/// On a response: a text for the next page.
#[derive(Debug, Clone)]
pub struct SetNotice(pub String);

/// Carries texts from one page to the next.
pub async fn carry(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let carried = find(request.headers(), &site.cookie(NAME));
    let is_carried = carried.is_some();
    if let Some(text) = carried {
        request.extensions_mut().insert(Notice(text));
    }
    let mut response = next.run(request).await;
    if let Some(SetNotice(text)) = response.extensions_mut().remove() {
        let text: String = text.chars().take(LONGEST).collect();
        let text = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        cookie::set(&mut response, &site, NAME, text);
    } else if is_carried && is_page(&response) {
        cookie::remove(&mut response, &site, NAME);
    }
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    response.status() == StatusCode::OK && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// The text of a cookie, if one of our pages can have set it.
fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = cookie::find(headers, name)?;
    let text = percent_decode_str(&value).decode_utf8().ok()?.into_owned();
    (!text.is_empty() && text.chars().count() <= LONGEST).then_some(text)
}
