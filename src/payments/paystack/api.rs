//! What Paystack is asked: a transaction by its reference, and its refunds. Source:
//! paystack.com/docs/api/transaction (verify) and /refund (list).

use async_trait::async_trait;

use super::{read_refund, transaction};
use crate::payments::api::http::{Credential, JsonApi, segment};
use crate::payments::api::{About, ApiError, NewStart, ProcessorApi, Started};
use crate::payments::document::{Document, need};
use crate::payments::facts::{Fact, ObjectId};
use crate::types::secret::SecretText;

const BASE_URL: &str = "https://api.paystack.co/";
/// Refunds of one transaction that are read.
const REFUNDS_MAX: u32 = 100;

/// Paystack's API with one key.
pub(in crate::payments) struct Api {
    http: JsonApi,
    key: SecretText,
}

impl Api {
    /// # Errors
    /// [`ApiError::Misconfigured`].
    pub(in crate::payments) fn new(
        key: SecretText,
        base_url: Option<&str>,
    ) -> Result<Self, ApiError> {
        Ok(Self { http: JsonApi::new(base_url.unwrap_or(BASE_URL))?, key })
    }

    async fn get(&self, path: &str) -> Result<Option<Document>, ApiError> {
        match self.http.get(Credential::Bearer(&self.key), path, &[]).await {
            // "Transaction reference not found."
            Err(ApiError::Refused(400)) => Ok(None),
            answer => answer,
        }
    }

    async fn verify(&self, reference: &str) -> Result<Vec<Fact>, ApiError> {
        let Some(answer) = self.get(&format!("transaction/verify/{reference}")).await? else {
            return Ok(Vec::new());
        };
        let (own, mut facts) = transaction(need(answer.root().object("/data")?)?)?;
        if facts.has_been_collected() {
            let path = format!("refund?transaction={}&perPage={REFUNDS_MAX}", segment(&own)?);
            if let Some(answer) = self.get(&path).await? {
                for refund in answer.root().objects("/data")? {
                    let (id, refund) = read_refund(refund)?;
                    facts.refunds.insert(id, refund);
                }
            }
        }
        Ok(vec![Fact::Payment(Box::new(facts))])
    }
}

#[async_trait]
impl ProcessorApi for Api {
    /// The operator's own page initializes the transaction, with our id as its reference.
    async fn start(&self, _new: &NewStart<'_>) -> Result<Started, ApiError> {
        Ok(Started::default())
    }

    /// References only: numbers alone do not say of what they are.
    fn can_look_up(&self, id: &ObjectId) -> bool {
        !id.as_str().bytes().all(|byte| byte.is_ascii_digit()) && segment(id).is_ok()
    }

    async fn look_up(&self, id: &ObjectId, _about: &About) -> Result<Vec<Fact>, ApiError> {
        self.verify(segment(id)?).await
    }

    async fn find(&self, about: &About) -> Result<Vec<Fact>, ApiError> {
        match &about.reference {
            // Paystack takes no underscore in a reference.
            Some(reference) => self.verify(&reference.as_str().replacen('_', "-", 1)).await,
            None => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_numbers_are_not_looked_up() {
        let api = Api::new(SecretText::new("sk".to_owned()), None).expect("an API");
        for (id, expected) in
            [("pay-1", true), ("a.b", true), ("4099260516", false), ("..", false), (".", false)]
        {
            let id = ObjectId::try_from(id.to_owned()).expect("an id");
            assert_eq!(api.can_look_up(&id), expected, "{id:?}");
        }
    }
}
