//! Links: binds, reconnects, keep-alive, garbage, TLS, shutdown.

use std::sync::Arc;

use heliograph::carriers::smpp::{Reconnect, SmppConfig, TlsConfig, TlsRoots, Window};
use heliograph::carriers::{NotSubmitted, PartOutcome};
use rusmpp::pdus::BindTransceiverResp;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::client::{Client, accepted, config, message};
use super::server::Server;

/// A day: a wait that no test survives.
const NEVER_MS: u64 = 86_400_000;

#[tokio::test]
async fn the_bind_says_who_we_are() {
    let server = Server::start().await;
    let _client = Client::start(config(&server));
    let (_peer, bind) = server.connection().await;
    let Some(Pdu::BindTransceiver(request)) = bind.pdu() else { panic!("{bind:?}") };
    assert_eq!(request.system_id.as_str(), "heliograph");
    assert_eq!(request.password.as_str(), "secret");
    assert_eq!(u8::from(request.interface_version), 0x34);
}

#[tokio::test]
async fn refused_credentials_wait_their_own_time() {
    for status in
        [CommandStatus::EsmeRinvpaswd, CommandStatus::EsmeRinvsysid, CommandStatus::EsmeRbindfail]
    {
        let server = Server::start().await;
        let reconnect = Reconnect { first_ms: NEVER_MS, max_ms: NEVER_MS, refused_ms: 1 };
        let mut client = Client::start(SmppConfig { reconnect, ..config(&server) });
        refuse(&server, status).await;
        let _peer = server.bound().await;
        client.bound(1).await;
    }
}

#[tokio::test]
async fn another_refusal_waits_as_a_lost_link_does() {
    let server = Server::start().await;
    let reconnect = Reconnect { first_ms: 1, max_ms: 1, refused_ms: NEVER_MS };
    let mut client = Client::start(SmppConfig { reconnect, ..config(&server) });
    refuse(&server, CommandStatus::EsmeRalybnd).await;
    refuse(&server, CommandStatus::EsmeRsyserr).await;
    let _peer = server.bound().await;
    client.bound(1).await;
}

async fn refuse(server: &Server, status: CommandStatus) {
    let (mut peer, bind) = server.connection().await;
    peer.send(status, bind.sequence_number(), BindTransceiverResp::default()).await;
    peer.closed().await;
}

#[tokio::test]
async fn a_lost_link_comes_back_and_submits_again() {
    let server = Server::start().await;
    let mut client = Client::start(config(&server));
    for round in 1..=3 {
        let mut peer = server.bound().await;
        client.bound(1).await;
        client.submit(message(round, 1)).await;
        let (number, _) = peer.submit().await;
        peer.accept(number, "x").await;
        assert_eq!(client.result().await, (round, vec![accepted("x")]));
        drop(peer);
        client.bound(0).await;
    }
}

#[tokio::test]
async fn what_comes_right_behind_the_binds_answer_is_not_lost() {
    let server = Server::start().await;
    let mut client = Client::start(config(&server));
    let (mut peer, bind) = server.connection().await;
    use futures::SinkExt;
    let resp = BindTransceiverResp::default();
    peer.framed
        .feed(Command::new(CommandStatus::EsmeRok, bind.sequence_number(), resp))
        .await
        .unwrap();
    peer.receipt(1, "id:abc stat:DELIVRD").await;
    client.receipt().await.1.done();
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 1));
}

#[tokio::test]
async fn an_idle_link_is_asked_and_dropped_after_two_silences() {
    let server = Server::start().await;
    let mut client = Client::start(SmppConfig { enquire_link_ms: 100, ..config(&server) });
    let mut peer = server.bound().await;
    client.bound(1).await;
    // Answered, it lives on, longer than three silences.
    for _ in 0..5 {
        let (_, number) = peer.expect(CommandId::EnquireLink).await;
        peer.send(CommandStatus::EsmeRok, number, Pdu::EnquireLinkResp).await;
    }
    assert_eq!(client.handle.link.borrow().bound, 1);
    peer.expect(CommandId::EnquireLink).await;
    peer.expect(CommandId::EnquireLink).await;
    client.bound(0).await;
    peer.closed().await;
    let _peer = server.bound().await;
    client.bound(1).await;
}

#[tokio::test]
async fn unknown_requests_are_refused_and_unknown_answers_ignored() {
    let server = Server::start().await;
    let _client = Client::start(config(&server));
    let mut peer = server.bound().await;
    for (id, number) in [(0x0000_0077_u32, 7), (0x0000_0021, 8)] {
        let header = [16, id, 0, number].map(u32::to_be_bytes).concat();
        peer.send_raw(&header).await;
        let answer = peer.expect(CommandId::GenericNack).await;
        assert_eq!(answer, (CommandStatus::EsmeRinvcmdid, number));
    }
    let ignored = [16, 0x8000_0077, 0, 9].map(u32::to_be_bytes).concat();
    peer.send_raw(&ignored).await;
    peer.send(CommandStatus::EsmeRok, 10, Pdu::EnquireLink).await;
    assert_eq!(peer.expect(CommandId::EnquireLinkResp).await, (CommandStatus::EsmeRok, 10));
}

#[tokio::test]
async fn an_impossible_length_ends_the_link_and_the_next_one_works() {
    let server = Server::start().await;
    let mut client = Client::start(config(&server));
    for length in [0, 15, 10_000_000, u32::MAX] {
        let mut peer = server.bound().await;
        client.bound(1).await;
        client.submit(message(u128::from(length % 1_000), 1)).await;
        peer.submit().await;
        peer.send_raw(&[length, 4, 0, 5].map(u32::to_be_bytes).concat()).await;
        let answer = peer.expect(CommandId::GenericNack).await;
        assert_eq!(answer, (CommandStatus::EsmeRinvcmdlen, 5));
        peer.closed().await;
        assert_eq!(client.result().await.1, [PartOutcome::Uncertain]);
    }
    let _peer = server.bound().await;
    client.bound(1).await;
}

#[tokio::test]
async fn when_the_carrier_unbinds_its_last_answers_are_still_taken() {
    let server = Server::start().await;
    let mut client = Client::start(SmppConfig { window: Window::Fixed(1), ..config(&server) });
    let mut peer = server.bound().await;
    client.bound(1).await;
    client.submit(message(1, 1)).await;
    client.submit(message(2, 1)).await;
    let (number, _) = peer.submit().await;
    peer.send(CommandStatus::EsmeRok, 9, Pdu::Unbind).await;
    assert_eq!(peer.expect(CommandId::UnbindResp).await, (CommandStatus::EsmeRok, 9));
    peer.accept(number, "a").await;
    assert_eq!(client.result().await, (1, vec![accepted("a")]));
    drop(peer);
    let disconnected = PartOutcome::NotSubmitted(NotSubmitted::Disconnected);
    assert_eq!(client.result().await, (2, vec![disconnected]));
    let mut peer = server.bound().await;
    client.bound(1).await;
    client.submit(message(3, 1)).await;
    peer.submit().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_in_flight_and_unbinds() {
    let server = Server::start().await;
    let mut client = Client::start(SmppConfig { window: Window::Fixed(2), ..config(&server) });
    let mut peer = server.bound().await;
    client.bound(1).await;
    client.submit(message(1, 3)).await;
    client.submit(message(2, 1)).await;
    let (first, _) = peer.submit().await;
    let (second, _) = peer.submit().await;
    peer.receipt(50, "id:abc stat:DELIVRD").await;
    let (_, ack) = client.receipt().await;
    client.shutdown.cancel();
    let why = PartOutcome::NotSubmitted(NotSubmitted::ShuttingDown);
    assert_eq!(client.result().await, (2, vec![why]));
    // A message that has begun to leave is sent to its end.
    peer.accept(first, "a").await;
    let (third, _) = peer.submit().await;
    peer.accept(second, "b").await;
    peer.accept(third, "c").await;
    assert_eq!(client.result().await, (1, ["a", "b", "c"].map(accepted).to_vec()));
    ack.done();
    assert_eq!(peer.expect(CommandId::DeliverSmResp).await, (CommandStatus::EsmeRok, 50));
    let (_, number) = peer.expect(CommandId::Unbind).await;
    peer.send(CommandStatus::EsmeRok, number, Pdu::UnbindResp).await;
    peer.closed().await;
    client.ended().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_than_told() {
    let server = Server::start().await;
    let mut client = Client::start(SmppConfig { shutdown_timeout_ms: 50, ..config(&server) });
    let mut peer = server.bound().await;
    client.bound(1).await;
    client.submit(message(1, 1)).await;
    peer.submit().await;
    client.shutdown.cancel();
    let (_, number) = peer.expect(CommandId::Unbind).await;
    peer.send(CommandStatus::EsmeRok, number, Pdu::UnbindResp).await;
    assert_eq!(client.result().await, (1, vec![PartOutcome::Uncertain]));
    client.ended().await;
}

#[tokio::test]
async fn without_a_carrier_a_shutdown_is_immediate() {
    let reconnect = Reconnect { first_ms: NEVER_MS, max_ms: NEVER_MS, refused_ms: NEVER_MS };
    let server = Server::start().await;
    let config = SmppConfig { reconnect, ..config(&server) };
    drop(server);
    let client = Client::start(config);
    client.shutdown.cancel();
    client.ended().await;
}

/// A certificate for `localhost`, signed by itself, and the server's half of it.
fn certificate() -> (String, ServerConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem(), server)
}

fn tls(directory: &tempfile::TempDir, pem: &str) -> Option<TlsConfig> {
    let path = directory.path().join("roots.pem");
    std::fs::write(&path, pem).unwrap();
    Some(TlsConfig { server_name: "localhost".to_owned(), roots: TlsRoots::PemFile(path) })
}

#[tokio::test]
async fn over_tls_messages_go_and_receipts_come() {
    let (directory, (pem, server)) = (tempfile::tempdir().unwrap(), certificate());
    let server = Server::start_tls(server).await;
    let config = SmppConfig { tls: tls(&directory, &pem), ..config(&server) };
    let mut client = Client::start(config);
    let mut peer = server.bound().await;
    client.bound(1).await;
    for round in 1..=20 {
        client.submit(message(round, 3)).await;
        for _ in 0..3 {
            let (number, _) = peer.submit().await;
            peer.accept(number, "x").await;
        }
        peer.receipt(1, "id:x stat:DELIVRD").await;
        assert_eq!(client.result().await, (round, vec![accepted("x"); 3]));
        client.receipt().await.1.done();
        peer.expect(CommandId::DeliverSmResp).await;
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_sees_no_bind() {
    let (directory, (_, server)) = (tempfile::tempdir().unwrap(), certificate());
    let server = Server::start_tls(server).await;
    let (other, _) = certificate();
    let _client = Client::start(SmppConfig { tls: tls(&directory, &other), ..config(&server) });
    server.refused_tls().await;
    server.refused_tls().await;
}
