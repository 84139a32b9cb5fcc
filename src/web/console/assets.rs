//! Style sheet, script and icons. Their path contains a digest of their content, so browsers keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use crate::random::digest;

#[derive(RustEmbed)]
#[folder = "src/web/console/assets"]
struct Assets;

/// A digest of all assets.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut all = String::new();
        for name in Assets::iter() {
            let hash = Assets::get(&name).map(|file| file.metadata.sha256_hash());
            all.push_str(&format!("{name} {hash:?}\n"));
        }
        digest(&all).chars().take(12).collect()
    });
    &VERSION
}

/// `GET /assets/{version}/{name}`
pub async fn show(Path((asked, name)): Path<(String, String)>) -> Result<Response, StatusCode> {
    let file = Assets::get(&name).filter(|_| asked == version()).ok_or(StatusCode::NOT_FOUND)?;
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, file.data.into_owned()).into_response())
}
