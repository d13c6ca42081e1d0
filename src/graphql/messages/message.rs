//! A message and what hangs on it: attempts, parts, error, events, text.

use std::sync::{Arc, OnceLock};

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::enums;
use entity::ids::MessageId;
use entity::message::Model;
use entity::submission;

use super::enums::{Encoding, MessageClass, MessagePartState, MessageStatus, NationalLanguage};
use super::events::MessageStatusChanged;
use crate::carriers::errors::{codes, describe};
use crate::error::Failed;
use crate::graphql::campaigns::{Campaign, CampaignVariant};
use crate::graphql::contacts::{Contact, ContactByNumber};
use crate::graphql::errors::Answer;
use crate::graphql::ids::show_id;
use crate::graphql::loaders::{MessageRow, Submissions, Text, Timeline, load};
use crate::graphql::money::Money;
use crate::graphql::packages::PackageUse;
use crate::graphql::scalars::{DateTime, PhoneNumber};
use crate::types::phone::PhoneNumber as PhoneText;

/// Events of one message that are shown: six attempts make less than half of it.
const EVENTS_MAX: usize = 100;
/// What a message's attempts cost in points, as a list of this many.
const ATTEMPTS_COST: usize = 2;
/// What a message's events cost in points, as a list of this many.
const EVENTS_COST: usize = 5;

/// A message, of which perhaps only id and status are known yet: the rest is read when it is asked
/// for, together with that of its neighbours.
#[derive(Clone, Debug)]
pub struct Message {
    id: MessageId,
    /// As it was told; else as the row says.
    told: Option<Told>,
    row: OnceLock<Arc<Model>>,
}

/// What an event or an answer told of a message.
#[derive(Clone, Copy, Debug)]
struct Told {
    status: enums::MessageStatus,
    version: i32,
}

impl Message {
    /// A message that was read.
    pub fn of_row(row: impl Into<Arc<Model>>) -> Self {
        let row = row.into();
        Self { id: row.id, told: None, row: OnceLock::from(row) }
    }

    /// A message of which an event or an answer tells.
    pub fn told(id: MessageId, status: enums::MessageStatus, version: i32) -> Self {
        Self { id, told: Some(Told { status, version }), row: OnceLock::new() }
    }

    /// A message that is there, and is read when asked about.
    pub const fn unread(id: MessageId) -> Self {
        Self { id, told: None, row: OnceLock::new() }
    }

    async fn row(&self, context: &Context<'_>) -> Answer<&Model> {
        if let Some(row) = self.row.get() {
            return Ok(row);
        }
        let row = load(context, MessageRow(self.id)).await?;
        let removed = || Failed::Unavailable("the message's record has been removed".into());
        let row = row.ok_or_else(removed)?;
        // Several fields read it together; whose copy stays does not matter.
        Ok(self.row.get_or_init(|| row))
    }
}

/// A message to one recipient. Read by everybody in the account and by keys with the scope
/// `messages:read`; `text` by fewer.
#[Object]
impl Message {
    /// The message's id, `msg_…`. Ids ascend in the order of acceptance.
    pub async fn id(&self) -> ID {
        show_id(self.id)
    }

    /// The recipient.
    async fn to(&self, context: &Context<'_>) -> Answer<PhoneNumber> {
        Ok(PhoneNumber(self.row(context).await?.recipient.clone()))
    }

    /// The sender as the phone shows it: a name, a number in E.164, or a short code.
    async fn from(&self, context: &Context<'_>) -> Answer<&str> {
        Ok(&self.row(context).await?.sender)
    }

    /// What it is for.
    async fn class(&self, context: &Context<'_>) -> Answer<MessageClass> {
        Ok(self.row(context).await?.class.into())
    }

    /// Where it stands. Within an event, and in the answer of `sendMessages`: where it stood then;
    /// read `message` for where it stands now.
    async fn status(&self, context: &Context<'_>) -> Answer<MessageStatus> {
        match self.told {
            Some(told) => Ok(told.status.into()),
            None => Ok(self.row(context).await?.status.into()),
        }
    }

    /// Grows by one with every change, and belongs to `status`: drop what is older than what you
    /// have.
    async fn version(&self, context: &Context<'_>) -> Answer<i32> {
        match self.told {
            Some(told) => Ok(told.version),
            None => Ok(self.row(context).await?.version),
        }
    }

    /// Into how many parts it is cut on the air, 1 to 10.
    async fn parts(&self, context: &Context<'_>) -> Answer<i32> {
        Ok(self.row(context).await?.parts.into())
    }

    /// How many parts the carrier reported delivered.
    async fn parts_delivered(&self, context: &Context<'_>) -> Answer<i32> {
        Ok(self.row(context).await?.parts_delivered.into())
    }

    /// How its text is encoded on the air.
    async fn encoding(&self, context: &Context<'_>) -> Answer<Encoding> {
        Ok(self.row(context).await?.encoding.into())
    }

    /// The language whose shift tables it is written with: for a `GSM7` text that has characters
    /// beyond the default alphabet. Null otherwise.
    async fn national_language(&self, context: &Context<'_>) -> Answer<Option<NationalLanguage>> {
        Ok(self.row(context).await?.national_language.map(Into::into))
    }

    /// Your own name for it, 1 to 100 characters, as it was given; null if none was.
    async fn client_reference(&self, context: &Context<'_>) -> Answer<Option<&str>> {
        Ok(self.row(context).await?.client_reference.as_deref())
    }

    /// What it is about, as its recipient may object to; null if nothing was given.
    async fn topic(&self, context: &Context<'_>) -> Answer<Option<&str>> {
        Ok(self.row(context).await?.topic.as_deref())
    }

    /// Whether it was accepted under a test key: it is played, never sent, and costs nothing.
    async fn is_test(&self, context: &Context<'_>) -> Answer<bool> {
        Ok(self.row(context).await?.is_test)
    }

    /// What all its parts cost, as priced when it was accepted; held until `charged` is known. Zero
    /// where a package pays.
    async fn price(&self, context: &Context<'_>) -> Answer<Money> {
        let row = self.row(context).await?;
        Money::stored(in_money(row, row.price_micros), &row.currency)
    }

    /// What was charged for it: the price of the parts that a carrier took, zero if it never left or a
    /// package paid. Null while the price is held, and for an `UNKNOWN` message as long as a late
    /// receipt may tell.
    async fn charged(&self, context: &Context<'_>) -> Answer<Option<Money>> {
        let row = self.row(context).await?;
        let charged = row.charged_micros.map(|amount| in_money(row, amount));
        charged.map(|amount| Money::stored(amount, &row.currency)).transpose()
    }

    /// What of a package pays for it: promised until `charged` is known, then what was taken. Null if
    /// money pays.
    async fn package_use(&self, context: &Context<'_>) -> Answer<Option<PackageUse>> {
        PackageUse::of_message(self.row(context).await?)
    }

    /// When it was accepted.
    async fn created_at(&self, context: &Context<'_>) -> Answer<DateTime> {
        Ok(self.row(context).await?.created_at_ms.into())
    }

    /// When it will be sent, while its status is `SCHEDULED`: at its time, or when quiet hours let it
    /// go. Null otherwise.
    async fn scheduled_at(&self, context: &Context<'_>) -> Answer<Option<DateTime>> {
        let row = self.row(context).await?;
        let is_scheduled = row.status == enums::MessageStatus::Scheduled;
        Ok(is_scheduled.then(|| row.due_at_ms.into()))
    }

    /// When its validity ends: what has not been delivered by then is not worth delivering. Where quiet
    /// hours begin before, they end it, and what has not left goes on in the next window.
    async fn expires_at(&self, context: &Context<'_>) -> Answer<DateTime> {
        Ok(self.row(context).await?.expires_at_ms.into())
    }

    /// When the carrier had taken every part; null until then.
    async fn sent_at(&self, context: &Context<'_>) -> Answer<Option<DateTime>> {
        Ok(self.row(context).await?.sent_at_ms.map(Into::into))
    }

    /// When the report came that it is on the phone; null unless its status is `DELIVERED`.
    async fn delivered_at(&self, context: &Context<'_>) -> Answer<Option<DateTime>> {
        let row = self.row(context).await?;
        let is_delivered = row.status == enums::MessageStatus::Delivered;
        Ok(row.finished_at_ms.filter(|_| is_delivered).map(Into::into))
    }

    /// When it took its final status, whichever it is; null until then.
    async fn finished_at(&self, context: &Context<'_>) -> Answer<Option<DateTime>> {
        Ok(self.row(context).await?.finished_at_ms.map(Into::into))
    }

    /// What went wrong; null if nothing did.
    async fn error(&self, context: &Context<'_>) -> Answer<Option<MessageError>> {
        Ok(self.row(context).await?.error_code.as_deref().map(MessageError::described))
    }

    /// The tries to hand it over, the first one first; at most 6.
    #[graphql(complexity = "child_complexity.saturating_mul(ATTEMPTS_COST)")]
    async fn attempts(&self, context: &Context<'_>) -> Answer<Option<Vec<MessageAttempt>>> {
        let row = self.row(context).await?;
        let recorded = load(context, Submissions(self.id)).await?.unwrap_or_default();
        Ok(Some(attempts(row, &recorded)))
    }

    /// What became of it, oldest first; at most 100. Events are kept for 30 days.
    #[graphql(complexity = "child_complexity.saturating_mul(EVENTS_COST)")]
    async fn events(&self, context: &Context<'_>) -> Answer<Option<Vec<MessageStatusChanged>>> {
        let mut timeline = load(context, Timeline(self.id)).await?.unwrap_or_default();
        timeline.truncate(EVENTS_MAX);
        Ok(Some(timeline.into_iter().map(MessageStatusChanged).collect()))
    }

    /// The campaign that it is part of; null if it is part of none.
    async fn campaign(&self, context: &Context<'_>) -> Answer<Option<Campaign>> {
        match self.row(context).await?.campaign_id {
            Some(id) => Campaign::load(context, id).await,
            None => Ok(None),
        }
    }

    /// Which variant of its campaign's text it is; null if there is one text, or it is of no campaign.
    async fn campaign_variant(&self, context: &Context<'_>) -> Answer<Option<CampaignVariant>> {
        let row = self.row(context).await?;
        let (Some(campaign_id), Some(ordinal)) = (row.campaign_id, row.variant) else {
            return Ok(None);
        };
        let variants = CampaignVariant::of_campaign(context, campaign_id).await?;
        Ok(variants.into_iter().find(|variant| variant.ordinal() == ordinal))
    }

    /// The contact that it was sent to: the one that a campaign wrote to, else the account's contact
    /// of that number; null if there is none. For whoever may read contacts; null for others.
    async fn contact(&self, context: &Context<'_>) -> Answer<Option<Contact>> {
        let row = self.row(context).await?;
        if let Some(id) = row.contact_id {
            return Contact::load(context, id).await;
        }
        let Ok(number) = PhoneText::restore(&row.recipient) else { return Ok(None) };
        Ok(load(context, ContactByNumber(number)).await?.map(Contact))
    }

    /// Its text; null once it was purged. For owners, admins, developers, support, and keys with
    /// the scope `messages:read`; others get `FORBIDDEN`.
    async fn text(&self, context: &Context<'_>) -> Answer<Option<String>> {
        let text_id = self.row(context).await?.text_id;
        load(context, Text(text_id)).await
    }
}

/// What went wrong with a message.
#[derive(SimpleObject, Clone, Debug)]
pub struct MessageError {
    /// What it is, for a program to read: stable, in SCREAMING_SNAKE_CASE. The documentation lists
    /// them; more may be added.
    code: String,
    /// What it is, for a person to read, in a few words.
    title: String,
    /// Why it happens.
    cause: String,
    /// What can be done about it.
    fix: String,
}

impl MessageError {
    /// The error of a stored code.
    pub fn described(code: &str) -> Self {
        match describe(code) {
            Some(known) => Self {
                code: known.code.clone(),
                title: known.title.clone(),
                cause: known.cause.clone(),
                fix: known.fix.clone(),
            },
            // Stored by another version of the program.
            None => Self {
                code: code.to_owned(),
                title: "An error that this version does not describe".to_owned(),
                cause: "The error was recorded by another version of the program.".to_owned(),
                fix: "Look the code up in the documentation of that version.".to_owned(),
            },
        }
    }
}

/// One try to hand a message to a carrier.
#[derive(SimpleObject, Clone, Debug)]
pub struct MessageAttempt {
    /// Which one, from 1.
    number: i32,
    /// When it began; null if that was not recorded.
    submitted_at: Option<DateTime>,
    /// What became of each part, in order; at most 10.
    parts: Vec<MessagePart>,
}

/// One part of one attempt.
#[derive(SimpleObject, Clone, Debug)]
pub struct MessagePart {
    /// Which part, from 1.
    number: i32,
    /// How it stands.
    state: MessagePartState,
    /// The carrier's own id for it, as the carrier wrote it; null unless it took the part.
    carrier_message_id: Option<String>,
    /// What went wrong; null if nothing did.
    error: Option<MessageError>,
}

/// What of an amount is money.
fn in_money(row: &Model, amount: i64) -> i64 {
    if row.purse == enums::Purse::Money { amount } else { 0 }
}

/// The attempts that are recorded, and the last one, which the message's row alone may tell of.
fn attempts(row: &Model, recorded: &[submission::Model]) -> Vec<MessageAttempt> {
    let mut attempts: Vec<MessageAttempt> = recorded
        .chunk_by(|a, b| a.attempt == b.attempt)
        .map(|parts| MessageAttempt {
            number: parts[0].attempt.into(),
            submitted_at: Some(parts[0].submitted_at_ms.into()),
            parts: parts.iter().map(recorded_part).collect(),
        })
        .collect();
    let last = attempts.last().map_or(0, |attempt| attempt.number);
    if i32::from(row.attempt) > last {
        attempts.push(MessageAttempt {
            number: row.attempt.into(),
            submitted_at: row.submitted_at_ms.map(Into::into),
            parts: (1..=row.parts).map(|number| unrecorded_part(row, number)).collect(),
        });
    }
    attempts
}

fn recorded_part(part: &submission::Model) -> MessagePart {
    MessagePart {
        number: part.part.into(),
        state: part.state.into(),
        carrier_message_id: part.carrier_message_id.clone(),
        error: part.error_code.as_deref().map(MessageError::described),
    }
}

fn unrecorded_part(row: &Model, number: i16) -> MessagePart {
    MessagePart {
        number: number.into(),
        state: state_of_last_attempt(row),
        carrier_message_id: row.carrier_message_id.clone(),
        error: row.error_code.as_deref().map(MessageError::described),
    }
}

/// How the last attempt stands by the message's own status.
fn state_of_last_attempt(row: &Model) -> MessagePartState {
    use enums::MessageStatus as Status;
    match row.status {
        Status::Sending => MessagePartState::Submitting,
        Status::Sent | Status::Enroute => MessagePartState::Accepted,
        Status::Unknown if row.error_code.as_deref() == Some(codes::SUBMISSION_UNCERTAIN) => {
            MessagePartState::Uncertain
        }
        Status::Unknown => MessagePartState::Accepted,
        Status::Delivered => MessagePartState::Delivered,
        Status::Undelivered | Status::Expired | Status::Rejected => MessagePartState::Undelivered,
        Status::Failed => MessagePartState::Refused,
        Status::Scheduled
        | Status::Held
        | Status::Queued
        | Status::ExpiredHere
        | Status::Canceled
        | Status::Suppressed => MessagePartState::NotSubmitted,
    }
}
