//! Opaque cursors for paging and for resuming streams.
//!
//! A cursor is base64url (RFC 4648, section 5, unpadded) of a version, a kind and the position's
//! own bytes. It is opaque, not secret and not signed: whoever decodes one checks it like any
//! input, and the query around it stays scoped to the account. Called by the edges and `db`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// The version of the layout; another one is refused, since a cursor may outlive an upgrade.
const VERSION: u8 = 1;
/// The longest position, in bytes: a time, an id, and room for two more keys.
pub const POSITION_BYTES_MAX: usize = 64;
/// The longest cursor, in characters: four for three bytes, rounded up.
pub const CURSOR_CHARS_MAX: usize = ((POSITION_BYTES_MAX + 2) * 4).div_ceil(3);

/// What a cursor points into: a cursor of one list means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CursorKind {
    /// The event log of an account: a position in a stream.
    Events = 1,
    /// Messages, newest first.
    Messages = 2,
    /// Inbound messages, newest first.
    InboundMessages = 3,
    /// Attempts of one message.
    Attempts = 4,
    /// Accounts, for the operator.
    Accounts = 5,
    /// People of an account.
    Members = 6,
    /// API keys of an account.
    ApiKeys = 7,
    /// Senders of an account, or all that wait for approval.
    Senders = 8,
    /// Carriers, for the operator.
    Carriers = 9,
    /// Routes, for the operator.
    Routes = 10,
    /// Sessions of a person.
    Sessions = 11,
    /// Rate cards, for the operator.
    RateCards = 40,
    /// Rates of a card, for the operator.
    Rates = 41,
    /// Entries of an account's ledger, newest first.
    LedgerEntries = 42,
    /// Batches of vouchers, for the operator.
    VoucherBatches = 43,
    /// Plans, for the operator.
    Plans = 44,
    /// Invoices, newest first.
    Invoices = 45,
    /// Packages on offer, newest first.
    Packages = 46,
    /// Packages of an account, newest first.
    GrantedPackages = 47,
    /// Payments of an account, newest first.
    Payments = 30,
    /// Contacts, newest first.
    Contacts = 50,
    /// Lists of contacts, newest first.
    ContactLists = 51,
    /// Segments, newest first.
    Segments = 52,
    /// Suppressions, newest first.
    Suppressions = 53,
    /// Statements of consent, newest first.
    ConsentEvents = 54,
    /// Campaigns, newest first.
    Campaigns = 55,
    /// Messages of a campaign, by contact, newest first.
    CampaignMessages = 56,
    /// Webhooks of payment processors, newest first.
    WebhookEvents = 31,
    /// Comparisons with the processors' books, newest first.
    ReconciliationReports = 32,
    /// Imports of contacts, newest first.
    ContactImports = 58,
    /// Exports of contacts, newest first.
    ContactExports = 59,
    /// Domains of short links, newest first.
    LinkDomains = 62,
}

/// Why a text is not a cursor of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CursorError {
    /// Not written by this program, cut off, or too long.
    #[error("not a cursor")]
    Malformed,
    /// Of a layout that this version does not know.
    #[error("a cursor of another version; start again without one")]
    UnknownVersion,
    /// Of another list.
    #[error("a cursor of another list")]
    WrongKind,
}

/// Writes and reads cursors.
pub struct Cursor;

impl Cursor {
    /// The cursor for a position of at most [`POSITION_BYTES_MAX`] bytes.
    ///
    /// # Panics
    /// If the position is longer: positions are built from keys of fixed size.
    pub fn encode(kind: CursorKind, position: &[u8]) -> String {
        assert!(position.len() <= POSITION_BYTES_MAX, "positions are keys of fixed size");
        let mut payload = Vec::with_capacity(position.len() + 2);
        payload.extend([VERSION, kind as u8]);
        payload.extend_from_slice(position);
        URL_SAFE_NO_PAD.encode(payload)
    }

    /// The position that [`Cursor::encode`] was given. Its length is for the caller to check.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn decode(kind: CursorKind, text: &str) -> Result<Vec<u8>, CursorError> {
        if text.len() > CURSOR_CHARS_MAX {
            return Err(CursorError::Malformed);
        }
        let mut payload = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        match payload.as_slice() {
            [VERSION, tag, ..] if *tag == kind as u8 => Ok(payload.split_off(2)),
            [VERSION, _, ..] => Err(CursorError::WrongKind),
            [_, _, ..] => Err(CursorError::UnknownVersion),
            [_] | [] => Err(CursorError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_took() {
        for position in [&[][..], &[0, 255, 7], &[9; POSITION_BYTES_MAX]] {
            let text = Cursor::encode(CursorKind::Messages, position);
            assert!(text.len() <= CURSOR_CHARS_MAX);
            assert_eq!(Cursor::decode(CursorKind::Messages, &text).as_deref(), Ok(position));
        }
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        let events = Cursor::encode(CursorKind::Events, &[1, 2]);
        let decode = |text: &str| Cursor::decode(CursorKind::Messages, text);
        assert_eq!(decode(&events), Err(CursorError::WrongKind));
        assert_eq!(decode(&URL_SAFE_NO_PAD.encode([2, 2, 0])), Err(CursorError::UnknownVersion));
        for text in ["", "A", "AQ", "a b", "====", "é", &"A".repeat(CURSOR_CHARS_MAX + 1)] {
            assert_eq!(decode(text), Err(CursorError::Malformed), "{text}");
        }
    }
}
