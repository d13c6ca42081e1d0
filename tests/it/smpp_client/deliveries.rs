//! Receipts and messages from phones, and their acknowledgement.

use std::str::FromStr;

use heliograph::carriers::smpp::{Bind, SmppConfig};
use heliograph::carriers::{Concatenation, ReceiptState};
use rusmpp::pdus::DataSm;
use rusmpp::tlvs::MessageSubmissionRequestTlvValue;
use rusmpp::types::COctetString;
use rusmpp::values::MessageState;
use rusmpp::{CommandId, CommandStatus, Pdu};

use super::client::{Client, accepted, config, message};
use super::server::{Peer, Server, delivery};

const DELIVERED: &str = "id:abc sub:001 dlvrd:001 submit date:2301021233 done date:2301021234 \
                         stat:DELIVRD err:000 text:text";

async fn pair() -> (Server, Peer, Client) {
    let server = Server::start().await;
    let mut client = Client::start(config(&server));
    let peer = server.bound().await;
    client.bound(1).await;
    (server, peer, client)
}

#[tokio::test]
async fn a_receipt_is_acknowledged_only_when_it_is_committed() {
    let (_server, mut peer, mut client) = pair().await;
    peer.receipt(41, DELIVERED).await;
    let (receipt, ack) = client.receipt().await;
    assert_eq!(receipt.carrier_message_id, "abc");
    assert_eq!(receipt.state, ReceiptState::Delivered);
    assert_eq!(receipt.recipient, "15551230000");
    assert!(!format!("{receipt:?}").contains("text"));
    // What is asked after it is answered before it.
    peer.send(CommandStatus::EsmeRok, 42, Pdu::EnquireLink).await;
    assert_eq!(peer.expect(CommandId::EnquireLinkResp).await, (CommandStatus::EsmeRok, 42));
    ack.done();
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 41));
}

#[tokio::test]
async fn a_dropped_ack_asks_for_the_receipt_again() {
    let (_server, mut peer, mut client) = pair().await;
    peer.receipt(41, DELIVERED).await;
    drop(client.receipt().await);
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRxTAppn, 41));
}

#[tokio::test]
async fn acks_may_come_in_any_order() {
    let (_server, mut peer, mut client) = pair().await;
    let mut acks = Vec::new();
    for number in 1..=200 {
        peer.receipt(number, DELIVERED).await;
        acks.push((number, client.receipt().await.1));
    }
    for (number, ack) in acks.into_iter().rev() {
        ack.done();
        let answer = peer.expect(CommandId::DeliverSmResp).await;
        assert_eq!(answer, (CommandStatus::EsmeRok, number));
    }
}

#[tokio::test]
async fn a_receipt_that_overtakes_its_answer_and_one_that_comes_twice_are_passed_on() {
    let (_server, mut peer, mut client) = pair().await;
    client.submit(message(1, 1)).await;
    let (number, _) = peer.submit().await;
    peer.receipt(1, DELIVERED).await;
    peer.receipt(2, DELIVERED).await;
    peer.accept(number, "abc").await;
    let (first, _ack) = client.receipt().await;
    let (second, _ack) = client.receipt().await;
    assert_eq!(first, second);
    assert_eq!(client.result().await, (1, vec![accepted("abc")]));
}

#[tokio::test]
async fn a_receipt_may_come_as_data_sm_by_its_tlvs_alone() {
    let (_server, mut peer, mut client) = pair().await;
    let data = DataSm::builder()
        .source_addr(COctetString::from_str("15551230000").unwrap())
        .push_tlv(MessageSubmissionRequestTlvValue::UserMessageReference(7.into()))
        .build();
    // rusmpp's DataSm takes no receipt TLVs from us: they are put behind it as octets.
    let mut octets = encode(41, data);
    octets.extend_from_slice(b"\x00\x1E\x00\x04abc\0\x04\x27\x00\x01");
    octets.push(u8::from(MessageState::Undeliverable));
    let length = u32::try_from(octets.len()).unwrap();
    octets[..4].copy_from_slice(&length.to_be_bytes());
    peer.send_raw(&octets).await;
    let (receipt, ack) = client.receipt().await;
    assert_eq!(receipt.carrier_message_id, "abc");
    assert_eq!((receipt.state, receipt.reference), (ReceiptState::Undeliverable, Some(7)));
    ack.done();
    assert_eq!(peer.expect(CommandId::DataSmResp).await, (CommandStatus::EsmeRok, 41));
}

fn encode(sequence_number: u32, pdu: impl Into<Pdu>) -> Vec<u8> {
    use tokio_util::codec::Encoder;
    let mut octets = bytes::BytesMut::new();
    rusmpp::tokio_codec::CommandCodec::new()
        .encode(rusmpp::Command::new(CommandStatus::EsmeRok, sequence_number, pdu), &mut octets)
        .unwrap();
    octets.to_vec()
}

#[tokio::test]
async fn a_message_from_a_phone_is_passed_on_with_its_place_among_the_parts() {
    let (_server, mut peer, mut client) = pair().await;
    let text = "\u{5}\u{0}\u{3}\u{2A}\u{2}\u{1}hello";
    peer.send(CommandStatus::EsmeRok, 41, delivery(0x40, text)).await;
    let (inbound, ack) = client.inbound().await;
    assert_eq!((&*inbound.from, &*inbound.to), ("15551230000", "1234"));
    assert_eq!(inbound.text, "hello");
    let part = Concatenation { reference: 42, total: 2, number: 1 };
    assert_eq!(inbound.concatenation, Some(part));
    ack.done();
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 41));
}

#[tokio::test]
async fn a_phone_cannot_forge_a_receipt() {
    let (_server, mut peer, mut client) = pair().await;
    peer.send(CommandStatus::EsmeRok, 41, delivery(0x00, DELIVERED)).await;
    let (inbound, _ack) = client.inbound().await;
    assert!(inbound.text.starts_with("id:abc"));
}

#[tokio::test]
async fn a_receipt_that_says_nothing_is_answered_and_dropped() {
    let (_server, mut peer, mut client) = pair().await;
    peer.receipt(41, "we are sorry").await;
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 41));
    peer.receipt(42, DELIVERED).await;
    assert_eq!(client.receipt().await.0.carrier_message_id, "abc");
}

#[tokio::test]
async fn a_delivery_cut_short_is_refused_and_the_link_lives_on() {
    let (_server, mut peer, mut client) = pair().await;
    // A header that announces ten octets of body, which do not make a deliver_sm.
    peer.send_raw(&[0, 0, 0, 26, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 41]).await;
    peer.send_raw(&[1; 10]).await;
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRinvcmdlen, 41));
    peer.receipt(42, DELIVERED).await;
    assert_eq!(client.receipt().await.0.carrier_message_id, "abc");
}

#[tokio::test]
async fn with_two_connections_messages_leave_on_one_and_receipts_come_on_the_other() {
    let server = Server::start().await;
    let bind = Bind::TransmitterReceiver;
    let mut client = Client::start(SmppConfig { bind, ..config(&server) });
    let (mut one, first) = server.connection().await;
    let (mut other, second) = server.connection().await;
    one.accept_bind(&first).await;
    other.accept_bind(&second).await;
    client.bound(1).await;
    let (mut transmitter, mut receiver) = match (first.id(), second.id()) {
        (CommandId::BindTransmitter, CommandId::BindReceiver) => (one, other),
        (CommandId::BindReceiver, CommandId::BindTransmitter) => (other, one),
        ids => panic!("expected one bind of each kind, came {ids:?}"),
    };
    client.submit(message(1, 1)).await;
    let (number, _) = transmitter.submit().await;
    receiver.receipt(9, DELIVERED).await;
    let (receipt, ack) = client.receipt().await;
    assert_eq!(receipt.carrier_message_id, "abc");
    ack.done();
    assert_eq!(receiver.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 9));
    transmitter.accept(number, "abc").await;
    assert_eq!(client.result().await, (1, vec![accepted("abc")]));
    // Losing the receiver is no loss of the way out.
    drop(receiver);
    let mut receiver = server.bound().await;
    client.submit(message(2, 1)).await;
    transmitter.submit().await;
    receiver.receipt(10, DELIVERED).await;
    client.receipt().await.1.done();
    assert_eq!(receiver.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 10));
}
