//! What Xendit is asked: payments, payment requests, invoices and refunds by their ids, and invoices
//! by our own. Source: docs.xendit.co/apidocs (get payment status, get payment request, get invoice,
//! get refund).

use async_trait::async_trait;

use super::{invoice, payment, refund, request};
use crate::payments::api::http::{Credential, JsonApi, segment};
use crate::payments::api::{About, ApiError, NewStart, ProcessorApi, Started};
use crate::payments::document::Document;
use crate::payments::facts::{Fact, ObjectId, PaymentFacts};
use crate::types::secret::SecretText;

const BASE_URL: &str = "https://api.xendit.co/";
/// The version whose payments have the shape of the webhooks that are read here.
const VERSION: (&str, &str) = ("api-version", "2024-11-11");
/// Characters of an invoice's id.
const INVOICE_CHARS: usize = 24;

/// Xendit's API with one key.
pub(in crate::payments) struct Api {
    http: JsonApi,
    key: SecretText,
    /// The key is the user's name, and there is no password.
    password: SecretText,
}

impl Api {
    /// # Errors
    /// [`ApiError::Misconfigured`].
    pub(in crate::payments) fn new(
        key: SecretText,
        base_url: Option<&str>,
    ) -> Result<Self, ApiError> {
        let http = JsonApi::new(base_url.unwrap_or(BASE_URL))?;
        Ok(Self { http, key, password: SecretText::new(String::new()) })
    }

    async fn get(&self, path: &str) -> Result<Option<Document>, ApiError> {
        self.http.get(Credential::Basic(&self.key, &self.password), path, &[VERSION]).await
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Payment,
    Request,
    Refund,
    Invoice,
}

fn kind(id: &ObjectId) -> Option<Kind> {
    let id = id.as_str();
    let is_invoice = id.len() == INVOICE_CHARS && id.bytes().all(|it| it.is_ascii_hexdigit());
    match id.split_once('-') {
        Some(("py", _)) => Some(Kind::Payment),
        Some(("pr", _)) => Some(Kind::Request),
        Some(("rfd", _)) => Some(Kind::Refund),
        _ => is_invoice.then_some(Kind::Invoice),
    }
}

fn told(facts: PaymentFacts) -> Vec<Fact> {
    vec![Fact::Payment(Box::new(facts))]
}

#[async_trait]
impl ProcessorApi for Api {
    /// The operator's own page makes the invoice or request, with our id as its reference.
    async fn start(&self, _new: &NewStart<'_>) -> Result<Started, ApiError> {
        Ok(Started::default())
    }

    fn can_look_up(&self, id: &ObjectId) -> bool {
        kind(id).is_some()
    }

    async fn look_up(&self, id: &ObjectId, _about: &About) -> Result<Vec<Fact>, ApiError> {
        let Some(kind) = kind(id) else { return Ok(Vec::new()) };
        let place = match kind {
            Kind::Payment => "v3/payments",
            Kind::Request => "v3/payment_requests",
            Kind::Refund => "refunds",
            Kind::Invoice => "v2/invoices",
        };
        let Some(answer) = self.get(&format!("{place}/{}", segment(id)?)).await? else {
            return Ok(Vec::new());
        };
        let root = answer.root();
        Ok(told(match kind {
            Kind::Payment => payment(root)?,
            Kind::Refund => refund(root)?,
            Kind::Invoice => invoice(root)?,
            Kind::Request => {
                let (facts, latest) = request(root)?;
                let Some(latest) = latest else { return Ok(told(facts)) };
                let path = format!("v3/payments/{}", segment(&latest)?);
                let Some(answer) = self.get(&path).await? else { return Ok(told(facts)) };
                let paid = payment(answer.root())?;
                return Ok([told(facts), told(paid)].concat());
            }
        }))
    }

    async fn find(&self, about: &About) -> Result<Vec<Fact>, ApiError> {
        let Some(reference) = &about.reference else { return Ok(Vec::new()) };
        let path = format!("v2/invoices?external_id={}", reference.as_str());
        let Some(answer) = self.get(&path).await? else { return Ok(Vec::new()) };
        let mut facts = Vec::new();
        for found in answer.root().objects("")? {
            let found = invoice(found)?;
            if found.references.contains(reference) {
                facts.extend(told(found));
            }
        }
        Ok(facts)
    }
}
