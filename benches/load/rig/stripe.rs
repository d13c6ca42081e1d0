//! As much of Stripe's API as starting payments takes: pages for payers, and a list of events that
//! is empty, since all of them are posted. It runs in this process.

use axum::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The fake. It ends with the runtime.
pub struct FakeStripe {
    /// Where its API is, without a path.
    pub url: String,
}

impl FakeStripe {
    /// Serves it on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new()
            .route("/v1/checkout/sessions", post(make_page))
            .route("/v1/events", get(list_events))
            .fallback(|| async { StatusCode::NOT_FOUND });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url }
    }
}

/// The same payment gets the same page, as by Stripe's idempotency key.
async fn make_page(body: String) -> Json<Value> {
    // A form reads as the query of an address.
    let form = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
    let value = |name: &str| {
        let found = form.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let reference = value("client_reference_id");
    let cents: u32 = value("line_items[0][price_data][unit_amount]").parse().unwrap();
    Json(json!({
        "id": format!("cs_page_{reference}"),
        "object": "checkout.session",
        "amount_total": cents,
        "currency": value("line_items[0][price_data][currency]"),
        "client_reference_id": reference,
        "payment_status": "unpaid",
        "status": "open",
        "url": "https://checkout.example/pay",
    }))
}

async fn list_events() -> Json<Value> {
    Json(json!({ "object": "list", "data": [], "has_more": false }))
}
