//! Long messages from phones: their parts come one by one, in any order, some of them twice, and
//! are joined by carrier, phone, number, reference and total (3GPP TS 23.040, 9.2.3.24.1).
//!
//! A part goes to the oldest message that still lacks it. One with the text of the part that is
//! there already is the same part again, delivered twice. One with another text begins a new
//! message: a phone has 256 references, and uses them again. What is joined is remembered as long
//! as a part is waited for, so that a late repetition begins no message of its own.
//!
//! A message that lacks parts when the time for them is over is shown with those that came.

use std::collections::{BTreeMap, BTreeSet};

use entity::ids::{CarrierId, InboundMessageId};
use entity::inbound_part::{ActiveModel, Column, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::inbound::{self, Whole};
use crate::carriers::{Concatenation, Inbound};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::events::{self, Topic};

/// Messages that one transaction of [`give_up`] ends.
const GIVE_UP_MAX: usize = 200;
/// How much longer than a part is waited for its message is kept, in ms: beyond the difference of
/// two nodes' clocks, so that no part is put to a message that is being given up.
const GRACE_MS: i64 = 60_000;

/// A part with the id that the message gets if this part makes it whole.
pub(super) struct NewPart<'a> {
    pub(super) id: InboundMessageId,
    pub(super) carrier_id: CarrierId,
    pub(super) message: &'a Inbound,
    pub(super) place: Concatenation,
}

/// Puts a part to its message, and returns the message if it is whole now. The same part again
/// changes nothing.
pub(super) async fn put(
    tx: &Tx,
    part: &NewPart<'_>,
    timeout_ms: i64,
    now: UnixMillis,
) -> Result<Option<Whole>, DbErr> {
    let NewPart { carrier_id, message, place, .. } = part;
    let known = Entity::find()
        .filter(Column::CarrierId.eq(*carrier_id))
        .filter(Column::Sender.eq(&message.from))
        .filter(Column::Recipient.eq(&message.to))
        .filter(Column::Reference.eq(i32::from(place.reference)))
        .filter(Column::Total.eq(i16::from(place.total)))
        .all(&**tx)
        .await?;
    let number = i16::from(place.number);
    let messages: Vec<(Uuid, Vec<Model>)> = by_message(known)
        .into_iter()
        .filter(|(_, parts)| !is_over(parts, now.plus_ms(-timeout_ms)))
        .collect();
    let is_again = |known: &Model| known.number == number && known.body == message.text.as_bytes();
    if messages.iter().any(|(_, parts)| parts.iter().any(is_again)) {
        metrics::counter!("inbound_parts_repeated_total").increment(1);
        return Ok(None);
    }
    let lacking = messages
        .into_iter()
        .find(|(_, parts)| parts.iter().all(|known| !known.is_joined && known.number != number));
    let (message_key, mut parts) = lacking.unwrap_or((part.id.0, Vec::new()));
    let row = Model {
        message_key,
        number,
        carrier_id: *carrier_id,
        sender: message.from.clone(),
        recipient: message.to.clone(),
        reference: place.reference.into(),
        total: place.total.into(),
        body: message.text.clone().into_bytes(),
        is_joined: false,
        received_at_ms: now,
    };
    Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&**tx).await?;
    parts.push(row);
    if parts.len() < usize::from(place.total) {
        return Ok(None);
    }
    Entity::update_many()
        .col_expr(Column::IsJoined, Expr::value(true))
        .filter(Column::MessageKey.eq(message_key))
        .exec(&**tx)
        .await?;
    Ok(joined(part.id, parts))
}

/// The parts of each message, the message begun first in front.
fn by_message(parts: Vec<Model>) -> BTreeMap<Uuid, Vec<Model>> {
    let mut messages: BTreeMap<Uuid, Vec<Model>> = BTreeMap::new();
    for part in parts {
        messages.entry(part.message_key).or_default().push(part);
    }
    messages
}

/// Whether the first part came before `limit`.
fn is_over(parts: &[Model], limit: UnixMillis) -> bool {
    parts.iter().any(|part| part.received_at_ms < limit)
}

/// The parts as one message, in their order; none of none.
fn joined(id: InboundMessageId, mut parts: Vec<Model>) -> Option<Whole> {
    parts.sort_by_key(|part| part.number);
    let parts_received = i16::try_from(parts.len()).unwrap_or(i16::MAX);
    let text = parts.iter().map(|part| String::from_utf8_lossy(&part.body)).collect();
    let first = parts.into_iter().next()?;
    Some(Whole {
        id,
        carrier_id: first.carrier_id,
        sender: first.sender,
        recipient: first.recipient,
        text,
        parts: first.total,
        parts_received,
    })
}

/// Shows messages that lack parts after the time for them, and forgets what was joined. Returns how
/// many messages are shown with parts missing.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn give_up(ctx: &Ctx) -> Result<u64, DbErr> {
    let mut shown = 0;
    loop {
        let now = ctx.clock.now();
        let limit = now.plus_ms(-ctx.settings.messages.inbound_parts_timeout_s * 1_000 - GRACE_MS);
        let ids: &Vec<InboundMessageId> = &(0..GIVE_UP_MAX).map(|_| ctx.ids.next()).collect();
        let (over, events) = ctx
            .db
            .write(|tx| async move {
                let over = over(&tx, limit).await?;
                let keys: Vec<Uuid> = over.keys().copied().collect();
                let lacking =
                    over.into_values().filter(|parts| parts.iter().all(|it| !it.is_joined));
                let messages: Vec<Whole> =
                    lacking.zip(ids).filter_map(|(parts, id)| joined(*id, parts)).collect();
                let lacking = messages.len() as u64;
                let events = inbound::store(&tx, &ctx.master_key, messages, now).await?;
                let over = keys.len();
                Entity::delete_many().filter(Column::MessageKey.is_in(keys)).exec(&*tx).await?;
                let accounts: BTreeSet<_> = events.iter().map(|event| event.account_id).collect();
                events::append(&tx, events).await?;
                Ok::<_, DbErr>((over, (lacking, accounts)))
            })
            .await?;
        let (lacking, accounts) = events;
        shown += lacking;
        metrics::counter!("inbound_incomplete_total").increment(lacking);
        for account_id in accounts {
            ctx.doorbell.ring(Topic::Events(account_id));
        }
        if over < GIVE_UP_MAX {
            return Ok(shown);
        }
    }
}

/// Messages whose first part came before `limit`, with all parts; at most [`GIVE_UP_MAX`].
async fn over(tx: &Tx, limit: UnixMillis) -> Result<BTreeMap<Uuid, Vec<Model>>, DbErr> {
    let keys: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::MessageKey)
        .distinct()
        .filter(Column::ReceivedAtMs.lt(limit))
        .order_by_asc(Column::MessageKey)
        .limit(GIVE_UP_MAX as u64)
        .into_tuple()
        .all(&**tx)
        .await?;
    let parts = Entity::find().filter(Column::MessageKey.is_in(keys)).all(&**tx).await?;
    Ok(by_message(parts))
}
