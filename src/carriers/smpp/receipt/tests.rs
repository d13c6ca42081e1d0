//! Receipts as vendors send them. The forms are real, the numbers and ids are made up.

use bytes::Bytes;
use entity::time::UnixMillis;

use super::*;
use crate::carriers::smpp::wire::Tlvs;
use ReceiptState::*;

fn delivery(text: &str) -> Delivery {
    Delivery {
        source: "15551230000".into(),
        destination: "1234".into(),
        esm_class: 0x04,
        data_coding: 0,
        text: Bytes::copy_from_slice(text.as_bytes()),
        tlvs: Tlvs::default(),
    }
}

const DONE_MINUTE: Option<i64> = Some(1_672_662_840_000);
const DONE_SECOND: Option<i64> = Some(1_672_662_896_000);

#[test]
fn texts_of_vendors_are_read() {
    type Case = (&'static str, &'static str, ReceiptState, Option<u32>, Option<i64>);
    let cases: &[Case] = &[
        // The standard's own form (SMPP 3.4, appendix B).
        (
            "id:0123456789 sub:001 dlvrd:001 submit date:2301021233 done date:2301021234 stat:DELIVRD err:000 text:Hello",
            "0123456789",
            Delivered,
            None,
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:UNDELIV err:011 text:Hello",
            "0123456789",
            Undeliverable,
            Some(11),
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:EXPIRED err:034 text:",
            "0123456789",
            Expired,
            Some(34),
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:DELETED err:000 Text:",
            "0123456789",
            Deleted,
            None,
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:ACCEPTD err:000 text:",
            "0123456789",
            Accepted,
            None,
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:UNKNOWN err:000 text:",
            "0123456789",
            Unknown,
            None,
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:REJECTD err:069 text:",
            "0123456789",
            Rejected,
            Some(69),
            DONE_MINUTE,
        ),
        (
            "id:0123456789 sub:001 dlvrd:000 submit date:2301021233 done date:2301021234 stat:ENROUTE err:000 text:",
            "0123456789",
            Enroute,
            None,
            DONE_MINUTE,
        ),
        // With seconds, with the century, with separators.
        (
            "id:7f3a sub:001 dlvrd:001 submit date:230102123455 done date:230102123456 stat:DELIVRD err:000 text:",
            "7f3a",
            Delivered,
            None,
            DONE_SECOND,
        ),
        (
            "id:7f3a sub:1 dlvrd:1 submit date:20230102123455 done date:20230102123456 stat:DELIVRD err:0 text:",
            "7f3a",
            Delivered,
            None,
            DONE_SECOND,
        ),
        (
            "id:7f3a submit date:2023-01-02 12:34:55 done date:2023-01-02 12:34:56 stat:DELIVRD err:000",
            "7f3a",
            Delivered,
            None,
            DONE_SECOND,
        ),
        // Names with underscores or run together, in any case.
        (
            "ID:7F3A SUB:001 DLVRD:001 SUBMIT_DATE:2301021233 DONE_DATE:2301021234 STAT:DELIVRD ERR:000 TEXT:HELLO",
            "7F3A",
            Delivered,
            None,
            DONE_MINUTE,
        ),
        (
            "Id:7f3a Sub:001 Dlvrd:001 SubmitDate:2301021233 DoneDate:2301021234 Stat:Delivrd Err:000 Text:Hello",
            "7f3a",
            Delivered,
            None,
            DONE_MINUTE,
        ),
        // In another order.
        (
            "stat:DELIVRD err:000 id:99 done date:2301021234 submit date:2301021233 dlvrd:001 sub:001",
            "99",
            Delivered,
            None,
            DONE_MINUTE,
        ),
        (
            "err:001 stat:UNDELIV submit date:2301021233 done date:2301021234 id:99 text:stat:DELIVRD id:1",
            "99",
            Undeliverable,
            Some(1),
            DONE_MINUTE,
        ),
        // States spelled out, shortened, or as a number.
        ("id:99 stat:DELIVERED err:000", "99", Delivered, None, None),
        ("id:99 stat:UNDELIVERABLE err:27", "99", Undeliverable, Some(27), None),
        ("id:99 stat:REJECTED err:008", "99", Rejected, Some(8), None),
        ("id:99 stat:ACCEPTED err:000", "99", Accepted, None, None),
        ("id:99 stat:UNDELIVRD err:1107", "99", Undeliverable, Some(1107), None),
        ("id:99 stat:FAILED err:500", "99", Undeliverable, Some(500), None),
        ("id:99 stat:BUFFRED err:000", "99", Enroute, None, None),
        ("id:99 stat:2 err:000", "99", Delivered, None, None),
        ("id:99 stat:SOMETHING err:000", "99", Unknown, None, None),
        // Spaces after the colon, other separators, equals signs, quotes.
        (
            "id: 99 sub: 001 dlvrd: 001 submit date: 2301021233 done date: 2301021234 stat: DELIVRD err: 000 text: Hi",
            "99",
            Delivered,
            None,
            DONE_MINUTE,
        ),
        (
            "id:99,sub:001,dlvrd:001,submit date:2301021233,done date:2301021234,stat:DELIVRD,err:000,text:Hi",
            "99",
            Delivered,
            None,
            DONE_MINUTE,
        ),
        ("id:99;stat:EXPIRED;err:005;done date:2301021234", "99", Expired, Some(5), DONE_MINUTE),
        ("id=99 stat=DELIVRD err=000", "99", Delivered, None, None),
        ("id:\"99\" stat:\"DELIVRD\" err:\"000\"", "99", Delivered, None, None),
        ("id:99\r\nsub:001\r\nstat:DELIVRD\r\nerr:000\r\n", "99", Delivered, None, None),
        // Errors in hexadecimal.
        ("id:99 stat:UNDELIV err:0x45", "99", Undeliverable, Some(0x45), None),
        ("id:99 stat:UNDELIV err:A1", "99", Undeliverable, Some(0xA1), None),
        // Ids of any form.
        (
            "id:3f2504e0-4f89-41d3-9a0c-0305e82c3301 stat:DELIVRD err:000",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            Delivered,
            None,
            None,
        ),
        ("id:1681-2-00A4:77 stat:DELIVRD err:000", "1681-2-00A4:77", Delivered, None, None),
        // Content that looks like fields, before and after.
        (
            "id:99 sub:001 stat:DELIVRD err:000 text:id:1 stat:UNDELIV err:9",
            "99",
            Delivered,
            None,
            None,
        ),
        ("text:your id: 5 sub:001 id:99 stat:DELIVRD err:000", "99", Delivered, None, None),
        // Cut off.
        (
            "id:99 sub:001 dlvrd:001 submit date:2301021233 done date:2301021234 stat:DELIVRD",
            "99",
            Delivered,
            None,
            DONE_MINUTE,
        ),
    ];
    for (text, id, state, error, done) in cases {
        let receipt = read(&delivery(text)).unwrap_or_else(|| panic!("unread: {text}"));
        assert_eq!(receipt.carrier_message_id, *id, "{text}");
        assert_eq!(receipt.state, *state, "{text}");
        let expected =
            error.map(|code| CarrierError { kind: CarrierErrorKind::ReceiptError, code });
        assert_eq!(receipt.error, expected, "{text}");
        assert_eq!(receipt.done_at, done.map(UnixMillis), "{text}");
        assert_eq!(receipt.recipient, "15551230000");
    }
}

#[test]
fn tlvs_win_over_text() {
    let mut delivery = delivery("id:1 stat:ENROUTE err:001");
    delivery.tlvs.receipted_message_id = Some(Bytes::from_static(b"A7\0"));
    delivery.tlvs.message_state = Some(Bytes::from_static(&[2]));
    delivery.tlvs.network_error_code = Some(Bytes::from_static(&[3, 0, 8]));
    delivery.tlvs.user_message_reference = Some(Bytes::from_static(&[0xBE, 0xEF]));
    let receipt = read(&delivery).expect("readable");
    assert_eq!(receipt.carrier_message_id, "A7");
    assert_eq!(receipt.state, Delivered);
    let error = CarrierError { kind: CarrierErrorKind::NetworkError, code: 8 };
    assert_eq!(receipt.error, Some(error));
    assert_eq!(receipt.reference, Some(0xBEEF));
}

#[test]
fn tlvs_alone_are_enough_in_any_width() {
    for (state, expected) in [
        (&[2][..], Delivered),
        (b"5", Undeliverable),
        (b"8\0", Rejected),
        (&[0, 0, 0, 3], Expired),
        (&[0, 6], Accepted),
    ] {
        let mut delivery = delivery("");
        delivery.esm_class = 0;
        delivery.tlvs.receipted_message_id = Some(Bytes::from_static(b"77"));
        delivery.tlvs.message_state = Some(Bytes::from_static(state));
        assert!(is_receipt(&delivery));
        assert_eq!(read(&delivery).map(|receipt| receipt.state), Some(expected), "{state:?}");
    }
    for (error, expected) in
        [(&[3, 0, 0][..], None), (&[3, 1, 2], Some(0x0102)), (&[0, 9], Some(9)), (&[9], Some(9))]
    {
        let mut delivery = delivery("id:1 stat:UNDELIV");
        delivery.tlvs.network_error_code = Some(Bytes::from_static(error));
        let read = read(&delivery).expect("readable").error.map(|error| error.code);
        assert_eq!(read, expected, "{error:?}");
    }
}

#[test]
fn a_zero_network_error_leaves_the_word_to_the_text() {
    let mut delivery = delivery("id:1 stat:UNDELIV err:012");
    delivery.tlvs.network_error_code = Some(Bytes::from_static(&[3, 0, 0]));
    let error = CarrierError { kind: CarrierErrorKind::ReceiptError, code: 12 };
    assert_eq!(read(&delivery).expect("readable").error, Some(error));
}

#[test]
fn texts_in_ucs2_and_behind_a_header_are_read() {
    let text = "id:99 stat:DELIVRD err:000";
    let mut wide = delivery("");
    wide.data_coding = 8;
    wide.text = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(read(&wide).expect("readable").carrier_message_id, "99");
    let mut headed = delivery("");
    headed.esm_class = 0x44;
    headed.text = [&[5, 0, 3, 1, 1, 1][..], text.as_bytes()].concat().into();
    assert_eq!(read(&headed).expect("readable").carrier_message_id, "99");
}

#[test]
fn what_names_no_message_or_no_state_is_not_a_receipt_to_act_on() {
    for text in
        ["", "hello", "stat:DELIVRD err:000", "id: stat:DELIVRD", "id:99 err:000", "id", "id:"]
    {
        assert_eq!(read(&delivery(text)), None, "{text}");
    }
    let mut referenced = delivery("stat:DELIVRD");
    referenced.tlvs.user_message_reference = Some(Bytes::from_static(&[0, 7]));
    assert_eq!(read(&referenced).and_then(|receipt| receipt.reference), Some(7));
    let endless = format!("id:{} stat:DELIVRD", "9".repeat(500));
    assert_eq!(read(&delivery(&endless)), None);
}

#[test]
fn only_the_class_or_a_receipted_id_makes_a_receipt() {
    let forged = "id:99 stat:DELIVRD err:000";
    for (esm_class, expected) in [
        (0x00, false),
        (0x04, true),
        (0x20, true),
        (0x44, true),
        (0x40, false),
        (0x08, false),
        (0x03, false),
        (0x07, true),
    ] {
        let mut delivery = delivery(forged);
        delivery.esm_class = esm_class;
        assert_eq!(is_receipt(&delivery), expected, "{esm_class:#x}");
    }
}
