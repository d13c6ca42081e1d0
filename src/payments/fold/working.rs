//! The payments that a batch of webhooks touches, in memory: found by our id or by the processor's
//! objects, merged, and written at the end. What is read and written is one statement a table for
//! any number of webhooks; it stands in `rows`.
//!
//! Facts that name no payment of ours make one of the operator's, UNMATCHED. When a later webhook
//! shows whose it is, it is absorbed: its facts join, and its suspense is cleared.

use std::collections::{BTreeMap, BTreeSet};

use entity::enums::{BookKind, EventKind, PaymentFlow, PaymentPurpose, PaymentStatus};
use entity::ids::{AccountId, PaymentId, ProcessorId};
use entity::time::UnixMillis;
use entity::{payment, payout};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Set};

use super::rows::{self, Links};
use super::{FoldError, UNMATCHED_WAIT_MS, outcomes};
use crate::billing::NewTransfer;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::NewEvent;
use crate::payments::books::{Place, Posted, desired, desired_payout};
use crate::payments::facts::{
    CurrencyConflict, DisputeFacts, Fact, ObjectId, PaymentFacts, PayoutFacts, merge,
};
use crate::payments::sweeps::first_poll_at;

/// Two payments of ours share an object of the processor's.
const TWO_PAYMENTS: &str = "TWO_PAYMENTS";

/// A payment in memory.
struct Known {
    row: payment::Model,
    facts: PaymentFacts,
    posted: Posted,
    /// As it was read, to tell what is new.
    before: PaymentFacts,
    is_new: bool,
    is_touched: bool,
}

impl Known {
    fn read(row: payment::Model) -> Result<Self, Failed> {
        let facts: PaymentFacts = serde_json::from_str(&row.facts).map_err(Failed::internal)?;
        let posted = serde_json::from_str(&row.posted).map_err(Failed::internal)?;
        let before = facts.clone();
        Ok(Self { row, facts, posted, before, is_new: false, is_touched: false })
    }
}

/// What a batch does beside the payments' rows.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) transfers: Vec<NewTransfer>,
    pub(super) events: Vec<NewEvent>,
}

/// The payments that a batch touches.
pub(super) struct Working<'a> {
    ctx: &'a Ctx,
    tx: &'a Tx,
    operator_id: AccountId,
    now: UnixMillis,
    payments: BTreeMap<PaymentId, Known>,
    links: Links,
    /// The links as they are stored.
    stored_links: Links,
    absorbed: Vec<payment::Model>,
    transfers: Vec<NewTransfer>,
    events: Vec<NewEvent>,
}

impl<'a> Working<'a> {
    pub(super) fn new(ctx: &'a Ctx, tx: &'a Tx, operator_id: AccountId, now: UnixMillis) -> Self {
        Self {
            ctx,
            tx,
            operator_id,
            now,
            payments: BTreeMap::new(),
            links: Links::new(),
            stored_links: Links::new(),
            absorbed: Vec::new(),
            transfers: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Reads, and locks, the payments that these facts are about, so that adding them asks no more.
    pub(super) async fn read(&mut self, facts: &[(ProcessorId, &Fact)]) -> Result<(), FoldError> {
        let of_payments = facts.iter().filter_map(|(endpoint_id, fact)| match fact {
            Fact::Payment(facts) => Some((*endpoint_id, facts)),
            Fact::Payout(_) | Fact::BalanceTransaction(_) | Fact::SavedMethod(_) => None,
        });
        let (mut objects, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for (endpoint_id, facts) in of_payments {
            objects.extend(facts.objects.iter().map(|id| (endpoint_id, id.as_str())));
            ids.extend(named(facts));
        }
        self.stored_links = rows::links(self.tx, &objects).await?;
        self.links.clone_from(&self.stored_links);
        ids.extend(self.links.values());
        self.load(&ids).await
    }

    /// Adds a fact; `fresh` is the id of the payment that it makes, if it needs one.
    pub(super) async fn add(
        &mut self,
        endpoint_id: ProcessorId,
        fact: &Fact,
        fresh: PaymentId,
    ) -> Result<(), FoldError> {
        match fact {
            Fact::Payment(facts) => self.add_payment(endpoint_id, facts, fresh).await,
            Fact::Payout(facts) => self.add_payout(endpoint_id, facts).await,
            Fact::SavedMethod(facts) => {
                let place = outcomes::Place { tx: self.tx, now: self.now };
                self.events.extend(outcomes::detach(place, endpoint_id, facts).await?);
                Ok(())
            }
            // For reconciliation; it stands with its payment too.
            Fact::BalanceTransaction(_) => Ok(()),
        }
    }

    async fn add_payment(
        &mut self,
        endpoint_id: ProcessorId,
        facts: &PaymentFacts,
        fresh: PaymentId,
    ) -> Result<(), FoldError> {
        let found = self.find(endpoint_id, facts);
        let is_unmatched = |id: &PaymentId| {
            self.payments.get(id).is_some_and(|it| it.row.purpose == PaymentPurpose::Unmatched)
        };
        let (unmatched, own): (Vec<_>, Vec<_>) = found.into_iter().partition(is_unmatched);
        if own.len() > 1 {
            return Err(Error::Rejected(TWO_PAYMENTS));
        }
        let target = match own.first().or(unmatched.first()) {
            Some(id) => *id,
            None => self.make_unmatched(endpoint_id, fresh),
        };
        for id in unmatched.into_iter().filter(|id| *id != target) {
            self.absorb(id, target).await?;
        }
        for object in &facts.objects {
            self.links.insert((endpoint_id, object.as_str().to_owned()), target);
        }
        if let Some(known) = self.payments.get_mut(&target) {
            known.facts = merge(std::mem::take(&mut known.facts), facts.clone());
            known.is_touched = true;
        }
        Ok(())
    }

    /// The payments that facts are about. What names a payment that is not ours, or another
    /// processor's, names none.
    fn find(&self, endpoint_id: ProcessorId, facts: &PaymentFacts) -> BTreeSet<PaymentId> {
        // One that was absorbed in this batch stands in `links` under its new payment.
        let linked = facts.objects.iter().filter_map(|object| {
            self.links.get(&(endpoint_id, object.as_str().to_owned())).copied()
        });
        let is_here = |id: &PaymentId| {
            self.payments.get(id).is_some_and(|it| it.row.endpoint_id == endpoint_id)
        };
        linked.chain(named(facts)).filter(is_here).collect()
    }

    async fn load(&mut self, ids: &BTreeSet<PaymentId>) -> Result<(), FoldError> {
        for row in rows::payments(self.tx, ids).await? {
            self.payments.insert(row.id, Known::read(row)?);
        }
        Ok(())
    }

    /// Looks at payments again without new facts: time has passed.
    pub(super) async fn revisit(&mut self, ids: &BTreeSet<PaymentId>) -> Result<(), FoldError> {
        self.load(ids).await?;
        self.payments.values_mut().for_each(|known| known.is_touched = true);
        Ok(())
    }

    fn make_unmatched(&mut self, endpoint_id: ProcessorId, id: PaymentId) -> PaymentId {
        let row = payment::Model {
            account_id: self.operator_id,
            id,
            purpose: PaymentPurpose::Unmatched,
            endpoint_id,
            amount_micros: 0,
            currency: "XXX".to_owned(),
            status: PaymentStatus::Open,
            redirect_url: None,
            facts: String::new(),
            posted: String::new(),
            idempotency_key: None,
            input_mac: None,
            polls: 0,
            next_poll_at_ms: Some(self.now.plus_ms(UNMATCHED_WAIT_MS)),
            stale: false,
            version: 0,
            created_at_ms: self.now,
            updated_at_ms: self.now,
            flow: PaymentFlow::Reference,
            invoice_id: None,
            saves_method: false,
            payment_method_id: None,
        };
        let known = Known {
            row,
            facts: PaymentFacts::default(),
            posted: Posted::new(),
            before: PaymentFacts::default(),
            is_new: true,
            is_touched: true,
        };
        self.payments.insert(id, known);
        id
    }

    /// Moves all that is known of `from` to `target`.
    async fn absorb(&mut self, from: PaymentId, target: PaymentId) -> Result<(), FoldError> {
        let Some(gone) = self.payments.remove(&from) else { return Ok(()) };
        for payment_id in self.links.values_mut().filter(|id| **id == from) {
            *payment_id = target;
        }
        if !gone.is_new {
            for row in rows::objects_of(self.tx, from).await? {
                self.links.insert((row.endpoint_id, row.object_id), target);
            }
        }
        let place = self.place(&gone.row);
        self.transfers.extend(place.cleared(from.0, &gone.posted));
        if let Some(known) = self.payments.get_mut(&target) {
            known.facts = merge(std::mem::take(&mut known.facts), gone.facts);
            known.is_touched = true;
        }
        if !gone.is_new {
            self.absorbed.push(gone.row);
        }
        Ok(())
    }

    fn place(&self, row: &payment::Model) -> Place<'a> {
        let party = match row.purpose {
            PaymentPurpose::TopUp | PaymentPurpose::Invoice => BookKind::Customer,
            PaymentPurpose::Unmatched => BookKind::Suspense,
        };
        Place {
            account_id: row.account_id,
            endpoint_id: row.endpoint_id,
            party,
            subject_id: Some(row.id.0),
            turn: row.version,
            now: self.now,
            master_key: &self.ctx.master_key,
        }
    }

    async fn add_payout(
        &mut self,
        endpoint_id: ProcessorId,
        facts: &PayoutFacts,
    ) -> Result<(), FoldError> {
        let id = (endpoint_id, facts.id.as_str().to_owned());
        let found = payout::Entity::find_by_id(id.clone()).one(&**self.tx).await?;
        let posted_micros = found.as_ref().map_or(0, |row| row.posted_micros);
        let kept: Option<PayoutFacts> = match &found {
            Some(row) => Some(serde_json::from_str(&row.facts).map_err(Failed::internal)?),
            None => None,
        };
        // A payout only moves on: what came late says nothing new.
        let facts = match kept {
            Some(kept) if kept.rank >= facts.rank => kept,
            _ => facts.clone(),
        };
        let place = Place {
            account_id: self.operator_id,
            endpoint_id,
            party: BookKind::Bank,
            subject_id: None,
            turn: facts.rank as i32,
            now: self.now,
            master_key: &self.ctx.master_key,
        };
        self.transfers.extend(place.payout(&facts, posted_micros));
        let row = payout::ActiveModel {
            endpoint_id: Set(id.0),
            object_id: Set(id.1),
            facts: Set(serde_json::to_string(&facts).map_err(Failed::internal)?),
            posted_micros: Set(desired_payout(&facts)),
            updated_at_ms: Set(self.now),
        };
        let replaced =
            [payout::Column::Facts, payout::Column::PostedMicros, payout::Column::UpdatedAtMs];
        payout::Entity::insert(row)
            .on_conflict(
                OnConflict::columns([payout::Column::EndpointId, payout::Column::ObjectId])
                    .update_columns(replaced)
                    .to_owned(),
            )
            .exec_without_returning(&**self.tx)
            .await?;
        Ok(())
    }

    /// Writes the rows, and says what is to be posted and told.
    pub(super) async fn write(mut self) -> Result<Effects, FoldError> {
        let mut effects = Effects {
            transfers: std::mem::take(&mut self.transfers),
            events: std::mem::take(&mut self.events),
        };
        let touched = std::mem::take(&mut self.payments).into_values();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for known in touched.filter(|known| known.is_touched) {
            let is_new = known.is_new;
            let row = self.settle(known, &mut effects).await?;
            if is_new { new.push(row) } else { changed.push(row) }
        }
        rows::insert_payments(self.tx, &new).await?;
        rows::update_payments(self.tx, &changed).await?;
        let changed_links =
            self.links.iter().filter(|(key, id)| self.stored_links.get(*key) != Some(*id));
        rows::put_links(self.tx, changed_links).await?;
        rows::delete_payments(self.tx, &self.absorbed).await?;
        Ok(effects)
    }

    /// The row of a payment as its facts have it, and what follows from them.
    async fn settle(
        &self,
        known: Known,
        effects: &mut Effects,
    ) -> Result<payment::Model, FoldError> {
        let Known { mut row, facts, mut posted, before, .. } = known;
        let is_unmatched = row.purpose == PaymentPurpose::Unmatched;
        let has_waited = self.now.since(row.created_at_ms) >= UNMATCHED_WAIT_MS;
        let mut status = facts.status();
        row.version += 1;
        let mut is_posted = false;
        match desired(&facts, row.currency.parse().ok()) {
            Ok(wanted) if status != PaymentStatus::Conflicting => {
                if !is_unmatched || has_waited {
                    effects.transfers.extend(self.place(&row).transfers(&mut posted, &wanted));
                    is_posted = true;
                }
            }
            Ok(_) | Err(CurrencyConflict) => status = PaymentStatus::Conflicting,
        }
        row.status = status;
        row.updated_at_ms = self.now;
        row.facts = serde_json::to_string(&facts).map_err(Failed::internal)?;
        row.posted = serde_json::to_string(&posted).map_err(Failed::internal)?;
        if is_unmatched {
            row.next_poll_at_ms = row.next_poll_at_ms.filter(|_| !has_waited);
        } else {
            effects.events.extend(self.news(&row, &before, &facts));
            let place = outcomes::Place { tx: self.tx, now: self.now };
            effects.events.extend(outcomes::follow(place, &row, &facts).await?);
            if is_posted {
                effects.events.extend(outcomes::pay_invoice(place, &row, &posted).await?);
            }
            row.next_poll_at_ms = next_poll(&row, &facts, self.now);
        }
        Ok(row)
    }

    /// What a subscriber is told of a change.
    fn news(
        &self,
        row: &payment::Model,
        before: &PaymentFacts,
        after: &PaymentFacts,
    ) -> Vec<NewEvent> {
        let mut kinds = Vec::new();
        if !before.has_been_collected() && after.has_been_collected() {
            kinds.push(EventKind::PaymentSucceeded);
        }
        let has_failed = matches!(
            row.status,
            PaymentStatus::AttemptFailed | PaymentStatus::Canceled | PaymentStatus::Expired
        );
        if has_failed && before.status() != row.status {
            kinds.push(EventKind::PaymentFailed);
        }
        if after.refunded_micros() > before.refunded_micros() {
            kinds.push(EventKind::PaymentRefunded);
        }
        if disputes(before) != disputes(after) {
            kinds.push(EventKind::PaymentDisputed);
        }
        let failure = after
            .failure()
            .filter(|_| has_failed)
            .and_then(|class| serde_json::to_value(class).ok()?.as_str().map(str::to_owned));
        let event = |kind| NewEvent {
            account_id: row.account_id,
            kind,
            subject_id: row.id.0,
            status: row.status.code(),
            version: row.version,
            error_code: failure.clone().filter(|_| kind == EventKind::PaymentFailed),
            occurred_at: self.now,
        };
        kinds.into_iter().map(event).collect()
    }
}

/// Our ids that the processor gives back to us.
fn named(facts: &PaymentFacts) -> impl Iterator<Item = PaymentId> {
    facts.references.iter().filter_map(|text| text.as_str().parse().ok())
}

fn disputes(facts: &PaymentFacts) -> Vec<(&ObjectId, &DisputeFacts)> {
    facts.disputes.iter().collect()
}

/// When the processor is asked next: as planned while the payment is open, soon if something is
/// missing, else never.
fn next_poll(row: &payment::Model, facts: &PaymentFacts, now: UnixMillis) -> Option<UnixMillis> {
    let is_open = matches!(
        row.status,
        PaymentStatus::Open
            | PaymentStatus::ActionRequired
            | PaymentStatus::Processing
            | PaymentStatus::AttemptFailed
            | PaymentStatus::Authorized
    );
    if row.stale {
        return None;
    }
    if is_open {
        return row.next_poll_at_ms;
    }
    let has_gaps = !facts.gaps().is_empty();
    has_gaps.then(|| row.next_poll_at_ms.unwrap_or(first_poll_at(now)))
}
