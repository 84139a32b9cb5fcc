//! Bounds how long a request may be worked on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tokio::time::{Timeout, timeout};
use tower::{Layer, Service};

use crate::oauth::error::TokenError;

/// Answers in place of a service that takes longer than this.
#[derive(Debug, Clone)]
pub struct TimeOutLayer(pub Duration);

impl<S> Layer<S> for TimeOutLayer {
    type Service = TimeOut<S>;

    fn layer(&self, inner: S) -> TimeOut<S> {
        TimeOut { after: self.0, inner }
    }
}

/// A service with a deadline.
#[derive(Debug, Clone)]
pub struct TimeOut<S> {
    after: Duration,
    inner: S,
}

impl<S: Service<Request>> Service<Request> for TimeOut<S>
where
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = S::Error;
    type Future = TimeOutFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        TimeOutFuture { running: timeout(self.after, self.inner.call(request)) }
    }
}

pin_project! {
    /// The response to come, or the refusal.
    pub struct TimeOutFuture<F> {
        #[pin]
        running: Timeout<F>,
    }
}

impl<F, R: IntoResponse, E> Future for TimeOutFuture<F>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().running.poll(context)) {
            Ok(response) => response.map(IntoResponse::into_response),
            Err(_) => Ok(TokenError::timeout().into_response()),
        })
    }
}
