//! Cookies beside the session's.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use tower_sessions::cookie::time::Duration;
use tower_sessions::cookie::{Cookie, SameSite};

use super::site::Site;

/// The value of a cookie that a request carries, by its whole name.
pub fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let headers = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = headers.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// Sets a cookie until the browser is closed; `name` is what [`Site::cookie`] completes.
pub fn set(response: &mut Response, site: &Site, name: &str, value: String) {
    append(response, site, Cookie::new(site.cookie(name), value));
}

/// Sets a cookie for so many seconds.
pub fn set_for(response: &mut Response, site: &Site, (name, value): (&str, String), seconds: i64) {
    let mut cookie = Cookie::new(site.cookie(name), value);
    cookie.set_max_age(Duration::seconds(seconds));
    append(response, site, cookie);
}

/// Removes a cookie from the browser.
pub fn remove(response: &mut Response, site: &Site, name: &str) {
    let mut cookie = Cookie::from(site.cookie(name));
    cookie.make_removal();
    append(response, site, cookie);
}

fn append(response: &mut Response, site: &Site, mut cookie: Cookie<'_>) {
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(site.is_https);
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
