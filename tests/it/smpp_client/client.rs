//! The client's side of the tests: a started carrier, and messages to submit.

use bytes::Bytes;
use entity::ids::MessageId;
use entity::time::UnixMillis;
use heliograph::carriers::smpp::{Reconnect, SmppCarrier, SmppConfig};
use heliograph::carriers::{
    Ack, Address, Carrier, CarrierEvent, CarrierHandle, Inbound, PartOutcome, PartPayload,
    Platform, Receipt, Submission,
};
use heliograph::sys::{Clock, Randomness};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::server::{Server, soon};

/// Comes back at once; everything else is the default.
pub fn config(server: &Server) -> SmppConfig {
    let password = SecretString::from("secret");
    SmppConfig {
        reconnect: Reconnect { first_ms: 1, max_ms: 20, refused_ms: 1 },
        ..SmppConfig::new("acme", &server.address(), "heliograph", password)
    }
}

/// A started carrier.
pub struct Client {
    pub handle: CarrierHandle,
    pub shutdown: CancellationToken,
}

impl Client {
    pub fn start(config: SmppConfig) -> Self {
        let shutdown = CancellationToken::new();
        let platform = Platform { clock: Clock::system(), randomness: Randomness::seeded(1) };
        let carrier = Box::new(SmppCarrier::new(config).unwrap());
        Self { handle: carrier.start(platform, shutdown.clone()), shutdown }
    }

    /// Waits until so many links are bound for sending.
    pub async fn bound(&mut self, links: u16) {
        soon("the links", self.handle.link.wait_for(|state| state.bound == links)).await.unwrap();
    }

    /// Waits until so many messages wait out a pause.
    pub async fn waiting(&mut self, messages: usize) {
        let link = &mut self.handle.link;
        soon("the pauses", link.wait_for(|state| state.waiting == messages)).await.unwrap();
    }

    pub async fn submit(&self, submission: Submission) {
        soon("room", self.handle.submissions.send(submission)).await.unwrap();
    }

    pub async fn event(&mut self) -> CarrierEvent {
        soon("an event", self.handle.events.recv()).await.expect("channel open")
    }

    /// The next event, which must be a result: the message's number and its parts.
    pub async fn result(&mut self) -> (u128, Vec<PartOutcome>) {
        match self.event().await {
            CarrierEvent::Result(result) => {
                assert_eq!(result.attempt, 1);
                (result.message_id.0.as_u128(), result.parts)
            }
            other => panic!("expected a result, came {other:?}"),
        }
    }

    pub async fn receipt(&mut self) -> (Receipt, Ack) {
        match self.event().await {
            CarrierEvent::Receipt(receipt, ack) => (receipt, ack),
            other => panic!("expected a receipt, came {other:?}"),
        }
    }

    pub async fn inbound(&mut self) -> (Inbound, Ack) {
        match self.event().await {
            CarrierEvent::Inbound(inbound, ack) => (inbound, ack),
            other => panic!("expected a message, came {other:?}"),
        }
    }

    /// Waits for the end after a shutdown; no event may come any more.
    pub async fn ended(mut self) {
        let last = soon("the end of events", self.handle.events.recv()).await;
        assert!(last.is_none(), "came {last:?}");
        soon("the end", self.handle.task).await.unwrap();
    }
}

/// A message with this number, whose parts hold their index.
pub fn message(number: u128, parts: u8) -> Submission {
    Submission {
        message_id: MessageId::from(Uuid::from_u128(number)),
        attempt: 1,
        from: Address::Alphanumeric("Acme".into()),
        to: "15551230000".into(),
        parts: (0..parts).map(|part| payload(part, parts)).collect(),
        expires_at: UnixMillis(Clock::system().now().0 + 3_600_000),
        reference: u16::try_from(number).unwrap(),
        wants_receipt: true,
    }
}

fn payload(part: u8, parts: u8) -> PartPayload {
    let header = [5, 0, 3, 1, parts, part + 1];
    let has_header = parts > 1;
    let octets = if has_header { [&header[..], b"text"].concat() } else { b"text".to_vec() };
    PartPayload { octets: Bytes::from(octets), data_coding: 0, has_header }
}

pub fn accepted(id: &str) -> PartOutcome {
    PartOutcome::Accepted { carrier_message_id: id.into() }
}
