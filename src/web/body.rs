//! Reads a request's body before the request is worked on, so that a slow sender holds no slot of the gate.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use hyper::body::{Body as _, Frame, Incoming};

use super::MAX_BODY;

/// How long a client may take for its request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request extension: the body did not arrive in time.
#[derive(Debug, Clone, Copy)]
pub struct TooSlow;

/// Returns the request with its whole body in memory. A body that is too long is cut one frame beyond the limit, so
/// that handlers refuse it; an error reaches the handler where it occurred.
pub async fn received(request: Request<Incoming>) -> Request {
    let (mut parts, incoming) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, read(incoming)).await {
        Ok(Ok(bytes)) => Body::from(bytes),
        Ok(Err(error)) => Body::new(Broken(Some(error))),
        Err(_) => {
            parts.extensions.insert(TooSlow);
            Body::empty()
        }
    };
    Request::from_parts(parts, body)
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_BODY
        && let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        // Trailers mean nothing here.
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// A body that could not be read. Without this, the part before the error would look like the whole body.
struct Broken(Option<hyper::Error>);

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
