//! Messages from phones as a carrier passes them on, whole or part by part.

use entity::ids::{CarrierId, InboundMessageId};
use entity::time::UnixMillis;
use sea_orm::DbErr;

use crate::carriers::Inbound;
use crate::db::Tx;
use crate::events::NewEvent;
use crate::keys::MasterKey;
use crate::messages::inbound::{self, Whole};
use crate::messages::inbound_parts::{self, NewPart};

/// What a carrier passed on, with the id drawn for it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) id: InboundMessageId,
    pub(super) message: Inbound,
}

/// Stores what is whole, and puts the parts of longer messages to those that came before. Returns
/// the events of the messages that are whole now. Running it again with the same ids changes
/// nothing.
pub(super) async fn store(
    tx: &Tx,
    key: &MasterKey,
    carrier_id: CarrierId,
    received: &[Received],
    parts_timeout_ms: i64,
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let mut whole = Vec::with_capacity(received.len());
    for Received { id, message } in received {
        match message.concatenation {
            None => whole.push(Whole {
                id: *id,
                carrier_id,
                sender: message.from.clone(),
                recipient: message.to.clone(),
                text: message.text.clone(),
                parts: 1,
                parts_received: 1,
            }),
            Some(place) => {
                let part = NewPart { id: *id, carrier_id, message, place };
                whole.extend(inbound_parts::put(tx, &part, parts_timeout_ms, now).await?);
            }
        }
    }
    inbound::store(tx, key, whole, now).await
}
