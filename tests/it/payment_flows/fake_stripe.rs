//! A Stripe that says what a test tells it to, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: String,
    pub idempotency_key: Option<String>,
    pub authorization: String,
}

#[derive(Default)]
struct Inner {
    answers: HashMap<String, (u16, Value)>,
    asked: Vec<Asked>,
}

/// The fake; it ends with the test's runtime.
#[derive(Clone, Default)]
pub struct StripeFake {
    inner: Arc<Mutex<Inner>>,
    pub url: String,
}

impl StripeFake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Mutex::new(Inner::default()));
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, url }
    }

    /// What a path answers from now on.
    pub fn answers(&self, path: &str, status: u16, body: Value) {
        self.inner.lock().unwrap().answers.insert(path.to_owned(), (status, body));
    }

    /// What a path answers to one method, whatever it answers to others.
    pub fn answers_to(&self, method: &str, path: &str, status: u16, body: Value) {
        self.answers(&format!("{method} {path}"), status, body);
    }

    /// What came so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        idempotency_key: header("idempotency-key"),
        authorization: header("authorization").unwrap_or_default(),
    };
    let mut inner = inner.lock().unwrap();
    let unknown = (404, json!({ "error": { "type": "invalid_request_error" } }));
    let exact = inner.answers.get(&format!("{} {}", asked.method, asked.path));
    let (status, answer) =
        exact.or_else(|| inner.answers.get(&asked.path)).cloned().unwrap_or(unknown);
    inner.asked.push(asked);
    Response::builder().status(status).body(Body::from(answer.to_string())).expect("an answer")
}
