//! What PayMongo is asked: payments, intents, pages, links and refunds, by their ids. It cannot be
//! asked by our own id. Source: developers.paymongo.com/reference (retrieve …).

use async_trait::async_trait;

use super::resource;
use crate::payments::api::http::{Credential, JsonApi, segment};
use crate::payments::api::{About, ApiError, NewStart, ProcessorApi, Started};
use crate::payments::document::need;
use crate::payments::facts::{Fact, ObjectId};
use crate::types::secret::SecretText;

const BASE_URL: &str = "https://api.paymongo.com/";

/// PayMongo's API with one key.
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
}

/// Where objects of an id stand.
fn place(id: &ObjectId) -> Option<&'static str> {
    match id.as_str().split_once('_')?.0 {
        "pay" => Some("payments"),
        "pi" => Some("payment_intents"),
        "cs" => Some("checkout_sessions"),
        "link" => Some("links"),
        "ref" => Some("refunds"),
        _ => None,
    }
}

#[async_trait]
impl ProcessorApi for Api {
    /// The operator's own page makes the intent or page, with our id in its metadata.
    async fn start(&self, _new: &NewStart<'_>) -> Result<Started, ApiError> {
        Ok(Started::default())
    }

    fn can_look_up(&self, id: &ObjectId) -> bool {
        place(id).is_some()
    }

    async fn look_up(&self, id: &ObjectId, _about: &About) -> Result<Vec<Fact>, ApiError> {
        let Some(place) = place(id) else { return Ok(Vec::new()) };
        let path = format!("v1/{place}/{}", segment(id)?);
        let credential = Credential::Basic(&self.key, &self.password);
        let Some(answer) = self.http.get(credential, &path, &[]).await? else {
            return Ok(Vec::new());
        };
        let mut facts = resource(need(answer.root().object("/data")?)?)?;
        // A webhook tells of a page only when it was paid; here it may not be yet.
        let is_paid = facts.totals().ok().flatten().is_some_and(|it| it.captured_micros > 0);
        for session in facts.sessions.values_mut().filter(|_| !is_paid) {
            (session.completed, session.paid) = (false, false);
        }
        Ok(vec![Fact::Payment(Box::new(facts))])
    }

    async fn find(&self, _about: &About) -> Result<Vec<Fact>, ApiError> {
        Ok(Vec::new())
    }
}
