//! The common form of middleware: a step on the request before it is handled, and one on its response. Nothing is
//! boxed, since every sign-in passes through all of them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::oauth::error::TokenError;

/// One job around each request.
pub trait Around {
    /// The facts about the request that are still needed once its response is ready.
    type Kept;

    /// Handles the request first. An error ends the request.
    fn before(&self, request: &mut Request) -> Result<Self::Kept, TokenError>;

    /// Sees the response.
    fn after(_kept: Self::Kept, _response: &mut Response) {}
}

/// Puts a job around a service.
#[derive(Debug, Clone)]
pub struct AroundLayer<A>(pub A);

impl<A: Clone, S> Layer<S> for AroundLayer<A> {
    type Service = AroundService<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        AroundService { job: self.0.clone(), inner }
    }
}

/// A service with a job around it.
#[derive(Debug, Clone)]
pub struct AroundService<A, S> {
    job: A,
    inner: S,
}

impl<A: Around, S: Service<Request>> Service<Request> for AroundService<A, S>
where
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = S::Error;
    type Future = AroundFuture<A, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.job.before(&mut request) {
            Ok(kept) => AroundFuture::Running { kept: Some(kept), running: self.inner.call(request) },
            Err(refusal) => AroundFuture::Refused { refusal: Some(refusal.into_response()) },
        }
    }
}

pin_project! {
    /// The response to come.
    #[project = Projected]
    pub enum AroundFuture<A: Around, F> {
        Running { kept: Option<A::Kept>, #[pin] running: F },
        Refused { refusal: Option<Response> },
    }
}

impl<A: Around, F, R: IntoResponse, E> Future for AroundFuture<A, F>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Running { kept, running } => {
                let mut response = ready!(running.poll(context))?.into_response();
                if let Some(kept) = kept.take() {
                    A::after(kept, &mut response);
                }
                Poll::Ready(Ok(response))
            }
            // A future that is ready is not asked again.
            Projected::Refused { refusal } => Poll::Ready(Ok(refusal.take().unwrap_or_default())),
        }
    }
}
