//! SMPP 3.4 on the wire, as the simulated SMSC needs it: frames read in place, fields borrowed,
//! PDUs written into one growing buffer.
//!
//! It is written by hand and not with the codec of our SMPP client, for two reasons: a mistake in
//! the codec would otherwise agree with itself at both ends, and the simulator shares its machine
//! with the server under load, so it must not allocate for each PDU. Called by
//! `smsc::connection`; it knows no state.

use super::address::ADDRESS_OCTETS_MAX;
pub use super::address::{Address, Digits};
use crate::types::sms_text::ShiftTables;

/// Octets of the header: length, id, status, sequence number (section 3.2).
pub const HEADER_OCTETS: usize = 16;
/// The longest PDU that is read, in octets: a full `message_payload` (64 KiB) would be refused;
/// nothing that our client sends comes near.
pub const PDU_OCTETS_MAX: usize = 16 * 1024;

/// `command_id` (section 5.1.2.1).
pub mod command {
    #![expect(missing_docs, reason = "the names are the specification's")]

    pub const RESPONSE: u32 = 0x8000_0000;
    pub const GENERIC_NACK: u32 = 0x8000_0000;
    pub const BIND_RECEIVER: u32 = 0x0000_0001;
    pub const BIND_TRANSMITTER: u32 = 0x0000_0002;
    pub const QUERY_SM: u32 = 0x0000_0003;
    pub const SUBMIT_SM: u32 = 0x0000_0004;
    pub const DELIVER_SM: u32 = 0x0000_0005;
    pub const DELIVER_SM_RESP: u32 = 0x8000_0005;
    pub const UNBIND: u32 = 0x0000_0006;
    pub const UNBIND_RESP: u32 = 0x8000_0006;
    pub const CANCEL_SM: u32 = 0x0000_0008;
    pub const BIND_TRANSCEIVER: u32 = 0x0000_0009;
    pub const ENQUIRE_LINK: u32 = 0x0000_0015;
    pub const ENQUIRE_LINK_RESP: u32 = 0x8000_0015;
    pub const DATA_SM: u32 = 0x0000_0103;
}

/// `command_status` (section 5.1.3).
pub mod status {
    #![expect(missing_docs, reason = "the names are the specification's")]

    pub const ESME_ROK: u32 = 0x00;
    pub const ESME_RINVMSGLEN: u32 = 0x01;
    pub const ESME_RINVCMDLEN: u32 = 0x02;
    pub const ESME_RINVCMDID: u32 = 0x03;
    pub const ESME_RINVBNDSTS: u32 = 0x04;
    pub const ESME_RALYBND: u32 = 0x05;
    pub const ESME_RINVDSTADR: u32 = 0x0B;
    pub const ESME_RINVPASWD: u32 = 0x0E;
    pub const ESME_RINVSYSID: u32 = 0x0F;
    pub const ESME_RCANCELFAIL: u32 = 0x11;
    pub const ESME_RMSGQFUL: u32 = 0x14;
    pub const ESME_RSUBMITFAIL: u32 = 0x45;
    pub const ESME_RTHROTTLED: u32 = 0x58;
    pub const ESME_RQUERYFAIL: u32 = 0x67;
}

/// TLV tags (section 5.3.2).
mod tag {
    pub(super) const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    pub(super) const USER_MESSAGE_REFERENCE: u16 = 0x0204;
    pub(super) const SAR_MSG_REF_NUM: u16 = 0x020C;
    pub(super) const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
    pub(super) const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
    pub(super) const SC_INTERFACE_VERSION: u16 = 0x0210;
    pub(super) const MESSAGE_PAYLOAD: u16 = 0x0424;
    pub(super) const MESSAGE_STATE: u16 = 0x0427;
}

/// `esm_class` bit: the content starts with a user data header (section 5.2.12).
pub const ESM_UDHI: u8 = 0x40;
/// `esm_class` of an SMSC delivery receipt.
pub const ESM_RECEIPT: u8 = 0x04;

/// A PDU that does not read as its command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The header of a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole PDU.
    pub length: usize,
    /// `command_id`.
    pub command: u32,
    /// `command_status`.
    pub status: u32,
    /// `sequence_number`.
    pub sequence: u32,
}

impl Header {
    /// The header at the start of `input`, or `None` while it is not complete.
    pub fn read(input: &[u8]) -> Option<Self> {
        let field = |at: usize| {
            let octets = input.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(octets))
        };
        Some(Self {
            length: field(0)? as usize,
            command: field(4)?,
            status: field(8)?,
            sequence: field(12)?,
        })
    }
}

/// The fields of a body, read from the front.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// All of `body`.
    pub fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// One octet.
    pub fn octet(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(first)
    }

    /// As many octets as asked for.
    pub fn octets(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A C-octet string of at most `max` octets, without its zero.
    pub fn text(&mut self, max: usize) -> Result<&'a [u8], Malformed> {
        let end = self.0.iter().take(max + 1).position(|&octet| octet == 0).ok_or(Malformed)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(text)
    }

    /// Type of number, numbering plan, digits.
    pub fn address(&mut self) -> Result<Address, Malformed> {
        let (ton, npi) = (self.octet()?, self.octet()?);
        Ok(Address { ton, npi, digits: Digits::new(self.text(ADDRESS_OCTETS_MAX)?) })
    }

    /// The next TLV's tag and value; `None` at the end.
    fn tlv(&mut self) -> Result<Option<(u16, &'a [u8])>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let head = self.octets(4)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        Ok(Some((u16::from_be_bytes([head[0], head[1]]), self.octets(length)?)))
    }
}

/// Which part of a concatenated message a submission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Segment {
    /// Same for all parts.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// From 1.
    pub number: u8,
}

/// A `submit_sm` or `data_sm`, as far as the simulator looks at it.
pub struct Submit<'a> {
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// `registered_delivery`.
    pub registered_delivery: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// Content with its user data header.
    pub content: &'a [u8],
    /// Content without the user data header.
    pub text: &'a [u8],
    /// The shift tables that the user data header names.
    pub tables: ShiftTables,
    /// `user_message_reference`.
    pub reference: Option<u16>,
    /// From the user data header or the `sar_…` TLVs.
    pub segment: Option<Segment>,
}

impl<'a> Submit<'a> {
    /// Reads the body of a `submit_sm` (section 4.4.1).
    pub fn read_submit_sm(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(body);
        fields.text(5)?;
        let (source, destination) = (fields.address()?, fields.address()?);
        let esm_class = fields.octet()?;
        fields.octets(2)?; // protocol_id, priority_flag
        fields.text(16)?; // schedule_delivery_time
        fields.text(16)?; // validity_period
        let registered_delivery = fields.octet()?;
        fields.octet()?; // replace_if_present_flag
        let data_coding = fields.octet()?;
        fields.octet()?; // sm_default_msg_id
        let length = fields.octet()?;
        let content = fields.octets(usize::from(length))?;
        Self {
            source,
            destination,
            registered_delivery,
            data_coding,
            content,
            text: content,
            tables: ShiftTables::DEFAULT,
            reference: None,
            segment: None,
        }
        .with_tlvs(fields, esm_class)
    }

    /// Reads the body of a `data_sm` (section 4.7.1).
    pub fn read_data_sm(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(body);
        fields.text(5)?;
        let (source, destination) = (fields.address()?, fields.address()?);
        let esm_class = fields.octet()?;
        let registered_delivery = fields.octet()?;
        let data_coding = fields.octet()?;
        Self {
            source,
            destination,
            registered_delivery,
            data_coding,
            content: &[],
            text: &[],
            tables: ShiftTables::DEFAULT,
            reference: None,
            segment: None,
        }
        .with_tlvs(fields, esm_class)
    }

    fn with_tlvs(mut self, mut fields: Fields<'a>, esm_class: u8) -> Result<Self, Malformed> {
        let (mut sar_reference, mut sar_total, mut sar_number) = (None, None, None);
        while let Some((tag, value)) = fields.tlv()? {
            match tag {
                tag::USER_MESSAGE_REFERENCE => self.reference = Some(short(value)?),
                tag::MESSAGE_PAYLOAD => self.content = value,
                tag::SAR_MSG_REF_NUM => sar_reference = Some(short(value)?),
                tag::SAR_TOTAL_SEGMENTS => sar_total = value.first().copied(),
                tag::SAR_SEGMENT_SEQNUM => sar_number = value.first().copied(),
                _ => {}
            }
        }
        self.text = self.content;
        if let (Some(reference), Some(total), Some(number)) = (sar_reference, sar_total, sar_number)
        {
            self.segment = Some(Segment { reference, total, number });
        }
        if esm_class & ESM_UDHI != 0 {
            let (header, text) = split_header(self.content)?;
            self.text = text;
            self.tables = ShiftTables::of_header(header);
            self.segment = segment_of(header).or(self.segment);
        }
        Ok(self)
    }
}

fn short(value: &[u8]) -> Result<u16, Malformed> {
    value.try_into().map(u16::from_be_bytes).map_err(|_| Malformed)
}

/// The user data header without its length octet, and what follows it.
fn split_header(content: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (&length, rest) = content.split_first().ok_or(Malformed)?;
    rest.split_at_checked(usize::from(length)).ok_or(Malformed)
}

/// The concatenation element of a user data header (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8).
fn segment_of(mut header: &[u8]) -> Option<Segment> {
    while let [element, length, rest @ ..] = header {
        let (data, after) = rest.split_at_checked(usize::from(*length))?;
        match (element, data) {
            (0x00, &[reference, total, number]) => {
                return Some(Segment { reference: reference.into(), total, number });
            }
            (0x08, &[high, low, total, number]) => {
                let reference = u16::from_be_bytes([high, low]);
                return Some(Segment { reference, total, number });
            }
            _ => header = after,
        }
    }
    None
}

/// Writes a PDU: the header with `body`'s length, then what `body` appends.
pub fn put_pdu(
    out: &mut Vec<u8>,
    command: u32,
    status: u32,
    sequence: u32,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    for field in [command, status, sequence] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    body(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Writes a response without a body.
pub fn put_plain(out: &mut Vec<u8>, command: u32, status: u32, sequence: u32) {
    put_pdu(out, command, status, sequence, |_| {});
}

/// Appends a C-octet string.
pub fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

/// Writes the answer to a bind.
pub fn put_bind_resp(out: &mut Vec<u8>, command: u32, status: u32, sequence: u32) {
    if status != status::ESME_ROK {
        return put_plain(out, command, status, sequence);
    }
    put_pdu(out, command, status, sequence, |out| {
        put_text(out, b"heliograph-smsc");
        put_tlv(out, tag::SC_INTERFACE_VERSION, &[0x34]);
    });
}

/// What a `deliver_sm` carries beside its addresses.
pub struct Deliver<'a> {
    /// `esm_class`.
    pub esm_class: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// `short_message`, at most 254 octets; with `as_payload` it travels in `message_payload`.
    pub content: &'a [u8],
    /// Where the content travels.
    pub place: ContentPlace,
    /// `user_message_reference`.
    pub reference: Option<u16>,
    /// `receipted_message_id` and `message_state`.
    pub receipted: Option<(&'a [u8], u8)>,
}

/// Where a `deliver_sm` carries its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentPlace {
    /// In the field of that name.
    ShortMessage,
    /// In the TLV 0x0424.
    MessagePayload,
}

/// Writes a `deliver_sm` (section 4.6.1).
pub fn put_deliver_sm(
    out: &mut Vec<u8>,
    sequence: u32,
    source: &Address,
    destination: &Address,
    deliver: &Deliver<'_>,
) {
    put_pdu(out, command::DELIVER_SM, status::ESME_ROK, sequence, |out| {
        out.push(0); // service_type
        for address in [source, destination] {
            out.extend_from_slice(&[address.ton, address.npi]);
            put_text(out, address.digits.as_bytes());
        }
        // esm_class, protocol_id, priority_flag, schedule_delivery_time, validity_period,
        // registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
        out.extend_from_slice(&[deliver.esm_class, 0, 0, 0, 0, 0, 0, deliver.data_coding, 0]);
        match deliver.place {
            ContentPlace::ShortMessage => {
                let content = &deliver.content[..deliver.content.len().min(254)];
                out.push(content.len() as u8);
                out.extend_from_slice(content);
            }
            ContentPlace::MessagePayload => {
                out.push(0);
                put_tlv(out, tag::MESSAGE_PAYLOAD, deliver.content);
            }
        }
        if let Some((id, state)) = deliver.receipted {
            put_tlv_parts(out, tag::RECEIPTED_MESSAGE_ID, &[id, &[0]]);
            put_tlv(out, tag::MESSAGE_STATE, &[state]);
        }
        if let Some(reference) = deliver.reference {
            put_tlv(out, tag::USER_MESSAGE_REFERENCE, &reference.to_be_bytes());
        }
    });
}

fn put_tlv(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    put_tlv_parts(out, tag, &[value]);
}

fn put_tlv_parts(out: &mut Vec<u8>, tag: u16, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&(length as u16).to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_only_when_it_is_complete() {
        let mut out = Vec::new();
        put_plain(&mut out, command::ENQUIRE_LINK, status::ESME_ROK, 7);
        assert_eq!(Header::read(&out[..15]), None);
        let header = Header { length: 16, command: command::ENQUIRE_LINK, status: 0, sequence: 7 };
        assert_eq!(Header::read(&out), Some(header));
    }

    #[test]
    fn the_segment_is_found_behind_other_elements_and_in_both_forms() {
        type Expected = Option<(u16, u8, u8)>;
        let table: [(&[u8], Expected); 5] = [
            (&[0x00, 3, 0xAB, 3, 2], Some((0xAB, 3, 2))),
            (&[0x08, 4, 0x12, 0x34, 4, 1], Some((0x1234, 4, 1))),
            (&[0x25, 1, 1, 0x00, 3, 9, 2, 1], Some((9, 2, 1))),
            (&[0x05, 4, 0, 1, 0, 2], None),
            (&[0x00, 9, 1], None),
        ];
        for (header, expected) in table {
            let found = segment_of(header).map(|s| (s.reference, s.total, s.number));
            assert_eq!(found, expected, "{header:02x?}");
        }
    }

    #[test]
    fn truncated_bodies_are_malformed_at_every_length() {
        // service_type, addresses 1/1/"12" and 1/1/"34", nine octets of fields, "hi"
        let body = b"\0\x01\x0112\0\x01\x0134\0\0\0\0\0\0\x01\0\0\0\x02hi\x02\x04\0\x02\x12\x34"
            .as_slice();
        let submit = Submit::read_submit_sm(body).map(|s| (s.reference, s.text.to_vec()));
        assert_eq!(submit, Ok((Some(0x1234), b"hi".to_vec())));
        let without_tlv = body.len() - 6;
        for length in (0..body.len()).filter(|&length| length != without_tlv) {
            assert!(Submit::read_submit_sm(&body[..length]).is_err(), "{length} octets");
        }
    }
}
