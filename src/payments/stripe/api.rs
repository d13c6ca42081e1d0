//! Calls of Stripe's API: a payment page, a refund, and what Stripe lists. Called by the commands and
//! sweeps, never inside a transaction.
//!
//! Requests are built and sent by the `stripe` crates; answers are read by pointer as webhooks are,
//! so that both give the same facts, and nothing else of them is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use entity::enums::PaymentFlow;
use entity::ids::PaymentId;
use serde::Serialize;
use stripe::{ClientBuilder, CustomizedStripeRequest, IdempotencyKey, StripeError, StripeRequest};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionCustomerCreation, CreateCheckoutSessionLineItems,
    CreateCheckoutSessionLineItemsPriceData, CreateCheckoutSessionPaymentIntentData,
    CreateCheckoutSessionPaymentIntentDataSetupFutureUsage, ProductData,
};
use stripe_client_core::{RequestBuilder, RequestStrategy, StripeClient, StripeMethod};
use stripe_core::refund::CreateRefund;

use super::objects;
use crate::payments::api::{About, ApiError, NewStart, ProcessorApi, Started};
use crate::payments::document::{Document, Object, need};
use crate::payments::facts::{
    Currency, Fact, Money, ObjectId, PAYMENT_METADATA_KEY, PaymentFacts, PaymentReference, scale_of,
};
use crate::payments::processor::{Processor, Trust, Unreadable, Verified};
use crate::types::secret::SecretText;

/// Longest wait for one answer: Stripe answers within seconds, and a person may be waiting.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// Events on one page: as many as Stripe gives.
const EVENTS_PAGE_ROWS: u32 = 100;

impl From<StripeError> for ApiError {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Stripe(_, status @ (409 | 429 | 500..)) => {
                tracing::debug!(status, "Stripe cannot answer now");
                Self::Unreachable
            }
            StripeError::Stripe(_, status) => Self::Refused(status),
            StripeError::ConfigError(_) => Self::Misconfigured,
            StripeError::JSONDeserialize(_)
            | StripeError::ClientError(_)
            | StripeError::Timeout => Self::Unreachable,
        }
    }
}

/// Stripe's API with one key.
pub(in crate::payments) struct Api(stripe::Client);

/// Keeps the bytes of an answer away from the crate's own types.
struct Capture<'a> {
    client: &'a stripe::Client,
    answer: Mutex<Bytes>,
}

impl StripeClient for Capture<'_> {
    type Err = StripeError;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, StripeError> {
        let answer = self.client.execute(request).await?;
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        Ok(Bytes::from_static(b"null"))
    }
}

/// A listed event that cannot be read.
pub(in crate::payments) struct UnreadableEvent {
    /// Its id as it is written, of whatever form: not to be kept or shown as it is.
    pub(in crate::payments) id: String,
    pub(in crate::payments) reason: Unreadable,
}

/// One page of Stripe's list of events, newest first.
pub(in crate::payments) struct EventsPage {
    pub(in crate::payments) events: Vec<Verified>,
    pub(in crate::payments) unreadable: Vec<UnreadableEvent>,
    /// Where the next page begins.
    pub(in crate::payments) next: Option<String>,
}

#[derive(Serialize)]
struct EventsQuery<'a> {
    limit: u32,
    created: BTreeMap<&'a str, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<&'a str>,
}

#[derive(Serialize)]
struct NewIntent<'a> {
    amount: i64,
    currency: String,
    metadata: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct RefundsQuery<'a> {
    payment_intent: &'a str,
    limit: u32,
}

impl Api {
    /// # Errors
    /// [`ApiError::Misconfigured`].
    pub(in crate::payments) fn new(
        key: &SecretText,
        base_url: Option<&str>,
    ) -> Result<Self, ApiError> {
        let mut builder = ClientBuilder::new(key.expose()).timeout(ANSWER_TIME_MAX);
        if let Some(url) = base_url {
            builder = builder.url(url);
        }
        Ok(Self(builder.build()?))
    }

    pub(super) async fn call(
        &self,
        request: RequestBuilder,
        idempotency_key: Option<&str>,
    ) -> Result<Document, ApiError> {
        let strategy = match idempotency_key {
            Some(key) => {
                let key = IdempotencyKey::new(key).map_err(|_| ApiError::Misconfigured)?;
                RequestStrategy::Idempotent(key)
            }
            None => RequestStrategy::Once,
        };
        let capture = Capture { client: &self.0, answer: Mutex::default() };
        request.customize::<()>().request_strategy(strategy).send(&capture).await?;
        let answer = capture.answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Document::parse(&answer)?)
    }

    async fn get(&self, path: String) -> Result<Document, ApiError> {
        self.call(RequestBuilder::new(StripeMethod::Get, path), None).await
    }

    async fn make_page(&self, new: &NewStart<'_>) -> Result<Started, ApiError> {
        let id = new.payment_id.to_string();
        let metadata = HashMap::from([(PAYMENT_METADATA_KEY.to_owned(), id.clone())]);
        let Some(units) = stripe_units(new.amount)? else { return Err(ApiError::Refused(400)) };
        let price = CreateCheckoutSessionLineItemsPriceData {
            product_data: Some(ProductData::new(new.title)),
            unit_amount: Some(units),
            ..CreateCheckoutSessionLineItemsPriceData::new(stripe_currency(new.amount.currency)?)
        };
        let item = CreateCheckoutSessionLineItems {
            price_data: Some(price),
            quantity: Some(1),
            ..CreateCheckoutSessionLineItems::new()
        };
        let mut intent = CreateCheckoutSessionPaymentIntentData::new();
        intent.metadata = Some(metadata.clone());
        if new.saves_method {
            use CreateCheckoutSessionPaymentIntentDataSetupFutureUsage::OffSession;
            intent.setup_future_usage = Some(OffSession);
        }
        let mut request = CreateCheckoutSession::new()
            .mode(stripe_shared::CheckoutSessionMode::Payment)
            .line_items(vec![item])
            .metadata(metadata)
            .payment_intent_data(intent)
            .client_reference_id(id.clone())
            .success_url(new.return_url)
            .cancel_url(new.return_url);
        if new.saves_method {
            // Without a customer Stripe keeps the means of payment for nobody.
            request = request.customer_creation(CreateCheckoutSessionCustomerCreation::Always);
        }
        let answer = self.call(request.build(), Some(&id)).await?;
        let root = answer.root();
        let url = need(root.text("/url")?)?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Unreadable::WrongType.into());
        }
        Ok(Started {
            redirect_url: Some(url.to_owned()),
            client_secret: None,
            facts: Some(about(new.payment_id, objects::checkout_session(root, "")?)),
        })
    }

    /// Makes an intent, which a form of Stripe's pays with its secret.
    async fn make_intent(&self, new: &NewStart<'_>) -> Result<Started, ApiError> {
        let id = new.payment_id.to_string();
        let Some(units) = stripe_units(new.amount)? else { return Err(ApiError::Refused(400)) };
        let form = NewIntent {
            amount: units,
            currency: new.amount.currency.as_str().to_ascii_lowercase(),
            metadata: BTreeMap::from([(PAYMENT_METADATA_KEY, id.as_str())]),
        };
        let request = RequestBuilder::new(StripeMethod::Post, "/payment_intents").form(&form);
        let answer = self.call(request, Some(&id)).await?;
        let root = answer.root();
        let secret = need(root.text("/client_secret")?)?;
        Ok(Started {
            redirect_url: None,
            client_secret: Some(SecretText::new(secret.to_owned())),
            facts: Some(about(new.payment_id, objects::payment_intent(root, "created")?)),
        })
    }

    /// Gives money back.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn refund(
        &self,
        intent: &ObjectId,
        amount: Money,
        reference: PaymentId,
        idempotency_key: &str,
    ) -> Result<Fact, ApiError> {
        let Some(units) = stripe_units(amount)? else { return Err(ApiError::Refused(400)) };
        let metadata = HashMap::from([(PAYMENT_METADATA_KEY.to_owned(), reference.to_string())]);
        let request =
            CreateRefund::new().payment_intent(intent.as_str()).amount(units).metadata(metadata);
        let answer = self.call(request.build(), Some(idempotency_key)).await?;
        Ok(about(reference, objects::refund(answer.root())?))
    }

    /// Events since a time, newest first.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn events(
        &self,
        since_s: i64,
        after: Option<&str>,
    ) -> Result<EventsPage, ApiError> {
        let query = EventsQuery {
            limit: EVENTS_PAGE_ROWS,
            created: BTreeMap::from([("gte", since_s)]),
            starting_after: after,
        };
        let request = RequestBuilder::new(StripeMethod::Get, "/events").query(&query);
        let answer = self.call(request, None).await?;
        let root = answer.root();
        let rows = root.objects("/data")?;
        let trust = Trust { hint_only: false, livemode: None };
        let (mut events, mut unreadable) = (Vec::new(), Vec::new());
        for row in &rows {
            match super::read_event(*row, trust) {
                Ok(event) => events.push(event),
                Err(reason) => {
                    let id = row.text("/id").ok().flatten().unwrap_or_default().to_owned();
                    unreadable.push(UnreadableEvent { id, reason });
                }
            }
        }
        let next = match (root.truth("/has_more")?, rows.last()) {
            (Some(true), Some(row)) => row.text("/id")?.map(str::to_owned),
            _ => None,
        };
        Ok(EventsPage { events, unreadable, next })
    }
}

#[async_trait]
impl ProcessorApi for Api {
    async fn start(&self, new: &NewStart<'_>) -> Result<Started, ApiError> {
        match new.flow {
            PaymentFlow::HostedPage => self.make_page(new).await,
            PaymentFlow::Intent => self.make_intent(new).await,
            PaymentFlow::PhonePrompt | PaymentFlow::Reference => Ok(Started::default()),
        }
    }

    fn can_look_up(&self, id: &ObjectId) -> bool {
        matches!(prefix(id), "pi" | "cs" | "txn")
    }

    /// An intent with its charge and refunds, a page, or a line of Stripe's books. Our id goes to
    /// what has no metadata of its own.
    async fn look_up(&self, id: &ObjectId, about: &About) -> Result<Vec<Fact>, ApiError> {
        let (kind, id) = (prefix(id), id.as_str());
        match kind {
            "pi" => {
                let answer =
                    self.get(format!("/payment_intents/{id}?expand[]=latest_charge")).await?;
                let mut facts = intent(answer.root())?;
                let query = RefundsQuery { payment_intent: id, limit: EVENTS_PAGE_ROWS };
                let request = RequestBuilder::new(StripeMethod::Get, "/refunds").query(&query);
                if facts.iter().any(has_been_collected) {
                    let answer = self.call(request, None).await?;
                    for refund in answer.root().objects("/data")? {
                        facts.push(objects::refund(refund)?);
                    }
                }
                Ok(facts)
            }
            "cs" => {
                let answer = self.get(format!("/checkout/sessions/{id}")).await?;
                Ok(vec![objects::checkout_session(answer.root(), "")?])
            }
            "txn" => {
                let answer = self.get(format!("/balance_transactions/{id}")).await?;
                let line = objects::balance_transaction(answer.root())?;
                let mut facts = PaymentFacts::default();
                facts.references.extend(about.reference.clone());
                facts.balance_transactions.insert(line.id.clone(), Some(line));
                Ok(vec![Fact::Payment(Box::new(facts))])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Stripe is asked by starting the payment again, under the same key.
    async fn find(&self, _about: &About) -> Result<Vec<Fact>, ApiError> {
        Ok(Vec::new())
    }
}

fn prefix(id: &ObjectId) -> &str {
    id.as_str().split_once('_').map_or("", |(prefix, _)| prefix)
}

/// The fact with our payment's id: we asked for it, so we know whose it is.
pub(super) fn about(payment_id: PaymentId, mut fact: Fact) -> Fact {
    if let Fact::Payment(facts) = &mut fact {
        facts.references.extend(PaymentReference::parse(&payment_id.to_string()));
    }
    fact
}

fn has_been_collected(fact: &Fact) -> bool {
    matches!(fact, Fact::Payment(facts) if facts.has_been_collected())
}

/// An intent as the API shows it, as if its last event had come.
pub(super) fn intent(object: Object<'_>) -> Result<Vec<Fact>, Unreadable> {
    let change = match need(object.text("/status")?)? {
        "succeeded" => "succeeded",
        "processing" => "processing",
        "requires_action" => "requires_action",
        "canceled" => "canceled",
        "requires_payment_method" if object.object("/last_payment_error")?.is_some() => {
            "payment_failed"
        }
        _ => "created",
    };
    let mut facts = vec![objects::payment_intent(object, change)?];
    if let Ok(Some(charge)) = object.object("/latest_charge") {
        facts.extend(objects::charge(charge)?);
    }
    Ok(facts)
}

/// The amount in Stripe's units; `None` if it is finer.
///
/// # Errors
/// A currency that Stripe does not settle.
pub(super) fn stripe_units(amount: Money) -> Result<Option<i64>, Unreadable> {
    Ok(scale_of(Processor::Stripe, amount.currency.as_str())?.units_of(amount.amount_micros))
}

fn stripe_currency(currency: Currency) -> Result<stripe_types::Currency, Unreadable> {
    let code = currency.as_str().to_ascii_lowercase();
    code.parse().map_err(|_| Unreadable::BadCurrency)
}
