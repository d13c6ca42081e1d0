//! A plain SMPP client for the tests of the simulated SMSC, on the `rusmpp` codec: one PDU at a
//! time, nothing hidden. Not the product's client.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rusmpp::pdus::{
    BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, DeliverSmResp, SubmitSm,
};
use rusmpp::tlvs::{MessageSubmissionRequestTlvValue, TlvValue};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{
    DataCoding, EsmClass, MessageState, Npi, RegisteredDelivery, Ton, UserMessageReference,
};
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

/// How long anything may take before a test fails: far more than it needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future`, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// One connection.
pub struct Client {
    framed: Framed<TcpStream, CommandCodec>,
    sequence: u32,
}

/// A receipt, read naively: the fields where appendix B puts them.
#[derive(Debug, PartialEq, Eq)]
pub struct SeenReceipt {
    pub text_id: Option<String>,
    pub stat: Option<String>,
    pub tlv_id: Option<String>,
    pub tlv_state: Option<MessageState>,
    pub reference: Option<u16>,
    pub recipient: String,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = soon("the connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { framed: Framed::new(stream, CommandCodec::new()), sequence: 0 }
    }

    /// Connected and bound as a transceiver under `system_id`.
    pub async fn transceiver(address: SocketAddr, system_id: &str) -> Self {
        let mut client = Self::connect(address).await;
        assert_eq!(client.bind_transceiver(system_id, "").await, CommandStatus::EsmeRok);
        client
    }

    pub async fn bind_transceiver(&mut self, system_id: &str, password: &str) -> CommandStatus {
        let bind = BindTransceiver::builder()
            .system_id(c_text(system_id))
            .password(c_text(password))
            .build();
        self.ask(bind).await.status()
    }

    pub async fn bind_transmitter(&mut self, system_id: &str) -> CommandStatus {
        let id = c_text(system_id);
        self.ask(BindTransmitter::builder().system_id(id).build()).await.status()
    }

    pub async fn bind_receiver(&mut self, system_id: &str) -> CommandStatus {
        let id = c_text(system_id);
        self.ask(BindReceiver::builder().system_id(id).build()).await.status()
    }

    /// Sends a request and gives its sequence number.
    pub async fn send(&mut self, pdu: impl Into<Pdu>) -> u32 {
        self.sequence += 1;
        let command = Command::new(CommandStatus::EsmeRok, self.sequence, pdu);
        soon("a write", self.framed.send(command)).await.unwrap();
        self.sequence
    }

    /// Sends a request and reads the next PDU, which has to be its answer.
    pub async fn ask(&mut self, pdu: impl Into<Pdu>) -> Command {
        let sequence = self.send(pdu).await;
        let answer = self.next().await;
        assert_eq!(answer.sequence_number(), sequence, "{:?}", answer.id());
        answer
    }

    /// The next PDU.
    pub async fn next(&mut self) -> Command {
        self.next_or_end().await.expect("the connection is open")
    }

    /// The next PDU, or `None` if the connection ended or broke.
    pub async fn next_or_end(&mut self) -> Option<Command> {
        match soon("a PDU", self.framed.next()).await {
            Some(Ok(command)) => Some(command),
            Some(Err(rusmpp::tokio_codec::DecodeError::Io(_))) | None => None,
            Some(Err(error)) => panic!("not SMPP: {error}"),
        }
    }

    /// Submits and gives the id of the answer.
    pub async fn submit(&mut self, submit: SubmitSm) -> Result<String, CommandStatus> {
        let answer = self.ask(submit).await;
        assert_eq!(answer.id(), CommandId::SubmitSmResp);
        submitted(&answer)
    }

    /// The next PDU, which has to be a `deliver_sm`; not answered yet.
    pub async fn next_deliver(&mut self) -> (u32, DeliverSm) {
        let command = self.next().await;
        match command.pdu() {
            Some(Pdu::DeliverSm(deliver)) => (command.sequence_number(), deliver.clone()),
            _ => panic!("expected a deliver_sm, not {:?}", command.id()),
        }
    }

    /// Answers a `deliver_sm`.
    pub async fn answer_deliver(&mut self, sequence: u32, status: CommandStatus) {
        let command = Command::new(status, sequence, DeliverSmResp::default());
        soon("a write", self.framed.send(command)).await.unwrap();
    }

    /// The next PDU, which has to be a receipt; answered with ESME_ROK.
    pub async fn receipt(&mut self) -> SeenReceipt {
        let (sequence, deliver) = self.next_deliver().await;
        self.answer_deliver(sequence, CommandStatus::EsmeRok).await;
        seen(&deliver)
    }
}

/// The id of an answer to a submission.
pub fn submitted(answer: &Command) -> Result<String, CommandStatus> {
    match (answer.status(), answer.pdu()) {
        (CommandStatus::EsmeRok, Some(Pdu::SubmitSmResp(resp))) => {
            Ok(resp.message_id().as_str().to_owned())
        }
        (CommandStatus::EsmeRok, other) => panic!("accepted without an id: {other:?}"),
        (status, _) => Err(status),
    }
}

/// Reads a receipt.
pub fn seen(deliver: &DeliverSm) -> SeenReceipt {
    assert_eq!(deliver.esm_class, EsmClass::from(4), "a receipt");
    let mut text = String::from_utf8(deliver.short_message().as_ref().to_vec()).unwrap();
    let (mut tlv_id, mut tlv_state, mut reference) = (None, None, None);
    for tlv in deliver.tlvs() {
        match tlv.value() {
            Some(TlvValue::ReceiptedMessageId(id)) => tlv_id = Some(id.as_str().to_owned()),
            Some(TlvValue::MessageState(state)) => tlv_state = Some(*state),
            Some(TlvValue::UserMessageReference(found)) => reference = Some(found.value),
            Some(TlvValue::MessagePayload(payload)) => {
                text = String::from_utf8(payload.value.as_ref().to_vec()).unwrap();
            }
            other => panic!("unexpected TLV {other:?}"),
        }
    }
    let field = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split(' ').next().map(str::to_owned)
    };
    SeenReceipt {
        text_id: field("id:"),
        stat: field("stat:"),
        tlv_id,
        tlv_state,
        reference,
        recipient: deliver.source_addr.as_str().to_owned(),
    }
}

/// A C-octet string.
pub fn c_text<const MIN: usize, const MAX: usize>(text: &str) -> COctetString<MIN, MAX> {
    COctetString::from_string(text.to_owned()).unwrap()
}

/// A message to `to` that asks for a receipt.
pub fn message(to: &str, text: &str) -> SubmitSm {
    SubmitSm::builder()
        .source_addr_ton(Ton::Alphanumeric)
        .source_addr(c_text("Shop"))
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(c_text(to))
        .registered_delivery(RegisteredDelivery::from(1))
        .data_coding(DataCoding::McSpecific)
        .short_message(OctetString::from_slice(text.as_bytes()).unwrap())
        .build()
}

/// The same with a `user_message_reference`.
pub fn with_reference(mut submit: SubmitSm, reference: u16) -> SubmitSm {
    let value = UserMessageReference::new(reference);
    submit.push_tlv(MessageSubmissionRequestTlvValue::UserMessageReference(value));
    submit
}
