//! Messages from phones.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::ids::InboundMessageId;
use entity::inbound_message::Model;

use crate::graphql::call;
use crate::graphql::contacts::{Contact, ContactByNumber};
use crate::graphql::errors::Answer;
use crate::graphql::ids::show_id;
use crate::graphql::loaders::{InboundRow, load};
use crate::graphql::scalars::DateTime;
use crate::messages::live;
use crate::types::phone::PhoneNumber;

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

/// A message from a phone to a number of the account; one that was sent in parts is joined. Read by
/// everybody in the account and by keys with the scope `messages:read`; `text` by fewer.
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

    /// The contact with the phone's number; null if there is none. For those who may read contacts;
    /// others get `FORBIDDEN`.
    async fn contact(&self, context: &Context<'_>) -> Answer<Option<Contact>> {
        let number = format!("+{}", self.0.sender.trim_start_matches('+'));
        let Ok(number) = PhoneNumber::restore(&number) else { return Ok(None) };
        Ok(load(context, ContactByNumber(number)).await?.map(Contact))
    }

    /// The number that it was sent to, as the carrier wrote it.
    async fn to(&self) -> &str {
        &self.0.recipient
    }

    /// Its text, as far as its parts came. For owners, admins, developers, support, and keys with the
    /// scope `messages:read`; others get `FORBIDDEN`.
    async fn text(&self, context: &Context<'_>) -> Answer<Option<String>> {
        Ok(Some(live::inbound_text(call(context)?, &self.0)?))
    }

    /// How many parts the phone sent it in, 1 to 255.
    async fn parts(&self) -> i32 {
        self.0.parts.into()
    }

    /// How many of them came; fewer than `parts` if the others did not within an hour (or what the
    /// operator set), and then the text lacks theirs.
    async fn parts_received(&self) -> i32 {
        self.0.parts_received.into()
    }

    /// When it came: the last of its parts, or the end of waiting for it.
    async fn received_at(&self) -> DateTime {
        self.0.received_at_ms.into()
    }
}
