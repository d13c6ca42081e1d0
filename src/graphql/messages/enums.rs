//! Enums of messages, and the way between them and the stored ones.

use async_graphql::Enum;
use entity::enums;

/// What a message is for; also its lane: one-time passwords go before transactional messages, and
/// these before marketing.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::MessageClass")]
pub enum MessageClass {
    /// A one-time password: seconds matter. Valid for 10 minutes unless said otherwise.
    Otp,
    /// Something that the recipient's own doing brought about. Valid for 4 hours unless said
    /// otherwise. The default.
    Transactional,
    /// Advertising. Valid for 24 hours unless said otherwise.
    Marketing,
}

/// How a text is encoded on the air.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::Encoding")]
pub enum Encoding {
    /// GSM 03.38, seven bits a character: 160 in one part, 152 in each of several. With the shift
    /// tables of one language (`nationalLanguage`) 155 and 148, with two of its tables 152 and 145.
    /// Characters behind an escape count twice.
    #[graphql(name = "GSM7")]
    Gsm7,
    /// UCS-2, for any other character: 70 UTF-16 units in one part, 66 or 67 in each of several.
    #[graphql(name = "UCS2")]
    Ucs2,
}

/// A language with shift tables of its own in the GSM alphabet (3GPP TS 23.038, annex A).
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::NationalLanguage")]
pub enum NationalLanguage {
    /// Ğ ğ İ ı Ş ş ç.
    Turkish,
    /// Á á Í í Ó ó Ú ú ç.
    Spanish,
    /// Ã ã Â â Á á À Ê ê Í í Õ õ Ô ô Ó ó Ú ú ç, and some signs.
    Portuguese,
}

/// Where a message stands. It only ever moves forward, but for `QUEUED`, which a message that was
/// not handed over returns to.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStatus {
    /// It waits for its `sendAt`.
    Scheduled,
    /// It is held back.
    Held,
    /// It waits to be handed to a carrier.
    Queued,
    /// It is being handed over. Seen on messages, not in events.
    Sending,
    /// The carrier took every part.
    Sent,
    /// The carrier reports it under way.
    Enroute,
    /// What became of it cannot be known; a late report may still tell, for 7 days.
    Unknown,
    /// It is on the phone. Final.
    Delivered,
    /// The carrier could not deliver it. Final.
    Undelivered,
    /// Its validity ended. A late report of the carrier may still tell otherwise, for 7 days.
    Expired,
    /// The carrier refused it after taking it. Final.
    Rejected,
    /// It could not be handed over. Final.
    Failed,
    /// It was canceled before it left. Final.
    Canceled,
    /// The recipient does not want messages. Final.
    Suppressed,
}

impl From<enums::MessageStatus> for MessageStatus {
    fn from(stored: enums::MessageStatus) -> Self {
        use enums::MessageStatus as Stored;
        match stored {
            Stored::Scheduled => Self::Scheduled,
            Stored::Held => Self::Held,
            Stored::Queued => Self::Queued,
            Stored::Sending => Self::Sending,
            Stored::Sent => Self::Sent,
            Stored::Enroute => Self::Enroute,
            Stored::Unknown => Self::Unknown,
            Stored::ExpiredHere | Stored::Expired => Self::Expired,
            Stored::Delivered => Self::Delivered,
            Stored::Undelivered => Self::Undelivered,
            Stored::Rejected => Self::Rejected,
            Stored::Failed => Self::Failed,
            Stored::Canceled => Self::Canceled,
            Stored::Suppressed => Self::Suppressed,
        }
    }
}

/// The stored statuses that show as one of `shown`.
pub fn stored_statuses(shown: &[MessageStatus]) -> Vec<enums::MessageStatus> {
    let all = enums::MessageStatus::ALL.iter().copied();
    all.filter(|stored| shown.contains(&MessageStatus::from(*stored))).collect()
}

/// How one part of one attempt stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagePartState {
    /// It is being handed over; the carrier has not answered.
    Submitting,
    /// The carrier took it.
    Accepted,
    /// The carrier refused it.
    Refused,
    /// It may or may not have arrived: no answer came.
    Uncertain,
    /// It never left.
    NotSubmitted,
    /// The carrier reports it delivered.
    Delivered,
    /// The carrier reports that it ended otherwise.
    Undelivered,
}

impl From<enums::PartState> for MessagePartState {
    fn from(stored: enums::PartState) -> Self {
        use enums::PartState as Stored;
        match stored {
            Stored::Accepted => Self::Accepted,
            Stored::Refused => Self::Refused,
            Stored::Uncertain => Self::Uncertain,
            Stored::NotSubmitted => Self::NotSubmitted,
            Stored::Delivered => Self::Delivered,
            Stored::Undelivered => Self::Undelivered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_is_both_kinds_of_expired_and_nothing_is_lost() {
        use enums::MessageStatus as Stored;
        assert_eq!(
            stored_statuses(&[MessageStatus::Expired]),
            [Stored::ExpiredHere, Stored::Expired]
        );
        assert_eq!(stored_statuses(&[]), []);
        for stored in Stored::ALL {
            assert!(stored_statuses(&[MessageStatus::from(*stored)]).contains(stored));
        }
    }
}
