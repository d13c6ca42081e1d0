//! PDUs as octets: framing, the header, and the decoding of what carriers send.
//!
//! What we send is encoded by `rusmpp`. What carriers send is read here, octet by octet, because
//! they deviate and a strict decoder would lose the receipt with the deviation: ids longer than
//! 64 octets, dates that are neither empty nor full, addresses in Latin-1, TLVs of the wrong
//! length, answers without a body. Only what cannot be framed ends the link.

use bytes::{Buf, Bytes, BytesMut};
use rusmpp::CommandId;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Octets of the PDU header (SMPP 3.4, 3.2).
pub(super) const HEADER_LENGTH: usize = 16;
/// Largest PDU that is taken, octets: a `message_payload` of 64 KiB and everything around it.
pub(super) const PDU_LENGTH_MAX: usize = 72 * 1024;
/// Room made before each read, octets.
const READ_LENGTH: usize = 16 * 1024;

/// One PDU: its header and its body.
pub(super) struct Frame {
    pub id: CommandId,
    pub status: u32,
    pub sequence_number: u32,
    pub body: Bytes,
}

/// The stream is not SMPP any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("PDU length {command_length} is out of range")]
pub(super) struct FrameError {
    pub command_length: u32,
    pub sequence_number: u32,
}

/// Cuts a byte stream into PDUs.
pub(super) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    pub fn new() -> Self {
        Self { buffer: BytesMut::with_capacity(READ_LENGTH) }
    }

    /// Reads once. Cancel-safe.
    ///
    /// # Errors
    /// As the stream says; `UnexpectedEof` at its end.
    pub async fn fill(&mut self, io: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
        self.buffer.reserve(READ_LENGTH);
        match io.read_buf(&mut self.buffer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next whole PDU, if it has arrived.
    ///
    /// # Errors
    /// If the length cannot be right. Nothing more can be read then.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.buffer.len() < HEADER_LENGTH {
            return Ok(None);
        }
        let field = |at: usize| {
            let octets = &self.buffer[at..at + 4];
            u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]])
        };
        let (command_length, id, status, sequence_number) =
            (field(0), field(4), field(8), field(12));
        let length = command_length as usize;
        if !(HEADER_LENGTH..=PDU_LENGTH_MAX).contains(&length) {
            return Err(FrameError { command_length, sequence_number });
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let mut pdu = self.buffer.split_to(length).freeze();
        pdu.advance(HEADER_LENGTH);
        Ok(Some(Frame { id: CommandId::from(id), status, sequence_number, body: pdu }))
    }
}

/// The `message_id` of a submit_sm_resp; empty if the body lacks it.
pub(super) fn message_id(body: &Bytes) -> String {
    let end = body.iter().position(|octet| *octet == 0).unwrap_or(body.len());
    latin1(&body[..end]).trim().to_owned()
}

/// `message_state` and `error_code` of a query_sm_resp (SMPP 3.4, 4.8.2); none if it ends too soon.
pub(super) fn query_result(body: &Bytes) -> Option<(u8, u8)> {
    let mut reader = Reader(body.clone());
    reader.c_string()?; // message_id: we know what we asked
    reader.c_string()?; // final_date
    Some((reader.octet()?, reader.octet()?))
}

/// What a deliver_sm or data_sm carries, as far as we use it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub source: String,
    pub destination: String,
    pub esm_class: u8,
    pub data_coding: u8,
    /// `short_message`, or `message_payload` where that is empty.
    pub text: Bytes,
    pub tlvs: Tlvs,
}

/// The optional parameters that we use (SMPP 3.4, 5.3.2), as octets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tlvs {
    pub receipted_message_id: Option<Bytes>,
    pub message_state: Option<Bytes>,
    pub network_error_code: Option<Bytes>,
    pub user_message_reference: Option<Bytes>,
    pub sar_msg_ref_num: Option<Bytes>,
    pub sar_total_segments: Option<Bytes>,
    pub sar_segment_seqnum: Option<Bytes>,
    message_payload: Option<Bytes>,
}

/// Reads a deliver_sm body (SMPP 3.4, 4.6.1); none if it ends too soon.
pub(super) fn deliver_sm(body: &Bytes) -> Option<Delivery> {
    let mut reader = Reader(body.clone());
    reader.c_string()?; // service_type
    reader.skip(2)?;
    let source = latin1(&reader.c_string()?);
    reader.skip(2)?;
    let destination = latin1(&reader.c_string()?);
    let esm_class = reader.octet()?;
    reader.skip(2)?; // protocol_id, priority_flag
    reader.c_string()?; // schedule_delivery_time
    reader.c_string()?; // validity_period
    reader.skip(2)?; // registered_delivery, replace_if_present_flag
    let data_coding = reader.octet()?;
    reader.skip(1)?; // sm_default_msg_id
    let length = reader.octet()?;
    let text = reader.octets(usize::from(length))?;
    Some(delivery(source, destination, esm_class, data_coding, text, reader.tlvs()))
}

/// Reads a data_sm body (SMPP 3.4, 4.7.1); none if it ends too soon.
pub(super) fn data_sm(body: &Bytes) -> Option<Delivery> {
    let mut reader = Reader(body.clone());
    reader.c_string()?; // service_type
    reader.skip(2)?;
    let source = latin1(&reader.c_string()?);
    reader.skip(2)?;
    let destination = latin1(&reader.c_string()?);
    let esm_class = reader.octet()?;
    reader.skip(1)?; // registered_delivery
    let data_coding = reader.octet()?;
    Some(delivery(source, destination, esm_class, data_coding, Bytes::new(), reader.tlvs()))
}

fn delivery(
    source: String,
    destination: String,
    esm_class: u8,
    data_coding: u8,
    text: Bytes,
    mut tlvs: Tlvs,
) -> Delivery {
    let payload = tlvs.message_payload.take().unwrap_or_default();
    let text = if text.is_empty() { payload } else { text };
    Delivery { source, destination, esm_class, data_coding, text, tlvs }
}

/// ISO 8859-1, which every octet string is.
pub(super) fn latin1(octets: &[u8]) -> String {
    octets.iter().map(|octet| char::from(*octet)).collect()
}

struct Reader(Bytes);

impl Reader {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.octets(count).map(drop)
    }

    fn octet(&mut self) -> Option<u8> {
        self.0.has_remaining().then(|| self.0.get_u8())
    }

    fn octets(&mut self, count: usize) -> Option<Bytes> {
        (self.0.len() >= count).then(|| self.0.split_to(count))
    }

    fn c_string(&mut self) -> Option<Bytes> {
        let end = self.0.iter().position(|octet| *octet == 0)?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        Some(text)
    }

    /// Reads what is there; a TLV that ends too soon ends the reading.
    fn tlvs(&mut self) -> Tlvs {
        let mut tlvs = Tlvs::default();
        while self.0.len() >= 4 {
            let (tag, length) = (self.0.get_u16(), self.0.get_u16());
            let Some(value) = self.octets(usize::from(length)) else { break };
            let slot = match tag {
                0x001E => &mut tlvs.receipted_message_id,
                0x0204 => &mut tlvs.user_message_reference,
                0x020C => &mut tlvs.sar_msg_ref_num,
                0x020E => &mut tlvs.sar_total_segments,
                0x020F => &mut tlvs.sar_segment_seqnum,
                0x0423 => &mut tlvs.network_error_code,
                0x0424 => &mut tlvs.message_payload,
                0x0427 => &mut tlvs.message_state,
                _ => continue,
            };
            *slot = Some(value);
        }
        tlvs
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use rusmpp::pdus::{DataSm, DeliverSm, SubmitSmResp};
    use rusmpp::tlvs::{MessageDeliveryRequestTlvValue, MessageSubmissionRequestTlvValue};
    use rusmpp::tokio_codec::CommandCodec;
    use rusmpp::types::{AnyOctetString, COctetString, OctetString};
    use rusmpp::values::{EsmClass, MessagePayload, MessageState};
    use rusmpp::{Command, CommandStatus, Pdu};
    use tokio_util::codec::Encoder;

    use super::*;

    fn frame(pdu: impl Into<Pdu>) -> Frame {
        let mut frames = Frames::new();
        CommandCodec::new()
            .encode(Command::new(CommandStatus::EsmeRok, 9, pdu), &mut frames.buffer)
            .unwrap();
        frames.next().unwrap().unwrap()
    }

    #[test]
    fn a_deliver_sm_is_read_with_its_tlvs() {
        let frame = frame(
            DeliverSm::builder()
                .source_addr(COctetString::from_str("15550001").unwrap())
                .destination_addr(COctetString::from_str("1234").unwrap())
                .esm_class(EsmClass::from(0x04))
                .short_message(OctetString::from_static_slice(b"id:1 stat:DELIVRD").unwrap())
                .push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(
                    COctetString::from_str("A1").unwrap(),
                ))
                .push_tlv(MessageDeliveryRequestTlvValue::MessageState(MessageState::Delivered))
                .build(),
        );
        assert_eq!((frame.id, frame.sequence_number), (CommandId::DeliverSm, 9));
        let read = deliver_sm(&frame.body).expect("whole");
        assert_eq!((&*read.source, &*read.destination, read.esm_class), ("15550001", "1234", 4));
        assert_eq!(&read.text[..], b"id:1 stat:DELIVRD");
        assert_eq!(read.tlvs.receipted_message_id.as_deref(), Some(&b"A1\0"[..]));
        assert_eq!(read.tlvs.message_state.as_deref(), Some(&[2][..]));
        for length in 0..20 {
            assert_eq!(deliver_sm(&frame.body.slice(..length)), None, "cut at {length}");
        }
    }

    #[test]
    fn a_data_sm_carries_its_text_in_the_payload() {
        let payload = AnyOctetString::from_static_slice(b"hello");
        let frame = frame(
            DataSm::builder()
                .source_addr(COctetString::from_str("15550001").unwrap())
                .push_tlv(MessageSubmissionRequestTlvValue::MessagePayload(MessagePayload::new(
                    payload,
                )))
                .build(),
        );
        assert_eq!(&data_sm(&frame.body).expect("whole").text[..], b"hello");
    }

    #[test]
    fn message_ids_are_read_whatever_is_wrong_with_them() {
        let resp = frame(
            SubmitSmResp::builder().message_id(COctetString::from_str("a1-b2").unwrap()).build(),
        );
        assert_eq!(message_id(&resp.body), "a1-b2");
        assert_eq!(message_id(&Bytes::new()), "");
        assert_eq!(message_id(&Bytes::from_static(b"no terminator")), "no terminator");
        assert_eq!(message_id(&Bytes::from(vec![b'9'; 200])), "9".repeat(200));
        assert_eq!(message_id(&Bytes::from_static(b" 7\xE9 \0tail")), "7é");
    }

    #[test]
    fn pdus_are_cut_wherever_the_stream_was_and_impossible_lengths_are_errors() {
        let mut whole = BytesMut::new();
        let mut codec = CommandCodec::new();
        for number in 1..=3 {
            codec
                .encode(Command::new(CommandStatus::EsmeRok, number, Pdu::EnquireLink), &mut whole)
                .unwrap();
        }
        let mut frames = Frames::new();
        let mut seen = Vec::new();
        for octet in whole {
            frames.buffer.extend_from_slice(&[octet]);
            while let Some(frame) = frames.next().unwrap() {
                seen.push(frame.sequence_number);
            }
        }
        assert_eq!(seen, [1, 2, 3]);
        for length in [0, 15, PDU_LENGTH_MAX as u32 + 1, u32::MAX] {
            let mut frames = Frames::new();
            frames.buffer.extend_from_slice(&length.to_be_bytes());
            frames.buffer.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 7]);
            let error = frames.next().err().expect("out of range");
            assert_eq!((error.command_length, error.sequence_number), (length, 7));
        }
    }
}
