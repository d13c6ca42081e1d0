//! Checks what a caller wants to send, item by item, in memory: no store, no clock of its own.

use entity::enums::{Encoding, MessageClass, NationalLanguage, SenderKind};
use entity::ids::{CarrierId, RouteId};
use entity::time::UnixMillis;

use super::model::default_validity_ms;
use crate::contacts::Topic;
use crate::routing::RouteChoice;
use crate::types::money::Micros;
use crate::types::phone::{PhoneNumber, PhoneNumberError, Region};
use crate::types::price::PartPrice;
use crate::types::quiet_hours::NoSlot;
use crate::types::sender::{Sender, SenderError};
use crate::types::sms_text::{self, SmsText, SmsTextError};

/// A message may be scheduled this far ahead: 30 days, so that its text is not kept for longer.
const SEND_AHEAD_MAX_MS: i64 = 30 * 24 * 3_600_000;
/// The shortest validity, in seconds: less cannot be kept by a carrier.
const VALIDITY_MIN_S: i32 = 30;
/// The longest validity, in seconds: 48 hours, what carriers store at most.
const VALIDITY_MAX_S: i32 = 48 * 3_600;
/// The longest estimated wait in a carrier's queue, in ms: 10 hours. What is accepted behind more
/// than that is a promise that nobody can keep.
const WAIT_MAX_MS: i64 = 10 * 3_600_000;
/// The shortest time after which to try again, in ms: estimates are no younger.
const RETRY_AFTER_MIN_MS: i64 = 10_000;
/// Characters of a client reference.
const CLIENT_REFERENCE_CHARS_MAX: usize = 100;

/// A message as its sender gives it.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct NewMessage {
    /// The recipient: E.164, or national with the account's default region.
    pub to: String,
    /// The sender, registered with the account and approved.
    pub from: String,
    /// The content.
    pub text: String,
    /// Its lane; transactional if absent.
    pub class: Option<MessageClass>,
    /// The caller's own name for it, 1 to 100 characters.
    pub client_reference: Option<String>,
    /// Not before this time; at once if absent. At most 30 days ahead.
    pub send_at: Option<UnixMillis>,
    /// Worth sending for this long after it becomes due: 30 s to 48 h; by class if absent.
    pub validity_period_seconds: Option<i32>,
    /// What it is about, where its recipient may object to that alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

impl std::fmt::Debug for NewMessage {
    /// Shows neither text nor number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMessage").field("class", &self.class).finish_non_exhaustive()
    }
}

/// What is wrong with one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemErrorCode {
    /// `to` is not a phone number that exists.
    InvalidRecipient,
    /// `to` is a number that no mobile phone has (fixed line, premium rate, service).
    UnsupportedRecipient,
    /// A live key named a test number, or a test key one that is neither test number nor valid.
    TestRecipient,
    /// `from` is not a name, short code or number.
    InvalidSender,
    /// `from` is not registered with the account, or not approved.
    SenderNotApproved,
    /// `text` is empty.
    EmptyText,
    /// `text` is longer than 10 parts.
    TextTooLong,
    /// `text` holds a NUL character.
    InvalidText,
    /// `clientReference` is empty or longer than 100 characters.
    InvalidClientReference,
    /// `sendAt` lies more than 30 days ahead.
    SendAtTooFar,
    /// `validityPeriodSeconds` is out of 30 to 172,800.
    InvalidValidityPeriod,
    /// No carrier serves the recipient's country or network.
    NoRoute,
    /// The account's rate card has no price for the recipient's country or network.
    NoPrice,
    /// The account's balance and credit do not cover the message.
    InsufficientCredit,
    /// An invoice was not paid for so long that the account may not send.
    PaymentOverdue,
    /// What waits for the carrier already would take longer than 10 hours, or than the message is
    /// valid.
    BacklogTooLong,
    /// `topic` is no topic.
    InvalidTopic,
    /// The recipient objected, or the account suppressed the number.
    RecipientOptedOut,
    /// Quiet hours leave no time soon at which it may be sent.
    NoSendingTime,
}

/// What is wrong with one item, in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ItemError {
    /// For programs.
    pub code: ItemErrorCode,
    /// For people; names no number and no text.
    pub message: String,
    /// The field of the item.
    pub field: String,
    /// When the same message may be taken, in ms from now, if time alone can mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}

impl ItemError {
    fn new(code: ItemErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: field.to_owned(), retry_after_ms: None }
    }

    /// What a message is told whose recipient is not to be written to.
    pub(super) fn recipient_opted_out() -> Self {
        Self::new(
            ItemErrorCode::RecipientOptedOut,
            "to",
            "this recipient does not want messages of this account, sender or topic",
        )
    }

    /// What marketing is told for which there is no legal time.
    pub(super) fn no_sending_time(why: NoSlot) -> Self {
        Self::new(ItemErrorCode::NoSendingTime, "to", why.to_string())
    }

    /// What a message is told that the money does not reach to.
    pub(super) fn insufficient_credit() -> Self {
        Self::new(
            ItemErrorCode::InsufficientCredit,
            "",
            "the account's balance and credit do not cover this message",
        )
    }
}

/// What the checks may know.
pub(super) struct Rules<'a> {
    pub(super) now: UnixMillis,
    pub(super) is_test: bool,
    /// Whether the account may not send until it has paid.
    pub(super) is_payment_overdue: bool,
    pub(super) default_region: Option<Region>,
    /// Whether the account may use a sender of this value.
    pub(super) is_approved: &'a (dyn Fn(&str) -> bool + Sync),
    /// Where a message to E.164 digits goes.
    pub(super) route: &'a (dyn Fn(&str) -> Option<RouteChoice> + Sync),
    /// The price of a part to E.164 digits.
    pub(super) price: &'a (dyn Fn(&str, MessageClass) -> Option<PartPrice> + Sync),
    /// How long a new message would wait for a carrier, in ms, if anybody can tell.
    pub(super) wait_ms: &'a (dyn Fn(CarrierId, MessageClass) -> Option<i64> + Sync),
}

/// An item that can be sent.
pub(super) struct Checked {
    pub(super) recipient: PhoneNumber,
    pub(super) sender: String,
    pub(super) sender_kind: SenderKind,
    pub(super) text: SmsText,
    pub(super) encoding: Encoding,
    pub(super) national_language: Option<NationalLanguage>,
    pub(super) parts: i16,
    pub(super) class: MessageClass,
    pub(super) client_reference: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) carrier_id: CarrierId,
    pub(super) route_id: Option<RouteId>,
    /// The recipient's country, two letters or empty.
    pub(super) country: String,
    pub(super) unit_price: PartPrice,
    /// Of all parts.
    pub(super) price: Micros,
    /// In the future: scheduled.
    pub(super) due_at: UnixMillis,
    pub(super) expires_at: UnixMillis,
    /// The end of its validity, where quiet hours end it sooner.
    pub(super) valid_until: Option<UnixMillis>,
    /// Quiet hours moved it to a later time.
    pub(super) is_held: bool,
}

/// A sender's stored value and kind.
pub(super) fn stored_sender(sender: &Sender) -> (String, SenderKind) {
    match sender {
        Sender::Alphanumeric(name) => (name.as_str().to_owned(), SenderKind::Alphanumeric),
        Sender::International(number) => (number.e164().to_owned(), SenderKind::International),
        Sender::ShortCode(code) => (code.as_str().to_owned(), SenderKind::ShortCode),
    }
}

/// Checks one item.
pub(super) fn check(item: NewMessage, rules: &Rules<'_>) -> Result<Checked, ItemError> {
    if rules.is_payment_overdue {
        return Err(ItemError::new(
            ItemErrorCode::PaymentOverdue,
            "",
            "an invoice is overdue: the account may send again as soon as it is paid",
        ));
    }
    let recipient = recipient(&item.to, rules)?;
    let sender = Sender::parse(&item.from).map_err(|error| bad_sender(&error))?;
    let (sender, sender_kind) = stored_sender(&sender);
    if !(rules.is_approved)(&sender) {
        return Err(ItemError::new(
            ItemErrorCode::SenderNotApproved,
            "from",
            "this sender is not registered with the account, or not approved yet",
        ));
    }
    let route = (rules.route)(recipient.digits());
    let languages = route.map(|route| route.national_languages).unwrap_or_default();
    let text = SmsText::with_languages(item.text, languages).map_err(bad_text)?;
    let class = item.class.unwrap_or(MessageClass::Transactional);
    let due_at = due_at(item.send_at, rules.now)?;
    let expires_at = due_at.plus_ms(validity_ms(item.validity_period_seconds, class)?);
    check_client_reference(item.client_reference.as_deref())?;
    let topic = item.topic.as_deref().map(topic).transpose()?;
    let RouteChoice { carrier_id, route_id, .. } = route.ok_or_else(|| {
        ItemError::new(ItemErrorCode::NoRoute, "to", "no carrier serves this recipient's network")
    })?;
    let unit_price = (rules.price)(recipient.digits(), class).ok_or_else(|| {
        ItemError::new(
            ItemErrorCode::NoPrice,
            "to",
            "there is no price for this recipient's network",
        )
    })?;
    // What is queued at a later time nobody knows yet.
    if due_at == rules.now
        && let Some(wait_ms) = (rules.wait_ms)(carrier_id, class)
    {
        check_backlog(wait_ms, expires_at.since(due_at))?;
    }
    let count = text.count();
    let parts = i16::try_from(count.parts).unwrap_or(i16::MAX);
    let (encoding, national_language) = match count.encoding {
        sms_text::Encoding::Gsm7(tables) => (Encoding::Gsm7, tables.language()),
        sms_text::Encoding::Ucs2 => (Encoding::Ucs2, None),
    };
    Ok(Checked {
        country: recipient.region().map(|region| region.as_str().to_owned()).unwrap_or_default(),
        unit_price,
        price: unit_price.of_parts(parts),
        recipient,
        sender,
        sender_kind,
        encoding,
        national_language,
        parts,
        text,
        class,
        client_reference: item.client_reference,
        topic,
        carrier_id,
        route_id,
        due_at,
        expires_at,
        valid_until: None,
        is_held: false,
    })
}

fn recipient(to: &str, rules: &Rules<'_>) -> Result<PhoneNumber, ItemError> {
    let is_test_number = PhoneNumber::parse_test(to);
    if let Ok(number) = is_test_number {
        if rules.is_test {
            return Ok(number);
        }
        return Err(ItemError::new(
            ItemErrorCode::TestRecipient,
            "to",
            "test numbers are for test keys only",
        ));
    }
    let number =
        PhoneNumber::parse(to, rules.default_region).map_err(|error| bad_number(&error))?;
    number.ensure_mobile(&[]).map_err(|error| bad_number(&error))?;
    Ok(number)
}

fn bad_number(error: &PhoneNumberError) -> ItemError {
    let code = match error {
        PhoneNumberError::FixedLine | PhoneNumberError::Premium | PhoneNumberError::Service => {
            ItemErrorCode::UnsupportedRecipient
        }
        PhoneNumberError::NotATestNumber => ItemErrorCode::TestRecipient,
        PhoneNumberError::Empty
        | PhoneNumberError::Unparsable
        | PhoneNumberError::MissingRegion
        | PhoneNumberError::UnassignedCountryCode
        | PhoneNumberError::ImpossibleLength
        | PhoneNumberError::Invalid => ItemErrorCode::InvalidRecipient,
    };
    ItemError::new(code, "to", error.to_string())
}

fn bad_sender(error: &SenderError) -> ItemError {
    ItemError::new(ItemErrorCode::InvalidSender, "from", error.to_string())
}

fn bad_text(error: SmsTextError) -> ItemError {
    let code = match error {
        SmsTextError::Empty => ItemErrorCode::EmptyText,
        SmsTextError::TooLong => ItemErrorCode::TextTooLong,
        SmsTextError::Nul => ItemErrorCode::InvalidText,
    };
    ItemError::new(code, "text", error.to_string())
}

fn topic(text: &str) -> Result<String, ItemError> {
    let topic = Topic::parse(text).ok_or_else(|| {
        ItemError::new(
            ItemErrorCode::InvalidTopic,
            "topic",
            "a topic has 1 to 50 lower-case letters, digits, hyphens and underscores",
        )
    })?;
    Ok(topic.as_str().to_owned())
}

fn due_at(send_at: Option<UnixMillis>, now: UnixMillis) -> Result<UnixMillis, ItemError> {
    let due_at = send_at.unwrap_or(now).max(now);
    if due_at.since(now) > SEND_AHEAD_MAX_MS {
        return Err(ItemError::new(
            ItemErrorCode::SendAtTooFar,
            "sendAt",
            "a message can be scheduled at most 30 days ahead",
        ));
    }
    Ok(due_at)
}

fn check_backlog(wait_ms: i64, validity_ms: i64) -> Result<(), ItemError> {
    let wait_max_ms = validity_ms.min(WAIT_MAX_MS);
    if wait_ms <= wait_max_ms {
        return Ok(());
    }
    let mut error = ItemError::new(
        ItemErrorCode::BacklogTooLong,
        "to",
        "what waits for the carrier already would take longer than 10 hours, or than the message \
         is valid",
    );
    error.retry_after_ms = Some((wait_ms - wait_max_ms).max(RETRY_AFTER_MIN_MS));
    Err(error)
}

fn validity_ms(seconds: Option<i32>, class: MessageClass) -> Result<i64, ItemError> {
    let Some(seconds) = seconds else { return Ok(default_validity_ms(class)) };
    if (VALIDITY_MIN_S..=VALIDITY_MAX_S).contains(&seconds) {
        return Ok(i64::from(seconds) * 1_000);
    }
    Err(ItemError::new(
        ItemErrorCode::InvalidValidityPeriod,
        "validityPeriodSeconds",
        format!("a validity period is from {VALIDITY_MIN_S} to {VALIDITY_MAX_S} seconds"),
    ))
}

fn check_client_reference(reference: Option<&str>) -> Result<(), ItemError> {
    let Some(reference) = reference else { return Ok(()) };
    let chars = reference.chars().count();
    // PostgreSQL cannot store NUL, and no other control character belongs into a name.
    let plain = !reference.chars().any(char::is_control);
    if (1..=CLIENT_REFERENCE_CHARS_MAX).contains(&chars) && plain {
        return Ok(());
    }
    Err(ItemError::new(
        ItemErrorCode::InvalidClientReference,
        "clientReference",
        format!(
            "a client reference has 1 to {CLIENT_REFERENCE_CHARS_MAX} characters, none of them a control character"
        ),
    ))
}
