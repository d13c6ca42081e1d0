//! `query_sm`: what is asked, and what of the answers is passed on.

use std::str::FromStr;

use heliograph::carriers::smpp::SmppConfig;
use heliograph::carriers::{
    Address, CarrierError, CarrierErrorKind, CarrierEvent, ReceiptState, StatusQuery,
};
use rusmpp::pdus::QuerySmResp;
use rusmpp::types::COctetString;
use rusmpp::values::MessageState;
use rusmpp::{CommandId, CommandStatus, Pdu};

use super::client::{Client, accepted, config, message};
use super::server::{Peer, Server};

async fn asking() -> (Server, Peer, Client) {
    let server = Server::start().await;
    let mut client = Client::start(SmppConfig { query_sm: true, ..config(&server) });
    let peer = server.bound().await;
    client.bound(1).await;
    (server, peer, client)
}

/// Has the carrier asked about a message, and returns the question's sequence number.
async fn ask(client: &Client, peer: &mut Peer, id: &str) -> u32 {
    let query = StatusQuery {
        carrier_message_id: id.to_owned(),
        from: Address::Alphanumeric("Acme".into()),
    };
    client.handle.queries.as_ref().unwrap().send(query).await.unwrap();
    let command = peer.next().await;
    let Some(Pdu::QuerySm(query)) = command.pdu() else { panic!("came {:?}", command.id()) };
    assert_eq!((query.message_id.as_str(), query.source_addr.as_str()), (id, "Acme"));
    assert_eq!((u8::from(query.source_addr_ton), u8::from(query.source_addr_npi)), (5, 0));
    command.sequence_number()
}

async fn tell(peer: &mut Peer, number: u32, state: MessageState, error_code: u8) {
    let resp = QuerySmResp::builder()
        // Not the id that was asked about, as some carriers answer.
        .message_id(COctetString::from_str("0").unwrap())
        .message_state(state)
        .error_code(error_code)
        .build();
    peer.send(CommandStatus::EsmeRok, number, resp).await;
}

#[tokio::test]
async fn an_answer_is_passed_on_with_the_id_that_was_asked_about() {
    let (_server, mut peer, mut client) = asking().await;
    let number = ask(&client, &mut peer, "a1").await;
    tell(&mut peer, number, MessageState::Undeliverable, 27).await;
    let CarrierEvent::Queried(told) = client.event().await else { panic!("another event") };
    assert_eq!((told.carrier_message_id.as_str(), told.state), ("a1", ReceiptState::Undeliverable));
    let error = CarrierError { kind: CarrierErrorKind::NetworkError, code: 27 };
    assert_eq!(told.error, Some(error));
}

#[tokio::test]
async fn what_the_carrier_does_not_know_or_not_understand_is_no_event() {
    let (_server, mut peer, mut client) = asking().await;
    let number = ask(&client, &mut peer, "a1").await;
    tell(&mut peer, number, MessageState::Unknown, 0).await;
    let number = ask(&client, &mut peer, "a2").await;
    peer.send(CommandStatus::EsmeRqueryfail, number, QuerySmResp::default()).await;
    let number = ask(&client, &mut peer, "a3").await;
    peer.send(CommandStatus::EsmeRinvcmdid, number, Pdu::GenericNack).await;
    // An answer to nothing that was asked.
    tell(&mut peer, 4_711, MessageState::Delivered, 0).await;
    client.submit(message(1, 1)).await;
    let (number, _) = peer.submit().await;
    peer.accept(number, "b").await;
    assert_eq!(client.result().await, (1, vec![accepted("b")]), "and nothing before it");
    let number = ask(&client, &mut peer, "a4").await;
    tell(&mut peer, number, MessageState::Delivered, 0).await;
    assert!(matches!(client.event().await, CarrierEvent::Queried(_)));
    client.shutdown.cancel();
    peer.expect(CommandId::Unbind).await;
}
