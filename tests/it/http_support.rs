//! A toy schema behind the real edge, for the tests of `http`. Not the product's schema.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::{
    Context, Error, ErrorExtensions, InputValueError, InputValueResult, Object, Request, Scalar,
    ScalarType, Schema, SimpleObject, Subscription, Value,
};
use async_trait::async_trait;
use entity::ids::AccountId;
use entity::time::UnixMillis;
use futures::Stream;
use heliograph::http::{
    Authenticate, AuthenticationFailure, Caller, ConnectionSettings, Credential, Edge,
    EdgeSettings, Environment, Limiter, Metering, NotReady, Probes, Readiness, RequestContext,
    RequestId, Shutdown, Standing, Tenant, router, serve,
};
use heliograph::sys::{Clock, IdGenerator, ManualClock, Randomness};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The token that the toy authenticator takes; it expires at [`EXPIRES_AT`].
pub const TOKEN: &str = "toy-token";
/// The token of somebody in another account.
pub const OTHER_TOKEN: &str = "other-toy-token";
/// When the toy server's clock stands at its start.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);
/// Ten minutes later, as an access token.
pub const EXPIRES_AT: UnixMillis = UnixMillis(1_800_000_600_000);

/// What the toy's resolvers find in the request, as the product's find `Ctx`.
pub struct Who {
    pub name: &'static str,
    pub request_id: RequestId,
}

/// How often `logIn` ran.
#[derive(Default)]
pub struct Guesses(pub AtomicUsize);

/// How many `ticks` and `silence` streams are alive.
#[derive(Clone, Default)]
pub struct Alive(pub Arc<tokio::sync::watch::Sender<usize>>);

pub struct Query;

#[Object]
impl Query {
    async fn hello(&self, name: Option<String>) -> String {
        format!("Hello {}", name.unwrap_or_else(|| "world".to_owned()))
    }

    async fn who(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Who>().name.to_owned()
    }

    async fn request(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Who>().request_id.to_string()
    }

    async fn number(&self, of: i32) -> i32 {
        of
    }

    async fn by_id(&self, id: ToyId) -> String {
        id.0
    }

    async fn maybe_by_id(&self, id: ToyId) -> Option<String> {
        Some(id.0)
    }

    async fn nested(&self) -> Query {
        Query
    }

    #[graphql(complexity = "first as usize * child_complexity")]
    async fn items(&self, first: i32) -> Vec<Item> {
        (0..first.min(3)).map(|n| Item { n }).collect()
    }

    async fn secret_failure(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err(Error::new("connection to 10.0.0.7 refused, password hunter2")))
    }

    async fn required_failure(&self) -> async_graphql::Result<i32> {
        Err(Error::new("hunter2"))
    }

    async fn forbidden(&self) -> async_graphql::Result<i32> {
        Err(Error::new("not yours").extend_with(|_, e| e.set("code", "FORBIDDEN")))
    }

    async fn limited(&self) -> async_graphql::Result<i32> {
        Err(Error::new("slow down").extend_with(|_, e| {
            e.set("code", "RATE_LIMITED");
            e.set("retryAfterMs", 1_500);
        }))
    }

    async fn strange_code(&self) -> async_graphql::Result<i32> {
        Err(Error::new("hunter2").extend_with(|_, e| e.set("code", "MY_OWN")))
    }

    async fn panics(&self, ctx: &Context<'_>) -> i32 {
        // There is no such data, so it panics.
        *ctx.data_unchecked::<i32>()
    }

    async fn forever(&self) -> i32 {
        std::future::pending().await
    }
}

/// An id that is parsed late, as the product's are.
pub struct ToyId(String);

#[Scalar]
impl ScalarType for ToyId {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if text.starts_with("toy_") => Ok(Self(text)),
            Value::String(_) => Err(InputValueError::custom("not an id of the form toy_…")
                .with_extension("code", "INVALID_ID")),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0.as_str())
    }
}

#[derive(SimpleObject)]
pub struct Item {
    n: i32,
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn log_in(&self, ctx: &Context<'_>) -> i32 {
        ctx.data_unchecked::<Guesses>().0.fetch_add(1, Ordering::SeqCst) as i32 + 1
    }

    /// One point, and one for each name.
    async fn count(&self, names: Vec<String>) -> usize {
        names.len()
    }

    async fn rename(&self, to: String) -> String {
        to
    }
}

/// An event with a cursor, as the product's.
#[derive(SimpleObject)]
pub struct Tick {
    cursor: String,
    seq: i64,
}

pub struct Ticks;

struct CountAlive(Alive);

impl CountAlive {
    fn new(ctx: &Context<'_>) -> Self {
        let alive = ctx.data_unchecked::<Alive>().clone();
        alive.0.send_modify(|count| *count += 1);
        Self(alive)
    }
}

impl Drop for CountAlive {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[Subscription]
impl Ticks {
    /// Counts up from the one after `after` to `to`, or for ever.
    async fn ticks(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        to: Option<i64>,
    ) -> async_graphql::Result<impl Stream<Item = Tick>> {
        let alive = CountAlive::new(ctx);
        let after: i64 = match after.as_deref().map(|it| it.strip_prefix("c").map(str::parse)) {
            None => 0,
            Some(Some(Ok(seq))) if seq >= 0 => seq,
            Some(_) => {
                let error = Error::new("the cursor is older than the log");
                return Err(error.extend_with(|_, e| e.set("code", "EVENT_CURSOR_EXPIRED")));
            }
        };
        Ok(futures::stream::unfold((after, alive), move |(last, alive)| async move {
            let seq = last + 1;
            if to.is_some_and(|to| seq > to) {
                return None;
            }
            tokio::task::yield_now().await;
            Some((Tick { cursor: format!("c{seq}"), seq }, (seq, alive)))
        }))
    }

    /// Says nothing.
    async fn silence(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let alive = CountAlive::new(ctx);
        futures::stream::unfold(alive, async |alive| {
            let () = std::future::pending().await;
            Some((0, alive))
        })
    }

    /// One event, then a panic.
    async fn panicking(&self) -> impl Stream<Item = i32> {
        futures::stream::unfold(1, |n| async move {
            assert!(n < 2, "a stream that panics");
            Some((n, n + 1))
        })
    }

    /// One event, then a failing one.
    async fn failing(&self) -> impl Stream<Item = async_graphql::Result<i32>> {
        futures::stream::iter([Ok(1), Err(Error::new("hunter2"))])
    }
}

struct ToyContext(&'static str);

impl RequestContext for ToyContext {
    fn attach(&self, request: Request, request_id: RequestId) -> Request {
        request.data(Who { name: self.0, request_id })
    }
}

struct ToyAuthenticator {
    revoked: CancellationToken,
}

#[async_trait]
impl Authenticate for ToyAuthenticator {
    async fn authenticate(
        &self,
        credential: Credential<'_>,
        _peer: Option<IpAddr>,
        _request_id: RequestId,
    ) -> Result<Caller, AuthenticationFailure> {
        let (name, standing) = match credential {
            Credential::Bearer(TOKEN) => ("known", Standing::Known),
            Credential::Bearer(OTHER_TOKEN) => ("other", Standing::Known),
            Credential::Bearer("busy") => {
                return Err(AuthenticationFailure::RateLimited { retry_after_ms: 2_500 });
            }
            Credential::Bearer("down") => return Err(AuthenticationFailure::Unavailable),
            Credential::Bearer("panic") => panic!("an authenticator that panics"),
            Credential::Bearer(_) => return Err(AuthenticationFailure::Refused),
            Credential::None => ("anonymous", Standing::Anonymous),
        };
        Ok(Caller {
            context: Arc::new(ToyContext(name)),
            expires_at: Some(EXPIRES_AT),
            revoked: self.revoked.clone(),
            standing,
            tenant: match name {
                "known" => Some(tenant(1)),
                "other" => Some(tenant(2)),
                _ => None,
            },
        })
    }
}

fn tenant(number: u128) -> Tenant {
    let account = AccountId(Uuid::from_u128(number));
    Tenant { credential: Uuid::from_u128(number), account }
}

struct Ready(bool);

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> Result<(), NotReady> {
        if self.0 { Ok(()) } else { Err(NotReady("store")) }
    }
}

/// A running toy server.
pub struct Toy {
    pub address: SocketAddr,
    pub clock: ManualClock,
    pub revoked: CancellationToken,
    pub stop: CancellationToken,
    pub served: JoinHandle<std::io::Result<()>>,
    pub alive: Alive,
    pub http: reqwest::Client,
}

/// Settings as the product would have them for the toy's fields.
pub fn settings(environment: Environment) -> EdgeSettings {
    let mut settings = EdgeSettings::new(environment);
    settings.sensitive_mutations = vec!["logIn".to_owned()];
    settings.resumable_subscriptions = vec!["ticks".to_owned()];
    settings.allowed_origins = vec!["https://app.example.com".parse().expect("an origin")];
    settings
}

impl Toy {
    /// Development, default limits.
    pub async fn start() -> Self {
        Self::start_with(settings(Environment::Development)).await
    }

    pub async fn start_with(settings: EdgeSettings) -> Self {
        Self::start_behind(settings, ConnectionSettings::default()).await
    }

    /// The same, with connections served otherwise.
    pub async fn start_behind(settings: EdgeSettings, connections: ConnectionSettings) -> Self {
        let clock = ManualClock::starting_at(START);
        let (revoked, stop) = (CancellationToken::new(), CancellationToken::new());
        let alive = Alive::default();
        let schema = Schema::build(Query, Mutation, Ticks)
            .data(Guesses::default())
            .data(alive.clone())
            .limit_complexity(settings.limits.complexity_max)
            .extension(Metering)
            .finish();
        let shutdown = Shutdown::on(stop.clone());
        let ready = settings.environment == Environment::Development;
        let app = router(Edge {
            executor: schema,
            authenticator: Arc::new(ToyAuthenticator { revoked: revoked.clone() }),
            probes: Probes {
                readiness: Arc::new(Ready(ready)),
                metrics: Some(Arc::new(|| "toy_metric 1\n".to_owned())),
                shutdown: shutdown.clone(),
            },
            jwks: Arc::new(|| Box::pin(async { Some(r#"{"keys":[]}"#.to_owned()) })),
            limiter: Limiter::new(clock.clock(), &settings),
            webhooks: None,
            transfers: None,
            preferences: None,
            short_links: None,
            settings,
            clock: clock.clock(),
            ids: IdGenerator::new(Clock::system(), Randomness::seeded(1)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = tokio::spawn(serve(listener, app, connections, shutdown));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, clock, revoked, stop, served, alive, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A POST as the modern media type wants it.
    pub fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.http
            .post(self.url("/graphql"))
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json")
            .body(body)
    }

    /// Posts a document and returns status and body.
    pub async fn query(&self, document: &str) -> (u16, serde_json::Value) {
        let body = serde_json::json!({ "query": document }).to_string();
        let response = self.post(body).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// Waits until `count` streams are alive.
    pub async fn await_alive(&self, count: usize) {
        let mut alive = self.alive.0.subscribe();
        soon(alive.wait_for(|now| *now == count)).await.expect("the sender lives");
    }
}

/// Fails, instead of hanging, if `future` takes more than the slowest machine needs.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("within 30 s")
}

/// The first error's code.
pub fn code(answer: &serde_json::Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("no code")
}
