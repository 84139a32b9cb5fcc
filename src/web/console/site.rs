//! Where the console is, as browsers see it.

use url::Url;

use super::assets;
use crate::config::Config;

/// A prefix for cookies that only a page of this exact host can set.
const HOST_PREFIX: &str = "__Host-";

/// The place of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The path of every page, without a slash at its end.
    pub base: String,
    /// The path of every asset; it changes with their content.
    pub assets: String,
    /// Scheme, host and port, as browsers write them.
    pub origin: String,
    pub is_https: bool,
    /// Whether people sign in with OpenID Connect.
    pub has_openid: bool,
}

impl Site {
    /// The configured site; none if the console is off.
    pub fn of(config: &Config) -> Option<Self> {
        let url = Url::parse(&config.console_url()?).ok()?;
        let base = url.path().trim_end_matches('/').to_owned();
        let assets = format!("{base}/assets/{}", assets::version());
        let origin = url.origin().ascii_serialization();
        let (is_https, has_openid) = (url.scheme() == "https", config.console.oidc.is_some());
        Some(Self { base, assets, origin, is_https, has_openid })
    }

    /// The path prefix of the console and the documents.
    pub fn root(&self) -> &str {
        self.base.strip_suffix("/console").unwrap_or_default()
    }

    /// The name of a cookie. Without https, which is allowed only on loopback, browsers accept no name with the
    /// prefix.
    pub fn cookie(&self, name: &str) -> String {
        format!("{}countersign{name}", if self.is_https { HOST_PREFIX } else { "" })
    }

    /// Whether a path leads to a page of the console and nowhere else, so that a sign-in may continue there.
    pub fn is_own_path(&self, path: &str) -> bool {
        let is_plain = |c: u8| c.is_ascii_graphic() && c != b'\\';
        if path.len() > 2000 || !path.starts_with('/') || !path.bytes().all(is_plain) {
            return false;
        }
        // As a browser reads it, which takes `..` out, also an encoded one.
        let Ok(url) = Url::parse(&self.origin).and_then(|origin| origin.join(path)) else { return false };
        let rest = url.path().strip_prefix(&self.base);
        url.origin().ascii_serialization() == self.origin
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The page that a sign-in goes on to; empty where what came is no page of the console.
    pub fn own_path(&self, path: String) -> String {
        if self.is_own_path(&path) { path } else { String::new() }
    }
}
