//! Messages from phones: the text, and which part of which message it is.
//!
//! Pure functions; knows nothing of opt-outs or accounts, which `messages` decides on.

use super::config::DefaultAlphabet;
use super::text::{self, ShiftTables};
use super::wire::Delivery;
use crate::carriers::{Concatenation, Inbound};

/// A user data header stands before the text (SMPP 3.4, 5.2.12).
const UDHI: u8 = 0x40;
/// Concatenation with an 8-bit reference (3GPP TS 23.040, 9.2.3.24.1).
const CONCATENATION_8: u8 = 0x00;
/// Concatenation with a 16-bit reference (3GPP TS 23.040, 9.2.3.24.8).
const CONCATENATION_16: u8 = 0x08;

/// Reads a delivery that is not a receipt.
pub(super) fn read(delivery: &Delivery, default_alphabet: DefaultAlphabet) -> Inbound {
    let (header, octets) = split_header(delivery);
    let tables = header.map(ShiftTables::of_header).unwrap_or_default();
    Inbound {
        from: delivery.source.clone(),
        to: delivery.destination.clone(),
        text: decode(octets, delivery.data_coding, tables, default_alphabet),
        concatenation: header.and_then(of_header).or_else(|| of_tlvs(delivery)),
    }
}

fn split_header(delivery: &Delivery) -> (Option<&[u8]>, &[u8]) {
    let octets = &delivery.text[..];
    if delivery.esm_class & UDHI == 0 {
        return (None, octets);
    }
    let split =
        octets.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
    match split {
        Some((header, text)) => (Some(header), text),
        // A header longer than the message: the bit was set by mistake.
        None => (None, octets),
    }
}

fn of_header(header: &[u8]) -> Option<Concatenation> {
    text::elements(header).find_map(|element| match element {
        (CONCATENATION_8, [reference, total, number]) => {
            concatenation(u16::from(*reference), *total, *number)
        }
        (CONCATENATION_16, [high, low, total, number]) => {
            concatenation(u16::from_be_bytes([*high, *low]), *total, *number)
        }
        _ => None,
    })
}

/// `sar_msg_ref_num`, `sar_total_segments`, `sar_segment_seqnum` (SMPP 3.4, 5.3.2.22 to .24).
fn of_tlvs(delivery: &Delivery) -> Option<Concatenation> {
    let tlvs = &delivery.tlvs;
    let reference = match &tlvs.sar_msg_ref_num.as_ref()?[..] {
        [high, low] => u16::from_be_bytes([*high, *low]),
        [low] => u16::from(*low),
        _ => return None,
    };
    let total = tlvs.sar_total_segments.as_ref()?.last()?;
    let number = tlvs.sar_segment_seqnum.as_ref()?.last()?;
    concatenation(reference, *total, *number)
}

/// A part outside its own message is taken as a message of its own, as 3GPP TS 23.040 asks.
fn concatenation(reference: u16, total: u8, number: u8) -> Option<Concatenation> {
    let whole = total > 1 && (1..=total).contains(&number);
    whole.then_some(Concatenation { reference, total, number })
}

/// By `data_coding` (SMPP 3.4, 5.2.19; from 0xF0 3GPP TS 23.038, 4).
fn decode(
    octets: &[u8],
    data_coding: u8,
    tables: ShiftTables,
    default_alphabet: DefaultAlphabet,
) -> String {
    let default = |octets| match default_alphabet {
        // National tables make septets of it, whatever the carrier's default is.
        DefaultAlphabet::Latin1 if tables == ShiftTables::DEFAULT => text::latin1(octets),
        DefaultAlphabet::Gsm | DefaultAlphabet::Latin1 => tables.decode_unpacked(octets),
    };
    match data_coding {
        // Class messages (0xF0..) in the default alphabet.
        0x00 | 0xF0..=0xF3 => default(octets),
        // IA5 is ASCII, of which Latin-1 is a superset.
        0x01 | 0x03 => text::latin1(octets),
        0x08 | 0x18..=0x1B => text::ucs2_be(octets),
        // Binary and rare alphabets: their octets, one to one, so that nothing is lost.
        _ => text::latin1(octets),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::carriers::smpp::wire::Tlvs;

    fn delivery(esm_class: u8, data_coding: u8, text: &[u8]) -> Delivery {
        Delivery {
            source: "15551230000".into(),
            destination: "1234".into(),
            esm_class,
            data_coding,
            text: Bytes::copy_from_slice(text),
            tlvs: Tlvs::default(),
        }
    }

    #[test]
    fn text_is_decoded_by_its_coding() {
        use DefaultAlphabet::{Gsm, Latin1};
        let cases: [(u8, &[u8], DefaultAlphabet, &str); 7] = [
            (0, &[0x00, b'a', 0x1B, 0x65], Gsm, "@a€"),
            (0, &[b'a', 0xE9], Latin1, "aé"),
            (1, b"plain", Gsm, "plain"),
            (3, &[0xE9, b'@'], Gsm, "é@"),
            (8, &[0x04, 0x1F, 0xD8, 0x3D, 0xDE, 0x00], Gsm, "П😀"),
            (0xF1, &[0x00], Gsm, "@"),
            (4, &[0xFF], Gsm, "ÿ"),
        ];
        for (data_coding, octets, alphabet, expected) in cases {
            let inbound = read(&delivery(0, data_coding, octets), alphabet);
            assert_eq!((&*inbound.text, inbound.concatenation), (expected, None), "{octets:?}");
        }
    }

    #[test]
    fn a_header_names_the_tables_that_the_text_is_read_by() {
        use DefaultAlphabet::{Gsm, Latin1};
        type Expected = (&'static str, Option<Concatenation>);
        let place = Some(Concatenation { reference: 7, total: 2, number: 1 });
        let cases: [(&[u8], u8, DefaultAlphabet, Expected); 7] = [
            // Turkish: single shift, locking shift.
            (b"\x03\x24\x01\x01I\x1Bs\x1Bi\x1B\x65", 0, Gsm, ("Işı€", None)),
            (b"\x03\x25\x01\x01\x1D\x07\x04\x1B\x65", 0, Gsm, ("şı€€", None)),
            // Spanish single shift; Portuguese, both, behind the place among the parts.
            (b"\x03\x24\x01\x02D\x1Bia", 0xF1, Gsm, ("Día", None)),
            (
                b"\x0B\x00\x03\x07\x02\x01\x25\x01\x03\x24\x01\x03\x15\x1B\x15",
                0,
                Gsm,
                ("∞Ω", place),
            ),
            (b"\x03\x24\x01\x01\x1Bs\x7E", 0, Latin1, ("şü", None)),
            // Urdu, which is not known: the default alphabet. UCS-2: tables mean nothing there.
            (b"\x03\x24\x01\x0D\x1Bs", 0, Gsm, ("s", None)),
            (b"\x03\x24\x01\x01\x01\x5F", 8, Gsm, ("ş", None)),
        ];
        for (octets, data_coding, alphabet, expected) in cases {
            let inbound = read(&delivery(UDHI, data_coding, octets), alphabet);
            let read = (&*inbound.text, inbound.concatenation);
            assert_eq!(read, expected, "{octets:02x?}");
        }
    }

    #[test]
    fn parts_are_known_by_header_or_tlv() {
        let part = |reference, total, number| Some(Concatenation { reference, total, number });
        let cases: [(&[u8], &str, Option<Concatenation>); 8] = [
            (b"\x05\x00\x03\x2A\x02\x01hi", "hi", part(42, 2, 1)),
            (b"\x06\x08\x04\x01\x02\x03\x03hi", "hi", part(0x0102, 3, 3)),
            // Behind another element (a port address).
            (b"\x0B\x05\x04\x0B\x84\x00\x00\x00\x03\x2A\x02\x02hi", "hi", part(42, 2, 2)),
            // Number beyond the total, zero, one of one: a message of its own.
            (b"\x05\x00\x03\x2A\x02\x03hi", "hi", None),
            (b"\x05\x00\x03\x2A\x02\x00hi", "hi", None),
            (b"\x05\x00\x03\x2A\x01\x01hi", "hi", None),
            // An element that runs over the header's end.
            (b"\x02\x00\x09hi", "hi", None),
            // A header that runs over the message's end is no header.
            (b"\x30hi", "0hi", None),
        ];
        for (octets, text, concatenation) in cases {
            let inbound = read(&delivery(UDHI, 3, octets), DefaultAlphabet::Gsm);
            assert_eq!(
                (&*inbound.text, inbound.concatenation),
                (text, concatenation),
                "{octets:?}"
            );
        }
        let mut by_tlv = delivery(0, 3, b"hi");
        by_tlv.tlvs.sar_msg_ref_num = Some(Bytes::from_static(&[1, 2]));
        by_tlv.tlvs.sar_total_segments = Some(Bytes::from_static(&[2]));
        assert_eq!(read(&by_tlv, DefaultAlphabet::Gsm).concatenation, None);
        by_tlv.tlvs.sar_segment_seqnum = Some(Bytes::from_static(&[2]));
        assert_eq!(read(&by_tlv, DefaultAlphabet::Gsm).concatenation, part(0x0102, 2, 2));
    }
}
