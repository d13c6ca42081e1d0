//! A batch of accepted messages, made in memory and written in one transaction. Called by
//! `commands::send`.

use std::collections::{BTreeSet, HashMap};

use entity::enums::MessageStatus;
use entity::ids::{AccountId, CarrierId, TextId};
use entity::message::Model as Message;
use entity::time::UnixMillis;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::accept::{Checked, ItemError};
use super::commands::SentMessage;
use super::store::{Changed, insert_messages};
use super::text_store;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::events::{self, NewEvent, Topic};

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
pub(super) struct Batch {
    account_id: AccountId,
    pub(super) now: UnixMillis,
    pub(super) results: Vec<StoredResult>,
    messages: Vec<Message>,
    texts: Vec<(TextId, String)>,
}

impl Batch {
    pub(super) fn new(
        ctx: &Ctx,
        account_id: AccountId,
        checked: Vec<Result<Checked, ItemError>>,
    ) -> Self {
        let now = ctx.clock.now();
        let mut batch = Self {
            account_id,
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
            let message = new_message(ctx, account_id, item, text_id, now);
            let sent = SentMessage { id: message.id, status: message.status };
            batch.results.push(StoredResult::Message(sent));
            batch.messages.push(message);
        }
        batch.texts = text_ids.into_iter().map(|(text, id)| (id, text)).collect();
        batch
    }

    pub(super) async fn insert(&self, tx: &Tx) -> Result<(), DbErr> {
        let texts: Vec<_> = self.texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
        text_store::insert(tx, self.account_id, &texts, self.now).await?;
        insert_messages(tx, &self.messages).await?;
        let events =
            self.messages.iter().map(|message| accepted_event(message, self.now)).collect();
        events::append(tx, events).await
    }

    pub(super) fn ring(&self, ctx: &Ctx) {
        if self.messages.is_empty() {
            return;
        }
        ctx.doorbell.ring(Topic::Events(self.account_id));
        let carriers: BTreeSet<CarrierId> =
            self.messages.iter().map(|message| message.carrier_id).collect();
        for carrier_id in carriers {
            ctx.doorbell.ring(Topic::Queue(carrier_id));
        }
        metrics::counter!("messages_accepted_total").increment(self.messages.len() as u64);
    }
}

fn new_message(
    ctx: &Ctx,
    account_id: AccountId,
    item: Checked,
    text_id: TextId,
    now: UnixMillis,
) -> Message {
    let status = if item.due_at > now { MessageStatus::Scheduled } else { MessageStatus::Queued };
    Message {
        account_id,
        id: ctx.ids.next(),
        class: item.class,
        status,
        version: 1,
        is_test: ctx.actor.is_test(),
        recipient: item.recipient.e164().to_owned(),
        sender: item.sender,
        sender_kind: item.sender_kind,
        text_id,
        encoding: item.encoding,
        parts: item.parts,
        client_reference: item.client_reference,
        carrier_id: item.carrier_id,
        due_at_ms: item.due_at,
        expires_at_ms: item.expires_at,
        attempt: 0,
        claim_token: None,
        submitted_at_ms: None,
        carrier_message_id: None,
        sent_at_ms: None,
        finished_at_ms: None,
        parts_delivered: 0,
        error_code: None,
        created_at_ms: now,
    }
}

fn accepted_event(message: &Message, now: UnixMillis) -> NewEvent {
    let changed = Changed {
        account_id: message.account_id,
        id: message.id,
        status: message.status,
        version: message.version,
        error_code: None,
    };
    changed.event(now)
}
