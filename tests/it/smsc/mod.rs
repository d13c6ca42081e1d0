//! The simulated SMSC over TCP: what a client of another make sees. The wire is read and written
//! by the `rusmpp` codec here, and by hand in the server, so that neither agrees with itself.

mod client;
mod trouble;

use heliograph::carriers::Platform;
use heliograph::carriers::smsc::config::{IdForm, Login, ReceiptForm, ReferenceEcho, SmscConfig};
use heliograph::carriers::smsc::{PhoneMessage, Smsc, SmscHandle};
use heliograph::sys::{Clock, Randomness};
use heliograph::types::sms_text::NationalLanguages;
use rusmpp::pdus::{CancelSm, QuerySm};
use rusmpp::values::{DataCoding, MessageState};
use rusmpp::{CommandId, CommandStatus, Pdu};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use client::{Client, c_text, message, soon, with_reference};

/// A phone that no script is for (Ofcom's numbers for drama).
const PHONE: &str = "447700900001";

pub fn platform() -> Platform {
    Platform { clock: Clock::system(), randomness: Randomness::seeded(1) }
}

pub async fn start(config: SmscConfig) -> SmscHandle {
    let config = SmscConfig { seed: Some(7), first_message_id: Some(1_000), ..config };
    Smsc::start(config, platform(), CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn a_message_is_taken_and_its_receipt_comes() {
    let smsc = start(SmscConfig::default()).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let id = client.submit(with_reference(message(PHONE, "Hello"), 77)).await.unwrap();
    assert_eq!(id, "1000");
    let receipt = client.receipt().await;
    assert_eq!(receipt.text_id.as_deref(), Some("1000"));
    assert_eq!(receipt.stat.as_deref(), Some("DELIVRD"));
    assert_eq!(receipt.tlv_id.as_deref(), Some("1000"));
    assert_eq!(receipt.tlv_state, Some(MessageState::Delivered));
    assert_eq!(receipt.reference, Some(77));
    assert_eq!(receipt.recipient, PHONE);
    let mut stats = smsc.watch_stats();
    soon("the answer", stats.wait_for(|stats| stats.delivers_acknowledged == 1)).await.unwrap();
}

#[tokio::test]
async fn receipts_come_in_every_form() {
    let table = [
        (ReceiptForm::TextAndTlvs, IdForm::Hex, "3E8", Some("3E8"), Some("3E8")),
        (ReceiptForm::Text, IdForm::HexThenDecimal, "3E8", Some("1000"), None),
        (ReceiptForm::Tlvs, IdForm::DecimalThenHex, "1000", None, Some("3E8")),
        (ReceiptForm::TextInPayload, IdForm::Decimal, "1000", Some("1000"), None),
    ];
    for (receipt_form, id_form, answered, in_text, in_tlv) in table {
        let reference_echo = ReferenceEcho::Absent;
        let config = SmscConfig { receipt_form, id_form, reference_echo, ..Default::default() };
        let smsc = start(config).await;
        let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
        let id = client.submit(with_reference(message(PHONE, "Hello"), 1)).await.unwrap();
        assert_eq!(id, answered, "{receipt_form:?}");
        let receipt = client.receipt().await;
        assert_eq!(receipt.text_id.as_deref(), in_text, "{receipt_form:?}");
        assert_eq!(receipt.tlv_id.as_deref(), in_tlv, "{receipt_form:?}");
        assert_eq!(receipt.reference, None);
    }
}

#[tokio::test]
async fn binds_are_checked_and_answered_as_the_standard_says() {
    let login = Login { system_id: "shop".into(), password: Some("secret".into()) };
    let smsc = start(SmscConfig { logins: vec![login], ..Default::default() }).await;
    let table = [
        ("shop", "secret", CommandStatus::EsmeRok),
        ("shop", "wrong", CommandStatus::EsmeRinvpaswd),
        ("stranger", "secret", CommandStatus::EsmeRinvsysid),
    ];
    for (system_id, password, expected) in table {
        let mut client = Client::connect(smsc.local_addr()).await;
        assert_eq!(client.bind_transceiver(system_id, password).await, expected);
    }
    let mut client = Client::connect(smsc.local_addr()).await;
    assert_eq!(
        client.submit(message(PHONE, "x")).await,
        Err(CommandStatus::EsmeRinvbndsts),
        "not bound"
    );
    assert_eq!(client.bind_transceiver("shop", "secret").await, CommandStatus::EsmeRok);
    assert_eq!(client.bind_transceiver("shop", "secret").await, CommandStatus::EsmeRalybnd);
    assert_eq!(client.ask(Pdu::EnquireLink).await.id(), CommandId::EnquireLinkResp);
    assert_eq!(client.ask(Pdu::Unbind).await.id(), CommandId::UnbindResp);
    assert!(client.next_or_end().await.is_none(), "closed after unbind");
}

#[tokio::test]
async fn receipts_of_a_transmitter_come_to_a_receiver_and_wait_for_one() {
    let smsc = start(SmscConfig::default()).await;
    let mut transmitter = Client::connect(smsc.local_addr()).await;
    assert_eq!(transmitter.bind_transmitter("shop").await, CommandStatus::EsmeRok);
    let early = transmitter.submit(message(PHONE, "before")).await.unwrap();
    let mut stranger = Client::connect(smsc.local_addr()).await;
    assert_eq!(stranger.bind_receiver("other").await, CommandStatus::EsmeRok);
    let mut receiver = Client::connect(smsc.local_addr()).await;
    assert_eq!(receiver.bind_receiver("shop").await, CommandStatus::EsmeRok);
    assert_eq!(receiver.receipt().await.text_id, Some(early));
    let refused = receiver.submit(message(PHONE, "x")).await;
    assert_eq!(refused, Err(CommandStatus::EsmeRinvbndsts), "a receiver does not submit");
    let late = transmitter.submit(message(PHONE, "after")).await.unwrap();
    assert_eq!(receiver.receipt().await.text_id, Some(late));
    // Nothing of this came to the other system id.
    assert_eq!(stranger.ask(Pdu::EnquireLink).await.id(), CommandId::EnquireLinkResp);
}

#[tokio::test]
async fn query_and_cancel_know_the_state() {
    let config = SmscConfig { receipt_delay_ms: 3_600_000, ..Default::default() };
    let smsc = start(config).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let id = c_text(&client.submit(message(PHONE, "x")).await.unwrap());
    let query = QuerySm::builder().message_id(id.clone()).build();
    let state = async |client: &mut Client| match client.ask(query.clone()).await.pdu() {
        Some(Pdu::QuerySmResp(resp)) => resp.message_state,
        other => panic!("{other:?}"),
    };
    assert_eq!(state(&mut client).await, MessageState::Enroute);
    let cancel = CancelSm::builder().message_id(id).build();
    assert_eq!(client.ask(cancel.clone()).await.status(), CommandStatus::EsmeRok);
    assert_eq!(state(&mut client).await, MessageState::Deleted);
    assert_eq!(client.ask(cancel).await.status(), CommandStatus::EsmeRcancelfail);
    let unknown = QuerySm::builder().message_id(c_text("999")).build();
    assert_eq!(client.ask(unknown.clone()).await.status(), CommandStatus::EsmeRqueryfail);
    let mut stranger = Client::transceiver(smsc.local_addr(), "other").await;
    assert_eq!(stranger.ask(query).await.status(), CommandStatus::EsmeRqueryfail);
}

#[tokio::test]
async fn a_phone_can_write_to_us() {
    let smsc = start(SmscConfig::default()).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    for (text, coding) in [("STOP", DataCoding::McSpecific), ("Grüße", DataCoding::Ucs2)] {
        let sent = phone_message(text);
        smsc.send_inbound("shop", sent).unwrap();
        let (sequence, deliver) = client.next_deliver().await;
        client.answer_deliver(sequence, CommandStatus::EsmeRok).await;
        assert_eq!(u8::from(deliver.esm_class), 0);
        assert_eq!(deliver.data_coding, coding);
        assert_eq!(deliver.source_addr.as_str(), PHONE);
    }
    assert!(smsc.send_inbound("nobody", phone_message("")).is_err());
}

fn phone_message(text: &str) -> PhoneMessage<'_> {
    let national_languages = NationalLanguages::NONE;
    PhoneMessage { from: PHONE, to: "447700900999", text, national_languages }
}

#[tokio::test]
async fn what_is_not_smpp_gets_a_nack() {
    let smsc = start(SmscConfig::default()).await;
    let nack =
        |status: u8, sequence: u8| [0, 0, 0, 16, 0x80, 0, 0, 0, 0, 0, 0, status, 0, 0, 0, sequence];
    let mut stream = tokio::net::TcpStream::connect(smsc.local_addr()).await.unwrap();
    let mut answer = [0; 16];
    // An unknown command is refused and the connection goes on.
    stream.write_all(&[0, 0, 0, 16, 0, 0, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 9]).await.unwrap();
    soon("a nack", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, nack(3, 9));
    // A length that cannot be is refused and the connection ends.
    stream.write_all(&[0x7F, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5]).await.unwrap();
    soon("a nack", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, nack(2, 5));
    assert_eq!(soon("the end", stream.read(&mut answer)).await.unwrap(), 0);
}

#[tokio::test]
async fn stopping_unbinds_the_peers() {
    let smsc = start(SmscConfig::default()).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let stopping = tokio::spawn(smsc.stop());
    let unbind = client.next().await;
    assert_eq!(unbind.id(), CommandId::Unbind);
    assert!(client.next_or_end().await.is_none());
    soon("the end", stopping).await.unwrap();
}
