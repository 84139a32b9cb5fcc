//! Between the proxies and the service: remembers what they ask, and can go away.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use tokio::runtime::Runtime;

use crate::harness::http;

/// What a proxy has asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Question {
    /// The values of a header, as one line.
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        values.collect::<Vec<_>>().join(", ")
    }
}

struct Passage {
    issuer: String,
    http: reqwest::Client,
    questions: Mutex<Vec<Question>>,
    is_silent: AtomicBool,
}

pub struct Relay {
    pub address: SocketAddr,
    passage: Arc<Passage>,
    /// Its own, so that its connections end with it.
    runtime: Option<Runtime>,
}

impl Relay {
    pub fn start(issuer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (issuer, http, questions) = (issuer.to_owned(), http(), Mutex::default());
        let passage = Arc::new(Passage { issuer, http, questions, is_silent: AtomicBool::new(false) });
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&passage));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { address, passage, runtime: Some(runtime) }
    }

    /// The last question about a resource.
    pub fn last_about(&self, resource_id: &str) -> Question {
        let prefix = format!("/forward-auth/{resource_id}");
        let questions = self.passage.questions.lock().unwrap();
        questions.iter().rfind(|question| question.path.starts_with(&prefix)).expect("a question").clone()
    }

    /// From now on it takes questions and never answers.
    pub fn fall_silent(&self) {
        self.passage.is_silent.store(true, Ordering::Relaxed);
    }

    /// From now on, connections to it are refused.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn pass_on(State(passage): State<Arc<Passage>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    let question = Question { path, headers: parts.headers.clone(), body: body.clone() };
    passage.questions.lock().unwrap().push(question);
    if passage.is_silent.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let mut headers = parts.headers;
    headers.remove(header::CONNECTION);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let url = format!("{}{}", passage.issuer, parts.uri.path_and_query().unwrap());
    let asked = passage.http.request(parts.method, url).headers(headers).body(body);
    let answer = asked.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}
