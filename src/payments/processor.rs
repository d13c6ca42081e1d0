//! From a webhook's bytes to what it proves: the one way in, the same for every processor.
//!
//! The order never changes: length ([`RawBody`]), signature over the raw bytes, parse, project.
//! Storing, answering and resolving are the inbox's, which calls [`receive`].

use std::fmt;

use entity::enums::ProcessorKind;
use entity::time::UnixMillis;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::document::Document;
use super::facts::{EventId, Fact, Money, scale_of};
use super::raw_body::RawBody;
use super::{mpesa, paymongo, paystack, stripe, xendit};
use crate::types::secret::SecretText;

/// Who processes payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Processor {
    /// Stripe: signed with HMAC and a time.
    Stripe,
    /// Paystack: signed with HMAC.
    Paystack,
    /// PayMongo: signed with HMAC and a time.
    #[serde(rename = "PAYMONGO")]
    PayMongo,
    /// Xendit: a token that never changes. Hints only.
    Xendit,
    /// M-Pesa's Daraja API: unsigned, to an address with a token. Hints only.
    #[serde(rename = "MPESA")]
    MPesa,
}

impl Processor {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Stripe, Self::Paystack, Self::PayMongo, Self::Xendit, Self::MPesa];

    /// As it is stored.
    pub const fn kind(self) -> ProcessorKind {
        match self {
            Self::Stripe => ProcessorKind::Stripe,
            Self::Paystack => ProcessorKind::Paystack,
            Self::PayMongo => ProcessorKind::PayMongo,
            Self::Xendit => ProcessorKind::Xendit,
            Self::MPesa => ProcessorKind::MPesa,
        }
    }

    /// From how it is stored.
    pub const fn of(kind: ProcessorKind) -> Self {
        match kind {
            ProcessorKind::Stripe => Self::Stripe,
            ProcessorKind::Paystack => Self::Paystack,
            ProcessorKind::PayMongo => Self::PayMongo,
            ProcessorKind::Xendit => Self::Xendit,
            ProcessorKind::MPesa => Self::MPesa,
        }
    }

    /// As it stands in the path of its webhooks and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Paystack => "paystack",
            Self::PayMongo => "paymongo",
            Self::Xendit => "xendit",
            Self::MPesa => "mpesa",
        }
    }

    /// Whether it takes such an amount at all: above zero, and not finer than its unit.
    pub(super) fn is_chargeable(self, amount: Money) -> bool {
        let scale = scale_of(self, amount.currency.as_str());
        let units = scale.ok().and_then(|scale| scale.units_of(amount.amount_micros));
        units.is_some_and(|units| units > 0)
    }

    /// How its webhooks are verified and read.
    pub fn webhooks(self) -> &'static dyn WebhookProcessor {
        match self {
            Self::Stripe => &stripe::Stripe,
            Self::Paystack => &paystack::Paystack,
            Self::PayMongo => &paymongo::PayMongo,
            Self::Xendit => &xendit::Xendit,
            Self::MPesa => &mpesa::MPesa,
        }
    }
}

/// The secrets that an endpoint takes now: the one in use and, while it is being replaced,
/// another.
#[derive(Clone, Copy)]
pub struct EndpointSecrets<'a> {
    current: &'a SecretText,
    other: Option<&'a SecretText>,
}

impl<'a> EndpointSecrets<'a> {
    /// `None` if one is empty: everybody could sign with it.
    pub fn new(current: &'a SecretText, other: Option<&'a SecretText>) -> Option<Self> {
        let has_empty = current.expose().is_empty() || other.is_some_and(|it| it.expose() == "");
        (!has_empty).then_some(Self { current, other })
    }

    /// The bytes of the one in use.
    pub(super) fn first(self) -> &'a [u8] {
        self.current.expose().as_bytes()
    }

    pub(super) fn all(self) -> impl Iterator<Item = &'a SecretText> {
        std::iter::once(self.current).chain(self.other)
    }
}

/// What came with a body.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The last segment of the path, where the processor can carry a secret only there.
    pub path_token: Option<&'a str>,
    /// What is accepted as a secret.
    pub secrets: EndpointSecrets<'a>,
    /// The time of arrival.
    pub now: UnixMillis,
}

/// The type of an event: one of its processor's list, or unknown. Text from outside never gets
/// in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EventType(&'static str);

impl EventType {
    /// Not on the list: accepted, and nothing is done about it.
    pub const UNKNOWN: Self = Self("unknown");

    /// The entry of the list that says the same.
    pub(super) fn among(list: &'static [&'static str], text: &str) -> Self {
        list.iter().find(|known| **known == text).map_or(Self::UNKNOWN, |known| Self(known))
    }

    /// As the processor writes it; `unknown`.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a genuine webhook says. Holds nothing but validated ids, amounts, choices and times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The same for each repetition of the event, and unique at the processor.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// When, where the processor says so. Often in whole seconds: nothing is ordered by it.
    pub created_at: Option<UnixMillis>,
    /// Whether real money moved, where the processor says so.
    pub livemode: Option<bool>,
    /// What it proves, or only hints at.
    pub facts: Vec<Fact>,
    /// Whether the processor must be asked before anything is credited: the webhook was not
    /// signed, or with a token that never changes.
    pub hint_only: bool,
}

/// Why a webhook was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No signature, a wrong one, or two headers with one. Answer 401.
    #[error("the signature is missing or wrong")]
    BadSignature,
    /// The signed time is too long ago, or ahead. Answer 401.
    #[error("the signed time is too far from now")]
    Stale,
    /// Genuine, and not to be read. Answer 2xx and park it for a person: an error makes the
    /// processor repeat it for days and then switch the endpoint off.
    #[error("genuine, but not readable: {0}")]
    Unreadable(#[from] Unreadable),
}

impl Refusal {
    /// The HTTP status to answer.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadSignature | Self::Stale => 401,
            Self::Unreadable(_) => 200,
        }
    }
}

/// Why a genuine webhook cannot be read. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not one JSON object in UTF-8, nested too deep, or with a number out of range.
    #[error("not a JSON object")]
    NotJson,
    /// Something that this type of event always has is not there.
    #[error("a field is missing")]
    Missing,
    /// Text where a number should be, or the like.
    #[error("a field has another type")]
    WrongType,
    /// An id of a form that the processor does not give, or one that reads as a card number.
    #[error("an id has another form")]
    BadId,
    /// Negative, too large or with too many decimals.
    #[error("an amount is out of range")]
    BadAmount,
    /// Not ISO 4217, or not one that the processor settles.
    #[error("a currency is not known")]
    BadCurrency,
    /// A status that is not on our list.
    #[error("a status is not known")]
    BadStatus,
    /// Signed as a test and said to be live, or the other way around.
    #[error("the signature is of the other mode")]
    OtherMode,
    /// Not a time between 2000 and 2100.
    #[error("a time is out of range")]
    BadTime,
}

impl Unreadable {
    /// As it is stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotJson => "NOT_JSON",
            Self::Missing => "FIELD_MISSING",
            Self::WrongType => "FIELD_OF_OTHER_TYPE",
            Self::BadId => "BAD_ID",
            Self::BadAmount => "BAD_AMOUNT",
            Self::BadCurrency => "BAD_CURRENCY",
            Self::BadStatus => "BAD_STATUS",
            Self::OtherMode => "OTHER_MODE",
            Self::BadTime => "BAD_TIME",
        }
    }
}

/// How much a verified delivery can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Whether the processor must be asked before anything is credited.
    pub hint_only: bool,
    /// Whether the signature was made for real money, where it tells.
    pub livemode: Option<bool>,
}

/// How one processor's webhooks are verified and read. Called through [`receive`].
pub trait WebhookProcessor: Sync {
    /// Checks the signature over the raw bytes, in constant time.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadSignature`] and [`Refusal::Stale`].
    fn verify(&self, body: &[u8], delivery: &Delivery<'_>) -> Result<Trust, Refusal>;

    /// Reads what was verified.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    fn project(&self, event: &Event<'_>) -> Result<Verified, Unreadable>;
}

/// A verified event that is to be read.
pub struct Event<'a> {
    pub(super) document: &'a Document,
    pub(super) body: &'a [u8],
    pub(super) delivery: &'a Delivery<'a>,
    pub(super) trust: Trust,
}

/// Verifies a webhook and projects it to facts. The body is wiped at the end, whatever comes out.
///
/// # Errors
///
/// [`Refusal`], which says what to answer.
pub fn receive(
    processor: Processor,
    body: RawBody,
    delivery: &Delivery<'_>,
) -> Result<Verified, Refusal> {
    let webhooks = processor.webhooks();
    let trust = webhooks.verify(body.bytes(), delivery)?;
    let document = Document::parse(body.bytes())?;
    let event = Event { document: &document, body: body.bytes(), delivery, trust };
    Ok(webhooks.project(&event)?)
}
