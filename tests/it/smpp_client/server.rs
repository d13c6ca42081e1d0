//! A carrier that does exactly what a test says, PDU by PDU, written with rusmpp's codec.
//!
//! Not a simulator: it answers nothing by itself but the bind.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rusmpp::pdus::{
    BindReceiverResp, BindTransceiverResp, BindTransmitterResp, DeliverSm, SubmitSm, SubmitSmResp,
};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::EsmClass;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::codec::Framed;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A listening carrier.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tls: None }
    }

    pub async fn start_tls(config: ServerConfig) -> Self {
        Self { tls: Some(TlsAcceptor::from(Arc::new(config))), ..Self::start().await }
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next connection, with its bind request unanswered.
    pub async fn connection(&self) -> (Peer, Command) {
        let (stream, _) = soon("a connection", self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(soon("TLS", tls.accept(stream)).await.unwrap()),
        };
        let mut peer = Peer { framed: Framed::new(stream, CommandCodec::new()) };
        let bind = peer.next().await;
        (peer, bind)
    }

    /// A TLS connection that the client gives up.
    pub async fn refused_tls(&self) {
        let (stream, _) = soon("a connection", self.listener.accept()).await.unwrap();
        let tls = self.tls.as_ref().unwrap();
        assert!(soon("TLS", tls.accept(stream)).await.is_err(), "the client must not trust us");
    }

    /// The next connection, bound.
    pub async fn bound(&self) -> Peer {
        let (mut peer, bind) = self.connection().await;
        peer.accept_bind(&bind).await;
        peer
    }
}

/// One connection, seen from the carrier.
pub struct Peer {
    pub framed: Framed<Box<dyn Stream>, CommandCodec>,
}

impl Peer {
    pub async fn accept_bind(&mut self, bind: &Command) {
        let resp: Pdu = match bind.id() {
            CommandId::BindTransceiver => BindTransceiverResp::default().into(),
            CommandId::BindTransmitter => BindTransmitterResp::default().into(),
            CommandId::BindReceiver => BindReceiverResp::default().into(),
            other => panic!("expected a bind, came {other:?}"),
        };
        self.send(CommandStatus::EsmeRok, bind.sequence_number(), resp).await;
    }

    /// The next PDU.
    pub async fn next(&mut self) -> Command {
        soon("a PDU", self.framed.next()).await.expect("connection open").expect("readable")
    }

    /// The next PDU, which must be a submit_sm.
    pub async fn submit(&mut self) -> (u32, SubmitSm) {
        let command = self.next().await;
        match command.pdu() {
            Some(Pdu::SubmitSm(submit)) => (command.sequence_number(), submit.clone()),
            other => panic!("expected submit_sm, came {other:?}"),
        }
    }

    /// The next PDU, which must be this one; yields its status and sequence number.
    pub async fn expect(&mut self, id: CommandId) -> (CommandStatus, u32) {
        let command = self.next().await;
        assert_eq!(command.id(), id);
        (command.status(), command.sequence_number())
    }

    /// Waits for the client to close.
    pub async fn closed(&mut self) {
        soon("the end", async {
            while let Some(Ok(command)) = self.framed.next().await {
                assert_eq!(command.id(), CommandId::EnquireLink, "nothing else is sent any more");
            }
        })
        .await;
    }

    pub async fn send(&mut self, status: CommandStatus, number: u32, pdu: impl Into<Pdu>) {
        soon("sending", self.framed.send(Command::new(status, number, pdu))).await.unwrap();
    }

    pub async fn send_raw(&mut self, octets: &[u8]) {
        soon("sending", self.framed.get_mut().write_all(octets)).await.unwrap();
    }

    pub async fn accept(&mut self, sequence_number: u32, id: &str) {
        let resp = SubmitSmResp::builder().message_id(COctetString::from_str(id).unwrap()).build();
        self.send(CommandStatus::EsmeRok, sequence_number, resp).await;
    }

    pub async fn refuse(&mut self, sequence_number: u32, status: CommandStatus) {
        self.send(status, sequence_number, SubmitSmResp::default()).await;
    }

    pub async fn receipt(&mut self, sequence_number: u32, text: &str) {
        self.send(CommandStatus::EsmeRok, sequence_number, delivery(0x04, text)).await;
    }
}

/// A deliver_sm from +1 555 123 0000.
pub fn delivery(esm_class: u8, text: &str) -> DeliverSm {
    DeliverSm::builder()
        .source_addr(COctetString::from_str("15551230000").unwrap())
        .destination_addr(COctetString::from_str("1234").unwrap())
        .esm_class(EsmClass::from(esm_class))
        .short_message(OctetString::from_slice(text.as_bytes()).unwrap())
        .build()
}
