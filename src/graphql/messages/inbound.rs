//! Messages from phones.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::ids::InboundMessageId;
use entity::inbound_message::Model;

use crate::graphql::call;
use crate::graphql::errors::Answer;
use crate::graphql::ids::show_id;
use crate::graphql::loaders::{InboundRow, load};
use crate::graphql::scalars::DateTime;
use crate::messages::live;

/// A message from a phone.
#[derive(Clone, Debug)]
pub struct InboundMessage(pub Arc<Model>);

impl InboundMessage {
    /// One of the caller's account, read together with others.
    ///
    /// # Errors
    /// The read's own.
    pub async fn load(context: &Context<'_>, id: InboundMessageId) -> Answer<Option<Self>> {
        Ok(load(context, InboundRow(id)).await?.map(Self))
    }
}

/// A message from a phone to a number of the account, or one part of it. Read by everybody in the
/// account and by keys with the scope `messages:read`; `text` by fewer.
#[Object]
impl InboundMessage {
    /// The message's id, `inb_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The phone, as the carrier wrote it.
    async fn from(&self) -> &str {
        &self.0.sender
    }

    /// The number that it was sent to, as the carrier wrote it.
    async fn to(&self) -> &str {
        &self.0.recipient
    }

    /// Its text, or that of this part. For owners, admins, developers, support, and keys with the
    /// scope `messages:read`; others get `FORBIDDEN`.
    async fn text(&self, context: &Context<'_>) -> Answer<Option<String>> {
        Ok(Some(live::inbound_text(call(context)?, &self.0)?))
    }

    /// Which part of a longer message this is; null if it came in one.
    async fn part(&self) -> Option<InboundPart> {
        let (reference, number, total) =
            (self.0.concat_reference?, self.0.concat_number?, self.0.concat_total?);
        Some(InboundPart { reference, number: number.into(), total: total.into() })
    }

    /// When it came.
    async fn received_at(&self) -> DateTime {
        self.0.received_at_ms.into()
    }
}

/// Which part of a longer message from a phone this is.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct InboundPart {
    /// The same for all parts of the message, 0 to 65,535; the phone chose it.
    reference: i32,
    /// Which part, from 1.
    number: i32,
    /// How many there are.
    total: i32,
}
