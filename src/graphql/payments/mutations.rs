//! Starting payments, giving them back, connecting processors.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::processors::{
    AddProcessorInput, AddProcessorPayload, RotateProcessorSecretInput,
    RotateProcessorSecretPayload, add_error, rotate_error,
};
use super::{Payment, PaymentFlow, PaymentProcessor, ProcessorKind, WebhookEvent};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::{CurrencyCode, Decimal};
use crate::payments::{
    self, InvoicePaymentRejection, NewInvoicePayment, NewProcessor, NewRefund, NewTopUp,
    RefundRejection, RetryRejection, TopUpRejection,
};
use crate::types::secret::SecretText;

/// What `startTopUp` takes.
#[derive(InputObject, Debug)]
pub struct StartTopUpInput {
    /// 1 to 100 characters of the client's: the same key gives the same payment.
    pub idempotency_key: String,
    /// How much: above zero, at most 999,999.99, in whole minor units.
    pub amount: Decimal,
    /// Of what: what the account is charged in.
    pub currency: CurrencyCode,
    /// Through whom.
    pub processor: ProcessorKind,
    /// How the payer pays; absent or null: as is usual with the processor, through Stripe on its page.
    pub flow: Option<PaymentFlow>,
    /// The payer's phone, where the processor asks it (M-Pesa), in E.164, at most 30 characters;
    /// absent or null otherwise. It is not kept.
    pub phone_number: Option<String>,
    /// Whether the processor keeps the means of payment, to be charged by automatic top-up later:
    /// the payer is told so on its page.
    #[graphql(default)]
    pub save_payment_method: bool,
}

/// What `startTopUp` answers.
#[derive(SimpleObject)]
pub struct StartTopUpPayload {
    /// The payment; null if it was not started.
    payment: Option<Payment>,
    /// Where the payer goes to pay; null if it was not started, or needs no paying any more. At most
    /// a few hundred characters.
    redirect_url: Option<String>,
    /// What Stripe's form on your own page pays with, where the flow is `INTENT`. It is for this
    /// payer alone: do not keep or log it. At most 500 characters.
    client_secret: Option<String>,
    /// Why not; empty if it was.
    user_errors: Vec<StartTopUpError>,
}

user_error! {
    /// Why a top-up was not started.
    StartTopUpError,
    /// Why a top-up was not started, for a program to read.
    StartTopUpErrorCode {
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey,
        /// The key was used with another input.
        IdempotencyKeyReused,
        /// Not above zero, too large, or finer than the minor unit.
        InvalidAmount,
        /// The account is charged in another currency.
        OtherCurrency,
        /// This processor is not connected, or payments cannot be started with it.
        ProcessorNotConnected,
        /// Payments through this processor are not started so.
        FlowNotSupported,
        /// A phone is to be asked, and its number is missing or is none; or there is one, and no
        /// phone is to be asked.
        InvalidPhoneNumber,
        /// The processor refused the payment.
        RefusedByProcessor,
    }
}

fn top_up_error(rejection: TopUpRejection) -> StartTopUpError {
    use StartTopUpErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        TopUpRejection::InvalidKey => (Code::InvalidIdempotencyKey, &["idempotencyKey"]),
        TopUpRejection::KeyReused => (Code::IdempotencyKeyReused, &["idempotencyKey"]),
        TopUpRejection::InvalidAmount => (Code::InvalidAmount, &["amount"]),
        TopUpRejection::OtherCurrency => (Code::OtherCurrency, &["currency"]),
        TopUpRejection::NoProcessor => (Code::ProcessorNotConnected, &["processor"]),
        TopUpRejection::InvalidPhone => (Code::InvalidPhoneNumber, &["phoneNumber"]),
        TopUpRejection::OtherFlow => (Code::FlowNotSupported, &["flow"]),
        TopUpRejection::Refused => (Code::RefusedByProcessor, &[]),
    };
    StartTopUpError::new(code, path, rejection)
}

/// What `startInvoicePayment` takes.
#[derive(InputObject, Debug)]
pub struct StartInvoicePaymentInput {
    /// 1 to 100 characters of the client's: the same key gives the same payment.
    pub idempotency_key: String,
    /// The invoice, `inv_…`.
    pub invoice_id: ID,
    /// How much of it, above zero and in whole minor units; absent or null: all that is due.
    pub amount: Option<Decimal>,
    /// Through whom.
    pub processor: ProcessorKind,
    /// Whether the processor keeps the means of payment, to be charged by automatic top-up later:
    /// the payer is told so on its page.
    #[graphql(default)]
    pub save_payment_method: bool,
}

/// What `startInvoicePayment` answers.
#[derive(SimpleObject)]
pub struct StartInvoicePaymentPayload {
    /// The payment; null if it was not started.
    payment: Option<Payment>,
    /// Where the payer goes to pay; null if it was not started, or needs no paying any more. At most
    /// a few hundred characters.
    redirect_url: Option<String>,
    /// Why not; empty if it was.
    user_errors: Vec<StartInvoicePaymentError>,
}

user_error! {
    /// Why a payment of an invoice was not started.
    StartInvoicePaymentError,
    /// Why a payment of an invoice was not started, for a program to read.
    StartInvoicePaymentErrorCode {
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey,
        /// The key was used with another input.
        IdempotencyKeyReused,
        /// There is no such invoice.
        InvoiceNotFound,
        /// Nothing is due of it.
        NotPayable,
        /// Not above zero, more than is due, or finer than the minor unit.
        InvalidAmount,
        /// This processor is not connected, or payments cannot be started with it.
        ProcessorNotConnected,
        /// The processor refused the payment.
        RefusedByProcessor,
    }
}

fn invoice_payment_error(rejection: InvoicePaymentRejection) -> StartInvoicePaymentError {
    use InvoicePaymentRejection as Rejection;
    use StartInvoicePaymentErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        Rejection::InvalidKey => (Code::InvalidIdempotencyKey, &["idempotencyKey"]),
        Rejection::KeyReused => (Code::IdempotencyKeyReused, &["idempotencyKey"]),
        Rejection::InvoiceNotFound => (Code::InvoiceNotFound, &["invoiceId"]),
        Rejection::NotPayable => (Code::NotPayable, &["invoiceId"]),
        Rejection::InvalidAmount => (Code::InvalidAmount, &["amount"]),
        Rejection::NoProcessor => (Code::ProcessorNotConnected, &["processor"]),
        Rejection::Refused => (Code::RefusedByProcessor, &[]),
    };
    StartInvoicePaymentError::new(code, path, rejection)
}

/// What `refundPayment` takes.
#[derive(InputObject, Debug)]
pub struct RefundPaymentInput {
    /// 1 to 100 characters of the client's: the same key makes one refund of the payment.
    pub idempotency_key: String,
    /// The payment, `pay_…`.
    pub payment_id: ID,
    /// How much; absent or null: all that is left.
    pub amount: Option<Decimal>,
}

/// What `refundPayment` answers.
#[derive(SimpleObject)]
pub struct RefundPaymentPayload {
    /// The payment, as it was before the refund: it follows within moments. Null if it was not
    /// refunded.
    payment: Option<Payment>,
    /// Why not; empty if it was.
    user_errors: Vec<RefundPaymentError>,
}

user_error! {
    /// Why a payment was not refunded.
    RefundPaymentError,
    /// Why a payment was not refunded, for a program to read.
    RefundPaymentErrorCode {
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey,
        /// There is no such payment.
        PaymentNotFound,
        /// Nothing was collected, or its processor cannot be asked to give it back.
        NotRefundable,
        /// Not above zero, more than the payment, or finer than the minor unit.
        InvalidAmount,
        /// The processor refused the refund.
        RefusedByProcessor,
    }
}

fn refund_error(rejection: RefundRejection) -> RefundPaymentError {
    use RefundPaymentErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        RefundRejection::InvalidKey => (Code::InvalidIdempotencyKey, &["idempotencyKey"]),
        RefundRejection::NotFound => (Code::PaymentNotFound, &["paymentId"]),
        RefundRejection::NotRefundable => (Code::NotRefundable, &["paymentId"]),
        RefundRejection::InvalidAmount => (Code::InvalidAmount, &["amount"]),
        RefundRejection::Refused => (Code::RefusedByProcessor, &[]),
    };
    RefundPaymentError::new(code, path, rejection)
}

/// What `retryWebhookEvent` takes.
#[derive(InputObject, Debug)]
pub struct RetryWebhookEventInput {
    /// The event, `whev_…`.
    pub webhook_event_id: ID,
}

/// What `retryWebhookEvent` answers.
#[derive(SimpleObject)]
pub struct RetryWebhookEventPayload {
    /// The event, about to be worked through; null if it is not tried again.
    webhook_event: Option<WebhookEvent>,
    /// Why not; empty if it is.
    user_errors: Vec<RetryWebhookEventError>,
}

user_error! {
    /// Why an event is not tried again.
    RetryWebhookEventError,
    /// Why an event is not tried again, for a program to read.
    RetryWebhookEventErrorCode {
        /// There is no such event.
        WebhookEventNotFound,
        /// It is not parked or dead, or nothing would be different.
        NotRetryable,
    }
}

/// Writes.
#[derive(Default)]
pub struct PaymentsMutation;

#[Object]
impl PaymentsMutation {
    /// Starts a payment into the account's balance, and says where to pay: lead the payer there. The
    /// balance grows when the processor tells that it was paid. Idempotent by the key. For owners,
    /// admins and billing.
    async fn start_top_up(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How much, and through whom.")] input: StartTopUpInput,
    ) -> Answer<StartTopUpPayload> {
        let new = NewTopUp {
            idempotency_key: input.idempotency_key,
            amount: input.amount.0,
            currency: input.currency.0,
            processor: input.processor.into(),
            flow: input.flow.map(Into::into),
            phone: input.phone_number,
            saves_method: input.save_payment_method,
        };
        Ok(match value_or_rejection(payments::start_top_up(call(context)?, new).await)? {
            Ok(started) => StartTopUpPayload {
                redirect_url: started.row.redirect_url.clone(),
                client_secret: started.client_secret.map(|it| it.expose().to_owned()),
                payment: Some(Payment(started.row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => StartTopUpPayload {
                payment: None,
                redirect_url: None,
                client_secret: None,
                user_errors: vec![top_up_error(rejection)],
            },
        })
    }

    /// Starts a payment of an invoice, and says where to pay: lead the payer there. What is collected
    /// pays the invoice as far as something is due of it then, and the rest is the account's credit;
    /// what is refunded or disputed is due again. Idempotent by the key. For owners, admins and
    /// billing.
    async fn start_invoice_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which invoice, and through whom.")] input: StartInvoicePaymentInput,
    ) -> Answer<StartInvoicePaymentPayload> {
        let new = NewInvoicePayment {
            idempotency_key: input.idempotency_key,
            invoice_id: parse_id(&input.invoice_id)?,
            amount: input.amount.map(|amount| amount.0),
            processor: input.processor.into(),
            saves_method: input.save_payment_method,
        };
        let outcome = payments::start_invoice_payment(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => StartInvoicePaymentPayload {
                redirect_url: row.redirect_url.clone(),
                payment: Some(Payment(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => StartInvoicePaymentPayload {
                payment: None,
                redirect_url: None,
                user_errors: vec![invoice_payment_error(rejection)],
            },
        })
    }

    /// Gives a payment back, or some of it. The payment and the balance follow within moments.
    /// Idempotent by the key. For the operator's owners, admins and billing.
    async fn refund_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which payment, and how much.")] input: RefundPaymentInput,
    ) -> Answer<RefundPaymentPayload> {
        let new = NewRefund {
            idempotency_key: input.idempotency_key,
            payment_id: parse_id(&input.payment_id)?,
            amount: input.amount.map(|amount| amount.0),
        };
        Ok(match value_or_rejection(payments::refund(call(context)?, new).await)? {
            Ok(row) => {
                RefundPaymentPayload { payment: Some(Payment(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                RefundPaymentPayload { payment: None, user_errors: vec![refund_error(rejection)] }
            }
        })
    }

    /// Has an event that was put aside worked through again. Idempotent. For the operator's owners,
    /// admins and billing.
    async fn retry_webhook_event(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which one.")] input: RetryWebhookEventInput,
    ) -> Answer<RetryWebhookEventPayload> {
        use RetryWebhookEventErrorCode as Code;
        let id = parse_id(&input.webhook_event_id)?;
        let outcome = payments::retry_webhook(call(context)?, id).await;
        let rejected = |code, rejection: RetryRejection| {
            let error = RetryWebhookEventError::new(code, &["webhookEventId"], rejection);
            RetryWebhookEventPayload { webhook_event: None, user_errors: vec![error] }
        };
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => RetryWebhookEventPayload {
                webhook_event: Some(WebhookEvent(row)),
                user_errors: Vec::new(),
            },
            Err(no @ RetryRejection::NotFound) => rejected(Code::WebhookEventNotFound, no),
            Err(no @ RetryRejection::NotRetryable) => rejected(Code::NotRetryable, no),
        })
    }

    /// Connects a payment processor. Give it the path of the answer for its webhooks. Not
    /// idempotent. For the operator's owners and admins.
    async fn add_processor(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whose, and its secrets.")] input: AddProcessorInput,
    ) -> Answer<AddProcessorPayload> {
        let new = NewProcessor {
            kind: input.kind.into(),
            secret: SecretText::new(input.webhook_secret),
            api_key: input.api_key.map(SecretText::new),
            base_url: input.base_url,
        };
        Ok(match value_or_rejection(payments::add_processor(call(context)?, new).await)? {
            Ok(row) => AddProcessorPayload {
                processor: Some(PaymentProcessor(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                AddProcessorPayload { processor: None, user_errors: vec![add_error(rejection)] }
            }
        })
    }

    /// Takes a new webhook secret of a processor beside the one in use, which stays good until the
    /// next rotation. Not idempotent. For the operator's owners and admins.
    async fn rotate_processor_secret(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which processor, and the secret.")] input: RotateProcessorSecretInput,
    ) -> Answer<RotateProcessorSecretPayload> {
        let id = parse_id(&input.processor_id)?;
        let secret = SecretText::new(input.webhook_secret);
        let outcome = payments::rotate_secret(call(context)?, id, secret).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => RotateProcessorSecretPayload {
                processor: Some(PaymentProcessor(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => RotateProcessorSecretPayload {
                processor: None,
                user_errors: vec![rotate_error(rejection)],
            },
        })
    }
}
