//! Typed ids and the registry of their prefixes.
//!
//! An id is a UUIDv7 (RFC 9562). Outside the store it is written as a TypeID: prefix, underscore,
//! 26 characters of lower-case Crockford base32. The store keeps the bare UUID.

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId {
    /// The prefix that was wanted, without the underscore.
    pub expected_prefix: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an id of the form {}_…", self.expected_prefix)
    }
}

impl std::error::Error for InvalidId {}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five, most significant first, the first character holding three bits.
const ENCODED_CHARS: usize = 26;

fn encode(id: Uuid) -> String {
    let mut rest = id.as_u128();
    let mut out = [0u8; ENCODED_CHARS];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out.iter().map(|&byte| byte as char).collect()
}

fn decode(text: &str) -> Option<Uuid> {
    if text.len() != ENCODED_CHARS || text.as_bytes()[0] > b'7' {
        return None;
    }
    let mut value = 0u128;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|&symbol| symbol == byte)?;
        value = (value << 5) | digit as u128;
    }
    Some(Uuid::from_u128(value))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        /// Every prefix in use, for the test that keeps them distinct.
        pub const PREFIXES: &[&str] = &[$($prefix),*];
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
            pub struct $name(pub Uuid);

            impl $name {
                /// The text before the underscore.
                pub const PREFIX: &'static str = $prefix;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}_{}", $prefix, encode(self.0))
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = InvalidId;

                fn from_str(text: &str) -> Result<Self, InvalidId> {
                    text.strip_prefix(concat!($prefix, "_"))
                        .and_then(decode)
                        .map(Self)
                        .ok_or(InvalidId { expected_prefix: $prefix })
                }
            }

            impl sea_orm::TryFromU64 for $name {
                /// Ids are never counted out by the store.
                fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                    Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
                }
            }

            impl From<Uuid> for $name {
                fn from(id: Uuid) -> Self {
                    Self(id)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
        )*
    };
}

ids! {
    /// An organization that sends; the tenant.
    AccountId = "acct";
    /// A person who signs in.
    PersonId = "user";
    /// One log-in on one device: a family of refresh tokens.
    SessionId = "sess";
    /// An API key.
    ApiKeyId = "key";
    /// A sender name or number that an account may use.
    SenderId = "sndr";
    /// A message to one recipient.
    MessageId = "msg";
    /// The text of one or more messages.
    TextId = "text";
    /// One try to hand a message to a carrier.
    AttemptId = "att";
    /// A message that arrived from a phone.
    InboundMessageId = "inb";
    /// A carrier account that messages leave through.
    CarrierId = "carr";
    /// A rule that leads numbers to a carrier.
    RouteId = "route";
    /// A transfer in an account's ledger.
    TransferId = "tran";
    /// A list of prices.
    RateCardId = "rate";
    /// What an account pays each month.
    PlanId = "plan";
    /// A package on offer.
    PackageId = "pack";
    /// A package that an account has.
    GrantedPackageId = "gpkg";
    /// Vouchers that were made together.
    VoucherBatchId = "vbat";
    /// A person of an account's audience.
    ContactId = "cont";
    /// An attribute that an account keeps of its contacts.
    AttributeId = "attr";
    /// A list of contacts.
    ListId = "list";
    /// A saved condition on contacts.
    SegmentId = "segm";
    /// A number that is not written to.
    SuppressionId = "supp";
    /// A statement of consent.
    ConsentEventId = "cons";
    /// A keyword of an account's own.
    KeywordId = "keyw";
    /// Contacts that come from a file.
    ContactImportId = "cimp";
    /// Contacts that go into a file.
    ContactExportId = "cexp";
    /// One text to an audience.
    CampaignId = "camp";
    /// A click on a short link.
    LinkClickId = "click";
    /// A host of an account's own, for its short links.
    LinkDomainId = "ldom";
    /// A payment.
    PaymentId = "pay";
    /// A kept means of payment.
    PaymentMethodId = "pmt";
    /// An invoice.
    InvoiceId = "inv";
    /// A rate of a tax.
    TaxRateId = "tax";
    /// An address that a payment processor posts to.
    ProcessorId = "proc";
    /// An event of a processor's in the inbox.
    WebhookEventId = "whev";
    /// A day's comparison of our books with a processor's.
    ReconciliationReportId = "recon";
    /// An entry of the event log.
    EventId = "evt";
    /// A running process of the program.
    NodeId = "node";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_typeid_of_the_specification_and_reads_it_back() {
        // Vector of the TypeID specification 0.3.
        let id = MessageId(Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap());
        assert_eq!(id.to_string(), "msg_01h455vb4pex5vsknk084sn02q");
        assert_eq!("msg_01h455vb4pex5vsknk084sn02q".parse(), Ok(id));
    }

    #[test]
    fn refuses_other_prefixes_lengths_symbols_and_overflow() {
        for text in [
            "key_01h455vb4pex5vsknk084sn02q",
            "msg_01h455vb4pex5vsknk084sn02",
            "msg_01h455vb4pex5vsknk084sn02u",
            "msg_81h455vb4pex5vsknk084sn02q",
            "msg_01H455VB4PEX5VSKNK084SN02Q",
            "",
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(InvalidId { expected_prefix: "msg" }));
        }
    }

    #[test]
    fn prefixes_are_distinct() {
        let distinct: std::collections::HashSet<_> = PREFIXES.iter().collect();
        assert_eq!(distinct.len(), PREFIXES.len());
    }
}
