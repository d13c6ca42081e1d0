//! A batch of accepted messages, made in memory and written in one transaction. Called by
//! `commands::send`.

use std::collections::{BTreeSet, HashMap, HashSet};

use entity::enums::{KeyMode, MessageStatus, Purse};
use entity::ids::{AccountId, CampaignId, CarrierId, MessageId, TextId};
use entity::message::Model as Message;
use entity::time::UnixMillis;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::accept::{Checked, ItemError};
use super::campaigns::To;
use super::commands::{Sending, SentMessage};
use super::store::{Changed, insert_messages};
use super::text_store;
use crate::billing::packages::{self, Want};
use crate::billing::{self, Journal};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::events::{self, NewEvent, Topic};
use crate::types::money::Micros;
use crate::types::price::PartPrice;

/// A result as it is stored with its idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum StoredResult {
    #[serde(rename = "m")]
    Message(SentMessage),
    #[serde(rename = "e")]
    Error(ItemError),
}

impl From<StoredResult> for Result<SentMessage, ItemError> {
    fn from(stored: StoredResult) -> Self {
        match stored {
            StoredResult::Message(message) => Ok(message),
            StoredResult::Error(error) => Err(error),
        }
    }
}

/// A batch ready to be written: ids are drawn, so that the transaction may run twice.
#[derive(Clone)]
pub(super) struct Batch {
    journal: Journal,
    /// Whether packages are still to be asked for what they pay.
    asks_packages: bool,
    pub(super) now: UnixMillis,
    pub(super) results: Vec<StoredResult>,
    messages: Vec<Message>,
    texts: Vec<(TextId, String)>,
}

impl Batch {
    pub(super) fn new(
        ctx: &Ctx,
        sending: Sending<'_>,
        checked: Vec<Result<Checked, ItemError>>,
    ) -> Self {
        let Sending { account_id, mode, terms, .. } = sending;
        let played = Played::in_mode(ctx, mode);
        let now = ctx.clock.now();
        let journal = Journal::of_money(account_id, terms.currency);
        let mut batch = Self {
            journal,
            asks_packages: terms.may_have_packages(now),
            now,
            results: Vec::with_capacity(checked.len()),
            messages: Vec::with_capacity(checked.len()),
            texts: Vec::new(),
        };
        let mut text_ids: HashMap<String, TextId> = HashMap::new();
        for item in checked {
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    batch.results.push(StoredResult::Error(error));
                    continue;
                }
            };
            let text = item.text.as_str();
            let text_id = match text_ids.get(text) {
                Some(id) => *id,
                None => {
                    let id = ctx.ids.next();
                    text_ids.insert(text.to_owned(), id);
                    id
                }
            };
            let message =
                new_message(played, journal, item, New { id: ctx.ids.next(), text_id, now });
            let sent = SentMessage { id: message.id, status: message.status };
            batch.results.push(StoredResult::Message(sent));
            batch.messages.push(message);
        }
        batch.texts = text_ids.into_iter().map(|(text, id)| (id, text)).collect();
        batch
    }

    /// The batch with the packages that pay for its messages, which are held for them. Locks the
    /// account's wallets, so an account that has no packages is spared it.
    pub(super) async fn with_packages(mut self, tx: &Tx) -> Result<Self, DbErr> {
        if !self.asks_packages {
            return Ok(self);
        }
        let wants: Vec<Want<'_>> = self.messages.iter().map(want).collect();
        let covers = packages::hold(tx, self.journal, self.now, &wants).await?;
        for (message, cover) in self.messages.iter_mut().zip(covers) {
            let Some(cover) = cover else { continue };
            message.granted_package_id = Some(cover.granted_package_id);
            message.purse = cover.purse;
            message.unit_price_nanos = cover.unit_price.nanos();
            message.price_micros = cover.price.0;
        }
        self.asks_packages = false;
        Ok(self)
    }

    /// The batch without the messages that the account's money does not reach to: each in its turn
    /// gets what it costs, or is refused.
    pub(super) fn within(mut self, available: Micros) -> Self {
        let mut left = available;
        let mut kept = Vec::with_capacity(self.messages.len());
        let mut messages = self.messages.into_iter();
        for result in &mut self.results {
            if matches!(result, StoredResult::Error(_)) {
                continue;
            }
            let Some(message) = messages.next() else { break };
            match left.checked_sub(held(&message)).filter(|rest| *rest >= Micros::ZERO) {
                Some(rest) => {
                    left = rest;
                    kept.push(message);
                }
                // What costs nothing is sent by those who have nothing as well.
                None if held(&message) == Micros::ZERO => kept.push(message),
                None => *result = StoredResult::Error(ItemError::insufficient_credit()),
            }
        }
        let used: HashSet<TextId> = kept.iter().map(|message| message.text_id).collect();
        self.texts.retain(|(id, _)| used.contains(id));
        self.messages = kept;
        self
    }

    /// The batch as part of a campaign: an item for each of `recipients`, in their order.
    pub(super) fn of_campaign(mut self, campaign_id: CampaignId, recipients: &[To]) -> Self {
        let mut messages = self.messages.iter_mut();
        for (result, to) in self.results.iter().zip(recipients) {
            if matches!(result, StoredResult::Message(_))
                && let Some(message) = messages.next()
            {
                message.campaign_id = Some(campaign_id);
                message.contact_id = Some(to.contact_id);
                message.place = to.place;
                message.variant = to.variant;
            }
        }
        self
    }

    /// How many messages it has, and what they cost, charged for or not; none if that is beyond 64
    /// bits.
    pub(super) fn total(&self) -> (usize, Option<Micros>) {
        let prices = self.messages.iter().map(|message| Micros(message.price_micros));
        (self.messages.len(), Micros::checked_sum(prices))
    }

    /// What all its messages cost in money; none if that is beyond 64 bits.
    fn held(&self) -> Option<Micros> {
        Micros::checked_sum(self.messages.iter().map(held))
    }

    /// Writes the batch, and holds what it costs: of packages first, of money the rest. False if the
    /// account has not that much: then the transaction must be rolled back.
    ///
    /// The hold of money comes late, since its row is locked until the commit and all of an account's
    /// calls wait for it.
    pub(super) async fn insert(&self, tx: &Tx) -> Result<bool, DbErr> {
        if self.asks_packages {
            return self.clone().with_packages(tx).await?.write(tx).await;
        }
        self.write(tx).await
    }

    async fn write(&self, tx: &Tx) -> Result<bool, DbErr> {
        let texts: Vec<_> = self.texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
        text_store::insert(tx, self.journal.account_id, &texts, self.now).await?;
        insert_messages(tx, &self.messages).await?;
        match self.held() {
            None => return Ok(false),
            Some(Micros::ZERO) => {}
            Some(amount) => {
                if !billing::hold(tx, self.journal, amount).await? {
                    return Ok(false);
                }
            }
        }
        let events =
            self.messages.iter().map(|message| accepted_event(message, self.now)).collect();
        events::append(tx, events).await?;
        Ok(true)
    }

    pub(super) const fn account_id(&self) -> AccountId {
        self.journal.account_id
    }

    pub(super) fn ring(&self, ctx: &Ctx) {
        if self.messages.is_empty() {
            return;
        }
        ctx.doorbell.ring(Topic::Events(self.journal.account_id));
        let carriers: BTreeSet<CarrierId> =
            self.messages.iter().map(|message| message.carrier_id).collect();
        for carrier_id in carriers {
            ctx.doorbell.ring(Topic::Queue(carrier_id));
        }
        metrics::counter!("messages_accepted_total").increment(self.messages.len() as u64);
    }
}

/// What is held of money for a message.
fn held(message: &Message) -> Micros {
    match (message.charged_micros, message.purse) {
        (None, Purse::Money) => Micros(message.price_micros),
        (None, Purse::Credit | Purse::Parts) | (Some(_), _) => Micros::ZERO,
    }
}

fn want(message: &Message) -> Want<'_> {
    Want {
        digits: message.recipient.trim_start_matches('+'),
        class: message.class,
        parts: message.parts,
        unit_price: PartPrice::from_nanos(message.unit_price_nanos).unwrap_or_default(),
        price: held(message),
    }
}

/// In what earnest messages are sent.
#[derive(Clone, Copy)]
struct Played {
    is_test: bool,
    /// What is not charged for has no hold that could end.
    is_free_of_charge: bool,
}

impl Played {
    fn in_mode(ctx: &Ctx, mode: KeyMode) -> Self {
        let is_test = mode == KeyMode::Test;
        Self { is_test, is_free_of_charge: is_test || !ctx.settings.billing.charging }
    }
}

/// What is drawn for a message.
#[derive(Clone, Copy)]
struct New {
    id: MessageId,
    text_id: TextId,
    now: UnixMillis,
}

fn new_message(played: Played, journal: Journal, item: Checked, new: New) -> Message {
    let Played { is_test, is_free_of_charge } = played;
    let New { id, text_id, now } = new;
    let status = if item.due_at > now { MessageStatus::Scheduled } else { MessageStatus::Queued };
    Message {
        account_id: journal.account_id,
        id,
        class: item.class,
        status,
        version: 1,
        is_test,
        recipient: item.recipient.e164().to_owned(),
        sender: item.sender,
        sender_kind: item.sender_kind,
        text_id,
        encoding: item.encoding,
        national_language: item.national_language,
        parts: item.parts,
        client_reference: item.client_reference,
        country: item.country,
        currency: journal.unit.as_str().to_owned(),
        purse: journal.purse,
        unit_price_nanos: item.unit_price.nanos(),
        price_micros: item.price.0,
        charged_micros: is_free_of_charge.then_some(0),
        charged_version: is_free_of_charge.then_some(1),
        carrier_id: item.carrier_id,
        due_at_ms: item.due_at,
        expires_at_ms: item.expires_at,
        valid_until_ms: item.valid_until,
        attempt: 0,
        claim_token: None,
        submitted_at_ms: None,
        carrier_message_id: None,
        sent_at_ms: None,
        finished_at_ms: None,
        parts_delivered: 0,
        error_code: None,
        created_at_ms: now,
        topic: item.topic,
        route_id: item.route_id,
        granted_package_id: None,
        campaign_id: None,
        contact_id: None,
        place: None,
        variant: None,
    }
}

fn accepted_event(message: &Message, now: UnixMillis) -> NewEvent {
    let changed = Changed {
        account_id: message.account_id,
        id: message.id,
        status: message.status,
        version: message.version,
        error_code: None,
        charge: None,
    };
    changed.event(now)
}
