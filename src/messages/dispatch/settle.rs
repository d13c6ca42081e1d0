//! Writing what a carrier reported, in groups: results, receipts and inbound messages that came
//! together go into one transaction, and only after its commit are they acknowledged.
//!
//! Results come before receipts in a group, so a receipt that follows its answer closely finds the
//! message. One that overtook its answer is parked, and is looked for when the answer is written.
//! Everything here may run twice (a commit whose answer was lost is tried again): statuses move by
//! compare-and-set, so the second run changes no row and makes no event.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::enums::{MessageStatus, PartState};
use entity::ids::{AccountId, CarrierId, MessageId};
use entity::time::UnixMillis;
use sea_orm::DbErr;

use super::inbound;
use super::matching::{self, Found, Matched, PartKey};
use super::parked;
use super::receipt_ids::{MatchedId, ReceiptIds};
use super::verdict::{InFlightMessage, Verdict};
use crate::billing::{Charge, settle_charges};
use crate::carriers::errors::ErrorTable;
use crate::carriers::registry::Conventions;
use crate::carriers::smpp::receipt_id::ReceiptIdForm;
use crate::carriers::{Inbound, Receipt};
use crate::ctx::Platform;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::events::{self, NewEvent, Topic};
use crate::messages::model::{guard, is_final, status_of_receipt};
use crate::messages::store::{Changed, returning_changed};

/// A result with what it means.
pub(super) type Decided = (InFlightMessage, Verdict);

/// What came from a carrier since the last group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) results: Vec<Decided>,
    pub(super) receipts: Vec<Receipt>,
    /// Receipts that were put aside, to be looked up once more in every form.
    pub(super) second_looks: Vec<parked::Kept>,
    /// What the carrier answered when it was asked, by the ids that its answers gave.
    pub(super) queried: Vec<Receipt>,
    pub(super) inbound: Vec<inbound::Received>,
}

impl Group {
    pub(super) fn push_inbound(&mut self, platform: &Platform, message: Inbound) {
        self.inbound.push(inbound::Received { id: platform.ids.next(), message });
    }
}

/// What a group changed, for the doorbell and the counters.
#[derive(Debug, Default)]
pub(super) struct Settled {
    accounts: BTreeSet<AccountId>,
    changed: Vec<MessageStatus>,
    stale_receipts: usize,
    /// Whether receipts were put aside: from then on every result looks for its own.
    pub(super) parked: bool,
    matched_ids: Vec<MatchedId>,
    requeued: bool,
}

/// Writes groups for one carrier under one lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settler<'a> {
    pub(super) platform: &'a Platform,
    pub(super) carrier_id: CarrierId,
    pub(super) token: i64,
    /// How the carrier writes what it reports.
    pub(super) conventions: &'a Conventions,
    /// How it writes ids in receipts.
    pub(super) receipt_ids: &'a ReceiptIds,
}

impl Settler<'_> {
    /// Writes a group, in one transaction.
    ///
    /// `look_for_parked`: whether receipts may be waiting for the group's results.
    pub(super) async fn settle(
        &self,
        group: &Group,
        look_for_parked: bool,
    ) -> Result<Settled, DbErr> {
        let now = self.platform.clock.now();
        let settled = self
            .platform
            .db
            .write(|tx| async move { self.write(&tx, group, now, look_for_parked).await })
            .await?;
        for account_id in &settled.accounts {
            self.platform.doorbell.ring(Topic::Events(*account_id));
        }
        if settled.requeued {
            self.platform.doorbell.ring(Topic::Queue(self.carrier_id));
        }
        self.receipt_ids.learn(&settled.matched_ids);
        self.count(&settled);
        Ok(settled)
    }

    fn count(&self, settled: &Settled) {
        for status in &settled.changed {
            metrics::counter!("messages_status_total", "status" => format!("{status:?}"))
                .increment(1);
        }
        metrics::counter!("receipts_stale_total").increment(settled.stale_receipts as u64);
    }

    async fn write(
        &self,
        tx: &Tx,
        group: &Group,
        now: UnixMillis,
        look_for_parked: bool,
    ) -> Result<Settled, DbErr> {
        let mut settled = Settled::default();
        let mut events: Vec<NewEvent> = Vec::new();
        let mut charges: Vec<Charge> = Vec::new();
        let mut note = |settled: &mut Settled, changed: Vec<Changed>| {
            for mut message in changed {
                charges.extend(message.charge.take());
                settled.accounts.insert(message.account_id);
                settled.changed.push(message.status);
                settled.requeued |= message.status == MessageStatus::Queued;
                // What goes back into the queue was QUEUED for its reader all along.
                if message.status != MessageStatus::Queued || message.error_code.is_some() {
                    events.push(message.event(now));
                }
            }
        };
        let changed = write_results(tx, self.token, &group.results, now).await?;
        note(&mut settled, changed);
        write_parts(tx, self.carrier_id, &group.results, now).await?;
        let mut receipts = Vec::new();
        if look_for_parked {
            receipts = parked::take(tx, self.carrier_id, ids_of(&group.results)).await?;
        }
        receipts.extend(group.receipts.iter().cloned());
        let mut found = Vec::new();
        if !receipts.is_empty() {
            let form = self.receipt_ids.form();
            let Found { messages, ids } =
                matching::find(tx, self.carrier_id, form, &receipts).await?;
            settled.matched_ids = ids;
            let (known, unknown) = split(receipts, messages);
            settled.parked = !unknown.is_empty();
            parked::put(tx, self.carrier_id, &unknown, now).await?;
            found.extend(known);
        }
        if !group.second_looks.is_empty() {
            found.extend(self.look_again(tx, &group.second_looks, &mut settled).await?);
        }
        if !group.queried.is_empty() {
            let form = Some(ReceiptIdForm::AsWritten);
            let asked = matching::find(tx, self.carrier_id, form, &group.queried).await?.messages;
            found.extend(split(group.queried.clone(), asked).0);
        }
        if !found.is_empty() {
            let receipts_found = found.len();
            let changed = apply_receipts(tx, &self.conventions.errors, found, now).await?;
            settled.stale_receipts = receipts_found.saturating_sub(changed.len());
            note(&mut settled, changed);
        }
        let timeout_ms = self.platform.settings.messages.inbound_parts_timeout_s * 1_000;
        let key = &self.platform.master_key;
        let received =
            inbound::store(tx, key, self.carrier_id, &group.inbound, timeout_ms, now).await?;
        settled.accounts.extend(received.iter().map(|event| event.account_id));
        events.extend(received);
        settle_charges(tx, &self.platform.master_key, now, charges).await?;
        events::append(tx, events).await?;
        Ok(settled)
    }

    /// The receipts among those put aside whose message is known in some form.
    async fn look_again(
        &self,
        tx: &Tx,
        kept: &[parked::Kept],
        settled: &mut Settled,
    ) -> Result<Vec<(Receipt, Matched)>, DbErr> {
        let receipts: Vec<Receipt> = kept.iter().map(|kept| kept.receipt.clone()).collect();
        let Found { messages, ids } = matching::find(tx, self.carrier_id, None, &receipts).await?;
        settled.matched_ids.extend(ids);
        let found = kept.iter().zip(&messages).filter(|(_, message)| message.is_some());
        parked::remove(tx, self.carrier_id, found.map(|(kept, _)| kept)).await?;
        Ok(split(receipts, messages).0)
    }
}

/// The carrier's ids that a group's results bring.
fn ids_of(results: &[Decided]) -> Vec<String> {
    let mut ids = Vec::new();
    for (_, verdict) in results {
        ids.extend(verdict.carrier_message_id.clone());
        ids.extend(verdict.parts.iter().filter_map(|part| part.carrier_message_id.clone()));
    }
    ids
}

fn split(
    receipts: Vec<Receipt>,
    matched: Vec<Option<Matched>>,
) -> (Vec<(Receipt, Matched)>, Vec<Receipt>) {
    let mut found = Vec::with_capacity(receipts.len());
    let mut unknown = Vec::new();
    for (receipt, matched) in receipts.into_iter().zip(matched) {
        match matched {
            Some(matched) => found.push((receipt, matched)),
            None => unknown.push(receipt),
        }
    }
    (found, unknown)
}

const RESULT_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("due_at_ms", BulkType::BigInt),
    BulkColumn::new("attempt", BulkType::SmallInt),
    BulkColumn::nullable("carrier_message_id", BulkType::Text),
    BulkColumn::nullable("sent_at_ms", BulkType::BigInt),
    BulkColumn::nullable("finished_at_ms", BulkType::BigInt),
    BulkColumn::nullable("error_code", BulkType::Text),
    BulkColumn::nullable("charged_micros", BulkType::BigInt),
];

/// Moves messages out of SENDING; those claimed anew under another lease stay as they are.
async fn write_results(
    tx: &Tx,
    token: i64,
    results: &[Decided],
    now: UnixMillis,
) -> Result<Vec<Changed>, DbErr> {
    let mut rows = Bulk::new(RESULT_COLUMNS);
    for (message, verdict) in results {
        let over = is_final(verdict.status)
            || matches!(verdict.status, MessageStatus::Unknown | MessageStatus::ExpiredHere);
        rows.push([
            message.account_id.0.into(),
            message.id.0.into(),
            verdict.status.code().into(),
            verdict.due_at.0.into(),
            verdict.attempt.into(),
            verdict.carrier_message_id.clone().into(),
            (verdict.status == MessageStatus::Sent).then_some(now.0).into(),
            over.then_some(now.0).into(),
            verdict.error_code.clone().into(),
            verdict.charged.map(|amount| amount.0).into(),
        ]);
    }
    let sql = format!(
        "UPDATE message SET status = rows.status, version = message.version + 1, \
         due_at_ms = rows.due_at_ms, attempt = rows.attempt, claim_token = NULL, \
         carrier_message_id = rows.carrier_message_id, sent_at_ms = rows.sent_at_ms, \
         finished_at_ms = rows.finished_at_ms, error_code = rows.error_code, \
         charged_micros = COALESCE(message.charged_micros, rows.charged_micros), \
         charged_version = CASE WHEN message.charged_micros IS NULL \
         AND rows.charged_micros IS NOT NULL THEN message.version + 1 \
         ELSE message.charged_version END \
         FROM rows WHERE message.account_id = rows.account_id AND message.id = rows.id \
         AND message.status + 0 = {sending} AND message.claim_token = {{1}} {returning}",
        sending = MessageStatus::Sending.code(),
        returning = returning_changed(),
    );
    let rows = rows.query(tx, &sql, vec![token.into()]).await?;
    let mut changed = rows.iter().map(Changed::read).collect::<Result<Vec<_>, _>>()?;
    // The store answers in an order of its own; the log tells it in the order of the answers.
    let order: HashMap<MessageId, usize> =
        results.iter().enumerate().map(|(index, (message, _))| (message.id, index)).collect();
    changed.sort_by_key(|message| order.get(&message.id).copied());
    Ok(changed)
}

const PART_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("message_id", BulkType::Uuid),
    BulkColumn::new("attempt", BulkType::SmallInt),
    BulkColumn::new("part", BulkType::SmallInt),
    BulkColumn::nullable("carrier_message_id", BulkType::Text),
    BulkColumn::new("state", BulkType::SmallInt),
    BulkColumn::nullable("error_code", BulkType::Text),
    BulkColumn::new("submitted_at_ms", BulkType::BigInt),
];

async fn write_parts(
    tx: &Tx,
    carrier_id: CarrierId,
    results: &[Decided],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(PART_COLUMNS);
    for (message, verdict) in results {
        for (number, part) in (1i16..).zip(&verdict.parts) {
            rows.push([
                message.account_id.0.into(),
                message.id.0.into(),
                message.attempt.into(),
                number.into(),
                part.carrier_message_id.clone().into(),
                part.state.code().into(),
                part.error_code.clone().into(),
                message.submitted_at.0.into(),
            ]);
        }
    }
    rows.execute(
        tx,
        "INSERT INTO submission (account_id, message_id, attempt, part, carrier_id, \
         carrier_message_id, state, error_code, submitted_at_ms, updated_at_ms) \
         SELECT account_id, message_id, attempt, part, {1}, carrier_message_id, state, \
         error_code, submitted_at_ms, {2} FROM rows WHERE true ON CONFLICT DO NOTHING",
        vec![carrier_id.0.into(), now.0.into()],
    )
    .await?;
    Ok(())
}

/// What the receipts of a group ask of one message.
#[derive(Clone, Debug)]
struct Proposal {
    status: MessageStatus,
    error_code: Option<String>,
    parts_delivered: i16,
}

async fn apply_receipts(
    tx: &Tx,
    errors: &ErrorTable,
    found: Vec<(Receipt, Matched)>,
    now: UnixMillis,
) -> Result<Vec<Changed>, DbErr> {
    let mut proposals: BTreeMap<(AccountId, MessageId), Proposal> = BTreeMap::new();
    let mut parts: BTreeMap<(AccountId, MessageId, PartKey), Proposal> = BTreeMap::new();
    for (receipt, matched) in found {
        let status = status_of_receipt(receipt.state);
        let error = errors.classify_receipt(receipt.state, receipt.error.as_ref());
        let error_code = error.map(|error| error.code.clone());
        let delivered = i16::from(status == MessageStatus::Delivered);
        let proposal = Proposal { status, error_code, parts_delivered: delivered };
        match matched.part {
            None => keep_best(&mut proposals, (matched.account_id, matched.message_id), proposal),
            Some(part) => {
                keep_best(&mut parts, (matched.account_id, matched.message_id, part), proposal);
            }
        }
    }
    if !parts.is_empty() {
        for (key, proposal) in
            super::parts::apply(tx, parts.into_iter().map(into_part_receipt), now).await?
        {
            keep_best(
                &mut proposals,
                key,
                Proposal {
                    status: proposal.status,
                    error_code: proposal.error_code,
                    parts_delivered: proposal.parts_delivered,
                },
            );
        }
    }
    advance(tx, proposals, now).await
}

fn into_part_receipt(
    ((account_id, message_id, key), proposal): ((AccountId, MessageId, PartKey), Proposal),
) -> super::parts::PartReceipt {
    super::parts::PartReceipt {
        account_id,
        message_id,
        key,
        status: proposal.status,
        error_code: proposal.error_code,
        state: match proposal.status {
            MessageStatus::Delivered => PartState::Delivered,
            status if is_final(status) => PartState::Undelivered,
            _ => PartState::Accepted,
        },
    }
}

/// Of several receipts for one thing the first of the highest rank counts.
fn keep_best<K: Ord>(proposals: &mut BTreeMap<K, Proposal>, key: K, new: Proposal) {
    let better = |old: &Proposal| old.status.code() < guard(new.status);
    if proposals.get(&key).is_none_or(better) {
        proposals.insert(key, new);
    }
}

const PROPOSAL_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("guard", BulkType::SmallInt),
    BulkColumn::nullable("finished_at_ms", BulkType::BigInt),
    BulkColumn::nullable("error_code", BulkType::Text),
    BulkColumn::new("parts_delivered", BulkType::SmallInt),
];

/// One compare-and-set for all: the row's status gives way only to a higher rank. A receipt proves
/// that the carrier took the message, so a price that is still held (its answer was never heard) is
/// charged.
async fn advance(
    tx: &Tx,
    proposals: BTreeMap<(AccountId, MessageId), Proposal>,
    now: UnixMillis,
) -> Result<Vec<Changed>, DbErr> {
    let mut rows = Bulk::new(PROPOSAL_COLUMNS);
    for ((account_id, id), proposal) in proposals {
        let over = proposal.status != MessageStatus::Enroute;
        rows.push([
            account_id.0.into(),
            id.0.into(),
            proposal.status.code().into(),
            guard(proposal.status).into(),
            over.then_some(now.0).into(),
            proposal.error_code.into(),
            proposal.parts_delivered.into(),
        ]);
    }
    let sql = format!(
        "UPDATE message SET status = rows.status, version = message.version + 1, \
         finished_at_ms = rows.finished_at_ms, error_code = rows.error_code, \
         parts_delivered = rows.parts_delivered, \
         charged_micros = COALESCE(message.charged_micros, message.price_micros), \
         charged_version = CASE WHEN message.charged_micros IS NULL THEN message.version + 1 \
         ELSE message.charged_version END \
         FROM rows WHERE message.account_id = rows.account_id AND message.id = rows.id \
         AND message.status + 0 < rows.guard AND message.status + 0 >= {sending} {returning}",
        sending = MessageStatus::Sending.code(),
        returning = returning_changed(),
    );
    let changed = rows.query(tx, &sql, Vec::new()).await?;
    changed.iter().map(Changed::read).collect()
}
