//! Who asks: every role, every scope, the operator's staff, a stranger, a revoked key, nobody.

use entity::enums::{EventKind, Role};
use entity::ids::{AccountId, ApiKeyId};
use futures::{SinkExt, StreamExt};
use heliograph::authz::{Action, Scope, Subject};
use heliograph::identity::{IdentityService, LogIn, SignedIn};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use super::fields::{Access, EVENTS, Kind, NodeKind};
use super::objects::{Objects, ctx_of, key_of, nobody, operator, service, tell};
use crate::identity::{PASSWORD, log_in, sign_up};
use crate::support::{PATIENCE, Served, within};

/// Somebody who asks.
pub struct Caller {
    pub label: String,
    credential: Option<String>,
    who: Who,
}

/// What is known of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Nobody,
    /// With a key that is refused.
    Revoked,
    /// In the account whose objects are asked for.
    Inside(Subject),
    /// The owner of those objects in person.
    Owner,
    /// The owner of another account.
    Stranger,
    /// In the operator's account.
    Operator(Role),
}

/// How somebody is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    Forbidden,
    Unauthenticated,
    /// Never expected.
    Fault(String),
}

impl Verdict {
    pub fn of(answer: &Value) -> Self {
        let Some(errors) = answer["errors"].as_array() else { return Self::Allowed };
        let codes = errors.iter().filter_map(|error| error["extensions"]["code"].as_str());
        let mut codes: Vec<_> = codes.collect();
        codes.dedup();
        match codes.as_slice() {
            ["FORBIDDEN"] => Self::Forbidden,
            ["UNAUTHENTICATED"] => Self::Unauthenticated,
            // The door is open, and too many stand in it.
            ["RATE_LIMITED"] => Self::Allowed,
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl Caller {
    pub fn new(label: impl Into<String>, credential: Option<String>, who: Who) -> Self {
        Self { label: label.into(), credential, who }
    }

    /// How a field that needs `access` must answer.
    pub fn verdict(&self, access: Access) -> Verdict {
        match (self.who, access) {
            (Who::Revoked, _) => Verdict::Unauthenticated,
            (_, Access::Everybody) => Verdict::Allowed,
            (Who::Nobody, Access::To(_)) => Verdict::Unauthenticated,
            (_, Access::To(action)) if self.may(action) => Verdict::Allowed,
            (_, Access::To(_)) => Verdict::Forbidden,
        }
    }

    /// Whether an object of this kind, which is the owner's account's, is shown.
    pub fn sees(&self, kind: &NodeKind) -> bool {
        let outside = kind.outside.is_some_and(|action| self.may(action));
        let inside = match self.who {
            Who::Owner => true,
            // A log-in is its person's alone.
            Who::Inside(_) => kind.kind != Kind::Session,
            Who::Nobody | Who::Revoked | Who::Stranger | Who::Operator(_) => false,
        };
        outside || (inside && self.may(kind.inside))
    }

    /// Whether it belongs to another account.
    pub fn is_outside(&self) -> bool {
        matches!(self.who, Who::Stranger | Who::Operator(_))
    }

    fn may(&self, action: Action) -> bool {
        match self.who {
            Who::Nobody | Who::Revoked => false,
            Who::Inside(subject) => action.allows(subject),
            Who::Owner | Who::Stranger => action.allows(Subject::Role(Role::Owner)),
            Who::Operator(role) => {
                action.allows(Subject::OperatorRole(role)) || action.allows(Subject::Role(role))
            }
        }
    }

    pub async fn graphql(&self, node: &Served, document: &str, variables: &Value) -> Value {
        node.graphql(self.credential.as_deref(), document, variables.clone()).await
    }

    /// The first event of the caller's account, or the answer that there is none for the caller.
    pub async fn first_event(&self, node: &Served) -> Value {
        self.first_told(node, EVENTS).await
    }

    /// The first answer of a stream, or the answer that there is none for the caller.
    pub async fn first_told(&self, node: &Served, document: &str) -> Value {
        within(PATIENCE, self.event(node, document, |_| true)).await
    }

    /// The id of the account's first event of a type.
    pub async fn event_id(&self, node: &Served, type_name: &str) -> String {
        let wanted = |answer: &Value| answer["data"]["messageEvents"]["__typename"] == type_name;
        let answer = within(PATIENCE, self.event(node, EVENTS, wanted)).await;
        answer["data"]["messageEvents"]["id"].as_str().unwrap().to_owned()
    }

    /// The answer over a WebSocket of its own.
    pub async fn over_socket(&self, node: &Served, document: &str, variables: &Value) -> Value {
        self.over(&mut None, node, document, variables).await
    }

    /// The answer over a WebSocket, opened if it is not: of a query or mutation, or a stream's first
    /// event. A refused credential is told by closing the socket.
    pub async fn over(
        &self,
        socket: &mut Option<Socket>,
        node: &Served,
        document: &str,
        variables: &Value,
    ) -> Value {
        let answer = async {
            let open = match socket {
                Some(open) => open,
                None => socket.insert(self.open(node).await),
            };
            open.ask(document, variables).await
        };
        match within(PATIENCE, answer).await {
            Some(answer) => answer,
            None => {
                *socket = None;
                json!({ "errors": [{ "extensions": { "code": "UNAUTHENTICATED" } }] })
            }
        }
    }

    async fn open(&self, node: &Served) -> Socket {
        let url = format!("{}/graphql", node.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = connect_async(request).await.unwrap();
        let payload = match &self.credential {
            Some(credential) => json!({ "authorization": format!("Bearer {credential}") }),
            None => json!({}),
        };
        let mut socket = Socket { stream, asked: 0 };
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }

    async fn event(&self, node: &Served, document: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut request = node
            .http
            .post(format!("{}/graphql", node.url))
            .header("accept", "text/event-stream")
            .json(&json!({ "query": document }));
        if let Some(credential) = &self.credential {
            request = request.bearer_auth(credential);
        }
        let mut response = request.send().await.unwrap();
        let streams =
            response.headers()["content-type"].to_str().unwrap().starts_with("text/event");
        if !streams {
            return response.json().await.unwrap();
        }
        let mut text = String::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            let complete = text.rfind("\n\n").map_or("", |end| &text[..end]);
            let data = complete.lines().filter_map(|line| line.strip_prefix("data:"));
            let mut answers = data.filter_map(|data| serde_json::from_str(data.trim()).ok());
            if let Some(answer) =
                answers.find(|answer: &Value| answer.is_object() && wanted(answer))
            {
                return answer;
            }
        }
        panic!("the stream ended without what was waited for: {text}")
    }
}

/// A WebSocket on which one thing is asked after the other.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u32,
}

impl Socket {
    async fn send(&mut self, message: Value) {
        self.stream.send(Message::text(message.to_string())).await.unwrap();
    }

    /// None if it is closed for the credential's sake.
    async fn ask(&mut self, document: &str, variables: &Value) -> Option<Value> {
        self.asked += 1;
        let id = self.asked.to_string();
        let payload = json!({ "query": document, "variables": variables });
        self.send(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    let mut message: Value = serde_json::from_str(&text).unwrap();
                    if message["id"] != id {
                        continue;
                    }
                    match message["type"].as_str().unwrap() {
                        "next" => {
                            // Of a stream the rest is not wanted; others are complete by themselves.
                            self.send(json!({ "type": "complete", "id": id })).await;
                            return Some(message["payload"].take());
                        }
                        "error" => return Some(json!({ "errors": message["payload"].take() })),
                        _ => {}
                    }
                }
                Message::Close(Some(frame)) if u16::from(frame.code) == 4403 => return None,
                Message::Close(frame) => panic!("closed with {frame:?}"),
                _ => {}
            }
        }
    }
}

/// The owner of the objects.
pub fn owner(objects: &Objects) -> Caller {
    let token = objects.owner.tokens.access_token.expose().to_owned();
    Caller::new("owner", Some(token), Who::Owner)
}

/// The owner of another account, with an event of its own.
pub async fn stranger(node: &Served) -> Caller {
    let identity = service(node);
    let signed_in = identity.sign_up(&nobody(node), sign_up("stranger@example.com")).await.unwrap();
    tell(node, signed_in.account.id, EventKind::MessageStatusChanged, Uuid::from_u128(1)).await;
    Caller::new("stranger", Some(token(&signed_in)), Who::Stranger)
}

/// Everybody.
pub async fn all(node: &Served, objects: &Objects) -> Vec<Caller> {
    let identity = service(node);
    let mut callers = vec![
        Caller::new("nobody", None, Who::Nobody),
        owner(objects),
        stranger(node).await,
        revoked(node, &identity, objects).await,
    ];
    for role in Role::ALL.iter().filter(|role| **role != Role::Owner) {
        let email = format!("{role:?}@example.com");
        let signed_in = joined(node, &identity, objects.account_id, *role, &email).await;
        let who = Who::Inside(Subject::Role(*role));
        callers.push(Caller::new(format!("{role:?}"), Some(token(&signed_in)), who));
    }
    let ctx = ctx_of(node, &identity, &objects.owner).await;
    for scope in Scope::ALL {
        let (_, key) = key_of(&ctx, vec![*scope]).await;
        let who = Who::Inside(Subject::Scope(*scope));
        callers.push(Caller::new(scope.name(), Some(key), who));
    }
    callers.extend(operators(node, &identity).await);
    callers
}

async fn revoked(node: &Served, identity: &IdentityService, objects: &Objects) -> Caller {
    let ctx = ctx_of(node, identity, &objects.owner).await;
    let (id, key) = key_of(&ctx, Scope::ALL.to_vec()).await;
    identity.revoke_api_key(&ctx, id.parse::<ApiKeyId>().unwrap()).await.unwrap();
    Caller::new("revoked key", Some(key), Who::Revoked)
}

async fn operators(node: &Served, identity: &IdentityService) -> Vec<Caller> {
    let first = operator(node, "op@example.com").await;
    let account_id = first.account.id;
    tell(node, account_id, EventKind::MessageStatusChanged, Uuid::from_u128(2)).await;
    let mut callers =
        vec![Caller::new("operator Owner", Some(token(&first)), Who::Operator(Role::Owner))];
    for role in Role::ALL.iter().filter(|role| **role != Role::Owner) {
        let email = format!("op-{role:?}@example.com");
        let signed_in = joined(node, identity, account_id, *role, &email).await;
        let label = format!("operator {role:?}");
        callers.push(Caller::new(label, Some(token(&signed_in)), Who::Operator(*role)));
    }
    callers
}

/// Somebody new who has a role in an account.
async fn joined(
    node: &Served,
    identity: &IdentityService,
    account_id: AccountId,
    role: Role,
    email: &str,
) -> SignedIn {
    use sea_orm::{EntityTrait, IntoActiveModel};
    let ctx = nobody(node);
    let person = identity.sign_up(&ctx, sign_up(email)).await.unwrap().person;
    let membership = entity::membership::Model {
        account_id,
        person_id: person.id,
        role,
        created_at_ms: node.platform().clock.now(),
        updated_at_ms: node.platform().clock.now(),
    };
    let insert = entity::membership::Entity::insert(membership.into_active_model());
    insert.exec_without_returning(node.platform().db.migrator()).await.unwrap();
    let log_in = LogIn { account_id: Some(account_id), ..log_in(email, PASSWORD) };
    identity.log_in(&ctx, log_in).await.unwrap()
}

fn token(signed_in: &SignedIn) -> String {
    signed_in.tokens.access_token.expose().to_owned()
}
