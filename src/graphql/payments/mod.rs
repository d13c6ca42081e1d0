//! Payments in the contract. Behaviour: `crate::payments`.

mod methods;
mod mutations;
mod processors;
mod reconciliation;

pub use methods::{
    AutomaticTopUp, AutomaticTopUpEnd, DisableAutomaticTopUpError, PaymentMethod,
    PaymentMethodsMutation, PaymentMethodsQuery, RemovePaymentMethodError, SetAutomaticTopUpError,
};
pub use mutations::{
    PaymentsMutation, RefundPaymentError, RetryWebhookEventError, StartInvoicePaymentError,
    StartTopUpError,
};
pub use processors::{
    AddProcessorError, PaymentProcessor, ProcessorRow, RotateProcessorSecretError, WebhookEvent,
    WebhookState,
};
pub use reconciliation::{ReconciliationQuery, ReconciliationReport};

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::enums;
use entity::ids::PaymentId;
use entity::payment::Model;

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::{parse_id, show_id};
use super::invoices::Invoice;
use super::money::Money;
use super::scalars::{Cursor, DateTime};
use crate::payments;
use crate::payments::facts::{Amounts, PaymentFacts};
use crate::types::cursor::CursorKind;
use crate::types::money::{Currency, Micros};

/// Disputes of one payment that are shown: banks allow a few.
const DISPUTES_MAX: usize = 100;
/// Currencies of one payment's fees that are shown: processors settle in one.
const FEES_MAX: usize = 10;

/// Who processes payments.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::ProcessorKind", name = "PaymentProcessorKind")]
pub enum ProcessorKind {
    /// Stripe.
    Stripe,
    /// Paystack.
    Paystack,
    /// PayMongo.
    #[graphql(name = "PAYMONGO")]
    PayMongo,
    /// Xendit.
    Xendit,
    /// M-Pesa.
    #[graphql(name = "MPESA")]
    MPesa,
}

/// How the payer pays.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::PaymentFlow")]
pub enum PaymentFlow {
    /// On a page of the processor's: lead the payer to `redirectUrl`.
    HostedPage,
    /// By a form of the processor's on your own page, with `clientSecret`.
    Intent,
    /// On the payer's phone, which the processor asks.
    PhonePrompt,
    /// By an object that the operator has the processor make, with this payment's id as its
    /// reference.
    Reference,
}

/// What a payment is for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::PaymentPurpose")]
pub enum PaymentPurpose {
    /// Money for the balance.
    TopUp,
    /// An invoice.
    Invoice,
    /// Nothing that is known here; only the operator sees such payments.
    Unmatched,
}

/// How a payment stands: what follows from all that its processor told, in whatever order.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::PaymentStatus")]
pub enum PaymentStatus {
    /// Nothing happened yet.
    Open,
    /// The payer has to do something.
    ActionRequired,
    /// With the bank; may take days.
    Processing,
    /// The last attempt failed. Not the end: another may succeed.
    AttemptFailed,
    /// Reserved at the bank, not collected.
    Authorized,
    /// Collected.
    Paid,
    /// Collected, and some of it given back.
    PartlyRefunded,
    /// Collected, and all of it given back.
    Refunded,
    /// Collected, and withdrawn for a dispute that is open.
    Disputed,
    /// Collected, and lost in a dispute.
    ChargedBack,
    /// Called off before anything was collected.
    Canceled,
    /// Nobody paid in time.
    Expired,
    /// What the processor told contradicts itself: a person decides.
    Conflicting,
}

/// How a dispute stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "payments::facts::DisputeRank")]
pub enum PaymentDisputeStatus {
    /// An inquiry that waits for us. It moves no money.
    WarningNeedsResponse,
    /// An inquiry that the bank looks at.
    WarningUnderReview,
    /// An inquiry that ended without a dispute.
    WarningClosed,
    /// Waits for our evidence.
    NeedsResponse,
    /// The bank decides.
    UnderReview,
    /// Ended without a decision.
    Closed,
    /// The payer keeps the money.
    Lost,
    /// We keep the money.
    Won,
}

/// A dispute of a payment (chargeback), or an inquiry that may become one.
#[derive(SimpleObject)]
pub struct PaymentDispute {
    /// The processor's id of it.
    reference: String,
    /// How it stands.
    status: PaymentDisputeStatus,
    /// How much is disputed; null if that is not known.
    amount: Option<Money>,
    /// How much the bank took; null if nothing.
    withdrawn: Option<Money>,
    /// How much of that the bank gave back; null if nothing.
    reinstated: Option<Money>,
}

/// A payment.
#[derive(Clone, Debug)]
pub struct Payment(pub Model);

impl Payment {
    fn facts(&self) -> Answer<PaymentFacts> {
        Ok(payments::facts(&self.0)?)
    }
}

/// A payment through a processor. Read by owners, admins, developers and billing of the account, by
/// keys with the scope `billing:read`, and by the operator's owners, admins and billing.
#[Object]
impl Payment {
    /// The payment's id, `pay_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// What it is for.
    async fn purpose(&self) -> PaymentPurpose {
        self.0.purpose.into()
    }

    /// The invoice that it is for; null for others.
    async fn invoice(&self, context: &Context<'_>) -> Answer<Option<Invoice>> {
        match self.0.invoice_id {
            Some(id) => Invoice::load(context, id).await,
            None => Ok(None),
        }
    }

    /// How it stands.
    async fn status(&self) -> PaymentStatus {
        self.0.status.into()
    }

    /// How the payer pays.
    async fn flow(&self) -> PaymentFlow {
        self.0.flow.into()
    }

    /// What is to be paid; null where that is not known.
    async fn amount(&self) -> Answer<Option<Money>> {
        if self.0.amount_micros == 0 {
            return Ok(None);
        }
        Money::stored(self.0.amount_micros, &self.0.currency).map(Some)
    }

    /// What was collected; null if nothing.
    async fn captured(&self) -> Answer<Option<Money>> {
        let totals = self.facts()?.totals().ok().flatten();
        Ok(totals.and_then(|totals| positive(totals.captured_micros, totals.currency)))
    }

    /// What was given back; null if nothing.
    async fn refunded(&self) -> Answer<Option<Money>> {
        let totals = self.facts()?.totals().ok().flatten();
        Ok(totals.and_then(|totals| positive(totals.refunded_micros, totals.currency)))
    }

    /// What the processor keeps, one for each currency that it settles in; at most 10.
    async fn fees(&self) -> Answer<Vec<Money>> {
        let mut sums: std::collections::BTreeMap<Currency, i64> = Default::default();
        for line in self.facts()?.balance_transactions.values().flatten() {
            let sum = sums.entry(line.currency).or_default();
            *sum = sum.saturating_add(line.fee_micros);
        }
        let shown = sums.into_iter().filter(|(_, micros)| *micros != 0).take(FEES_MAX);
        Ok(shown.map(|(currency, micros)| Money::new(Micros(micros), currency)).collect())
    }

    /// Its disputes, at most 100.
    async fn disputes(&self) -> Answer<Vec<PaymentDispute>> {
        let disputes = self.facts()?.disputes.into_iter().take(DISPUTES_MAX);
        let shown = disputes.map(|(id, dispute)| PaymentDispute {
            reference: id.as_str().to_owned(),
            status: dispute.rank.into(),
            amount: money(&dispute.amount),
            withdrawn: money(&dispute.withdrawn),
            reinstated: money(&dispute.reinstated),
        });
        Ok(shown.collect())
    }

    /// Where the payer goes to pay; null before the processor made the page. At most a few hundred
    /// characters.
    async fn redirect_url(&self) -> Option<&str> {
        self.0.redirect_url.as_deref()
    }

    /// Whether the processor was asked for a week in vain: a person has to look.
    async fn is_stale(&self) -> bool {
        self.0.stale
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was started.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

fn positive(micros: i64, currency: Currency) -> Option<Money> {
    (micros > 0).then(|| Money::new(Micros(micros), currency))
}

fn money(amounts: &Amounts) -> Option<Money> {
    let money = amounts.single().ok().flatten()?;
    positive(money.amount_micros, money.currency)
}

/// Reads.
#[derive(Default)]
pub struct PaymentsQuery;

#[Object]
impl PaymentsQuery {
    /// The payments of the caller's account, newest first. For owners, admins, developers, billing,
    /// and keys with the scope `billing:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn payments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Payment>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::Payments)?;
        let page = payments::payments(ctx, &request).await?;
        let total = if wants_total_count(context) {
            Some(payments::count_payments(ctx).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, Payment(row)));
        Ok(Connection::new(CursorKind::Payments, page, total))
    }

    /// The payment with this id, or null if there is none that the caller may see. For owners,
    /// admins, developers, billing, and keys with the scope `billing:read`; the operator's owners,
    /// admins and billing see those of all accounts.
    async fn payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The payment's id, `pay_…`.")] id: ID,
    ) -> Answer<Option<Payment>> {
        let id: PaymentId = parse_id(&id)?;
        Ok(payments::payment(call(context)?, id).await?.map(Payment))
    }

    /// The payment processors, oldest first, at most 100. For the operator's owners and admins.
    async fn processors(&self, context: &Context<'_>) -> Answer<Vec<PaymentProcessor>> {
        let rows = payments::processors(call(context)?).await?;
        Ok(rows.into_iter().map(PaymentProcessor).collect())
    }

    /// What payment processors told, newest first. For the operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn webhook_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those in this state; absent or null: all.")] state: Option<
            WebhookState,
        >,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<WebhookEvent>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::WebhookEvents)?;
        let state = state.map(Into::into);
        let page = payments::webhooks(ctx, state, &request).await?;
        let total = if wants_total_count(context) {
            Some(payments::count_webhooks(ctx, state).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, WebhookEvent(row)));
        Ok(Connection::new(CursorKind::WebhookEvents, page, total))
    }
}
