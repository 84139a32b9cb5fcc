//! Serving a router: slow clients are dropped, and a stop lets requests finish.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use super::body;
use super::gate::Gate;

/// How long a client may take for its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a request's head.
const MAX_HEAD: usize = 32 * 1024;
/// How long requests may take to finish after a stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves, then lets open requests finish.
pub async fn serve(listener: TcpListener, router: Router, gate: Arc<Gate>, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let served = Served { router: router.clone(), gate: Arc::clone(&gate), peer };
                spawn_connection(stream, served, &graceful);
            }
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be freed instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// What a connection needs.
#[derive(Clone)]
struct Served {
    router: Router,
    gate: Arc<Gate>,
    peer: SocketAddr,
}

fn spawn_connection(stream: TcpStream, served: Served, graceful: &GracefulShutdown) {
    let peer = served.peer;
    // Small answers must not wait for the client's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request| answer(served.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, %peer, "a connection ended");
        }
    });
}

async fn answer(served: Served, request: Request<Incoming>) -> Result<Response, Infallible> {
    let mut request = if request.body().is_end_stream() {
        request.map(Body::new)
    } else {
        let Some(_place) = served.gate.receive() else { return Ok(Gate::refusal()) };
        body::received(request).await
    };
    let Some(_place) = served.gate.enter(request.uri().path()) else { return Ok(Gate::refusal()) };
    // The work comes after everybody who has sent a request by now was let in or refused: otherwise, with more
    // requests than the processor can do, the queue would grow in the sockets, where nobody counts it.
    if served.gate.is_crowded() {
        tokio::task::yield_now().await;
    }
    request.extensions_mut().insert(ConnectInfo(served.peer));
    served.router.oneshot(request).await
}
