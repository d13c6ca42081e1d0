//! Messages from phones, whole: given to the account that owns the number, stored, told in its log,
//! and heeded where they are keywords (`auto_reply`). Longer ones were joined before (`inbound_parts`).

use std::collections::HashMap;

use entity::enums::{EventKind, SenderStatus};
use entity::ids::{AccountId, CarrierId, InboundMessageId};
use entity::time::UnixMillis;
use entity::{inbound_message, sender};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Set};

use super::answered::{self, Deed};
use super::auto_reply::{self, Arrived};
use crate::db::Tx;
use crate::events::NewEvent;
use crate::keys::MasterKey;
use crate::types::phone::PhoneNumber;

/// A message from a phone with the id drawn for it.
pub(super) struct Whole {
    pub(super) id: InboundMessageId,
    pub(super) carrier_id: CarrierId,
    /// The phone, as the carrier wrote it.
    pub(super) sender: String,
    /// Our number, as the carrier wrote it.
    pub(super) recipient: String,
    pub(super) text: String,
    /// As many as the phone sent.
    pub(super) parts: i16,
    /// As many as came; fewer if the others were given up.
    pub(super) parts_received: i16,
}

/// Stores messages and returns the events for those that belong to an account. Running it again
/// with the same ids changes nothing.
pub(super) async fn store(
    tx: &Tx,
    key: &MasterKey,
    messages: Vec<Whole>,
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let owners = owners(tx, &messages).await?;
    let mut events = Vec::new();
    let mut arrived = Vec::new();
    for message in &messages {
        let id = message.id;
        let owner = owners.get(&number(&message.recipient));
        let account_id = owner.map(|(account_id, _)| *account_id);
        let inserted = inbound_message::Entity::insert(row(message, account_id, now))
            .on_conflict_do_nothing_on([inbound_message::Column::Id])
            .exec_without_returning(&**tx)
            .await?;
        let is_new = matches!(inserted, sea_orm::TryInsertResult::Inserted(rows) if rows > 0);
        let Some((account_id, sender)) = owner.filter(|_| is_new) else { continue };
        events.push(NewEvent {
            account_id: *account_id,
            kind: EventKind::MessageReceived,
            subject_id: id.0,
            status: 0,
            version: 1,
            error_code: None,
            occurred_at: now,
        });
        // Names and short codes send no keywords that anybody could act on.
        if let Ok(phone) = PhoneNumber::restore(&format!("+{}", number(&message.sender))) {
            let (account_id, text) = (*account_id, message.text.as_str());
            arrived.push(Arrived { id, account_id, phone, sender, text });
        }
    }
    let deeds: Vec<Deed> = arrived.iter().map(deed).collect();
    events.extend(answered::events(tx, EventKind::Replied, &deeds, now).await?);
    events.extend(auto_reply::heed(tx, key, &arrived, now).await?);
    Ok(events)
}

/// A message from a phone, as what a person did.
fn deed(it: &Arrived<'_>) -> Deed {
    Deed {
        account_id: it.account_id,
        number: it.phone.e164().to_owned(),
        sender: Some(it.sender.to_owned()),
        topic: None,
        id: it.id.0,
    }
}

/// The stored form of a number of ours, whether the carrier writes a plus sign or not.
fn number(to: &str) -> String {
    to.trim_start_matches('+').to_owned()
}

/// The accounts that own the numbers written to, with the sender that each has: approved senders of
/// that value, if just one account has it.
async fn owners(
    tx: &Tx,
    messages: &[Whole],
) -> Result<HashMap<String, (AccountId, String)>, DbErr> {
    let values = messages.iter().flat_map(|message| {
        let digits = number(&message.recipient);
        [format!("+{digits}"), digits]
    });
    let found: Vec<(String, AccountId)> = sender::Entity::find()
        .select_only()
        .columns([sender::Column::Value, sender::Column::AccountId])
        .filter(sender::Column::Value.is_in(values))
        .filter(sender::Column::Status.eq(SenderStatus::Approved))
        .into_tuple()
        .all(&**tx)
        .await?;
    let mut owners: HashMap<String, Option<(AccountId, String)>> = HashMap::new();
    for (value, account_id) in found {
        owners
            .entry(number(&value))
            .and_modify(|owner| *owner = owner.take().filter(|(owner, _)| *owner == account_id))
            .or_insert(Some((account_id, value)));
    }
    Ok(owners.into_iter().filter_map(|(value, owner)| Some((value, owner?))).collect())
}

fn row(
    message: &Whole,
    account_id: Option<AccountId>,
    now: UnixMillis,
) -> inbound_message::ActiveModel {
    inbound_message::ActiveModel {
        id: Set(message.id),
        account_id: Set(account_id),
        carrier_id: Set(message.carrier_id),
        sender: Set(message.sender.clone()),
        recipient: Set(message.recipient.clone()),
        body: Set(message.text.clone().into_bytes()),
        parts: Set(message.parts),
        parts_received: Set(message.parts_received),
        received_at_ms: Set(now),
    }
}
