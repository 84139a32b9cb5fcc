//! Serves a router, over TLS or without: drops slow clients, and lets requests finish on a stop.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::admission::admit;
use super::stream::{HEAD_TIMEOUT, IDLE_TIMEOUT, Phase, TimedStream};
use crate::limits::connections::ConnectionSlot;
use crate::limits::gate::Gate;
use crate::tls::ServerTls;

/// Most bytes of a request's head.
const MAX_HEAD: usize = 32 * 1024;
/// How long kept-alive connections may still bring requests after a stop. Closing them at once would cut off requests
/// under way.
const LINGER: Duration = Duration::from_secs(2);
/// How long requests may take to finish after that.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves plain HTTP until `stop` resolves, then lets open requests finish. From then on, every answer says that its
/// connection closes.
pub async fn serve(listener: TcpListener, router: Router, gate: Arc<Gate>, stop: impl Future<Output = ()>) {
    serve_with(None, listener, router, gate, stop).await;
}

/// Serves as [`serve`] does, over TLS if there is a certificate.
pub async fn serve_with(
    tls: Option<Arc<ServerTls>>,
    listener: TcpListener,
    router: Router,
    gate: Arc<Gate>,
    stop: impl Future<Output = ()>,
) {
    let (closing, closed) = watch::channel(());
    let accept = |(stream, peer)| {
        let served = Served { router: router.clone(), gate: Arc::clone(&gate), peer };
        spawn_connection(stream, tls.clone(), served, closed.clone());
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok(connection) => accept(connection),
            Err(error) => {
                // Usually the file descriptors have run out: wait for some to be freed instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    gate.stop();
    while let Some(connection) = waiting(&listener).await {
        accept(connection);
    }
    drop((listener, closed));
    drain(closing).await;
}

/// A connection that was made before the stop and has not been accepted yet.
async fn waiting(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    tokio::select! {
        biased;
        accepted = listener.accept() => accepted.ok(),
        () = tokio::task::yield_now() => None,
    }
}

/// Waits for all connections to end; each of them holds a receiver.
async fn drain(closing: watch::Sender<()>) {
    let all_closed = async {
        if tokio::time::timeout(LINGER, closing.closed()).await.is_err() {
            let _ = closing.send(());
            closing.closed().await;
        }
    };
    if tokio::time::timeout(LINGER + DRAIN, all_closed).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// The parts that a connection needs.
#[derive(Clone)]
struct Served {
    router: Router,
    gate: Arc<Gate>,
    peer: SocketAddr,
}

fn spawn_connection(
    stream: TcpStream,
    tls: Option<Arc<ServerTls>>,
    served: Served,
    closing: watch::Receiver<()>,
) {
    // It is closed without an answer: some clients fail on an answer that comes before their request.
    let Some(place) = served.gate.connections.enter(served.peer.ip()) else { return };
    // Small answers must not wait for the acknowledgement of the previous one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = TimedStream::new(stream);
    let phase = stream.phase();
    let open = OpenConnection { served, phase, closing, _place: place };
    match tls {
        Some(tls) => drop(tokio::spawn(run_tls_connection(stream, tls, open))),
        None => drop(tokio::spawn(run_connection(stream, open))),
    }
}

/// An open connection, except for its stream.
struct OpenConnection {
    served: Served,
    phase: Phase,
    closing: watch::Receiver<()>,
    _place: ConnectionSlot,
}

/// Shakes hands, then runs the connection. The handshake and the first request's head share the head's deadline.
async fn run_tls_connection(stream: TimedStream, tls: Arc<ServerTls>, mut open: OpenConnection) {
    let handshake = timeout(HEAD_TIMEOUT, TlsAcceptor::from(tls.config()).accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        _ = open.closing.changed() => return,
    };
    let cause = match shaken {
        Ok(Ok(stream)) => return run_connection(stream, open).await,
        Ok(Err(error)) => error.to_string(),
        Err(late) => late.to_string(),
    };
    tls.count_failed_handshake();
    tracing::debug!(error = cause, peer = %open.served.peer, "a TLS handshake failed");
}

/// Runs a connection to its end or, when told to stop, to the end of the current request.
async fn run_connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, open: OpenConnection) {
    let OpenConnection { served, phase, mut closing, _place } = open;
    let peer = served.peer;
    let service = service_fn(move |request| {
        phase.begin();
        let (served, phase) = (served.clone(), phase.clone());
        async move {
            let response = answer(served, request).await;
            phase.end();
            response
        }
    });
    let connection = http1::Builder::new()
        // The stream has the deadlines; with this timer the library checks whether they have passed.
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT + 2 * HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended");
    }
}

async fn answer(served: Served, request: Request<Incoming>) -> Result<Response, Infallible> {
    let Served { router, gate, peer } = served;
    let mut response = admit(&gate, router, request, peer).await?;
    if gate.is_stopping() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
