//! `billingEvents`: what the event log tells of an account's payments, invoices, packages and automatic
//! top-up, and its balance as it moves.

mod payments;

use std::time::Duration;

use async_graphql::{Context, Enum, Interface, Object, Subscription};
use entity::enums::{
    AutomaticTopUpEnd as StoredEnd, EventKind, InvoiceStatus as StoredStatus,
    PackageState as StoredState,
};
use entity::event::Model;
use entity::ids::{GrantedPackageId, InvoiceId};
use entity::time::UnixMillis;
use futures::Stream;
use futures::stream::unfold;

use self::payments::{PaymentChanged, ReconciliationDiffered};
use super::billing::AccountBalance;
use super::call;
use super::errors::{Answer, Fault};
use super::invoices::{Invoice, InvoiceStatus};
use super::messages::events::{cursor, cursor_of, seq_of_cursor};
use super::messages::refused;
use super::packages::{GrantedPackage, PackageState};
use super::payments::{AutomaticTopUp, AutomaticTopUpEnd};
use super::scalars::{Cursor, DateTime, SequenceNumber};
use crate::billing::{self, Balance, invoices, packages};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::{self, Hub, POLL_INTERVAL, SubscriptionError};

/// A stream tells of the balance once in this time at most: four times a second is as fast as a
/// person reads figures, however many messages are sent.
const BALANCE_INTERVAL: Duration = Duration::from_millis(250);

/// Something that happened to an account's money. Branch on `__typename`; kinds may be added.
#[derive(Interface)]
#[graphql(
    field(
        name = "cursor",
        ty = "Cursor",
        desc = "The place in the account's event log: give it as `after` to go on from here."
    ),
    field(name = "occurred_at", ty = "DateTime", desc = "When it happened.")
)]
pub enum BillingEvent {
    /// Something happened to an invoice.
    InvoiceChanged(InvoiceChanged),
    /// Something happened to a payment.
    PaymentChanged(PaymentChanged),
    /// The balance moved.
    BalanceChanged(BalanceChanged),
    /// The account may not send any more, or may again.
    SendingChanged(SendingChanged),
    /// Automatic top-up ended.
    AutomaticTopUpEnded(AutomaticTopUpEnded),
    /// Something happened to a package of the account's.
    PackageChanged(PackageChanged),
    /// A processor's books differ from ours.
    ReconciliationDiffered(ReconciliationDiffered),
}

/// What happened to an invoice.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceChange {
    /// It was finalized: an invoice, a statement or a credit note.
    Finalized,
    /// A part of it was paid, or taken off by a credit note.
    Reduced,
    /// Nothing is due of it any more.
    Paid,
    /// It was not paid when it was due.
    Overdue,
    /// It was made void.
    Voided,
    /// It was given up.
    Uncollectible,
    /// A payment of it went back: more is due again.
    Reopened,
    /// The account was reminded of it.
    Reminded,
    /// It was given more time.
    Extended,
}

/// Something happened to an invoice.
pub struct InvoiceChanged(Model, InvoiceChange);

impl InvoiceChanged {
    /// The event of an entry of the log; none if it is not about invoices.
    fn of(row: Model) -> Option<Self> {
        let change = match row.kind {
            EventKind::InvoiceFinalized => InvoiceChange::Finalized,
            EventKind::InvoiceReduced => InvoiceChange::Reduced,
            EventKind::InvoicePaid => InvoiceChange::Paid,
            EventKind::InvoiceOverdue => InvoiceChange::Overdue,
            EventKind::InvoiceVoided => InvoiceChange::Voided,
            EventKind::InvoiceUncollectible => InvoiceChange::Uncollectible,
            EventKind::InvoiceReopened => InvoiceChange::Reopened,
            EventKind::InvoiceReminded => InvoiceChange::Reminded,
            EventKind::InvoiceExtended => InvoiceChange::Extended,
            // Of other domains.
            _ => return None,
        };
        Some(Self(row, change))
    }
}

/// Something happened to an invoice, a statement or a credit note.
#[Object]
impl InvoiceChanged {
    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps, of which this stream shows
    /// some.
    async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When it happened.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// What happened.
    async fn change(&self) -> InvoiceChange {
        self.1
    }

    /// The invoice's status since then.
    async fn status(&self) -> Answer<InvoiceStatus> {
        let status = StoredStatus::from_code(self.0.status)
            .ok_or_else(|| Failed::internal(format!("event with status {}", self.0.status)))?;
        Ok(status.into())
    }

    /// The invoice's version since then.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// The invoice as it is now.
    async fn invoice(&self, context: &Context<'_>) -> Answer<Option<Invoice>> {
        Invoice::load(context, InvoiceId(self.0.subject_id)).await
    }
}

/// The account may not send any more, or may again.
pub struct SendingChanged {
    row: Model,
    is_suspended: bool,
}

impl SendingChanged {
    /// The event of an entry of the log; none if it is not about sending.
    fn of(row: &Model) -> Option<Self> {
        let is_suspended = match row.kind {
            EventKind::SendingSuspended => true,
            EventKind::SendingResumed => false,
            // Of other domains.
            _ => return None,
        };
        Some(Self { row: row.clone(), is_suspended })
    }
}

/// The account may not send any more, because an invoice was not paid, or may again.
#[Object]
impl SendingChanged {
    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.row)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps, of which this stream shows
    /// some.
    async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.row.seq)
    }

    /// When it happened.
    pub async fn occurred_at(&self) -> DateTime {
        self.row.occurred_at_ms.into()
    }

    /// Whether live messages are refused with `PAYMENT_OVERDUE` since then.
    async fn is_suspended(&self) -> bool {
        self.is_suspended
    }
}

/// Something happened to a package.
pub struct PackageChanged(Model);

impl PackageChanged {
    /// The event of an entry of the log; none if it is not about packages.
    fn of(row: &Model) -> Option<Self> {
        use EventKind::{PackageExpired, PackageGranted, PackageRevoked, PackageUsedUp};
        let is_about_packages =
            matches!(row.kind, PackageGranted | PackageUsedUp | PackageExpired | PackageRevoked);
        is_about_packages.then(|| Self(row.clone()))
    }
}

/// A package was granted to the account, or is active no more: used up, expired or revoked.
#[Object]
impl PackageChanged {
    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps, of which this stream shows
    /// some.
    async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When it happened.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// Where the package stands since then.
    async fn state(&self) -> Answer<PackageState> {
        let state = StoredState::from_code(self.0.status)
            .ok_or_else(|| Failed::internal(format!("event with state {}", self.0.status)))?;
        Ok(state.into())
    }

    /// The package as it is now.
    async fn granted_package(&self, context: &Context<'_>) -> Answer<Option<GrantedPackage>> {
        let id = GrantedPackageId(self.0.subject_id);
        Ok(packages::find_granted(call(context)?, id).await?.map(GrantedPackage))
    }
}

/// Automatic top-up ended.
pub struct AutomaticTopUpEnded(Model);

/// Automatic top-up of the account ended: three payments in a row failed, the means of payment was
/// removed, or somebody disabled it.
#[Object]
impl AutomaticTopUpEnded {
    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps, of which this stream shows
    /// some.
    async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When it happened.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// Why.
    async fn reason(&self) -> Answer<AutomaticTopUpEnd> {
        let reason = StoredEnd::from_code(self.0.status)
            .ok_or_else(|| Failed::internal(format!("event with reason {}", self.0.status)))?;
        Ok(reason.into())
    }

    /// The automatic top-up as it is now.
    async fn automatic_top_up(&self, context: &Context<'_>) -> Answer<Option<AutomaticTopUp>> {
        Ok(crate::payments::automatic_top_up(call(context)?).await?.map(AutomaticTopUp))
    }
}

/// The balance moved.
pub struct BalanceChanged {
    /// The last entry of the log that was read before.
    seq: i64,
    read_at: UnixMillis,
    balance: Balance,
}

/// The balance moved since it was last told. Told four times a second at most, with what it is then;
/// steps between are not told.
#[Object]
impl BalanceChanged {
    /// The last entry of the account's event log that the stream had read: give it as `after` to go
    /// on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor_of(self.seq)
    }

    /// When the balance was read.
    pub async fn occurred_at(&self) -> DateTime {
        self.read_at.into()
    }

    /// What the account has to spend.
    async fn balance(&self) -> Answer<AccountBalance> {
        Ok(AccountBalance::new(self.balance)?)
    }
}

/// Streams.
#[derive(Default)]
pub struct BillingSubscription;

#[Subscription]
impl BillingSubscription {
    /// What happens to the payments, invoices and packages of the caller's account, that its automatic top-up
    /// ended, and its balance as its log moves: with messages, invoices and payments; in the
    /// operator's account also what differs from the processors' books. All but the balance is told
    /// at least once, in the order of the account's log, and the stream can be resumed: give the
    /// `cursor` of the last event you handled as `after` (over server-sent events `Last-Event-ID` does it). Without `after` it begins
    /// now. A cursor older than 30 days ends the stream with `EVENT_CURSOR_EXPIRED`. For owners,
    /// admins, developers, billing, and keys with the scope `billing:read`.
    async fn billing_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The cursor of the last event that you handled; absent or null: now.")]
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Answer<BillingEvent>>, Fault> {
        let ctx = call(context)?.clone();
        let hub = context
            .data_opt::<Hub>()
            .ok_or_else(|| Failed::internal("the schema was built without its services"))?;
        let after = after.as_ref().map(seq_of_cursor).transpose()?;
        // Boxed: what the first reads need is given back, not kept as long as the stream.
        let subscription = match Box::pin(invoices::follow(&ctx, hub, after)).await {
            Ok(subscription) => subscription,
            Err(Error::Rejected(rejection)) => return Err(refused(rejection)),
            Err(Error::Failed(failed)) => return Err(failed.into()),
        };
        let read_again_at = ctx.clock.now();
        // Boxed: the future that waits for the next event would else hold room for it twice.
        let feed = Box::new(Feed { ctx, subscription, moved_at: None, read_again_at, told: None });
        Ok(unfold(Some(feed), |feed| async {
            let mut feed = feed?;
            match feed.next().await {
                Ok(event) => Some((Ok(event), Some(feed))),
                // The error is the stream's last word.
                Err(fault) => Some((Err(fault), None)),
            }
        }))
    }
}

struct Feed {
    ctx: Ctx,
    subscription: events::Subscription,
    /// The last entry of the log, if the balance was not read since.
    moved_at: Option<i64>,
    /// Not before.
    read_again_at: UnixMillis,
    told: Option<Balance>,
}

impl Feed {
    async fn next(&mut self) -> Answer<BillingEvent> {
        loop {
            if let Some(seq) = self.moved_at
                && self.ctx.clock.now() >= self.read_again_at
                && let Some(changed) = Box::pin(self.read_balance(seq)).await?
            {
                return Ok(BillingEvent::BalanceChanged(changed));
            }
            let is_waiting = self.moved_at.is_some();
            let entry = tokio::select! {
                entry = self.subscription.next() => entry,
                () = self.ctx.clock.sleep_until(self.read_again_at), if is_waiting => continue,
            };
            match entry {
                Ok(entry) => {
                    self.moved_at = Some(entry.seq);
                    if entry.kind == EventKind::AutomaticTopUpEnded {
                        return Ok(BillingEvent::AutomaticTopUpEnded(AutomaticTopUpEnded(entry)));
                    }
                    if let Some(changed) = PackageChanged::of(&entry) {
                        return Ok(BillingEvent::PackageChanged(changed));
                    }
                    if let Some(changed) = SendingChanged::of(&entry) {
                        return Ok(BillingEvent::SendingChanged(changed));
                    }
                    if let Some(changed) = PaymentChanged::of(&entry) {
                        return Ok(BillingEvent::PaymentChanged(changed));
                    }
                    if let Some(differed) = ReconciliationDiffered::of(&entry) {
                        return Ok(BillingEvent::ReconciliationDiffered(differed));
                    }
                    if let Some(changed) = InvoiceChanged::of(entry) {
                        return Ok(BillingEvent::InvoiceChanged(changed));
                    }
                }
                Err(SubscriptionError::Store(error)) => {
                    tracing::warn!(
                        request.id = %self.ctx.request_id, %error,
                        "a stream cannot read the event log; trying again"
                    );
                    // Boxed, for it is seldom.
                    Box::pin(self.ctx.clock.sleep(POLL_INTERVAL)).await;
                }
                Err(rejection) => return Err(refused(rejection)),
            }
        }
    }

    /// Reads the balance; none if it is what was told last.
    async fn read_balance(&mut self, seq: i64) -> Answer<Option<BalanceChanged>> {
        let now = self.ctx.clock.now();
        let balance = billing::balance(&self.ctx).await?;
        self.moved_at = None;
        self.read_again_at =
            now.plus_ms(i64::try_from(BALANCE_INTERVAL.as_millis()).unwrap_or(i64::MAX));
        if self.told == Some(balance) {
            return Ok(None);
        }
        self.told = Some(balance);
        Ok(Some(BalanceChanged { seq, read_at: now, balance }))
    }
}
