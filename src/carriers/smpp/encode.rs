//! What we send, encoded with `rusmpp`: binds, submit_sm and the answers.
//!
//! Decides every submit_sm field; holds no state.

use bytes::BytesMut;
use entity::time::UnixMillis;
use rusmpp::pdus::{
    BindReceiver, BindTransceiver, BindTransmitter, DataSmResp, DeliverSmResp, QuerySm, SubmitSm,
};
use rusmpp::tlvs::MessageSubmissionRequestTlvValue;
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{
    DataCoding, EsmClass, InterfaceVersion, MessagePayload, Npi, RegisteredDelivery, ServiceType,
    Ton, UserMessageReference,
};
use rusmpp::{Command, CommandStatus, Pdu};
use secrecy::ExposeSecret;
use tokio_util::codec::Encoder;

use super::config::{SmppConfig, TonNpi, Validity};
use crate::carriers::{Address, CarrierError, CarrierErrorKind, StatusQuery, Submission};

/// Longest `short_message`; what is longer goes into `message_payload` (SMPP 3.4, 4.4.1).
const SHORT_MESSAGE_LENGTH_MAX: usize = 254;
/// Longest relative validity that is sent: carriers refuse what they cannot keep, and no message
/// of ours lives longer.
const VALIDITY_MS_MAX: i64 = 30 * 24 * 3_600 * 1_000;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

impl Role {
    /// Whether messages are submitted on it.
    pub const fn sends(self) -> bool {
        match self {
            Self::Transceiver | Self::Transmitter => true,
            Self::Receiver => false,
        }
    }

    /// As logs and metrics show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transceiver => "transceiver",
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
        }
    }
}

/// Appends a PDU.
pub(super) fn pdu(
    buffer: &mut BytesMut,
    status: CommandStatus,
    sequence_number: u32,
    pdu: impl Into<Pdu>,
) {
    CommandCodec::new()
        .encode(Command::new(status, sequence_number, pdu), buffer)
        .expect("encoding into memory does no input or output");
}

/// Appends the bind request for a role.
pub(super) fn bind(buffer: &mut BytesMut, config: &SmppConfig, role: Role, sequence_number: u32) {
    let system_id = text(&config.system_id);
    let password = text(config.password.expose_secret());
    let system_type = text(&config.system_type);
    let version = InterfaceVersion::from(config.interface_version);
    let range = text(&config.address_range);
    let (ton, npi) = (Ton::Unknown, Npi::Unknown);
    let request: Pdu = match role {
        Role::Transceiver => {
            BindTransceiver::new(system_id, password, system_type, version, ton, npi, range).into()
        }
        Role::Transmitter => {
            BindTransmitter::new(system_id, password, system_type, version, ton, npi, range).into()
        }
        Role::Receiver => {
            BindReceiver::new(system_id, password, system_type, version, ton, npi, range).into()
        }
    };
    pdu(buffer, CommandStatus::EsmeRok, sequence_number, request);
}

/// A settings text; `SmppConfig::validate` has checked that it fits.
fn text<const MAX: usize>(value: &str) -> COctetString<1, MAX> {
    COctetString::from_string(value.to_owned()).expect("settings were validated at start")
}

/// Which kind of delivery is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    DeliverSm,
    DataSm,
}

/// Appends the answer to a deliver_sm or data_sm.
pub(super) fn delivered(
    buffer: &mut BytesMut,
    what: Delivered,
    status: CommandStatus,
    sequence_number: u32,
) {
    match what {
        Delivered::DeliverSm => pdu(buffer, status, sequence_number, DeliverSmResp::default()),
        Delivered::DataSm => pdu(buffer, status, sequence_number, DataSmResp::default()),
    }
}

/// The submit_sm of one part.
///
/// # Errors
/// The command status that a carrier would answer, if a field cannot carry its value.
pub(super) fn submit_sm(
    config: &SmppConfig,
    submission: &Submission,
    part: usize,
    now: UnixMillis,
) -> Result<SubmitSm, CarrierError> {
    let (TonNpi { ton, npi }, sender) = source(config, &submission.from);
    let part = submission.parts.get(part).ok_or_else(|| refusal(CommandStatus::EsmeRinvmsglen))?;
    let service_type = COctetString::from_string(config.service_type.clone())
        .map_err(|_| refusal(CommandStatus::EsmeRinvsertyp))?;
    let mut builder = SubmitSm::builder()
        .service_type(ServiceType::new(service_type))
        .source_addr_ton(Ton::from(ton))
        .source_addr_npi(Npi::from(npi))
        .source_addr(
            COctetString::from_string(sender.clone())
                .map_err(|_| refusal(CommandStatus::EsmeRinvsrcadr))?,
        )
        .dest_addr_ton(Ton::from(config.numbering.destination.ton))
        .dest_addr_npi(Npi::from(config.numbering.destination.npi))
        .destination_addr(
            COctetString::from_string(submission.to.clone())
                .map_err(|_| refusal(CommandStatus::EsmeRinvdstadr))?,
        )
        .esm_class(EsmClass::from(if part.has_header { 0x40 } else { 0x00 }))
        .registered_delivery(RegisteredDelivery::from(u8::from(submission.wants_receipt)))
        .data_coding(DataCoding::from(part.data_coding))
        .push_tlv(MessageSubmissionRequestTlvValue::UserMessageReference(
            UserMessageReference::new(submission.reference),
        ));
    if config.validity == Validity::Relative {
        builder = builder.validity_period(
            EmptyOrFullCOctetString::from_string(relative_time(submission.expires_at.since(now)))
                .map_err(|_| refusal(CommandStatus::EsmeRinvexpiry))?,
        );
    }
    builder = if part.octets.len() <= SHORT_MESSAGE_LENGTH_MAX {
        builder.short_message(
            OctetString::from_bytes(part.octets.clone())
                .map_err(|_| refusal(CommandStatus::EsmeRinvmsglen))?,
        )
    } else {
        builder.push_tlv(MessageSubmissionRequestTlvValue::MessagePayload(MessagePayload::new(
            AnyOctetString::from_bytes(part.octets.clone()),
        )))
    };
    Ok(builder.build())
}

/// The query_sm about one part (SMPP 3.4, 4.8.1).
///
/// # Errors
/// The command status that a carrier would answer, if a field cannot carry its value.
pub(super) fn query_sm(config: &SmppConfig, query: &StatusQuery) -> Result<QuerySm, CarrierError> {
    let (TonNpi { ton, npi }, sender) = source(config, &query.from);
    Ok(QuerySm::new(
        COctetString::from_string(query.carrier_message_id.clone())
            .map_err(|_| refusal(CommandStatus::EsmeRinvmsgid))?,
        Ton::from(ton),
        Npi::from(npi),
        COctetString::from_string(sender.clone())
            .map_err(|_| refusal(CommandStatus::EsmeRinvsrcadr))?,
    ))
}

fn source<'a>(config: &SmppConfig, from: &'a Address) -> (TonNpi, &'a String) {
    match from {
        Address::Alphanumeric(sender) => (config.numbering.alphanumeric, sender),
        Address::International(sender) => (config.numbering.international, sender),
        Address::ShortCode(sender) => (config.numbering.short_code, sender),
    }
}

/// `YYMMDDhhmmsstnnR` (SMPP 3.4, 7.1.1.2), whole seconds rounded up; years and months stay zero.
fn relative_time(ms: i64) -> String {
    let seconds = (ms.clamp(1, VALIDITY_MS_MAX) + 999) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    format!("0000{days:02}{:02}{:02}{:02}000R", hours % 24, minutes % 60, seconds % 60)
}

fn refusal(status: CommandStatus) -> CarrierError {
    CarrierError { kind: CarrierErrorKind::CommandStatus, code: status.into() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entity::ids::MessageId;
    use secrecy::SecretString;
    use uuid::Uuid;

    use super::*;
    use crate::carriers::PartPayload;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn config() -> SmppConfig {
        SmppConfig::new("acme", "localhost:2775", "me", SecretString::from("secret"))
    }

    fn submission(from: Address, octets: Vec<u8>) -> Submission {
        let part = PartPayload { octets: Bytes::from(octets), data_coding: 8, has_header: true };
        Submission {
            message_id: MessageId::from(Uuid::nil()),
            attempt: 1,
            from,
            to: "15551230000".into(),
            parts: vec![part],
            expires_at: NOW.plus_ms(90_061_001),
            reference: 0xBEEF,
            wants_receipt: true,
        }
    }

    #[test]
    fn every_field_says_what_was_asked() {
        let from = Address::Alphanumeric("Acme".into());
        let pdu = submit_sm(&config(), &submission(from, vec![5, 0, 3, 1, 2, 1]), 0, NOW).unwrap();
        assert_eq!((u8::from(pdu.source_addr_ton), u8::from(pdu.source_addr_npi)), (5, 0));
        assert_eq!(pdu.source_addr.as_str(), "Acme");
        assert_eq!((u8::from(pdu.dest_addr_ton), u8::from(pdu.dest_addr_npi)), (1, 1));
        assert_eq!(pdu.destination_addr.as_str(), "15551230000");
        assert_eq!(u8::from(pdu.esm_class), 0x40);
        assert_eq!(u8::from(pdu.registered_delivery), 1);
        assert_eq!(u8::from(pdu.data_coding), 8);
        assert_eq!(pdu.validity_period.as_str(), "000001010102000R", "1 d 1 h 1 min 1.001 s");
        assert_eq!(pdu.short_message().to_vec(), [5, 0, 3, 1, 2, 1]);
        assert_eq!(pdu.tlvs().len(), 1);
        assert_eq!(u16::from(pdu.tlvs()[0].tag()), 0x0204);
    }

    #[test]
    fn senders_have_their_type_of_number() {
        for (from, expected) in [
            (Address::Alphanumeric("Acme".into()), (5, 0)),
            (Address::International("15550000000".into()), (1, 1)),
            (Address::ShortCode("12345".into()), (3, 0)),
        ] {
            let pdu = submit_sm(&config(), &submission(from, vec![1]), 0, NOW).unwrap();
            assert_eq!((u8::from(pdu.source_addr_ton), u8::from(pdu.source_addr_npi)), expected);
        }
    }

    #[test]
    fn only_a_long_payload_goes_into_the_tlv() {
        let from = Address::ShortCode("1".into());
        let fits = submit_sm(&config(), &submission(from.clone(), vec![7; 254]), 0, NOW).unwrap();
        assert_eq!((fits.short_message().len(), fits.tlvs().len()), (254, 1));
        let long = submit_sm(&config(), &submission(from, vec![7; 255]), 0, NOW).unwrap();
        assert_eq!((long.short_message().len(), long.tlvs().len()), (0, 2));
        assert_eq!((u16::from(long.tlvs()[1].tag()), long.tlvs()[1].value_length()), (0x0424, 255));
    }

    #[test]
    fn what_a_field_cannot_carry_is_refused_as_a_carrier_would() {
        let long = Address::International("1".repeat(21));
        let error = submit_sm(&config(), &submission(long, vec![1]), 0, NOW).unwrap_err();
        assert_eq!((error.kind, error.code), (CarrierErrorKind::CommandStatus, 0x0A));
        let mut to = submission(Address::ShortCode("1".into()), vec![1]);
        to.to = "1".repeat(21);
        assert_eq!(submit_sm(&config(), &to, 0, NOW).unwrap_err().code, 0x0B);
    }

    #[test]
    fn relative_times_are_whole_seconds_within_bounds() {
        for (ms, expected) in [
            (-5, "000000000001000R"),
            (1, "000000000001000R"),
            (1_000, "000000000001000R"),
            (1_001, "000000000002000R"),
            (600_000, "000000001000000R"),
            (48 * 3_600_000, "000002000000000R"),
            (i64::MAX, "000030000000000R"),
        ] {
            assert_eq!(relative_time(ms), expected, "{ms}");
        }
    }

    #[test]
    fn omitted_validity_is_empty() {
        let config = SmppConfig { validity: Validity::Omitted, ..config() };
        let from = Address::ShortCode("1".into());
        let pdu = submit_sm(&config, &submission(from, vec![1]), 0, NOW).unwrap();
        assert!(pdu.validity_period.is_empty());
    }
}
