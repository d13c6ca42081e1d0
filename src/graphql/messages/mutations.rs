//! Sending, estimating and canceling.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::ids::MessageId;

use super::enums::MessageClass;
use super::estimate::MessageEstimate;
use super::{Message, tables};
use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use crate::messages::commands::{self, BATCH_MAX, BatchRejection, CancelResult, SentMessage};
use crate::messages::{self, ItemError, ItemErrorCode, NewMessage};

/// The version of a message that was just accepted.
const FIRST_VERSION: i32 = 1;

/// A message to be sent or estimated.
#[derive(InputObject)]
pub struct MessageInput {
    /// The recipient: a number in E.164, or a national one of the account's default region. Test
    /// keys may also send to test numbers, which begin with +999.
    pub to: String,
    /// The sender, as it was registered with the account and approved. Test keys may use any.
    pub from: String,
    /// The text: at most 10 parts on the air, which is 1,520 characters of the GSM alphabet or 660
    /// UTF-16 units of others.
    pub text: String,
    /// What it is for. Default `TRANSACTIONAL`.
    pub class: Option<MessageClass>,
    /// Your own name for it, 1 to 100 characters, shown on the message and found by
    /// `messages(filter: {clientReference})`. Need not be unique.
    pub client_reference: Option<String>,
    /// Not before this time, at most 30 days ahead; absent, null or past: at once.
    pub send_at: Option<DateTime>,
    /// For how many seconds from then it is worth delivering, 30 to 172,800. Default by class.
    pub validity_period_seconds: Option<i32>,
    /// What it is about, so that its recipient may object to that alone: 1 to 50 lower-case letters,
    /// digits, hyphens and underscores.
    pub topic: Option<String>,
}

impl From<MessageInput> for NewMessage {
    fn from(input: MessageInput) -> Self {
        Self {
            to: input.to,
            from: input.from,
            text: input.text,
            class: input.class.map(Into::into),
            client_reference: input.client_reference,
            send_at: input.send_at.map(|time| time.0),
            validity_period_seconds: input.validity_period_seconds,
            topic: input.topic,
        }
    }
}

/// What `sendMessages` takes.
#[derive(InputObject)]
pub struct SendMessagesInput {
    /// Your own unique name for this call, 1 to 255 characters. The same key with the same input
    /// answers the same again without sending again; it is kept for 7 days.
    pub idempotency_key: String,
    /// What to send: 1 to 1,000.
    pub messages: Vec<MessageInput>,
}

/// What `sendMessages` answers.
#[derive(SimpleObject)]
pub struct SendMessagesPayload {
    /// What became of each message, in the order of the input; empty if the whole call was refused.
    results: Vec<SendMessageResult>,
    /// Whether this is the answer to an earlier call with the same key, which sent the messages.
    replayed: bool,
    /// Why the whole call was refused; then nothing was sent. Empty otherwise.
    user_errors: Vec<SendMessagesError>,
}

/// What became of one message of a call: it was accepted, or there is an error. One bad message
/// never keeps the others.
#[derive(SimpleObject)]
pub struct SendMessageResult {
    /// The message, accepted and durable, its status as it was then (`QUEUED` or `SCHEDULED`); null
    /// if it was refused.
    message: Option<Message>,
    /// Why it was refused; null if it was accepted.
    error: Option<SendMessageError>,
}

user_error! {
    /// Why a whole call of `sendMessages` was refused.
    SendMessagesError,
    /// Why a whole call of `sendMessages` was refused, for a program to read.
    SendMessagesErrorCode {
        /// There is no message in it.
        NoMessages,
        /// There are more than 1,000 messages in it.
        TooManyMessages,
        /// The key is empty, longer than 255 characters, or has control characters.
        InvalidIdempotencyKey,
        /// The key was used with another input within the last 7 days.
        IdempotencyKeyReused,
        /// The account is suspended: it may read, not send.
        AccountSuspended,
    }
}

user_error! {
    /// Why one message was refused.
    SendMessageError,
    /// Why one message was refused, for a program to read.
    SendMessageErrorCode {
        /// `to` is not a phone number that exists.
        InvalidRecipient,
        /// `to` is a number that no mobile phone has: fixed line, premium rate, service.
        UnsupportedRecipient,
        /// `to` is a test number, and the key is not a test key.
        TestRecipient,
        /// `from` is not a name, a number or a short code.
        InvalidSender,
        /// `from` is not registered with the account, or not approved.
        SenderNotApproved,
        /// `text` is empty.
        EmptyText,
        /// `text` is longer than 10 parts.
        TextTooLong,
        /// `text` holds a NUL character.
        InvalidText,
        /// `clientReference` is empty, longer than 100 characters, or has control characters.
        InvalidClientReference,
        /// `sendAt` lies more than 30 days ahead.
        SendAtTooFar,
        /// `validityPeriodSeconds` is not from 30 to 172,800.
        InvalidValidityPeriod,
        /// No carrier serves the recipient's country or network.
        NoRoute,
        /// There is no price for the recipient's country or network.
        NoPrice,
        /// The account's balance and credit do not cover the message.
        InsufficientCredit,
        /// An invoice was not paid for so long that the account may not send. It may again as soon
        /// as its overdue invoices are paid. Test keys go on.
        PaymentOverdue,
        /// What waits for the carrier already would take longer than 10 hours, or than the message
        /// is valid. Send it again, with another idempotency key, after `retryAfterMs`.
        BacklogTooLong,
        /// `topic` has other characters, or is empty or longer than 50.
        InvalidTopic,
        /// The recipient objected to messages of this account, sender or topic, or the account
        /// suppressed the number.
        RecipientOptedOut,
        /// Quiet hours leave no time within 14 days that is legal wherever the recipient may be.
        NoSendingTime,
    },
    /// After how many milliseconds the same message may be taken; null unless time alone can mend
    /// it.
    retry_after_ms: i32
}

impl From<ItemErrorCode> for SendMessageErrorCode {
    fn from(code: ItemErrorCode) -> Self {
        match code {
            ItemErrorCode::InvalidRecipient => Self::InvalidRecipient,
            ItemErrorCode::UnsupportedRecipient => Self::UnsupportedRecipient,
            ItemErrorCode::TestRecipient => Self::TestRecipient,
            ItemErrorCode::InvalidSender => Self::InvalidSender,
            ItemErrorCode::SenderNotApproved => Self::SenderNotApproved,
            ItemErrorCode::EmptyText => Self::EmptyText,
            ItemErrorCode::TextTooLong => Self::TextTooLong,
            ItemErrorCode::InvalidText => Self::InvalidText,
            ItemErrorCode::InvalidClientReference => Self::InvalidClientReference,
            ItemErrorCode::SendAtTooFar => Self::SendAtTooFar,
            ItemErrorCode::InvalidValidityPeriod => Self::InvalidValidityPeriod,
            ItemErrorCode::NoRoute => Self::NoRoute,
            ItemErrorCode::NoPrice => Self::NoPrice,
            ItemErrorCode::InsufficientCredit => Self::InsufficientCredit,
            ItemErrorCode::PaymentOverdue => Self::PaymentOverdue,
            ItemErrorCode::BacklogTooLong => Self::BacklogTooLong,
            ItemErrorCode::InvalidTopic => Self::InvalidTopic,
            ItemErrorCode::RecipientOptedOut => Self::RecipientOptedOut,
            ItemErrorCode::NoSendingTime => Self::NoSendingTime,
        }
    }
}

/// What `estimateMessages` takes.
#[derive(InputObject)]
pub struct EstimateMessagesInput {
    /// What would be sent: 1 to 1,000.
    pub messages: Vec<MessageInput>,
}

/// What `estimateMessages` answers.
#[derive(SimpleObject)]
pub struct EstimateMessagesPayload {
    /// What each message would take, in the order of the input; empty if the whole call was
    /// refused.
    results: Vec<EstimateMessageResult>,
    /// What all messages that would be accepted cost together; null if the whole call was refused.
    total: Option<Money>,
    /// What the account can spend now: its balance and credit less what is held. Null if the whole
    /// call was refused. Messages beyond it would answer `INSUFFICIENT_CREDIT`.
    available: Option<Money>,
    /// Why the whole call was refused. Empty otherwise.
    user_errors: Vec<EstimateMessagesError>,
}

/// What one message would take, or why it would be refused.
#[derive(SimpleObject)]
pub struct EstimateMessageResult {
    /// What it would take; null if it would be refused.
    estimate: Option<MessageEstimate>,
    /// Why it would be refused; null if it would be accepted.
    error: Option<SendMessageError>,
}

user_error! {
    /// Why a whole call of `estimateMessages` was refused.
    EstimateMessagesError,
    /// Why a whole call of `estimateMessages` was refused, for a program to read.
    EstimateMessagesErrorCode {
        /// There is no message in it.
        NoMessages,
        /// There are more than 1,000 messages in it.
        TooManyMessages,
        /// The account is suspended: it may read, not send.
        AccountSuspended,
    }
}

/// What `cancelMessages` takes.
#[derive(InputObject)]
pub struct CancelMessagesInput {
    /// The messages, `msg_…`: 1 to 1,000.
    pub message_ids: Vec<ID>,
}

/// What `cancelMessages` answers.
#[derive(SimpleObject)]
pub struct CancelMessagesPayload {
    /// What became of each, in the order of the input; empty if the whole call was refused.
    results: Vec<CancelMessageResult>,
    /// Why the whole call was refused. Empty otherwise.
    user_errors: Vec<CancelMessagesError>,
}

/// What became of the wish to cancel one message.
#[derive(SimpleObject)]
pub struct CancelMessageResult {
    /// The message, canceled now or by an earlier call; null if it was not.
    message: Option<Message>,
    /// Why it was not canceled; null if it was.
    error: Option<CancelMessageError>,
}

user_error! {
    /// Why a whole call of `cancelMessages` was refused.
    CancelMessagesError,
    /// Why a whole call of `cancelMessages` was refused, for a program to read.
    CancelMessagesErrorCode {
        /// There is no id in it.
        NoMessages,
        /// There are more than 1,000 ids in it.
        TooManyMessages,
    }
}

user_error! {
    /// Why one message was not canceled.
    CancelMessageError,
    /// Why one message was not canceled, for a program to read.
    CancelMessageErrorCode {
        /// The account has no such message.
        MessageNotFound,
        /// It is on its way, or over.
        TooLate,
    }
}

/// Writes.
#[derive(Default)]
pub struct MessagesMutation;

#[Object]
impl MessagesMutation {
    /// Accepts messages for sending, each for itself: what is accepted is durable when this
    /// answers, and its way can be followed by `messageEvents`. For owners, admins, developers, and
    /// keys with the scope `messages:send`. Idempotent by `idempotencyKey`.
    async fn send_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to send.")] input: SendMessagesInput,
    ) -> Answer<SendMessagesPayload> {
        let ctx = call(context)?;
        let tables = tables(context).await?;
        let input = commands::SendInput {
            idempotency_key: input.idempotency_key,
            messages: input.messages.into_iter().map(Into::into).collect(),
        };
        let outcome = match value_or_rejection(commands::send(ctx, &tables, input).await)? {
            Ok(outcome) => outcome,
            Err(rejection) => {
                return Ok(SendMessagesPayload {
                    results: Vec::new(),
                    replayed: false,
                    user_errors: vec![send_rejection(rejection)],
                });
            }
        };
        let results = outcome.results.into_iter().enumerate().map(send_result).collect();
        Ok(SendMessagesPayload { results, replayed: outcome.replayed, user_errors: Vec::new() })
    }

    /// Says what messages would take and which would be refused, by the same checks as
    /// `sendMessages`; stores and sends nothing. For owners, admins, developers, and keys with the
    /// scope `messages:send`. Idempotent.
    async fn estimate_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What would be sent.")] input: EstimateMessagesInput,
    ) -> Answer<EstimateMessagesPayload> {
        let ctx = call(context)?;
        let tables = tables(context).await?;
        let messages = input.messages.into_iter().map(Into::into).collect();
        let estimates = value_or_rejection(messages::estimate(ctx, &tables, messages).await)?;
        let estimates = match estimates {
            Ok(estimates) => estimates,
            Err(rejection) => {
                let user_errors = vec![estimate_rejection(rejection)?];
                let (results, total, available) = (Vec::new(), None, None);
                return Ok(EstimateMessagesPayload { results, total, available, user_errors });
            }
        };
        let currency = estimates.currency;
        let money = |amount| Some(Money::new(amount, currency));
        let (total, available) = (money(estimates.total), money(estimates.available));
        let results = estimates.items.into_iter().enumerate().map(|(index, result)| match result {
            Ok(estimate) => EstimateMessageResult {
                estimate: Some(MessageEstimate::new(estimate, currency)),
                error: None,
            },
            Err(error) => {
                EstimateMessageResult { estimate: None, error: Some(item_error(index, error)) }
            }
        });
        let (results, user_errors) = (results.collect(), Vec::new());
        Ok(EstimateMessagesPayload { results, total, available, user_errors })
    }

    /// Cancels messages that have not begun to leave (`SCHEDULED`, `HELD`, `QUEUED`), each for
    /// itself. For owners, admins, developers, and keys with the scope `messages:send`. Idempotent.
    async fn cancel_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which messages.")] input: CancelMessagesInput,
    ) -> Answer<CancelMessagesPayload> {
        let ctx = call(context)?;
        let refused = |rejection| -> Answer<CancelMessagesPayload> {
            let user_errors = vec![cancel_rejection(rejection)?];
            Ok(CancelMessagesPayload { results: Vec::new(), user_errors })
        };
        if input.message_ids.len() > BATCH_MAX {
            return refused(BatchRejection::TooMany);
        }
        let ids: Vec<MessageId> = input.message_ids.iter().map(parse_id).collect::<Answer<_>>()?;
        let results = match value_or_rejection(commands::cancel(ctx, &ids).await)? {
            Ok(results) => results,
            Err(rejection) => return refused(rejection),
        };
        let results = ids.into_iter().zip(results).enumerate();
        let results = results.map(|(index, (id, result))| cancel_result(index, id, result));
        Ok(CancelMessagesPayload { results: results.collect(), user_errors: Vec::new() })
    }
}

/// What became of the message with this place in its call.
pub(crate) fn send_result(
    (index, result): (usize, Result<SentMessage, ItemError>),
) -> SendMessageResult {
    match result {
        Ok(sent) => SendMessageResult {
            message: Some(Message::told(sent.id, sent.status, FIRST_VERSION)),
            error: None,
        },
        Err(error) => SendMessageResult { message: None, error: Some(item_error(index, error)) },
    }
}

/// What is wrong with the message with this place in its call.
pub(crate) fn item_error(index: usize, error: ItemError) -> SendMessageError {
    let index = index.to_string();
    let path = ["messages", &index, &error.field];
    // What is wrong with no single field of the item points at the item.
    let path = if error.field.is_empty() { &path[..2] } else { &path[..] };
    // A wait beyond what an Int carries is 24 days.
    let retry_after_ms = error.retry_after_ms.map(|ms| i32::try_from(ms).unwrap_or(i32::MAX));
    let shown = SendMessageError::new(error.code.into(), path, error.message);
    SendMessageError { retry_after_ms, ..shown }
}

fn send_rejection(rejection: BatchRejection) -> SendMessagesError {
    use SendMessagesErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        BatchRejection::Empty => (Code::NoMessages, &["messages"]),
        BatchRejection::TooMany => (Code::TooManyMessages, &["messages"]),
        BatchRejection::InvalidIdempotencyKey => (Code::InvalidIdempotencyKey, &["idempotencyKey"]),
        BatchRejection::IdempotencyKeyReused => (Code::IdempotencyKeyReused, &["idempotencyKey"]),
        BatchRejection::AccountSuspended => (Code::AccountSuspended, &[]),
    };
    SendMessagesError::new(code, path, rejection)
}

fn estimate_rejection(rejection: BatchRejection) -> Result<EstimateMessagesError, Failed> {
    use EstimateMessagesErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        BatchRejection::Empty => (Code::NoMessages, &["messages"]),
        BatchRejection::TooMany => (Code::TooManyMessages, &["messages"]),
        BatchRejection::AccountSuspended => (Code::AccountSuspended, &[]),
        BatchRejection::InvalidIdempotencyKey | BatchRejection::IdempotencyKeyReused => {
            return Err(Failed::internal("an estimate was refused for a key that it has not"));
        }
    };
    Ok(EstimateMessagesError::new(code, path, rejection))
}

fn cancel_rejection(rejection: BatchRejection) -> Result<CancelMessagesError, Failed> {
    use CancelMessagesErrorCode as Code;
    let code = match rejection {
        BatchRejection::Empty => Code::NoMessages,
        BatchRejection::TooMany => Code::TooManyMessages,
        BatchRejection::InvalidIdempotencyKey
        | BatchRejection::IdempotencyKeyReused
        | BatchRejection::AccountSuspended => {
            return Err(Failed::internal("a cancellation was refused for what it has not"));
        }
    };
    Ok(CancelMessagesError::new(code, &["messageIds"], rejection))
}

fn cancel_result(index: usize, id: MessageId, result: CancelResult) -> CancelMessageResult {
    use CancelMessageErrorCode as Code;
    let refused = |code, message: &str| CancelMessageResult {
        message: None,
        error: Some(CancelMessageError::new(code, &["messageIds", &index.to_string()], message)),
    };
    match result {
        CancelResult::Canceled => {
            CancelMessageResult { message: Some(Message::unread(id)), error: None }
        }
        CancelResult::TooLate => refused(Code::TooLate, "the message is on its way, or over"),
        CancelResult::NotFound => refused(Code::MessageNotFound, "there is no such message"),
    }
}
