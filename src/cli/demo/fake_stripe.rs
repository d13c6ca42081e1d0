//! A Stripe that plays along, on loopback: it makes payment pages, takes whoever opens one for a
//! payer with money, and tells of the payment by webhooks that are signed as Stripe signs its own.
//! The first of them comes twice, as happens. What it cannot do the demo does not show.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::ctx::Ctx;
use crate::sys::Clock;
use crate::types::secret::SecretText;

/// A form that is longer is not of the server's, in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// A webhook to our own machine is answered within milliseconds.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Stripe's API and payment pages are found below these.
const API: &str = "/v1";
const PAY: &str = "/pay/";

/// Serves until it is dropped.
pub(super) struct FakeStripe {
    /// Where its API is, without a path.
    pub(super) url: String,
    /// What its webhooks are signed with.
    pub(super) webhook_secret: SecretText,
    desk: Arc<Desk>,
    serving: AbortHandle,
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What it knows, and what it calls with.
struct Desk {
    url: String,
    secret: SecretText,
    clock: Clock,
    client: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where webhooks go.
    hook: Option<String>,
    /// By their ids.
    pages: BTreeMap<String, Page>,
    /// All that it told, oldest first.
    events: Vec<Value>,
}

/// A page where one can pay.
#[derive(Clone)]
struct Page {
    /// The server's id of the payment.
    reference: String,
    units: i64,
    currency: String,
}

impl FakeStripe {
    /// Serves on `port`, 0 for a free one.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub(super) async fn start(ctx: &Ctx, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let secret = data_encoding::HEXLOWER.encode(&ctx.randomness.bytes::<16>());
        let webhook_secret = SecretText::new(format!("whsec_{secret}"));
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIME_MAX).build();
        let desk = Arc::new(Desk {
            url: url.clone(),
            secret: webhook_secret.clone(),
            clock: ctx.clock.clone(),
            client: client.map_err(std::io::Error::other)?,
            state: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&desk))).abort_handle();
        Ok(Self { url, webhook_secret, desk, serving })
    }

    /// Webhooks go there from now on.
    pub(super) fn tell(&self, hook: String) {
        self.desk.state().hook = Some(hook);
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    // A connection that cannot be accepted is tried again by whoever wants it.
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let desk = Arc::clone(&desk);
        let service = service_fn(move |request| answer(Arc::clone(&desk), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    desk: Arc<Desk>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let (status, text) = match (&parts.method, path.strip_prefix(API), path.strip_prefix(PAY)) {
        (&Method::POST, Some("/checkout/sessions"), _) => {
            let form = Limited::new(body, FORM_BYTES_MAX).collect().await;
            form.ok().map_or_else(not_found, |form| desk.make_page(&form.to_bytes()))
        }
        (&Method::GET, Some("/events"), _) => (StatusCode::OK, desk.events().to_string()),
        (&Method::GET, _, Some(page)) => desk.pay(page).await,
        _ => not_found(),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

fn not_found() -> (StatusCode, String) {
    let error = json!({ "error": { "type": "invalid_request_error" } });
    (StatusCode::NOT_FOUND, error.to_string())
}

impl Desk {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page for a payment; the same payment gets the same one.
    fn make_page(&self, form: &[u8]) -> (StatusCode, String) {
        // A form reads as the query of an address.
        let form = format!("{}/?{}", self.url, String::from_utf8_lossy(form));
        let Ok(form) = reqwest::Url::parse(&form) else { return not_found() };
        let value = |name: &str| {
            let found = form.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let page = Page {
            reference: value("client_reference_id"),
            units: value("line_items[0][price_data][unit_amount]").parse().unwrap_or_default(),
            currency: value("line_items[0][price_data][currency]"),
        };
        let id = format!("cs_{}", page.name());
        let mut object = page.session("open", "unpaid");
        object["url"] = json!(format!("{}{PAY}{id}", self.url));
        self.state().pages.insert(id, page);
        (StatusCode::OK, object.to_string())
    }

    /// What was told, newest first.
    fn events(&self) -> Value {
        let events: Vec<Value> = self.state().events.iter().rev().cloned().collect();
        json!({ "object": "list", "data": events, "has_more": false })
    }

    /// Somebody pays: the server is told.
    async fn pay(&self, page: &str) -> (StatusCode, String) {
        let (page, hook) = {
            let state = self.state();
            (state.pages.get(page).cloned(), state.hook.clone())
        };
        let (Some(page), Some(hook)) = (page, hook) else { return not_found() };
        let events = page.events(self.clock.now().0.div_euclid(1_000));
        self.state().events.extend(events.clone());
        for event in events.iter().chain(events.first()) {
            if let Err(fault) = self.post(&hook, event).await {
                return (StatusCode::BAD_GATEWAY, format!("{}: {fault}\n", event["type"]));
            }
        }
        (StatusCode::OK, "Paid. Stripe has told the server.\n".to_owned())
    }

    /// Posts a webhook, signed as docs.stripe.com/webhooks#verify-manually has it.
    async fn post(&self, hook: &str, event: &Value) -> Result<(), reqwest::Error> {
        let body = event.to_string();
        let time = self.clock.now().0.div_euclid(1_000).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body.as_bytes());
        let tag = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        let request =
            self.client.post(hook).header("stripe-signature", format!("t={time},v1={tag}"));
        request.body(body).send().await?.error_for_status().map(drop)
    }
}

impl Page {
    /// What its objects are called: the reference behind its prefix.
    fn name(&self) -> &str {
        self.reference.rsplit('_').next().unwrap_or_default()
    }

    fn session(&self, status: &str, payment_status: &str) -> Value {
        let is_paid = payment_status == "paid";
        json!({
            "id": format!("cs_{}", self.name()),
            "object": "checkout.session",
            "amount_total": self.units,
            "currency": self.currency,
            "client_reference_id": self.reference,
            "metadata": { "heliograph_payment_id": self.reference },
            "payment_intent": is_paid.then(|| format!("pi_{}", self.name())),
            "payment_status": payment_status,
            "status": status,
        })
    }

    /// What Stripe tells of a payment by card.
    fn events(&self, now_s: i64) -> Vec<Value> {
        let event = |kind: &str, object: Value| {
            json!({
                "id": format!("evt_{}_{}", kind.replace('.', "_"), self.name()),
                "object": "event",
                "created": now_s,
                "livemode": false,
                "type": kind,
                "data": { "object": object },
            })
        };
        let intent = json!({
            "id": format!("pi_{}", self.name()),
            "object": "payment_intent",
            "amount": self.units,
            "amount_capturable": 0,
            "amount_received": self.units,
            "currency": self.currency,
            "metadata": { "heliograph_payment_id": self.reference },
            "status": "succeeded",
        });
        vec![
            event("payment_intent.succeeded", intent),
            event("checkout.session.completed", self.session("complete", "paid")),
        ]
    }
}
