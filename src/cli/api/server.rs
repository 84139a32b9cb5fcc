//! The way over HTTP to a running service.

use std::time::Duration as StdDuration;

use axum::body::Bytes;
use axum::http::request::Builder;
use axum::http::{HeaderValue, Request, StatusCode, header};
use url::Url;

use super::ApiAnswer;
use super::options::ApiOptions;
use super::problem::ApiProblem;
use crate::config::{ByteSize, Duration, Fetch};
use crate::idp::fetch::Fetcher;
use crate::resolver::Resolver;

/// The deadline of one request. The service itself gives up after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Longest accepted answer.
const LONGEST: ByteSize = ByteSize::kib(32 * 1024);
/// How often a request is sent, at most, to a service that asks for patience.
const ATTEMPTS: u32 = 6;
/// The longest wait between two attempts, in seconds, whatever the service says.
const LONGEST_WAIT: u64 = 60;

/// A running service.
pub(super) struct ServerApi {
    fetcher: Fetcher,
    /// Without a slash at its end.
    address: String,
    authorization: HeaderValue,
}

impl ServerApi {
    pub(super) fn new(address: Url, options: &ApiOptions) -> Result<Self, ApiProblem> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", options.token()?.expose()))
            .map_err(|_| ApiProblem::TokenInvalid)?;
        authorization.set_sensitive(true);
        // Whoever runs the command named this origin, so it may be private.
        let fetch = Fetch {
            private_origins: vec![address.origin().ascii_serialization().into()],
            ca_file: options.ca_file(),
            timeout: TIMEOUT,
            max_size: LONGEST,
            ..Fetch::default()
        };
        let fetcher = Fetcher::new(&fetch, &Resolver::new(&fetch))?.for_operators();
        let address = address.as_str().trim_end_matches('/').to_owned();
        Ok(Self { fetcher, address, authorization })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request. While the service has no room for it, waits as long as the service says, a few times.
    pub(super) async fn send(
        &self,
        request: Builder,
        path: &str,
        body: Vec<u8>,
    ) -> Result<ApiAnswer, ApiProblem> {
        let request = request
            .uri(format!("{}/api/v1{path}", self.address))
            .header(header::AUTHORIZATION, &self.authorization)
            .body(body)
            .map_err(|_| ApiProblem::ServerInvalid(self.address.clone()))?;
        let mut attempt = 1;
        loop {
            let answer = self.send_once(request.clone()).await?;
            let wait = wait_of(&answer).filter(|_| attempt < ATTEMPTS);
            let Some(wait) = wait else {
                let (parts, body) = answer.into_parts();
                return Ok(ApiAnswer { status: parts.status, body: Bytes::from(body), cause: None });
            };
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn send_once(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<axum::http::Response<Vec<u8>>, ApiProblem> {
        let not_reached = |why| ApiProblem::NotReached { address: self.address.clone(), why };
        self.fetcher.send(request).await.map_err(not_reached)
    }
}

/// How long the service asks to wait, if it refused the request for now. Nothing of it was done then.
fn wait_of(answer: &axum::http::Response<Vec<u8>>) -> Option<StdDuration> {
    if answer.status() != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let said = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let seconds: u64 = said.unwrap_or(1);
    Some(StdDuration::from_secs(seconds.clamp(1, LONGEST_WAIT)))
}
