//! Paged lists: from `?limit=&cursor=` to `{"items":[…],"next_cursor":…}`.

use axum::Json;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::problem::Problem;
use crate::store::Page;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Which page is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The maximum number of items, 1 to 200; 50 by default.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many items; 50 when it is not said.
    pub fn limit(&self) -> Result<i64, Problem> {
        let Some(text) = &self.limit else { return Ok(DEFAULT_LIMIT) };
        text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
            let detail = format!("limit must be between 1 and {MAX_LIMIT}.");
            Problem::new(StatusCode::BAD_REQUEST, "limit_invalid", detail)
        })
    }

    /// The key after which the page begins.
    pub fn after(&self) -> Result<Option<String>, Problem> {
        self.cursor.as_deref().map(|cursor| decode(cursor).ok_or_else(cursor_invalid)).transpose()
    }

    /// The row before which the page begins, in lists with the newest first.
    pub fn before(&self) -> Result<Option<i64>, Problem> {
        self.after()?.map(|key| key.parse().map_err(|_| cursor_invalid())).transpose()
    }
}

/// A page of sorted things that are in memory.
pub fn of_sorted<T>(
    items: impl Iterator<Item = T>,
    query: &PageQuery,
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, Problem> {
    let (limit, after) = (query.limit()?, query.after()?);
    let rest = items.filter(|item| after.as_ref().is_none_or(|after| key(item) > *after));
    let most = usize::try_from(limit + 1).unwrap_or(usize::MAX);
    Ok(Page::of(rest.take(most).collect(), limit, &key))
}

/// A page as answered. The cursor is opaque, so that clients do not build their own.
pub fn answer<T>(page: Page<T>, view: impl Fn(T) -> Value) -> Json<Value> {
    let next_cursor = page.next_cursor.map(|key| URL_SAFE_NO_PAD.encode(key));
    let items: Vec<Value> = page.items.into_iter().map(view).collect();
    Json(json!({ "items": items, "next_cursor": next_cursor }))
}

fn decode(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

/// The refusal of a cursor that was not answered here.
pub fn cursor_invalid() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "cursor_invalid", "cursor is none that was answered here.")
}
