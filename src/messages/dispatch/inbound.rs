//! Messages from phones: stored, given to the account that owns the number, and told in its log.

use std::collections::HashMap;

use entity::enums::{EventKind, SenderStatus};
use entity::ids::{AccountId, CarrierId, InboundMessageId};
use entity::time::UnixMillis;
use entity::{inbound_message, sender};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Set};

use crate::carriers::Inbound;
use crate::db::Tx;
use crate::events::NewEvent;

/// An inbound message with the id drawn for it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) id: InboundMessageId,
    pub(super) message: Inbound,
}

/// Stores inbound messages and returns the events for those that belong to an account. Running it
/// again with the same ids changes nothing.
pub(super) async fn store(
    tx: &Tx,
    carrier_id: CarrierId,
    received: &[Received],
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    if received.is_empty() {
        return Ok(Vec::new());
    }
    let owners = owners(tx, received).await?;
    let mut events = Vec::new();
    for Received { id, message } in received {
        let account_id = owners.get(&number(&message.to)).copied();
        let inserted =
            inbound_message::Entity::insert(row(*id, account_id, carrier_id, message, now))
                .on_conflict_do_nothing_on([inbound_message::Column::Id])
                .exec_without_returning(&**tx)
                .await?;
        let is_new = matches!(inserted, sea_orm::TryInsertResult::Inserted(rows) if rows > 0);
        events.extend(account_id.filter(|_| is_new).map(|account_id| NewEvent {
            account_id,
            kind: EventKind::MessageReceived,
            subject_id: id.0,
            status: 0,
            version: 1,
            error_code: None,
            occurred_at: now,
        }));
    }
    Ok(events)
}

/// The stored form of a number of ours, whether the carrier writes a plus sign or not.
fn number(to: &str) -> String {
    to.trim_start_matches('+').to_owned()
}

/// The accounts that own the numbers written to: approved senders of that value, if just one
/// account has it.
async fn owners(tx: &Tx, received: &[Received]) -> Result<HashMap<String, AccountId>, DbErr> {
    let values = received.iter().flat_map(|received| {
        let digits = number(&received.message.to);
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
    let mut owners: HashMap<String, Option<AccountId>> = HashMap::new();
    for (value, account_id) in found {
        owners
            .entry(number(&value))
            .and_modify(|owner| *owner = owner.filter(|owner| *owner == account_id))
            .or_insert(Some(account_id));
    }
    Ok(owners.into_iter().filter_map(|(value, owner)| Some((value, owner?))).collect())
}

fn row(
    id: InboundMessageId,
    account_id: Option<AccountId>,
    carrier_id: CarrierId,
    message: &Inbound,
    now: UnixMillis,
) -> inbound_message::ActiveModel {
    let concatenation = message.concatenation;
    inbound_message::ActiveModel {
        id: Set(id),
        account_id: Set(account_id),
        carrier_id: Set(carrier_id),
        sender: Set(message.from.clone()),
        recipient: Set(message.to.clone()),
        body: Set(message.text.clone().into_bytes()),
        concat_reference: Set(concatenation.map(|part| i32::from(part.reference))),
        concat_total: Set(concatenation.map(|part| i16::from(part.total))),
        concat_number: Set(concatenation.map(|part| i16::from(part.number))),
        received_at_ms: Set(now),
    }
}
