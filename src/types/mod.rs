//! Pure value types that parse on construction. No store, no clock, no network, and no knowledge
//! of carriers; everything above may use them.

/// Finds payment card numbers in any text.
pub mod card_detector;
/// Opaque positions for paging and streams.
pub mod cursor;
/// Names of hosts.
pub mod host;
/// The magic test recipients and the scripts that a simulated carrier plays for them.
pub mod magic;
/// Amounts and currencies.
pub mod money;
/// E.164 phone numbers.
pub mod phone;
/// The price of a part.
pub mod price;
/// When marketing may reach a phone.
pub mod quiet_hours;
/// Values that are never shown.
pub mod secret;
/// What a message is sent from.
pub mod sender;
/// SMS text: alphabets, parts, decoding.
pub mod sms_text;
