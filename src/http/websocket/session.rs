//! One socket's life: initialization, operations, pings, the end.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use async_graphql::Executor;
use async_graphql::parser::types::OperationType;
use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt;
use futures::stream::{self, AbortHandle, BoxStream, SelectAll};
use http::HeaderValue;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::protocol::{self, ClientMessage, CloseReason, ServerMessage};
use crate::http::Edge;
use crate::http::answer::{Answer, Outcome};
use crate::http::auth::{self, Caller, Credential, Ending};
use crate::http::budget::Payers;
use crate::http::fault::{ErrorCode, Fault};
use crate::http::graphql::{authenticate, refused_credential};
use crate::http::limiter::Meter;
use crate::http::open::Open;
use crate::http::operation::{self, Operation, Parameters};
use crate::http::peer::Peer;
use crate::http::request_id::RequestId;
use crate::http::streams::OpenStream;

/// What happens next: go on, close with a reason, or drop a socket that is gone.
type Flow = ControlFlow<Option<CloseReason>>;

/// What an operation says.
enum Event {
    Answer(Box<Answer>),
    End,
}

type Events = BoxStream<'static, (Arc<str>, Event)>;

pub(super) struct Session<E> {
    edge: Arc<Edge<E>>,
    /// From the handshake; the token of `connection_init` goes first.
    authorization: Option<HeaderValue>,
    peer: Peer,
    caller: Option<Caller>,
    ending: Pin<Box<dyn Future<Output = Ending> + Send>>,
    running: HashMap<Arc<str>, Running>,
    events: SelectAll<Events>,
    awaits_pong: bool,
}

struct Running {
    abort: AbortHandle,
    /// Whether a result has been sent: what fails before is an `error`, after it a `next`.
    started: bool,
    /// Of subscriptions, which last.
    _held: Option<Open>,
    _open: OpenStream,
}

impl<E: Executor> Session<E> {
    pub(super) fn new(edge: Arc<Edge<E>>, authorization: Option<HeaderValue>, peer: Peer) -> Self {
        let stop = edge.shutdown().token();
        let ending = Box::pin(async move {
            stop.cancelled().await;
            Ending::ServerStops
        });
        Self {
            edge,
            authorization,
            peer,
            caller: None,
            ending,
            running: HashMap::new(),
            events: SelectAll::new(),
            awaits_pong: false,
        }
    }

    /// Drives the socket to its end.
    pub(super) async fn run(mut self, mut socket: WebSocket) {
        if let ControlFlow::Break(Some(reason)) = self.drive(&mut socket).await {
            self.events.clear();
            protocol::close(&mut socket, reason).await;
        }
    }

    async fn drive(&mut self, socket: &mut WebSocket) -> Flow {
        // The deadline for `connection_init` first, then the time of the next ping.
        let init_wait = self.edge.settings.limits.socket_init_wait;
        let mut timer = Box::pin(tokio::time::sleep(init_wait));
        loop {
            let was_initialized = self.caller.is_some();
            tokio::select! {
                ending = self.ending.as_mut() => return end(ending),
                () = timer.as_mut() => {
                    self.tick(socket).await?;
                    timer.as_mut().reset(self.next_tick());
                }
                message = socket.recv() => self.receive(socket, message).await?,
                Some((id, event)) = self.events.next() => self.pass_on(socket, &id, event).await?,
            }
            if !was_initialized && self.caller.is_some() {
                timer.as_mut().reset(self.next_tick());
            }
        }
    }

    fn next_tick(&self) -> Instant {
        Instant::now() + self.edge.settings.limits.socket_ping_interval
    }

    async fn tick(&mut self, socket: &mut WebSocket) -> Flow {
        if self.caller.is_none() {
            return close(CloseReason::InitialisationTimeout);
        }
        if self.awaits_pong {
            // Nobody is there to read a close frame.
            return ControlFlow::Break(None);
        }
        self.awaits_pong = true;
        self.send(socket, ServerMessage::Ping).await
    }

    async fn receive(
        &mut self,
        socket: &mut WebSocket,
        message: Option<Result<Message, axum::Error>>,
    ) -> Flow {
        let bytes_max = self.edge.settings.limits.socket_message_bytes_max;
        // Whatever comes proves that somebody is there.
        self.awaits_pong = false;
        let text = match message {
            None | Some(Ok(Message::Close(_))) => return ControlFlow::Break(None),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return ControlFlow::Continue(()),
            Some(Ok(Message::Text(text))) if text.len() <= bytes_max => text,
            Some(Ok(Message::Text(_))) => {
                return close(CloseReason::BadRequest("Message is too large"));
            }
            Some(Ok(Message::Binary(_))) => {
                return close(CloseReason::BadRequest("Message is not text"));
            }
            // Broken framing, invalid UTF-8, far too large, or a broken connection.
            Some(Err(_)) => return close(CloseReason::BadRequest("Message cannot be read")),
        };
        match ClientMessage::parse(&text) {
            Err(reason) => close(reason),
            Ok(ClientMessage::ConnectionInit { token }) => self.initialize(socket, token).await,
            Ok(ClientMessage::Ping { payload }) => {
                self.send(socket, ServerMessage::Pong { payload }).await
            }
            Ok(ClientMessage::Pong) => ControlFlow::Continue(()),
            Ok(ClientMessage::Subscribe { id, payload }) => {
                self.subscribe(socket, id.into(), &payload).await
            }
            Ok(ClientMessage::Complete { id }) => {
                if let Some(running) = self.running.remove(id.as_str()) {
                    running.abort.abort();
                }
                ControlFlow::Continue(())
            }
        }
    }

    async fn initialize(&mut self, socket: &mut WebSocket, token: Option<String>) -> Flow {
        if self.caller.is_some() {
            return close(CloseReason::TooManyInitialisationRequests);
        }
        let authorization = self.authorization.take();
        let header = authorization.as_ref().map(|value| value.to_str().ok().and_then(auth::bearer));
        let credential = match (token.as_deref(), header) {
            (Some(token), _) | (None, Some(Some(token))) => Credential::Bearer(token),
            (None, None) => Credential::None,
            (None, Some(None)) => return close(CloseReason::Forbidden),
        };
        let request_id = self.request_id();
        let caller = match authenticate(&self.edge, credential, self.peer, request_id).await {
            Ok(caller) => caller,
            Err(fault) => return close(self.refusal(fault)),
        };
        let (clock, stop) = (self.edge.clock.clone(), self.edge.shutdown().token());
        self.ending = Box::pin(auth::ending(caller.clone(), clock, stop));
        self.caller = Some(caller);
        self.send(socket, ServerMessage::ConnectionAck).await
    }

    async fn subscribe(
        &mut self,
        socket: &mut WebSocket,
        id: Arc<str>,
        payload: &RawValue,
    ) -> Flow {
        let Some(caller) = &self.caller else { return close(CloseReason::Unauthorized) };
        if self.running.contains_key(&id) {
            return close(CloseReason::SubscriberAlreadyExists);
        }
        let Ok(parameters) = Parameters::from_json(payload.get().as_bytes()) else {
            return close(CloseReason::BadRequest("Payload does not fit"));
        };
        let request_id = self.request_id();
        let meter = Meter::new(&self.edge.limiter, Payers::of(caller.tenant, self.peer));
        let (operation, held) = match self.admit(parameters, &meter) {
            Ok(admitted) => admitted,
            Err(fault) => {
                let answer = Answer::refused(fault, request_id);
                let message = ServerMessage::Error { id: &id, payload: answer.errors() };
                return self.send(socket, message).await;
            }
        };
        // A query's or mutation's answer is a result even if it holds only errors.
        let started = operation.kind() != OperationType::Subscription;
        let emissions = operation::run(&self.edge, operation, caller, request_id);
        let (emissions, abort) = stream::abortable(emissions);
        let (answer_id, end_id) = (Arc::clone(&id), Arc::clone(&id));
        let answers =
            emissions.map(move |it| (Arc::clone(&answer_id), Event::Answer(Box::new(it.answer))));
        // An aborted operation says nothing any more, also not that it has ended.
        let aborted = abort.clone();
        let end = stream::once(async move { (end_id, Event::End) })
            .filter(move |_| std::future::ready(!aborted.is_aborted()));
        self.events.push(answers.chain(end).boxed());
        let _open = OpenStream::count("websocket");
        let running = Running { abort, started, _held: held, _open };
        self.running.insert(id, running);
        ControlFlow::Continue(())
    }

    /// An operation that the socket has room for, and its place among the account's streams.
    fn admit(
        &self,
        parameters: Parameters,
        meter: &Arc<Meter>,
    ) -> Result<(Operation, Option<Open>), Fault> {
        let max = self.edge.settings.limits.socket_subscriptions_max;
        if self.running.len() >= max {
            return Err(meter.refused(too_many(max)));
        }
        let operation = Operation::new(parameters, &self.edge.settings, meter)?;
        let held = match operation.kind() {
            OperationType::Subscription => Some(operation.open_stream()?),
            OperationType::Query | OperationType::Mutation => None,
        };
        Ok((operation, held))
    }

    async fn pass_on(&mut self, socket: &mut WebSocket, id: &Arc<str>, event: Event) -> Flow {
        let Some(running) = self.running.get_mut(id) else { return ControlFlow::Continue(()) };
        let answer = match event {
            Event::Answer(answer) => answer,
            Event::End => {
                self.running.remove(id);
                return self.send(socket, ServerMessage::Complete { id }).await;
            }
        };
        let refused = match answer.outcome() {
            Outcome::Refused(..) => true,
            Outcome::Executed => !running.started && !answer.has_result(),
        };
        if refused {
            running.abort.abort();
            self.running.remove(id);
            let message = ServerMessage::Error { id, payload: answer.errors() };
            return self.send(socket, message).await;
        }
        running.started = true;
        self.send(socket, ServerMessage::Next { id, payload: &answer }).await
    }

    /// Sends, and waits for the client to take it; one that takes nothing for a ping interval is
    /// gone.
    async fn send(&mut self, socket: &mut WebSocket, message: ServerMessage<'_>) -> Flow {
        let wait = self.edge.settings.limits.socket_ping_interval;
        match tokio::time::timeout(wait, socket.send(message.text())).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) | Err(_) => ControlFlow::Break(None),
        }
    }

    /// The close that a failed authentication becomes.
    fn refusal(&self, fault: Fault) -> CloseReason {
        let was_limited = fault.code == ErrorCode::RateLimited;
        let meter = Meter::new(&self.edge.limiter, Payers::of(None, self.peer));
        match refused_credential(fault, &meter).code {
            ErrorCode::Unauthenticated | ErrorCode::Forbidden => CloseReason::Forbidden,
            ErrorCode::RateLimited if !was_limited => CloseReason::TooManyRequests,
            ErrorCode::RateLimited | ErrorCode::Unavailable => CloseReason::TryAgainLater,
            ErrorCode::BadRequest
            | ErrorCode::GraphqlParseFailed
            | ErrorCode::GraphqlValidationFailed
            | ErrorCode::InvalidId
            | ErrorCode::QueryTooComplex
            | ErrorCode::PayloadTooLarge
            | ErrorCode::EventCursorExpired
            | ErrorCode::Internal => CloseReason::InternalServerError,
        }
    }

    fn request_id(&self) -> RequestId {
        self.edge.ids.next()
    }
}

fn close(reason: CloseReason) -> Flow {
    ControlFlow::Break(Some(reason))
}

fn end(ending: Ending) -> Flow {
    close(match ending {
        Ending::CredentialExpired => CloseReason::CredentialExpired,
        Ending::CredentialRevoked => CloseReason::CredentialRevoked,
        Ending::ServerStops => CloseReason::GoingAway,
    })
}

fn too_many(max: usize) -> Fault {
    let message = format!("the socket has {max} operations already: complete one, or open another");
    Fault::new(ErrorCode::RateLimited, http::StatusCode::TOO_MANY_REQUESTS, message)
}
