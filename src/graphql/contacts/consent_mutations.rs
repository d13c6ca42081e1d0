//! Recording consent, suppressing numbers and taking that back.

use async_graphql::{Context, ID, InputObject, Object, OneofObject, SimpleObject};

use super::ConsentEvent;
use super::consent::{ConsentSource, ScopeInput, SuppressionReason};
use crate::contacts::consent;
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::DateTime;
use crate::messages::opt_out::{
    self, ConsentOutcome, ConsentRejection, Numbers, RecordedConsent, Whose,
};

/// Of whom a statement is: one of these.
#[derive(OneofObject, Debug)]
pub enum WhoseConsentInput {
    /// A contact, `cont_…`.
    ContactId(ID),
    /// A number: E.164, or national with the account's default region.
    Number(String),
}

/// What `recordConsent` takes.
#[derive(InputObject, Debug)]
pub struct RecordConsentInput {
    /// Of whom.
    pub whose: WhoseConsentInput,
    /// Whether the person agrees to be written to; `false`: it objects.
    pub granted: bool,
    /// What it reaches.
    pub scope: ScopeInput,
    /// How it came.
    pub source: ConsentSource,
    /// The proof: what the person was shown or said, 1 to 2,000 characters.
    pub wording: String,
    /// The IP address that it came from.
    pub ip: Option<String>,
    /// When it was said; absent or null: now.
    pub occurred_at: Option<DateTime>,
}

/// What `recordConsent` answers.
#[derive(SimpleObject)]
pub struct RecordConsentPayload {
    /// The statement; null if it was not recorded.
    consent_event: Option<ConsentEvent>,
    /// How many messages that waited to be sent it canceled.
    canceled_count: i32,
    /// Why it was not recorded; empty if it was.
    user_errors: Vec<RecordConsentError>,
}

user_error! {
    /// Why consent was not recorded.
    RecordConsentError,
    /// Why consent was not recorded, for a program to read.
    RecordConsentErrorCode {
        /// There is no such contact.
        ContactNotFound,
        /// Not a phone number that exists, or one without its country code.
        InvalidNumber,
        /// Not a sender or a topic.
        InvalidScope,
        /// The wording is empty or longer than 2,000 characters.
        InvalidWording,
        /// Not an IP address.
        InvalidIp,
        /// It was said in the future.
        InFuture,
    }
}

/// What `suppress` takes.
#[derive(InputObject, Debug)]
pub struct SuppressInput {
    /// Numbers: E.164, or national with the account's default region; 1 to 1,000.
    pub numbers: Vec<String>,
    /// What they are not to be sent.
    pub scope: ScopeInput,
    /// Why.
    pub reason: SuppressionReason,
    /// The account's own words on it, 1 to 500 characters.
    pub note: Option<String>,
}

/// What `suppress` answers.
#[derive(SimpleObject)]
pub struct SuppressPayload {
    /// How many numbers are newly suppressed; the others were already.
    suppressed_count: i32,
    /// How many messages that waited to be sent were canceled.
    canceled_count: i32,
    /// Why nothing was changed; empty if it was.
    user_errors: Vec<SuppressError>,
}

user_error! {
    /// Why no number was suppressed.
    SuppressError,
    /// Why no number was suppressed, for a program to read.
    SuppressErrorCode {
        /// Not a phone number that exists, or one without its country code.
        InvalidNumber,
        /// Not a sender or a topic.
        InvalidScope,
        /// The note is empty, longer than 500 characters, or has control characters.
        InvalidNote,
        /// No number is named.
        NoNumbers,
        /// More than 1,000 numbers are named.
        TooManyNumbers,
    }
}

/// What `unsuppress` takes.
#[derive(InputObject, Debug)]
pub struct UnsuppressInput {
    /// Numbers: E.164, or national with the account's default region; 1 to 1,000.
    pub numbers: Vec<String>,
    /// The scope that they were suppressed in; in others they stay so.
    pub scope: ScopeInput,
    /// Why, 1 to 500 characters: it is kept in the log of consent.
    pub note: String,
}

/// What `unsuppress` answers.
#[derive(SimpleObject)]
pub struct UnsuppressPayload {
    /// How many numbers are not suppressed any more; the others were not.
    unsuppressed_count: i32,
    /// Why nothing was changed; empty if it was.
    user_errors: Vec<UnsuppressError>,
}

user_error! {
    /// Why no suppression was ended.
    UnsuppressError,
    /// Why no suppression was ended, for a program to read.
    UnsuppressErrorCode {
        /// Not a phone number that exists, or one without its country code.
        InvalidNumber,
        /// Not a sender or a topic.
        InvalidScope,
        /// The note is empty, longer than 500 characters, or has control characters.
        InvalidNote,
        /// No number is named.
        NoNumbers,
        /// More than 1,000 numbers are named.
        TooManyNumbers,
    }
}

/// Writes.
#[derive(Default)]
pub struct ConsentMutation;

#[Object]
impl ConsentMutation {
    /// Records what a person said about being written to, with the proof. Agreement ends the
    /// suppression of just its scope; an objection suppresses the number there and cancels what waits
    /// to be sent to it, in the same transaction. For owners, admins, developers, support, and keys
    /// with the scope `contacts:manage`. Not idempotent: each call is a statement of its own.
    async fn record_consent(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who said what.")] input: RecordConsentInput,
    ) -> Answer<RecordConsentPayload> {
        let ctx = call(context)?;
        let said = RecordedConsent {
            whose: match &input.whose {
                WhoseConsentInput::ContactId(id) => Whose::Contact(parse_id(id)?),
                WhoseConsentInput::Number(number) => Whose::Number(number.clone()),
            },
            granted: input.granted,
            scope: input.scope.parse(),
            source: input.source.into(),
            wording: input.wording,
            ip: input.ip,
            occurred_at: input.occurred_at.map(|time| time.0),
        };
        Ok(match value_or_rejection(opt_out::record_consent(ctx, said).await)? {
            Ok(ConsentOutcome { statement_id, canceled, .. }) => RecordConsentPayload {
                consent_event: consent::find_event(ctx, statement_id).await?.map(ConsentEvent),
                canceled_count: count(canceled),
                user_errors: Vec::new(),
            },
            Err(rejection) => RecordConsentPayload {
                consent_event: None,
                canceled_count: 0,
                user_errors: vec![record_error(rejection)],
            },
        })
    }

    /// Stops writing to numbers, and cancels what waits to be sent to them, in one transaction. For
    /// owners, admins, developers, support, and keys with the scope `contacts:manage`. Idempotent:
    /// numbers that are suppressed already stay so.
    async fn suppress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which numbers, and why.")] input: SuppressInput,
    ) -> Answer<SuppressPayload> {
        use SuppressErrorCode as Code;
        let scope = input.scope.parse();
        let numbers = Numbers { numbers: input.numbers, scope, note: input.note };
        let outcome = opt_out::suppress(call(context)?, numbers, input.reason.into()).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(ConsentOutcome { changed, canceled, .. }) => SuppressPayload {
                suppressed_count: count(changed),
                canceled_count: count(canceled),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let code = match rejection {
                    ConsentRejection::InvalidScope => Code::InvalidScope,
                    ConsentRejection::InvalidNote => Code::InvalidNote,
                    ConsentRejection::Empty => Code::NoNumbers,
                    ConsentRejection::TooMany => Code::TooManyNumbers,
                    ConsentRejection::InvalidNumber(_)
                    | ConsentRejection::ContactNotFound
                    | ConsentRejection::InvalidWording
                    | ConsentRejection::InvalidIp
                    | ConsentRejection::InFuture => Code::InvalidNumber,
                };
                let path = path(rejection);
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                SuppressPayload {
                    suppressed_count: 0,
                    canceled_count: 0,
                    user_errors: vec![SuppressError::new(code, &path, rejection)],
                }
            }
        })
    }

    /// Writes to numbers again, as far as just this scope kept the account from it. Who objected
    /// should say so anew first: `recordConsent`. For owners, admins, developers, support, and keys
    /// with the scope `contacts:manage`. Idempotent: numbers that are not suppressed are passed over.
    async fn unsuppress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which numbers, and why.")] input: UnsuppressInput,
    ) -> Answer<UnsuppressPayload> {
        use UnsuppressErrorCode as Code;
        let scope = input.scope.parse();
        let numbers = Numbers { numbers: input.numbers, scope, note: Some(input.note) };
        let outcome = opt_out::unsuppress(call(context)?, numbers).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(ConsentOutcome { changed, .. }) => {
                UnsuppressPayload { unsuppressed_count: count(changed), user_errors: Vec::new() }
            }
            Err(rejection) => {
                let code = match rejection {
                    ConsentRejection::InvalidScope => Code::InvalidScope,
                    ConsentRejection::InvalidNote => Code::InvalidNote,
                    ConsentRejection::Empty => Code::NoNumbers,
                    ConsentRejection::TooMany => Code::TooManyNumbers,
                    ConsentRejection::InvalidNumber(_)
                    | ConsentRejection::ContactNotFound
                    | ConsentRejection::InvalidWording
                    | ConsentRejection::InvalidIp
                    | ConsentRejection::InFuture => Code::InvalidNumber,
                };
                let path = path(rejection);
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                UnsuppressPayload {
                    unsuppressed_count: 0,
                    user_errors: vec![UnsuppressError::new(code, &path, rejection)],
                }
            }
        })
    }
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn record_error(rejection: ConsentRejection) -> RecordConsentError {
    use RecordConsentErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        ConsentRejection::ContactNotFound => (Code::ContactNotFound, &["whose", "contactId"]),
        // The others are of calls with many numbers.
        ConsentRejection::InvalidNumber(_)
        | ConsentRejection::InvalidNote
        | ConsentRejection::Empty
        | ConsentRejection::TooMany => (Code::InvalidNumber, &["whose", "number"]),
        ConsentRejection::InvalidScope => (Code::InvalidScope, &["scope"]),
        ConsentRejection::InvalidWording => (Code::InvalidWording, &["wording"]),
        ConsentRejection::InvalidIp => (Code::InvalidIp, &["ip"]),
        ConsentRejection::InFuture => (Code::InFuture, &["occurredAt"]),
    };
    RecordConsentError::new(code, path, rejection)
}

/// Where in an input with many numbers.
fn path(rejection: ConsentRejection) -> Vec<String> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match rejection {
        ConsentRejection::InvalidNumber(place) => names(&["numbers", &place.to_string()]),
        ConsentRejection::InvalidScope => names(&["scope"]),
        ConsentRejection::InvalidNote => names(&["note"]),
        ConsentRejection::ContactNotFound
        | ConsentRejection::InvalidWording
        | ConsentRejection::InvalidIp
        | ConsentRejection::InFuture
        | ConsentRejection::Empty
        | ConsentRejection::TooMany => names(&["numbers"]),
    }
}
