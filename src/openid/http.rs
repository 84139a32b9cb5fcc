//! The HTTP client of the crate openidconnect: the guarded one.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::idp::fetch::{FetchError, Fetcher};

/// A client that keeps to the rules of [`Fetcher`].
pub(super) struct GuardedHttp(pub Fetcher);

impl<'c> AsyncHttpClient<'c> for GuardedHttp {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request))
    }
}
