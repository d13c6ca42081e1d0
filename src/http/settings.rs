//! What an operator may set at the HTTP edge, with its defaults. Not the rules themselves: those
//! stand beside the code that enforces them. Built by the composition root from the configuration.

use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

/// Request body, in bytes: 256 KiB holds a full batch of 1,000 messages of ordinary length.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// GraphQL document, in bytes. The usual introspection query takes 2 KiB.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024;
/// Lexical tokens of a document: bounds what the parser and the validator may cost.
pub const DOCUMENT_TOKENS_MAX: usize = 2_000;
/// Levels of fields. The usual introspection query is 15 deep.
pub const DEPTH_MAX: usize = 16;
/// Aliases in one operation, those of `__typename` and those inside fragments included.
pub const ALIASES_MAX: usize = 30;
/// Directives in one operation, those inside fragments included.
pub const DIRECTIVES_MAX: usize = 20;
/// Fields on the operation's root.
pub const ROOT_FIELDS_MAX: usize = 10;
/// Sensitive mutations (log-in, password, payment) in one request: one guess a request, so that
/// rate limits count guesses.
pub const SENSITIVE_FIELDS_MAX: usize = 1;
/// Complexity of one operation, in points: a field is one, a list is its page size times one item.
pub const COMPLEXITY_MAX: usize = 5_000;
/// Errors in one answer.
pub const ERRORS_MAX: usize = 20;
/// Running time of a query or mutation.
pub const OPERATION_TIME_MAX: Duration = Duration::from_secs(10);
/// Operations at a time on one WebSocket.
pub const SOCKET_SUBSCRIPTIONS_MAX: usize = 50;
/// One WebSocket message from a client, in bytes.
pub const SOCKET_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Wait for `connection_init` (`connectionInitWaitTimeout` of graphql-ws has the same default).
pub const SOCKET_INIT_WAIT: Duration = Duration::from_secs(3);
/// Between two pings on a WebSocket, and the wait for the answer to one. Below the usual 30 s to
/// 60 s after which proxies drop an idle connection.
pub const SOCKET_PING_INTERVAL: Duration = Duration::from_secs(12);
/// Streams at a time of one account, over event streams and WebSockets together; of strangers, of
/// one address. 10,000 idle ones take 250 MB.
pub const STREAMS_PER_ACCOUNT_MAX: usize = 10_000;
/// Between two comments on an idle event stream.
pub const EVENT_STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The limits of the GraphQL edge; the defaults are the constants of this file.
#[derive(Clone, Debug)]
pub struct GraphqlLimits {
    /// Request body, in bytes.
    pub body_bytes_max: usize,
    /// Document, in bytes.
    pub document_bytes_max: usize,
    /// Lexical tokens in a document.
    pub document_tokens_max: usize,
    /// Levels of fields.
    pub depth_max: usize,
    /// Aliases in an operation.
    pub aliases_max: usize,
    /// Directives in an operation.
    pub directives_max: usize,
    /// Fields on the root of an operation.
    pub root_fields_max: usize,
    /// Sensitive root fields in an operation.
    pub sensitive_fields_max: usize,
    /// Points of complexity. The edge bounds the expanded selections by it; the schema, built with
    /// the same number, bounds the cost that its fields declare.
    pub complexity_max: usize,
    /// Errors in an answer.
    pub errors_max: usize,
    /// Running time of a query or mutation, and of receiving a request's body.
    pub operation_time_max: Duration,
    /// Operations at a time on a WebSocket.
    pub socket_subscriptions_max: usize,
    /// One message on a WebSocket, in bytes.
    pub socket_message_bytes_max: usize,
    /// Wait for `connection_init`.
    pub socket_init_wait: Duration,
    /// Between pings on a WebSocket.
    pub socket_ping_interval: Duration,
    /// Streams at a time of one account.
    pub streams_per_account_max: usize,
    /// Between comments on an event stream.
    pub event_stream_keep_alive: Duration,
}

impl Default for GraphqlLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX,
            document_bytes_max: DOCUMENT_BYTES_MAX,
            document_tokens_max: DOCUMENT_TOKENS_MAX,
            depth_max: DEPTH_MAX,
            aliases_max: ALIASES_MAX,
            directives_max: DIRECTIVES_MAX,
            root_fields_max: ROOT_FIELDS_MAX,
            sensitive_fields_max: SENSITIVE_FIELDS_MAX,
            complexity_max: COMPLEXITY_MAX,
            errors_max: ERRORS_MAX,
            operation_time_max: OPERATION_TIME_MAX,
            socket_subscriptions_max: SOCKET_SUBSCRIPTIONS_MAX,
            socket_message_bytes_max: SOCKET_MESSAGE_BYTES_MAX,
            socket_init_wait: SOCKET_INIT_WAIT,
            socket_ping_interval: SOCKET_PING_INTERVAL,
            streams_per_account_max: STREAMS_PER_ACCOUNT_MAX,
            event_stream_keep_alive: EVENT_STREAM_KEEP_ALIVE,
        }
    }
}

/// What may be spent at one rate, in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Steadily, a second; at least 1.
    pub points_per_s: u64,
    /// At once, after a pause; at least 1.
    pub points_burst: u64,
}

/// What callers may spend on this node. An operation costs its complexity, and a point for each
/// item of a list that it brings along: a message that is sent costs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Each API key or log-in.
    pub credential: Rate,
    /// Each account, with all its credentials.
    pub account: Rate,
    /// Strangers from one address, and whoever tries credentials there.
    pub address: Rate,
}

impl Default for RateLimits {
    /// Above what one node can do for known callers, so that they bound mistakes and not work;
    /// strangers only log in and sign up.
    fn default() -> Self {
        Self {
            credential: Rate { points_per_s: 100_000, points_burst: 500_000 },
            account: Rate { points_per_s: 200_000, points_burst: 1_000_000 },
            address: Rate { points_per_s: 1_000, points_burst: 20_000 },
        }
    }
}

/// Whom this server is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Environment {
    /// Engineers: GraphiQL, introspection and suggestions for everybody.
    Development,
    /// The public: no GraphiQL; introspection and suggestions only for known callers.
    Production,
}

/// The settings of the HTTP edge.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// The GraphQL limits.
    pub limits: GraphqlLimits,
    /// What callers may spend.
    pub rates: RateLimits,
    /// Development or production.
    pub environment: Environment,
    /// Origins (`https://app.example.com`) whose pages may call this server from a browser, besides
    /// its own. Compared byte for byte.
    pub allowed_origins: Vec<HeaderValue>,
    /// Mutations of which a request may hold one: log-in, passwords, payments.
    pub sensitive_mutations: Vec<String>,
    /// Subscriptions whose payload has a `cursor: Cursor!` and which take `after: Cursor`: their
    /// event streams carry the cursor as event id and resume from `Last-Event-ID`.
    pub resumable_subscriptions: Vec<String>,
}

impl EdgeSettings {
    /// Default limits, no foreign origins, no sensitive or resumable fields.
    pub fn new(environment: Environment) -> Self {
        Self {
            limits: GraphqlLimits::default(),
            rates: RateLimits::default(),
            environment,
            allowed_origins: Vec::new(),
            sensitive_mutations: Vec::new(),
            resumable_subscriptions: Vec::new(),
        }
    }
}

/// Wait for a client that takes nothing of what is written to it.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Connections at a time from one address: many dashboards behind one office's address. Idle ones
/// with a stream take 250 MB.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 10_000;
/// What a stop waits for requests and sockets to end.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(20);

/// How connections are served.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// Wait for a client that takes nothing.
    pub write_time_max: Duration,
    /// Connections at a time from one address; those of trusted proxies are not counted.
    pub connections_per_address_max: usize,
    /// Proxies whose `X-Forwarded-For` names the client.
    pub trusted_proxies: Vec<IpNet>,
    /// What a stop waits for requests and sockets to end.
    pub drain_time_max: Duration,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            write_time_max: WRITE_TIME_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
            trusted_proxies: Vec::new(),
            drain_time_max: DRAIN_TIME_MAX,
        }
    }
}
