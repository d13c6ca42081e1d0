//! Calls of Stripe's API about means of payment that it keeps: charging one without the payer, and
//! forgetting it. Source: docs.stripe.com/payments/save-and-reuse and docs.stripe.com/api/idempotent_requests.

use std::collections::BTreeMap;

use entity::ids::PaymentId;
use serde::Serialize;
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::api::{Api, about, intent, stripe_units};
use crate::payments::api::ApiError;
use crate::payments::facts::{
    Fact, Money, ObjectId, PAYMENT_METADATA_KEY, PaymentFacts, PaymentReference,
};

/// Intents of one payer that are looked through: each payer has the payments of one account.
const INTENTS_PAGE_ROWS: u32 = 100;

/// A charge without the payer.
#[derive(Clone, Copy, Debug)]
pub(in crate::payments) struct NewCharge<'a> {
    pub(in crate::payments) payment_id: PaymentId,
    pub(in crate::payments) amount: Money,
    /// Stripe's id of the payer.
    pub(in crate::payments) customer: &'a str,
    /// Stripe's id of the means of payment.
    pub(in crate::payments) method: &'a str,
}

#[derive(Serialize)]
struct ChargeForm<'a> {
    amount: i64,
    currency: String,
    customer: &'a str,
    payment_method: &'a str,
    off_session: bool,
    confirm: bool,
    metadata: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct IntentsQuery<'a> {
    customer: &'a str,
    limit: u32,
}

impl Api {
    /// Charges a kept means of payment without the payer. The same payment is charged once, as long
    /// as Stripe remembers its id: its id is the key.
    ///
    /// # Errors
    /// [`ApiError`]; `Refused(402)` where the bank declined or asks for the payer.
    pub(in crate::payments) async fn charge(
        &self,
        new: NewCharge<'_>,
    ) -> Result<Vec<Fact>, ApiError> {
        let Some(amount) = stripe_units(new.amount)? else { return Err(ApiError::Refused(400)) };
        let id = new.payment_id.to_string();
        let form = ChargeForm {
            amount,
            currency: new.amount.currency.as_str().to_ascii_lowercase(),
            customer: new.customer,
            payment_method: new.method,
            off_session: true,
            confirm: true,
            metadata: BTreeMap::from([(PAYMENT_METADATA_KEY, id.clone())]),
        };
        let request = RequestBuilder::new(StripeMethod::Post, "/payment_intents").form(&form);
        let answer = self.call(request, Some(&id)).await?;
        let facts = intent(answer.root())?;
        Ok(facts.into_iter().map(|fact| about(new.payment_id, fact)).collect())
    }

    /// What Stripe knows of a payer's intent for a payment; nothing if there is none.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn find_charge(
        &self,
        customer: &str,
        payment_id: PaymentId,
    ) -> Result<Vec<Fact>, ApiError> {
        let query = IntentsQuery { customer, limit: INTENTS_PAGE_ROWS };
        let request = RequestBuilder::new(StripeMethod::Get, "/payment_intents").query(&query);
        let answer = self.call(request, None).await?;
        let wanted = PaymentReference::parse(&payment_id.to_string());
        let mut facts = Vec::new();
        for row in answer.root().objects("/data")? {
            if wanted.is_some() && row.reference() == wanted {
                facts.extend(intent(row)?);
            }
        }
        Ok(facts)
    }

    /// Calls off an intent that failed, so that nothing is collected by it any more.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn cancel(
        &self,
        intent_id: &ObjectId,
    ) -> Result<Vec<Fact>, ApiError> {
        let path = format!("/payment_intents/{}/cancel", intent_id.as_str());
        let answer = self.call(RequestBuilder::new(StripeMethod::Post, path), None).await?;
        Ok(intent(answer.root())?)
    }

    /// Has Stripe forget a means of payment.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn detach(&self, method: &str) -> Result<(), ApiError> {
        let path = format!("/payment_methods/{method}/detach");
        self.call(RequestBuilder::new(StripeMethod::Post, path), None).await.map(drop)
    }
}

/// That Stripe did not begin a payment, and will not.
pub(in crate::payments) fn refused(payment_id: PaymentId) -> Fact {
    let facts = PaymentFacts { refused: true, ..Default::default() };
    about(payment_id, Fact::Payment(Box::new(facts)))
}
