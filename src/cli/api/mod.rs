//! The way from commands to the admin API: over HTTP to a running service, or in this process on the database of the
//! configuration. A command works the same on both.

mod database;
mod options;
mod path;
mod problem;
mod server;

use std::path::Path;

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::Value;

use super::CommandError;
use database::DatabaseApi;
pub(super) use options::ApiOptions;
pub(super) use path::{api_path, with_query};
pub(super) use problem::ApiProblem;
use server::ServerApi;

/// The most items of one page.
const PAGE: usize = 200;

/// The admin API.
pub(super) struct Api {
    way: Way,
}

/// How requests reach the API.
enum Way {
    Server(ServerApi),
    Database(DatabaseApi),
}

/// The parts of an answer of the API that commands read.
struct ApiAnswer {
    status: StatusCode,
    body: Bytes,
    /// The cause of a failure, which only the way in this process knows.
    cause: Option<String>,
}

impl Api {
    /// Opens the service that the options name, or else the database of the configuration.
    pub(super) async fn open(options: &ApiOptions, config: Option<&Path>) -> Result<Self, CommandError> {
        let way = match options.server()? {
            Some(address) => Way::Server(ServerApi::new(address, options)?),
            None => Way::Database(DatabaseApi::open(config).await?),
        };
        Ok(Self { way })
    }

    /// The service or the database in words, such as `at https://auth.example.com`. No secret is in them.
    pub(super) fn place(&self) -> String {
        match &self.way {
            Way::Server(server) => format!("at {}", server.address()),
            Way::Database(database) => format!("in {}", database.shown()),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, ApiProblem> {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, ApiProblem> {
        self.send(Method::POST, path, body).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, ApiProblem> {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, ApiProblem> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, ApiProblem> {
        self.send(Method::DELETE, path, None).await
    }

    /// Every item of a list, from all of its pages.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, ApiProblem> {
        let list = self.list(path, None, usize::MAX).await?;
        Ok(match list {
            Value::Object(mut list) => match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        })
    }

    /// The first `limit` items of a list after a cursor, as one page: `{"items":[…],"next_cursor":…}`.
    pub(super) async fn list(
        &self,
        path: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Value, ApiProblem> {
        let (mut items, mut cursor) = (Vec::new(), cursor.map(str::to_owned));
        loop {
            let wanted = (limit - items.len()).min(PAGE).to_string();
            let mut query = vec![("limit", wanted.as_str())];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.get(&with_query(path, query)).await?;
            let Some(found) = page.get("items").and_then(Value::as_array) else {
                return Err(ApiProblem::NotAList(path.to_owned()));
            };
            items.extend(found.iter().cloned());
            let next = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || next == cursor || items.len() >= limit {
                return Ok(serde_json::json!({ "items": items, "next_cursor": next }));
            }
            cursor = next;
        }
    }

    /// Ends the use of the database, if that is the way.
    pub(super) async fn close(self) {
        if let Way::Database(database) = self.way {
            database.close().await;
        }
    }

    /// Sends a request and reads the answer. An answer without a body is null.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiProblem> {
        let mut request = Request::builder().method(method).header(header::ACCEPT, "application/json");
        let mut bytes = Vec::new();
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            bytes = body.to_string().into_bytes();
        }
        let answer = match &self.way {
            Way::Server(server) => server.send(request, path, bytes).await?,
            Way::Database(database) => database.send(request, path, bytes).await?,
        };
        let ApiAnswer { status, body, cause } = answer;
        if status.is_success() && body.is_empty() {
            return Ok(Value::Null);
        }
        let json = serde_json::from_slice(&body).map_err(|_| ApiProblem::NotTheApi(status.as_u16()));
        match status.is_success() {
            true => json,
            false => Err(ApiProblem::refused(status.as_u16(), json?, path, cause)),
        }
    }
}
