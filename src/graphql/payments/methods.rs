//! Kept means of payment, and automatic top-up.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::automatic_top_up::Model;
use entity::enums;

use super::{Payment, ProcessorKind};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::money::Money;
use crate::graphql::scalars::{CurrencyCode, DateTime, Decimal};
use crate::payments::{
    self, AutomaticTopUpRejection, Method, NewAutomaticTopUp, NotSetUp, RemoveMethodRejection,
};

/// A kept means of payment.
#[derive(Clone, Debug)]
pub struct PaymentMethod(pub Method);

/// A means of payment that a processor keeps for an account. What it is, such as a card's brand and
/// digits, the processor alone knows. Read by owners, admins, developers, billing, and keys with the
/// scope `billing:read`.
#[Object]
impl PaymentMethod {
    /// Its id, `pmt_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.row.id)
    }

    /// Who keeps it.
    async fn processor(&self) -> ProcessorKind {
        self.0.processor.into()
    }

    /// When it was kept.
    async fn added_at(&self) -> DateTime {
        self.0.row.added_at_ms.into()
    }
}

/// Why automatic top-up does not run any more.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::AutomaticTopUpEnd")]
pub enum AutomaticTopUpEnd {
    /// The account ended it.
    Disabled,
    /// Three payments in a row failed.
    PaymentsFailed,
    /// The means of payment was removed.
    MethodRemoved,
}

/// An account's automatic top-up.
#[derive(Clone, Debug)]
pub struct AutomaticTopUp(pub Model);

/// Automatic top-up of an account: when less than the threshold is available, the means of payment is
/// charged without the payer. One payment at a time, and a limited number a day. Read by owners,
/// admins, developers, billing, and keys with the scope `billing:read`.
#[Object]
impl AutomaticTopUp {
    /// Whether it runs.
    async fn is_enabled(&self) -> bool {
        self.0.ended.is_none()
    }

    /// Why it does not run any more; null if it runs.
    async fn end_reason(&self) -> Option<AutomaticTopUpEnd> {
        self.0.ended.map(Into::into)
    }

    /// Below how much available the balance is topped up.
    async fn threshold(&self) -> Answer<Money> {
        Money::stored(self.0.threshold_micros, &self.0.currency)
    }

    /// By how much.
    async fn amount(&self) -> Answer<Money> {
        Money::stored(self.0.amount_micros, &self.0.currency)
    }

    /// What is charged; null if it was removed.
    async fn payment_method(&self, context: &Context<'_>) -> Answer<Option<PaymentMethod>> {
        let found = payments::method(call(context)?, self.0.payment_method_id).await?;
        Ok(found.map(PaymentMethod))
    }

    /// Payments in a row that failed: after three it ends.
    async fn failures(&self) -> i32 {
        i32::from(self.0.failures)
    }

    /// The payment whose outcome is not known yet; null if there is none.
    async fn pending_payment(&self, context: &Context<'_>) -> Answer<Option<Payment>> {
        match self.0.pending_payment_id {
            Some(id) => Ok(payments::payment(call(context)?, id).await?.map(Payment)),
            None => Ok(None),
        }
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct PaymentMethodsQuery;

#[Object]
impl PaymentMethodsQuery {
    /// The means of payment that processors keep for the caller's account, newest first, at most 100.
    /// For owners, admins, developers, billing, and keys with the scope `billing:read`.
    async fn payment_methods(&self, context: &Context<'_>) -> Answer<Vec<PaymentMethod>> {
        let methods = payments::methods(call(context)?).await?;
        Ok(methods.into_iter().map(PaymentMethod).collect())
    }

    /// The automatic top-up of the caller's account; null if it was never set. For owners, admins,
    /// developers, billing, and keys with the scope `billing:read`.
    async fn automatic_top_up(&self, context: &Context<'_>) -> Answer<Option<AutomaticTopUp>> {
        Ok(payments::automatic_top_up(call(context)?).await?.map(AutomaticTopUp))
    }
}

/// What `removePaymentMethod` takes.
#[derive(InputObject, Debug)]
pub struct RemovePaymentMethodInput {
    /// The means of payment, `pmt_…`.
    pub payment_method_id: ID,
}

/// What `removePaymentMethod` answers.
#[derive(SimpleObject)]
pub struct RemovePaymentMethodPayload {
    /// The means of payment as it was; null if it was not removed.
    payment_method: Option<PaymentMethod>,
    /// Why not; empty if it was.
    user_errors: Vec<RemovePaymentMethodError>,
}

user_error! {
    /// Why a means of payment was not removed.
    RemovePaymentMethodError,
    /// Why a means of payment was not removed, for a program to read.
    RemovePaymentMethodErrorCode {
        /// There is no such means of payment.
        PaymentMethodNotFound,
    }
}

/// What `setAutomaticTopUp` takes.
#[derive(InputObject, Debug)]
pub struct SetAutomaticTopUpInput {
    /// Below how much available the balance is topped up: 0 to 999,999.99.
    pub threshold: Decimal,
    /// By how much: above zero, at most 999,999.99, in whole minor units.
    pub amount: Decimal,
    /// Of both: what the account is charged in.
    pub currency: CurrencyCode,
    /// What is charged, `pmt_…`.
    pub payment_method_id: ID,
}

/// What `setAutomaticTopUp` answers.
#[derive(SimpleObject)]
pub struct SetAutomaticTopUpPayload {
    /// The automatic top-up; null if it was not set.
    automatic_top_up: Option<AutomaticTopUp>,
    /// Why not; empty if it was.
    user_errors: Vec<SetAutomaticTopUpError>,
}

user_error! {
    /// Why automatic top-up was not set.
    SetAutomaticTopUpError,
    /// Why automatic top-up was not set, for a program to read.
    SetAutomaticTopUpErrorCode {
        /// Below zero or too large.
        InvalidThreshold,
        /// Not above zero, too large, or finer than the minor unit.
        InvalidAmount,
        /// The account is charged in another currency.
        OtherCurrency,
        /// There is no such means of payment.
        PaymentMethodNotFound,
    }
}

fn set_error(rejection: AutomaticTopUpRejection) -> SetAutomaticTopUpError {
    use AutomaticTopUpRejection as Rejection;
    use SetAutomaticTopUpErrorCode as Code;
    let (code, path) = match rejection {
        Rejection::InvalidThreshold => (Code::InvalidThreshold, "threshold"),
        Rejection::InvalidAmount => (Code::InvalidAmount, "amount"),
        Rejection::OtherCurrency => (Code::OtherCurrency, "currency"),
        Rejection::MethodNotFound => (Code::PaymentMethodNotFound, "paymentMethodId"),
    };
    SetAutomaticTopUpError::new(code, &[path], rejection)
}

/// What `disableAutomaticTopUp` answers.
#[derive(SimpleObject)]
pub struct DisableAutomaticTopUpPayload {
    /// The automatic top-up; null if it was never set.
    automatic_top_up: Option<AutomaticTopUp>,
    /// Why not; empty if it does not run now.
    user_errors: Vec<DisableAutomaticTopUpError>,
}

user_error! {
    /// Why automatic top-up was not disabled.
    DisableAutomaticTopUpError,
    /// Why automatic top-up was not disabled, for a program to read.
    DisableAutomaticTopUpErrorCode {
        /// It was never set.
        NotSetUp,
    }
}

/// Writes.
#[derive(Default)]
pub struct PaymentMethodsMutation;

#[Object]
impl PaymentMethodsMutation {
    /// Removes a means of payment: it is charged no more, the processor forgets it, and automatic
    /// top-up that charged it ends. Idempotent. For owners, admins and billing.
    async fn remove_payment_method(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which one.")] input: RemovePaymentMethodInput,
    ) -> Answer<RemovePaymentMethodPayload> {
        let id = parse_id(&input.payment_method_id)?;
        let outcome = payments::remove_method(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(method) => RemovePaymentMethodPayload {
                payment_method: Some(PaymentMethod(method)),
                user_errors: Vec::new(),
            },
            Err(no @ RemoveMethodRejection::NotFound) => {
                let code = RemovePaymentMethodErrorCode::PaymentMethodNotFound;
                let error = RemovePaymentMethodError::new(code, &["paymentMethodId"], no);
                RemovePaymentMethodPayload { payment_method: None, user_errors: vec![error] }
            }
        })
    }

    /// Sets automatic top-up, and lets it run again if it had ended: when less than the threshold is
    /// available, a kept means of payment is charged without the payer. Idempotent. For owners,
    /// admins and billing.
    async fn set_automatic_top_up(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "When, how much, and what is charged.")] input: SetAutomaticTopUpInput,
    ) -> Answer<SetAutomaticTopUpPayload> {
        let new = NewAutomaticTopUp {
            threshold: input.threshold.0,
            amount: input.amount.0,
            currency: input.currency.0,
            payment_method_id: parse_id(&input.payment_method_id)?,
        };
        let outcome = payments::set_automatic_top_up(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => SetAutomaticTopUpPayload {
                automatic_top_up: Some(AutomaticTopUp(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => SetAutomaticTopUpPayload {
                automatic_top_up: None,
                user_errors: vec![set_error(rejection)],
            },
        })
    }

    /// Ends automatic top-up; a payment that is pending goes on. Idempotent. For owners, admins and
    /// billing.
    async fn disable_automatic_top_up(
        &self,
        context: &Context<'_>,
    ) -> Answer<DisableAutomaticTopUpPayload> {
        let outcome = payments::disable_automatic_top_up(call(context)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => DisableAutomaticTopUpPayload {
                automatic_top_up: Some(AutomaticTopUp(row)),
                user_errors: Vec::new(),
            },
            Err(no @ NotSetUp) => {
                let code = DisableAutomaticTopUpErrorCode::NotSetUp;
                DisableAutomaticTopUpPayload {
                    automatic_top_up: None,
                    user_errors: vec![DisableAutomaticTopUpError::new(code, &[], no)],
                }
            }
        })
    }
}
